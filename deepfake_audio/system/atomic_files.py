"""Write files and folders in one step, and lock folders."""

import errno
import itertools
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TextIO

from deepfake_audio.errors import DISK_FULL, InputError, OutputError
from deepfake_audio.system.json_text import to_json
from deepfake_audio.system.regular_files import open_no_link, open_regular

PARTIAL = ".partial-"  # and 8 random characters: the name of a folder of unfinished work
IS_PARTIAL = re.compile(re.escape(PARTIAL) + r"\w{8}", re.ASCII)
ABANDONED_SECONDS = 24 * 60 * 60  # no write takes a day
LOCK = "lock"  # in a partial folder, held by the process that fills it


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
    with temporary_sibling(path) as partial:
        yield partial
        partial.replace(path)


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


def numbered(path: Path) -> Iterator[Path]:
    """Yield a path, and then it with a number before its suffix: `v.csv`, `v-2.csv`, ..."""
    yield path
    yield from (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))


def rename_to_free(path: Path, names: Iterable[Path]) -> Path | None:
    """Rename a file to the first name that is free, and return it; None if none is.

    No file is replaced, also if another process takes the same name at this moment.
    """
    for name in names:
        with suppress(FileExistsError):
            name.open("xb").close()
            path.replace(name)
            return name
    return None


@contextmanager
def temporary_sibling(path: Path) -> Iterator[Path]:
    """Yield a temporary path, and remove the file that was written there, if it still is there.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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
    match error.errno:
        case code if code in DISK_FULL:
            remedy = "free some space, or choose a folder on another disk"
        case errno.EINVAL:  # see `open_no_link`
            remedy = "remove it, or choose another name"
        case errno.ENAMETOOLONG:
            remedy = "choose a shorter name"
        case _:
            remedy = "choose a folder that you may write to"
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
