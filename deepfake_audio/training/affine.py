"""Keras's transform parameters as OpenCV's work: one affine map an image, and changes of level.

Meanings, units and quirks are those of `keras.src.legacy.preprocessing.image`.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from deepfake_audio.vocabulary import ZERO_DELAY

BORDERS = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT}
INTERPOLATIONS = {0: cv2.INTER_NEAREST, 1: cv2.INTER_LINEAR}


def affine_matrices(parameters: Mapping[str, np.ndarray], height: int, width: int) -> np.ndarray:
    """Return the maps from output to input pixels for Keras's transform parameters.

    Keras composes rotation, shift, shear and zoom, in this order, and flips afterwards. It takes
    `(height / 2, width / 2)` for the centre's (column, row); in images that are not square this is
    off the middle, and is kept, so that the same parameters mean the same.

    Args:
        parameters: theta and shear in degrees, tx and ty in pixels, zx, zy and flips; each
            `(images,)`.
        height: of the images, in pixels.
        width: of the images, in pixels.

    Returns:
        float64 `(images, 3, 3)` on `(column, row, 1)`, as OpenCV takes it.
    """
    theta, shear = np.deg2rad(parameters["theta"]), np.deg2rad(parameters["shear"])
    identity = np.tile(np.eye(3), (len(theta), 1, 1))
    rotation, shift, shearing, zoom, flip = (identity.copy() for _ in range(5))
    rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(theta)
    rotation[:, 1, 0] = np.sin(theta)
    rotation[:, 0, 1] = -rotation[:, 1, 0]
    shift[:, 0, 2], shift[:, 1, 2] = parameters["tx"], parameters["ty"]
    shearing[:, 0, 1], shearing[:, 1, 1] = -np.sin(shear), np.cos(shear)
    zoom[:, 0, 0], zoom[:, 1, 1] = parameters["zx"], parameters["zy"]
    flip[np.asarray(parameters["flip_horizontal"], bool), 0] = -1, 0, width - 1
    flip[np.asarray(parameters["flip_vertical"], bool), 1] = 0, -1, height - 1
    centre = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    back = np.array([[1, 0, 0.5 - height / 2], [0, 1, 0.5 - width / 2], [0, 0, 1]])
    return centre @ (rotation @ (shift @ (shearing @ (zoom @ (back @ flip)))))


def warp(
    image: np.ndarray, matrix: np.ndarray, order: int, fill_mode: str, cval: float, out: np.ndarray
) -> None:
    """Draw an image through an affine map, as SciPy's `affine_transform` does.

    Args:
        image: uint8 or float32 `(height, width, channels)`.
        matrix: float64 `(3, 3)` of `affine_matrices`.
        order: 0 takes the nearest pixel, 1 blends its neighbours.
        fill_mode: nearest, reflect, wrap or constant, in SciPy's sense.
        cval: level of what lies outside, with constant.
        out: what is written to, of the image's shape and type.
    """
    height, width = image.shape[:2]
    if fill_mode == "wrap":
        rows, columns = (
            _wrap(c, size)
            for c, size in zip(
                source_coordinates(matrix, height, width), (height, width), strict=True
            )
        )
        if order == 0:
            rows, columns = np.floor(rows + 0.5), np.floor(columns + 0.5)
        maps = columns.astype(np.float32), rows.astype(np.float32)
        cv2.remap(image, *maps, INTERPOLATIONS[order], out, cv2.BORDER_REPLICATE)
        return
    border = BORDERS.get(fill_mode, cv2.BORDER_REPLICATE)
    flags = INTERPOLATIONS[order] | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(image, matrix[:2], (width, height), out, flags, border)
    if fill_mode == "constant":  # OpenCV would blend the edge with what lies outside, SciPy doesn't
        rows, columns = source_coordinates(matrix, height, width)
        inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
        out[~inside] = cval


def source_coordinates(
    matrix: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each output pixel comes from: rows and columns, float64 `(height, width)`."""
    rows, columns = np.arange(height)[:, None], np.arange(width)
    return (
        matrix[1, 2] + matrix[1, 1] * rows + matrix[1, 0] * columns,
        matrix[0, 2] + matrix[0, 1] * rows + matrix[0, 0] * columns,
    )


def _wrap(coordinates: np.ndarray, size: int) -> np.ndarray:
    """Bring coordinates into 0...size - 1 as SciPy's wrap does: its period is size - 1."""
    period = size - 1
    below = coordinates + period * (np.trunc(-coordinates / period) + 1)
    above = coordinates - period * np.trunc(coordinates / period)
    return np.where(coordinates < 0, below, np.where(coordinates > period, above, coordinates))


def mirror_delays(delays: np.ndarray, flipped: np.ndarray) -> None:
    """Let what sounds late in a frame sound early, where time was turned round, in place.

    Args:
        delays: float32 `(images, height, width)`, 2 to 254, 128 for the middle of a frame.
        flipped: whether, bool or 0 and 1 `(images,)`.
    """
    flipped = np.asarray(flipped, bool)
    delays[flipped] = 2 * ZERO_DELAY - delays[flipped]


def shift_levels(image: np.ndarray, intensity: float) -> None:
    """Add to all levels of an image within its own darkest and brightest: Keras's channel shift."""
    np.clip(image + np.float32(intensity), image.min(), image.max(), out=image)


def scale_levels(image: np.ndarray, brightness: float) -> None:
    """Multiply all levels of an image, as Pillow does for Keras: whole levels from 0 to 255."""
    np.trunc(image, out=image)
    image *= np.float32(brightness)
    np.trunc(np.clip(image, 0, 255, out=image), out=image)
