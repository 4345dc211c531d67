"""Read the names of files from a list, one at a time, so that a list of any length fits memory.

A list has one name a line, or names that end in NUL, as `find -print0` writes them. A name is
relative to the working folder. Empty lines are ignored, and those that begin with `#`, unless there
is a file of that name: `ls > names.txt` writes such names too.
"""

import codecs
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from deepfake_audio.errors import InputError

PIECE_BYTES = 65_536
MAX_NAME_BYTES = 4096  # of a path; escaped, it fits into a cell that Python reads
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # Windows PowerShell writes it
COMMENT = b"#"


def read_names(file: BinaryIO, origin: str) -> Iterator[str]:
    r"""Yield the names in a list.

    >>> import io
    >>> list(read_names(io.BytesIO(b"# calls\r\na b.wav\r\n\r\nc.wav"), "names.txt"))
    ['a b.wav', 'c.wav']
    >>> list(read_names(io.BytesIO(b"#1.wav\0a\nb.wav\0"), "names.txt"))
    ['#1.wav', 'a\nb.wav']

    Args:
        file: UTF-8 with or without a byte order mark, UTF-16 with one, or the bytes that the file
            system has.
        origin: name of the list, for errors.

    Raises:
        InputError: the list can't be read or has no name, or a name has more than 4,096 bytes.
    """
    is_empty = True
    try:
        for name in _names(iter(lambda: file.read1(PIECE_BYTES), b""), origin):
            is_empty = False
            yield os.fsdecode(name)
    except (OSError, UnicodeError) as error:
        raise InputError(f"cannot read the list {origin}: {error}; give a text file") from None
    if is_empty:
        raise InputError(f"no names in the list {origin}; write one a line")


def _names(pieces: Iterator[bytes], origin: str) -> Iterator[bytes]:
    beginning = _first_name(pieces)
    pieces = chain([beginning.removeprefix(codecs.BOM_UTF8)], pieces)
    if beginning.startswith(UTF_16):
        pieces = (text.encode() for text in codecs.iterdecode(pieces, "utf-16"))
    elif b"\0" in beginning:
        yield from filter(None, _split(pieces, b"\0", origin))
        return
    for line in _split(pieces, b"\n", origin):
        name = line.removesuffix(b"\r")
        is_comment = name.startswith(COMMENT) and (b"\0" in name or not os.path.lexists(name))
        if name.strip() and not is_comment:
            yield name


def _first_name(pieces: Iterator[bytes]) -> bytes:
    """Return the beginning of a list, with the end of its first name; a pipe may give less."""
    beginning = b""
    for piece in pieces:
        beginning += piece
        if b"\n" in piece or b"\0" in piece or len(beginning) > MAX_NAME_BYTES:
            break
    return beginning


def _split(pieces: Iterable[bytes], end: bytes, origin: str) -> Iterator[bytes]:
    """Yield the bytes before each `end`, and those after the last one if there are any."""

    def checked(name: bytes) -> bytes:
        if len(name) > MAX_NAME_BYTES:
            raise InputError(
                f"cannot read the list {origin}: a name has more than {MAX_NAME_BYTES:,} bytes; "
                "write one name a line"
            )
        return name

    rest = b""
    for piece in pieces:
        *names, rest = (rest + piece).split(end)
        yield from map(checked, names)
        checked(rest)
    if rest:
        yield rest
