"""Error rates from scores. Arrays in, numbers and arrays out; a higher score is more real.

`is_real` is 1 for real and 0 for fake throughout. Where a figure does not exist, a UserError says
why; no figure is ever made up.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from deepfake_audio.errors import UserError


@dataclass(frozen=True)
class EqualErrorRate:
    """Where as many real files are called fake as fakes are called real.

    Attributes:
        rate: 0 to 1.
        threshold: score at and above which a file is called real.
    """

    rate: float
    threshold: float


def check_scores(is_real: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, or raise a `UserError` if no error rate exists for them."""
    is_real, scores = np.asarray(is_real).astype(int), np.asarray(scores, np.float64)
    if is_real.shape != scores.shape or is_real.ndim != 1:
        raise UserError(
            "Each score needs one label. "
            f"Received: {scores.shape} scores and {is_real.shape} labels."
        )
    if not np.isfinite(scores).all():
        raise UserError(
            "Error rates need finite scores. "
            f"Received: {int((~np.isfinite(scores)).sum())} that are infinite or not a number."
        )
    if len(set(is_real.tolist())) < 2:
        raise UserError(
            "Error rates need files of both classes. "
            f"Received: {int(is_real.sum())} real and {int((1 - is_real).sum())} fake."
        )
    return is_real, scores


def equal_error_rate(is_real: np.ndarray, scores: np.ndarray) -> EqualErrorRate:
    """Compute the equal error rate.

    The rule: of the thresholds between distinct scores, the one where miss rate and false
    acceptance rate are nearest; the rate is their mean. This is ASVspoof's rule where no two scores
    are equal; equal scores are taken together, so the order of the files does not matter.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, higher is more real.

    Raises:
        UserError: one class is missing, or a score is not finite.
    """
    false_accept, hit, thresholds = roc(is_real, scores)
    miss = 1 - hit
    nearest = np.argmin(np.abs(miss - false_accept))
    threshold = float(thresholds[nearest])
    if np.isinf(threshold):  # the curve starts above every score
        threshold = float(np.nextafter(np.max(scores), np.inf))
    return EqualErrorRate(float(miss[nearest] + false_accept[nearest]) / 2, threshold)


def roc(is_real: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return fakes called real, reals called real (both as shares) and thresholds, falling."""
    is_real, scores = check_scores(is_real, scores)
    return roc_curve(is_real, scores, drop_intermediate=False)


def classification_report(is_real: np.ndarray, scores: np.ndarray, called_real: np.ndarray) -> dict:
    """Compute every figure that `evaluate.py` prints.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, higher is more real.
        called_real: `(files,)`, the verdicts.

    Returns:
        A flat mapping: counts, shares from 0 to 1, and the confusion matrix as rows fake, real
        (truth) by columns fake, real (verdict). Precision, recall and F1 are of finding fakes.
    """
    is_real, scores = check_scores(is_real, scores)
    called_real = np.asarray(called_real).astype(int)
    confusion = confusion_matrix(is_real, called_real, labels=[0, 1])
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_real, called_real, labels=[0], zero_division=0
    )
    eer = equal_error_rate(is_real, scores)
    return {
        "files": len(scores),
        "real": int(is_real.sum()),
        "fake": int((1 - is_real).sum()),
        "accuracy": float(np.trace(confusion) / len(scores)),
        "balanced_accuracy": float(np.mean(np.diag(confusion) / confusion.sum(axis=1))),
        "precision": float(precision[0]),
        "recall": float(recall[0]),
        "f1": float(f1[0]),
        "roc_auc": float(roc_auc_score(is_real, scores)),
        "eer": eer.rate,
        "eer_threshold": eer.threshold,
        "confusion": confusion.tolist(),
    }


def fit_calibration(is_real: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Fit slope and intercept of calibrated log-odds, both classes weighing the same.

    Logistic regression on the scores (Platt, 1999), regularised, so that separable scores do not
    give certainty. Scores that point the wrong way give slope 0: they say nothing.

    Returns:
        Slope and intercept: P(real) = sigmoid(slope * score + intercept).
    """
    is_real, scores = check_scores(is_real, scores)
    scale = float(np.std(scores)) or 1.0
    model = LogisticRegression(class_weight="balanced").fit(scores[:, None] / scale, is_real)
    slope, intercept = float(model.coef_[0, 0]) / scale, float(model.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, 0.0)
