"""Scores from an exported model: a batch of images in, log-odds of real out. No TensorFlow."""

import itertools
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from deepfake_audio.config import ImageSettings
from deepfake_audio.dataset import ImageRecord
from deepfake_audio.errors import UserError
from deepfake_audio.images import read_image

LOAD_ERRORS = (
    onnx_errors.NoSuchFile,
    onnx_errors.InvalidProtobuf,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidArgument,
    onnx_errors.NotImplemented,
    onnx_errors.Fail,
    onnx_errors.RuntimeException,
)


def load_model(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Load an exported model.

    Args:
        path: `model.onnx`.
        threads: processor threads; 0 takes all.

    Raises:
        UserError: the file is missing or no such model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as error:
        raise UserError(
            "A run needs its exported model. "
            f"Received: {path} ({' '.join(str(error).split())[:200]}). "
            "Train again, or copy the whole run folder."
        ) from None


def score_images(model: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Score a batch.

    Args:
        model: from `load_model`.
        images: uint8 or float `(batch, height, width, channels)` in 0...255.

    Returns:
        float64 `(batch,)`, the log-odds of real before calibration: higher is more real.
    """
    (model_input,) = model.get_inputs()
    (scores,) = model.run(None, {model_input.name: images.astype(np.float32)})
    return scores[:, 0].astype(np.float64)


def score_stream(
    model: onnxruntime.InferenceSession,
    images: Iterable[tuple[Hashable, np.ndarray]],
    batch_size: int,
) -> Iterator[tuple[Hashable, float]]:
    """Score images one after another, holding no more than one batch of them.

    Args:
        model: from `load_model`.
        images: pairs of anything and an image `(height, width, channels)`.
        batch_size: images scored at a time.

    Yields:
        The same pairs with the score in the image's place, in order.
    """
    images = iter(images)
    while batch := list(itertools.islice(images, batch_size)):
        scores = score_images(model, np.stack([image for _, image in batch]))
        yield from zip((key for key, _ in batch), scores.tolist(), strict=True)


@dataclass(frozen=True)
class FileScores:
    """The scores of whole files: each the mean over the file's windows.

    Attributes:
        records: the first window of each file.
        scores: log-odds of real before calibration, `(files,)`.
    """

    records: list[ImageRecord]
    scores: np.ndarray

    @property
    def is_real(self) -> np.ndarray:
        """Return the classes, 1 real and 0 fake: int `(files,)`."""
        return np.array([record.class_index for record in self.records])


def score_files(
    model: onnxruntime.InferenceSession,
    records: Sequence[ImageRecord],
    settings: ImageSettings,
    batch_size: int,
) -> FileScores:
    """Score readable images and average over the windows of each file."""
    images = ((record.source, read_image(record.path, settings)) for record in records)
    pooled = pool_scores(score_stream(model, images, batch_size))
    first = {record.source: record for record in reversed(records)}
    return FileScores([first[source] for source in pooled], np.array(list(pooled.values())))


def pool_scores(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Average the scores of each source's windows, sources in order of first appearance.

    >>> pool_scores([("a", 1.0), ("a", 3.0), ("b", -1.0)])
    {'a': 2.0, 'b': -1.0}
    """
    windows: dict[str, list[float]] = {}
    for source, score in scores:
        windows.setdefault(source, []).append(score)
    return {source: float(np.mean(values)) for source, values in windows.items()}
