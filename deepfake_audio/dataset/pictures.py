"""The outside of pictures made elsewhere: size, white margins, and warnings about them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.errors import pluralize
from deepfake_audio.features.image_headers import image_size
from deepfake_audio.system.opencv import cv2
from deepfake_audio.system.regular_files import open_regular

WHITE = 240
EMPTY_SHARE = 0.8  # the share of a margin's row or column; ticks and labels fill the rest
MIN_MARGIN = 0.02  # relative to the height or width, at all four sides
MIN_INK_SHARE = 0.002  # the share of a margin's pixels that ticks and labels fill
SQUEEZE = 1.5  # a picture is squeezed if its aspect ratio changes by more than this factor
MAX_SHARE = 0.2  # the share of images that may have margins or be squeezed


class Picture(NamedTuple):
    """The outside of an image: its size, its kind and its margins."""

    width: int
    height: int
    kind: str
    has_margins: bool
    has_ink: bool


def examine(path: Path) -> Picture:
    """Measure the size of an image and its white margins; `read_image` has read it before."""
    with open_regular(path, "An image") as file:
        encoded = file.read()
    width, height = image_size(encoded)
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    has_margins, has_ink = find_margins(_on_white(pixels))
    return Picture(width, height, path.suffix.lower(), has_margins, has_ink)


def _on_white(pixels: np.ndarray) -> np.ndarray:
    """Return an image in grey, as a viewer shows it on a white page: uint8 `(height, width)`."""
    if pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8).astype(np.uint8)
    if pixels.ndim == 2:
        return pixels
    grey = pixels[..., :3].mean(axis=2)
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3] / 255
        grey = grey * alpha + 255 * (1 - alpha)
    return grey.astype(np.uint8)


def find_margins(grey: np.ndarray) -> tuple[bool, bool]:
    """Return whether an image has white margins at all sides, and ticks or labels in them.

    Args:
        grey: uint8 `(height, width)`.
    """
    is_white = grey >= WHITE
    by_row, by_column = is_white.mean(axis=1), is_white.mean(axis=0)
    sides = [_margin(line) for line in (by_row, by_row[::-1], by_column, by_column[::-1])]
    top, bottom, left, right = sides
    if min(sides) < 1 or top + bottom >= len(by_row) or left + right >= len(by_column):
        return False, False
    shares = [top / len(by_row), bottom / len(by_row)]
    shares += [left / len(by_column), right / len(by_column)]
    if min(shares) < MIN_MARGIN:
        return False, False
    outside = np.ones_like(is_white)
    outside[top : len(by_row) - bottom, left : len(by_column) - right] = False
    return True, bool((~is_white[outside]).mean() > MIN_INK_SHARE)


def _margin(white_shares: np.ndarray) -> int:
    """Return the number of lines from the edge that are nearly white."""
    filled = np.flatnonzero(white_shares < EMPTY_SHARE)
    return int(filled[0]) if len(filled) else len(white_shares)


def picture_warnings(
    pictures: Mapping[str, Sequence[Picture]], settings: ImageSettings
) -> Iterator[str]:
    """Warn of pictures with margins, and of a size that squeezes them.

    Args:
        pictures: by class.
        settings: the size that the network takes.
    """
    every = [picture for of_class in pictures.values() for picture in of_class]
    margins = {label: sum(p.has_margins for p in found) for label, found in pictures.items()}
    total = sum(margins.values())
    if total > MAX_SHARE * len(every) or any(
        margins[label] > MAX_SHARE * len(found) for label, found in pictures.items()
    ):
        shares = " and ".join(
            f"{margins[label]:,} of {len(found):,} {label}" for label, found in pictures.items()
        )
        with_ink = sum(picture.has_ink for picture in every)
        what = "white margins with axes, ticks or labels" if with_ink else "white margins"
        yield (
            f"Warning: {shares} images have {what}, as figures of Matplotlib do. The network sees "
            "these too. Save the spectrogram only, for example with plt.imsave."
        )
    ratios = np.array([p.width / p.height for p in every]) / (settings.width / settings.height)
    squeezed = np.maximum(ratios, 1 / ratios) > SQUEEZE
    if squeezed.mean() > MAX_SHARE:
        sizes = Counter((picture.width, picture.height) for picture in every)
        (width, height), _ = sizes.most_common(1)[0]
        fitting = fitting_size(width / height, settings.width * settings.height)
        yield (
            f"Warning: {squeezed.sum():,} of {pluralize(len(every), 'image')} will be "
            f"squeezed, such as {width} x {height} pixels to image.width={settings.width} and "
            f"image.height={settings.height}. Train with image.width={fitting[0]} "
            f"image.height={fitting[1]}."
        )
    if len({round(picture.width / picture.height, 1) for picture in every}) > 1:
        yield (
            "Warning: the images have different aspect ratios, so that the same time or frequency "
            "has different lengths in the network's input."
        )


def fitting_size(ratio: float, pixels: int) -> tuple[int, int]:
    """Return a width and a height of an aspect ratio, in multiples of 16.

    >>> fitting_size(1.5, 128 * 96)
    (128, 80)
    """
    width = max(16, round((pixels * ratio) ** 0.5 / 16) * 16)
    return width, max(16, round(width / ratio / 16) * 16)
