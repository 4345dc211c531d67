"""Read tables as other programs write them: any separator, with or without a header, or JSON.

The separator is a tab, semicolon, comma, bar or blanks. The first line decides if it names the
columns; without such a line, the first rows decide. Files may be UTF-8 or, with a byte order mark,
UTF-16, as spreadsheets write them.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.regular_files import is_file, open_regular
from deepfake_audio.tables.cell_values import is_number
from deepfake_audio.tables.cells import (
    BLANKS,
    SEPARATORS,
    find_separator,
    fitted,
    is_rule,
    read_cells,
    split,
)
from deepfake_audio.tables.class_names import label_of
from deepfake_audio.tables.column_names import (
    FILES,
    first_column,
    is_header,
    plain_column,
    plain_columns,
)
from deepfake_audio.tables.json_tables import TABLE, json_rows, sample_json
from deepfake_audio.tables.lines import filled_lines
from deepfake_audio.tables.rows import SEPARATOR_LINE

JSON = "json"
SAMPLED_ROWS = 1000  # that decide on separator and columns
MAX_TITLES = 3  # lines before the names of the columns
MAX_NAMED_COLUMNS = 6  # in a message
# In a line above numbers, such a part of a name is that of a score, not of a file.
SCORE_NAME = re.compile("score|logit|prob|llr|fake|spoof|bonafide|real")
AS_CSV = "save it as CSV with the columns file and score"
NOT_TEXT = {  # the first bytes of files that are no tables of text
    b"PK\x03\x04": "a workbook or an archive; save the sheet as CSV (UTF-8), or unpack the archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the sheet as CSV (UTF-8)",
    b"\x1f\x8b": "compressed; unpack it with gunzip",
    b"\x93NUMPY": f"a NumPy array without the names of the files; {AS_CSV}",
    b"PAR1": f"a Parquet table; {AS_CSV}",
    **{bytes([0x80, version]): f"a Python pickle; {AS_CSV}" for version in range(2, 6)},
    b"version https://git-lfs": "a pointer of Git LFS; download the file itself with git lfs pull",
    b"<": "a web page; download the file itself",
}


@dataclass(frozen=True)
class TextTable:
    """A table that was opened: its form is known, and its rows are read on demand.

    Attributes:
        path: of the file.
        separator: between columns: one letter, `BLANKS` or `JSON`.
        columns: names of the columns, plain (see `plain_column`); None without a header.
        sample: the first rows, at most `SAMPLED_ROWS`.
        skipped: how many lines precede the first row.
    """

    path: Path
    separator: str
    columns: list[str] | None
    sample: list[list[str]]
    skipped: int = 0

    def rows(
        self, text_column: int = 0, width: int | None = None
    ) -> Iterator[tuple[str, list[str]]]:
        """Yield the position of each row in the file, and its cells.

        Args:
            text_column: the column that may contain blanks, if blanks separate the columns.
            width: number of columns; None for `width`.

        Raises:
            InputError: the file is unreadable, or a row is wider or narrower than the first.
        """
        if self.separator == JSON:
            yield from json_rows(self.path, self.columns)
            return
        header, width = None, width or self.width
        for line, cells in read_cells(self.path, self.separator, width, text_column):
            if line <= self.skipped:
                header = cells if self.columns else None
                continue
            if not any(cells) or cells == header or (self.separator == "|" and is_rule(cells)):
                continue  # an empty row of a spreadsheet, or the header of a second file
            while len(cells) > width and not cells[-1]:
                cells.pop()
            origin = f"line {line} of {self.path}"
            if len(cells) != width:
                found = pluralize(len(cells), "column")
                raise InputError(f"{found} in {origin} instead of {width}; correct the line")
            yield origin, cells

    @property
    def width(self) -> int:
        """Return the number of columns; of a table in blanks without a header, the least."""
        if self.columns:
            return len(self.columns)
        widths = Counter(map(len, self.sample))
        if self.separator == BLANKS:
            return min(widths, default=0)
        return widths.most_common(1)[0][0] if widths else 0


def open_text_table(path: Path) -> TextTable:
    """Open a table and find its form.

    Raises:
        InputError: an unreadable file, one that is no text, or one with two columns of one name.
    """
    _check_text(path)
    lines = list(itertools.islice(filled_lines(path, TABLE), SAMPLED_ROWS + 2))
    if not lines:
        return TextTable(path, BLANKS, None, [])
    if lines[0][1].lstrip()[:1] in ("{", "["):
        return TextTable(path, JSON, *sample_json(path, SAMPLED_ROWS))
    named = SEPARATOR_LINE.fullmatch(lines[0][1])
    before = lines
    lines = _without_titles(path, _without_comments(lines[1:] if named else lines))
    if not lines:
        return TextTable(path, BLANKS, None, [])
    skipped = max((number for number, _ in before if number < lines[0][0]), default=0)
    comment = lines[0][1].startswith("#")
    header, rows, separator = _first_row(lines, named[1] if named else "")
    columns = _columns_of(path, header, rows, separator)
    if not columns and _is_other_header(header, [row for row in rows[1:] if not is_rule(row)]):
        columns = _plain_columns(path, header)
    if columns or comment:
        skipped, rows = lines[0][0], rows[1:]
    rows = [row for row in rows if any(row) and not is_rule(row)]
    while not columns and rows and all(len(row) > 1 and not row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    if columns:
        place = first_column(columns, FILES)
        rows = fitted(rows, separator, len(columns), 0 if place is None else place)
    return TextTable(path, separator, columns, rows, skipped)


def named_columns_of(table: TextTable, places: Iterable[int] | None = None) -> str:
    """Return the names of columns for a message, at most `MAX_NAMED_COLUMNS`; None for all."""
    chosen = range(len(table.columns)) if places is None else places
    names = [one_line(table.columns[place]) for place in chosen if table.columns[place]]
    others = len(names) - MAX_NAMED_COLUMNS
    return ", ".join(names[:MAX_NAMED_COLUMNS]) + (f" and {others:,} others" if others > 0 else "")


def _first_row(
    lines: list[tuple[int, str]], separator: str = ""
) -> tuple[list[str], list[list[str]], str]:
    """Return the cells of the first line, those of all lines, and the separator."""
    first = lines[0][1].lstrip("# ") if lines[0][1].startswith("#") else lines[0][1]
    texts = [line for _, line in lines]
    separator = separator or find_separator(first, texts)
    return next(iter(split([first], separator)), []), split(texts, separator), separator


def _without_comments(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the lines from the header, or from the last comment before the rows."""
    while len(lines) > 1 and _is_comment(lines[0][1]) and lines[1][1].startswith("#"):
        lines = lines[1:]
    if len(lines) > 1 and _is_comment(lines[0][1]):
        separator = find_separator(lines[1][1], [line for _, line in lines[1:]])
        if is_header(next(iter(split([lines[1][1]], separator)), [])):
            return lines[1:]
    return lines


