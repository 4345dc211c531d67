"""Find scores that are no log-likelihood ratios, for which the threshold 0 means nothing.

Without calibration, EER, minDCF and ROC-AUC are as good as with it. actDCF, Cllr, accuracy and all
figures of verdicts depend on the threshold 0, which such scores do not share.
"""

from collections.abc import Mapping

FAR_TIMES, FAR_ABOVE = 2.0, 0.2  # a cost is far above its minimum if it is both
OF_VERDICTS = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "macro_f1", "mcc", "confusion",
    "brier", "ece", "uncertain",
)  # fmt: skip


def is_far_above(cost: float, least: float) -> bool:
    """Return whether a cost is far above its minimum: at least twice as high, and by 0.2.

    The second condition is for good detectors, whose minimum is near 0. Cllr is in bits.

    >>> is_far_above(1.05, 0.17), is_far_above(0.12, 0.02), is_far_above(0.7, 0.5)
    (True, False, False)
    """
    return cost >= FAR_TIMES * least and cost >= least + FAR_ABOVE


def is_uncalibrated(figures: Mapping[str, float]) -> bool:
    """Return whether actDCF or Cllr is far above its minimum.

    Args:
        figures: of `score_figures`.
    """
    return is_far_above(figures["act_dcf"], figures["min_dcf"]) or is_far_above(
        figures["cllr"], figures["min_cllr"]
    )


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


def without_verdicts(figures: Mapping[str, object]) -> dict:
    """Return figures in which those of verdicts are None."""
    left_out = dict.fromkeys(OF_VERDICTS)
    kept = {n: bounds for n, bounds in figures["intervals"].items() if n not in OF_VERDICTS}
    groups = {
        grouping: {**content, "groups": [{**row, "found": None} for row in content["groups"]]}
        for grouping, content in figures["groups"].items()
    }
    return {**figures, **left_out, "intervals": kept, "groups": groups}
