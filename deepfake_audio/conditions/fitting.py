"""Fit how the quality of a recording changes the meaning of a score, on clips in conditions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deepfake_audio.audio.conditions import AS_THEY_ARE
from deepfake_audio.conditions.judging import JudgedClip, judge_in_conditions
from deepfake_audio.corpora.reading import Clip, read_corpus
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.models.calibration import (
    Calibration,
    expected_calibration_error,
    prior_weights,
    probability,
    reliability,
    verdict,
)
from deepfake_audio.models.quality_correction import fit_correction
from deepfake_audio.models.run_folder import Run
from deepfake_audio.vocabulary import LABELS, VERDICTS, Verdict

MIN_CLIPS = 100  # of each class
ALL_WINDOWS = ("predict.min_bandwidth_hz=0",)  # narrow ones, too, have a score that means something
CONFIDENT = 0.9
CLEAN_WEIGHT = 6  # of the clips as they are; each other condition has 1
CAUTION = 1.0  # keeps the fakes that are called REAL below 18% in every condition on validation
HEADER = (
    f"{'':17}{'':6}{'':8}{'':6}{'real files called':>26}{'fake files called':>26}\n"
    f"{'condition':17}{'files':>6}{'EER':>8}{'ECE':>6}"
    + f"{'REAL':>8}{'UNCERT.':>9}{'FAKE':>9}" * 2
    + f"{'90% right':>11}"
)


@dataclass(frozen=True)
class Scores:
    """Files of one condition.

    Attributes:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, log-odds of real before calibration.
        degraded: `(files, degradations)`.
        doubted: whether no confidence was given, for an echo or another reason, bool `(files,)`.
        clips: the files.
    """

    is_real: np.ndarray
    scores: np.ndarray
    degraded: np.ndarray
    doubted: np.ndarray
    clips: Sequence[Clip] = ()


def clips_to_learn_from(folder: Path) -> list[Clip]:
    """Return the clips of a corpus that are not for testing.

    Raises:
        InputError: there are too few of a class.
    """
    clips = [clip for clip in read_corpus(folder).clips if clip.split != "test"]
    for label in LABELS:
        count = sum(clip.label == label for clip in clips)
        if count < MIN_CLIPS:
            raise InputError(
                f"{folder} has {count} {label} files that are not for testing, too few to learn "
                f"from; add some, at least {MIN_CLIPS} are needed"
            )
    return clips


def score_conditions(
    clips: Sequence[Clip],
    run: Run,
    conditions: Iterable[str],
    overrides: Sequence[str],
    on_error: Callable[[str], object],
    track: Callable[[Iterator[JudgedClip]], Iterator[JudgedClip]],
) -> dict[str, Scores]:
    """Score clips in conditions; clips without a score in a condition are left out there.

    Args:
        clips: to judge.
        run: that judges them.
        conditions: keys of `CONDITIONS`.
        overrides: of the run's settings.
        on_error: receives why a clip could not be judged.
        track: wraps the results, to show progress.
    """
    rows: dict[str, list[tuple]] = {name: [] for name in conditions}
    for judged in track(judge_in_conditions(clips, list(rows), run.folder, overrides)):
        if judged.error:
            on_error(judged.error)
        elif judged.result.score is not None:
            degraded = judged.result.quality.degraded
            is_real = LABELS.index(judged.clip.label)
            doubt = judged.result.doubt is not None
            row = is_real, judged.result.score, degraded, doubt, judged.clip
            rows[judged.condition].append(row)
    conditions = {}
    for name, found in rows.items():
        if len({is_real for is_real, *_ in found}) == len(LABELS):
            *columns, clips = zip(*found, strict=True)
            conditions[name] = Scores(*map(np.array, columns), clips)
    return conditions


def fit_quality(conditions: Mapping[str, Scores]) -> Calibration:
    """Fit a calibration; both classes of a condition have the same weight."""
    files = list(conditions.values())
    weights = [
        prior_weights(each.is_real, 0.5)
        / len(each.is_real)
        * (CLEAN_WEIGHT if name == AS_THEY_ARE else 1)
        for name, each in conditions.items()
    ]
    correction = fit_correction(
        np.concatenate([each.is_real for each in files]),
        np.concatenate([each.scores for each in files]),
        np.concatenate([each.degraded for each in files]),
        np.concatenate(weights),
    )
    return Calibration(1.0, 0.0, replace(correction, caution=CAUTION))


def format_condition(
    name: str, files: Scores, calibration: Calibration, min_confidence: float
) -> str:
    """Return the row of one condition."""
    llr = calibration.llr(files.scores, files.degraded)
    p_real = probability(llr, 0.5)
    weights = prior_weights(files.is_real, 0.5)
    answers = np.array([verdict(p, min_confidence) for p in p_real])
    answers[files.doubted] = Verdict.UNCERTAIN
    is_judged = ~files.doubted
    bins = reliability(files.is_real[is_judged], p_real[is_judged], weights[is_judged])
    ece = expected_calibration_error(bins) if is_judged.any() else np.nan
    row = f"{name:17}{len(p_real):6}{equal_error_rate(files.is_real, llr).rate:8.1%}{ece:6.1%}"
    for label in LABELS[::-1]:
        of_class = answers[files.is_real == LABELS.index(label)]
        for answer, width in zip(VERDICTS[::-1], (8, 9, 9), strict=True):
            row += f"{np.mean(of_class == answer):>{width}.1%}"
    sure = is_judged & (np.maximum(p_real, 1 - p_real) >= CONFIDENT)
    right = (answers == Verdict.REAL) == (files.is_real == 1)
    share = np.average(right[sure], weights=weights[sure]) if sure.any() else np.nan
    return row + (f"{share:>11.1%}" if sure.any() else f"{'-':>11}")