def _without_titles(path: Path, lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the lines from the header if titles or empty rows precede it.

    Raises:
        InputError: lines with values precede the header.
    """
    while lines and not lines[0][1].strip(f"{SEPARATORS}\"' \r\n"):
        lines = lines[1:]
    for place in range(min(len(lines), MAX_TITLES + 1)):
        header, rows, separator = _first_row(lines[place:])
        if _columns_of(path, header, rows, separator):
            for number, line in lines[:place]:
                if _has_values(line, separator, len(header)):
                    raise InputError(
                        f"line {lines[place][0]} of {path} names the columns, and line {number} "
                        "before it has values; remove the lines before the names"
                    )
            return lines[place:]
    return lines


def _has_values(line: str, separator: str, width: int) -> bool:
    """Return whether a line before the header looks like a row: it has a number or a label."""
    rows = [*split([line], separator), line.split()]
    return any(
        len(row) in (2, width) and any(is_number(cell) or label_of(cell) for cell in row)
        for row in rows
    )


def _is_comment(line: str) -> bool:
    """Return whether a line is a comment that names no columns."""
    text = line.lstrip("# ")
    return line.startswith("#") and not is_header(split([text], find_separator(text, [text]))[0])


def _columns_of(
    path: Path, header: list[str], rows: list[list[str]], separator: str
) -> list[str] | None:
    """Return the plain names of the columns; None if the first line has none."""
    fits = separator != BLANKS or all(len(row) >= len(header) for row in rows[1:])
    if not fits or not is_header(header):
        return None
    return _plain_columns(path, header)


def _plain_columns(path: Path, header: list[str]) -> list[str]:
    while header and not header[-1]:
        header.pop()
    try:
        return plain_columns(header)
    except ValueError as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None


def _is_other_header(header: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first line names columns in words that are not known.

    They have no digits and no suffix, except in the name of a score, and a column of numbers or of
    labels is below one of them.
    """
    alike = [row for row in rows if len(row) == len(header)]
    if len(header) < 2 or len(rows) < 2 or not alike or "." in "".join(header):
        return False
    for place, name in enumerate(header):
        others = header[:place] + header[place + 1 :]
        if not SCORE_NAME.search(plain_column(name)):
            others = header
        is_name = len(name) > 3 or not set(FILES).isdisjoint(map(plain_column, others))
        if is_name and not any(re.search("[0-9]", cell) for cell in others):
            for check in (is_number, lambda cell: bool(label_of(cell))):
                if not check(name) and all(check(row[place]) for row in alike):
                    return True
    return False


def _check_text(path: Path) -> None:
    if not is_file(path) or not path.stat().st_size:
        return
    with open_regular(path, TABLE) as file:
        beginning = file.read(max(map(len, NOT_TEXT)))
    for mark, reason in NOT_TEXT.items():
        if beginning.startswith(mark):
            raise InputError(f"cannot read {path}: it is {reason}")
