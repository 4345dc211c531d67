"""Find the places of a recording that speak for fake, by hiding them from the network.

Occlusion (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014): one
band of frequencies of one window is replaced by its mean level, and the window is scored again. If
the score rises, towards real, the network took the band for a trace of synthesis.
"""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from deepfake_audio.models.onnx_session import score_images
from deepfake_audio.vocabulary import ZERO_PROMINENCE

BANDS = 8  # of equal height
# Chosen on spliced recordings of validation voices: docs/reports.md has the shares.
MIN_EFFECT = 0.5  # log-odds that a place must change
MIN_REPETITION_EFFECT = 4.0
MARKED_SHARE = 0.1  # the largest share of places
MAX_BATCH = 8  # more images do not fit the processor's cache


def band_rows(band: int, height: int) -> slice:
    """Return the rows of a band of an image; band 0 is the lowest, at the bottom.

    >>> band_rows(0, 256), band_rows(7, 256)
    (slice(224, 256, None), slice(0, 32, None))
    """
    return slice(height - (band + 1) * height // BANDS, height - band * height // BANDS)


def hide_band(image: np.ndarray, band: int) -> np.ndarray:
    """Replace a band, from 0 at the bottom, by the mean of each of its rows over time.

    The third channel of three has vocoder frame rates, whose rows are no frequencies: it stays.
    The image is uint8 `(height, width, channels)`, and the result float32 of the same shape.
    """
    hidden, rows = image.astype(np.float32), band_rows(band, len(image))
    part = hidden[rows, :, :2]
    part[:] = part.mean(axis=1, keepdims=True)
    return hidden


def band_effects(model: onnxruntime.InferenceSession, images: Sequence[np.ndarray]) -> np.ndarray:
    """Measure how far the score of each window rises without each band.

    Args:
        images: of the windows, uint8 `(height, width, channels)`.

    Returns:
        float64 `(windows, BANDS)` in log-odds, lowest band first: above 0, the band speaks for
        fake.
    """
    effects = np.empty((len(images), BANDS))
    for window, image in enumerate(images):
        shown = [image.astype(np.float32), *(hide_band(image, band) for band in range(BANDS))]
        batches = (shown[first : first + MAX_BATCH] for first in range(0, len(shown), MAX_BATCH))
        scores = np.concatenate([score_images(model, np.stack(batch)) for batch in batches])
        effects[window] = scores[1:] - scores[0]
    return effects


def repetition_effects(
    model: onnxruntime.InferenceSession, images: Sequence[np.ndarray]
) -> np.ndarray:
    """Measure how far the score rises if nothing repeats at the frame rate of a vocoder.

    Args:
        images: of the windows, uint8 `(height, width, 3)`, with frame rates in the third channel.

    Returns:
        float64 `(windows,)` in log-odds.
    """
    effects = np.empty(len(images))
    for window, image in enumerate(images):
        hidden = image.copy()
        hidden[..., 2] = ZERO_PROMINENCE
        before, after = score_images(model, np.stack([image, hidden]))
        effects[window] = after - before
    return effects


def strongest_places(effects: np.ndarray) -> np.ndarray:
    """Return the places that speak for fake most: bool, of the same shape.

    >>> strongest_places(np.array([[0.1, 3.0], [0.2, -4.0]])).tolist()
    [[False, True], [False, False]]
    """
    most = max(1, round(MARKED_SHARE * effects.size))
    least = np.sort(effects, axis=None)[-most]
    return effects >= max(least, MIN_EFFECT)
