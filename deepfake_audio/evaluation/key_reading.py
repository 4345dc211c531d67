"""Read the labels of scored files: protocols of ASVspoof, and tables of labels.

A path in a key file only names a file; it opens nothing, so that it may be absolute.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from deepfake_audio.corpora.class_folders import split_of
from deepfake_audio.corpora.column_names import (
    FACTS,
    FILES,
    LABELS,
    class_of,
    file_column,
    first_column,
)
from deepfake_audio.corpora.label_words import (
    IS_A_CLASS,
    LabelReader,
    is_class_number,
    is_label_word,
)
from deepfake_audio.corpora.layouts import (
    ASVSPOOF_5,
    ASVSPOOF_5_CHALLENGE,
    ASVSPOOF_2019,
    ASVSPOOF_2021_DF,
    KEYS,
    Listing,
    read_protocol,
)
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_reading import NO_ATTACK
from deepfake_audio.evaluation.score_table import trial_stem
from deepfake_audio.evaluation.text_tables import BLANKS, JSON, TextTable, open_text_table

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
ALL_SUBSETS = "all"


def open_keys(
    path: Path, real: str | None, scored: Collection[str]
) -> tuple[Callable[[], Iterator[Listing]], bool]:
    """Return the reader of a key file, and whether the file names subsets.

    Args:
        path: a protocol of ASVspoof 2019, 2021 or 5, or a table with a column of files and one of
            labels, with or without a header.
        real: the label of real files, such as "1"; None if words tell.
        scored: names of files with scores: of several columns of files, that with these counts.

    Raises:
        InputError: an unreadable file, no column of labels, or a label of unknown meaning.
    """
    table = open_text_table(path)
    if (layout := _protocol_layout(table)) is not None:
        corpus, columns = layout
        return partial(read_protocol, path, columns, "test", corpus), columns.subset is not None
    places, width = _places(table, real, scored)
    return partial(_read_table, table, places, width, real), "subset" in places


def choose_subset(
    keys: Path, subset: str | None, real: str | None = None, scored: Collection[str] = ()
) -> Iterator[Listing]:
    """Return the files of one subset of the keys; keys without subsets have one."""
    read, has_subsets = open_keys(keys, real, scored)
    known = sorted({listing.subset for listing in read()} - {""}) if has_subsets else []
    if subset is None and len(known) > 1:
        raise InputError(
            f"{keys} has several subsets: {', '.join(known)}; choose one with --subset, or all; "
            "published figures use eval"
        )
    listings = read()
    if subset is None or (subset == ALL_SUBSETS and known):
        return listings
    if subset not in known:
        raise InputError(f"{keys} has no subset {subset!r}; it has {', '.join(known) or 'none'}")
    return (listing for listing in listings if listing.subset == subset)


def _protocol_layout(table: TextTable) -> tuple | None:
    """Return the corpus and the columns of an ASVspoof protocol; None for another table."""
    first = table.sample[0] if table.sample else []
    if table.columns is not None or table.separator != BLANKS or len(first) not in KEY_LAYOUTS:
        return None
    corpus, layout = KEY_LAYOUTS[len(first)]
    return (corpus, layout) if first[layout.key] in KEYS else None


def _read_table(
    table: TextTable, places: dict[str, int], width: int | None, real: str | None
) -> Iterator[Listing]:
    labels = LabelReader(real, table.columns[places["label"]] if table.columns else "")
    for origin, cells in table.rows(places["file"], width):
        facts = {name: cells[place] for name, place in places.items()}
        if not facts["file"]:
            raise InputError(f"the file name is empty in {origin}")
        facts["label"] = labels.read(facts["label"], origin)
        facts["split"] = split_of(facts.get("split", ""))
        if facts.get("attack") in NO_ATTACK:
            facts["attack"] = ""
        yield Listing(**facts, origin=origin)


def _places(
    table: TextTable, real: str | None, scored: Collection[str]
) -> tuple[dict[str, int], int | None]:
    """Return the position of each fact, and the number of columns if blanks separate them."""
    if not table.sample and table.columns is None:
        raise InputError(f"{table.path} has no rows; give the key file of the scored files")
    if table.columns is None:
        return _unnamed_places(table, real)
    label = first_column(table.columns, LABELS)
    if label is None:
        telling = [n for n in table.columns if IS_A_CLASS.fullmatch(n) or class_of(n)]
        label = first_column(table.columns, telling)
    if label is None and table.separator == JSON and table.columns == ["file", "score"]:
        label = 1  # a mapping from files to 0 and 1
    files = [
        table.columns.index(name)
        for name in FILES
        if name in table.columns and table.columns.index(name) != label
    ]
    if label is not None and not files:
        used = {label, *(first_column(table.columns, names) for names in FACTS.values())}
        with suppress(LookupError):
            files = [file_column(table.columns, used, table.sample)]
    if label is None or not files:
        lacking = "labels" if label is None else "files"
        raise InputError(
            f"{table.path} has no column of {lacking}: "
            f"{', '.join(filter(None, table.columns))}; name the columns file and label"
        )
    found = {name: first_column(table.columns, names) for name, names in FACTS.items()}
    found |= {"file": _most_scored(table, files, scored), "label": label}
    return {name: place for name, place in found.items() if place is not None}, None


def _most_scored(table: TextTable, files: list[int], scored: Collection[str]) -> int:
    """Return the column of files that names the most scored files; the first of equals."""
    if len(files) == 1 or not scored:
        return files[0]
    wanted = {trial_stem(row[place]) for row in table.sample for place in files}
    stems = wanted.intersection(map(trial_stem, scored))
    return max(files, key=lambda place: sum(trial_stem(r[place]) in stems for r in table.sample))


def _unnamed_places(table: TextTable, real: str | None) -> tuple[dict[str, int], int]:
    rows, width = table.sample, table.width
    checks = [is_label_word, is_class_number]
    if real is not None:
        checks.append(lambda cell: cell == real)
    label = next(
        (
            place
            for check in checks
            for place in (-1, *range(width - 1))
            if all(check(row[place]) for row in rows)
        ),
        None,
    )
    if label is None or width < 2:
        raise InputError(
            f"cannot read keys from {table.path}: no label in its {width} columns; give a protocol "
            "of ASVspoof 2019, 2021 or 5, or a table with the header file,label"
        )
    label %= width
    others = [place for place in range(width) if place != label]
    distinct = [place for place in others if len({row[place] for row in rows}) == len(rows)]
    return {"file": (distinct or others)[0], "label": label}, width
