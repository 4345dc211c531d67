"""Write files in one step, lock folders, and open regular files safely."""

import errno
import io
import json
import math
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TextIO

from deepfake_audio.errors import InputError, OutputError

MAX_LINE_CHARACTERS = 65_536
PARTIAL = ".partial-"  # and 8 random characters: the name of a folder of unfinished work
IS_PARTIAL = re.compile(re.escape(PARTIAL) + r"\w{8}", re.ASCII)
ABANDONED_SECONDS = 24 * 60 * 60  # no write takes a day
LOCK = "lock"  # in a partial folder, held by the process that fills it
# Opening a pipe in the place of a file must not wait for its other end.
NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path, and rename the file that was written there into place.

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
    """Yield a new folder, and remove it, and once those that killed processes left beside it."""
    _remove_old_folders(parent)
    with TemporaryDirectory(prefix=PARTIAL, dir=parent, ignore_cleanup_errors=True) as work:
        yield Path(work)


@cache  # once for each folder: a batch writes thousands of files into one
def _remove_old_folders(parent: Path) -> None:
    """Remove the partial folders of killed writes, in a folder that no lock guards.

    These are this user's folders of plain files that are older than a day. `atomic_folder`'s have
    a lock, and stay.
    """
    with suppress(OSError):
        for left in parent.glob(f"{PARTIAL}*"):
            if IS_PARTIAL.fullmatch(left.name) and _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or time.time() - status.st_mtime < ABANDONED_SECONDS:
        return False
    if status.st_uid != getattr(os, "geteuid", lambda: status.st_uid)():  # Windows has no users
        return False
    with os.scandir(folder) as entries:
        return all(entry.is_file(follow_symlinks=False) and entry.name != LOCK for entry in entries)


@contextmanager
def temporary_sibling(path: Path) -> Iterator[Path]:
    """Yield a temporary path, and remove the file that was written there.

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
    """Yield a temporary folder, and rename it into place when it is complete.

    Folders of killed processes beside it are removed first: they may have gigabytes.

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
            held.write(b"held")  # another process may be about to lock an empty file
            (work / path.name).mkdir()
            yield work / path.name
            (work / path.name).rename(path)
    except OSError as error:
        raise write_error(path, error) from None


def _remove_left_folders(parent: Path) -> None:
    """Remove the partial folders of `atomic_folder` whose process has ended."""
    for left in parent.glob(f"{PARTIAL}*"):
        if not IS_PARTIAL.fullmatch(left.name) or left.is_symlink():
            continue
        has_ended = False
        with suppress(InputError), open_regular(left / LOCK, "A lock") as file:
            has_ended = lock(file)
        if has_ended:
            shutil.rmtree(left, ignore_errors=True)


def write_error(path: Path, error: OSError) -> OutputError:
    """Return the error for a result that could not be written."""
    remedy = "free some space, or choose a folder that you may write to"
    if error.errno == errno.EINVAL:  # see `open_no_link`
        remedy = "remove it, or choose another name"
    return OutputError(f"cannot write {path}: {error.strerror or error}; {remedy}")


@contextmanager
def folder_lock(held: Path, work: str) -> Iterator[None]:
    """Lock a folder for writing, and remove the unfinished files of killed processes.

    Args:
        held: an existing file in that folder that is never replaced.
        work: the task that only one process may do there, for the error.

    Raises:
        InputError: another process has the lock. The system releases the locks of killed processes.
        OutputError: the folder can't be written to, or contains a link.
    """
    try:
        file = os.fdopen(open_no_link(held, os.O_RDONLY), "rb")
    except OSError as error:
        raise write_error(held, error) from None
    with file:
        if not lock(file):
            raise InputError(
                f"{work} in {held.parent} is already done by another process; wait for it, or "
                "choose another name"
            )
        try:
            _tidy(held.parent)
        except OSError as error:
            raise write_error(held.parent, error) from None
        yield


def _tidy(folder: Path) -> None:
    """Remove the partial folders below a folder, and refuse links that others may have made.

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
    """Return the error for a link in the place of a file to write."""
    return OutputError(
        f"cannot write to {path}: it is a link, and may lead anywhere. "
        "Remove it, or choose another folder."
    )


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


def lock(file: BinaryIO | TextIO) -> bool:
    """Lock an open file until it is closed; return False if another process has the lock."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(2**30)  # behind all bytes, since other processes can't read a locked byte
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
    """Return `content` as JSON that any parser accepts; see `escape_non_utf8`."""
    return json.dumps(_escape_below(content), indent=indent, allow_nan=False)


def _escape_below(content: object) -> object:
    match content:
        case str():
            return escape_non_utf8(content)
        case Mapping():
            return {_escape_below(name): _escape_below(value) for name, value in content.items()}
        case list() | tuple():
            return [_escape_below(value) for value in content]
    return content


def escape_non_utf8(text: str) -> str:
    """Return `text` with a backslash before each byte of a file name that is no UTF-8.

    >>> escape_non_utf8(os.fsdecode(b"\\xff.wav"))
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
    """Return whether there is a folder; False if the system can't tell."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Return whether there is a file; False if the system can't tell."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


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


def copy_file(source: Path, target: Path, what: str, most_bytes: float = math.inf) -> None:
    """Copy a regular file to a new one; see `open_regular`, which also raises for a larger one."""
    with open_regular(source, what) as file, target.open("xb") as copy:
        if size_of(file) > most_bytes:
            raise InputError(
                f"{source} is larger than {most_bytes:,} bytes, the limit of {what.lower()}"
            )
        shutil.copyfileobj(file, copy)


def check_replaceable(path: Path, beginning: bytes, at: int = 0) -> None:
    """Raise an `InputError` if a file to replace was not written by this project.

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
