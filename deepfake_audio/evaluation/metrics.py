"""Error rates from scores. Arrays in, numbers and arrays out; a higher score is more real.

`is_real` is 1 for real and 0 for fake throughout. A figure that does not exist raises an
InputError with the reason; none is ever made up. Costs and log-likelihood ratios follow the
ASVspoof challenges.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from deepfake_audio.errors import InputError
from deepfake_audio.models.calibration import (
    decision_threshold,
    expected_calibration_error,
    prior_weights,
    probability,
    reliability,
)

MAX_SCORE = 1e100  # sums of larger ones would overflow
MIN_DISTINCT_SCORES = 3  # with fewer, scores are decisions, and no threshold is left to choose


@dataclass(frozen=True)
class EqualErrorRate:
    """The point at which as many real files are called fake as fake files are called real.

    Attributes:
        rate: 0 to 1.
        threshold: score at and above which a file is called real.
    """

    rate: float
    threshold: float


@dataclass(frozen=True)
class ErrorCurve:
    """The errors at every threshold, from calling all files real to calling none so.

    Attributes:
        thresholds: `(points,)`, rising; a file is called real if its score is that or higher.
        missed: `(points,)`, rising: real files called fake.
        accepted: `(points,)`, falling: fakes called real.
    """

    thresholds: np.ndarray
    missed: np.ndarray
    accepted: np.ndarray

    @property
    def miss_rate(self) -> np.ndarray:
        """Return the share of the real files that is called fake, also known as FRR."""
        return self.missed / self.missed[-1]

    @property
    def false_accept_rate(self) -> np.ndarray:
        """Return the share of the fakes that is called real, also known as FAR."""
        return self.accepted / self.accepted[0]


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


def check_scores(is_real: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, or raise a `InputError` if no error rate exists for them."""
    is_real, scores = np.asarray(is_real).astype(int), np.asarray(scores, np.float64)
    if is_real.shape != scores.shape or is_real.ndim != 1:
        raise InputError(
            f"scores {scores.shape} and labels {is_real.shape} have different shapes; "
            "give one label for each score"
        )
    if not (np.abs(scores) <= MAX_SCORE).all():  # not a number is not below it
        raise InputError(
            f"cannot compute error rates: {int((~(np.abs(scores) <= MAX_SCORE)).sum())} scores are "
            f"larger than {MAX_SCORE:g} or not a number"
        )
    if len(set(is_real.tolist())) < 2:
        raise InputError(
            f"cannot compute error rates of {int(is_real.sum())} real and "
            f"{int((1 - is_real).sum())} fake files; both classes are needed"
        )
    return is_real, scores


def error_curve(is_real: np.ndarray, scores: np.ndarray) -> ErrorCurve:
    """Count the errors at every threshold; equal scores lie on one side of each.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, higher is more real.

    Raises:
        InputError: one class is missing, or a score is not finite.
    """
    is_real, scores = check_scores(is_real, scores)
    distinct, place = np.unique(scores, return_inverse=True)
    real, fake = (np.bincount(place[is_real == label], minlength=len(distinct)) for label in (1, 0))
    return curve_of_counts(distinct, real, fake)


def curve_of_counts(distinct: np.ndarray, real: np.ndarray, fake: np.ndarray) -> ErrorCurve:
    """Return the curve of scores that were counted: rising, and how often each class has each."""
    return ErrorCurve(
        thresholds=np.append(distinct, np.nextafter(distinct[-1], np.inf)),
        missed=np.concatenate([[0], np.cumsum(real)]),
        accepted=np.concatenate([[0], np.cumsum(fake[::-1])])[::-1],
    )


def equal_error_rate(is_real: np.ndarray, scores: np.ndarray) -> EqualErrorRate:
    """Compute the equal error rate.

    The rule: among the thresholds between distinct scores, take the one with the smallest distance
    between miss rate and false acceptance rate, the lowest of several; the rate is their mean. This
    is ASVspoof's rule if no two scores are equal; equal scores stay together, so the order of the
    files does not matter.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, higher is more real.

    Raises:
        InputError: one class is missing, or a score is not finite.
    """
    return eer_of(error_curve(is_real, scores))


