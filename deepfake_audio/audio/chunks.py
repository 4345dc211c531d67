"""The chunks, boxes and pages of a file: bytes after the declared end of its sound, or missing."""

import io
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from deepfake_audio.audio.sounds import open_lenient

# By libsndfile's name of the format: the place of the first chunk, and its name and size.
HEADS = {
    "WAV": (12, struct.Struct("<4sI")), "WAVEX": (12, struct.Struct("<4sI")),
    "RF64": (12, struct.Struct("<4sI")), "AIFF": (12, struct.Struct(">4sI")),
    "CAF": (8, struct.Struct(">4sq")),
}  # fmt: skip
SOUNDS = (b"data", b"SSND")
UNKNOWN_SIZE = 2**32 - 1
OTHER_FILES = (
    b"RIFF", b"RF64", b"FORM", b"caff", b".snd", b"OggS", b"ID3", b"TAG", b"APETAGEX",
)  # fmt: skip
AU_SIZES = struct.Struct(">4sII")  # mark, place of the sound, and its bytes
BOX, LONG_BOX = struct.Struct(">I4s"), struct.Struct(">Q")  # of MP4: size and name; a long size
OGG_MARK, OGG_HEADER_BYTES = b"OggS", 27
MAX_OGG_PAGE_BYTES = OGG_HEADER_BYTES + 255 + 255 * 255
OGG_FIRST_PAGE, OGG_FIRST_BYTES = re.compile(rb"OggS\0[\2\6]"), 6  # of a stream
MAX_FIRST_PAGE_BYTES = 512  # the streams of one file begin one after the other
# The bytes of a stream's first packet with its codec, channels and rate: decoders do not go on with
# a stream that has others. FFmpeg reads on if those of other codecs change.
OGG_KIND_BYTES = {b"OpusH": 10, b"\x01vorb": 16}
MAX_CHUNKS = 100_000
PIECE_BYTES = 1_000_000


class Rest(NamedTuple):
    """What a file has after the declared end of its sound.

    Attributes:
        place: of its first byte.
        size: in bytes.
        is_sound: more of the sound, because the recorder was killed before it wrote the length.
    """

    place: int
    size: int
    is_sound: bool


def find_rest(sound: Path | bytes, form: str) -> Rest | None:
    """Find what a file has after its declared end, other than chunks and zeros.

    `form` is libsndfile's name of the format, or `MP4` for the films and recordings of FFmpeg.
    """
    if form not in (*HEADS, "AU", "MP4", "OGG"):
        return None
    with open_lenient(sound) as file:
        end = file.seek(0, os.SEEK_END)
        find = {"AU": _end_of_au, "MP4": _second_mp4, "OGG": _other_stream}.get(form)
        place = find(file) if find else _end_of_chunks(file, form, end)
        if place is None or place >= end:
            return None
        file.seek(place)
        first = file.read(PIECE_BYTES)
    if not first.strip(b"\0"):
        return None
    return Rest(place, end - place, form != "MP4" and not first.startswith(OTHER_FILES))


def missing_share(sound: Path | bytes, form: str) -> float:
    """Return the bytes of sound that a file declares beyond its end, per byte that it has."""
    with open_lenient(sound) as file:
        end = file.seek(0, os.SEEK_END)
        for name, start, size in _chunks(file, form):
            if name in SOUNDS:
                return max(0.0, size / (end - start) - 1) if end > start else 0.0
    return 0.0


def lacks_index(sound: Path | bytes) -> bool:
    """Return whether a file is an MP4 without the box that its recorder writes at the end."""
    with open_lenient(sound) as file:
        names = [name for name, _ in _boxes(file)]
    return names[:1] == [b"ftyp"] and not {b"moov", b"moof"} & set(names)


def is_cut_off(sound: Path | bytes) -> bool:
    """Return whether an Ogg file ends within a page: it declares no length that would tell."""
    with open_lenient(sound) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - MAX_OGG_PAGE_BYTES))
        tail = file.read(MAX_OGG_PAGE_BYTES)
    page = tail[max(0, tail.rfind(OGG_MARK)) :]
    if not page.startswith(OGG_MARK):
        return False
    if len(page) < OGG_HEADER_BYTES:
        return True
    sizes = page[OGG_HEADER_BYTES : OGG_HEADER_BYTES + page[OGG_HEADER_BYTES - 1]]
    return len(page) < OGG_HEADER_BYTES + page[OGG_HEADER_BYTES - 1] + sum(sizes)


