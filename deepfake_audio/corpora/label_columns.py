"""The columns of a table that labels audio files, whatever program wrote it."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deepfake_audio.corpora.layouts import read_label
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.tables.class_names import split_of
from deepfake_audio.tables.column_names import (
    FACTS,
    FILES,
    ID,
    SPEAKERS,
    names_class,
    plain_column,
)
from deepfake_audio.tables.label_choice import choose_label
from deepfake_audio.tables.label_words import (
    LabelReader,
    boolean_of,
    is_class_number,
    is_label_word,
)
from deepfake_audio.tables.rows import first_row, read_rows

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
SAMPLED_ROWS = 1000  # that decide between several columns
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
    """The columns of a table with a header.

    Attributes:
        renamed: main names of the columns, by their names in lower case.
        question: plain name of the column of labels if these are 0 and 1 or the like, else "".
        rows: the first rows.
        notes: sentences about columns of splits and speakers that were guessed, or are not used.
    """

    renamed: dict[str, str]
    question: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_clear(self) -> bool:
        """Return whether the column tells which class its 1 means; True for words."""
        return not self.question or names_class(self.question)

    @property
    def files(self) -> list[str]:
        """Return the file of each of the first rows."""
        return self.cells("file")

    def cells(self, name: str) -> list[str]:
        """Return the first cells of a column by its main name; [] without such a column."""
        column = next((column for column, main in self.renamed.items() if main == name), None)
        return [row[column] for row in self.rows] if column is not None else []

    def has_labels(self) -> bool:
        """Return whether any of the first rows has a label."""
        return any(is_label_word(cell) or is_class_number(cell) for cell in self.cells("label"))

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


def find_columns(table: Path, is_there: Callable[[str], bool]) -> LabelColumns | None:
    """Find the columns of files and labels by their names and cells; None without them.

    Args:
        table: has the names of its columns in its first line.
        is_there: returns whether a cell names an audio file on disk.

    Raises:
        InputError: an unreadable table, or two columns of labels that disagree.
    """
    header = first_row(table)
    rows = list(_first_rows(table, header))
    by_name = {plain_column(name): name for name in reversed(header)}
    files = [by_name[name] for name in FILES if name in by_name]
    if "file" not in header and len(files) > 1:
        counts = {name: sum(is_there(row[name]) for row in rows) for name in files}
        files.sort(key=lambda name: -counts[name])
    cells = [[row[name] for name in header] for row in rows]
    for file in files:
        free = [place for place, name in enumerate(header) if name != file]
        if (place := choose_label(table, header, free, cells)) is not None:
            break
    else:
        return None
    label = header[place]
    renamed = {file: "file", label: "label"}
    for main, names in NAMES.items():
        found = [by_name[name] for name in (main, *names) if name in by_name]
        found = [name for name in found if name not in renamed]
        if main == "split" and "split" not in found:
            found = [name for name in found if _has_splits(rows, name)]
        if found:
            renamed[found[0]] = main
    notes = [*_find_speaker(renamed, header), *_find_split(table, renamed, rows)]
    cells, column = [row[label] for row in rows if row[label]], plain_column(label)
    is_question = bool(cells) and all(
        (boolean_of(cell) is not None) if names_class(column) else is_class_number(cell)
        for cell in cells
    )
    return LabelColumns(renamed, column if is_question else "", rows, notes)


def _has_splits(rows: Sequence[dict[str, str]], column: str) -> bool:
    return all(not row[column] or split_of(row[column]) for row in rows)


def _find_speaker(renamed: dict[str, str], header: Sequence[str]) -> Iterator[str]:
    """Add the column of speakers by a part of its name; yield a note on others.

    Of several, the voice that is heard counts: that of the target, then of the reference.
    """
    alike = [n for n in header if n not in renamed and OF_A_SPEAKER.fullmatch(plain_column(n))]
    alike.sort(key=lambda name: not HEARD.search(name))
    is_guessed = False
    if alike and "speaker" not in renamed.values():
        renamed[alike.pop(0)] = "speaker"
        is_guessed = True
    alike = [name for name in alike if plain_column(name) not in FACTS["speaker"]]
    if is_guessed or alike:
        chosen = next(name for name, main in renamed.items() if main == "speaker")
        others = f", and not of {', '.join(map(one_line, alike))}" if alike else ""
        yield f"The speakers are those of the column {one_line(chosen)}{others}."


def _find_split(
    table: Path, renamed: dict[str, str], rows: Sequence[dict[str, str]]
) -> Iterator[str]:
    """Add the only column whose cells are several splits; yield notes on it, or on others."""
    if "split" in renamed.values() or not rows:
        return
    free = [name for name in rows[0] if name and name not in renamed]
    some = [n for n in free if any(row[n] for row in rows) and _has_splits(rows, n)]
    seen: dict[str, set[str]] = {name: set() for name in some}
    with suppress(InputError):  # the first rows may have one split of several
        for _, row in read_rows(table, some[:1]) if some else ():
            for name in some:
                seen[name] |= {split_of(row[name])} if row[name] else set()
    found = [name for name, splits in seen.items() if "" not in splits and len(splits) > 1]
    if len(found) == 1:
        renamed[found[0]] = "split"
        yield f"The splits of {table.name} are those of its column {one_line(found[0])}."
    elif unused := found or [name for name in free if LIKE_A_SPLIT.fullmatch(plain_column(name))]:
        yield (
            f"Not used, though they look like splits: {', '.join(map(one_line, unused))} in "
            f"{table.name}; name one column split, with train, val and test."
        )


def _first_rows(table: Path, header: Sequence[str]) -> Iterator[dict[str, str]]:
    with suppress(InputError):  # reading the whole table reports it
        rows = read_rows(table, header[:1])
        yield from (row for _, row in itertools.islice(rows, SAMPLED_ROWS))
