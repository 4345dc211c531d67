"""Read tables as other programs write them: any separator, with or without a header, or JSON.

The separator is a tab, semicolon, comma, bar or blanks. The first line decides if it names the
columns; without such a line, the first rows decide. Files may be UTF-8 or, with a byte order mark,
UTF-16, as spreadsheets write them.
"""

import csv
import itertools
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.csv_files import check_columns
from deepfake_audio.system.regular_files import is_file, open_regular
from deepfake_audio.tables.cell_values import is_score
from deepfake_audio.tables.cells import (
    BLANKS,
    SEPARATORS,
    delimiter_of,
    find_separator,
    fitted,
    is_rule,
    split,
    split_line,
    split_rows,
)
from deepfake_audio.tables.class_names import label_of
from deepfake_audio.tables.column_names import (
    ATTACK_CODE,
    FILES,
    first_column,
    is_header,
    plain_column,
)
from deepfake_audio.tables.json_tables import json_rows, sample_json
from deepfake_audio.tables.lines import filled_lines, read_lines
from deepfake_audio.vocabulary import AUDIO_SUFFIXES

JSON = "json"
SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's first line for its own tables
IN_BRACKETS = re.compile(r"\s*[\[{][^\"\[\]{}]*[\]}]\s*[^\s\]}]")  # begins `[1] a.wav`, no JSON
SAMPLED_ROWS = 1000  # that decide on separator and columns
MARKDOWN = (".md", ".markdown")
MAX_TITLES = 4  # lines before the names of the columns
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
    **dict.fromkeys((b"<!", b"<html", b"<?xml"), "a web page; download the file itself"),
}


@dataclass(frozen=True)
class TextTable:
    """A table that was opened: its form is known, and its rows are read on demand.

    Attributes:
        path: of the file.
        separator: between columns: one letter, `BLANKS` or `JSON`.
        header: names of the columns as they are written, "" for none; None without a header.
        sample: the first rows, at most `SAMPLED_ROWS`.
        skipped: how many lines precede the first row.
        unnamed: how many columns without a name at the end are left out.
    """

    path: Path
    separator: str
    header: list[str] | None
    sample: list[list[str]]
    skipped: int = 0
    unnamed: int = 0

    @property
    def names(self) -> list[str]:
        """Return the names of the columns in lower case; [] without a header."""
        return [name.lower() for name in self.header or ()]

    @cached_property
    def columns(self) -> list[str] | None:
        """Return the plain names of the columns (see `plain_column`); None without a header."""
        return None if self.header is None else list(map(plain_column, self.header))

    def rows(
        self, text_column: int = 0, width: int | None = None, has_comments: bool = False
    ) -> Iterator[tuple[str, list[str]]]:
        """Yield the position of each row in the file, and its cells.

        Args:
            text_column: the column of files, which may contain blanks if they separate columns.
            width: number of columns; None for `width`.
            has_comments: leave out lines that begin with #; otherwise only if their width is wrong.

        Raises:
            InputError: an unreadable file, two columns of one name, a row that is wider or narrower
                than the first, or a quote that is not closed.
        """
        if self.separator == JSON:
            yield from json_rows(self.path, self.columns)
            return
        width = width or self.width
        lines = (line for _, line in itertools.islice(read_lines(self.path), self.skipped, None))
        if has_comments:
            lines = ("\n" if line.startswith("#") else line for line in lines)
        try:
            check_columns(self.names)
            for line, cells in split_rows(lines, self.separator, width, text_column):
                while len(cells) > width and (not cells[-1] or len(cells) <= width + self.unnamed):
                    cells.pop()
                if not any(cells) or self._is_header(cells):
                    continue  # an empty row of a spreadsheet, or the header of a second file
                if self.separator == "|" and is_rule(cells):
                    continue
                if len(cells) != width and self._is_text(cells):
                    continue
                origin = f"line {line + self.skipped} of {self.path}"
                check_width(len(cells), (width,), origin)
                _check_quotes(cells, text_column, self.separator, origin)
                yield origin, cells
        except (ValueError, csv.Error) as error:
            raise InputError(f"cannot read {self.path} as CSV: {error}") from None

    def _is_header(self, cells: list[str]) -> bool:
        return bool(self.header) and [cells[0].lstrip("# "), *cells[1:]] == self.header

    def _is_text(self, cells: list[str]) -> bool:
        """Return whether a row is a comment, or text beside a table of Markdown."""
        is_document = self.path.suffix.lower() in MARKDOWN
        first = next(filter(None, cells)) if is_document else cells[0]
        return (is_document or first.startswith("#")) and not first.lower().endswith(AUDIO_SUFFIXES)

    @property
    def width(self) -> int:
        """Return the number of columns; of a table in blanks without a header, the least."""
        if self.header:
            return len(self.header)
        widths = Counter(map(len, self.sample))
        if self.separator == BLANKS:
            return min(widths, default=0)
        return widths.most_common(1)[0][0] if widths else 0


