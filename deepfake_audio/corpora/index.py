"""The index of the files below a corpus folder."""

import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from deepfake_audio.corpora.sorted_folders import SortedFolders, sort_folders
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.folder_walk import LINKED_FOLDER, UNREADABLE_FOLDER, walk_folder
from deepfake_audio.system.regular_files import is_file, is_folder
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES, JOURNAL, without_suffix

TABLE_SUFFIXES = (".txt", ".tsv", ".csv", ".trn", ".trl", ".ndx", ".lst")
# Files that systems, archives and corpora put beside the audio; they are not reported.
DEBRIS = re.compile(r"(?:thumbs\.db|desktop\.ini|icon\r|(?:readme|licen[cs]e)[^/]*)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Tree:
    """The files below a folder, by their sorted names relative to it.

    Attributes:
        root: the folder.
        audio: files with an audio suffix.
        tables: files that may be protocols.
        others: other files, without those of the system.
        unreadable: folders that can't be entered, with the reason.
        not_entered: links to folders that are not entered; see `walk_folder`.
        is_images: `audio` has images instead, since there is no audio.
    """

    root: Path
    audio: list[str]
    tables: list[str]
    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    not_entered: list[str] = field(default_factory=list)
    is_images: bool = False

    @cached_property
    def folders(self) -> SortedFolders:
        """Return the folders that mean a class or a split."""
        return sort_folders(self.audio)

    @cached_property
    def audio_names(self) -> dict[str, str]:
        """Return the names of the audio files by their composed spelling, to look one up.

        A Mac writes `ü` into file names as `u` and a mark (NFD), and into tables as one letter.
        """
        return {composed(name): name for name in reversed(self.audio)}

    @cached_property
    def audio_by_path_stem(self) -> dict[str, list[str]]:
        """Return the names of the audio files by their composed path without the suffix."""
        return _grouped(self.audio, without_suffix)

    @cached_property
    def audio_by_stem(self) -> dict[str, list[str]]:
        """Return the names of the audio files of each stem, sorted."""
        return _grouped(self.audio, stem)

    @cached_property
    def audio_in_any_case(self) -> dict[str, list[str]]:
        """Return the names of the audio files by their path in lower case, without the suffix."""
        return _grouped(self.audio, lambda name: without_suffix(name).lower())

    def find(self, file: str, near: str | None, by_name: bool = False) -> str | None:
        """Return the name of a listed audio file on disk; the least deep of several.

        Args:
            file: its path below `near`, with any audio suffix or none.
            near: a folder, "" or ending in a slash, below which any file with that stem is taken;
                None takes the exact path with any audio suffix.
            by_name: else take the path in another case, since Windows ignores case. Else, if the
                corpus has no such folder, take the only file of the name, or that whose last
                folders are those of the path.
        """
        listed = f"{near or ''}{file}"
        exact = composed(listed)
        if exact in self.audio_names:
            return listed if listed in self._spelled else self.audio_names[exact]
        if near is None:
            return self._find_by_stem(exact, by_name)
        copies = self.audio_by_stem.get(composed(stem(file)), ())
        copies = [name for name in copies if name.startswith(near)]
        return min(copies, key=depth, default=None)

    @cached_property
    def _folders(self) -> frozenset[str]:
        """The folders that have audio files."""
        return frozenset(name.rpartition("/")[0] for name in self.audio_names)

    @cached_property
    def _spelled(self) -> frozenset[str]:
        return frozenset(self.audio)

    def _find_by_stem(self, file: str, by_name: bool) -> str | None:
        """Return the file of a path with another suffix or none, else the only one of the name."""
        found = self.audio_by_path_stem.get(without_suffix(file), ())
        folder = file.rpartition("/")[0]
        if not found and by_name:
            found = self.audio_in_any_case.get(without_suffix(file).lower(), ())
        if not found and by_name and (not folder or folder not in self._folders):
            alike = self.audio_by_stem.get(stem(file), ())
            name = file.rpartition("/")[2]
            found = [each for each in alike if composed(each.rpartition("/")[2]) == name] or alike
        if len(found) > 1 and by_name:
            found = _alike(file, found)
        return found[0] if len(found) == 1 else None

    def tables_named(self, file: str) -> list[str]:
        """Return the names of the tables whose path ends in `file`, the least deep first."""
        return sorted((name for name in self.tables if f"/{name}".endswith(f"/{file}")), key=depth)


def index_tree(root: Path, or_images: bool = False) -> Tree:
    """Index the audio files and tables below a folder.

    A folder that prepare.py made is ignored: it makes data/ in the working folder, which may be
    inside the corpus.

    Args:
        root: the folder.
        or_images: index images if there is no audio, unless prepare.py made the folder.

    Raises:
        InputError: no such folder, an unreadable one, or no audio in it.
    """
    if not is_folder(root):
        raise InputError(f"cannot open {root}: no such folder")
    names, unreadable, not_entered = [], [], []
    for name, kind, error in walk_folder(root, is_ignored=lambda names: JOURNAL in names):
        if kind == UNREADABLE_FOLDER:
            unreadable.append(f"{root / name} ({error.strerror})")
        else:
            (not_entered if kind == LINKED_FOLDER else names).append(name)
    names.sort()
    suffixes, is_images = AUDIO_SUFFIXES, False
    audio = [name for name in names if name.lower().endswith(suffixes)]
    if not audio and or_images and not is_file(root / JOURNAL):
        suffixes, is_images = tuple(sorted(IMAGE_SUFFIXES)), True
        audio = [name for name in names if name.lower().endswith(suffixes)]
    if not audio and unreadable:
        raise InputError(f"cannot open the folder {min(unreadable)}; check its permissions")
    if not audio:
        raise InputError(
            f"no audio below {root}; put recordings there ({', '.join(AUDIO_SUFFIXES[:6])} or "
            f"others that docs/own-data.md names){_has_others(names)}"
        )
    tables = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    others = [
        name
        for name in names
        if not name.lower().endswith((*suffixes, *TABLE_SUFFIXES))
        and not DEBRIS.fullmatch(name.rpartition("/")[2])
    ]
    return Tree(
        root.absolute(), audio, tables, others, sorted(unreadable), sorted(not_entered), is_images
    )


def _grouped(names: list[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name in names:
        groups[composed(key(name))].append(name)
    return groups


def _alike(path: str, names: list[str]) -> list[str]:
    """Return those of some names that share the most last folders with a path; [] if none does."""
    shared = {name: shared_folders(path, name) for name in names}
    most = max(shared.values())
    return [name for name, count in shared.items() if count == most and most]


def _has_others(names: list[str]) -> str:
    """Return which kinds of files there are instead of audio, "" without files."""
    kinds = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in names)
    listed = ", ".join(f"{count:,} {one_line(kind)}" for kind, count in kinds.most_common(4))
    if not listed:
        return ""
    return f": it has {pluralize(len(names), 'file')} ({listed}{', ...' if len(kinds) > 4 else ''})"


def composed(name: str) -> str:
    """Return a name with composed letters (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def stem(file: str) -> str:
    """Return the name of a file without its folders and without an audio suffix.

    >>> stem("flac/LA_E_1000001.flac"), stem("LA_E_1000001"), stem("v1.2")
    ('LA_E_1000001', 'LA_E_1000001', 'v1.2')
    """
    return without_suffix(file.rpartition("/")[2])


def shared_folders(path: str, name: str) -> int:
    """Return how many last folders of a listed path are those of a file on disk.

    >>> shared_folders("data/vits/real/a.wav", "real/a.wav"), shared_folders("b/a.wav", "c/a.wav")
    (1, 0)
    """
    pairs = zip(path.split("/")[-2::-1], composed(name).split("/")[-2::-1], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def depth(name: str) -> tuple[int, str]:
    """Return a key that sorts names by the number of their folders, then by letters."""
    return name.count("/"), name
