"""The columns of a table that labels audio files, whatever program wrote it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deepfake_audio.corpora.class_folders import split_of
from deepfake_audio.corpora.column_names import (
    FACTS,
    FILES,
    LABELS,
    names_class,
    plain_column,
)
from deepfake_audio.corpora.label_words import (
    LabelReader,
    boolean_of,
    is_class_number,
    is_label_word,
)
from deepfake_audio.corpora.layouts import read_label
from deepfake_audio.corpora.tables import first_row, read_rows
from deepfake_audio.errors import InputError

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


def is_answer(cell: str) -> bool:
    """Return whether a cell answers the question of a column such as `is_fake`."""
    return boolean_of(cell) is not None


@dataclass(frozen=True)
class LabelColumns:
    """The columns of a table with a header.

    Attributes:
        renamed: main names of the columns, by their names in lower case.
        question: plain name of the column of labels if these are 0 and 1 or the like, else "".
        rows: the first rows.
    """

    renamed: dict[str, str]
    question: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)

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
        InputError: an unreadable table.
    """
    header = first_row(table)
    rows = list(_first_rows(table, header))
    by_name = {plain_column(name): name for name in reversed(header)}
    files = [by_name[name] for name in FILES if name in by_name]
    if "file" not in header and len(files) > 1:
        counts = {name: sum(is_there(row[name]) for row in rows) for name in files}
        files.sort(key=lambda name: -counts[name])
    for file in files:
        if label := _label_column({p: n for p, n in by_name.items() if n != file}, rows):
            break
    else:
        return None
    renamed = {file: "file", label: "label"}
    for main, names in NAMES.items():
        found = [by_name[name] for name in (main, *names) if name in by_name]
        found = [name for name in found if name not in renamed]
        if main == "split" and "split" not in found:
            found = [
                name for name in found if all(not row[name] or split_of(row[name]) for row in rows)
            ]
        if found:
            renamed[found[0]] = main
    cells, column = [row[label] for row in rows if row[label]], plain_column(label)
    is_question = bool(cells) and all(
        map(is_answer if names_class(column) else is_class_number, cells)
    )
    return LabelColumns(renamed, column if is_question else "", rows)


def _first_rows(table: Path, header: Sequence[str]) -> Iterator[dict[str, str]]:
    with suppress(InputError):  # reading the whole table reports it
        rows = read_rows(table, header[:1])
        yield from (row for _, row in itertools.islice(rows, SAMPLED_ROWS))


def _label_column(by_name: dict[str, str], rows: Sequence[dict[str, str]]) -> str:
    """Return the column of labels: with words, else one such as `is_fake`, else any; "" for none.

    Args:
        by_name: the columns by their plain names.
        rows: the first rows.
    """

    def all_are(check: Callable[[str], bool], column: str) -> bool:
        return all(check(row[column]) for row in rows if row[column])

    labels = [by_name[name] for name in LABELS if name in by_name]
    telling = [
        name for plain, name in by_name.items() if names_class(plain) and all_are(is_answer, name)
    ]
    words = [name for name in labels if all_are(is_label_word, name)]
    numbers = [name for name in labels if all_are(is_class_number, name)]
    return next(iter([*words, *telling, *numbers, *labels]), "")
