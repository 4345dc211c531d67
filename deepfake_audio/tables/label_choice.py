"""Choose the column of labels of a table by the names and the cells of its columns."""

import re
from collections.abc import Callable, Collection, Sequence

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.tables.column_names import FACTS, FILES, LABELS, is_header, names_class
from deepfake_audio.tables.label_words import (
    boolean_of,
    class_and_generator,
    is_class_number,
    is_label_word,
)
from deepfake_audio.tables.text_tables import JSON, TextTable

PREDICTED = re.compile(
    "pred|detect|decision|decid|estimat|output|model|guess|verdict|hat$"
    "|result|outcome|vorhers|prognos|urteil|ergebn"
)
SOUND = re.compile("audio|speech|voice")
KNOWN = {*FILES, *(name for names in FACTS.values() for name in names)}
LIKE_A_LABEL = re.compile("label|class|truth|target|categor")


class LabelsDifferError(InputError):
    """Two columns of a table give different labels to a file."""


def choose_label(table: TextTable, free: Sequence[int]) -> int | None:
    """Return the position of the column of labels by its name; None without one.

    Of several columns, one with words counts, then one that tells what its 1 means, such as
    `is_fake`; neither if it separates the files in another way than the numbers of a column such as
    `label`. A column of the label of the sound counts before that of a video.

    Args:
        table: has a header.
        free: positions of the columns that may have the labels.

    Raises:
        LabelsDifferError: two columns with words disagree.
    """
    columns, rows = table.columns, table.sample

    def all_are(check: Callable[[str], bool], place: int) -> bool:
        cells = [row[place] for row in rows if row[place]]
        return all(map(check, cells)) if cells else not rows

    named = [columns.index(n) for n in LABELS if n in columns and columns.index(n) in free]
    true = [p for p in free if p not in named and not PREDICTED.search(columns[p])]
    alike = [p for p in true if LIKE_A_LABEL.search(columns[p]) and not names_class(columns[p])]
    words = [p for p in (*named, *alike) if rows and all_are(is_label_word, p)]
    telling = [p for p in true if names_class(columns[p]) and all_are(is_answer, p)]
    others = [p for p in (*words, *telling) if not named or _agree(rows, named[0], p)]
    if others and others[0] in words and not SOUND.search(columns[others[0]]):
        _check_words(table, [p for p in words if p in others])
    return next(iter([*others, *named]), None)


def is_answer(cell: str) -> bool:
    """Return whether a cell answers the question of a column such as `is_fake`."""
    return boolean_of(cell) is not None or is_label_word(cell)


def _check_words(table: TextTable, places: Sequence[int]) -> None:
    """Raise an error if a column with words for both classes disagrees with the first."""
    for place in places[1:]:
        cells = {(row[places[0]], row[place]) for row in table.sample}
        pairs = filter(all, cells)
        meant = {tuple(class_and_generator(cell)[0] for cell in pair) for pair in pairs}
        if len({label for _, label in meant}) > 1 and any(a != b for a, b in meant):
            names = (one_line(table.names[each]) for each in (places[0], place))
            raise LabelsDifferError(
                f"the labels in the columns {' and '.join(names)} of {table.path} differ; remove "
                "the column that does not label the sound, or name the other one audio_label"
            )


def _agree(rows: Sequence[Sequence[str]], first: int, second: int) -> bool:
    """Return whether two columns separate the files alike, or the first one has no two values."""
    pairs = {(row[first], row[second]) for row in rows if row[first] and row[second]}
    if first == second or not all(is_class_number(cell) for cell, _ in pairs):
        return True
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def guess_label(
    table: TextTable, used: Collection[int | None], real: str | None = None
) -> tuple[int | None, str]:
    """Return the column of labels by its name, else by its cells; and a note on a guess.

    Args:
        table: has a header.
        used: columns of another meaning.
        real: the label of real files, if it was given; labels in columns of unknown names may then
            be numbers.

    Raises:
        InputError: two columns with words disagree.
    """
    columns = table.columns
    free = [place for place in range(len(columns)) if place not in used]
    if (found := choose_label(table, free)) is not None:
        return found, ""
    if table.separator == JSON and columns == ["file", "score"] and 1 in free:
        return 1, ""  # a mapping from files to 0 and 1
    return (None, "") if is_header(columns) else _by_content(table, free, real)


def _by_content(table: TextTable, free: list[int], real: str | None) -> tuple[int | None, str]:
    """Return the only column with labels of a table whose header is in unknown words."""
    free = [place for place in reversed(free) if table.columns[place] not in KNOWN]
    free = [place for place in free if not PREDICTED.search(table.columns[place])]
    found = [p for p in free if table.sample and all(is_label_word(r[p]) for r in table.sample)]
    if not found and real is not None:
        found = [place for place in free if _has_two_values(table, place, real)]
    if not found:
        return None, ""
    name = one_line(table.columns[found[0]])
    return found[0], f"The labels of {table.path} were taken from the column {name}."


def _has_two_values(table: TextTable, place: int, real: str) -> bool:
    values = {row[place] for row in table.sample}
    return all(map(is_class_number, values)) or (real in values and len(values) == 2)
