"""CSV tables: one rule for the cells of all tables that are written and read.

A spreadsheet evaluates a cell that begins with `=`, `+`, `-`, `@`, a tab or a return, and the name
of a stranger's file may begin so. `write_rows` puts an apostrophe before such text, and
`read_cells` removes that apostrophe, so that reading returns the written text. Quotes, apostrophes
and blanks before the sign do not change that, and text after a semicolon, a tab or a line break
counts as a cell of its own, since spreadsheets of many countries split there. Numbers stay as they
are.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from deepfake_audio.errors import one_line

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
FORMULA = r"""(?:[^\S\t\r\n]|['"])*[=+\-@＝＋－＠\t\r\n]"""
CELL_BEGINS = r"(?:\A|(?<=[;\t\r\n]))"
UNGUARDED = re.compile(rf"{CELL_BEGINS}(?={FORMULA})")
GUARDED = re.compile(rf"{CELL_BEGINS}'(?={FORMULA})")
BLANK_ENDS = re.compile(r"\A(?:\s|\\x20)+|(?:\s|\\x20)+\Z")
MISTAKABLE = re.compile(r"\\(?=[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def guarded(text: str) -> str:
    r"""Return text that a spreadsheet shows and does not evaluate.

    >>> guarded("=1+1"), guarded("a-b"), guarded("-0.53"), guarded("a;@b"), guarded("'=1")
    ("'=1+1", 'a-b', '-0.53', "a;'@b", "''=1")
    """
    return text if NUMBER.fullmatch(text) else UNGUARDED.sub("'", text)


def unguarded(cell: str) -> str:
    """Return the text that `guarded` made a cell of; a cell of other programs stays as it is.

    >>> unguarded("'=1+1"), unguarded("''=1"), unguarded("'tis"), unguarded("=1")
    ('=1+1', "'=1", "'tis", '=1')
    """
    return GUARDED.sub("", cell) if "'" in cell else cell


def write_rows(file: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows into an open CSV file; None is an empty cell."""
    writer = csv.writer(_Lines(file), lineterminator="\r\n")
    writer.writerows(
        [guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )


class _Lines:
    """A file whose rows end in a line feed; Python quotes only what its own line ends have."""

    def __init__(self, file: TextIO):
        self.file = file

    def write(self, row: str) -> None:
        self.file.write(row.removesuffix("\r\n") + "\n")


def read_cells(lines: Iterable[str], delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, with the number of its last line, counted from 1.

    Raises:
        ValueError: the lines are no CSV.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, list(map(unguarded, row))
    except csv.Error as error:
        raise ValueError(str(error)) from None


def check_columns(columns: Sequence[str]) -> None:
    """Raise a `ValueError` if two columns have one name; several may have none."""
    seen = set()
    for column in columns:
        if column and column in seen:
            raise ValueError(f"the column {column} twice")
        seen.add(column)


def to_number(text: str) -> float:
    """Return a number in plain digits, or raise a `ValueError`, also for `nan` and `inf`.

    Python would take `1_0` and the digits of other scripts.

    >>> to_number("-1.5e3")
    -1500.0
    """
    if not NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text!r}")
    return float(text)


def to_whole_number(text: str) -> int:
    """Return a whole number in plain digits, or raise a `ValueError`; see `to_number`.

    >>> to_whole_number("-12")
    -12
    """
    if not WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"not a whole number: {text!r}")
    return int(text)


def printable_name(name: str) -> str:
    r"""Return a name in printable letters, such that no two names become one.

    >>> print(printable_name("a\nb"), printable_name(r"a\nb"), printable_name(" a"))
    a\nb a\x5cnb \x20a
    """
    shown = one_line(MISTAKABLE.sub(r"\\x5c", name))
    return re.sub("^ +| +$", lambda blanks: r"\x20" * len(blanks[0]), shown)


def without_blank_ends(name: str) -> str:
    r"""Return a name without blanks at either end, plain or written as `\x20`.

    >>> without_blank_ends(r"\x20a b.wav "), without_blank_ends(r"a\x20b.wav")
    ('a b.wav', 'a\\x20b.wav')
    """
    return BLANK_ENDS.sub("", name)
