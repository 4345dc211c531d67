"""Find the files that a table lists: by their paths, else by their names."""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from deepfake_audio.corpora.index import Tree, composed, shared_folders, stem
from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import without_blank_ends
from deepfake_audio.tables.class_names import label_of

OF_A_MACHINE = re.compile(r"(?:[a-z]+:/+|[a-z]:|~(?=/))?/*", re.IGNORECASE)  # what begins its paths
ABOVE = re.compile(r"^(?:\.{1,2}/)+")  # begins the paths of a table that was in another folder


@dataclass(frozen=True)
class ListedFiles:
    """Finds the files of one table.

    Attributes:
        tree: the corpus.
        folder: of the table, "" or ending in a slash; paths may begin there or in the root.
        rows: reads the position, the label and the facts of each row again.
    """

    tree: Tree
    folder: str
    rows: Callable[[], Iterator[tuple[str, str, dict[str, str]]]]

    def find(self, file: str, label: str, origin: str) -> tuple[str, str]:
        """Return a file on disk, else the listed path; and the listed path of a file elsewhere.

        A file in a folder of the other class, or one that another row of the table lists, is not
        taken by its name only.
        """
        path = from_any_machine(without_blank_ends(file), origin)
        if found := self._by_path(path):
            return found, ""
        found = self._by_name(path, label)
        if not found or not self._is_free(found, path, label):
            return path, ""
        is_elsewhere = "/" in path and not shared_folders(path, found)
        return found, path if is_elsewhere else ""

    def _by_path(self, path: str) -> str | None:
        return self.tree.find(f"{self.folder}{path}", None) or self.tree.find(path, None)

    def _by_name(self, path: str, label: str) -> str | None:
        """Return the only file of a name, unless its folder means the class that isn't listed.

        Of several with a name without folders, it is the only one in a folder of the class.
        """
        found = self.tree.find(path, None, by_name=True)
        if not found and "/" not in path:
            alike = self.tree.audio_by_stem.get(composed(stem(path)), ())
            alike = [name for name in alike if self.tree.folders.place(name)[1] == label]
            return alike[0] if len(alike) == 1 else None
        meant = self.tree.folders.place(found)[1] if found else ""
        folders = path.split("/")[:-1]
        if meant in ("", label) or not folders or meant in map(label_of, folders):
            return found
        return None

    def _is_free(self, found: str, path: str, label: str) -> bool:
        """Return whether no row has the path of a file, or its name and more of its folders."""
        by_path, by_name = self._claims
        others = {other: shared for other, shared in by_name[found].items() if other != label}
        return found not in by_path and all(
            shared < shared_folders(path, found) for shared in others.values()
        )

    @cached_property
    def _claims(self) -> tuple[set[str], dict[str, dict[str, int]]]:
        """The files that rows name by path; and of those by name, the shared folders by label."""
        by_path: set[str] = set()
        by_name: dict[str, dict[str, int]] = {}
        for origin, label, facts in self.rows():
            path = from_any_machine(without_blank_ends(facts["file"]), origin)
            if found := self._by_path(path):
                by_path.add(found)
            elif found := self._by_name(path, label):
                labels = by_name.setdefault(found, {})
                labels[label] = max(labels.get(label, 0), shared_folders(path, found))
        return by_path, by_name


def from_any_machine(file: str, origin: str) -> str:
    r"""Return a listed path as `inside` does, without a beginning outside of the corpus.

    Tables that were made on another machine or in another folder have such paths. Absolute ones
    need a folder that the corpus may have too.

    >>> from_any_machine("C:\\data\\real\\a.wav", ""), from_any_machine("gs://data/a.wav", "")
    ('data/real/a.wav', 'data/a.wav')
    """
    below = ABOVE.sub("", file.replace("\\", "/")) or file
    path = OF_A_MACHINE.sub("", below, count=1)
    return inside(path if "/" in path else below, origin)


def is_inside(file: str) -> bool:
    r"""Return whether a path stays below its root, on Windows too; no file is looked at.

    >>> is_inside("a\\b.wav"), is_inside("..\\b.wav"), is_inside("C:b.wav"), is_inside("//b/c.wav")
    (True, False, False, False)
    """
    path = file.replace("\\", "/")
    on_a_drive = path[1:2] == ":"
    return not (path.startswith("/") or on_a_drive or ".." in path.split("/"))


def inside(file: str, origin: str) -> str:
    """Return a listed path with forward slashes; raise an `InputError` if it leaves the root."""
    path = file.replace("\\", "/")
    if not is_inside(path) or not path.strip("./"):
        raise InputError(f"{file!r} in {origin} is not a path inside the corpus; correct the line")
    return posixpath.normpath(path)
