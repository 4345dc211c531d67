"""Convert a network to LiteRT, the format for phones, and compute scores with it."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from deepfake_audio.config.schema import Settings
from deepfake_audio.features.image_files import read_image
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.vocabulary import ImageRecord


def write_litert(
    network: keras.Sequential,
    path: Path,
    scale_images: Callable[[], Iterable[list[np.ndarray]]] | None = None,
) -> None:
    """Convert a network to LiteRT.

    Args:
        network: the Keras model.
        path: of the file.
        scale_images: returns images, each `(1, height, width, channels)` in a list, which set the
            scales of 8-bit integers; None keeps floats.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if scale_images is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = scale_images
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # inputs and outputs stay floats
        converted = converter.convert()
    with atomic_write(path) as partial:
        partial.write_bytes(converted)


def load_litert(path: Path):
    """Return TensorFlow's interpreter of a LiteRT file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow announces a package for LiteRT
        interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter


def score_litert(interpreter, images: np.ndarray) -> np.ndarray:
    """Score images with a loaded LiteRT file: float64 `(images,)`."""
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    scores = np.empty(len(images))
    for number, image in enumerate(images):
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        scores[number] = interpreter.get_tensor(result["index"]).item()
    return scores


def image_batches(
    records: Sequence[ImageRecord], settings: Settings, batch_size: int
) -> Iterator[np.ndarray]:
    """Yield batches of images: float32 `(images, height, width, channels)` in 0...255."""
    batch_size = min(batch_size, settings.images_at_once)
    for first in range(0, len(records), batch_size):
        batch = records[first : first + batch_size]
        images = [read_image(record.path, settings.image) for record in batch]
        yield np.stack(images).astype(np.float32)


def score_batches(
    scorers: Mapping[str, Callable[[np.ndarray], np.ndarray]], batches: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """Score images with each network: float64 `(images,)` by its name."""
    scored = [[score(images) for score in scorers.values()] for images in batches]
    return {
        name: np.concatenate(scores)
        for name, scores in zip(scorers, zip(*scored, strict=True), strict=True)
    }


def log_odds(p_real: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, clipped to 1e-9 and 1 - 1e-9: float64 `(images,)`."""
    p_real = np.clip(p_real.astype(np.float64), 1e-9, 1 - 1e-9)
    return np.log(p_real / (1 - p_real))
