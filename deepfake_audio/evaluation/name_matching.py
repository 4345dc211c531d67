"""Keep millions of names in little memory, and match those of scored files with those of keys."""

import os
import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, takewhile
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import without_blank_ends
from deepfake_audio.vocabulary import without_suffix

ARRAY_SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".pkl", ".h5", ".hdf5", ".mat", ".txt", ".json")
QUERY = re.compile(r"(\.\w{2,5})\?.*")


class PackedNames(Sequence):
    """Names in one block of UTF-8: a name of 15 letters takes 23 bytes, as a string 72.

    >>> names = PackedNames()
    >>> names.append("Zoë.wav")
    >>> list(names)
    ['Zoë.wav']
    """

    def __init__(self):
        self._letters, self._ends = bytearray(), array("Q", [0])

    def append(self, name: str) -> None:
        self._letters += name.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._letters))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> str:
        if not 0 <= place < len(self):
            raise IndexError(place)
        letters = self._letters[self._ends[place] : self._ends[place + 1]]
        return letters.decode("utf-8", "surrogatepass")


class NamePlaces:
    """The places of names by a key; it holds hashes of the keys, 16 bytes a name.

    >>> NamePlaces(["a.wav", "b.wav", "A.wav"], [0, 1, 2], str.lower).find("a.wav")
    [0, 2]
    """

    def __init__(self, names: Sequence[str], places: Sequence[int], key: Callable[[str], str]):
        """Make an index of the names at some places."""
        self._names, self._key = names, key
        hashes = hashes_of(key(names[place]) for place in places)
        order = np.argsort(hashes, kind="stable")
        self._hashes = memoryview(hashes[order])
        self._places = memoryview(np.asarray(places, np.int64)[order])

    def find(self, key: str) -> list[int]:
        """Return the places whose names have a key, in their order."""
        wanted, found = hash(key), []
        at = bisect_left(self._hashes, wanted)
        while at < len(self._hashes) and self._hashes[at] == wanted:
            if self._key(self._names[self._places[at]]) == key:
                found.append(self._places[at])
            at += 1
        return found


def hashes_of(names: Iterable[str]) -> np.ndarray:
    return np.fromiter(map(hash, names), np.int64)


def are_unique(names: Iterable[str]) -> bool:
    """Return whether no name is there twice; never wrongly True."""
    hashes = hashes_of(names)
    return len(np.unique(hashes)) == len(hashes)


def repeated_names(names: Sequence[str]) -> list[str]:
    """Return the repeated names, sorted, each once less than it occurs.

    >>> repeated_names(["b", "a", "b", "b"])
    ['b', 'b']
    """
    hashes = hashes_of(names)
    distinct, counts = np.unique(hashes, return_counts=True)
    if len(distinct) == len(hashes):
        return []
    several = np.isin(hashes, distinct[counts > 1])
    times = Counter(names[place] for place in np.flatnonzero(several))
    return sorted(name for name, count in times.items() for _ in range(count - 1))


def match_names(
    scored: Sequence[str], places: Sequence[int], listed: Sequence[str], path: Path, root: Path
) -> np.ndarray:
    """Return the place of each listed file among the scored names, -1 if it has no score.

    Names match if they are equal, if they are the same path (seen from the folder of the keys), or
    if they have the same stem. If several names have that stem, the folders before it decide: the
    most that are equal, at least one. Blanks at either end count only if names match with them:
    tables of keys cannot keep them.

    Args:
        scored: names of scored files.
        places: of the names to match, among them.
        listed: names in the keys.
        path: of the score file, for messages.
        root: the folder of the keys.

    Raises:
        InputError: several scores match a file equally well.
    """
    exact = NamePlaces(scored, places, str)
    firsts = (next(iter(exact.find(file)), -1) for file in listed)
    matched = np.fromiter(firsts, np.int64, len(listed))
    del exact
    if (matched >= 0).all():
        return matched
    _match_paths(matched, scored, places, listed, root)
    if (matched >= 0).all():
        return matched
    left = np.setdiff1d(places, matched)
    by_stem = NamePlaces(scored, left, _plain_stem)
    same_stem = NamePlaces(listed, range(len(listed)), _plain_stem)
    is_open = matched < 0
    done = set()
    for place in np.flatnonzero(is_open).tolist():
        stem = _plain_stem(listed[place])
        candidates = [] if stem in done else by_stem.find(stem)
        if not candidates:
            continue
        files = same_stem.find(stem)
        if len(candidates) == len(files) == 1:
            matched[place] = candidates[0]
            continue
        done.add(stem)
        names = {scored[candidate]: candidate for candidate in candidates}
        missing = [file for file in files if is_open[file]]
        found = _match_folders(missing, list(names), listed, path, is_only=len(files) == 1)
        for file, name in found.items():
            matched[file] = names[name]
    return matched


