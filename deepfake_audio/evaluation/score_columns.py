"""Find the columns of a score file: names of files, scores, labels and other facts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from deepfake_audio.corpora.class_folders import label_of
from deepfake_audio.corpora.column_names import (
    FACTS,
    FILES,
    LABELS,
    SCORES,
    class_of,
    file_column,
    first_column,
)
from deepfake_audio.corpora.label_words import IS_A_CLASS, is_class_number, is_label_word
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.text_tables import BLANKS, TextTable, is_number, number_in
from deepfake_audio.vocabulary import LABELS as CLASSES

NOT_FINITE = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity"}
LIST = re.compile(r"(?:(?:tensor|array)\(\[?|[\[(])([^\])a-z]*)[\]),].*")  # as Python prints it
CONFIDENCES = ("score", "scores", "prob", "probability", "value")  # perhaps of the label beside
TWO_SCORES = (
    "two scores for a file, of class 0 and class 1; say which class is real with --real 1 or "
    "--real 0"
)


@dataclass(frozen=True)
class ScoreColumns:
    """The positions of the columns of a score file.

    Attributes:
        file: None if each row is a file without a name.
        score: positions of one score, or of the scores of fake and real.
        sign: -1 if a higher score means more fake.
        width: number of columns, if blanks separate them; None for the table's own.
    """

    file: int | None
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
        if label is None:
            raise no_files(table) from None
        file = None
    others = [name if place not in (file, *used) else "" for place, name in enumerate(columns)]
    label = first_column(others, LABELS)
    if label is None:
        label = first_column(others, [name for name in others if IS_A_CLASS.fullmatch(name)])
    facts = {name: first_column(others, names) for name, names in FACTS.items() if name != "subset"}
    facts["verdict"] = first_column(others, ("verdict",))
    facts = {name: place for name, place in facts.items() if place is not None}
    if label is not None and columns[score[0]] in CONFIDENCES:
        _check_no_confidence(table, score[0], label)
    return ScoreColumns(file, score, sign, label, first_column(others, ("llr",)), facts)


def _check_no_confidence(table: TextTable, score: int, label: int) -> None:
    """Raise an `InputError` for the confidence in a predicted label, such as fake with 0.98."""
    rows = table.sample
    confident = all(is_number(row[score]) and 0.5 <= number_in(row[score], "") <= 1 for row in rows)
    words = {label_of(row[label]) for row in rows}
    if confident and words == set(CLASSES):
        raise InputError(
            f"the scores of {table.path} are all between 0.5 and 1, for real and for fake: they "
            "look like the confidence in a predicted label; name a column p_real with the "
            "probability of real"
        )


def no_files(table: TextTable) -> InputError:
    """Return the error of a table without a column of files."""
    named = ", ".join(filter(None, table.columns))
    return InputError(f"{table.path} has no column of files: {named}; name one file")


def _named_score(table: TextTable, real: str | None) -> tuple[tuple[int, ...], int, list[int]]:
    """Return the positions of the score, its sign, and the positions that are used by it."""
    columns, path = table.columns, table.path
    found = [columns.index(name) for name in SCORES if name in columns]
    words = [place for place in found if _are_labels(table, place)]  # verdicts are no scores
    if single := [place for place in found if place not in words][:1]:
        return (single[0],), 1, single
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
    if words:
        raise InputError(
            f"the column {columns[words[0]]} of {path} has predicted labels, not scores; add a "
            "column p_real with the probability of real"
        )
    raise InputError(
        f"{path} has no column of scores: {', '.join(filter(None, columns))}; name one score"
    )


def _are_labels(table: TextTable, place: int) -> bool:
    return bool(table.sample) and all(is_label_word(row[place]) for row in table.sample)


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
