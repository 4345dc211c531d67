"""Compute confidence intervals by bootstrap over speakers, over speakers and attacks, or files.

Errors on files of one speaker are correlated, so whole speakers are sampled (a cluster bootstrap:
Field and Welsh, 2007); a file without a speaker is a cluster of its own. Speakers with only real
files, with only fake files and with both are sampled separately, so that no class is ever missing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtr, stdtrit

from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.bootstrap_units import count_units
from deepfake_audio.evaluation.sampling import number_clusters, sample_counts
from deepfake_audio.evaluation.score_bins import ScoreHistogram

TAILS = (2.5, 97.5)  # percentiles: of 95% intervals
SEED = 0  # of the samples: the same scores always have the same intervals
FEW_ERRORS = 3  # errors in the smaller class; with fewer, intervals are too narrow


def rule_of_three(tries: int) -> float:
    """Return the upper 95% bound of a rate after `tries` without an event.

    Hanley and Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?", 1983.
    """
    return min(1.0, 3 / tries)


def bootstrap_intervals(
    grouped: ScoreHistogram,
    speakers: np.ndarray,
    repetitions: int,
    seed: int,
    attacks: np.ndarray | None = None,
) -> dict[str, tuple[float, float]]:
    """Return the 95% interval of each figure by percentiles; see `apply_rule_of_three` too.

    Args:
        grouped: the scores.
        speakers: `(files,)`, text; empty if unknown.
        repetitions: at least one.
        seed: of the samples.
        attacks: `(files,)`, the number of each fake's attack, to sample attacks too; see
            `cross_attacks`.
    """
    clusters, strata = number_clusters(speakers, grouped.is_real)
    samples = sample_counts(
        [grouped.cells], [grouped.loss.size], clusters, strata, repetitions, seed, attacks
    )
    eer = grouped.figures(grouped.counts)["eer"]
    units, tails = min(count_units(grouped.is_real, speakers)), TAILS
    if attacks is not None:
        units = min(units, int(attacks.max()) + 1)
        tails = expanded_tails(units)
    found = _percentiles([grouped.figures(sample) for (sample,) in samples], tails)
    return found | {"eer": apply_rule_of_three(found["eer"], eer, grouped.is_real, units)}


def apply_rule_of_three(
    interval: Sequence[float], eer: float, is_real: np.ndarray, units: int
) -> tuple[float, float]:
    """Raise the upper end of an EER's interval to `rule_of_three` if there are few errors.

    Files without an error have none in any sample, so samples would give an interval of
    zero width. The tries are the `units`: speakers, or files, of the class with fewer.
    """
    low, high = interval
    if eer * min(np.bincount(is_real, minlength=2)) < FEW_ERRORS:
        high = max(high, rule_of_three(units))
    return low, high


def bootstrap_differences(
    ours: ScoreHistogram,
    theirs: ScoreHistogram,
    speakers: np.ndarray,
    repetitions: int,
    seed: int,
    attacks: np.ndarray | None = None,
) -> dict[str, tuple[float, float]]:
    """Return the 95% interval of `theirs` less `ours` in each figure, on the same samples."""
    if not np.array_equal(ours.is_real, theirs.is_real):
        raise InputError("cannot compare two systems with different labels")
    clusters, strata = number_clusters(speakers, ours.is_real)
    sets, cells = [ours.cells, theirs.cells], [ours.loss.size, theirs.loss.size]
    samples = sample_counts(sets, cells, clusters, strata, repetitions, seed, attacks)

    def difference(sample: list[np.ndarray]) -> dict[str, float]:
        first, second = ours.figures(sample[0]), theirs.figures(sample[1])
        return {name: second[name] - first[name] for name in first}

    tails = TAILS
    if attacks is not None:
        units = min(count_units(ours.is_real, speakers))
        tails = expanded_tails(min(units, int(attacks.max()) + 1))
    return _percentiles([difference(sample) for sample in samples], tails)


def expanded_tails(units: int) -> tuple[float, float]:
    """Return the percentiles of a 95% interval over few units.

    Percentiles are too narrow for few units, as normal quantiles are where those of Student's t
    are needed. Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69, 2015, section 4.4.

    >>> [round(tail, 2) for tail in expanded_tails(12)]
    [1.08, 98.92]
    """
    tail = 100 * ndtr(stdtrit(units - 1, TAILS[0] / 100) * np.sqrt(units / (units - 1)))
    return float(tail), float(100 - tail)


def _percentiles(
    rows: Sequence[Mapping[str, float]], tails: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    return {
        name: tuple(np.percentile([row[name] for row in rows], tails).tolist()) for name in rows[0]
    }
