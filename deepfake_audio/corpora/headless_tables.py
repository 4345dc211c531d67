"""Tables of labels without a header, such as the protocols of most challenges."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from deepfake_audio.corpora.label_columns import known
from deepfake_audio.corpora.layouts import (
    ASVSPOOF_5,
    ASVSPOOF_5_CHALLENGE,
    ASVSPOOF_2019,
    ASVSPOOF_2021_DF,
    Layout,
    read_label,
)
from deepfake_audio.errors import one_line
from deepfake_audio.system.csv_files import NUMBER
from deepfake_audio.tables.class_names import class_in, label_of, split_of
from deepfake_audio.tables.label_words import is_label_word
from deepfake_audio.tables.lines import filled_lines, first_line
from deepfake_audio.tables.rows import delimiter_of, split_cells
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
FACTS = ("speaker", "attack", "codec", "split")
SUBSETS = {"eval", "progress", "hidden"}
MAX_VALUES = 50  # of a column of labels or splits
SAMPLED_ROWS = 1000


@dataclass(frozen=True)
class HeadlessColumns:
    """The positions of the columns of a table without a header; None for unknown ones.

    `subsets` are those of ASVspoof 2021 that a column names, if it names several. `notes` are
    sentences about columns that are not used.
    """

    file: int
    label: int
    speaker: int | None = None
    attack: int | None = None
    codec: int | None = None
    split: int | None = None
    subsets: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def facts(self, row: list[str]) -> dict[str, str]:
        """Return the known facts of a row by their names."""
        places = {name: getattr(self, name) for name in FACTS}
        facts = {name: known(row[at]) for name, at in places.items() if at is not None}
        if label_of(facts.get("attack", "")) == "real":  # ASVspoof writes the label there too
            facts["attack"] = ""
        return facts


def headless_rows(table: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the position of each row, and its cells.

    Raises:
        InputError: an unreadable table.
        ValueError: malformed CSV.
    """
    delimiter = delimiter_of(first_line(table))
    numbered = ((n, line) for n, line in filled_lines(table) if not line.startswith("#"))
    if delimiter == " ":
        yield from ((f"line {n} of {table}", line.split()) for n, line in numbered)
        return
    for number, row in split_cells((line for _, line in numbered), delimiter):
        yield f"line {number} of {table}", [cell.strip() for cell in row]


def find_headless_columns(table: Path, is_there: Callable[[str], bool]) -> HeadlessColumns | None:
    """Find the columns by their cells; None if a row is wider, or without files or labels.

    Args:
        table: to read as a whole.
        is_there: returns whether a cell names an audio file on disk.

    Raises:
        InputError: an unreadable table.
        ValueError: malformed CSV.
    """
    rows = (row for _, row in headless_rows(table))
    first = next(rows, [])
    values: dict[int, set[str]] = {place: {cell} for place, cell in enumerate(first)}
    if not any(is_label_word(cell) for cell in first):
        return None
    sample = [first]
    for row in rows:
        if len(row) != len(first):
            return None
        if len(sample) < SAMPLED_ROWS:
            sample.append(row)
        for place in [place for place, found in values.items() if len(found) <= MAX_VALUES]:
            values[place].add(row[place])
    few = {place: found for place, found in values.items() if len(found) <= MAX_VALUES}
    labels = [place for place, found in few.items() if all(map(is_label_word, found))]
    others = [place for place in values if place not in labels]
    counts = {place: sum(is_there(row[place]) for row in sample) for place in others}
    if not labels or not any(counts.values()):
        return None
    if any(len({read_label(row[place], "") for place in labels}) > 1 for row in sample):
        return None  # of two labels, as a video and its sound have
    named = {p: sum(without_suffix(r[p]) != r[p] for r in sample) for p in counts if counts[p]}
    file = max(named, key=lambda place: (named[place], counts[place]))  # not the number of a row
    splits = [place for place in few if place in others and all(map(split_of, few[place]))]
    subsets = next((found for found in few.values() if len(found) > 1 and found <= SUBSETS), ())
    columns = _placed(len(first), file, labels[-1], splits[0] if splits else None)
    notes = _unused_notes(table, columns, sample)
    return replace(columns, subsets=frozenset(subsets), notes=(*notes,))


def _unused_notes(table: Path, columns: HeadlessColumns, sample: list[list[str]]) -> Iterator[str]:
    """Yield a sentence about each column that may have speakers, if none is known."""
    if columns.speaker is not None:
        return
    used = {getattr(columns, name) for name in ("file", "label", *FACTS)}
    for place in {*range(len(sample[0]))} - used:
        names = {known(row[place]) for row in sample} - {""}
        is_other = any(NUMBER.fullmatch(name) or class_in(name) for name in names)
        if 1 < len(names) < len(sample) and not is_other:
            yield (
                f"Column {place + 1} of {table.name}, such as {one_line(sample[0][place])}, is not "
                "used; if it has speakers, add a header such as file,speaker,label."
            )


def _placed(width: int, file: int, label: int, split: int | None) -> HeadlessColumns:
    """Return the columns of a known layout, else those of files, labels and splits."""
    if (width, label) == SPEAKER_OF_2017[:2] and file == 0:
        return HeadlessColumns(file, label, speaker=SPEAKER_OF_2017[2], split=split)
    layout = LAYOUTS.get((width, label)) if file == 1 else None
    if layout is None:
        return HeadlessColumns(file, label, split=split)
    return HeadlessColumns(file, label, 0, layout.attack, layout.codec, split)
