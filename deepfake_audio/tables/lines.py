"""Read the lines of a table in the encodings of spreadsheets."""

import codecs
import logging
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.system import regular_files
from deepfake_audio.system.regular_files import is_file, open_regular, open_text
from deepfake_audio.tables.class_names import CLASS_OF
from deepfake_audio.tables.column_names import FILES, LABELS, SCORES, SPEAKERS, plain_column

LOGGER = logging.getLogger(__name__)
UNDECODED = re.compile("[\udc80-\udcff]")  # bytes that `surrogateescape` could not decode
# Western, Cyrillic, Central European, Turkish, Chinese, Japanese, Korean and Taiwanese.
ENCODINGS = ("cp1252", "cp1251", "cp1250", "cp1254", "gb18030", "cp932", "cp949", "cp950")
KNOWN_WORDS = frozenset({*FILES, *LABELS, *SCORES, *SPEAKERS, *CLASS_OF})
SAMPLED_BYTES = 16_384  # that decide on the encoding
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def first_line(table: Path) -> str:
    """Return the first line of a table, empty for an empty one; raise as `read_lines` does."""
    return next((line for _, line in read_lines(table)), "")


def read_lines(table: Path) -> Iterator[tuple[int, str]]:
    """Yield each line of a table with its number, counted from 1.

    Raises:
        InputError: an unreadable file, or one that isn't text.
    """
    try:
        if is_file(table) and not table.stat().st_size:
            return
        with open_text(table, "A table", encoding_of(table, "A table"), "surrogateescape") as file:
            yield from enumerate(_decoded(regular_files.read_lines(file), table), start=1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {table} as UTF-8: {error}; save it as UTF-8, or download it again"
        ) from None


def _decoded(lines: Iterable[str], table: Path) -> Iterator[str]:
    """Yield lines of UTF-8, or else of an encoding that Excel writes as plain CSV.

    Raises:
        ValueError: a line of neither, or lines of both.
    """
    encodings, encoding = set(), ""
    for line in lines:
        if not line.isascii():
            is_utf_8 = not UNDECODED.search(line)
            encodings.add(is_utf_8)
            if len(encodings) > 1:
                raise ValueError("it has bytes of another encoding")
            if not is_utf_8:
                encoding = encoding or _encoding_of_excel(table)
                line = line.encode("utf-8", "surrogateescape").decode(encoding)
                if CONTROLS.search(line):
                    raise ValueError("it is no text")
        yield line


def _encoding_of_excel(table: Path) -> str:
    """Return the encoding of `ENCODINGS` that gives the most known words that are not ASCII."""
    with open_regular(table, "A table") as file:
        sample = file.read(SAMPLED_BYTES)

    def known(encoding: str) -> int:
        text = sample.decode(encoding, "replace")
        words = {*text.split(), *map(str.strip, re.split(r"[\t;,|\"\r\n]", text))}
        words = {each for each in words if not each.isascii() and "\ufffd" not in each}
        return sum(plain_column(each) in KNOWN_WORDS for each in words)

    found = max(ENCODINGS, key=known)
    _tell_encoding(table, found.replace("cp12", "Windows-12"))
    return found


@lru_cache(maxsize=1000)  # a table is read several times
def _tell_encoding(table: Path, encoding: str) -> None:
    LOGGER.warning(
        "%s is not UTF-8 and was read as %s; save it as UTF-8 if names look wrong", table, encoding
    )


def filled_lines(table: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with its number; see `read_lines`."""
    return ((number, line) for number, line in read_lines(table) if line.strip())


def read_words(table: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the position of each line that is not blank, and its words; see `read_lines`."""
    return ((f"line {number} of {table}", line.split()) for number, line in filled_lines(table))


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
