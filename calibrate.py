"""Fit what a trained run says to recordings like yours; its network stays as it is.

    python calibrate.py --data data/mine                             the newest run, or the shipped
    python calibrate.py --data data/mine --run models/pretrained --name mine        as runs/mine

A confidence holds for voices that are recorded like those that it was fitted on. Where yours are
recorded otherwise, a run may call most of them fake, though it gives fakes lower scores still: then
a line through the scores of known files, two numbers, is all it takes. data/mine holds both
classes, prepared with --config RUN/config.yaml. Its files for training and validation are used, for
validation alone where the run was trained on it, and never those for test:

    python evaluate.py --run mine --data data/mine                   what that is worth

The order of the scores does not change, nor does the equal error rate. The new run is one like any.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path

from deepfake_audio import runs, scoring
from deepfake_audio.arguments import Parser
from deepfake_audio.calibration import Calibration, fit_calibration
from deepfake_audio.compatibility import drawn_otherwise
from deepfake_audio.dataset import LABELS, DataCheck, check_images, read_records
from deepfake_audio.errors import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    UserError,
    one_line,
    report,
    script,
)
from deepfake_audio.evaluation import detection_costs
from deepfake_audio.metrics import equal_error_rate, score_figures
from deepfake_audio.settings import Settings
from deepfake_audio.tables import NAMES

FEWEST = 5  # files of each class
FEW = 30
FIGURES: tuple[tuple[str, Callable[[dict], float], str], ...] = (
    ("real called fake", lambda figures: share_wrong(figures, "real"), ".1%"),
    ("fake called real", lambda figures: share_wrong(figures, "fake"), ".1%"),
    ("Cllr", itemgetter("cllr"), ".3f"),
    ("ECE", itemgetter("ece"), ".1%"),
    ("EER", itemgetter("eer"), ".1%"),
)


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    run, record, settings = runs.open_run(args.run, or_pretrained=True)
    folder = Path(args.data)
    for warning in drawn_otherwise(folder, settings, run):
        print(f"Warning: {warning}", file=sys.stderr)
    data = check_images(read_records(folder), settings.image)
    for message in data.unreadable:
        report(message)
    own = Path(settings.data.folder).resolve() == folder.resolve()
    trained_on = own or data.fingerprint == record.data_fingerprint
    files = score_known(run, settings, data, ("val",) if trained_on else ("train", "val"), folder)
    calibration = fit(files, folder)
    changes = {
        "status": "finished",
        "created": datetime.now(UTC),
        "calibration": calibration,
        "calibrated_on": one_line(folder.resolve().name),
    }
    new = runs.copy_run(run, args.name, folder, record.model_copy(update=changes))
    print(f"{len(files.scores):,} files of {folder}\n")
    print(format_figures(files, {run.name: record.calibration, new.name: calibration}, settings))
    print(f"\nKept in {new.folder}. Next: python evaluate.py --run {new.name} --data {folder}")
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="calibrate.py", description=__doc__)
    parser.add_argument(
        "--data", metavar="FOLDER", required=True, help="of images: a folder, or a manifest.csv"
    )
    parser.add_argument(
        "--run",
        metavar="NAME",
        help="a folder below runs/, or a path (default: the newest run, or else models/pretrained)",
    )
    parser.add_argument(
        "--name", help="of the new run below runs/ (default: the data folder's, and a number)"
    )
    return parser.parse_args(argv)


def score_known(
    run: runs.Run, settings: Settings, data: DataCheck, splits: Sequence[str], folder: Path
) -> scoring.FileScores:
    """Score the files of some splits.

    Raises:
        UserError: they are too few of a class.
    """
    records = [record for record in data.records if record.split in splits]
    for label in LABELS:
        count = len({record.source for record in records if record.label == label})
        if count < FEWEST:
            raise UserError(
                f"A calibration is fitted on {FEWEST} files of each class at least. Received: "
                f"{count} {label} for {' and '.join(NAMES[split] for split in splits)} in "
                f"{folder}. Add some; those for test stay out."
            )
        if count < FEW:
            print(
                f"Warning: {count} {label} files are few: what they say may be chance. "
                f"From {FEW} on it holds better.",
                file=sys.stderr,
            )
    model = scoring.load_model(run.onnx_model, settings.score.threads, settings.limits)
    return scoring.score_files(model, records, settings.image, settings.score.batch_size)


def fit(files: scoring.FileScores, folder: Path) -> Calibration:
    """Fit a calibration, or raise a `UserError` if the scores don't tell real from fake."""
    calibration = Calibration(*fit_calibration(files.is_real, files.scores))
    if calibration.says_nothing:
        eer = equal_error_rate(files.is_real, files.scores).rate
        raise UserError(
            "A calibration needs scores that tell real from fake. Received: an equal error rate of "
            f"{eer:.0%} on {folder}. Train on it: python train.py --from RUN data.folder={folder}"
        )
    return calibration


def share_wrong(figures: Mapping, label: str) -> float:
    """Return the share of a class that is taken for the other one."""
    row = figures["confusion"][LABELS.index(label)]
    return row[1 - LABELS.index(label)] / sum(row)


def format_figures(
    files: scoring.FileScores, calibrations: Mapping[str, Calibration], settings: Settings
) -> str:
    """Return a table: a row for each figure, a column for each calibration."""
    figures = [
        score_figures(
            files.is_real,
            files.scores,
            calibration.llr(files.scores),
            settings.predict.prior_fake,
            detection_costs(settings.evaluate),
        )
        for calibration in calibrations.values()
    ]
    width = max(12, *(len(name) + 2 for name in calibrations))
    lines = [f"{'':18}" + "".join(f"{name:>{width}}" for name in calibrations)]
    for title, figure, form in FIGURES:
        lines.append(
            f"{title:18}" + "".join(f"{format(figure(f), form):>{width}}" for f in figures)
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
