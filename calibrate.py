"""Fit what a trained run says to recordings like yours; its network stays as it is.

    python calibrate.py --data data/known                   the newest run, or the shipped one
    python calibrate.py --data data/known --run models/pretrained --name fitted     as runs/fitted
    python calibrate.py --data data/known --reals           by the real files alone

A confidence holds for voices that are recorded like those that it was fitted on. Where yours are
recorded otherwise, a run may call many of them fake though it gives fakes lower scores still: then
a line through the scores of known files, two numbers, is all it takes. Take fakes as good as those
that you expect: with none but easy ones, better ones will pass. If you have no such fakes, --reals
moves the line just so far that at even odds no more than --false-alarms of your real files are
called fake; so does a folder of real files alone.

data/known is prepared with --config RUN/config.yaml 'prepare.codecs=[]'. Its files for training and
validation are used, for validation alone where the run was trained on it, and never those for test:

    python evaluate.py --run fitted --data data/known      what that is worth

The order of the scores does not change, nor does the equal error rate. The new run is one like any.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.manifest import (
    DATA_REMEDY,
    FEW_FILES,
    check_images,
    data_folder,
    read_records,
)
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.metrics import equal_error_rate, score_figures
from deepfake_audio.evaluation.summary import detection_costs
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.models.calibration import (
    Calibration,
    fit_calibration,
    limit_false_alarms,
    probability,
    verdict,
)
from deepfake_audio.models.compatibility import feature_mismatch
from deepfake_audio.vocabulary import LABELS, VERDICTS, ImageRecord

FEWEST, FEWEST_REALS = 5, 20  # files of each class, or of reals alone
FALSE_ALARMS = 0.05
EASY_EER = 0.05  # fakes that are told apart as well say little of others
FIGURES = (("Cllr", "cllr", ".3f"), ("ECE", "ece", ".1%"), ("EER", "eer", ".1%"))


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    run, record, settings = run_folder.open_run(args.run, or_pretrained=True)
    folder = Path(args.data)
    # A wrong name is reported before the work begins.
    run_folder.new_run(args.name, data_folder(folder), "--name")
    for warning in feature_mismatch(folder, settings, run):
        print_lines(f"Warning: {one_line(warning)}", file=sys.stderr)
    data = check_images(read_records(folder, DATA_REMEDY), settings.image)
    print_errors(data.unreadable)
    own = data_folder(Path(settings.data.folder)) == data_folder(folder)
    trained_on = own or data.fingerprint == record.data_fingerprint
    splits = ("val",) if trained_on else ("train", "val")
    known = [image for image in data.records if image.split in splits]
    reals_alone = args.reals or all(image.label == "real" for image in known)
    files = score_known(run, settings, known, reals_alone, folder)
    if reals_alone:
        scores = files.scores[files.is_real == 1]
        calibration = allowing(record, scores, args.false_alarms)
    else:
        calibration = fit(files, folder)
    changes = {
        "status": "finished",
        "created": datetime.now(UTC),
        "calibration": calibration,
        "calibrated_on": one_line(data_folder(folder).name),
        "learnt": sorted({*record.learnt, data.fingerprint}),
    }
    new = run_folder.copy_run(
        run, args.name, data_folder(folder), record.model_copy(update=changes)
    )
    print_lines(f"{len(files.scores):,} files of {one_line(folder)}\n")
    print_lines(
        format_figures(files, {run.name: record.calibration, new.name: calibration}, settings)
    )
    print_lines("")
    print_lines(
        one_line(f"Kept in {new.folder}. Next: python evaluate.py --run {new.name} --data {folder}")
    )
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
    parser.add_argument("--reals", action="store_true", help="go by the real files alone")
    parser.add_argument(
        "--false-alarms",
        metavar="SHARE",
        type=float,
        help="go by the real files alone, and so many of them may be called fake at even odds "
        f"(default: {FALSE_ALARMS})",
    )
    args = parser.parse_args(argv)
    args.reals = args.reals or args.false_alarms is not None
    args.false_alarms = FALSE_ALARMS if args.false_alarms is None else args.false_alarms
    if not 0 <= args.false_alarms < 1:
        raise InputError(f"--false-alarms is a share below 1. Received: {args.false_alarms}.")
    return args


def score_known(
    run: run_folder.Run,
    settings: Settings,
    records: Sequence[ImageRecord],
    reals_alone: bool,
    folder: Path,
) -> onnx_session.FileScores:
    """Score known files, all of them or the real ones alone.

    Raises:
        InputError: they are too few of a class.
    """
    labels, fewest = (("real",), FEWEST_REALS) if reals_alone else (LABELS, FEWEST)
    for label in labels:
        count = len({record.source for record in records if record.label == label})
        if count < fewest:
            raise InputError(
                f"A calibration is fitted on {fewest} {label} files at least. Received: {count} "
                f"for training and validation in {folder}. Add some; those for test stay out."
            )
        if count < FEW_FILES:
            print_lines(
                f"Warning: {count} {label} files are few: what they say may be chance. "
                f"From {FEW_FILES} on it holds better.",
                file=sys.stderr,
            )
    chosen = [record for record in records if record.label in labels]
    model = onnx_session.load_model(run.onnx_model, settings.score.threads, settings.limits)
    return onnx_session.score_files(model, chosen, settings.image, settings.score.batch_size)


def allowing(record: run_folder.RunRecord, scores: np.ndarray, share: float) -> Calibration:
    """Move a run's calibration by real files alone, or raise a `InputError` if that can't help."""
    if record.calibration.says_nothing:
        raise InputError(
            "A calibration is moved where the run tells fakes apart. Received: one that does not, "
            "and answers UNCERTAIN. Train it longer, or name another --run."
        )
    calibration = limit_false_alarms(record.calibration, scores, share)
    if calibration == record.calibration:
        print_lines(
            f"Warning: at even odds no more than {share:.0%} of these files are called fake as it "
            "is: nothing moves.",
            file=sys.stderr,
        )
    return calibration


def fit(files: onnx_session.FileScores, folder: Path) -> Calibration:
    """Fit a calibration, or raise a `InputError` if the scores don't tell real from fake."""
    calibration = Calibration(*fit_calibration(files.is_real, files.scores))
    eer = equal_error_rate(files.is_real, files.scores).rate
    if calibration.says_nothing:
        raise InputError(
            "A calibration needs scores that tell real from fake. Received: an equal error rate of "
            f"{eer:.0%} on {folder}. Train on it: python train.py --from RUN data.folder={folder}"
        )
    if eer < EASY_EER:
        print_lines(
            f"Warning: these fakes are easily told (EER {eer:.1%}): better ones may pass. --reals "
            "goes by the real files alone.",
            file=sys.stderr,
        )
    return calibration


