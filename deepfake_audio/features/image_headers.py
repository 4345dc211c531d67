"""Read the claimed size of an image file before OpenCV allocates memory for it.

Only the five formats of the project are known here, so that no other decoder of OpenCV is reached.
The size is read from the same field as by the format's library; an ambiguous file is refused.
"""

import re
import struct

JPEG_SCANS = 100  # a progressive file has about ten; each one costs a pass over all the pixels
JPEG_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
MAX_PARTS = 300_000  # of a PNG, or of a JPEG before its pixels; 200 MB have 25,000
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
TIFF_WIDTH, TIFF_HEIGHT = 256, 257
TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def image_size(encoded: bytes) -> tuple[int, int] | None:
    """Return the width and height that an image file claims, in pixels.

    Args:
        encoded: the bytes of a PNG, JPEG, BMP, WebP or TIFF file.

    Returns:
        Width and height, at least 1 each; None if it is no such file, or a damaged one.
    """
    reader = next((read for magic, read in READERS if encoded.startswith(magic)), None)
    try:
        size = reader(encoded) if reader else None
    except (struct.error, IndexError):  # the file ends before its header does
        return None
    return size if size and min(size) > 0 else None


def _png(encoded: bytes) -> tuple[int, int] | None:
    """Return the size; None if a chunk passes the end: OpenCV would make room for all it claims."""
    if encoded[12:16] != b"IHDR":
        return None
    position = 8
    for _ in range(MAX_PARTS):
        length, name = struct.unpack_from(">I4s", encoded, position)
        position += 12 + length
        if position > len(encoded):
            return None
        if name == b"IEND":
            return struct.unpack_from(">II", encoded, 16)
    return None


def _jpeg(encoded: bytes) -> tuple[int, int] | None:
    if encoded.count(b"\xff\xda") > JPEG_SCANS:
        return None
    position = 2
    for _ in range(MAX_PARTS):
        found = JPEG_MARKER.search(encoded, position)
        if found is None:
            return None
        marker, position = found[1][0], found.end()
        if marker in FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", encoded, position + 3)
            return width, height
        if marker in (0xDA, 0xD9):  # pixels, or the end, before any size
            return None
        if marker not in (0x00, 0x01, *range(0xD0, 0xD9)):
            position += struct.unpack_from(">H", encoded, position)[0]
    return None


def _bmp(encoded: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", encoded, 14)[0] == 12:  # the header of OS/2
        return struct.unpack_from("<HH", encoded, 18)
    width, height = struct.unpack_from("<ii", encoded, 18)
    return width, abs(height)


def _webp(encoded: bytes) -> tuple[int, int] | None:
    kind = encoded[8:16]
    if kind == b"WEBPVP8X":
        return _uint24(encoded, 24) + 1, _uint24(encoded, 27) + 1
    if kind == b"WEBPVP8L":
        bits = struct.unpack_from("<I", encoded, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"WEBPVP8 ":
        width, height = struct.unpack_from("<HH", encoded, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _uint24(encoded: bytes, position: int) -> int:
    low, high = struct.unpack_from("<HB", encoded, position)
    return low | high << 16


def _tiff(encoded: bytes) -> tuple[int, int] | None:
    order = "<" if encoded.startswith(b"II") else ">"
    if struct.unpack_from(f"{order}H", encoded, 2)[0] == 43:  # BigTIFF
        form, count_form, value_at, length = "HHQ", "Q", 12, 20
        (directory,) = struct.unpack_from(f"{order}Q", encoded, 8)
    else:
        form, count_form, value_at, length = "HHI", "H", 8, 12
        (directory,) = struct.unpack_from(f"{order}I", encoded, 4)
    (entries,) = struct.unpack_from(f"{order}{count_form}", encoded, directory)
    if entries > 4096:
        return None
    sizes = {TIFF_WIDTH: 0, TIFF_HEIGHT: 0}
    first = directory + struct.calcsize(f"={count_form}")
    for position in range(first, first + entries * length, length):
        tag, kind, _ = struct.unpack_from(f"{order}{form}", encoded, position)
        if tag in sizes:
            if kind not in TIFF_INTEGERS:
                return None
            value = struct.unpack_from(
                f"{order}{TIFF_INTEGERS[kind]}", encoded, position + value_at
            )[0]
            sizes[tag] = max(sizes[tag], value)  # of a tag given twice either may count
    return sizes[TIFF_WIDTH], sizes[TIFF_HEIGHT]


READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"II+\0", _tiff),
    (b"MM\0+", _tiff),
)
