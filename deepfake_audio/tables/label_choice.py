"""Choose the column of labels of a table by the names and the contents of its columns."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.tables.column_names import LABELS, names_class, plain_column
from deepfake_audio.tables.label_words import (
    boolean_of,
    class_and_generator,
    is_class_number,
    is_label_word,
)

PREDICTED = re.compile(
    "pred|detect|decision|decid|estimat|output|model|guess|verdict|hat$"
    "|result|outcome|vorhers|prognos|prédic|urteil|ergebn"
)
SOUND = re.compile("audio|speech|voice")
LIKE_A_LABEL = re.compile("label|class|truth|target|categor")


class LabelsDifferError(InputError):
    """Two columns of a table give different labels to a file."""


def choose_label(
    table: Path,
    header: Sequence[str],
    free: Sequence[int],
    rows: Sequence[Sequence[str]],
) -> int | None:
    """Return the position of the column of labels by its name; None without one.

    Of several columns, one with words counts, then one that tells what its 1 means, such as
    `is_fake`; neither if it separates the files in another way than the numbers of a column such as
    `label`. A column of the label of the sound counts before that of a video.

    Args:
        table: its path, for errors.
        header: names of the columns.
        free: positions of the columns that may have the labels.
        rows: the first rows.

    Raises:
        LabelsDifferError: two columns with words disagree.
    """

    def all_are(check: Callable[[str], bool], place: int) -> bool:
        cells = [row[place] for row in rows if row[place]]
        return all(map(check, cells)) if cells else not rows

    columns = list(map(plain_column, header))
    named = [columns.index(n) for n in LABELS if n in columns and columns.index(n) in free]
    true = [p for p in free if p not in named and not PREDICTED.search(columns[p])]
    alike = [p for p in true if LIKE_A_LABEL.search(columns[p]) and not names_class(columns[p])]
    words = [p for p in (*named, *alike) if rows and all_are(is_label_word, p)]
    telling = [p for p in true if names_class(columns[p]) and all_are(is_answer, p)]
    others = [p for p in (*words, *telling) if not named or _agree(rows, named[0], p)]
    if others and others[0] in words and not SOUND.search(columns[others[0]]):
        _check_words(table, header, [p for p in words if p in others], rows)
    return next(iter([*others, *named]), None)


def is_answer(cell: str) -> bool:
    """Return whether a cell answers the question of a column such as `is_fake`."""
    return boolean_of(cell) is not None or is_label_word(cell)


def _check_words(
    table: Path, columns: Sequence[str], places: Sequence[int], rows: Sequence[Sequence[str]]
) -> None:
    """Raise an error if a column with words for both classes disagrees with the first."""
    for place in places[1:]:
        cells = [(row[places[0]], row[place]) for row in rows if row[places[0]] and row[place]]
        meant = {tuple(class_and_generator(cell)[0] for cell in pair) for pair in cells}
        if len({label for _, label in meant}) > 1 and any(a != b for a, b in meant):
            names = (one_line(columns[each]) for each in (places[0], place))
            raise LabelsDifferError(
                f"the labels in the columns {' and '.join(names)} of {table} differ; remove the "
                "column that does not label the sound, or name the other one audio_label"
            )


def _agree(rows: Sequence[Sequence[str]], first: int, second: int) -> bool:
    """Return whether two columns separate the files alike, or the first one has no two values."""
    pairs = {(row[first], row[second]) for row in rows if row[first] and row[second]}
    if first == second or not all(is_class_number(cell) for cell, _ in pairs):
        return True
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
