"""Scores from an exported model: a batch of images in, log-odds of real out. No TensorFlow."""

import contextlib
import functools
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.config.schema import LimitSettings
from deepfake_audio.errors import InputError, shortened
from deepfake_audio.features.image_files import read_image
from deepfake_audio.models.onnx_check import check_graph
from deepfake_audio.system.regular_files import open_regular, size_of
from deepfake_audio.system.workers import usable_threads
from deepfake_audio.vocabulary import ImageRecord

MAX_WITHOUT_IMAGE = 1000  # of those that wait with images for a batch to be full
BATCH_VALUES = 25_000_000  # pixels held for a batch, whatever its size by setting
LOAD_ERRORS = (
    onnx_errors.NoSuchFile,
    onnx_errors.InvalidProtobuf,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidArgument,
    onnx_errors.NotImplemented,
    onnx_errors.Fail,
    onnx_errors.RuntimeException,
    UnicodeDecodeError,
)


def load_model(
    path: Path, threads: int, limits: LimitSettings | None = None, bound_memory: bool = True
) -> onnxruntime.InferenceSession:
    """Load an exported model; whoever made it, it can only compute, and within bounds.

    Args:
        path: `model.onnx`.
        threads: processor threads; 0 takes all.
        limits: on the file's size and on the memory for scoring; None takes config.yaml's.
        bound_memory: bound the memory of this process while the file is parsed.

    Raises:
        InputError: the file is missing, too large, or no such model.
    """
    limits = limits or load_settings().limits
    encoded = read_checked(path, limits, bound_memory)
    _bound_memory(limits.scoring_megabytes)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_threads(threads)
    # Threads that wait by running in circles double the processor time for such small networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(
            encoded, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except LOAD_ERRORS as error:
        raise _no_model(path, error) from None


def read_checked(path: Path, limits: LimitSettings, bound_memory: bool = True) -> bytes:
    """Read a model file, or raise a `InputError` unless it is a network within the limits."""
    return check_graph(read_model(path, limits), str(path), limits, bound_memory)


def read_model(path: Path, limits: LimitSettings) -> bytes:
    """Read a model file's bytes, or raise a `InputError` that says why they are not taken."""
    try:
        with open_regular(path, "A model") as file:
            size = size_of(file)
            encoded = file.read(size) if size <= limits.model_megabytes * 1_000_000 else None
    except (OSError, InputError) as error:
        raise _no_model(path, error) from None
    if encoded is None:
        raise InputError(
            f"{path} has {size / 1e6:,.0f} megabytes, more than limits.model_megabytes="
            f"{limits.model_megabytes}; raise the limit in config.yaml"
        )
    return encoded


def _no_model(path: Path, error: Exception) -> InputError:
    return InputError(
        f"cannot load {path}: {shortened(error)}; train again, or copy the whole run folder"
    )


@functools.cache
def _bound_memory(megabytes: int) -> None:
    """Let all models of this process share one memory of this size; the first call decides it."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    bounds = onnxruntime.OrtArenaCfg(megabytes * 1_000_000, -1, -1, -1)
    with contextlib.suppress(RuntimeError):  # there is one already
        onnxruntime.create_and_register_allocator(memory, bounds)


def score_images(model: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Score a batch.

    Args:
        model: from `load_model`.
        images: uint8 or float `(batch, height, width, channels)` in 0...255.

    Returns:
        float64 `(batch,)`, the log-odds of real before calibration: higher is more real.
    """
    try:
        name = _input_name(model, images.shape)
        (scores,) = model.run(None, {name: images.astype(np.float32)})
    except LOAD_ERRORS as error:
        raise InputError(
            f"scoring {len(images)} images at a time failed: {shortened(error)}; lower "
            "score.batch_size in the run's config.yaml, or raise limits.scoring_megabytes"
        ) from None
    if scores.shape != (len(images), 1) or not np.isfinite(scores).all():
        raise InputError(
            f"the model does not give one finite score for each of {len(images)} images; train "
            "again"
        )
    return scores[:, 0].astype(np.float64)


def _input_name(model: onnxruntime.InferenceSession, shape: tuple[int, ...]) -> str:
    inputs, outputs = model.get_inputs(), model.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or list(inputs[0].shape[1:]) != list(shape[1:]):
        taken = ", ".join(str(tuple(part.shape[1:])) for part in inputs)
        raise InputError(
            f"the model takes images of {taken}, but the run's images are {shape[1:]}; copy the "
            "whole run folder, or train again"
        )
    return inputs[0].name


def score_stream(
    model: onnxruntime.InferenceSession,
    images: Iterable[tuple[Hashable, np.ndarray | None]],
    batch_size: int,
) -> Iterator[tuple[Hashable, float | None]]:
    """Score images one after another, holding at most one batch of them.

    Args:
        model: from `load_model`.
        images: pairs of a key and an image `(height, width, channels)`; a pair without an image
            keeps its place among the others, and few of them wait for a batch to be full.
        batch_size: images scored at a time.

    Yields:
        The same keys in the same order with the score of their image, or None.
    """
    waiting: list[tuple[Hashable, np.ndarray | None]] = []
    held, most = 0, 1
    for key, image in images:
        waiting.append((key, image))
        if image is not None:
            held, most = held + 1, max(1, min(batch_size, BATCH_VALUES // image.size))
        is_full = held >= most or len(waiting) - held >= MAX_WITHOUT_IMAGE
        if not held or is_full:
            yield from _score_batch(model, waiting)
            waiting, held = [], 0
    yield from _score_batch(model, waiting)


def _score_batch(
    model: onnxruntime.InferenceSession, pairs: Sequence[tuple[Hashable, np.ndarray | None]]
) -> Iterator[tuple[Hashable, float | None]]:
    images = [image for _, image in pairs if image is not None]
    scores = iter(score_images(model, np.stack(images)).tolist() if images else ())
    for key, image in pairs:
        yield key, None if image is None else next(scores)


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


def pool_scores(scores: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    """Average the scores of each source's windows, sources in order of first appearance.

    >>> pool_scores([("a", 1.0), ("a", 3.0), ("b", -1.0)])
    {'a': 2.0, 'b': -1.0}
    """
    windows: dict[Hashable, list[float]] = {}
    for source, score in scores:
        windows.setdefault(source, []).append(score)
    return {source: float(np.mean(values)) for source, values in windows.items()}
