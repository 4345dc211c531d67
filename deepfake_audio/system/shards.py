"""Divide files among independent commands: each shard takes those whose names hash to it.

The hash of a name does not depend on other names, so that new files move none of the others.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.system.regular_files import is_folder

MAX_SHARDS = 1000  # joining opens the table of each
MAX_SHOWN = 100  # characters of a fact in an error
WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
IN_NAME = r"\.([1-9][0-9]{0,3})-of-([1-9][0-9]{0,3})"  # as `Shard.path` writes it


@dataclass(frozen=True, order=True)
class Shard:
    """One of several parts of the files: `number` is 1 to `count`."""

    count: int
    number: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def has(self, name: str) -> bool:
        """Return whether a file is in this shard.

        >>> [str(shard) for shard in all_shards(3) if shard.has("calls/a.wav")]
        ['1/3']
        """
        encoded = name.encode("utf-8", "backslashreplace")
        place = int.from_bytes(hashlib.sha256(encoded).digest()[:8]) % self.count
        return place + 1 == self.number

    def path(self, whole: Path, suffix: str) -> Path:
        """Return the path of this shard of a table or folder.

        >>> Shard(8, 3).path(Path("v.csv"), ".csv").name, Shard(8, 3).path(Path("mine"), "").name
        ('v.3-of-8.csv', 'mine.3-of-8')

        Raises:
            InputError: the path has no name.
        """
        if not whole.name:
            raise InputError(f"{whole} has no name; give a table or a folder")
        stem = whole.name.removesuffix(suffix)
        return whole.with_name(f"{stem}.{self.number}-of-{self.count}{suffix}")


def whole_path(shard: Path, suffix: str) -> Path:
    """Return the path of the whole table or folder of which a shard is a part.

    >>> whole_path(Path("v.3-of-8.csv"), ".csv").name
    'v.csv'
    """
    return shard.with_name(re.sub(f"{IN_NAME}{re.escape(suffix)}$", suffix, shard.name))


def all_shards(count: int) -> list[Shard]:
    """Return the shards of a division."""
    return [Shard(count, number) for number in range(1, count + 1)]


def to_shard(text: str) -> Shard:
    """Return the shard that `K/N` names; raise an `InputError` if there is none."""
    found = WRITTEN.fullmatch(text)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not found or not 1 <= count <= MAX_SHARDS:
        raise InputError(
            f"--shard {text} is no shard; give K/N, such as 1/4, with N up to {MAX_SHARDS:,}"
        )
    if not 1 <= number <= count:
        raise InputError(
            f"--shard {text} is none of the shards 1/{count} to {count}/{count}; add 1 to an index "
            "that begins at 0"
        )
    return Shard(count, number)


def find_shards(whole: Path, suffix: str) -> dict[Shard, Path]:
    """Return the shards of a table or folder that are beside its place, in their order.

    Args:
        whole: the place of the joined table or folder.
        suffix: of a table; empty for a folder.

    Raises:
        InputError: there are none, or those of two divisions.
    """
    stem = whole.name.removesuffix(suffix)
    name = re.compile(re.escape(stem) + IN_NAME + re.escape(suffix))
    found = {}
    for path in whole.parent.iterdir() if is_folder(whole.parent) else ():
        if (match := name.fullmatch(path.name)) and is_folder(path) == (not suffix):
            number, count = map(int, match.groups())
            if number <= count <= MAX_SHARDS:
                found[Shard(count, number)] = path
    if not found:
        first = Shard(4, 1).path(whole, suffix)
        raise InputError(f"no shards of {whole}; their names are such as {first}")
    counts = sorted({shard.count for shard in found})
    if len(counts) > 1:
        raise InputError(
            f"shards of several divisions of {whole}: {' and '.join(map(str, counts))} parts; move "
            "those of one division elsewhere"
        )
    return dict(sorted(found.items()))


def missing_shards(found: Iterable[Shard]) -> str:
    """Name the shards of a division that were not found, such as `shards 2/4 and 3/4`."""
    found = set(found)
    missing = [str(shard) for shard in all_shards(next(iter(found)).count) if shard not in found]
    shown = missing[:10] + [f"{len(missing) - 10} more"] * (len(missing) > 10)
    if not missing:
        return ""
    names = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    return f"shard{'s' * (len(missing) > 1)} {names}"


def check_same(facts: Mapping[Path, Mapping[str, object]]) -> None:
    """Raise an `InputError` if shards were made in different ways, by the facts about each."""
    (first, wanted), *others = facts.items()
    for path, given in others:
        for name in wanted:
            if given.get(name) != wanted[name]:
                texts = [str(facts.get(name))[:MAX_SHOWN] for facts in (given, wanted)]
                raise InputError(
                    f"{path} was made with another {name} than {first}: {', not '.join(texts)}; "
                    "make one of them again"
                )
