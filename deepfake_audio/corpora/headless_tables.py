"""Tables of labels without a header, such as the protocols of most challenges."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from deepfake_audio.corpora.label_columns import LabelColumns, known
from deepfake_audio.corpora.layouts import (
    ASVSPOOF_5,
    ASVSPOOF_5_CHALLENGE,
    ASVSPOOF_2019,
    ASVSPOOF_2021_DF,
    Layout,
    read_label,
)
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.csv_files import NUMBER
from deepfake_audio.tables.class_names import class_in, split_of
from deepfake_audio.tables.label_words import is_label_word
from deepfake_audio.tables.text_tables import TextTable
from deepfake_audio.vocabulary import without_suffix

ASVSPOOF_2015 = Layout(widths=(4,), key=3, attack=2)
LAYOUTS = {
    (width, layout.key): layout
    for layout in (
        ASVSPOOF_2015, ASVSPOOF_2019, ASVSPOOF_2021_DF, ASVSPOOF_5, ASVSPOOF_5_CHALLENGE,
    )
    for width in layout.widths
}  # fmt: skip
SPEAKER_OF_2017 = (7, 1, 2)  # of ASVspoof 2017: number of columns, and those of label and speaker
SUBSETS = {"eval", "progress", "hidden"}
MAX_VALUES = 50  # of a column of labels or splits


def find_headless_columns(table: TextTable, is_there: Callable[[str], bool]) -> LabelColumns | None:
    """Find the columns by their cells; None if a row is wider, or without files or labels.

    Args:
        table: has no header.
        is_there: returns whether a cell names an audio file on disk.
    """
    sample = [row for row in table.sample if not row[0].startswith("#")]
    width = len(sample[0]) if sample else 0
    if any(len(row) != width for row in sample):
        return None
    try:
        values = _values(table, width)
    except InputError:  # a later row is wider or narrower
        return None
    few = {place: found for place, found in enumerate(values) if len(found) <= MAX_VALUES}
    labels = [place for place, found in few.items() if all(map(is_label_word, found))]
    others = [place for place in range(width) if place not in labels]
    counts = {place: sum(is_there(row[place]) for row in sample) for place in others}
    if not labels or not any(counts.values()):
        return None
    if any(len({read_label(row[place], "") for place in labels}) > 1 for row in sample):
        return None  # of two labels, as a video and its sound have
    named = {p: sum(without_suffix(r[p]) != r[p] for r in sample) for p in counts if counts[p]}
    file = max(named, key=lambda place: (named[place], counts[place]))  # not the number of a row
    places = _placed(width, file, labels[-1])
    splits = [place for place in others if place in few and all(map(split_of, few[place]))]
    subsets = [place for place, found in few.items() if found <= SUBSETS]
    subsets.sort(key=lambda place: -len(few[place]))
    places |= {name: found[0] for name, found in (("split", splits), ("subset", subsets)) if found}
    notes = [*_unused_notes(table.path, places, sample)]
    return LabelColumns(replace(table, sample=sample), places, notes=notes)


def _values(table: TextTable, width: int) -> list[set[str]]:
    """Return the values of each column of the whole table, at most `MAX_VALUES` and one more."""
    values = [set() for _ in range(width)]
    for _, cells in table.rows(0, width, has_comments=True):
        for found, cell in zip(values, cells, strict=True):
            if len(found) <= MAX_VALUES:
                found.add(cell)
    return values


def _unused_notes(table: Path, places: dict[str, int], sample: list[list[str]]) -> Iterator[str]:
    """Yield a sentence about each column that may have speakers, if none is known."""
    if "speaker" in places:
        return
    for place in {*range(len(sample[0]))} - {*places.values()}:
        names = {known(row[place]) for row in sample} - {""}
        is_other = any(NUMBER.fullmatch(name) or class_in(name) for name in names)
        if 1 < len(names) < len(sample) and not is_other:
            yield (
                f"Column {place + 1} of {table.name}, such as {one_line(sample[0][place])}, is not "
                "used; if it has speakers, add a header such as file,speaker,label."
            )


def _placed(width: int, file: int, label: int) -> dict[str, int]:
    """Return the columns of a known layout, else those of files and labels."""
    places = {"file": file, "label": label}
    if (width, label) == SPEAKER_OF_2017[:2] and file == 0:
        places["speaker"] = SPEAKER_OF_2017[2]
    elif file == 1 and (layout := LAYOUTS.get((width, label))):
        places |= {"speaker": 0, "attack": layout.attack}
        places |= {} if layout.codec is None else {"codec": layout.codec}
    return places
