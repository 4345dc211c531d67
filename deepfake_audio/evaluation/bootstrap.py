"""Compute confidence intervals by bootstrap over speakers, over speakers and attacks, or files.

Errors on files of one speaker are correlated, so whole speakers are sampled (a cluster bootstrap:
Field and Welsh, 2007); a file without a speaker is a cluster of its own. Speakers with only real
files, with only fake files and with both are sampled separately, so that no class is ever missing.

Scores are binned before sampling: at most `MAX_BINS` bins of neighbouring scores, so that one
repetition costs as much for 600,000 files as for 10,000. With fewer different scores, which is the
usual case, each has a bin of its own and nothing is rounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from deepfake_audio.errors import InputError, pluralize
from deepfake_audio.evaluation.detection_costs import DetectionCosts, min_dcf
from deepfake_audio.evaluation.error_rates import check_scores, curve_of_counts, eer_of, roc_auc
from deepfake_audio.evaluation.llr_costs import llr_losses
from deepfake_audio.evaluation.sampling import number_clusters, sample_counts

MAX_BINS = 10_000
TAILS = (2.5, 97.5)  # percentiles: of 95% intervals
SEED = 0  # of the samples: the same scores always have the same intervals
FEW_ERRORS = 3  # errors in the smaller class; with fewer, intervals are too narrow
MIN_UNITS, FEW_UNITS = 5, 10  # speakers, or files, of a class; with few, intervals are narrow


@dataclass(frozen=True)
class ScoreHistogram:
    """Scores in bins of neighbours.

    Attributes:
        group: `(files,)`, the bin of each file; bins rise with the score.
        is_real: `(files,)`, 1 real, 0 fake.
        loss: `(bins, 2)`, mean share in Cllr of the bin's fake and real files, in bits.
        accepted: `(bins,)`, whether files are called real at the threshold of the costs.
        called_real: `(bins,)`, whether they are called real by the verdict.
        costs: of DCF.
    """

    group: np.ndarray
    is_real: np.ndarray
    loss: np.ndarray
    accepted: np.ndarray
    called_real: np.ndarray
    costs: DetectionCosts

    @property
    def cells(self) -> np.ndarray:
        """Return the position of each file in counts `(bins, 2)` laid out flat."""
        return 2 * self.group + self.is_real

    @property
    def counts(self) -> np.ndarray:
        """Return how many files each cell has before sampling, `(bins * 2,)`."""
        return np.bincount(self.cells, minlength=self.loss.size)

    def figures(self, counts: np.ndarray) -> dict[str, float]:
        """Compute the figures of sampled files from the counts of cells, `(bins * 2,)`."""
        fake, real = np.asarray(counts).reshape(-1, 2).T
        curve = curve_of_counts(np.arange(len(real)), real, fake)
        missing, accepting = self.costs.weights
        miss, false_accept = self._rates(real, fake, self.accepted)
        verdict_miss, verdict_accept = self._rates(real, fake, self.called_real)
        correct = real[self.called_real].sum() + fake[~self.called_real].sum()
        losses = (fake @ self.loss[:, 0] / fake.sum(), real @ self.loss[:, 1] / real.sum())
        return {
            "eer": eer_of(curve).rate,
            "roc_auc": roc_auc(curve),
            "min_dcf": min_dcf(curve, self.costs),
            "act_dcf": (missing * miss + accepting * false_accept) / min(missing, accepting),
            "cllr": sum(losses) / 2,
            "accuracy": correct / (real.sum() + fake.sum()),
            "balanced_accuracy": 1 - (verdict_miss + verdict_accept) / 2,
        }

    @staticmethod
    def _rates(real: np.ndarray, fake: np.ndarray, accepted: np.ndarray) -> tuple[float, float]:
        return real[~accepted].sum() / real.sum(), fake[accepted].sum() / fake.sum()


@dataclass(frozen=True)
class BootstrapUnits:
    """The units that a bootstrap samples: speakers or files.

    Attributes:
        speakers: `(files,)`, text; all empty if files are sampled.
        units: number of speakers, or files, in the class with fewer of them.
        warning: about the intervals; empty if there is nothing to say.
        enough: whether there are enough for intervals.
    """

    speakers: np.ndarray
    units: int
    warning: str = ""
    enough: bool = True

    @property
    def by_speaker(self) -> bool:
        return bool((self.speakers != "").any())


def rule_of_three(tries: int) -> float:
    """Return the upper 95% bound of a rate after `tries` without an event.

    Hanley and Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?", 1983.
    """
    return min(1.0, 3 / tries)


def count_units(is_real: np.ndarray, speakers: np.ndarray) -> list[int]:
    """Count the known speakers of the fake and the real files, or the files if none is known.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        speakers: `(files,)`, text; empty if unknown.
    """
    if (speakers == "").all():
        return [int(np.sum(is_real == label)) for label in (0, 1)]
    return [len(set(speakers[is_real == label].tolist()) - {""}) for label in (0, 1)]


def choose_units(is_real: np.ndarray, speakers: np.ndarray) -> BootstrapUnits:
    """Choose what the bootstrap samples: speakers, or files if too few speakers are known.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        speakers: `(files,)`, text; empty if unknown.
    """
    nobody = np.full(len(speakers), "")
    files = min(count_units(is_real, nobody))
    if files < MIN_UNITS:
        warning = f"No interval is given: one class has {pluralize(files, 'file')}."
        return BootstrapUnits(nobody, files, warning, enough=False)
    if (speakers == "").all():
        return BootstrapUnits(nobody, files)
    few = min(count_units(is_real, speakers))
    if few < MIN_UNITS:
        voices = pluralize(few, "speaker" if few else "known speaker")
        return BootstrapUnits(nobody, files, warning=(
            f"One class has {voices}: the intervals are over files and are not "
            "valid for other voices."
        ))  # fmt: skip
    warning = f"One class has {few} speakers: the intervals are too narrow."
    return BootstrapUnits(speakers, few, warning if few < FEW_UNITS else "")


def cross_attacks(
    is_real: np.ndarray, attack: np.ndarray, units: BootstrapUnits
) -> tuple[np.ndarray | None, str]:
    """Number the attacks, to sample them together with the speakers.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        attack: `(files,)`, text; empty if unknown.
        units: the speakers.

    Returns:
        `(files,)`, the number of each fake's attack, and -1 for real files; None if the intervals
        can only be over the units. And a warning, empty if there is nothing to say.
    """
    names, numbers = np.unique(attack[is_real == 0], return_inverse=True)
    over = "speakers" if units.by_speaker else "files"
    reason = ""
    if not units.by_speaker:
        reason = "too few speakers are known"
    elif (attack[is_real == 0] == "").any():
        unknown = int((attack[is_real == 0] == "").sum())
        reason = f"the attack of {pluralize(unknown, 'fake file')} is unknown"
    elif len(names) < MIN_UNITS:
        reason = f"{pluralize(len(names), 'attack')} are too few to sample from"
    if reason:
        return None, f"The intervals are over {over}, not over speakers and attacks: {reason}."
    crossed = np.full(len(is_real), -1)
    crossed[is_real == 0] = numbers
    few = f"The fakes have {len(names)} attacks: the intervals are too narrow."
    return crossed, few if len(names) < FEW_UNITS else ""


def score_histogram(
    is_real: np.ndarray,
    scores: np.ndarray,
    llr: np.ndarray,
    threshold: float,
    costs: DetectionCosts,
) -> ScoreHistogram:
    """Bin neighbouring scores if there are more than `MAX_BINS` different ones.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        scores: `(files,)`, higher is more real.
        llr: `(files,)`, log-likelihood ratios, which rise with the scores.
        threshold: log-likelihood ratio above which the verdict is real.
        costs: of DCF.
    """
    is_real, scores = check_scores(is_real, scores)
    called_real, accepted = llr > threshold, llr >= costs.bayes_threshold
    distinct, place = np.unique(scores, return_inverse=True)
    if len(distinct) > MAX_BINS:
        rank_of = (np.cumsum(np.bincount(place)) - 1) * MAX_BINS // len(scores)
        place = rank_of[place]
    # Both thresholds split a bin, so that each bin lies on one side of them.
    _, first, group = np.unique(
        4 * place + called_real + accepted, return_index=True, return_inverse=True
    )
    cells, losses = 2 * group + is_real, llr_losses(is_real, llr)
    counts, sums = (np.bincount(cells, weights, 2 * len(first)) for weights in (None, losses))
    loss = (sums / np.maximum(counts, 1)).reshape(-1, 2)
    return ScoreHistogram(group, is_real, loss, accepted[first], called_real[first], costs)


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
    draws = sample_counts(
        [grouped.cells], [grouped.loss.size], clusters, strata, repetitions, seed, attacks
    )
    eer = grouped.figures(grouped.counts)["eer"]
    units, tails = min(count_units(grouped.is_real, speakers)), TAILS
    if attacks is not None:
        units = min(units, int(attacks.max()) + 1)
        tails = expanded_tails(units)
    found = _percentiles([grouped.figures(drawn) for (drawn,) in draws], tails)
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
    draws = sample_counts(sets, cells, clusters, strata, repetitions, seed, attacks)

    def difference(drawn: list[np.ndarray]) -> dict[str, float]:
        first, second = ours.figures(drawn[0]), theirs.figures(drawn[1])
        return {name: second[name] - first[name] for name in first}

    tails = TAILS
    if attacks is not None:
        units = min(count_units(ours.is_real, speakers))
        tails = expanded_tails(min(units, int(attacks.max()) + 1))
    return _percentiles([difference(drawn) for drawn in draws], tails)


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
