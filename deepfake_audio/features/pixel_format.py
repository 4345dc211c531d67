"""The pixel format of spectrogram images: the meaning of levels, recognition, encoding.

Channel 0 (red) is the level, channel 1 (green) the group delay, channel 2 (blue) the prominence of
vocoder frame rates. `vocabulary.py` has the constants that settings and network need too.
"""

import base64

import numpy as np

from deepfake_audio.system.opencv import cv2
from deepfake_audio.vocabulary import (
    HARMONIC_COLUMNS,
    HARMONIC_ROWS,
    LEVELS_PER_DB,
    ZERO_DELAY,
    ZERO_PROMINENCE,
)

DELAY_LEVELS = 80  # levels for an arctangent of 1
PNG_SIGNATURE, PNG_COLOR_AT, PNG_RGB = b"\x89PNG\r\n\x1a\n", 25, 2
# Spectrograms have grain, but no repetitions: searching for these saves no bytes and takes time.
PNG_PARAMETERS = (
    cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG,
    cv2.IMWRITE_PNG_COMPRESSION, 1,
    cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
)  # fmt: skip


def level_pixels(level_db: np.ndarray, db_range: float) -> np.ndarray:
    """Convert levels to pixels.

    Args:
        level_db: float32 `(frequency_bins, frames)`, 0 at the maximum, lowest frequency first.
        db_range: dB below the maximum that pixels can show.

    Returns:
        uint8 `(frequency_bins, frames)`, lowest frequency at the bottom; 255 is 0 dB.
    """
    grey = level_db * np.float32(255 / db_range)
    grey += np.float32(255.5)  # half a step, because astype rounds down
    np.maximum(grey, 0, out=grey)
    return np.ascontiguousarray(grey.astype(np.uint8)[::-1])


def delay_pixels(delay_eighths: np.ndarray) -> np.ndarray:
    """Convert group delays to pixels.

    Args:
        delay_eighths: float32 `(frequency_bins, frames)` in eighths of a frame, lowest frequency
            first.

    Returns:
        uint8 of the same shape, lowest frequency at the bottom; 128 is the middle of the frame.
    """
    delay = np.arctan(delay_eighths) * np.float32(DELAY_LEVELS) + np.float32(ZERO_DELAY + 0.5)
    return delay.astype(np.uint8)[::-1]


def prominence_pixels(prominence_db: np.ndarray, height: int) -> np.ndarray:
    """Convert the prominence of harmonics to stripes of equal rows.

    Args:
        prominence_db: float32 `(HARMONIC_ROWS, rates, HARMONIC_COLUMNS)`, of
            `harmonic_prominence_db`.
        height: of the image, a multiple of `HARMONIC_ROWS`.

    Returns:
        uint8 `(height, rates * HARMONIC_COLUMNS)`, the first harmonics at the bottom; 128 is 0 dB.
    """
    levels = prominence_db * LEVELS_PER_DB + (ZERO_PROMINENCE + 0.5)
    levels = np.clip(levels, 0, 255).astype(np.uint8)
    stripes = levels.reshape(HARMONIC_ROWS, -1)[::-1]
    return np.repeat(stripes, height // HARMONIC_ROWS, axis=0)


def read_prominence_db(blue: np.ndarray) -> np.ndarray:
    """Return the prominence that `prominence_pixels` encoded: float32, of the shape it took."""
    stripes = blue[:: len(blue) // HARMONIC_ROWS][::-1].astype(np.float32)
    return ((stripes - ZERO_PROMINENCE) / LEVELS_PER_DB).reshape(
        HARMONIC_ROWS, -1, HARMONIC_COLUMNS
    )


def has_delay(pixels: np.ndarray) -> bool:
    """Return whether an RGB image has a group delay in green: a grey image has none."""
    return not np.array_equal(pixels[..., 0], pixels[..., 1])


def has_rates(blue: np.ndarray) -> bool:
    """Return whether a channel `(height, width)` has the stripes of `prominence_pixels`."""
    height, width = blue.shape
    if height % HARMONIC_ROWS or height == HARMONIC_ROWS:
        return False
    if not np.ptp(blue):
        return blue[0, 0] == ZERO_PROMINENCE  # of sound without any prominence
    stripes = blue.reshape(HARMONIC_ROWS, height // HARMONIC_ROWS, width)
    return bool((stripes == stripes[:, :1]).all())


def may_be_rendered(encoded: bytes) -> bool:
    """Return whether a file is an RGB PNG, as `encode_png` makes of two or three channels."""
    return encoded.startswith(PNG_SIGNATURE) and encoded[PNG_COLOR_AT] == PNG_RGB


def is_rendered(pixels: np.ndarray) -> bool:
    """Return whether the pixels of an RGB PNG are a level, a group delay, and rates or nothing."""
    red, green, blue = cv2.split(pixels)
    return (not blue.any() or has_rates(blue)) and np.ptp(red) > 0 and np.ptp(green) > 0


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode an image as a PNG file, always to the same bytes.

    Args:
        pixels: uint8 `(height, width)`, or `(height, width, channels)` with 1 channel (grey), 2
            (level and delay, which become red and green), or 3 (red, green and blue).
    """
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)])
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels, PNG_PARAMETERS)[1].tobytes()


def picture_url(png: bytes) -> str:
    """Return a PNG file's bytes as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
