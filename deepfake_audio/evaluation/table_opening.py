"""Open a table of scores or keys, and refuse one whose columns are not clear."""

import itertools
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.tables.cell_values import is_number
from deepfake_audio.tables.cells import split
from deepfake_audio.tables.class_names import label_of
from deepfake_audio.tables.column_names import plain_columns
from deepfake_audio.tables.lines import filled_lines
from deepfake_audio.tables.text_tables import JSON, TextTable, open_text_table


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