def _match_paths(
    matched: np.ndarray,
    scored: Sequence[str],
    places: Sequence[int],
    listed: Sequence[str],
    root: Path,
) -> None:
    """Match the files that are open by their paths, and by paths without blanks at the ends."""
    here = Path.cwd()
    keys_folder = str(here / root)
    whole_path = partial(_whole_path, str(here))
    with_blanks = [p for p in places if without_blank_ends(scored[p]) != scored[p]]
    by_path = NamePlaces(scored, places, whole_path)
    by_trimmed_path = NamePlaces(
        scored, with_blanks, lambda name: whole_path(without_blank_ends(name))
    )
    for place in np.flatnonzero(matched < 0).tolist():
        file = _whole_path(keys_folder, listed[place])
        found = by_path.find(file)
        trimmed = [] if found else by_trimmed_path.find(file)
        if found or len(trimmed) == 1:
            matched[place] = [*found, *trimmed][-1]


def _whole_path(folder: str, name: str) -> str:
    return os.path.normpath(f"{folder}/{name}" if name[:1] != "/" else name)


def _match_folders(
    places: Sequence[int],
    candidates: Sequence[str],
    listed: Sequence[str],
    path: Path,
    is_only: bool,
) -> dict[int, str]:
    """Match the files of one stem by the folders before it; return the name of each."""
    by_folders = defaultdict(list)  # each name under all ends of its folders, () too
    for name in candidates:
        for end in accumulate(_folders(name), _append, initial=()):
            by_folders[end].append(name)
    best = {}
    for place in places:
        ends = accumulate(_folders(listed[place]), _append, initial=())
        *_, end = takewhile(by_folders.__contains__, ends)
        most, found = len(end), by_folders[end]
        if len(found) > 1 and (is_only or most):
            raise InputError(
                f"{path} has several scores for {trial_stem(listed[place])}: "
                f"{found[0]}, {found[1]}; "
                "use one of these paths in the keys, as a CSV with file,label"
            )
        if len(found) == 1 and (most or is_only):
            best[place] = found[0]
    times = Counter(best.values())
    return {place: name for place, name in best.items() if times[name] == 1}


def _folders(name: str) -> list[str]:
    """Return the folders of a name, the last first."""
    return _plain(name).replace("\\", "/").split("/")[-2::-1]


def _append(folders: tuple[str, ...], folder: str) -> tuple[str, ...]:
    return (*folders, folder)


def _plain(name: str) -> str:
    """Return a name in lower case with composed letters; macOS decomposes them."""
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).lower()


def _plain_stem(name: str) -> str:
    return _plain(trial_stem(name))


def trial_stem(name: str) -> str:
    """Return the name of a file without its folders and suffixes.

    Features of `a.wav` are often in `a.npy` or `a.wav.npy`, and addresses have `%20` and a query.

    >>> trial_stem("x/a.wav.npy"), trial_stem("http://b/c%20d.wav?key=1"), trial_stem("a.b")
    ('a', 'c d', 'a.b')
    """
    if "%" in name:
        name = unquote(name)
    if "?" in name:
        name = QUERY.sub(r"\1", name)
    stem = re.split(r"[/\\]", without_blank_ends(name))[-1].strip()
    while (shorter := without_suffix(_without_array_suffix(stem))) not in (stem, ""):
        stem = shorter
    return stem


def _without_array_suffix(name: str) -> str:
    return name.rpartition(".")[0] if name.lower().endswith(ARRAY_SUFFIXES) else name
