"""Keep and look up millions of names in little memory."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np


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
