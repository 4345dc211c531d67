"""Costs of errors: DCF and t-DCF of the ASVspoof challenges, and Cllr of log-likelihood ratios.

`is_real` is 1 for real and 0 for fake, and `llr` are natural log-likelihood ratios of real against
fake; both have one entry for each file, `(files,)`.
"""

from dataclasses import dataclass

import numpy as np

from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.error_rates import (
    ErrorCurve,
    check_scores,
    hull_segments,
    official_equal_error_rate,
)

MIN_DISTINCT_SCORES = 3  # with fewer, scores are decisions, and no threshold is left to choose


@dataclass(frozen=True)
class DetectionCosts:
    """The prior probability of a fake and the costs of both errors."""

    prior_fake: float
    cost_miss: float
    cost_false_accept: float

    @property
    def weights(self) -> tuple[float, float]:
        """Return the cost of missing every real file, and of accepting every fake."""
        return self.cost_miss * (1 - self.prior_fake), self.cost_false_accept * self.prior_fake

    @property
    def bayes_threshold(self) -> float:
        """Return the log-likelihood ratio at and above which calling a file real costs less."""
        missing, accepting = self.weights
        return -float(np.log(missing / accepting))


@dataclass(frozen=True)
class AsvErrorRates:
    """The error rates of the speaker verification that follows the detector.

    Attributes:
        miss: share of the true speakers that it rejects.
        false_accept: share of the other speakers that it accepts.
        false_accept_fake: share of the fakes that it accepts.
    """

    miss: float
    false_accept: float
    false_accept_fake: float


def min_dcf(curve: ErrorCurve, costs: DetectionCosts) -> float:
    """Compute the least normalised detection cost of all thresholds, at most 1 (ASVspoof 5)."""
    missing, accepting = costs.weights
    cost = missing * curve.miss_rate + accepting * curve.false_accept_rate
    return float(cost.min() / min(missing, accepting))


def actual_dcf(is_real: np.ndarray, llr: np.ndarray, costs: DetectionCosts) -> float:
    """Compute the normalised detection cost of decisions at the Bayes threshold (ASVspoof 5)."""
    is_real, llr = check_scores(is_real, llr)
    called_real = llr >= costs.bayes_threshold
    missing, accepting = costs.weights
    cost = (
        missing * (~called_real)[is_real == 1].mean() + accepting * called_real[is_real == 0].mean()
    )
    return float(cost / min(missing, accepting))


def asv_error_rates(target: np.ndarray, nontarget: np.ndarray, fake: np.ndarray) -> AsvErrorRates:
    """Compute a speaker verification's errors at the threshold of its own equal error rate.

    Args:
        target: its scores for true speakers, `(any,)`, finite as all of them.
        nontarget: for other speakers.
        fake: for fakes of true speakers.
    """
    is_target = np.repeat([1, 0], [len(target), len(nontarget)])
    threshold = official_equal_error_rate(is_target, np.concatenate([target, nontarget])).threshold
    return AsvErrorRates(
        miss=float(np.mean(target < threshold)),
        false_accept=float(np.mean(nontarget >= threshold)),
        false_accept_fake=float(np.mean(fake >= threshold)),
    )


def min_tdcf(
    curve: ErrorCurve, asv: AsvErrorRates, costs: DetectionCosts, legacy: bool = False
) -> float:
    """Compute the least normalised tandem detection cost (Kinnunen et al., 2020), at most 1.

    Args:
        curve: of the detector.
        asv: the speaker verification behind it.
        costs: of fakes and of both errors; 1 in 100 of the other trials is another speaker.
        legacy: ASVspoof 2019's form, which ignores the verification's own cost; otherwise the
            form of 2021, whose least value is above 0.

    Raises:
        InputError: the scores are decisions, or the verification makes the cost undefined.
    """
    if len(curve.thresholds) - 1 < MIN_DISTINCT_SCORES:
        raise InputError(
            f"cannot compute t-DCF of {len(curve.thresholds) - 1} different scores; "
            "give scores, not decisions"
        )
    prior_target, prior_nontarget = (1 - costs.prior_fake) * np.array([0.99, 0.01])
    alone = (
        prior_target * costs.cost_miss * asv.miss
        + prior_nontarget * costs.cost_false_accept * asv.false_accept
    )
    missing = prior_target * costs.cost_miss - alone
    accepting = costs.prior_fake * costs.cost_false_accept * asv.false_accept_fake
    least = min(missing, accepting)
    if missing < 0 or (least if legacy else alone + least) <= 0:
        raise InputError(
            "cannot compute this form of t-DCF: the speaker verification accepts too few true "
            f"speakers ({1 - asv.miss:.1%}) or no fakes ({asv.false_accept_fake:.1%}); "
            "give another one"
        )
    cost = missing * curve.miss_rate + accepting * curve.false_accept_rate
    if legacy:
        return float(cost.min() / least)
    return float((alone + cost.min()) / (alone + least))


def llr_cost(is_real: np.ndarray, llr: np.ndarray) -> float:
    """Compute Cllr in bits (Brümmer and du Preez, 2006): 0 is perfect, 1 is no information."""
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
