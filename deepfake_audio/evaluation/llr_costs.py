"""The cost of log-likelihood ratios (Cllr): as they are, and after the best calibration."""

import numpy as np

from deepfake_audio.evaluation.error_rates import ErrorCurve, check_scores, hull_segments


def llr_cost(is_real: np.ndarray, llr: np.ndarray) -> float:
    """Compute Cllr in bits (Brümmer and du Preez, 2006): 0 is perfect, 1 is no information.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        llr: `(files,)`, natural log-likelihood ratios of real against fake.
    """
    is_real, llr = check_scores(is_real, llr)
    loss = llr_losses(is_real, llr)
    return float((loss[is_real == 1].mean() + loss[is_real == 0].mean()) / 2)


def llr_losses(is_real: np.ndarray, llr: np.ndarray) -> np.ndarray:
    """Return what each file adds to Cllr, in bits: `(files,)`."""
    return np.logaddexp(0, np.where(is_real == 1, -llr, llr)) / np.log(2)


def min_llr_cost(curve: ErrorCurve) -> float:
    """Compute the Cllr, in bits, after the best monotonic calibration of the scores."""
    real, fake = hull_segments(curve)
    real, fake = real / real.sum(), fake / fake.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        bits_real = np.where(real > 0, real * np.log2(1 + fake / real), 0)
        bits_fake = np.where(fake > 0, fake * np.log2(1 + real / fake), 0)
    return float((bits_real.sum() + bits_fake.sum()) / 2)