def format_figures(
    files: onnx_session.FileScores, calibrations: Mapping[str, Calibration], settings: Settings
) -> str:
    """Return a table: what each class is called and, of both, how well; a column a calibration."""
    llrs = [calibration.llr(files.scores) for calibration in calibrations.values()]
    prior, least = settings.predict.prior_fake, settings.predict.min_confidence
    said = [np.array([verdict(p, least) for p in probability(llr, prior)]) for llr in llrs]
    width = max(12, *(len(name) + 2 for name in calibrations))
    lines = [f"{'':22}" + "".join(f"{name:>{width}}" for name in calibrations)]
    for label in LABELS[::-1]:
        of_class = files.is_real == LABELS.index(label)
        for called in VERDICTS if of_class.any() else ():
            shares = (f"{np.mean(verdicts[of_class] == called):.1%}" for verdicts in said)
            values = "".join(f"{share:>{width}}" for share in shares)
            lines.append(f"{label} called {called:10}{values}")
    if len(set(files.is_real.tolist())) == len(LABELS):
        costs = detection_costs(settings.evaluate)
        figures = [score_figures(files.is_real, files.scores, llr, prior, costs) for llr in llrs]
        for title, key, form in FIGURES:
            values = "".join(f"{format(each[key], form):>{width}}" for each in figures)
            lines.append(f"{title:22}{values}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
