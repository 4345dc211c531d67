"""The one error that is the user's to mend, and the wrapper that prints it on one line."""

import errno
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

MOST_REPORTED = 20  # errors of a list

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# What Python and Matplotlib say where neither /tmp nor the working folder can be written to.
NO_ROOM = ("No usable temporary directory", "writable cache directory")


class InputError(Exception):
    """A wrong input or setting: states the rule, what was received, and the remedy."""


class OutputError(InputError):
    """A result can't be written: a batch ends here, where a bad input costs only itself."""


@contextmanager
def renamed_in_errors(name: str, path: Path) -> Iterator[None]:
    """Let what is wrong with a temporary file be told of what it was made from.

    Args:
        name: told in place of the path.
        path: of the temporary file.
    """
    try:
        yield
    except OutputError:
        raise
    except InputError as error:
        raise InputError(str(error).replace(str(path), name)) from None


def one_line(text: object) -> str:
    """Return `text` on one printable line.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def pluralize(count: int, thing: str) -> str:
    """Return how many of a thing there are, as it is said.

    >>> pluralize(1, "file"), pluralize(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def print_error(error: object) -> None:
    """Print `error` on one line of standard error."""
    print(f"error: {one_line(error)}", file=sys.stderr, flush=True)


def say(text: object, file: TextIO | None = None) -> None:
    """Print lines of text; what would move a terminal's cursor or turn its text is escaped."""
    lines = "\n".join(map(one_line, str(text).split("\n")))
    print(lines, file=file or sys.stdout, flush=True)


def report_all(messages: Sequence[object]) -> None:
    """Report the first errors of a list; a longer one goes into a temporary file as a whole."""
    for message in messages[:MOST_REPORTED]:
        print_error(message)
    more = len(messages) - MOST_REPORTED
    if more <= 0:
        return
    with tempfile.NamedTemporaryFile(
        "w", prefix="errors-", suffix=".txt", delete=False, encoding="utf-8"
    ) as whole:
        whole.writelines(f"{one_line(message)}\n" for message in messages)
    print_error(f"{pluralize(more, 'more error')}; {whole.name} has all of them.")
