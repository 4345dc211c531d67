"""Files that are either the old or the new one, never half of it; and what may be read as one."""

import errno
import io
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TextIO

from deepfake_audio.errors import InputError, OutputError

MAX_LINE_CHARACTERS = 65_536
PARTIAL = ".partial-"  # and 8 characters by chance: a folder of unfinished work
IS_PARTIAL = re.compile(re.escape(PARTIAL) + r"\w{8}", re.ASCII)
LOCK = "lock"  # in a partial folder, held by the process that fills it
# A pipe in the place of a file must not make this process wait for its other end.
NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path of the same name, and rename what was written there into place.

    Args:
        path: the file to write; its folder is made if it is missing. A link there is replaced.

    Yields:
        The path to write to, in a new folder beside `path` that only this user may enter.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _partial_folder(path.parent) as work:
            yield work / path.name
            (work / path.name).replace(path)
    except OSError as error:
        raise write_error(path, error) from None


@contextmanager
def _partial_folder(parent: Path) -> Iterator[Path]:
    """Give a new folder, and remove it; `only_one` removes what a killed process left."""
    with TemporaryDirectory(prefix=PARTIAL, dir=parent, ignore_cleanup_errors=True) as work:
        yield Path(work)


@contextmanager
def temporary_sibling(path: Path) -> Iterator[Path]:
    """Give a temporary path of the same name, and remove what was written there.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    try:
        with _partial_folder(path.parent) as work:
            yield work / path.name
    except OSError as error:
        raise write_error(path, error) from None


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder of the same name and rename it into place once all is written.

    What killed processes left beside it is removed first: it may be gigabytes.

    Args:
        path: the folder to make; nothing may be there.

    Yields:
        The folder to write into; an exception or Ctrl-C removes it.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_folders(path.parent)
        with _partial_folder(path.parent) as work, (work / LOCK).open("xb", buffering=0) as held:
            lock(held)
            held.seek(0)
            held.write(b"held")  # an empty one may be about to be held
            (work / path.name).mkdir()
            yield work / path.name
            (work / path.name).rename(path)
    except OSError as error:
        raise write_error(path, error) from None


def _remove_left_folders(parent: Path) -> None:
    """Remove the partial folders of `new_folder` that no process fills any more."""
    for left in parent.glob(f"{PARTIAL}*"):
        if not IS_PARTIAL.fullmatch(left.name) or left.is_symlink():
            continue
        has_ended = False
        with suppress(InputError), open_regular(left / LOCK, "A lock") as file:
            has_ended = lock(file)
        if has_ended:
            shutil.rmtree(left, ignore_errors=True)


def write_error(path: Path, error: OSError) -> OutputError:
    """Return the error that says why a result could not be written."""
    return OutputError(
        f"A result must be written. Received: {path}: {error.strerror or error}. "
        "Free some space, or choose a folder that you may write to."
    )


@contextmanager
def folder_lock(held: Path, work: str) -> Iterator[None]:
    """Hold a folder that is written to, and remove what a killed process left half-written.

    Args:
        held: a file in that folder that is there and is never replaced.
        work: what must not be done there twice at a time.

    Raises:
        InputError: another process holds it. The system lets go of what a killed one held.
        OutputError: the folder can't be written to, or contains a link.
    """
    try:
        file = os.fdopen(open_no_link(held, os.O_RDONLY), "rb")
    except OSError as error:
        raise write_error(held, error) from None
    with file:
        if not lock(file):
            raise InputError(
                f"{work} is done by one process at a time. Received: {held.parent}, where another "
                "one is at work. Wait for it, or choose another name."
            )
        try:
            _tidy(held.parent)
        except OSError as error:
            raise write_error(held.parent, error) from None
        yield


def _tidy(folder: Path) -> None:
    """Remove the partial folders below a folder, and refuse links: others may have laid them.

    Raises:
        OutputError: something below the folder is a link.
        OSError: the folder can't be read.
    """
    pending = [os.fspath(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise is_a_link(Path(entry.path))
                if not entry.is_dir(follow_symlinks=False):
                    continue
                if IS_PARTIAL.fullmatch(entry.name):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    pending.append(entry.path)


def is_a_link(path: Path) -> OutputError:
    """Return the error that says that nothing is written through a link."""
    return OutputError(
        f"cannot write to {path}: it is a link, and may lead anywhere. "
        "Remove it, or choose another folder."
    )


def open_no_link(path: str | Path, flags: int) -> int:
    """Open a regular file as an `opener` does; follow no link and wait for no pipe.

    Raises:
        OSError: it can't be opened, or is a link or no regular file.
    """
    if Path(path).is_symlink():
        raise OSError(errno.ELOOP, "it is a link", path)
    descriptor = os.open(path, flags | NO_LINKS | NO_WAITING, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return descriptor


def lock(file: BinaryIO | TextIO) -> bool:
    """Hold an open file until it is closed, or return False if another process holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(2**30)  # behind all bytes, since other readers could not read the held one
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON, in one step."""
    with atomic_write(path) as partial:
        partial.write_text(to_json(content, indent=2) + "\n", encoding="utf-8")


def to_json(content: object, indent: int | None = None) -> str:
    """Return `content` as JSON that any parser accepts; see `escaped`."""
    return json.dumps(_escaped_below(content), indent=indent, allow_nan=False)


def _escaped_below(content: object) -> object:
    match content:
        case str():
            return escaped(content)
        case Mapping():
            return {_escaped_below(name): _escaped_below(value) for name, value in content.items()}
        case list() | tuple():
            return [_escaped_below(value) for value in content]
    return content


def escaped(text: str) -> str:
    """Return `text` with a backslash before each byte of a file name that is no UTF-8.

    >>> escaped(os.fsdecode(b"\\xff.wav"))
    '\\\\udcff.wav'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


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


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; False where the system can't or won't say."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Return whether there is a file; False where the system can't or won't say."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def open_regular(path: Path, what: str) -> BinaryIO:
    """Open a regular file that holds something to read it; never wait.

    What was opened is checked, so it can't be swapped for something else between check and use.

    Args:
        path: a pipe or a device may have no end, and files of size 0 below /proc make the reader
            wait: all are refused.
        what: the file is to be, such as "An image".

    Raises:
        InputError: reading the file would fail, or might never end.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | NO_WAITING
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{what} must be a readable file. Received: {path} ({reason}).") from None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{what} must be a file. Received: {path}, a {_kind(status.st_mode)}.")
    raise InputError(f"{what} must hold something. Received: {path}, which is empty.")


def size_of(file: BinaryIO) -> int:
    """Return the bytes that an open file holds."""
    return os.fstat(file.fileno()).st_size


def open_text(
    path: Path, what: str, encoding: str = "utf-8", errors: str = "strict", newline: str | None = ""
) -> TextIO:
    """Open a regular file that holds something as text; see `open_regular` and `open`."""
    return io.TextIOWrapper(open_regular(path, what), encoding, errors, newline)


def copy_file(source: Path, target: Path, what: str, most_bytes: float = math.inf) -> None:
    """Copy a regular file to a new one; see `open_regular`, which also raises for a larger one."""
    with open_regular(source, what) as file, target.open("xb") as copy:
        if size_of(file) > most_bytes:
            raise InputError(f"{what} has at most {most_bytes:,} bytes. Received: {source}.")
        shutil.copyfileobj(file, copy)


def check_replaceable(path: Path, beginning: bytes, at: int = 0) -> None:
    """Raise a `InputError` unless a file that is about to be replaced is one of this project's.

    Args:
        path: of the file; nothing, or an empty one, may be there too.
        beginning: bytes that each such file has.
        at: their place in it.
    """
    if not os.path.lexists(path) or (is_file(path) and not path.stat().st_size):
        return
    with open_regular(path, "A file to replace") as file:
        if file.read(at + len(beginning))[at:] == beginning:
            return
    raise InputError(
        f"cannot replace {path}: another program wrote it. Move it, or choose another folder."
    )


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "device")
