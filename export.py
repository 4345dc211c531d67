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
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from deepfake_audio.cli.arguments import Parser, add_run_option
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.checks import check_classes, check_images
from deepfake_audio.dataset.manifest import DATA_REMEDY, read_records
from deepfake_audio.errors import one_line
from deepfake_audio.models import onnx_session, run_folder, run_search
from deepfake_audio.models.calibration import Calibration, decision_threshold, probability
from deepfake_audio.system.regular_files import check_replaceable
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocabulary import ImageRecord

SCALE_IMAGES = 200  # enough to see the range of every layer
BATCH_IMAGES = 32


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    opened = run_search.open_run(args.run)
    run, record, settings = opened
    folder = Path(args.data) if args.data else opened.data_folder("name it with --data")
    paths = {"LiteRT": run.folder / "model.tflite", "LiteRT int8": run.folder / "model-int8.tflite"}
    for path in paths.values():
        check_replaceable(path, rb"(?s:....)TFL3")
    data = check_images(read_records(folder, DATA_REMEDY), settings.image)
    print_errors(data.unreadable)
    check_classes(data.records, ("train", "val"), folder)
    training, validation = (
        [r for r in data.records if r.split == split] for split in ("train", "val")
    )
    scores = export_and_score(run, settings, training, validation, paths)
    sizes = {"Keras": run.keras_model, "ONNX": run.onnx_model, **paths}
    print_lines(f"Run {run.name}, {len(validation):,} validation images of {one_line(folder)}\n")
    is_real = np.array([r.class_index for r in validation])
    print_lines(
        format_table(scores, sizes, is_real, record.calibration, settings.predict.prior_fake)
    )
    print_lines(
        f"\nWritten to {one_line(run.folder)}: {', '.join(path.name for path in paths.values())}"
    )
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def export_and_score(
    run: run_folder.Run,
    settings: Settings,
    training: Sequence[ImageRecord],
    validation: Sequence[ImageRecord],
    paths: dict[str, Path],
) -> dict[str, np.ndarray]:
    """Write both files, and return the scores of the validation images by each format."""
    with suppress_native_stderr():  # TensorFlow takes seconds, and reports its processor
        from deepfake_audio.training import litert
        from deepfake_audio.training.score_model import score_model
        from deepfake_audio.training.weights import load_network
        from model import build_model

    model = load_network(build_model, run.keras_model, settings)
    network = score_model(model)
    some = training[:: -(-len(training) // SCALE_IMAGES)]

    litert.write_litert(network, paths["LiteRT"])
    litert.write_litert(
        network,
        paths["LiteRT int8"],
        lambda: ([image] for image in litert.image_batches(some, settings, 1)),
    )
    onnx = onnx_session.load_model(run.onnx_model, settings.score.threads, settings.limits)
    scorers = {
        "Keras": lambda images: litert.log_odds(model.predict_on_batch(images)[:, 0]),
        "ONNX": partial(onnx_session.score_images, onnx),
        **{
            name: partial(litert.score_litert, litert.load_litert(path))
            for name, path in paths.items()
        },
    }
    return litert.score_batches(scorers, litert.image_batches(validation, settings, BATCH_IMAGES))


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="export.py", description=__doc__)
    add_run_option(parser, "the newest run")
    parser.add_argument(
        "--data", metavar="FOLDER", help="images to check with (default: the run's own)"
    )
    return parser.parse_args(argv)


def format_table(
    scores: dict[str, np.ndarray],
    sizes: dict[str, Path],
    is_real: np.ndarray,
    calibration: Calibration,
    prior_fake: float,
) -> str:
    """Return sizes, error rates, and the largest differences to Keras as a table."""
    from deepfake_audio.evaluation.error_rates import equal_error_rate  # loads scikit-learn

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
