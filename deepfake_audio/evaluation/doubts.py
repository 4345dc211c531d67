"""Reasons to doubt the figures of an evaluation, each as one line."""

from collections.abc import Mapping

import numpy as np

from deepfake_audio.dataset.checks import FEW_FILES
from deepfake_audio.errors import pluralize
from deepfake_audio.evaluation.bootstrap import choose_units, rule_of_three
from deepfake_audio.evaluation.score_figures import is_uncalibrated, means_nothing_at_0
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.models.calibration import MAX_UNCERTAIN, MAX_USEFUL_EER
from deepfake_audio.vocabulary import LABELS

TRAIN_MORE = (
    "Train on more files, or begin with the shipped model (train.py --from models/pretrained)."
)


def score_warnings(table: ScoreTable, figures: dict, of_run: bool) -> list[str]:
    """Return a line for each reason to doubt the figures.

    Args:
        of_run: whether a run gave the scores, and not another system.
    """
    warnings = []
    if min(counts := [figures[label] for label in LABELS]) < FEW_FILES:
        fakes, others = pluralize(counts[0], "fake file"), pluralize(counts[1], "real file")
        one = f"a single one is {1 / min(counts):.1%} of its class"
        warnings.append(f"The figures rest on {fakes} and {others}: {one}.")
    if figures["eer"] > 0.5:
        warnings.append(
            f"The scores look inverted: an EER of {figures['eer']:.1%} would be "
            f"{1 - figures['eer']:.1%} with the opposite sign. A higher score means more real."
            + (" The figures of verdicts are left out." if table.has_own_scale else "")
        )
    elif figures["eer"] > MAX_USEFUL_EER:
        fact = f"The scores are near chance: an EER of {figures['eer']:.1%}, and 50% is chance."
        warnings.append(f"{fact} {TRAIN_MORE}" if of_run else fact)
    uncalibrated = is_uncalibrated(figures)
    if uncalibrated and (table.has_own_scale or min(counts) >= FEW_FILES):  # else it may be chance
        warnings.append(calibration_warning(figures, table.has_own_scale))
    means_nothing = means_nothing_at_0(figures, table.has_own_scale)
    if figures["uncertain"] > MAX_UNCERTAIN and not means_nothing:
        warnings.append(
            f"predict.py would answer UNCERTAIN to {figures['uncertain']:.0%} of these files."
        )
    if figures["eer"] == 0:
        chosen = choose_units(table.is_real, table.speaker)
        units = pluralize(chosen.units, "speaker" if chosen.by_speaker else "file")
        warnings.append(
            f"There is no error here, but from {units} of a class an error rate of up to "
            f"{rule_of_three(chosen.units):.1%} cannot be excluded (rule of three)."
        )
    if abs(figures["eer_official"] - figures["eer"]) > 1e-4:
        equal = len(table) - len(np.unique(table.score))
        have = "has" if equal == 1 else "have"
        warnings.append(
            f"{pluralize(equal, 'file')} {have} the same score as another file. Kept "
            f"together, the EER is {figures['eer']:.2%}; "
            f"ASVspoof's package would give {figures['eer_official']:.2%}."
        )
    if np.array_equal(table.score, table.llr) and table.score.min() >= 0 and table.score.max() <= 1:
        warnings.append(
            "The scores look like probabilities. actDCF, Cllr and all verdicts need natural "
            "log-likelihood ratios: ln(p / (1 - p)) less the log-odds of real in training."
        )
    return warnings


def calibration_warning(figures: Mapping[str, float], has_own_scale: bool) -> str:
    """Describe the distance of the costs from their minima, and its consequences.

    Args:
        figures: of `score_figures`.
        has_own_scale: whether the scores are taken as log-likelihood ratios without a calibration.
    """
    costs = (
        f"actDCF is {figures['act_dcf']:.2f}, and {figures['min_dcf']:.2f} at the best threshold; "
        f"Cllr is {figures['cllr']:.2f} bits, and {figures['min_cllr']:.2f} after the best "
        "calibration"
    )
    if has_own_scale:
        return (
            f"The scores are not calibrated: {costs}. The threshold 0 means nothing for them, so "
            "accuracy and all other figures of verdicts are left out. EER, ROC-AUC and minDCF "
            "need no calibration."
        )
    return (
        f"The calibration does not fit these files: {costs}. Verdicts and confidence are wrong "
        "more often than they need to be; calibrate.py on recordings like these helps."
    )
