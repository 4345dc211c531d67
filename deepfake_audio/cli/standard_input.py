"""The files that a command reads from standard input: a list of names, or one recording."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from deepfake_audio.errors import InputError
from deepfake_audio.inference.inputs import Failure, NamedInput
from deepfake_audio.inference.listing import STANDARD_INPUT
from deepfake_audio.inference.name_lists import read_names
from deepfake_audio.system.temporary_files import temporary_file


@contextmanager
def opened_list(name: str | None) -> Iterator[Iterator[str]]:
    """Open a list, `-` for standard input, and yield its names as they are needed.

    Raises:
        InputError: the list can't be opened.
    """
    if name is None:
        yield iter(())
        return
    if name == STANDARD_INPUT and sys.stdin is None:
        raise InputError("cannot read the list -: there is no standard input; give a file")
    opened = nullcontext(sys.stdin.buffer) if name == STANDARD_INPUT else _open(name)
    with opened as file:
        # A dash is a file of that name, since only the command line gives `-`.
        names = read_names(file, name)
        yield (f"./{each}" if each == STANDARD_INPUT else each for each in names)


def _open(name: str) -> BinaryIO:
    """Open a list; the user chose it, and may wait for a pipe of the shell."""
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot open the list {name}: {reason}; give a text file") from None


def with_standard_input(
    files: Iterator[str | Failure], opened: ExitStack, max_megabytes: int, sources: dict[str, Path]
) -> Iterator[str | NamedInput | Failure]:
    """Yield the files, and in place of `-` a copy of standard input.

    Args:
        opened: keeps the copy until all files are judged.
        sources: receives the path of the copy under its name.
    """
    for file in files:
        if file != STANDARD_INPUT:
            yield file
            continue
        try:
            copy, path = opened.enter_context(temporary_file("standard input"))
            copy_standard_input(copy, max_megabytes)
            sources[file] = path
            yield NamedInput(file, path)
        except InputError as error:
            yield Failure(file, str(error), error.code)


def copy_standard_input(copy: BinaryIO, max_megabytes: int) -> None:
    """Copy standard input to a file; raise an `InputError` if it is too large or unreadable."""
    try:
        for _ in range(max_megabytes + 1):  # the piece after the limit is empty
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
