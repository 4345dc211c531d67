"""Image files to pixels and back: the one way in which training and prediction read a picture."""

import threading
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from deepfake_audio.config.schema import ImageSettings
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_headers import image_size
from deepfake_audio.system.atomic_files import open_regular, size_of
from deepfake_audio.vocabulary import (
    HARMONIC_ROWS,
    IMAGE_SUFFIXES,
    WITH_DELAY,
    ZERO_PROMINENCE,
)

BYTES_A_PIXEL = 4  # as an uncompressed picture with transparency has
LARGE_PIXELS = 4_000_000  # larger ones are decoded one at a time: each thread might have one
ONE_LARGE_IMAGE = threading.RLock()
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")  # and WebP's
SIGNATURE_BYTES = 12
PNG_SIGNATURE, PNG_COLOR_AT, PNG_RGB = b"\x89PNG\r\n\x1a\n", 25, 2
# Spectrograms have grain, but no repetitions: searching for these saves no bytes and takes time.
PNG_PARAMETERS = (
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_AVG,
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
)


def is_image(source: Path | bytes) -> bool:
    """Return whether a file is an image: by its suffix, or without one by its first bytes."""
    if isinstance(source, bytes):
        return _begins_like_an_image(source)
    if source.suffix:
        return source.suffix.lower() in IMAGE_SUFFIXES
    try:
        with open_regular(source, "A file") as file:
            return _begins_like_an_image(file.read(SIGNATURE_BYTES))
    except (OSError, InputError):  # the audio reader reports what is wrong
        return False


def _begins_like_an_image(content: bytes) -> bool:
    return content.startswith(SIGNATURES) or (content[:4], content[8:12]) == (b"RIFF", b"WEBP")


def read_image(source: Path | bytes, settings: ImageSettings) -> np.ndarray:
    """Read an image file in the size and colour of the network's input.

    Args:
        source: a file in any format of `IMAGE_SUFFIXES`, or the bytes of one.
        settings: size and colour to convert to, and how large an image may be.

    Returns:
        uint8 `(height, width, channels)`.

    Raises:
        InputError: the file is missing, empty, too large, or no image that can be read.
    """
    if isinstance(source, bytes):
        _check_size(len(source), settings, "the given bytes")
        return decode_image(source, settings, "the given bytes")
    with open_regular(source, "An image") as file:
        size = size_of(file)
        _check_size(size, settings, str(source))
        with ONE_LARGE_IMAGE if size > LARGE_PIXELS else nullcontext():
            return decode_image(_read_bytes(file, size, source), settings, str(source))


def _check_size(size: int, settings: ImageSettings, origin: str) -> None:
    if size > settings.max_megapixels * 1_000_000 * BYTES_A_PIXEL:
        raise InputError(
            f"cannot read {origin}: it has more than {BYTES_A_PIXEL} bytes for each of "
            f"image.max_megapixels={settings.max_megapixels} million pixels; make it smaller"
        )


class ImageCache:
    """Decoded images, kept in memory while there is room; the others are read each time.

    Args:
        settings: size and colour that images are read to.
        megabytes: room for pixels, in 1,000,000 bytes.
    """

    def __init__(self, settings: ImageSettings, megabytes: float):
        self.settings = settings
        self._free_bytes = megabytes * 1e6
        self._kept: dict[Path, np.ndarray] = {}
        self._lock = threading.Lock()

    def read(self, path: Path) -> np.ndarray:
        """Return an image, uint8 `(height, width, channels)`; it is not to be written to."""
        pixels = self._kept.get(path)
        if pixels is None:
            pixels = read_image(path, self.settings)
            pixels.flags.writeable = False
            with self._lock:
                if path not in self._kept and pixels.nbytes <= self._free_bytes:
                    self._kept[path] = pixels
                    self._free_bytes -= pixels.nbytes
        return pixels


