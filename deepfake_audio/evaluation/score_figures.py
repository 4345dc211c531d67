"""All figures of one set of scored files, and whether its scores are calibrated.

Without calibration, EER, minDCF and ROC-AUC are as good as with it. actDCF, Cllr, accuracy and all
figures of verdicts depend on the threshold 0, which means nothing for scores that are no
log-likelihood ratios.
"""

from collections.abc import Mapping

import numpy as np

from deepfake_audio.evaluation.detection_costs import (
    DetectionCosts,
    actual_dcf,
    llr_cost,
    min_dcf,
    min_llr_cost,
)
from deepfake_audio.evaluation.error_rates import (
    check_scores,
    eer_of,
    error_curve,
    hull_equal_error_rate,
    official_equal_error_rate,
    roc_auc,
)
from deepfake_audio.models.calibration import (
    decision_threshold,
    expected_calibration_error,
    prior_weights,
    probability,
    reliability,
)

FAR_TIMES, FAR_ABOVE = 2.0, 0.2  # a cost is far above its minimum if it is both
OF_VERDICTS = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "macro_f1", "mcc", "confusion",
    "brier", "ece", "uncertain",
)  # fmt: skip


def classification_figures(is_real: np.ndarray, called_real: np.ndarray) -> dict:
    """Compute the figures that need only verdicts.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        called_real: `(files,)`, the verdicts.

    Returns:
        Shares from 0 to 1, Matthews's coefficient from -1 to 1, and the confusion matrix as rows
        fake, real (truth) by columns fake, real (verdict). Precision, recall and F1 are of finding
        fakes; the macro F1 is the mean of both classes'.
    """
    from sklearn.metrics import (  # here, so that --help does not wait for it
        confusion_matrix,
        matthews_corrcoef,
        precision_recall_fscore_support,
    )

    is_real, called_real = np.asarray(is_real).astype(int), np.asarray(called_real).astype(int)
    confusion = confusion_matrix(is_real, called_real, labels=[0, 1])
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_real, called_real, labels=[0, 1], zero_division=0
    )
    return {
        "accuracy": float(np.trace(confusion) / len(is_real)),
        "balanced_accuracy": float(np.mean(np.diag(confusion) / confusion.sum(axis=1))),
        "precision": float(precision[0]),
        "recall": float(recall[0]),
        "f1": float(f1[0]),
        "macro_f1": float(np.mean(f1)),
        "mcc": float(matthews_corrcoef(is_real, called_real)),
        "confusion": confusion.tolist(),
    }


def score_figures(
    is_real: np.ndarray,
    scores: np.ndarray,
    llr: np.ndarray,
    prior_fake: float,
    costs: DetectionCosts,
) -> dict:
    """Compute every figure of one set of files.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, higher is more real: for the figures that need no calibration.
        llr: `(files,)`, the same as natural log-likelihood ratios: for those that need it.
        prior_fake: of the verdicts and the probabilities.
        costs: of DCF.

    Returns:
        A flat mapping that JSON can hold; see each figure's own function.
    """
    from sklearn.metrics import brier_score_loss  # here, so that --help does not wait for it

    curve = error_curve(is_real, scores)
    is_real, llr = check_scores(is_real, llr)
    eer = eer_of(curve)
    p_real = probability(llr, prior_fake)
    weights = prior_weights(is_real, prior_fake)
    return {
        "files": len(is_real),
        "real": int(is_real.sum()),
        "fake": int((1 - is_real).sum()),
        "eer": eer.rate,
        "eer_threshold": eer.threshold,
        "eer_official": official_equal_error_rate(is_real, scores).rate,
        "eer_hull": hull_equal_error_rate(is_real, scores),
        "roc_auc": roc_auc(curve),
        "min_dcf": min_dcf(curve, costs),
        "act_dcf": actual_dcf(is_real, llr, costs),
        "cllr": llr_cost(is_real, llr),
        "min_cllr": min_llr_cost(curve),
        "brier": float(brier_score_loss(is_real, p_real, sample_weight=weights, pos_label=1)),
        "ece": expected_calibration_error(reliability(is_real, p_real, weights)),
        **classification_figures(is_real, llr > decision_threshold(prior_fake)),
    }


def is_uncalibrated(figures: Mapping[str, float]) -> bool:
    """Return whether actDCF or Cllr is far above its minimum: at least twice as high, and by 0.2.

    The second condition is for good detectors, whose minimum is near 0. Cllr is in bits.

    >>> is_uncalibrated({"act_dcf": 0.12, "min_dcf": 0.02, "cllr": 0.7, "min_cllr": 0.5})
    False
    """
    return any(
        figures[cost] >= max(FAR_TIMES * figures[least], figures[least] + FAR_ABOVE)
        for cost, least in (("act_dcf", "min_dcf"), ("cllr", "min_cllr"))
    )


def means_nothing_at_0(figures: Mapping[str, float], has_own_scale: bool) -> bool:
    """Return whether no verdict follows from scores at the threshold 0.

    Args:
        figures: of `score_figures`.
        has_own_scale: whether the scores are taken as log-likelihood ratios without a calibration.
    """
    return has_own_scale and (is_uncalibrated(figures) or figures["eer"] > 0.5)


def without_verdicts(figures: Mapping[str, object]) -> dict:
    """Return figures in which those of verdicts are None."""
    left_out = dict.fromkeys(OF_VERDICTS)
    kept = {n: bounds for n, bounds in figures["intervals"].items() if n not in OF_VERDICTS}
    groups = {
        grouping: {**content, "groups": [{**row, "found": None} for row in content["groups"]]}
        for grouping, content in figures["groups"].items()
    }
    return {**figures, **left_out, "intervals": kept, "groups": groups}