def eer_of(curve: ErrorCurve) -> EqualErrorRate:
    """Compute the equal error rate from a curve; see `equal_error_rate`."""
    rate, nearest = _nearest_rates(curve.missed, curve.accepted)
    return EqualErrorRate(float(rate), float(curve.thresholds[nearest]))


def equal_error_rates(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Compute the equal error rates of several sets of files; see `equal_error_rate`.

    Args:
        real: int `(sets, scores)`, or `(1, scores)` if all sets share them: how many real files
            have each score, scores rising.
        fake: int `(sets, scores)`, the same of fakes.

    Returns:
        `(sets,)`; not a number if a class is missing.
    """
    missed, below = (np.pad(np.cumsum(c, axis=1), ((0, 0), (1, 0))) for c in (real, fake))
    with np.errstate(invalid="ignore"):
        return _nearest_rates(missed, below[:, -1:] - below)[0]


def _nearest_rates(missed: np.ndarray, accepted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the EER of each curve, and the position of its threshold."""
    real, fake = missed[..., -1:], accepted[..., :1]
    gaps = np.abs(missed * fake - accepted * real)  # of integers, so that nothing is rounded
    nearest = np.argmin(gaps, axis=-1, keepdims=True)
    of_real, of_fake = (
        np.take_along_axis(np.broadcast_to(counts, gaps.shape), nearest, -1)
        for counts in (missed, accepted)
    )
    return ((of_real / real + of_fake / fake) / 2)[..., 0], nearest[..., 0]


def official_equal_error_rate(is_real: np.ndarray, scores: np.ndarray) -> EqualErrorRate:
    """Compute the equal error rate exactly as ASVspoof's packages do, ties in their order.

    They sort the real files before the fakes of equal score, so that equal scores count as errors:
    constant scores have a rate of 1. Their threshold is the score above which a file is real.
    """
    is_real, scores = check_scores(is_real, scores)
    order = np.lexsort((1 - is_real, scores))
    missed = np.concatenate([[0], np.cumsum(is_real[order])])
    accepted = (1 - is_real).sum() - np.concatenate([[0], np.cumsum(1 - is_real[order])])
    thresholds = np.concatenate([[scores.min() - 0.001], scores[order]])
    curve = ErrorCurve(thresholds, missed, accepted)
    miss, false_accept = curve.miss_rate, curve.false_accept_rate
    nearest = np.argmin(np.abs(miss - false_accept))  # in floats, as theirs: rounding breaks ties
    return EqualErrorRate(
        float(miss[nearest] + false_accept[nearest]) / 2, float(thresholds[nearest])
    )


def interpolated_equal_error_rate(is_real: np.ndarray, scores: np.ndarray) -> float:
    """Compute the EER by linear interpolation between the points of the curve."""
    curve = error_curve(is_real, scores)
    return _crossing(curve.miss_rate, curve.false_accept_rate)


def hull_equal_error_rate(is_real: np.ndarray, scores: np.ndarray) -> float:
    """Compute the equal error rate of the ROC's convex hull (ROCCH-EER): never above 0.5."""
    real, fake = _hull_segments(error_curve(is_real, scores))
    miss, hit_fake = (np.concatenate([[0], np.cumsum(counts)]) for counts in (real, fake))
    return _crossing(miss / miss[-1], 1 - hit_fake / hit_fake[-1])


def _crossing(miss: np.ndarray, false_accept: np.ndarray) -> float:
    after = int(np.argmax(miss >= false_accept))
    before = after - 1
    gap_before, gap_after = (false_accept - miss)[[before, after]]
    share = gap_before / (gap_before - gap_after)
    return float(miss[before] + share * (miss[after] - miss[before]))


def _hull_segments(curve: ErrorCurve) -> tuple[np.ndarray, np.ndarray]:
    """Return the real and the fake files of each segment of the ROC's convex hull, rising score.

    Its segments are the blocks of isotonic regression (pool adjacent violators).
    """
    real, fake = np.diff(curve.missed), -np.diff(curve.accepted)
    blocks = isotonic_regression(real / (real + fake), weights=real + fake).blocks
    return np.add.reduceat(real, blocks[:-1]), np.add.reduceat(fake, blocks[:-1])


def roc_auc(curve: ErrorCurve) -> float:
    """Compute P(a real file scores higher than a fake), a tie counting half."""
    real = np.diff(curve.missed)
    below = curve.accepted[0] - (curve.accepted[:-1] + curve.accepted[1:]) / 2
    return float(real @ below / (curve.missed[-1] * curve.accepted[0]))


def min_dcf(curve: ErrorCurve, costs: DetectionCosts) -> float:
    """Compute the least normalised detection cost of all thresholds, at most 1 (ASVspoof 5)."""
    missing, accepting = costs.weights
    cost = missing * curve.miss_rate + accepting * curve.false_accept_rate
    return float(cost.min() / min(missing, accepting))


def actual_dcf(is_real: np.ndarray, llr: np.ndarray, costs: DetectionCosts) -> float:
    """Compute the normalised detection cost of decisions at the Bayes threshold (ASVspoof 5).

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        llr: `(files,)`, natural log-likelihood ratios of real against fake.
        costs: that set the threshold and weigh the errors.
    """
    is_real, llr = check_scores(is_real, llr)
    called_real = llr >= costs.bayes_threshold
    missing, accepting = costs.weights
    cost = (
        missing * (~called_real)[is_real == 1].mean() + accepting * called_real[is_real == 0].mean()
    )
    return float(cost / min(missing, accepting))


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
    real, fake = _hull_segments(curve)
    real, fake = real / real.sum(), fake / fake.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        bits_real = np.where(real > 0, real * np.log2(1 + fake / real), 0)
        bits_fake = np.where(fake > 0, fake * np.log2(1 + real / fake), 0)
    return float((bits_real.sum() + bits_fake.sum()) / 2)


def asv_error_rates(target: np.ndarray, nontarget: np.ndarray, fake: np.ndarray) -> AsvErrorRates:
    """Compute a speaker verification's errors at the threshold of its own equal error rate.

    Args:
        target: its scores for true speakers, `(any,)`.
        nontarget: for other speakers.
        fake: for fakes of true speakers.
    """
    if not len(fake) or not np.isfinite(fake).all():
        raise InputError("cannot compute t-DCF: scores of fake files are missing or not finite")
    is_target = np.repeat([1, 0], [len(target), len(nontarget)])
    threshold = official_equal_error_rate(is_target, np.concatenate([target, nontarget])).threshold
    return AsvErrorRates(
        miss=float(np.mean(np.asarray(target) < threshold)),
        false_accept=float(np.mean(np.asarray(nontarget) >= threshold)),
        false_accept_fake=float(np.mean(np.asarray(fake) >= threshold)),
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
            f"cannot compute this form of t-DCF: the speaker verification ({asv}) accepts too few "
            "true speakers or no fakes; give another one"
        )
    cost = missing * curve.miss_rate + accepting * curve.false_accept_rate
    if legacy:
        return float(cost.min() / least)
    return float((alone + cost.min()) / (alone + least))


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
        f1_score,
        matthews_corrcoef,
        precision_recall_fscore_support,
    )

    is_real, called_real = np.asarray(is_real).astype(int), np.asarray(called_real).astype(int)
    confusion = confusion_matrix(is_real, called_real, labels=[0, 1])
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_real, called_real, labels=[0], zero_division=0
    )
    return {
        "accuracy": float(np.trace(confusion) / len(is_real)),
        "balanced_accuracy": float(np.mean(np.diag(confusion) / confusion.sum(axis=1))),
        "precision": float(precision[0]),
        "recall": float(recall[0]),
        "f1": float(f1[0]),
        "macro_f1": float(f1_score(is_real, called_real, average="macro", zero_division=0)),
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