def _read_bytes(file: BinaryIO, size: int, path: Path) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def decode_image(encoded: bytes, settings: ImageSettings, origin: str) -> np.ndarray:
    """Decode an image file's bytes; see `read_image`."""
    size = image_size(encoded)
    pixels = None
    if size:
        width, height = size
        if width * height > settings.max_megapixels * 1_000_000:
            raise InputError(
                f"cannot read {origin}: its {width:,} x {height:,} pixels are more than "
                f"image.max_megapixels={settings.max_megapixels} million; make it smaller"
            )
        with ONE_LARGE_IMAGE if width * height > LARGE_PIXELS else nullcontext():
            pixels = _decode(encoded, settings.channels > 1)
    if pixels is None:
        raise InputError(
            f"cannot read {origin}: it is damaged, or no PNG, JPEG, BMP, WebP or TIFF file"
        )
    if settings.color in WITH_DELAY:
        pixels = _with_delay(pixels, settings, origin)
    elif _shows_delay(encoded):
        raise InputError(
            "An image with the group delay in green, as prepare.py draws it, is for runs with "
            f"image.color={' or '.join(WITH_DELAY)}. Received: {origin}. Use the sound itself, or "
            "such a run."
        )
    return fit_image(pixels, settings)


def _decode(encoded: bytes, in_colour: bool) -> np.ndarray | None:
    flag = cv2.IMREAD_COLOR_RGB if in_colour else cv2.IMREAD_GRAYSCALE
    try:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    except cv2.error:
        return None


def _with_delay(pixels: np.ndarray, settings: ImageSettings, origin: str) -> np.ndarray:
    """Return the channels of a coloured picture that the settings name; it has to have them."""
    if np.array_equal(pixels[..., 0], pixels[..., 1]):
        raise InputError(
            f"Where image.color is {settings.color}, an image has the level in red and the group "
            f"delay in green, as prepare.py draws it. Received: {origin}, which is grey. "
            "Use the sound itself, or settings for grey images."
        )
    if settings.channels > 2 and not _shows_harmonics(pixels[..., 2]):
        raise InputError(
            f"Where image.color is {settings.color}, an image has the frame rates in blue, as "
            f"prepare.py draws them. Received: {origin}, which hasn't. Use the sound itself, or "
            "settings for such images."
        )
    return np.ascontiguousarray(pixels[..., : settings.channels])


def _shows_harmonics(blue: np.ndarray) -> bool:
    """Say whether a channel shows stripes of equal rows, as frame rates are drawn."""
    height, width = blue.shape
    if height % HARMONIC_ROWS or height == HARMONIC_ROWS:
        return False
    if not np.ptp(blue):
        return blue[0, 0] == ZERO_PROMINENCE  # of sound in which nothing can stand out
    stripes = blue.reshape(HARMONIC_ROWS, height // HARMONIC_ROWS, width)
    return bool((stripes == stripes[:, :1]).all())


def _shows_delay(encoded: bytes) -> bool:
    """Say whether a picture that can be decoded is one of level and delay, by `encode_png`."""
    if not encoded.startswith(PNG_SIGNATURE) or encoded[PNG_COLOR_AT] != PNG_RGB:
        return False
    red, green, blue = cv2.split(_decode(encoded, in_colour=True))
    drawn = not blue.any() or _shows_harmonics(blue)
    return drawn and np.ptp(red) > 0 and np.ptp(green) > 0


def fit_image(pixels: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Convert an image to the settings' size and colour.

    Args:
        pixels: uint8 `(height, width)`, or with 2 or 3 channels, of any size.
        settings: size and colour to convert to.

    Returns:
        uint8 `(height, width, channels)`.
    """
    if pixels.shape[:2] != (settings.height, settings.width):
        shrinks = pixels.shape[0] * pixels.shape[1] > settings.height * settings.width
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, (settings.width, settings.height), interpolation=interpolation)
    if pixels.ndim == 2 and settings.channels == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return pixels.reshape(settings.shape)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode an image as a PNG file's bytes, the same bytes each time.

    Args:
        pixels: uint8 `(height, width)`, or `(height, width, channels)` of grey, of level and delay
            (which become red and green), or of three that become red, green and blue.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)])
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels, PNG_PARAMETERS)[1].tobytes()
