"""Print lines that are safe for a terminal, and errors on standard error."""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import TextIO

from deepfake_audio.errors import one_line, pluralize

MAX_PRINTED_ERRORS = 20  # errors of a list


def print_error(error: object) -> None:
    """Print `error` on one line of standard error."""
    print(f"error: {one_line(error)}", file=sys.stderr, flush=True)


def print_lines(text: object, file: TextIO | None = None) -> None:
    """Print lines of text; characters that control a terminal are escaped."""
    lines = "\n".join(map(one_line, str(text).split("\n")))
    print(lines, file=file or sys.stdout, flush=True)


def say(text: str) -> None:
    """Print a remark on standard error."""
    print_lines(text, file=sys.stderr)


def print_warnings(warnings: Iterable[str]) -> None:
    """Print each warning on one line of standard error."""
    for warning in warnings:
        print(f"Warning: {one_line(warning)}", file=sys.stderr, flush=True)


def print_errors(messages: Sequence[object]) -> None:
    """Report the first errors of a list; a longer one goes into a temporary file as a whole."""
    for message in messages[:MAX_PRINTED_ERRORS]:
        print_error(message)
    more = len(messages) - MAX_PRINTED_ERRORS
    if more <= 0:
        return
    with tempfile.NamedTemporaryFile(
        "w", prefix="errors-", suffix=".txt", delete=False, encoding="utf-8"
    ) as whole:
        whole.writelines(f"{one_line(message)}\n" for message in messages)
    print_error(f"{pluralize(more, 'more error')}; {whole.name} has all of them.")
