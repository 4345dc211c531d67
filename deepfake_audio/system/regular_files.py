"""Open regular files only, follow no link, and wait for no pipe."""

import errno
import io
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from deepfake_audio.errors import InputError

MAX_LINE_CHARACTERS = 65_536
OWN_DRIVE = re.compile(r"\\\\[?.]\\[A-Za-z]:")  # a long path of Windows
# Opening a pipe in the place of a file must not wait for its other end.
NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def open_no_link(path: str | Path, flags: int) -> int:
    """Open a regular file as an `opener` does; follow no link and wait for no pipe.

    Raises:
        OSError: it can't be opened, or is a link or no regular file, or another name leads to a
            file to write.
    """
    if Path(path).is_symlink():
        raise OSError(errno.ELOOP, "it is a link", path)
    kept = flags & ~os.O_TRUNC  # until it is known what the file is
    descriptor = os.open(path, kept | NO_LINKS | NO_WAITING, 0o666)
    status = os.fstat(descriptor)
    found = "" if stat.S_ISREG(status.st_mode) else "it is no regular file"
    if status.st_nlink > 1 and flags & (os.O_WRONLY | os.O_RDWR):
        found = found or "it has another name (a hard link)"
    if found:
        os.close(descriptor)
        raise OSError(errno.EINVAL, found, path)
    if flags & os.O_TRUNC:
        os.ftruncate(descriptor, 0)
    return descriptor


def open_table(path: Path, mode: str = "w") -> TextIO:
    """Open a text file to write or append to, with newlines as they are given.

    Bytes of file names that are no UTF-8 are written escaped.

    Raises:
        OSError: it can't be opened, or is a link or no regular file.
    """
    return open(
        path, mode, newline="", encoding="utf-8", errors="backslashreplace", opener=open_no_link
    )


def read_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a table; a line without an end would fill the memory.

    Raises:
        ValueError: a line has more than 65,536 characters, or a NUL.
    """
    while line := file.readline(MAX_LINE_CHARACTERS + 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise ValueError(f"a line of more than {MAX_LINE_CHARACTERS:,} characters")
        if "\0" in line:
            raise ValueError("a NUL character in a line")
        yield line


def is_of_network(name: str) -> bool:
    r"""Return whether a path is one of another machine, by its letters only.

    Looking at such a path makes Windows send the user's name and a hash of the password there.

    >>> is_of_network(r"\\host\share"), is_of_network(r"\\?\C:\data"), is_of_network("/data")
    (True, False, False)
    """
    path = name.replace("/", "\\") if os.name == "nt" else name
    return path.startswith("\\\\") and not OWN_DRIVE.match(path)


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; False if the system can't tell, unlike `Path.is_dir`."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Return whether there is a file; False if the system can't tell, unlike `Path.is_file`."""
    return os.path.isfile(path)  # noqa: PTH113


def open_regular(path: Path, what: str) -> BinaryIO:
    """Open a regular file that is not empty for reading, without waiting.

    The open file is checked, so that it can't be replaced between the check and its use.

    Args:
        path: pipes and devices may have no end, and empty files below /proc make the reader wait:
            all are refused.
        what: name of the file for errors, such as "An image".

    Raises:
        InputError: reading the file would fail, or might never end.
    """
    cannot_read = f"cannot read {what[0].lower()}{what[1:]}: {path}"
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | NO_WAITING
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        remedy, code = ("name", "not_found") if is_missing else ("file", "unreadable")
        raise InputError(f"{cannot_read} ({reason}); check the {remedy}", code) from None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{cannot_read} is a {_kind(status.st_mode)}; give a file")
    raise InputError(f"{cannot_read} is empty; copy it again from its source", "empty")


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def open_text(
    path: Path, what: str, encoding: str = "utf-8", errors: str = "strict", newline: str | None = ""
) -> TextIO:
    """Open a regular file as text; see `open_regular` and `open`."""
    return io.TextIOWrapper(open_regular(path, what), encoding, errors, newline)


def copy_file(source: Path, target: Path, what: str) -> None:
    """Copy a regular file to a new one; see `open_regular`."""
    with open_regular(source, what) as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy)


def check_replaceable(
    path: Path, beginning: bytes, what: str = "", remedy: str = "move it, or choose another folder"
) -> None:
    """Raise an `InputError` if a file to replace was not written by this project.

    Args:
        path: of the file; nothing, or an empty one, may be there too.
        beginning: a regular expression that matches the first bytes of each such file.
        what: the option that names the file, for the error.
        remedy: for the error.
    """
    if not os.path.lexists(path) or (is_file(path) and not path.stat().st_size):
        return
    with suppress(InputError), open_regular(path, "A file to replace") as file:
        if re.match(beginning, file.read(100)):
            return
    shown = f"{what} {path}".strip()
    raise InputError(f"cannot replace {shown}: another kind of file is there; {remedy}")


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "device")
