"""Split the lines of a table into cells, whatever separates them."""

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress

from deepfake_audio.system.csv_files import unguarded
from deepfake_audio.tables.cell_values import DECIMAL_COMMA, is_score
from deepfake_audio.tables.column_names import is_header
from deepfake_audio.tables.label_words import is_label_word

SEPARATORS = "\t;,|"  # in the order in which they are tried
BLANKS = " "
SAME_WIDTH = 0.9  # share of the sampled rows that have the same number of columns
OF_KALDI = re.compile(r"(?<=\s)\[((?:\s*[-+]?\d\S*(?=[\s\]]))+?)\s*\](?=\s*$)")
AFTER_NAME = re.compile(r"(?<=\S):(?=\s+(?:\[?[-+.\d]|(\S+)\s*$))")
RULE = re.compile(r":?-+:?")  # a cell below the header of a Markdown table


def delimiter_of(header: str) -> str:
    r"""Return the character between the columns of a table, by its first line.

    >>> delimiter_of("file;label"), delimiter_of("file,label;note,x"), delimiter_of("file")
    (';', ',', ',')
    >>> delimiter_of("a.wav  real")
    ' '
    """
    is_in_blanks = len(header.split()) > 1 and not any(map(header.count, SEPARATORS))
    return BLANKS if is_in_blanks else max(",;\t|", key=header.count)


def find_separator(first: str, lines: list[str]) -> str:
    lines = [line for line in lines if not line.startswith("#")] or lines
    for separator in SEPARATORS:
        if is_header(split_line(first, separator)):
            return separator
    words = first.split()
    fits = all(len(line.split()) >= len(words) for line in lines)
    if fits and not set(SEPARATORS) & set(first.strip()) and is_header(words):
        return BLANKS
    found = []
    for separator in SEPARATORS:
        rows = list(filter(any, split(lines, separator)))
        width, times = next(iter(Counter(map(len, rows)).most_common(1)), (0, 0))
        is_decimal = separator == "," and all(map(_ends_in_decimal_comma, lines))
        if width > 1 and times >= SAME_WIDTH * len(rows) and not is_decimal:
            found.append((separator, [row for row in rows if len(row) == width]))
    if len(found) > 1:  # such as a comma in each sentence between bars
        found = [each for each in found if _has_values(each[1])] or found
    return found[0][0] if found else BLANKS


def _has_values(rows: list[list[str]]) -> bool:
    """Return whether a column has only numbers or labels; the first row may be the header."""
    columns = zip(*(rows[1:] or rows), strict=True)
    return any(all(is_score(cell) or is_label_word(cell) for cell in cells) for cells in columns)


def _ends_in_decimal_comma(line: str) -> bool:
    """Return whether the comma of a line such as `file 0,5` is part of its number."""
    cells = line.split()
    return len(cells) > 1 and any(map(DECIMAL_COMMA.fullmatch, cells[1:]))


def split_rows(
    lines: Iterable[str], separator: str, width: int = sys.maxsize, text_column: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, with the number of its last line; raise csv.Error for no CSV.

    If blanks separate a number of columns, `width`, the text column may contain some too.
    """
    if separator == BLANKS:
        yield from enumerate((_split_blanks(line, width, text_column) for line in lines), start=1)
        return
    # Bars separate transcripts, in which a quote is a letter.
    quoting = csv.QUOTE_NONE if separator == "|" else csv.QUOTE_MINIMAL
    reader = csv.reader(lines, delimiter=separator, quoting=quoting, skipinitialspace=True)
    for row in reader:
        yield reader.line_num, [unguarded(cell).strip() for cell in row]


def split(lines: list[str], separator: str) -> list[list[str]]:
    """Return the cells of the rows before a line that is no CSV: reading the table reports it."""
    found = []
    with suppress(csv.Error):
        found.extend(row for _, row in split_rows(lines, separator))
    return found


def split_line(line: str, separator: str) -> list[str]:
    """Return the cells of one line, [] if it is no CSV."""
    return next(iter(split([line], separator)), [])


def _split_blanks(line: str, width: int, text_column: int) -> list[str]:
    """Split a line at blanks; surplus ones belong to the text column.

    >>> _split_blanks("speaker my file.wav 0.5", 3, 1)
    ['speaker', 'my file.wav', '0.5']
    """
    line = _joined(line).strip()
    if len(line.split()) <= width:
        return list(map(_unquoted, line.split()))
    *before, rest = line.split(None, text_column)
    return list(map(_unquoted, [*before, *rest.rsplit(None, width - text_column - 1)]))


def _joined(line: str) -> str:
    """Return a line without blanks in the brackets of Kaldi, and without a colon after the name.

    >>> _joined("utt  [ -1.2 0.3 ]"), _joined("my file.wav: 0.5"), _joined("a [live 2].wav 0.5")
    ('utt  [-1.2,0.3]', 'my file.wav 0.5', 'a [live 2].wav 0.5')
    >>> _joined("a.wav: real"), _joined("real My talk: intro.wav")
    ('a.wav real', 'real My talk: intro.wav')
    """
    line = OF_KALDI.sub(lambda found: f"[{','.join(found[1].split())}]", line)
    found = AFTER_NAME.search(line)
    if not found or (found[1] and not is_label_word(found[1])):
        return line
    return line[: found.start()] + line[found.end() :]


def _unquoted(cell: str) -> str:
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return unguarded(cell[1:-1].replace('""', '"') if quoted else cell)


def fitted(
    rows: list[list[str]], separator: str, width: int, text_column: int, unnamed: int = 0
) -> list[list[str]]:
    """Return the rows with a number of cells; with blanks between, the text column may have some.

    >>> fitted([["a", "b.wav", "0.5"]], BLANKS, 2, 0), fitted([["a", "1", ""], ["b"]], ",", 2, 0)
    ([['a b.wav', '0.5']], [['a', '1']])
    """
    found = []
    for row in rows:
        surplus = len(row) - width
        if surplus > 0 and separator == BLANKS:
            end = text_column + surplus + 1
            row = [*row[:text_column], " ".join(row[text_column:end]), *row[end:]]
        elif surplus > 0 and (surplus <= unnamed or not any(row[width:])):
            row = row[:width]
        if len(row) == width:
            found.append(row)
    return found


def is_rule(row: list[str]) -> bool:
    """Return whether a row is the line below the header of a Markdown table."""
    return any(row) and all(not cell or RULE.fullmatch(cell) for cell in row)