class FileEnd(io.FileIO):
    """A file without its beginning."""

    first = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek to a place after the beginning."""
        return super().seek(offset + self.first * (whence == os.SEEK_SET), whence) - self.first

    def tell(self) -> int:
        """Return the place after the beginning."""
        return super().tell() - self.first


def open_end(sound: Path | bytes, place: int) -> BinaryIO:
    """Open a file or its bytes without the bytes before a place."""
    if isinstance(sound, bytes):
        return io.BytesIO(sound[place:])
    with open_lenient(sound) as opened:
        file = FileEnd(os.dup(opened.fileno()))
    file.first = place
    file.seek(0)
    return file


def _chunks(file: BinaryIO, form: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, the place of the content and the size of successive chunks."""
    place, head = HEADS[form]
    for _ in range(MAX_CHUNKS):
        file.seek(place)
        found = file.read(head.size)
        if len(found) < head.size:
            return
        name, size = head.unpack(found)
        yield name, place + head.size, size
        if not 0 <= size < 2**62:
            return
        place += head.size + size + (size % 2 if form != "CAF" else 0)


def _end_of_chunks(file: BinaryIO, form: str, end: int) -> int | None:
    """Return the place after the last chunk; None if the sound ends with the file."""
    long_size, place = None, None
    for name, start, size in _chunks(file, form):
        if name in OTHER_FILES or not all(32 <= letter < 127 for letter in name):
            return start - HEADS[form][1].size if place else None
        if name == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if name in SOUNDS:
            if form == "RF64" and size == UNKNOWN_SIZE:
                return None if long_size else start
            place = start
            if not size:  # a decoder reads on to the end
                return None
        if start + size > end or size < 0:
            return None
    return None


def _end_of_au(file: BinaryIO) -> int | None:
    file.seek(0)
    found = file.read(AU_SIZES.size)
    if len(found) < AU_SIZES.size:
        return None
    mark, start, size = AU_SIZES.unpack(found)
    return None if mark != b".snd" or size == UNKNOWN_SIZE else start + size


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the name and the place of successive boxes of an MP4."""
    place = 0
    for _ in range(MAX_CHUNKS):
        file.seek(place)
        found = file.read(BOX.size + LONG_BOX.size)
        if len(found) < BOX.size:
            return
        size, name = BOX.unpack_from(found)
        yield name, place
        if size == 1 and len(found) == BOX.size + LONG_BOX.size:
            (size,) = LONG_BOX.unpack_from(found, BOX.size)
        if not BOX.size <= size < 2**62:  # 0 is a box up to the end
            return
        place += size


def _second_mp4(file: BinaryIO) -> int | None:
    return next((place for name, place in _boxes(file) if name == b"ftyp" and place), None)


def _other_stream(file: BinaryIO) -> int | None:
    """Return the place of the first stream of an Ogg chain that decoders do not go on with."""
    known, last = set(), 0
    for place in _first_pages(file):
        file.seek(place + OGG_HEADER_BYTES - 1)
        sizes, *content = file.read(MAX_FIRST_PAGE_BYTES) or [0]
        packet = bytes(content[sizes:])
        kind = packet[: OGG_KIND_BYTES.get(packet[:5], 5)]
        if known and kind not in known and place - last > MAX_FIRST_PAGE_BYTES:
            return place
        known.add(kind)
        last = place
    return None


def _first_pages(file: BinaryIO) -> Iterator[int]:
    """Yield the place of the first page of each stream of an Ogg file."""
    begin, held = 0, b""
    while True:
        file.seek(begin + len(held))
        piece = file.read(PIECE_BYTES)
        if not piece:
            return
        held += piece
        yield from (begin + found.start() for found in OGG_FIRST_PAGE.finditer(held))
        begin += max(0, len(held) - OGG_FIRST_BYTES + 1)
        held = held[1 - OGG_FIRST_BYTES :]
