"""Files that are either the old or the new one, never half of it; and what may be read as one."""

import io
import json
import math
import os
import re
import shutil
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from deepfake_audio.errors import OutputError, UserError

LONGEST_LINE = 65_536
LEFT_BEHIND = re.compile(r"\.\d+\..+")  # as `_unfinished` names it
# A pipe in the place of a file must not make this process wait for its other end.
NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename what was written there into place.

    Args:
        path: the file to write; its folder is made if it is missing.

    Yields:
        The path to write to; it ends as `path` does, since some libraries look at the suffix.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    partial = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        _remove(partial)


def _unfinished(path: Path) -> Path:
    """Return a name beside `path` that is this process's own, and that `only_one` clears away."""
    return path.with_name(f".{os.getpid()}.{path.name}")


@contextmanager
def for_a_moment(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and take away what was written there.

    What a killed process left is cleared away by the next `only_one`, as with `replacing`.
    """
    passing = _unfinished(path)
    try:
        yield passing
    finally:
        _remove(passing)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` and rename it into place once all is written.

    What a killed process left of the same folder is cleared away first: it may be gigabytes.

    Args:
        path: the folder to make; nothing may be there.

    Yields:
        The folder to write into; an exception or Ctrl-C removes it.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    partial = _unfinished(path)
    try:
        clear_left_folders(path)
        partial.mkdir(parents=True)
        yield partial
        partial.rename(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def clear_left_folders(path: Path) -> None:
    """Remove the folders `.PID.name` beside `path` of processes that this machine has no more.

    Raises:
        OSError: the folder that they are in can't be read.
    """
    if not is_folder(path.parent):
        return
    named = re.compile(rf"\.(\d+)\.{re.escape(path.name)}", re.ASCII)
    for beside in path.parent.iterdir():
        found = named.fullmatch(beside.name)
        if found and is_folder(beside) and _has_ended(int(found[1])):
            shutil.rmtree(beside, ignore_errors=True)


def _has_ended(process: int) -> bool:
    """Return whether what another process of that number began was left; False where in doubt."""
    if process == os.getpid():  # numbers come again, in containers the same ones at each start
        return True
    if os.name == "nt":  # there, to ask is to send Ctrl-C
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error that says why a result could not be written."""
    return OutputError(
        f"A result must be written. Received: {path}: {error.strerror or error}. "
        "Free some space, or choose a folder that you may write to."
    )


@contextmanager
def only_one(held: Path, work: str) -> Iterator[None]:
    """Hold a folder that is written to, and clear away what a killed process left half-written.

    Args:
        held: a file in that folder that is there and is never replaced.
        work: what must not be done there twice at a time.

    Raises:
        UserError: another process holds it. The system lets go of what a killed one held.
        OutputError: the folder can't be written to.
    """
    try:
        file = held.open("rb")
    except OSError as error:
        raise unwritable(held, error) from None
    with file:
        if not lock(file):
            raise UserError(
                f"{work} is done by one process at a time. Received: {held.parent}, where another "
                "one is at work. Wait for it, or choose another name."
            )
        for path in held.parent.iterdir():
            if LEFT_BEHIND.fullmatch(path.name) and is_file(path):
                _remove(path)
        yield


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


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # what kept it from being written keeps it from being removed


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON, in one step."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def open_table(path: Path, mode: str = "w") -> TextIO:
    """Open a CSV file to write; bytes of file names that are no UTF-8 are written escaped."""
    return path.open(mode, newline="", encoding="utf-8", errors="backslashreplace")


def read_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a table; a line without an end would fill the memory.

    Raises:
        ValueError: a line has more than 65,536 characters.
    """
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"a line of more than {LONGEST_LINE:,} characters")
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
        UserError: reading the file would fail, or might never end.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | NO_WAITING
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{what} must be a readable file. Received: {path} ({reason}).") from None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{what} must be a file. Received: {path}, a {_kind(status.st_mode)}.")
    raise UserError(f"{what} must hold something. Received: {path}, which is empty.")


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
            raise UserError(f"{what} has at most {most_bytes:,} bytes. Received: {source}.")
        shutil.copyfileobj(file, copy)


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "device")


def find_files(
    folder: Path, suffixes: Collection[str], others: Counter[str] | None = None
) -> list[Path]:
    """List what lies below a folder with one of the suffixes, by name, without hidden files.

    Links to files are taken, links to folders are not entered. What is no file, and folders that
    can't be entered, are listed too: whoever reads them says what is wrong with them. `others`
    counts what has other suffixes.
    """
    found: list[Path] = []
    pending = [folder]
    while pending:
        parent = pending.pop()
        try:
            with os.scandir(parent) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            found.append(parent)
            continue
        for entry in visible:
            path = Path(parent, entry.name)
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            elif path.suffix.lower() in suffixes and not is_folder(path):
                found.append(path)
            elif others is not None:
                others["linked folders" if is_folder(path) else path.suffix.lower()] += 1
    return sorted(found)
