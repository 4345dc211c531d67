"""Read tables as other programs write them: any separator, with or without a header, or JSON.

The separator is a tab, semicolon, comma, bar or blanks. The first line decides if it names the
columns; without such a line, the first rows decide. Files may be UTF-8 or, with a byte order mark,
UTF-16, as spreadsheets write them.
"""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deepfake_audio.corpora.class_folders import label_of
from deepfake_audio.corpora.column_names import is_header, plain_columns
from deepfake_audio.corpora.tables import SEPARATOR_LINE, filled_lines, read_lines
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.json_tables import TABLE, json_rows, sample_json
from deepfake_audio.system.csv_files import to_number, unguarded
from deepfake_audio.system.regular_files import is_file, open_regular

SEPARATORS = "\t;,|"
BLANKS, JSON = "blanks", "json"
SAMPLED_ROWS = 1000  # that decide on separator and columns
SAME_WIDTH = 0.9  # share of the sampled rows that have the same number of columns
DECIMAL_COMMA = re.compile(r"([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)")
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
RULE = re.compile(r":?-+:?")  # a cell below the header of a Markdown table


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
        for line, cells in _cells(self.path, self.separator, width, text_column):
            if line <= self.skipped:
                header = cells if self.columns else None
                continue
            if not any(cells) or cells == header or (self.separator == "|" and _is_rule(cells)):
                continue  # an empty row of a spreadsheet, or the header of a second file
            while len(cells) > width and not cells[-1]:
                cells.pop()
            origin = f"line {line} of {self.path}"
            if len(cells) != width:
                raise InputError(
                    f"{len(cells)} columns in {origin} instead of {width}; correct the line"
                )
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
    skipped, named = 0, SEPARATOR_LINE.fullmatch(lines[0][1])
    if named:
        skipped, lines = lines[0][0], lines[1:]
    while len(lines) > 1 and _is_comment(lines[0][1]) and lines[1][1].startswith("#"):
        skipped, lines = lines[0][0], lines[1:]
    if len(lines) > 1 and _is_comment(lines[0][1]):
        separator = _find_separator(lines[1][1], [line for _, line in lines[1:]])
        if is_header(next(iter(_split([lines[1][1]], separator)), [])):
            skipped, lines = lines[0][0], lines[1:]
    if not lines:
        return TextTable(path, BLANKS, None, [])
    comment = lines[0][1].startswith("#")
    first = lines[0][1].lstrip("# ") if comment else lines[0][1]
    separator = named[1] if named else _find_separator(first, [line for _, line in lines])
    rows = _split([line for _, line in lines], separator)
    header = next(iter(_split([first], separator)), [])
    columns = _columns_of(path, header, rows, separator)
    if columns or comment or _is_other_header(header, rows[1:]):
        skipped, rows = lines[0][0], rows[1:]
    rows = [row for row in rows if any(row) and not _is_rule(row)]
    while not columns and rows and all(len(row) > 1 and not row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    return TextTable(path, separator, columns, rows, skipped)


def _is_comment(line: str) -> bool:
    """Return whether a line is a comment that names no columns."""
    text = line.lstrip("# ")
    return line.startswith("#") and not is_header(_split([text], _find_separator(text, [text]))[0])


def _columns_of(
    path: Path, header: list[str], rows: list[list[str]], separator: str
) -> list[str] | None:
    """Return the plain names of the columns; None if the first line has none."""
    fits = separator != BLANKS or all(len(row) >= len(header) for row in rows[1:])
    if not fits or not is_header(header):
        return None
    while header and not header[-1]:
        header.pop()
    try:
        return plain_columns(header)
    except ValueError as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None


def _is_other_header(header: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first line names columns in words that are not known.

    They have no digits and no suffix, and a column of numbers or of labels is below one of them.
    """
    if len(header) < 2 or len(rows) < 2 or any(re.search(r"[0-9.]", cell) for cell in header):
        return False
    alike = [row for row in rows if len(row) == len(header)]
    return bool(alike) and any(
        len(name) > 3 and not check(name) and all(check(row[place]) for row in alike)
        for place, name in enumerate(header)
        for check in (is_number, lambda cell: bool(label_of(cell)))
    )


def _is_rule(row: list[str]) -> bool:
    """Return whether a row is the line below the header of a Markdown table."""
    return any(row) and all(not cell or RULE.fullmatch(cell) for cell in row)


def number_in(text: str, origin: str) -> float:
    """Return the number in a cell, with a point or a comma before its decimals, or in percent.

    >>> number_in("-0.5", ""), number_in("-0,5", ""), number_in("50 %", "")
    (-0.5, -0.5, 0.5)

    Raises:
        InputError: no number, or not a finite one.
    """
    if text.endswith("%"):
        return number_in(text[:-1].rstrip(), origin) / 100
    text = text.replace("\N{MINUS SIGN}", "-")
    plain = DECIMAL_COMMA.sub(r"\1.\2", text) if DECIMAL_COMMA.fullmatch(text) else text
    try:
        number = to_number(plain)
    except ValueError:
        number = float("nan")
    if abs(number) < float("inf"):
        return number
    raise InputError(f"{one_line(text)[:60]!r} is not a finite number ({origin})")


def is_number(text: str) -> bool:
    """Return whether a cell has a number."""
    try:
        number_in(text, "")
    except InputError:
        return False
    return True


def _check_text(path: Path) -> None:
    if not is_file(path) or not path.stat().st_size:
        return
    with open_regular(path, TABLE) as file:
        beginning = file.read(max(map(len, NOT_TEXT)))
    for mark, reason in NOT_TEXT.items():
        if beginning.startswith(mark):
            raise InputError(f"cannot read {path}: it is {reason}")


def _cells(
    path: Path, separator: str, width: int, text_column: int
) -> Iterator[tuple[int, list[str]]]:
    if separator == BLANKS:
        for number, line in filled_lines(path, TABLE):
            yield number, _split_blanks(line, width, text_column)
        return
    reader = _reader((line for _, line in read_lines(path, TABLE)), separator)
    try:
        for row in reader:
            yield reader.line_num, [unguarded(cell).strip() for cell in row]
    except csv.Error as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None


def _reader(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    # Bars separate transcripts, in which a quote is a letter.
    quoting = csv.QUOTE_NONE if separator == "|" else csv.QUOTE_MINIMAL
    return csv.reader(lines, delimiter=separator, quoting=quoting)


def _split(lines: list[str], separator: str) -> list[list[str]]:
    if separator == BLANKS:
        return [list(map(_unquoted, line.split())) for line in lines]
    try:
        rows = _reader(lines, separator)
        return [[unguarded(cell).strip() for cell in row] for row in rows]
    except csv.Error:
        return []


def _split_blanks(line: str, width: int, text_column: int) -> list[str]:
    """Split a line at blanks; surplus ones belong to the text column.

    >>> _split_blanks("speaker my file.wav 0.5", 3, 1)
    ['speaker', 'my file.wav', '0.5']
    """
    line = line.strip()
    if len(line.split()) <= width:
        return list(map(_unquoted, line.split()))
    *before, rest = line.split(None, text_column)
    return list(map(_unquoted, [*before, *rest.rsplit(None, width - text_column - 1)]))


def _unquoted(cell: str) -> str:
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return unguarded(cell[1:-1].replace('""', '"') if quoted else cell)


def _find_separator(first: str, lines: list[str]) -> str:
    for separator in SEPARATORS:
        if is_header(next(iter(_split([first], separator)), [])):
            return separator
    if not set(SEPARATORS) & set(first.strip()) and is_header(first.split()):
        return BLANKS
    for separator in SEPARATORS:
        widths = Counter(map(len, filter(any, _split(lines, separator))))
        width, times = widths.most_common(1)[0] if widths else (0, 0)
        is_decimal = separator == "," and all(map(_ends_in_decimal_comma, lines))
        if width > 1 and times >= SAME_WIDTH * widths.total() and not is_decimal:
            return separator
    return BLANKS


def _ends_in_decimal_comma(line: str) -> bool:
    """Return whether the comma of a line such as `file 0,5` is part of its number."""
    cells = line.split()
    return len(cells) > 1 and any(map(DECIMAL_COMMA.fullmatch, cells[1:]))
