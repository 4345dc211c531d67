"""Read the rows of a table whose columns are named."""

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import check_columns, read_cells
from deepfake_audio.tables.column_names import FILES, is_header, plain_column
from deepfake_audio.tables.lines import filled_lines, read_lines

MAX_TITLES = 4  # lines above a header
DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's first line for its own tables


def first_row(table: Path) -> list[str]:
    """Return the names of the columns of a table, in lower case; raise as `read_lines` does."""
    _, header, delimiter = _find_header(filled_lines(table))
    _, row = next(split_cells([header], delimiter), (0, []))
    return [name.strip().lower() for name in row]


def _find_header(numbered: Iterable[tuple[int, str]]) -> tuple[int, str, str]:
    """Return the number of a header, its line and its delimiter: the first line, or after titles.

    Args:
        numbered: filled lines with their numbers.
    """
    first, delimiter = list(itertools.islice(numbered, 1 + MAX_TITLES)), ""
    if first and (named := SEPARATOR_LINE.fullmatch(first[0][1])):
        first, delimiter = first[1:], named[1]
    for number, line in first:
        chosen = delimiter or delimiter_of(line)
        _, row = next(split_cells([line], chosen), (0, []))
        if is_header(row) and any(plain_column(cell) in FILES for cell in row):
            return number, line, chosen
    number, line = first[0] if first else (1, "")
    return number, line, delimiter or delimiter_of(line)


def split_cells(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, with the number of its last line; blanks may separate them.

    Between bars, a quote character is a letter: tables of transcripts have single ones.
    """
    if delimiter == " ":
        return ((number, line.split()) for number, line in enumerate(lines, start=1))
    return read_cells(lines, delimiter, has_quotes=delimiter != "|")


def delimiter_of(header: str) -> str:
    r"""Return the character between the columns of a table, by its first line.

    >>> delimiter_of("file;label"), delimiter_of("file,label;note,x"), delimiter_of("file")
    (';', ',', ',')
    >>> delimiter_of("a.wav  real")
    ' '
    """
    is_in_blanks = len(header.split()) > 1 and not any(map(header.count, DELIMITERS))
    return " " if is_in_blanks else max(DELIMITERS, key=header.count)


def read_rows(
    table: Path,
    required: Sequence[str],
    delimiter: str = "",
    renamed: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the position of each row of a table, and its cells by column; skip empty rows.

    Args:
        table: has the names of its columns in the first line that is not blank, in any case.
        required: columns that it needs, in lower case.
        delimiter: between two cells; "" finds it in the first line.
        renamed: main names of columns, by their names in lower case.

    Raises:
        InputError: an unreadable or malformed table, a required column that isn't there, two
            columns of one name, a row that is wider or narrower than the first, or a quote that is
            not closed.
    """
    number, begin, found = _find_header(filled_lines(table))
    delimiter = delimiter or found
    below = (line for _, line in itertools.islice(read_lines(table), number, None))
    rows = split_cells(itertools.chain([begin], below), delimiter)
    try:
        _, header = next(rows, (0, []))
        columns = [column.strip().lower() for column in header]
        check_columns(columns)
        renamed = renamed or {}
        hidden = {*renamed.values()} - renamed.keys()  # a `label` that is not the chosen one
        columns = ["" if each in hidden else renamed.get(each, each) for each in columns]
        for column in required:
            if column not in columns:
                raise InputError(
                    f"{table} has no column {column}; its first line needs {', '.join(required)}"
                )
        for line, row in rows:
            while len(row) > len(columns) and not row[-1].strip():
                row.pop()
            if any(cell.strip() for cell in row):
                origin = f"line {line + number - 1} of {table}"
                check_width(len(row), (len(columns),), origin)
                _check_quotes(row, columns.index(required[0]), delimiter, origin)
                yield origin, {k: v.strip() for k, v in zip(columns, row, strict=True)}
    except ValueError as error:
        raise InputError(f"cannot read {table} as CSV: {error}") from None


def _check_quotes(row: Sequence[str], file: int, delimiter: str, origin: str) -> None:
    """Raise an `InputError` if a quote that is not closed has swallowed the next rows.

    Args:
        row: the cells.
        file: position of the cell with the file's name; a swallowed row has one of its suffix.
        delimiter: between two cells.
        origin: of the row.
    """
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
            f"{width} columns in {origin} instead of {' or '.join(map(str, widths))}; "
            "correct the line, or download the protocol again"
        )
