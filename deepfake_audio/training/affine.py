"""Apply Keras's transform parameters by OpenCV: one affine map, and changes of level.

Meanings, units and quirks are those of `keras.src.legacy.preprocessing.image`.
"""

import math
from collections.abc import Mapping

import numpy as np

from deepfake_audio.system.opencv import cv2

BORDERS = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT}
INTERPOLATIONS = {0: cv2.INTER_NEAREST, 1: cv2.INTER_LINEAR}


def affine_matrix(parameters: Mapping[str, float], height: int, width: int) -> np.ndarray:
    """Return the map from output to input pixels for Keras's transform parameters.

    Keras composes rotation, shift, shear and zoom, in this order, and flips afterwards. It takes
    `(height / 2, width / 2)` for the centre's (column, row); in images that are not square this is
    off the middle, and is kept, so that the same parameters mean the same.

    Args:
        parameters: theta and shear in degrees, tx and ty in pixels, zx, zy and flips.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        float64 `(3, 3)` on `(column, row, 1)`, as OpenCV takes it.
    """
    theta, shear = math.radians(parameters["theta"]), math.radians(parameters["shear"])
    sine, cosine = math.sin(theta), math.cos(theta)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    shift = np.array([[1, 0, parameters["tx"]], [0, 1, parameters["ty"]], [0, 0, 1]])
    shearing = np.array([[1, -math.sin(shear), 0], [0, math.cos(shear), 0], [0, 0, 1]])
    zoom = np.array([[parameters["zx"], 0, 0], [0, parameters["zy"], 0], [0, 0, 1]])
    centre = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    back = np.array([[1, 0, 0.5 - height / 2], [0, 1, 0.5 - width / 2], [0, 0, 1]])
    flip = np.eye(3)
    if parameters["flip_horizontal"]:
        flip[0] = -1, 0, width - 1
    if parameters["flip_vertical"]:
        flip[1] = 0, -1, height - 1
    return centre @ rotation @ shift @ shearing @ zoom @ back @ flip


def warp(
    image: np.ndarray, matrix: np.ndarray, order: int, fill_mode: str, cval: float, out: np.ndarray
) -> None:
    """Warp an image by an affine map, as SciPy's `affine_transform` does.

    Args:
        image: uint8 or float32 `(height, width, channels)`.
        matrix: float64 `(3, 3)` of `affine_matrix`.
        order: 0 takes the nearest pixel, 1 blends its neighbours.
        fill_mode: nearest, reflect, wrap or constant, in SciPy's sense.
        cval: level outside the image, with constant.
        out: is filled; of the image's shape and type.
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
    if fill_mode == "constant":  # OpenCV would blend the edge with the outside; SciPy does not
        rows, columns = source_coordinates(matrix, height, width)
        inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
        out[~inside] = cval


def source_coordinates(
    matrix: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the source of each output pixel: rows and columns, float64 `(height, width)`."""
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


def shift_levels(image: np.ndarray, intensity: float) -> None:
    """Add to all levels of an image, within its own minimum and maximum: Keras's channel shift."""
    np.clip(image + np.float32(intensity), image.min(), image.max(), out=image)


def scale_levels(image: np.ndarray, brightness: float) -> None:
    """Multiply all levels of an image, as Pillow does for Keras: whole levels from 0 to 255."""
    np.trunc(image, out=image)
    image *= np.float32(brightness)
    np.trunc(np.clip(image, 0, 255, out=image), out=image)
