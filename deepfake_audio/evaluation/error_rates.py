"""Error rates from scores. Arrays in, numbers and arrays out; a higher score is more real.

`is_real` and `scores` have one entry for each file, `(files,)`; `is_real` is 1 for real and 0 for
fake. A figure that does not exist raises an InputError with the reason; none is ever made up.
"""

from dataclasses import dataclass

import numpy as np

from deepfake_audio.errors import InputError

MAX_SCORE = 1e100  # sums of larger ones would overflow


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


def check_scores(is_real: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, or raise a `InputError` if no error rate exists for them."""
    is_real, scores = np.asarray(is_real).astype(int), np.asarray(scores, np.float64)
    if unusable := int((~(np.abs(scores) <= MAX_SCORE)).sum()):  # not a number is not below it
        raise InputError(
            f"cannot compute error rates: {unusable} scores are larger than {MAX_SCORE:g} or not a "
            "number"
        )
    if len(set(is_real.tolist())) < 2:
        raise InputError(
            f"cannot compute error rates of {int(is_real.sum())} real and "
            f"{int((1 - is_real).sum())} fake files; both classes are needed"
        )
    return is_real, scores


def error_curve(is_real: np.ndarray, scores: np.ndarray) -> ErrorCurve:
    """Count the errors at every threshold; equal scores lie on one side of each.

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


def hull_equal_error_rate(is_real: np.ndarray, scores: np.ndarray) -> float:
    """Compute the equal error rate of the ROC's convex hull (ROCCH-EER): never above 0.5."""
    real, fake = hull_segments(error_curve(is_real, scores))
    missed, below = (np.concatenate([[0], np.cumsum(counts)]) for counts in (real, fake))
    miss, false_accept = missed / missed[-1], 1 - below / below[-1]
    after = int(np.argmax(miss >= false_accept))  # the rates cross between two thresholds
    gap_before, gap_after = (false_accept - miss)[[after - 1, after]]
    share = gap_before / (gap_before - gap_after)
    return float(miss[after - 1] + share * (miss[after] - miss[after - 1]))


def hull_segments(curve: ErrorCurve) -> tuple[np.ndarray, np.ndarray]:
    """Return the real and the fake files of each segment of the ROC's convex hull, rising score.

    Its segments are the blocks of isotonic regression (pool adjacent violators).
    """
    from scipy.optimize import isotonic_regression  # here, so that --help does not wait for it

    real, fake = np.diff(curve.missed), -np.diff(curve.accepted)
    blocks = isotonic_regression(real / (real + fake), weights=real + fake).blocks
    return np.add.reduceat(real, blocks[:-1]), np.add.reduceat(fake, blocks[:-1])


def roc_auc(curve: ErrorCurve) -> float:
    """Compute P(a real file scores higher than a fake), a tie counting half."""
    real = np.diff(curve.missed)
    below = curve.accepted[0] - (curve.accepted[:-1] + curve.accepted[1:]) / 2
    return float(real @ below / (curve.missed[-1] * curve.accepted[0]))
