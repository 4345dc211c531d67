"""Choose the labels of a table by the names and the contents of its columns."""

from collections.abc import Collection

from deepfake_audio.errors import one_line
from deepfake_audio.tables import label_choice
from deepfake_audio.tables.column_names import FACTS, FILES, is_header
from deepfake_audio.tables.label_choice import PREDICTED
from deepfake_audio.tables.label_words import is_class_number, is_label_word
from deepfake_audio.tables.text_tables import JSON, TextTable

KNOWN = {*FILES, *(name for names in FACTS.values() for name in names)}


def choose_label(
    table: TextTable, used: Collection[int | None], real: str | None = None
) -> tuple[int | None, str]:
    """Return the position of the column of labels, None without one, and a note on a guess.

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
    found = label_choice.choose_label(table.path, columns, free, table.sample)
    if found is not None:
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
