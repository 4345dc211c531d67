"""Read image files: training, evaluation and prediction all decode them here."""

import threading
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_headers import image_size
from deepfake_audio.features.pixel_format import (
    has_delay,
    has_rates,
    is_rendered,
    may_be_rendered,
)
from deepfake_audio.system.opencv import cv2
from deepfake_audio.system.regular_files import open_regular, size_of
from deepfake_audio.vocabulary import IMAGE_SUFFIXES, OTHERS, WITH_DELAY

BYTES_PER_PIXEL = 4  # of an uncompressed image with transparency
LARGE_PIXELS = 4_000_000  # larger images are decoded one at a time, to bound the memory of threads
ONE_LARGE_IMAGE = threading.RLock()
MIN_CONTRAST = 8  # levels; a blank picture in JPEG has up to 2
DARK_LEVEL = 128  # a picture of 16 bits that uses only 15 is no brighter
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")  # and WebP's
SIGNATURE_BYTES = 12


class OtherImageError(InputError):
    """An image that runs with other `image.channels` can judge.

    Attributes:
        channels: of these runs.
    """

    def __init__(self, message: str, channels: tuple[str, ...]):
        super().__init__(message, "other_run")
        self.channels = channels


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
    if size > settings.max_megapixels * 1_000_000 * BYTES_PER_PIXEL:
        raise InputError(
            f"cannot read {origin}: it has more than {BYTES_PER_PIXEL} bytes for each of "
            f"image.max_megapixels={settings.max_megapixels} million pixels; make it smaller",
            "limit",
        )


class ImageCache:
    """A cache of decoded images; images for which there is no room are read each time.

    Args:
        settings: size and colour that images are read to.
        megabytes: size of the cache, in 1,000,000 bytes.
    """

    def __init__(self, settings: ImageSettings, megabytes: float):
        self.settings = settings
        self._free_bytes = megabytes * 1e6
        self._kept: dict[Path, np.ndarray] = {}
        self._lock = threading.Lock()

    def read(self, path: Path) -> np.ndarray:
        """Return an image, uint8 `(height, width, channels)`; it is read-only."""
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
                f"image.max_megapixels={settings.max_megapixels} million; make it smaller",
                "limit",
            )
        with ONE_LARGE_IMAGE if width * height > LARGE_PIXELS else nullcontext():
            pixels = _decode_visible(encoded, settings.channel_count > 1)
    if pixels is None:
        raise InputError(
            f"cannot read {origin}: it is damaged, or no PNG, JPEG, BMP, WebP or TIFF file of 8 "
            "or 16 bits; save it as PNG",
            "no_image",
        )
    if is_blank(pixels):
        pixels = pixels[..., : settings.channel_count] if pixels.ndim == 3 else pixels
    elif settings.channels in WITH_DELAY:
        pixels = _rendered_channels(pixels, settings, origin)
    elif may_be_rendered(encoded) and is_rendered(_decode(encoded, in_colour=True)):
        raise OtherImageError(
            f"cannot use {origin} with image.channels={settings.channels}: prepare.py rendered it "
            "with the group delay in green; give the recording, or choose a run with "
            f"image.channels={' or '.join(WITH_DELAY)}",
            WITH_DELAY,
        )
    return fit_image(pixels, settings)


def _decode(encoded: bytes, in_colour: bool) -> np.ndarray | None:
    flag = cv2.IMREAD_COLOR_RGB if in_colour else cv2.IMREAD_GRAYSCALE
    try:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    except cv2.error:
        return None


def _decode_visible(encoded: bytes, in_colour: bool) -> np.ndarray | None:
    """Decode an image whose content may be only in its alpha channel or in its lower bits."""
    pixels = _decode(encoded, in_colour)
    if pixels is None or pixels.size > 3 * LARGE_PIXELS:  # of which there is no spectrogram
        return pixels
    if pixels.max() >= DARK_LEVEL and not is_blank(pixels):
        return pixels
    stored = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype not in (np.uint8, np.uint16):
        return pixels
    if stored.dtype == np.uint16:  # 10, 12 or 14 bits become 8
        unused_bits = 16 - max(8, int(stored[..., :3].max()).bit_length())
        stored = np.right_shift(stored, 8 - unused_bits).astype(np.uint8)
    if stored.ndim == 3 and stored.shape[2] == 4:
        alpha = stored[..., 3:] / np.float32(stored[..., 3].max() or 1)
        on_white = stored[..., :3] * alpha + 255 * (1 - alpha)  # as a viewer shows it
        stored = np.rint(on_white).astype(np.uint8)
    grey = stored if stored.ndim == 2 else cv2.cvtColor(stored[..., :3], cv2.COLOR_BGR2GRAY)
    if not in_colour:
        return grey
    flag = cv2.COLOR_GRAY2RGB if stored.ndim == 2 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(stored, flag)


def is_blank(pixels: np.ndarray) -> bool:
    """Return whether an image shows nothing: it is black, white or grey throughout."""
    return bool(np.ptp(pixels[..., 0] if pixels.ndim == 3 else pixels) < MIN_CONTRAST)


def is_nearly_blank(pixels: np.ndarray) -> bool:
    """Return whether an image shows nothing but faint noise or a few dots."""
    level = pixels[..., 0] if pixels.ndim == 3 else pixels
    return bool(np.ptp(np.percentile(level, (1, 99))) < MIN_CONTRAST)


def is_foreign(source: Path | bytes, size: tuple[int, int], settings: ImageSettings) -> bool:
    """Return whether prepare.py can't have rendered an image: it has another size, or colours.

    Args:
        source: an image that `read_image` can read.
        size: height and width of the images that prepare.py renders for the run.
        settings: of the run.
    """
    if isinstance(source, Path):
        with open_regular(source, "An image") as file:
            source = _read_bytes(file, size_of(file), source)
    if image_size(source) != size[::-1]:
        return True
    pixels = _decode(source, in_colour=True)
    if pixels is None or settings.channels in WITH_DELAY:
        return pixels is None
    return bool(np.ptp(pixels.astype(np.int16), axis=2).max() >= MIN_CONTRAST)


def _rendered_channels(pixels: np.ndarray, settings: ImageSettings, origin: str) -> np.ndarray:
    """Return the channels of an RGB image that the settings name, or refuse another image."""
    if not has_delay(pixels):
        raise OtherImageError(
            f"cannot use {origin} with image.channels={settings.channels}: it is grey, without the "
            "group delay in green that prepare.py renders; give the recording, or choose a run for "
            "grey images",
            OTHERS,
        )
    if settings.channel_count > 2 and not has_rates(pixels[..., 2]):
        raise OtherImageError(
            f"cannot use {origin} with image.channels={settings.channels}: it lacks the frame "
            "rates in blue that prepare.py renders; give the recording, or choose a run for such "
            "images",
            (*OTHERS, "level_delay"),
        )
    return np.ascontiguousarray(pixels[..., : settings.channel_count])


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
    if pixels.ndim == 2 and settings.channel_count == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return pixels.reshape(settings.shape)
