"""Correct a score by the quality of its recording: hidden traces must not count as evidence."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# The measure of each degradation: from the first value on it counts, at the second fully.
DEGRADATIONS: Mapping[str, tuple[float, float]] = {
    "noise": (32, 7),  # snr_db
    "high_noise": (32, 7),  # high_snr_db
    "texture": (7.5, 5.5),  # texture_db
    "bandwidth": (7800, 4000),  # bandwidth_hz
    "echo": (0.04, 0.14),  # share of the amplitude
    "shortness": (3, 1),  # sound_seconds
}
NOISE = list(DEGRADATIONS).index("noise")
CLEAR_FAKE = -6.0  # a score that makes a clean recording FAKE without a doubt
MIN_SLOPE = 0.02
SHRINKAGE = 1e-3  # of the squared coefficients
SLOPE_PENALTY = 0.1


def degradations(measures: np.ndarray) -> np.ndarray:
    """Return how degraded recordings are, 0 to 1, `(..., len(DEGRADATIONS))`.

    Args:
        measures: in the order and units of `DEGRADATIONS`, of the same shape.
    """
    good, bad = np.array(list(DEGRADATIONS.values())).T
    return np.clip((measures - good) / (bad - good), 0, 1)


@dataclass(frozen=True)
class QualityCorrection:
    """A corrected score: piecewise linear in the score, linear in the degradations.

    A degraded recording has less steep slopes: its score counts for less. Scores below and above 0
    have slopes of their own, because noise hides the traces of a fake but does not make them.

    Attributes:
        fake_slope: of scores below 0, in a clean recording.
        fake_slope_losses: reduction of this slope by each degradation, not negative.
        real_slope, real_slope_losses: the same for scores above 0.
        intercept: of a clean recording.
        shifts: addition of each degradation to the corrected score.
        caution: reduction of evidence for real by noise, which hides the traces of a fake.
    """

    fake_slope: float
    fake_slope_losses: tuple[float, ...]
    real_slope: float
    real_slope_losses: tuple[float, ...]
    intercept: float
    shifts: tuple[float, ...]
    caution: float = 0.0

    def correct(self, scores: np.ndarray, degraded: np.ndarray) -> np.ndarray:
        """Return corrected scores, which never fall as the score rises.

        Args:
            scores: log-odds of real before calibration, `(...)`.
            degraded: of `degradations`, `(..., len(DEGRADATIONS))`.
        """
        below, above = np.minimum(scores, 0), np.maximum(scores, 0)
        fake_slope = np.maximum(self.fake_slope - degraded @ self.fake_slope_losses, 0)
        real_slope = np.maximum(self.real_slope - degraded @ self.real_slope_losses, 0)
        shift = self.intercept + degraded @ self.shifts
        corrected = fake_slope * below + real_slope * above + shift
        doubt = self.caution * degraded[..., NOISE]
        return np.where(corrected > 0, np.maximum(corrected - doubt, 0), corrected)

    def hides_fakes(self, degraded: np.ndarray) -> bool:
        """Return whether even the score of a clear fake speaks for real in such a recording."""
        return bool(self.correct(np.array(CLEAR_FAKE), degraded) > 0)


def fit_correction(
    is_real: np.ndarray, scores: np.ndarray, degraded: np.ndarray, weights: np.ndarray
) -> QualityCorrection:
    """Fit a correction whose results are calibrated log-likelihood ratios: logistic regression.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, log-odds of real before calibration.
        degraded: `(files, len(DEGRADATIONS))`, of `degradations`.
        weights: `(files,)`; equal sums for both classes.
    """
    from scipy.optimize import minimize  # slow to import, and predicting fits nothing

    count = degraded.shape[1]
    signs, shares = np.where(is_real == 1, 1.0, -1.0), weights / weights.sum()
    below, above = np.minimum(scores, 0), np.maximum(scores, 0)

    def loss(values: np.ndarray) -> float:
        fake, real, shift = np.split(values, 3)
        fake_slopes = fake[0] - degraded @ fake[1:]
        real_slopes = real[0] - degraded @ real[1:]
        llr = np.maximum(fake_slopes, 0) * below + np.maximum(real_slopes, 0) * above
        llr = llr + shift[0] + degraded @ shift[1:]
        steepness = np.minimum(fake_slopes - MIN_SLOPE, 0), np.minimum(real_slopes - MIN_SLOPE, 0)
        return float(
            shares @ np.logaddexp(0, -signs * llr)
            + SHRINKAGE * np.square(values).sum()
            + SLOPE_PENALTY * np.square(steepness).sum(axis=0).mean()
        )

    start = np.concatenate([[0.8], np.full(count, 0.1)] * 2 + [np.zeros(1 + count)])
    bounds = [(0, None)] * (2 * count + 2) + [(None, None)] * (count + 1)
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 5000})
    fake, real, shift = (part.tolist() for part in np.split(found.x, 3))
    return QualityCorrection(
        fake[0], tuple(fake[1:]), real[0], tuple(real[1:]), shift[0], tuple(shift[1:])
    )
