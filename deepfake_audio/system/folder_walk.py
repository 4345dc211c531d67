"""The files below a folder: one rule about links and hidden files for all scripts.

A link to a file is read. A link to a folder is entered after all folders that are no links, unless
it leads to a folder that was entered before or that contains the link: so each folder is entered
once, under its own name if it has one, and no link leads out to a parent folder. Hidden files and
folders are ignored.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from deepfake_audio.system.regular_files import is_folder

FILE, LINKED_FOLDER, UNREADABLE_FOLDER = "file", "linked folder", "unreadable folder"
FOLDER_MARK = "\0"  # after a folder's name; it sorts a before a.wav, as paths do


class Found(NamedTuple):
    """A file below a folder, or a folder that was not entered.

    Attributes:
        name: path below the folder, with forward slashes.
        kind: `FILE` for all that is no folder, even a link to nothing; `LINKED_FOLDER` for a link
            to a folder that is not entered; `UNREADABLE_FOLDER`.
        error: of an unreadable folder.
    """

    name: str
    kind: str = FILE
    error: OSError | None = None


def walk_folder(
    root: Path, is_ignored: Callable[[Collection[str]], bool] = lambda names: False
) -> Iterator[Found]:
    """Yield the files below a folder, each folder's in the order of their paths.

    Only the names in one folder and in its parents are in memory. `is_ignored` decides by the names
    in a folder below the root whether to ignore that folder.
    """
    entered: set[tuple[int, int]] = set()
    links = deque([""])
    while links:
        pending = [("", [links.popleft() + FOLDER_MARK])]
        while pending:
            parent, names = pending[-1]
            if not names:
                pending.pop()
                continue
            name = parent + names.pop()
            if not name.endswith(FOLDER_MARK):
                yield Found(name)
                continue
            name = name.removesuffix(FOLDER_MARK)
            try:
                if not _is_new(root / name, entered):
                    yield Found(name, LINKED_FOLDER)
                    continue
                names, linked = _names_in(root / name)
            except OSError as error:
                yield Found(name, UNREADABLE_FOLDER, error)
                continue
            if name and is_ignored({found.removesuffix(FOLDER_MARK) for found in names}):
                continue
            prefix = f"{name}/" if name else ""
            links.extend(prefix + link for link in linked)
            pending.append((prefix, names))


def _is_new(folder: Path, entered: set[tuple[int, int]]) -> bool:
    """Return whether a folder is entered for the first time and does not contain its own link."""
    identity = _identity(folder)
    is_new = identity not in entered
    if is_new and folder.is_symlink() and entered:  # the root itself may be any link
        is_new = identity not in map(_identity, folder.parent.resolve().parents)
    if is_new:
        entered.add(identity)
    return is_new


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _names_in(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names in a folder from last to first, folders marked, and the linked folders."""
    names, linked = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and is_folder(Path(entry)):
                linked.append(entry.name)
            else:
                is_real_folder = entry.is_dir(follow_symlinks=False)
                names.append(entry.name + FOLDER_MARK * is_real_folder)
    return sorted(names, reverse=True), sorted(linked)


def find_files(
    folder: Path, suffixes: Collection[str], others: Counter[str] | None = None
) -> Iterator[Path]:
    """Yield the files below a folder that have one of the suffixes, in the order of `walk_folder`.

    Folders that can't be read are yielded too: their reader reports the reason.

    Args:
        folder: to search; nothing is found if it does not exist.
        suffixes: in lower case, with the dot.
        others: counts the files with other suffixes, by suffix, and the linked folders that are
            not entered.
    """
    for name, kind, error in walk_folder(folder):
        suffix = Path(name).suffix.lower()
        if kind == UNREADABLE_FOLDER:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                yield folder / name
        elif kind == FILE and suffix in suffixes:
            yield folder / name
        elif others is not None:
            others["linked folders" if kind == LINKED_FOLDER else suffix] += 1
