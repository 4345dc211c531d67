"""Export a trained run for phones, and check that it still gives the same scores.

    python export.py                 the newest run, as LiteRT in floats and in 8-bit integers
    python export.py --run first     runs/first
    python export.py --data data/mine    with images of another folder

Writes model.tflite and model-int8.tflite into the run folder. Both take one image, float pixels
from 0 to 255, and give its score: the log-odds of real before calibration (run.json has slope and
intercept). The integers' scales are set on training images. Each file is read back, and its scores
and error rates on the validation images are printed beside Keras's; model.onnx, which train.py
wrote, is checked with them.
"""

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.manifest import DATA_REMEDY, check_classes, check_images, read_records
from deepfake_audio.errors import one_line
from deepfake_audio.evaluation.metrics import equal_error_rate
from deepfake_audio.features.image_files import read_image
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.models.calibration import Calibration, decision_threshold, probability
from deepfake_audio.system.atomic_files import atomic_write, check_replaceable
from deepfake_audio.vocabulary import ImageRecord
from train import network_with

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SCALE_IMAGES = 200  # enough to see the range of every layer
PART_IMAGES = 32


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)

    from model import score_model

    run, record, settings = run_folder.open_run(args.run)
    paths = {"LiteRT": run.folder / "model.tflite", "LiteRT int8": run.folder / "model-int8.tflite"}
    for path in paths.values():
        check_replaceable(path, b"TFL3", at=4)
    folder = Path(args.data or settings.data.folder)
    data = check_images(read_records(folder, DATA_REMEDY), settings.image)
    print_errors(data.unreadable)
    records = data.records
    check_classes(records, ("train", "val"), folder)
    model = network_with(run.keras_model, settings)
    network = score_model(model)
    training = [r for r in records if r.split == "train"]
    some = training[:: -(-len(training) // SCALE_IMAGES)]
    validation = [r for r in records if r.split == "val"]

    write_litert(network, paths["LiteRT"])
    write_litert(
        network, paths["LiteRT int8"], lambda: ([i] for i in image_parts(some, settings, 1))
    )
    onnx = onnx_session.load_model(run.onnx_model, settings.score.threads, settings.limits)
    scorers = {
        "Keras": lambda images: log_odds(model.predict_on_batch(images)[:, 0]),
        "ONNX": partial(onnx_session.score_images, onnx),
        **{name: partial(score_litert, load_litert(path)) for name, path in paths.items()},
    }
    scores = score_parts(scorers, image_parts(validation, settings, PART_IMAGES))
    sizes = {"Keras": run.keras_model, "ONNX": run.onnx_model, **paths}
    is_real = np.array([r.class_index for r in validation])
    print_lines(f"Run {run.name}, {len(validation):,} validation images of {one_line(folder)}\n")
    print_lines(
        format_table(scores, sizes, is_real, record.calibration, settings.predict.prior_fake)
    )
    print_lines(
        f"\nWritten to {one_line(run.folder)}: {', '.join(path.name for path in paths.values())}"
    )
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="export.py", description=__doc__)
    parser.add_argument(
        "--run", metavar="NAME", help="a folder below runs/, or a path (default: the newest run)"
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="images to check with (default: the run's own)"
    )
    return parser.parse_args(argv)


def log_odds(p_real: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, which must not be 0 or 1: float64 `(images,)`."""
    p_real = np.clip(p_real.astype(np.float64), 1e-9, 1 - 1e-9)
    return np.log(p_real / (1 - p_real))


def image_parts(
    records: Sequence[ImageRecord], settings: Settings, most: int
) -> Iterator[np.ndarray]:
    """Yield images, so many at a time: float32 `(images, height, width, channels)` in 0...255."""
    most = min(most, settings.images_at_once)
    for first in range(0, len(records), most):
        some = [read_image(r.path, settings.image) for r in records[first : first + most]]
        yield np.stack(some).astype(np.float32)


def score_parts(
    scorers: Mapping[str, Callable[[np.ndarray], np.ndarray]], parts: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """Score images with each network: float64 `(images,)` by its name."""
    scored = [[score(images) for score in scorers.values()] for images in parts]
    return {
        name: np.concatenate(scores)
        for name, scores in zip(scorers, zip(*scored, strict=True), strict=True)
    }


def write_litert(
    network, path: Path, scale_images: Callable[[], Iterable[list[np.ndarray]]] | None = None
) -> None:
    """Convert a network to LiteRT.

    Args:
        network: the Keras model.
        path: of the file.
        scale_images: returns images, each `(1, height, width, channels)` in a list, to set the
            scales of 8-bit integers by; None keeps floats.
    """
    import tensorflow as tf

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


def score_litert(interpreter, images: np.ndarray) -> np.ndarray:
    """Score images with a loaded LiteRT file: float64 `(images,)`."""
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    scores = np.empty(len(images))
    for number, image in enumerate(images):
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        scores[number] = interpreter.get_tensor(result["index"]).item()
    return scores


def load_litert(path: Path):
    """Return TensorFlow's interpreter of a LiteRT file."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it will move to a package of its own
        interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter


def format_table(
    scores: dict[str, np.ndarray],
    sizes: dict[str, Path],
    is_real: np.ndarray,
    calibration: Calibration,
    prior_fake: float,
) -> str:
    """Return sizes, error rates, and the largest differences to Keras as a table."""
    lines = [f"{'':14}{'KB':>8}{'EER':>8}{'accuracy':>10}{'largest difference in P(real)':>32}"]
    threshold = decision_threshold(prior_fake)
    p_real = {
        name: probability(calibration.llr(values), prior_fake) for name, values in scores.items()
    }
    for name, values in scores.items():
        right = np.mean((calibration.llr(values) > threshold) == is_real)
        difference = np.abs(p_real[name] - p_real["Keras"]).max()
        size = sizes[name].stat().st_size / 1024
        eer = equal_error_rate(is_real, values).rate
        lines.append(f"{name:14}{size:8,.0f}{eer:8.1%}{right:10.1%}{difference:32.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
