"""Read the labels of scored files: protocols of ASVspoof, and tables of labels."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from deepfake_audio.corpora.index import first_line, first_row, read_lines
from deepfake_audio.corpora.layouts import (
    ASVSPOOF_5,
    ASVSPOOF_5_CHALLENGE,
    ASVSPOOF_2019,
    ASVSPOOF_2021_DF,
    KEYS,
    Listing,
    list_table,
    read_protocol,
)
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_reading import official_lines

KEY_LAYOUTS = {
    width: (corpus, layout)
    for corpus, layout in (
        ("asvspoof2019", ASVSPOOF_2019),
        ("asvspoof2021", ASVSPOOF_2021_DF),
        ("asvspoof5", ASVSPOOF_5),
        ("asvspoof5", ASVSPOOF_5_CHALLENGE),
    )
    for width in layout.widths
}
KEY_COLUMNS = ("file", "label")
ALL_SUBSETS = "all"


def read_labels(path: Path) -> Iterator[Listing]:
    """Yield label and attack of each file in the format of 2019."""
    for columns, origin in official_lines(path):
        attack = "" if columns[1] in ("-", "bonafide") else columns[1]
        yield Listing(columns[0], _label(columns[2], origin), attack=attack)


def _label(key: str, origin: str) -> str:
    if key not in KEYS:
        raise InputError(f"{key!r} is not a key ({origin}); use bonafide or spoof")
    return KEYS[key]


def _read_keys(path: Path) -> Iterable[Listing]:
    if {*KEY_COLUMNS} <= {*first_row(path)}:
        return list_table(path)
    columns = first_line(path).split()
    if columns[:1] == ["filename"]:
        rows = (
            (line.split(), f"line {number} of {path}")
            for number, line in read_lines(path)
            if number > 1 and line.strip()
        )
        return (Listing(row[0], _label(row[-1], origin)) for row, origin in rows)
    if len(columns) not in KEY_LAYOUTS:
        raise InputError(
            f"cannot read keys from {path}: {len(columns)} columns; give a protocol of "
            "ASVspoof 2019, 2021 or 5, or a table with the header filename cm-label, or file,label"
        )
    corpus, layout = KEY_LAYOUTS[len(columns)]
    return read_protocol(path, layout, "test", corpus)


def choose_subset(keys: Path, subset: str | None) -> Iterator[Listing]:
    """Return the files of one subset of the keys; keys without subsets have one."""
    known = sorted({listing.subset for listing in _read_keys(keys)} - {""})
    if subset is None and len(known) > 1:
        raise InputError(
            f"{keys} has several subsets: {', '.join(known)}; choose one with --subset, or all; "
            "published figures use eval"
        )
    if subset is None or (subset == ALL_SUBSETS and known):
        return iter(_read_keys(keys))
    if subset not in known:
        raise InputError(f"{keys} has no subset {subset!r}; it has {', '.join(known) or 'none'}")
    return (listing for listing in _read_keys(keys) if listing.subset == subset)
