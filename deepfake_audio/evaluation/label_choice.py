"""Choose the labels of a table by the names and the contents of its columns."""

import re
from collections.abc import Callable, Collection

from deepfake_audio.corpora.column_names import (
    FACTS,
    FILES,
    LABELS,
    is_header,
    names_class,
)
from deepfake_audio.corpora.label_words import boolean_of, is_class_number, is_label_word
from deepfake_audio.errors import one_line
from deepfake_audio.evaluation.text_tables import JSON, TextTable

KNOWN = {*FILES, *(name for names in FACTS.values() for name in names)}
PREDICTED = re.compile(
    "pred|detect|decision|decid|estimat|output|model|guess|verdict|hat$"
    "|result|outcome|vorhers|prognos|prédic|urteil|ergebn"
)
LIKE_A_LABEL = re.compile("label|class|truth|target|categor")


def choose_label(
    table: TextTable, used: Collection[int | None], real: str | None = None
) -> tuple[int | None, str]:
    """Return the position of the column of labels, None without one, and a note on a guess.

    Of several columns, one with words counts, then one that tells what its 1 means, such as
    `is_fake`.

    Args:
        table: has a header.
        used: columns of another meaning.
        real: the label of real files, if it was given; labels in columns of unknown names may then
            be numbers.
    """
    columns = table.columns
    free = [place for place in range(len(columns)) if place not in used]
    named = [columns.index(n) for n in LABELS if n in columns and columns.index(n) in free]
    true = [p for p in free if p not in named and not PREDICTED.search(columns[p])]
    alike = [p for p in true if LIKE_A_LABEL.search(columns[p]) and not names_class(columns[p])]
    words = [p for p in (*named, *alike) if _all_are(is_label_word, table, p)]
    telling = [p for p in true if names_class(columns[p]) and _all_are(_is_answer, table, p)]
    others = [p for p in (*words, *telling) if not named or _agree(table, named[0], p)]
    if found := [*others, *named]:
        return found[0], ""
    if table.separator == JSON and columns == ["file", "score"] and 1 in free:
        return 1, ""  # a mapping from files to 0 and 1
    return (None, "") if is_header(columns) else _by_content(table, free, real)


def _is_answer(cell: str) -> bool:
    return boolean_of(cell) is not None or is_label_word(cell)


def _all_are(check: Callable[[str], bool], table: TextTable, place: int) -> bool:
    return bool(table.sample) and all(check(row[place]) for row in table.sample)


def _agree(table: TextTable, first: int, second: int) -> bool:
    """Return whether two columns separate the files alike, or the first one has no two values."""
    if first == second or not _all_are(is_class_number, table, first):
        return True
    pairs = {(row[first], row[second]) for row in table.sample}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _by_content(table: TextTable, free: list[int], real: str | None) -> tuple[int | None, str]:
    """Return the only column with labels of a table whose header is in unknown words."""
    free = [place for place in reversed(free) if table.columns[place] not in KNOWN]
    free = [place for place in free if not PREDICTED.search(table.columns[place])]
    found = [place for place in free if _all_are(is_label_word, table, place)]
    if not found and real is not None:
        found = [place for place in free if _has_two_values(table, place, real)]
    if not found:
        return None, ""
    name = one_line(table.columns[found[0]])
    return found[0], f"The labels of {table.path} were taken from the column {name}."


def _has_two_values(table: TextTable, place: int, real: str) -> bool:
    values = {row[place] for row in table.sample}
    return _all_are(is_class_number, table, place) or (real in values and len(values) == 2)