def open_text_table(
    path: Path, has_header: bool = False, most_rows: int | None = None
) -> TextTable:
    """Open a table and find its form.

    Args:
        path: of the file.
        has_header: the first line names the columns, whatever its words are.
        most_rows: of the sample; None for `SAMPLED_ROWS`.

    Raises:
        InputError: an unreadable file, or one that is no text.
    """
    if not has_header:
        _check_text(path)
    most_rows = SAMPLED_ROWS if most_rows is None else most_rows
    lines, broken = _first_lines(path, most_rows + 2)
    before = lines
    if lines and _is_json(lines[0][1]):
        with suppress(InputError) if has_header else nullcontext():
            return TextTable(path, JSON, *sample_json(path, most_rows))
    named = SEPARATOR_LINE.fullmatch(lines[0][1]) if lines else None
    lines = _without_titles(_without_comments(lines[1:] if named else lines))
    if not lines:
        return TextTable(path, BLANKS, None, [])
    skipped = max((number for number, _ in before if number < lines[0][0]), default=0)
    separator = named[1] if named else ""
    header, rows, found = _first_row(lines, separator)
    is_named = _names_columns(header, rows, found) or _is_other_header(header, rows[1:])
    if has_header and not is_named:
        header, rows, found = _first_row(lines, separator or delimiter_of(lines[0][1]))
    is_named = is_named or has_header
    if is_named or lines[0][1].startswith("#"):
        skipped, rows = lines[0][0], rows[1:]
    rows = [row for row in rows if any(row) and not is_rule(row)]
    if not is_named and broken:
        raise broken
    if not is_named:
        return TextTable(path, found, None, _without_last(rows), skipped)
    width = len(header)
    while header and not header[-1]:
        header.pop()
    table = TextTable(path, found, header, [], skipped, width - len(header))
    place = first_column(table.columns, FILES)
    return replace(table, sample=fitted(rows, found, len(header), place or 0, table.unnamed))


