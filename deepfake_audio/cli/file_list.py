"""Open the list of names that `--list` gives: a file, a pipe, or standard input."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from deepfake_audio.cli.standard_input import STANDARD_INPUT
from deepfake_audio.errors import InputError
from deepfake_audio.inference.name_lists import read_names


@contextmanager
def opened_list(name: str | None) -> Iterator[Iterator[str]]:
    """Open a list, and yield its names as they are needed.

    Args:
        name: of the list; `-` for standard input; None for no names.

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
