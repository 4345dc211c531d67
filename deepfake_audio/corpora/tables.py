"""Read the tables of a corpus: their lines, rows and columns."""

import codecs
import itertools
import logging
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from deepfake_audio.corpora.column_names import FILES, is_header, plain_column
from deepfake_audio.errors import InputError
from deepfake_audio.system import regular_files
from deepfake_audio.system.csv_files import check_columns, read_cells
from deepfake_audio.system.regular_files import is_file, open_regular, open_text

MAX_TITLES = 4  # lines above a header
LOGGER = logging.getLogger(__name__)
DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's first line for its own tables
UNDECODED = re.compile("[\udc80-\udcff]")  # bytes that `surrogateescape` could not decode
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
OF_A_MACHINE = re.compile(r"(?:[a-z]+:/+|[a-z]:|~(?=/))?/*", re.IGNORECASE)  # what begins its paths
ABOVE = re.compile(r"^(?:\.{1,2}/)+")  # begins the paths of a table that was in another folder


def first_line(table: Path) -> str:
    """Return the first line of a table, empty for an empty one; raise as `read_lines` does."""
    return next((line for _, line in read_lines(table)), "")


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


def read_lines(table: Path, what: str = "A protocol") -> Iterator[tuple[int, str]]:
    """Yield each line of a table with its number, counted from 1.

    Args:
        table: the file.
        what: its name for errors; see `open_regular`.

    Raises:
        InputError: an unreadable file, or one that isn't text.
    """
    try:
        if is_file(table) and not table.stat().st_size:
            return
        with open_text(table, what, encoding_of(table, what), "surrogateescape") as file:
            yield from enumerate(_decoded(regular_files.read_lines(file), table), start=1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {table} as UTF-8: {error}; save it as UTF-8, or download it again"
        ) from None


def _decoded(lines: Iterable[str], table: Path) -> Iterator[str]:
    """Yield lines of UTF-8, or else of Windows-1252, which Excel writes as plain CSV.

    Raises:
        ValueError: a line of neither, or lines of both.
    """
    encodings = set()
    for line in lines:
        if not line.isascii():
            is_utf_8 = not UNDECODED.search(line)
            encodings.add(is_utf_8)
            if len(encodings) > 1:
                raise ValueError("it has bytes of another encoding")
            if not is_utf_8:
                line = line.encode("utf-8", "surrogateescape").decode("cp1252")
                if CONTROLS.search(line):
                    raise ValueError("it is no text")
                _tell_encoding(table)
        yield line


@lru_cache(maxsize=1000)  # a table is read several times
def _tell_encoding(table: Path) -> None:
    LOGGER.warning(
        "%s is not UTF-8 and was read as Windows-1252; save it as UTF-8 if names look wrong", table
    )


def filled_lines(table: Path, what: str = "A protocol") -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with its number; see `read_lines`."""
    return ((number, line) for number, line in read_lines(table, what) if line.strip())


def encoding_of(table: Path, what: str) -> str:
    """Return UTF-16 for a table in it, with its mark or without, as some spreadsheets write it."""
    with open_regular(table, what) as file:
        begin = file.read(64)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = begin[::2].count(0), begin[1::2].count(0)
    if max(zeros) > len(begin) / 4 and not min(zeros):  # most letters of a header are ASCII
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return "utf-8-sig"


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


def from_any_machine(file: str, origin: str) -> str:
    r"""Return a listed path as `inside` does, without a beginning outside of the corpus.

    Tables that were made on another machine or in another folder have such paths. Absolute ones
    need a folder that the corpus may have too.

    >>> from_any_machine("C:\\data\\real\\a.wav", ""), from_any_machine("gs://data/a.wav", "")
    ('data/real/a.wav', 'data/a.wav')
    """
    below = ABOVE.sub("", file.replace("\\", "/")) or file
    path = OF_A_MACHINE.sub("", below, count=1)
    return inside(path if "/" in path else below, origin)


def is_inside(file: str) -> bool:
    r"""Return whether a path stays below its root, on Windows too; no file is looked at.

    >>> is_inside("a\\b.wav"), is_inside("..\\b.wav"), is_inside("C:b.wav"), is_inside("//b/c.wav")
    (True, False, False, False)
    """
    path = file.replace("\\", "/")
    on_a_drive = path[1:2] == ":"
    return not (path.startswith("/") or on_a_drive or ".." in path.split("/"))


def inside(file: str, origin: str) -> str:
    """Return a listed path with forward slashes; raise an `InputError` if it leaves the root."""
    path = file.replace("\\", "/")
    if not is_inside(path) or not path.strip("./"):
        raise InputError(
            f"{file!r} in {origin} is not a path inside the corpus; correct the line, or download "
            "the protocol again"
        )
    return posixpath.normpath(path)
