"""Read score files of this project, of challenges and of other detectors."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deepfake_audio.corpora.layouts import read_split
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.score_choice import TWO_SCORES, ScoreColumns
from deepfake_audio.evaluation.score_columns import named_columns, no_files, unnamed_columns
from deepfake_audio.tables.cell_values import is_number, listed_numbers, number_in
from deepfake_audio.tables.cells import split
from deepfake_audio.tables.class_names import label_of
from deepfake_audio.tables.column_names import plain_columns
from deepfake_audio.tables.label_words import LabelReader
from deepfake_audio.tables.lines import filled_lines, read_words
from deepfake_audio.tables.text_tables import JSON, TextTable, open_text_table

ASV_KEYS = ("target", "nontarget", "spoof")
NO_ATTACK = frozenset({"-", "bonafide", "bona-fide", "real", "a00"})  # a00: of SpoofCeleb
NO_SCORE = frozenset({"", "nan", "na", "n/a", "null", "none"})
# In AntiDeepfake's table, [a, b] are the logits of fake and real, and the label 1 is real.
ANTIDEEPFAKE = ["id", "score", "label"]


class ScoreRow(NamedTuple):
    """One line of a score file.

    Attributes:
        score: higher is more real; None if the cell is empty or `nan`.
        llr: the same as log-likelihood ratio, or None without such a column.
        label: real, fake, or "" without labels.
        facts: others that are known: speaker, attack, codec, corpus, split and verdict.
    """

    file: str
    score: float | None
    llr: float | None
    label: str
    facts: dict[str, str]
    origin: str


@dataclass(frozen=True)
class ScoreFile:
    """A score file that was opened.

    Attributes:
        real: the label, or the class, of real files; None if it is not known.
    """

    table: TextTable
    columns: ScoreColumns
    real: str | None

    @property
    def has_labels(self) -> bool:
        return self.columns.label is not None

    def rows(self, with_labels: bool = True) -> Iterator[ScoreRow]:
        """Yield the rows, with or without reading their labels.

        Raises:
            InputError: a malformed line, an unknown label, or a score that is not finite.
        """
        table, columns = self.table, self.columns
        place = columns.label if with_labels else None
        labels = LabelReader(
            self.real, table.columns[place] if table.columns and place is not None else ""
        )
        if columns.file is None and place is None:
            raise no_files(table)
        for row, (origin, cells) in enumerate(table.rows(columns.file or 0, columns.width), 1):
            file = f"row {row}" if columns.file is None else cells[columns.file]
            if not file:
                raise InputError(f"the file name is empty in {origin}")
            label = "" if place is None else labels.read(cells[place], origin)
            has_llr = columns.llr is not None and cells[columns.llr].lower() not in NO_SCORE
            facts = {name: cells[place] for name, place in columns.facts.items()}
            if facts.get("attack") in NO_ATTACK:
                facts["attack"] = ""
            split = facts.get("split", "").strip("-") if with_labels else ""
            yield ScoreRow(
                file,
                self._score(cells, origin),
                number_in(cells[columns.llr], origin) if has_llr else None,
                label,
                facts | {"split": read_split(split, origin)},
                origin,
            )

    def _score(self, cells: Sequence[str], origin: str) -> float | None:
        texts = [cells[place] for place in self.columns.score]
        if len(texts) == 1 and (listed := listed_numbers(texts[0])):
            texts = listed
            if len(texts) == 2:
                if self.real not in ("0", "1"):
                    raise InputError(f"{self.table.path} has {TWO_SCORES}")
                texts = texts if self.real == "1" else texts[::-1]
        if all(text.lower() in NO_SCORE for text in texts):
            return None
        numbers = [number_in(text, origin) for text in texts]
        if len(numbers) > 2:
            raise InputError(f"{len(numbers)} scores in {origin}; give one, or one of a class")
        return self.columns.sign * (numbers[-1] - (numbers[0] if len(numbers) == 2 else 0.0))


def open_table(path: Path) -> TextTable:
    """Open a table and find its form.

    Raises:
        InputError: see `open_text_table`, or two columns of one meaning, or lines with values
            before the names of the columns.
    """
    table = open_text_table(path)
    if table.header is None or table.separator == JSON:
        return table
    try:
        plain_columns(table.header)
    except ValueError as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None
    for number, line in itertools.takewhile(lambda n: n[0] < table.skipped, filled_lines(path)):
        if not line.startswith("#") and _has_values(line, table.separator, table.width):
            raise InputError(
                f"line {table.skipped} of {path} names the columns, and line {number} before it "
                "has values; remove the lines before the names"
            )
    return table


def _has_values(line: str, separator: str, width: int) -> bool:
    """Return whether a line before the header looks like a row: it has a number or a label."""
    rows = [*split([line], separator), line.split()]
    return any(
        len(row) in (2, width) and any(is_number(cell) or label_of(cell) for cell in row)
        for row in rows
    )


def open_scores(path: Path, real: str | None) -> ScoreFile:
    """Open a score file and find its columns.

    Args:
        path: lines `file score`, with or without a header, in any order of named columns.
        real: the label, or the class, of real files, such as "1"; None if words tell.

    Raises:
        InputError: an unreadable file, or columns whose meaning is not known.
    """
    table = open_table(path)
    if table.columns is None:
        return ScoreFile(table, unnamed_columns(table, real), real)
    if real is None and table.columns == ANTIDEEPFAKE and table.sample:
        real = "1" if listed_numbers(table.sample[0][1]) else None
    return ScoreFile(table, named_columns(table, real), real)


def read_asv_scores(path: Path) -> dict[str, np.ndarray]:
    """Read speaker verification scores, lines of `attack key score` (ASVspoof 2019).

    Returns:
        The scores of each key: target, nontarget, spoof.
    """
    scores = {key: [] for key in ASV_KEYS}
    for origin, columns in read_words(path):
        if len(columns) != 3 or columns[1] not in scores:
            raise InputError(
                f"cannot read {one_line(' '.join(columns))!r} in {origin}; a line of speaker "
                "verification scores is: attack, target, nontarget or spoof, score"
            )
        scores[columns[1]].append(number_in(columns[2], origin))
    absent = [key for key, values in scores.items() if not values]
    if absent:
        raise InputError(f"{path} has no {absent[0]} scores, which t-DCF needs")
    return {key: np.array(values) for key, values in scores.items()}
