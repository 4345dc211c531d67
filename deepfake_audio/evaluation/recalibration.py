"""Calibrate a trained run anew on labelled recordings; its network stays the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.checks import FEW_FILES, DataCheck
from deepfake_audio.dataset.manifest import data_folder
from deepfake_audio.errors import InputError, pluralize
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.evaluation.score_figures import score_figures
from deepfake_audio.evaluation.summary import detection_costs
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.models.calibration import (
    Calibration,
    fit_calibration,
    limit_false_alarms,
    probability,
    verdict,
)
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system.regular_files import is_of_network
from deepfake_audio.vocabulary import LABELS, VERDICTS, ImageRecord

MIN_FILES, MIN_REAL_FILES = 5, 20  # of each class; of real files if only these are used
EASY_EER = 0.05  # fakes that are detected this well predict little about other fakes
FIGURES = (("Cllr", "cllr", ".3f"), ("ECE", "ece", ".1%"), ("EER", "eer", ".1%"))


def recalibrate(
    run: run_folder.Run,
    record: RunRecord,
    settings: Settings,
    data: DataCheck,
    folder: Path,
    real_only: bool,
    max_false_alarms: float,
) -> tuple[Calibration, onnx_session.FileScores, list[str]]:
    """Fit a calibration to the training and validation files of a data folder.

    If the run was trained on the folder, only its validation files are used. Test files never are.

    Args:
        run, record, settings: as `run_search.open_run` returns them.
        data: the folder's images.
        folder: the folder, or its manifest.
        real_only: use only real files, as if the folder had no others.
        max_false_alarms: the share of real files that may be called fake at even odds, if only real
            files are used.

    Returns:
        The calibration, the scored files that it was fitted on, and reasons to doubt it.

    Raises:
        InputError: there are too few files, or their scores do not separate the classes.
    """
    learnt = settings.data.folder
    own = not is_of_network(learnt) and data_folder(Path(learnt)) == data_folder(folder)
    trained_on = own or data.fingerprint == record.data_fingerprint
    splits = ("val",) if trained_on else ("train", "val")
    records = [image for image in data.records if image.split in splits]
    real_only = real_only or all(image.label == "real" for image in records)
    labels = ("real",) if real_only else LABELS
    warnings = count_warnings(records, labels, folder)
    records = [image for image in records if image.label in labels]
    model = onnx_session.load_model(run.onnx_model, settings.score.threads, settings.limits)
    files = onnx_session.score_files(model, records, settings.image, settings.score.batch_size)
    if real_only:
        calibration, more = fit_real_files(record.calibration, files, max_false_alarms)
    else:
        calibration, more = fit_classes(record.calibration, files, folder)
    return calibration, files, warnings + more


def count_warnings(
    records: Sequence[ImageRecord], labels: Sequence[str], folder: Path
) -> list[str]:
    """Return a warning for each class of few files.

    Raises:
        InputError: a class has too few.
    """
    minimum = MIN_FILES if len(labels) == len(LABELS) else MIN_REAL_FILES
    warnings = []
    for label in labels:
        count = len({record.source for record in records if record.label == label})
        if count < minimum:
            raise InputError(
                f"{folder} has {pluralize(count, f'{label} file')} for training and "
                f"validation, too few for a calibration; add some, at least {minimum} are needed "
                "(test files do not count)"
            )
        if count < FEW_FILES:
            warnings.append(
                f"{count} {label} files are few, so the calibration may be off by chance; "
                f"{FEW_FILES} or more are better."
            )
    return warnings


def fit_real_files(
    before: Calibration, files: onnx_session.FileScores, max_false_alarms: float
) -> tuple[Calibration, list[str]]:
    """Move a calibration so that few real files are called fake; return warnings too.

    Raises:
        InputError: the calibration is flat, so that moving it is no help.
    """
    if before.says_nothing:
        raise InputError(
            "cannot move the calibration: the run does not separate real from fake and answers "
            "UNCERTAIN; train it longer, or name another --run"
        )
    after = limit_false_alarms(before, files.scores, max_false_alarms)
    if after != before:
        return after, []
    return after, [
        f"the calibration stays the same: at even odds it already calls at most "
        f"{max_false_alarms:.0%} of these files fake."
    ]


def fit_classes(
    before: Calibration, files: onnx_session.FileScores, folder: Path
) -> tuple[Calibration, list[str]]:
    """Fit a line to real and fake files, behind the correction by quality; return warnings too.

    Raises:
        InputError: the scores do not separate real from fake.
    """
    corrected = Calibration(1.0, 0.0, before.quality).llr(files.scores)
    calibration = Calibration(*fit_calibration(files.is_real, corrected), before.quality)
    eer = equal_error_rate(files.is_real, files.scores).rate
    if calibration.says_nothing:
        raise InputError(
            f"cannot calibrate: the scores do not separate real from fake (EER {eer:.0%} on "
            f"{folder}); train on it: python train.py --from RUN data.folder={folder}"
        )
    if eer >= EASY_EER:
        return calibration, []
    return calibration, [
        f"these fakes are easy to detect (EER {eer:.1%}), so better ones may pass; "
        "--real-only uses only the real files."
    ]


def format_recalibration(
    files: onnx_session.FileScores, calibrations: Mapping[str, Calibration], settings: Settings
) -> str:
    """Return a table of verdicts and figures with a column for each calibration."""
    llrs = [calibration.llr(files.scores) for calibration in calibrations.values()]
    prior, least = settings.predict.prior_fake, settings.predict.min_confidence
    verdicts = [np.array([verdict(p, least) for p in probability(llr, prior)]) for llr in llrs]
    width = max(12, *(len(name) + 2 for name in calibrations))

    def line(title: str, cells: Sequence[str]) -> str:
        return f"{title:22}" + "".join(f"{cell:>{width}}" for cell in cells)

    lines = [line("", list(calibrations))]
    for label in LABELS[::-1]:
        of_class = files.is_real == LABELS.index(label)
        for answer in VERDICTS if of_class.any() else ():
            shares = [f"{np.mean(words[of_class] == answer):.1%}" for words in verdicts]
            lines.append(line(f"{label} called {answer}", shares))
    if len(set(files.is_real.tolist())) == len(LABELS):
        costs = detection_costs(settings.evaluate)
        figures = [score_figures(files.is_real, files.scores, llr, prior, costs) for llr in llrs]
        for title, key, form in FIGURES:
            lines.append(line(title, [format(each[key], form) for each in figures]))
    return "\n".join(lines)
