"""Judge standard input: a temporary copy takes its place among the files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.inference.inputs import Failure, NamedInput
from deepfake_audio.inference.listing import STANDARD_INPUT
from deepfake_audio.system.temporary_files import temporary_file


def with_standard_input(
    names: Iterator[str],
    opened: ExitStack,
    detector: Detector,
    fail: Callable[[Failure], object],
) -> Iterator[str | NamedInput]:
    """Yield the files, and in place of `-` a copy of standard input.

    Args:
        names: of the files.
        opened: keeps the copy until all files are judged.
        detector: with the limit on standard input.
        fail: receives the error if standard input can't be read.
    """
    for name in names:
        if name != STANDARD_INPUT:
            yield name
            continue
        try:
            copy, path = opened.enter_context(temporary_file("standard input"))
            copy_standard_input(copy, detector.settings.limits.stdin_megabytes)
            yield NamedInput(name, path)
        except InputError as error:
            fail(Failure(name, str(error), error.code))


def copy_standard_input(copy: BinaryIO, max_megabytes: int) -> None:
    """Copy standard input to a file; raise an `InputError` if it is too large or unreadable."""
    try:
        for _ in range(max_megabytes):
            piece = sys.stdin.buffer.read(1_000_000) if sys.stdin else b""
            copy.write(piece)
            if not piece:
                break
        else:
            raise InputError(
                "cannot read standard input: it gives more than "
                f"limits.stdin_megabytes={max_megabytes:,}; give a file",
                "limit",
            )
        copy.flush()
    except OSError as error:
        raise InputError(f"cannot read standard input: {error}") from None
