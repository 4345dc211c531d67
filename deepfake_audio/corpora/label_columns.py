"""The columns of a table that labels audio files, whatever program wrote it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from deepfake_audio.corpora.layouts import read_label
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.tables.class_names import split_of
from deepfake_audio.tables.column_names import (
    FACTS,
    FILES,
    ID,
    LABELS,
    SPEAKERS,
    names_class,
    plain_column,
)
from deepfake_audio.tables.label_choice import choose_label
from deepfake_audio.tables.label_words import LabelReader, boolean_of, is_class_number
from deepfake_audio.tables.text_tables import TextTable

LIKE_A_SPLIT = re.compile(
    "is(?:train|val|valid|dev|test|eval)(?:ing|uation|idation)?|fold|.*split.*"
)
SPEAKER = "|".join(SPEAKERS)
# A voice such as that of `source_speaker`, but no number of speakers and no comparison of them.
OF_A_SPEAKER = re.compile(
    "(?!(?:n|num|number|of|nr|no|is|multi|single|same|seen|unseen|known|has|count|per|loud|playback"
    "|replay|different|mixed)+"
    f"(?:{SPEAKER}))(?:.*(?:{SPEAKER})|identity|celebrity)(?:{'|'.join(ID)})?"
)
HEARD = re.compile("target|tgt|ref|clone", re.IGNORECASE)
# Plain names of the columns, by their main names; the first that is there counts.
NAMES = {name: names for name, names in FACTS.items() if name != "subset"} | {
    "attack": (*FACTS["attack"], "model"),
    "split": (*FACTS["split"], "subset", "set", "phase"),
    "sentence": ("sentence", "sentenceid"),
}
UNKNOWN = {
    "", "unknown", "unk", "nan", "none", "null", "na", "nil", "notavailable", "unbekannt",
    "inconnu", "desconocido", "sconosciuto", "anonymous",
}  # fmt: skip


def known(cell: str) -> str:
    """Return a cell, "" if it only tells that the fact is not known.

    >>> known("-"), known("N/A"), known("<unk>"), known("-1"), known("p225")
    ('', '', '', '', 'p225')
    """
    return "" if cell == "-1" or plain_column(cell) in UNKNOWN else cell


@dataclass(frozen=True)
class LabelColumns:
    """The columns of a table that labels audio files.

    Attributes:
        table: that was opened.
        places: positions of the columns by the names of their facts, with file and label.
        question: plain name of the column of labels if these are 0 and 1 or the like, else "".
        notes: sentences about columns of splits and speakers that were guessed, or are not used.
    """

    table: TextTable
    places: dict[str, int]
    question: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def is_clear(self) -> bool:
        """Return whether the column tells which class its 1 means; True for words."""
        return not self.question or names_class(self.question)

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column in the first rows, by the name of its fact."""
        return [row[self.places[name]] for row in self.table.sample]

    def rows(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Yield the position of each row, its label, and its facts.

        Raises:
            InputError: see `TextTable.rows` and `label`.
        """
        table, is_named = self.table, self.table.header is not None
        width = None if is_named else len(table.sample[0])
        own = f"{table.path.absolute().parent.as_posix()}/"
        for origin, cells in table.rows(self.places["file"], width, has_comments=not is_named):
            facts = {name: cells[place] for name, place in self.places.items()}
            facts["file"] = facts["file"].removeprefix(own)
            yield origin, self.label(facts["label"], origin), facts

    def label(self, cell: str, origin: str) -> str:
        """Return "real" or "fake" for a cell of the column of labels.

        Raises:
            InputError: another value, or 0 or 1 if the column doesn't name a class.
        """
        if not self.question or boolean_of(cell) is None:
            return read_label(cell, origin)
        if not self.is_clear:
            raise InputError(
                f"{cell!r} in {origin} may mean real or fake; write real or fake, or name the "
                "column is_fake or is_real"
            )
        return LabelReader(None, self.question).read(cell, origin)


def find_columns(table: TextTable, is_there: Callable[[str], bool]) -> LabelColumns | None:
    """Find the columns of files and labels by their names and cells; None without them.

    If only the name of the labels is known, the files are in the column that names most audio files
    on disk.

    Args:
        table: has a header.
        is_there: returns whether a cell names an audio file on disk.

    Raises:
        InputError: two columns of labels that disagree.
    """
    columns, rows = table.columns or [], table.sample
    files = [columns.index(name) for name in FILES if name in columns]
    is_header = not set(LABELS).isdisjoint(columns) and not any(map(is_there, table.header))
    if not files and is_header:  # and no first row such as that of trials of speaker verification
        files = [p for p in range(len(columns)) if any(is_there(row[p]) for row in rows)]
    if "file" not in columns and len(files) > 1:
        files.sort(key=lambda place: -sum(is_there(row[place]) for row in rows))
    for file in files:
        label = choose_label(table, [place for place in range(len(columns)) if place != file])
        if label is not None:
            break
    else:
        return None
    places = {"file": file, "label": label}
    for fact, names in NAMES.items():
        found = [columns.index(name) for name in (fact, *names) if name in columns]
        found = [place for place in found if place not in places.values()]
        if fact == "split" and "split" not in [columns[place] for place in found]:
            found = [place for place in found if _has_splits(rows, place)]
        if found:
            places[fact] = found[0]
    notes = [*_find_speaker(table, places), *_find_split(table, places)]
    cells, column = [row[label] for row in rows if row[label]], columns[label]
    is_question = bool(cells) and all(
        (boolean_of(cell) is not None) if names_class(column) else is_class_number(cell)
        for cell in cells
    )
    return LabelColumns(table, places, column if is_question else "", notes)


def _has_splits(rows: Sequence[Sequence[str]], place: int) -> bool:
    return all(not row[place] or split_of(row[place]) for row in rows)


def _find_speaker(table: TextTable, places: dict[str, int]) -> Iterator[str]:
    """Add the column of speakers by a part of its name; yield a note on others.

    Of several, the voice that is heard counts: that of the target, then of the reference.
    """
    names, columns = table.names, table.columns
    alike = [place for place, name in enumerate(columns) if OF_A_SPEAKER.fullmatch(name)]
    alike = [place for place in alike if place not in places.values()]
    alike.sort(key=lambda place: not HEARD.search(names[place]))
    is_guessed = bool(alike) and "speaker" not in places
    if is_guessed:
        places["speaker"] = alike.pop(0)
    alike = [names[place] for place in alike if columns[place] not in FACTS["speaker"]]
    if is_guessed or alike:
        others = f", and not of {', '.join(map(one_line, alike))}" if alike else ""
        chosen = one_line(names[places["speaker"]])
        yield f"The speakers are those of the column {chosen}{others}."


def _find_split(table: TextTable, places: dict[str, int]) -> Iterator[str]:
    """Add the only column whose cells are several splits; yield notes on it, or on others."""
    rows, name = table.sample, table.path.name
    if "split" in places or not rows:
        return
    free = [p for p, name in enumerate(table.names) if name and p not in places.values()]
    some = [p for p in free if any(row[p] for row in rows) and _has_splits(rows, p)]
    seen: dict[int, set[str]] = {place: set() for place in some}
    with suppress(InputError):  # the first rows may have one split of several
        for _, row in table.rows(places["file"]) if some else ():
            for place in some:
                seen[place] |= {split_of(row[place])} if row[place] else set()
    found = [place for place, splits in seen.items() if "" not in splits and len(splits) > 1]
    if len(found) == 1:
        places["split"] = found[0]
        column = one_line(table.names[found[0]])
        yield f"The splits of {name} are those of its column {column}."
    elif unused := found or [p for p in free if LIKE_A_SPLIT.fullmatch(table.columns[p])]:
        names = ", ".join(one_line(table.names[place]) for place in unused)
        yield (
            f"Not used, though they look like splits: {names} in {name}; name one column split, "
            "with train, val and test."
        )
