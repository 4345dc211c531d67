"""All corpora whose layouts are known, and which of them a folder has."""

from deepfake_audio.corpora import label_listings, layouts, layouts_2024
from deepfake_audio.corpora.index import Tree
from deepfake_audio.corpora.label_tables import find_tables
from deepfake_audio.errors import InputError

WILD, FOLDERS = "in-the-wild", "folders"  # folders is left if no other is found
NAMES = (
    "asvspoof2019", "asvspoof2021-la", "asvspoof2021-df", "asvspoof5", WILD, "wavefake", "for",
    "mlaad", *layouts_2024.CORPORA, FOLDERS,
)  # fmt: skip
READERS = layouts.CORPORA | layouts_2024.CORPORA | label_listings.CORPORA
CORPORA = {name: READERS[name] for name in NAMES}
LOOKED_FOR = layouts.LOOKED_FOR | layouts_2024.LOOKED_FOR | label_listings.LOOKED_FOR


def known_layouts(tree: Tree) -> set[str]:
    """Return the keys of `CORPORA` whose layouts a tree has; several if it is ambiguous.

    Raises:
        InputError: a table that can't be read.
    """
    found = layouts.known_layouts(tree)
    if label_listings.in_the_wild_tables(tree):
        found.add(WILD)
    if recent := layouts_2024.known_layouts(tree):
        return recent | (found - {FOLDERS})
    if not found and (tree.folders.labels or find_tables(tree).used):
        return {FOLDERS}
    return found


def check_keys(name: str, tree: Tree) -> None:
    """Raise an `InputError` if ASVspoof 2021 was unpacked without its keys, another archive."""
    if not name.startswith("asvspoof2021") or tree.tables_named("trial_metadata.txt"):
        return
    part = name[-2:].upper()
    lists = [table for table in tree.tables if f"ASVspoof2021.{part}.cm." in table]
    if lists:
        raise InputError(
            f"{tree.root / lists[0]} has no labels; unpack the keys of ASVspoof 2021 {part} "
            f"({part}-keys-full.tar.gz, with {LOOKED_FOR[name]}) into {tree.root}"
        )
