"""Read the labels of scored files: protocols of ASVspoof, and tables of labels.

A path in a key file only names a file; it opens nothing, so that it may be absolute.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from deepfake_audio.corpora.layouts import (
    ASVSPOOF_5,
    ASVSPOOF_5_CHALLENGE,
    ASVSPOOF_2019,
    ASVSPOOF_2021_DF,
    KEYS,
    Layout,
    Listing,
    read_protocol,
    read_split,
)
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.evaluation.name_matching import trial_stem
from deepfake_audio.evaluation.score_reading import NO_ATTACK, open_table
from deepfake_audio.tables.cells import BLANKS
from deepfake_audio.tables.class_names import label_of, split_of
from deepfake_audio.tables.column_names import (
    ATTACK_CODE,
    FACTS,
    FILES,
    LABELS,
    file_column,
    first_column,
    plain_column,
)
from deepfake_audio.tables.label_choice import guess_label
from deepfake_audio.tables.label_words import (
    LabelReader,
    class_and_generator,
    is_class_number,
    is_label_word,
)
from deepfake_audio.tables.lines import read_words
from deepfake_audio.tables.text_tables import TextTable, named_columns_of
from deepfake_audio.vocabulary import AUDIO_SUFFIXES

LOGGER = logging.getLogger(__name__)
ASVSPOOF_2021_PA = Layout(widths=(12,), key=9, attack=7, subset=11)  # by replay device
SUBSET = re.compile(r"(?:eval|progress|hidden)\w*", re.IGNORECASE)
KEY_LAYOUTS = {
    width: (corpus, layout)
    for corpus, layout in (
        ("asvspoof2019", ASVSPOOF_2019),
        ("asvspoof2021", ASVSPOOF_2021_DF),
        ("asvspoof2021", ASVSPOOF_2021_PA),
        ("asvspoof5", ASVSPOOF_5),
        ("asvspoof5", ASVSPOOF_5_CHALLENGE),
    )
    for width in layout.widths
}
ALL_SUBSETS = "all"
JOINED = -1  # the place of names with blanks, of several columns
MAX_SUBSETS = 10
UNKNOWN = "unknown"  # the label of some files in Deepfake-Eval-2024


def read_keys(
    path: Path, subset: str | None, real: str | None, scored: Collection[str]
) -> Iterator[Listing]:
    """Return the files of one subset of a key file; keys without subsets have one.

    Args:
        path: a protocol of ASVspoof 2019, 2021 or 5, or a table with a column of files and one of
            labels, with or without a header.
        subset: its name, or `all`; None if there is only one.
        real: the label of real files, such as "1"; None if words tell.
        scored: names of files with scores: of several columns of files, that with these counts.

    Raises:
        InputError: an unreadable file, no column of labels, a label of unknown meaning, or a subset
            that is missing or not chosen.
    """
    read, has_subsets = _open_keys(path, real, scored)
    known = sorted({listing.subset for listing in read()} - {""}) if has_subsets else []
    if subset is None and len(known) > 1:
        raise InputError(
            f"{path} has several subsets: {', '.join(known)}; choose one with --subset, or all; "
            "published figures use eval"
        )
    listings = read()
    if subset is None or (subset == ALL_SUBSETS and known):
        return listings
    if subset not in known:
        raise InputError(f"{path} has no subset {subset!r}; it has {', '.join(known) or 'none'}")
    return (listing for listing in listings if listing.subset == subset)


def _open_keys(
    path: Path, real: str | None, scored: Collection[str]
) -> tuple[Callable[[], Iterator[Listing]], bool]:
    """Return the reader of a key file, and whether the file names subsets."""
    table = open_table(path)
    if (layout := _protocol_layout(table)) is not None:
        corpus, columns = layout

        def read() -> Iterator[Listing]:
            rows = read_words(path) if table.separator == BLANKS else table.rows(text_column=1)
            return read_protocol(rows, columns, "test", corpus)

        return read, columns.subset is not None
    places, width = _places(table, real, scored)
    return partial(_read_table, table, places, width, real), "subset" in places


def _protocol_layout(table: TextTable) -> tuple[str, Layout] | None:
    """Return the corpus and the columns of an ASVspoof protocol; None for another table."""
    first = table.sample[0] if table.sample else []
    if table.columns is not None or len(first) not in KEY_LAYOUTS:
        return None
    corpus, layout = KEY_LAYOUTS[len(first)]
    is_name = first[layout.attack].lower().endswith(AUDIO_SUFFIXES)  # the end of one with blanks
    return (corpus, layout) if first[layout.key] in KEYS and not is_name else None


def _read_table(
    table: TextTable, places: dict[str, int], width: int | None, real: str | None
) -> Iterator[Listing]:
    labels = LabelReader(real, table.columns[places["label"]] if table.columns else "")
    unknown = 0
    for origin, cells in table.rows(places["file"], width):
        facts = {name: cells[place] for name, place in places.items()}
        if plain_column(facts["label"]) == UNKNOWN != real:
            unknown += 1
            continue
        if not facts["file"]:
            raise InputError(f"the file name is empty in {origin}")
        generator = class_and_generator(facts["label"])[1]
        if places["label"] == places.get("attack") and facts["label"]:
            facts["label"] = "real" if facts["label"].lower() in NO_ATTACK else "fake"
        facts["label"] = labels.read(facts["label"], origin)
        facts["split"] = read_split(facts.get("split", "").strip("-"), origin)
        if facts.get("attack", "").lower() in NO_ATTACK:
            facts["attack"] = ""
        facts["attack"] = facts.get("attack") or generator
        yield Listing(**facts, origin=origin)
    if unknown:
        LOGGER.warning(
            "left out of %s: %s of unknown label", table.path, pluralize(unknown, "file")
        )


def _places(
    table: TextTable, real: str | None, scored: Collection[str]
) -> tuple[dict[str, int], int | None]:
    """Return the position of each fact, and the number of columns if blanks separate them."""
    if not table.sample and table.columns is None:
        raise InputError(f"{table.path} has no rows; give the key file of the scored files")
    if table.columns is None:
        return _unnamed_places(table, real, scored)
    columns = table.columns
    only_files = {columns.index(n) for n in FILES if n in columns and n not in LABELS}
    label, _ = guess_label(table, only_files, real)
    files = [columns.index(n) for n in FILES if n in columns and columns.index(n) != label]
    if label is None and (label := _attack_column(table)) is not None:
        LOGGER.warning(
            "the labels of %s are those of its column %s: a00, bonafide and - mean real",
            table.path, one_line(columns[label]),
        )  # fmt: skip
    if label is not None and not files:
        used = {label, *(first_column(columns, names) for names in FACTS.values())}
        with suppress(LookupError):
            files = [file_column(columns, used, table.sample)]
    if label is None or not files:
        lacking = "labels" if label is None else "files"
        raise InputError(
            f"{table.path} has no column of {lacking}: {named_columns_of(table)}; name the columns "
            "file and label"
        )
    found = {name: first_column(table.columns, names) for name, names in FACTS.items()}
    names = {place: [row[place] for row in table.sample] for place in files}
    found |= {"file": _most_scored(names, scored), "label": label}
    found = {name: place for name, place in found.items() if place is not None}
    cells = {row[found["split"]] for row in table.sample} if "split" in found else set()
    if not all(split_of(cell) for cell in cells - {"", "-"}):
        found.setdefault("subset", found.pop("split"))  # such as progress and hidden
    if "subset" not in found:
        free = set(range(table.width)) - {*found.values()}
        subsets = [p for p in sorted(free) if _has_subsets([row[p] for row in table.sample])]
        found |= {"subset": subsets[0]} if subsets else {}
    return found, None


def _attack_column(table: TextTable) -> int | None:
    """Return the column of attacks if it tells which files are real, as that of SpoofCeleb."""
    place = first_column(table.columns, FACTS["attack"])
    cells = [row[place] for row in table.sample] if place is not None else []
    return place if cells and all(map(ATTACK_CODE.fullmatch, cells)) else None


def _has_subsets(cells: list[str]) -> bool:
    return bool(cells) and all(map(SUBSET.fullmatch, cells)) and len(set(cells)) <= MAX_SUBSETS


def _most_scored(columns: dict[int, list[str]], scored: Collection[str]) -> int:
    """Return the place of the column that names the most scored files; the first of equals.

    Args:
        columns: the first cells of each column that may have the names of files, by its place.
        scored: names of files with scores.
    """
    if len(columns) == 1 or not scored:
        return next(iter(columns))
    wanted = {trial_stem(name) for names in columns.values() for name in names}
    stems = wanted.intersection(map(trial_stem, scored))
    return max(columns, key=lambda place: sum(trial_stem(n) in stems for n in columns[place]))


def _unnamed_places(
    table: TextTable, real: str | None, scored: Collection[str]
) -> tuple[dict[str, int], int]:
    width = table.width
    rows = [row for row in table.sample if len(row) >= width]  # reading refuses shorter ones
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
    columns = {place: [row[place] for row in rows] for place in distinct or others[:1]}
    if table.separator == BLANKS and label in (0, width - 1) and width > 2:
        # Perhaps the names have blanks, and no column has a whole one.
        names = (" ".join(row[1:] if label == 0 else row[:-1]) for row in rows)
        columns[JOINED] = list(names)
        if not distinct:
            columns = {JOINED: columns[JOINED]}
    file = _most_scored(columns, scored)
    if file == JOINED:
        return {"file": int(label == 0), "label": int(label != 0)}, 2
    places = {"file": file, "label": label}
    return places | _unnamed_facts(table, places), width


def _unnamed_facts(table: TextTable, places: dict[str, int]) -> dict[str, int]:
    """Return the columns of subsets, splits and attacks, and of the speaker before the file."""
    rows, found = [row for row in table.sample if len(row) == table.width], {}
    real = [label_of(row[places["label"]]) == "real" for row in rows]
    for place in set(range(table.width)) - {*places.values()}:
        cells = [row[place] for row in rows]
        if _has_subsets(cells):
            found.setdefault("subset", place)
        elif all(map(split_of, cells)):
            found.setdefault("split", place)
        elif not all(real) and [cell in (*NO_ATTACK, "human") for cell in cells] == real:
            found.setdefault("attack", place)
        elif place == 0 and places["file"] == 1 and table.width > 3 and len(set(cells)) > 1:
            found["speaker"] = place
    return found
