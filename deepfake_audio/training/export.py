"""Export a trained network as ONNX, and calibrate its scores on validation."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from deepfake_audio.config.schema import PredictSettings, Settings
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.features.image_files import read_image
from deepfake_audio.models import onnx_session, record_files, run_folder
from deepfake_audio.models.calibration import (
    Calibration,
    decision_threshold,
    fit_calibration,
    probability,
)
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.training.score_model import score_model
from deepfake_audio.training.weights import load_network
from deepfake_audio.vocabulary import LABELS, ImageRecord

TOLERANCE = 1e-5  # largest difference of ONNX to Keras, in P(real)
CHECKED_IMAGES = 32
MAX_TRAINING_IMAGES = 5_000  # judged for the printed figures; more say the same


@dataclass(frozen=True)
class SplitResult:
    """Results of the exported, calibrated network on the files of a split.

    Attributes:
        files: their number.
        accuracy: share of right verdicts, 0 to 1.
        equal_error_rate: 0 to 1.
        uncertain: share of files with a confidence below `predict.min_confidence`, 0 to 1.
    """

    split: str
    files: int
    accuracy: float
    equal_error_rate: float
    uncertain: float


def export_and_calibrate(
    run: run_folder.Run,
    settings: Settings,
    records: Sequence[ImageRecord],
    ended: Mapping[str, object],
    build_model: Callable[..., keras.Sequential],
) -> tuple[Calibration, list[SplitResult]]:
    """Export a run's network, calibrate it on validation, and measure it on both splits.

    The run's `model.keras` holds the weights; `ended` are the fields of its record that change.
    """
    validation = [record for record in records if record.split == "val"]
    images = [read_image(record.path, settings.image) for record in validation[:CHECKED_IMAGES]]
    export_onnx(run, np.stack(images).astype(np.float32), settings, build_model)
    model = onnx_session.load_model(run.next_model, settings.score.threads, settings.limits)
    training = [record for record in records if record.split == "train"]
    measured = {"train": _some(training), "val": validation}
    scores = {
        split: onnx_session.score_files(model, images, settings.image, settings.score.batch_size)
        for split, images in measured.items()
    }
    calibration = Calibration(*fit_calibration(scores["val"].is_real, scores["val"].scores))
    ended = dict(ended, calibration=calibration)
    record_files.commit_model(run, record_files.read_record(run).model_copy(update=ended), settings)
    return calibration, [
        _measure(split, each, calibration, settings.predict) for split, each in scores.items()
    ]


def _some(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Return at most `MAX_TRAINING_IMAGES` records, evenly spread over those of each class."""
    step = -(-len(records) // MAX_TRAINING_IMAGES)
    by_label = [[each for each in records if each.label == label] for label in LABELS]
    return [each for same in by_label for each in same[::step]]


def _measure(
    split: str, scored: onnx_session.FileScores, calibration: Calibration, predict: PredictSettings
) -> SplitResult:
    called_real = calibration.llr(scored.scores) > decision_threshold(predict.prior_fake)
    p_real = calibration.probability_real(scored.scores, predict.prior_fake)
    return SplitResult(
        split,
        files=len(called_real),
        accuracy=float(np.mean(called_real == scored.is_real)),
        equal_error_rate=equal_error_rate(scored.is_real, scored.scores).rate,
        uncertain=float(np.mean(np.maximum(p_real, 1 - p_real) < predict.min_confidence)),
    )


def export_onnx(
    run: run_folder.Run,
    images: np.ndarray,
    settings: Settings,
    build_model: Callable[..., keras.Sequential],
) -> None:
    """Write the network up to its score as ONNX, and check its scores of images against Keras's."""
    model = load_network(build_model, run.keras_model, settings)
    scores = score_model(model)
    expected = model.predict(images, verbose=0)[:, 0]
    scores.predict(images, verbose=0)  # Keras exports only a model that was called
    with atomic_write(run.next_model) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the converter itself
        scores.export(partial, format="onnx", verbose=False)
    session = onnx_session.load_model(run.next_model, settings.score.threads, settings.limits)
    exported = probability(onnx_session.score_images(session, images), prior_fake=0.5)
    difference = np.abs(exported - expected).max()
    if difference > TOLERANCE:
        raise RuntimeError(f"model.onnx differs from model.keras by {difference:.1e} in P(real)")
