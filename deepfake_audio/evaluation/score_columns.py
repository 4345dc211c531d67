"""Find the columns of a score file: names of files, scores, labels and other facts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.column_names import (
    FACTS,
    FILES,
    LABELS,
    SCORES,
    class_of,
    file_column,
    first_column,
)
from deepfake_audio.evaluation.label_words import IS_A_CLASS, is_class_number, is_label_word
from deepfake_audio.evaluation.text_tables import BLANKS, TextTable, is_number

NOT_FINITE = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity"}
LIST = re.compile(r"(?:(?:tensor|array)\(\[?|[\[(])([^\])a-z]*)[\]),].*")  # as Python prints it
TWO_SCORES = (
    "two scores for a file, of class 0 and class 1; say which class is real with --real 1 or "
    "--real 0"
)


@dataclass(frozen=True)
class ScoreColumns:
    """The positions of the columns of a score file.

    Attributes:
        score: positions of one score, or of the scores of fake and real.
        sign: -1 if a higher score means more fake.
        width: number of columns, if blanks separate them; None for the table's own.
    """

    file: int
    score: tuple[int, ...]
    sign: int = 1
    label: int | None = None
    llr: int | None = None
    facts: dict[str, int] = field(default_factory=dict)
    width: int | None = None


def named_columns(table: TextTable, real: str | None) -> ScoreColumns:
    """Find the columns of a table with a header by their names."""
    columns = table.columns
    score, sign, used = _named_score(table, real)
    label = first_column(columns, [name for name in LABELS if name not in FILES])
    facts = {place for names in FACTS.values() for place in [first_column(columns, names)]}
    try:
        file = file_column(columns, {*used, label, *facts}, table.sample)
    except LookupError:
        named = ", ".join(filter(None, columns))
        raise InputError(f"{table.path} has no column of files: {named}; name one file") from None
    others = [name if place not in (file, *used) else "" for place, name in enumerate(columns)]
    label = first_column(others, LABELS)
    if label is None:
        label = first_column(others, [name for name in others if IS_A_CLASS.fullmatch(name)])
    facts = {name: first_column(others, names) for name, names in FACTS.items() if name != "subset"}
    facts["verdict"] = first_column(others, ("verdict",))
    facts = {name: place for name, place in facts.items() if place is not None}
    return ScoreColumns(file, score, sign, label, first_column(others, ("llr",)), facts)


def _named_score(table: TextTable, real: str | None) -> tuple[tuple[int, ...], int, list[int]]:
    """Return the positions of the score, its sign, and the positions that are used by it."""
    columns, path = table.columns, table.path
    if (single := first_column(columns, SCORES)) is not None:
        return (single,), 1, [single]
    classes = {class_of(name): place for place, name in enumerate(columns) if class_of(name)}
    if {"0", "1"} <= classes.keys():
        if real not in ("0", "1"):
            raise InputError(f"{path} has {TWO_SCORES}")
        classes = {"real": classes[real], "fake": classes[str(1 - int(real))]}
    if {"real", "fake"} <= classes.keys():
        return (classes["fake"], classes["real"]), 1, [classes["fake"], classes["real"]]
    for label, sign in (("real", 1), ("fake", -1)):
        if label in classes:
            return (classes[label],), sign, [classes[label]]
    raise InputError(
        f"{path} has no column of scores: {', '.join(filter(None, columns))}; name one score"
    )


def unnamed_columns(table: TextTable, real: str | None) -> ScoreColumns:
    """Find the columns of a table without a header from its first rows."""
    rows, width = table.sample, table.width
    if rows and width < 2:
        raise InputError(
            f"the lines of {table.path} have one column, such as {one_line(rows[0][0])[:60]!r}; "
            "a line of scores is: file score"
        )

    def all_are(check: Callable[[str], bool], place: int) -> bool:
        return bool(rows) and all(len(row) >= -place and check(row[place]) for row in rows)

    if all_are(_is_score, -1) and width >= 3 and all_are(is_label_word, -2):
        facts = {"attack": 1} if width > 3 else {}
        return ScoreColumns(
            0, (min(width, 4) - 1,), 1, min(width, 4) - 2, None, facts, min(width, 4)
        )
    if all_are(_is_score, -2) and width >= 3 and all_are(is_label_word, -1):
        file = 0 if width == 3 else 1
        facts = {"speaker": 0} if file else {}
        return ScoreColumns(file, (file + 1,), 1, file + 2, None, facts, file + 3)
    if width >= 3 and all_are(_is_score, -1) and all_are(_is_score, -2):
        for label, score in ((-1, -2), (-2, -1)):
            if all_are(is_class_number, label):
                return ScoreColumns(0, (3 + score,), 1, 3 + label, None, {}, 3)
        if real not in ("0", "1"):
            raise InputError(
                f"line {table.skipped + 1} of {table.path} has several numbers; if they are "
                f"{TWO_SCORES}; else add a header such as file,score"
            )
        return ScoreColumns(0, (2, 1) if real == "0" else (1, 2), width=3)
    if width == 2 and not all_are(_is_score, -1) and all_are(_is_score, -2):
        return ScoreColumns(1, (0,), width=2)
    if table.separator != BLANKS and width > 2:
        raise InputError(
            f"{table.path} has {width} columns without names; add a header such as file,score"
        )
    return ScoreColumns(0, (1,), width=2)


def _is_score(cell: str) -> bool:
    return is_number(cell) or cell.lower() in NOT_FINITE or bool(LIST.fullmatch(cell))
