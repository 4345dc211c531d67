"""Find the columns of a score file: names of files, scores, labels and other facts."""

import re
from collections.abc import Callable
from dataclasses import replace

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.score_choice import (
    TWO_SCORES,
    ScoreColumns,
    choose_score,
    has_decisions,
    has_words,
)
from deepfake_audio.tables.cell_values import is_number, is_score, number_in
from deepfake_audio.tables.cells import BLANKS, fitted
from deepfake_audio.tables.column_names import FACTS, FILES, LABELS, file_column, first_column
from deepfake_audio.tables.label_choice import guess_label
from deepfake_audio.tables.label_words import is_class_number, is_label_word
from deepfake_audio.tables.text_tables import TextTable, named_columns_of
from deepfake_audio.vocabulary import AUDIO_SUFFIXES

WHOLE = re.compile(r"[+-]?[0-9]+")
CONFIDENT = ((0.5, 1.0), (50.0, 100.0))  # the range of the confidence in the likelier class


def named_columns(table: TextTable, real: str | None) -> ScoreColumns:
    """Find the columns of a table with a header by their names."""
    columns = table.columns
    choice = choose_score(table, real)
    used = set(choice.score)
    facts = {place for names in FACTS.values() for place in [first_column(columns, names)]}
    facts.discard(None)
    label, _ = guess_label(table, {*used, *(columns.index(n) for n in FILES if n in columns)})
    try:
        file = file_column(columns, {*used, label, *facts}, table.sample)
    except LookupError:
        if label is None:
            raise no_files(table) from None
        file = None
    label, note = guess_label(table, {*used, file})
    others = [name if place not in (file, *used) else "" for place, name in enumerate(columns)]
    facts = {name: first_column(others, names) for name, names in FACTS.items() if name != "subset"}
    facts["verdict"] = first_column(others, ("verdict",))
    facts = {n: place for n, place in facts.items() if place is not None and place != label}
    if not choice.names_class:
        for place in set(range(len(columns))) - {file, *used}:
            _check_no_confidence(table, choice.score[0], place)
    llr = first_column(others, ("llr",))
    return replace(choice, file=file, label=label, llr=llr, facts=facts, label_note=note)


def _check_no_confidence(table: TextTable, score: int, place: int) -> None:
    """Raise an `InputError` if a score is the confidence in the predicted label of a column.

    The column has predicted labels if it has both classes; words also if its name is none of
    `LABELS`.
    """
    rows = table.sample
    if not all(is_number(row[score]) for row in rows if row[score]):
        return
    if has_words(table, place):
        seen = {row[place] for row in rows if is_label_word(row[place])}
        is_prediction = bool(table.columns) and table.columns[place] not in LABELS
    elif has_decisions(table, place):
        seen, is_prediction = {row[place] for row in rows} - {""}, False
    else:
        return
    if len(seen) > 1 or is_prediction:
        scores = [number_in(row[score], "") for row in rows if row[score]]
        check_no_confidence(min(scores, default=0.0), max(scores, default=0.0), table)


def check_no_confidence(least: float, most: float, table: TextTable) -> None:
    """Raise an `InputError` if the scores of real and fake files are all in a range of confidence.

    Args:
        least, most: the lowest and the highest score.
        table: the score file.
    """
    if found := range_of_confidence(least, most):
        raise InputError(
            f"the scores of {table.path} are all between {found}, for real and for fake: they look "
            "like the confidence in a predicted label; name a column p_real with the probability "
            "of real"
        )


def range_of_confidence(least: float, most: float) -> str:
    """Return the range of confidence in which all scores are, in words; "" for none.

    >>> range_of_confidence(0.51, 0.99), range_of_confidence(0.1, 0.9)
    ('0.5 and 1', '')
    """
    ranges = (f"{low:g} and {high:g}" for low, high in CONFIDENT if low <= least and most <= high)
    return next(ranges, "")


def no_files(table: TextTable) -> InputError:
    """Return the error of a table without a column of files."""
    return InputError(
        f"{table.path} has no column of files: {named_columns_of(table)}; name one file"
    )


def unnamed_columns(table: TextTable, real: str | None) -> ScoreColumns:
    """Find the columns of a table without a header from its first rows."""
    if table.sample and table.width < 2:
        raise InputError(
            f"the lines of {table.path} have one column, such as "
            f"{one_line(table.sample[0][0])[:60]!r}; a line of scores is: file score"
        )
    _check_no_decimal_comma(table)
    found = _unnamed_places(table, real)
    if found.label is not None:
        rows = fitted(table.sample, table.separator, found.width, found.file)
        _check_no_confidence(replace(table, sample=rows), found.score[0], found.label)
    return found


def _unnamed_places(table: TextTable, real: str | None) -> ScoreColumns:
    rows, width = table.sample, table.width

    def all_are(check: Callable[[str], bool], place: int) -> bool:
        return bool(rows) and all(len(row) >= -place and check(row[place]) for row in rows)

    if all_are(is_score, -1) and width >= 3 and all_are(is_label_word, -2):
        if width == 3 or all(row[-3].lower().endswith(AUDIO_SUFFIXES) for row in rows):
            return ScoreColumns((2,), file=0, label=1, width=3)
        return ScoreColumns((3,), file=0, label=2, facts={"attack": 1}, width=4)
    if all_are(is_score, -2) and width >= 3 and all_are(is_label_word, -1):
        if width == 3:
            return ScoreColumns((1,), file=0, label=2, width=3)
        return ScoreColumns((2,), file=1, label=3, facts={"speaker": 0}, width=4)
    if width >= 3 and all_are(is_score, -1) and all_are(is_score, -2):
        for label, score in ((-1, -2), (-2, -1)):
            if all_are(is_class_number, label):
                return ScoreColumns((3 + score,), file=0, label=3 + label, width=3)
        if real not in ("0", "1"):
            raise InputError(
                f"line {table.skipped + 1} of {table.path} has several numbers; if they are "
                f"{TWO_SCORES}; else add a header such as file,score"
            )
        note = (
            f"{table.path} has two numbers without names for each file. They count as the scores "
            "of class 0 and class 1; if they are not, add a header such as file,score."
        )
        return ScoreColumns((2, 1) if real == "0" else (1, 2), file=0, width=3, note=note)
    if width == 2 and not all_are(is_score, -1) and all_are(is_score, -2):
        return ScoreColumns((0,), file=1, width=2)
    if table.separator != BLANKS and width > 2:
        raise InputError(
            f"{table.path} has {width} columns without names; add a header such as file,score"
        )
    return ScoreColumns((1,), file=0, width=2)


def _check_no_decimal_comma(table: TextTable) -> None:
    """Raise an `InputError` if commas may be those of decimals, as in `file,-2,5241`."""
    rows = [row for row in table.sample if len(row) == table.width > 2]
    is_split = all(WHOLE.fullmatch(row[-2]) and row[-1].isdecimal() for row in rows)
    if table.separator == "," and rows and is_split:
        raise InputError(
            f"the last comma in line {table.skipped + 1} of {table.path} may be that of a "
            "decimal; write decimals with a point, or separate the columns by semicolons"
        )