def _without_last(rows: list[list[str]]) -> list[list[str]]:
    """Return rows without the last columns if these are empty."""
    while rows and all(len(row) > 1 and not row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    return rows


def _first_lines(path: Path, most: int) -> tuple[list[tuple[int, str]], InputError | None]:
    """Return the first filled lines with their numbers, and the error after them."""
    lines = []
    try:
        for each in itertools.islice(filled_lines(path), most):
            lines.append(each)
    except InputError as error:
        if not lines:
            raise
        return lines, error
    return lines, None


def read_rows(path: Path, required: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the position of each row of a table with a header, and its cells by column.

    Args:
        path: has the names of its columns in its first line, in any case.
        required: columns that it needs, in lower case; the first one has the files.

    Raises:
        InputError: see `TextTable.rows`, or a required column that isn't there.
    """
    table = open_text_table(path, has_header=True)
    for column in required:
        if column not in table.names:
            raise InputError(
                f"{path} has no column {column}; its first line needs {', '.join(required)}"
            )
    for origin, cells in table.rows(table.names.index(required[0])):
        yield origin, dict(zip(table.names, cells, strict=True))


def first_row(path: Path) -> list[str]:
    """Return the names of the columns of a table, in lower case."""
    return open_text_table(path, has_header=True, most_rows=MAX_TITLES).names


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
    return split_line(first, separator), split(texts, separator), separator


def _without_comments(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the lines from the header, or from the last comment before the rows."""
    while len(lines) > 1 and _is_comment(lines[0][1]) and lines[1][1].startswith("#"):
        lines = lines[1:]
    if len(lines) > 1 and _is_comment(lines[0][1]):
        separator = find_separator(lines[1][1], [line for _, line in lines[1:]])
        if is_header(split_line(lines[1][1], separator)):
            return lines[1:]
    return lines


def _without_titles(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the lines from the header if titles or empty rows precede it."""
    while lines and not lines[0][1].strip(f"{SEPARATORS}\"' \r\n"):
        lines = lines[1:]
    for place in range(min(len(lines), MAX_TITLES + 1)):
        header, *found = _first_row(lines[place:])
        # Below the first line, words such as "truth" are as likely those of a transcript.
        has_files = any(plain_column(cell) in FILES for cell in header)
        if (has_files or not place) and _names_columns(header, *found):
            return lines[place:]
    return lines


def _is_comment(line: str) -> bool:
    """Return whether a line is a comment that names no columns."""
    text = line.lstrip("# ")
    return line.startswith("#") and not is_header(split_line(text, find_separator(text, [text])))


def _names_columns(header: list[str], rows: list[list[str]], separator: str) -> bool:
    """Return whether the first line names columns in known words."""
    fits = separator != BLANKS or all(len(row) >= len(header) for row in rows[1:])
    return fits and is_header(header)


def _is_other_header(header: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first line names columns in words that are not known.

    They have no digits and no suffix, except in the name of a score, and a column of numbers, of
    labels or of codes of attacks is below one of them.
    """
    rows = [row for row in rows if not is_rule(row)]
    alike = [row for row in rows if len(row) == len(header)]
    if len(header) < 2 or len(rows) < 2 or not alike or "." in "".join(header):
        return False
    for place, name in enumerate(header):
        others = header[:place] + header[place + 1 :]
        if not SCORE_NAME.search(plain_column(name)):
            others = header
        is_name = len(name) > 3 or not set(FILES).isdisjoint(map(plain_column, others))
        if is_name and not any(re.search("[0-9]", cell) for cell in others):
            for check in (is_score, lambda cell: bool(label_of(cell)), ATTACK_CODE.fullmatch):
                if not check(name) and all(check(row[place]) for row in alike):
                    return True
    return False


def _check_text(path: Path) -> None:
    if not is_file(path) or not path.stat().st_size:
        return
    with open_regular(path, "A table") as file:
        beginning = file.read(max(map(len, NOT_TEXT)))
    for mark, reason in NOT_TEXT.items():
        if beginning.startswith(mark):
            raise InputError(f"cannot read {path}: it is {reason}")


def _is_json(line: str) -> bool:
    return line.lstrip()[:1] in ("{", "[") and not IN_BRACKETS.match(line)


def _check_quotes(row: Sequence[str], file: int, delimiter: str, origin: str) -> None:
    """Raise an `InputError` if a quote that is not closed has swallowed the next rows.

    A swallowed row has a name of the same suffix in the column of files, `file`.
    """
    if not any("\n" in cell for cell in row):
        return
    suffix = posixpath.splitext(row[file])[1]
    for cell in row:
        for line in cell.split("\n")[1:]:
            cells = line.split(delimiter)
            is_file_name = not re.search(r"\s", cells[file]) if len(cells) == len(row) else False
            if is_file_name and posixpath.splitext(cells[file])[1] == suffix:
                raise InputError(
                    f"a quote character before {origin} is not closed, and {cells[file]!r} became "
                    "a part of its cell; write each quote twice, or leave them out"
                )


def check_width(width: int, widths: Sequence[int], origin: str) -> None:
    """Raise an `InputError` unless the line at `origin` has one of the numbers of columns."""
    if width not in widths:
        raise InputError(
            f"{pluralize(width, 'column')} in {origin} instead of "
            f"{' or '.join(map(str, widths))}; correct the line"
        )
