"""Read the tables of a corpus: their lines, rows and columns."""

import codecs
import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.system import regular_files
from deepfake_audio.system.csv_files import check_columns, read_cells
from deepfake_audio.system.regular_files import is_file, open_regular, open_text

DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's first line for its own tables


def first_line(table: Path) -> str:
    """Return the first line of a table, empty for an empty one; raise as `read_lines` does."""
    return next((line for _, line in read_lines(table)), "")


def first_row(table: Path) -> list[str]:
    """Return the names of the columns of a table, in lower case; raise as `read_lines` does."""
    lines = (line for _, line in read_lines(table))
    header = next((line for line in lines if not SEPARATOR_LINE.fullmatch(line)), "")
    _, row = next(read_cells([header], delimiter_of(header)), (0, []))
    return [name.strip().lower() for name in row]


def delimiter_of(header: str) -> str:
    r"""Return the character between the columns of a table, by its first line.

    >>> delimiter_of("file;label"), delimiter_of("file,label;note,x"), delimiter_of("file")
    (';', ',', ',')
    """
    return max(DELIMITERS, key=header.count)


def renamed_columns(columns: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> list[str]:
    """Return columns under their main names; of several for one name the first alias counts."""
    renamed = list(columns)
    for name, others in aliases.items():
        found = next((other for other in others if other in columns), None)
        if found and name not in columns:
            renamed[columns.index(found)] = name
    return renamed


def read_lines(table: Path, what: str = "A protocol") -> Iterator[tuple[int, str]]:
    """Yield each line of a table with its number, counted from 1.

    Args:
        table: the file.
        what: its name for errors; see `open_regular`.

    Raises:
        InputError: an unreadable file, or one that isn't UTF-8.
    """
    try:
        if is_file(table) and not table.stat().st_size:
            return
        with open_text(table, what, encoding_of(table, what)) as file:
            yield from enumerate(regular_files.read_lines(file), start=1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {table} as UTF-8: {error}; save it as UTF-8, or download it again"
        ) from None


def filled_lines(table: Path, what: str = "A protocol") -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with its number; see `read_lines`."""
    return ((number, line) for number, line in read_lines(table, what) if line.strip())


def encoding_of(table: Path, what: str) -> str:
    """Return UTF-16 for a table that begins with its mark, as some spreadsheets write it."""
    with open_regular(table, what) as file:
        is_utf_16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if is_utf_16 else "utf-8-sig"


def read_rows(
    table: Path,
    required: Sequence[str],
    delimiter: str = "",
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the position of each row of a table, and its cells by column; skip empty rows.

    Between bars, a quote character is a letter: tables of transcripts have single ones.

    Args:
        table: has the names of its columns in the first line, in any case.
        required: columns that it needs, in lower case.
        delimiter: between two cells; "" finds it in the first line.
        aliases: other names of columns, by their main name.

    Raises:
        InputError: an unreadable or malformed table, a required column that isn't there, two
            columns of one name, a row that is wider or narrower than the first, or a quote that is
            not closed.
    """
    lines = (line for _, line in read_lines(table))
    begin = next(lines, "")
    skipped = SEPARATOR_LINE.fullmatch(begin)
    if skipped:
        begin = next(lines, "")
    delimiter = delimiter or (skipped[1] if skipped else delimiter_of(begin))
    rows = read_cells(itertools.chain([begin], lines), delimiter, has_quotes=delimiter != "|")
    try:
        _, header = next(rows, (0, []))
        columns = [column.strip().lower() for column in header]
        check_columns(columns)
        columns = renamed_columns(columns, aliases or {})
        for column in required:
            if column not in columns:
                raise InputError(
                    f"{table} has no column {column}; its first line needs {', '.join(required)}"
                )
        for line, row in rows:
            while len(row) > len(columns) and not row[-1].strip():
                row.pop()
            if any(cell.strip() for cell in row):
                origin = f"line {line + bool(skipped)} of {table}"
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


def inside(file: str, origin: str) -> str:
    """Return a listed path with forward slashes; raise an `InputError` if it leaves the root."""
    path = file.replace("\\", "/")
    on_a_drive = path[1:2] == ":"
    if path.startswith("/") or on_a_drive or ".." in path.split("/") or not path.strip("./"):
        raise InputError(
            f"{file!r} in {origin} is not a path inside the corpus; correct the line, or download "
            "the protocol again"
        )
    return posixpath.normpath(path)
