"""Convert scores to calibrated probabilities, and measure their calibration.

Probabilities are P(real) under an explicit prior: the expected share of fakes among the files to be
judged. A log-likelihood ratio (LLR) holds for any prior.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from deepfake_audio.models.quality_correction import DEGRADATIONS, QualityCorrection
from deepfake_audio.vocabulary import Verdict

MAX_USEFUL_EER, MAX_UNCERTAIN = 0.3, 0.8  # above these, a run is of little use
RELIABILITY_BINS = 10
JUST_ABOVE = 1e-6
WEAK_REGULARISATION = 1e6  # of scikit-learn's C: the targets regularise


@dataclass(frozen=True)
class Calibration:
    """Turns a file's score into a log-likelihood ratio: slope * score + intercept.

    Attributes:
        slope, intercept: of the line.
        quality: corrects scores by the quality of the recording first; None if that is not known
            for this run.
    """

    slope: float
    intercept: float
    quality: QualityCorrection | None = None

    @property
    def says_nothing(self) -> bool:
        """Return whether the fitted scores did not separate real from fake."""
        return self.slope == 0

    def llr(self, scores: np.ndarray, degraded: np.ndarray | None = None) -> np.ndarray:
        """Return natural log-likelihood ratios of real against fake.

        Args:
            scores: `(...)`, log-odds of real.
            degraded: of `degradations`, `(..., len(DEGRADATIONS))`; None for clean recordings.
        """
        scores = np.asarray(scores, np.float64)
        if self.quality:
            clean = np.zeros(len(DEGRADATIONS))
            scores = self.quality.correct(scores, clean if degraded is None else degraded)
        return self.slope * scores + self.intercept

    def probability_real(
        self, scores: np.ndarray, prior_fake: float, degraded: np.ndarray | None = None
    ) -> np.ndarray:
        """Return P(real), 0 to 1, if a share `prior_fake` of all files is fake; see `llr`."""
        return probability(self.llr(scores, degraded), prior_fake)


def verdict(p_real: float, min_confidence: float) -> Verdict:
    """Return the more probable class, or UNCERTAIN if that is below `min_confidence`.

    >>> [str(verdict(p_real, 0.6)) for p_real in (0.97, 0.2, 0.55)]
    ['REAL', 'FAKE', 'UNCERTAIN']
    """
    if max(p_real, 1 - p_real) < min_confidence:
        return Verdict.UNCERTAIN
    return Verdict.REAL if p_real >= 0.5 else Verdict.FAKE


def decision_threshold(prior_fake: float) -> float:
    """Return the log-likelihood ratio above which real is more probable than fake."""
    return math.log(prior_fake / (1 - prior_fake))


def probability(llr: np.ndarray, prior_fake: float) -> np.ndarray:
    """Return P(real) of log-likelihood ratios, 0 to 1, without overflow for any finite one."""
    return 0.5 * (1 + np.tanh((llr - decision_threshold(prior_fake)) / 2))


def prior_weights(is_real: np.ndarray, prior_fake: float) -> np.ndarray:
    """Return weights, of mean 1, under which fakes make up `prior_fake` of the files."""
    shares = np.where(is_real == 1, np.mean(is_real == 1), np.mean(is_real == 0))
    return np.where(is_real == 1, 1 - prior_fake, prior_fake) / shares


def reliability(
    is_real: np.ndarray, p_real: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Compare probabilities with the share of real files, in bins of equal width.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        p_real: `(files,)`, probability of real, 0 to 1.
        weights: `(files,)`, see `prior_weights`.

    Returns:
        For each bin that is not empty: mean `p_real`, `share_real`, and `share` of all files.
    """
    place = np.minimum((p_real * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    mass, p_sum, real_sum = (
        np.bincount(place, weights * values, RELIABILITY_BINS)
        for values in (np.ones_like(p_real), p_real, is_real)
    )
    filled = mass > 0
    mass, p_sum, real_sum = mass[filled], p_sum[filled], real_sum[filled]
    return {"p_real": p_sum / mass, "share_real": real_sum / mass, "share": mass / mass.sum()}


def expected_calibration_error(bins: dict[str, np.ndarray]) -> float:
    """Compute the mean distance of probability and truth over `reliability`'s bins (ECE)."""
    return float(np.sum(bins["share"] * np.abs(bins["p_real"] - bins["share_real"])))


def fit_calibration(is_real: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Fit slope and intercept of calibrated log-odds, with equal weight for both classes.

    Logistic regression on the scores with the targets of Platt (1999), (n + 1) / (n + 2) for a
    class of n files, so that separable scores do not give certainty. Scores that are higher for
    fakes carry no information and give slope 0.

    Args:
        is_real: `(files,)`, 1 real, 0 fake; both occur.
        scores: `(files,)`, finite.

    Returns:
        Slope and intercept: log-likelihood ratio = slope * score + intercept.
    """
    # It is slow to import, and predicting fits nothing.
    from sklearn.linear_model import LogisticRegression

    is_real, scores = np.asarray(is_real), np.asarray(scores, np.float64)
    count = np.where(is_real == 1, np.sum(is_real == 1), np.sum(is_real == 0))
    target = (count + 1) / (count + 2)  # probability of the file's own class
    scale = float(np.std(scores)) or 1.0
    model = LogisticRegression(C=WEAK_REGULARISATION)
    model.fit(
        np.concatenate([scores, scores])[:, None] / scale,
        np.concatenate([is_real, 1 - is_real]),
        sample_weight=np.concatenate([target, 1 - target]) * np.tile(len(scores) / count, 2),
    )
    slope, intercept = float(model.coef_[0, 0]) / scale, float(model.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, 0.0)


def limit_false_alarms(
    calibration: Calibration, real_scores: np.ndarray, false_alarms: float
) -> Calibration:
    """Move a calibration up until no more than a share of known real files is called fake.

    If no fakes of the expected kind are available, real files show at least how much lower all
    files of the same recording conditions score.

    Args:
        calibration: is returned unchanged if it calls few enough of them fake.
        real_scores: `(files,)`, finite.
        false_alarms: the share, 0 to 1, at even odds.
    """
    lowest = float(np.quantile(calibration.llr(real_scores), false_alarms, method="higher"))
    up = max(0.0, JUST_ABOVE - lowest)  # at 0 itself a file is called fake
    return replace(calibration, intercept=calibration.intercept + up)
