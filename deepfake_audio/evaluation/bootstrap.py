"""Compute confidence intervals by bootstrap over speakers, over speakers and attacks, or files.

Errors on files of one speaker are correlated, so whole speakers are sampled (a cluster bootstrap:
Field and Welsh, 2007); a file without a speaker is a cluster of its own. Speakers with only real
files, with only fake files and with both are sampled separately, so that no class is ever missing.

`is_real`, 1 for real and 0 for fake, and `speakers`, text or empty if unknown, have one entry for
each file, `(files,)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepfake_audio.errors import pluralize
from deepfake_audio.evaluation.sampling import number_clusters, sample_counts
from deepfake_audio.evaluation.score_bins import ScoreHistogram

TAILS = (2.5, 97.5)  # percentiles: of 95% intervals
SEED = 0  # of the samples: the same scores always have the same intervals
FEW_ERRORS = 3  # errors in the smaller class; with fewer, intervals are too narrow
MIN_UNITS, FEW_UNITS = 5, 10  # speakers, or files, of a class; with few, intervals are narrow


def rule_of_three(tries: int) -> float:
    """Return the upper 95% bound of a rate after `tries` without an event.

    Hanley and Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?", 1983.
    """
    return min(1.0, 3 / tries)


@dataclass(frozen=True)
class BootstrapUnits:
    """The units that a bootstrap samples: speakers, speakers and attacks, or files.

    Attributes:
        speakers: `(files,)`, text; all empty if files are sampled.
        units: number of speakers, or files, in the class with fewer of them.
        warnings: about the intervals.
        enough: whether there are enough for intervals.
        attacks: `(files,)`, the number of each fake's attack, and -1 for real files; None if
            attacks are not sampled.
    """

    speakers: np.ndarray
    units: int
    warnings: Sequence[str] = ()
    enough: bool = True
    attacks: np.ndarray | None = None

    @property
    def by_speaker(self) -> bool:
        return bool((self.speakers != "").any())

    @property
    def over(self) -> str:
        """Return what the samples consist of."""
        if self.attacks is not None:
            return "speakers and attacks"
        return "speakers" if self.by_speaker else "files"


def count_units(is_real: np.ndarray, speakers: np.ndarray) -> list[int]:
    """Count the known speakers of the fake and the real files, or the files if none is known."""
    if (speakers == "").all():
        return [int(np.sum(is_real == label)) for label in (0, 1)]
    return [len(set(speakers[is_real == label].tolist()) - {""}) for label in (0, 1)]


def choose_units(
    is_real: np.ndarray, speakers: np.ndarray, attack: np.ndarray | None = None
) -> BootstrapUnits:
    """Choose what the bootstrap samples: speakers, or files if too few speakers are known.

    Args:
        attack: `(files,)`, text, to sample the attacks together with the speakers if they are
            known; None to sample no attacks.
    """
    nobody = np.full(len(speakers), "")
    files = min(count_units(is_real, nobody))
    if files < MIN_UNITS:
        warning = f"No interval is given: one class has {pluralize(files, 'file')}."
        return BootstrapUnits(nobody, files, [warning], enough=False)
    few, warnings = min(count_units(is_real, speakers)), []
    is_known = (speakers != "").any()
    if is_known and few < MIN_UNITS:
        voices = pluralize(few, "speaker" if few else "known speaker")
        warnings.append(
            f"One class has {voices}: the intervals are over files and are not valid for other "
            "voices."
        )
        speakers, few = nobody, files
    elif is_known and few < FEW_UNITS:
        warnings.append(f"One class has {few} speakers: the intervals are too narrow.")
    units = BootstrapUnits(speakers, few, warnings)
    if attack is None:
        return units
    attacks, warning = _number_attacks(is_real, attack, units)
    return replace(units, attacks=attacks, warnings=[*warnings, *filter(None, [warning])])


def _number_attacks(
    is_real: np.ndarray, attack: np.ndarray, units: BootstrapUnits
) -> tuple[np.ndarray | None, str]:
    """Return `BootstrapUnits.attacks`, and a warning, empty if there is nothing to say."""
    fakes = attack[is_real == 0]
    names, numbers = np.unique(fakes, return_inverse=True)
    reason = ""
    if not units.by_speaker:
        reason = "too few speakers are known"
    elif unknown := int((fakes == "").sum()):
        reason = f"the attack of {pluralize(unknown, 'fake file')} is unknown"
    elif len(names) < MIN_UNITS:
        reason = f"only {pluralize(len(names), 'attack')} to sample from"
    if reason:
        return (
            None,
            f"The intervals are over {units.over}, not over speakers and attacks: {reason}.",
        )
    crossed = np.full(len(is_real), -1)
    crossed[is_real == 0] = numbers
    few = f"The fakes have {len(names)} attacks: the intervals are too narrow."
    return crossed, few if len(names) < FEW_UNITS else ""


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
        repetitions: at least one.
        seed: of the samples.
        attacks: see `BootstrapUnits`.
    """
    clusters, strata = number_clusters(speakers, grouped.is_real)
    samples = sample_counts(
        [grouped.cells], [grouped.loss.size], clusters, strata, repetitions, seed, attacks
    )
    eer = grouped.figures(grouped.counts)["eer"]
    units, tails = _units_and_tails(grouped.is_real, speakers, attacks)
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
    """Return the 95% interval of `theirs` less `ours` in each figure, on the same samples.

    Both are scores of the same files in the same order.
    """
    clusters, strata = number_clusters(speakers, ours.is_real)
    sets, cells = [ours.cells, theirs.cells], [ours.loss.size, theirs.loss.size]
    samples = sample_counts(sets, cells, clusters, strata, repetitions, seed, attacks)

    def difference(sample: list[np.ndarray]) -> dict[str, float]:
        first, second = ours.figures(sample[0]), theirs.figures(sample[1])
        return {name: second[name] - first[name] for name in first}

    _, tails = _units_and_tails(ours.is_real, speakers, attacks)
    return _percentiles([difference(sample) for sample in samples], tails)


def _units_and_tails(
    is_real: np.ndarray, speakers: np.ndarray, attacks: np.ndarray | None
) -> tuple[int, tuple[float, float]]:
    """Return the smallest number of sampled units, and the percentiles of a 95% interval."""
    units = min(count_units(is_real, speakers))
    if attacks is None:
        return units, TAILS
    units = min(units, int(attacks.max()) + 1)
    return units, expanded_tails(units)


def expanded_tails(units: int) -> tuple[float, float]:
    """Return the percentiles of a 95% interval over few units.

    Percentiles are too narrow for few units, as normal quantiles are where those of Student's t
    are needed. Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69, 2015, section 4.4.

    >>> [round(tail, 2) for tail in expanded_tails(12)]
    [1.08, 98.92]
    """
    from scipy.special import ndtr, stdtrit  # here, so that --help does not wait for it

    tail = 100 * ndtr(stdtrit(units - 1, TAILS[0] / 100) * np.sqrt(units / (units - 1)))
    return float(tail), float(100 - tail)


def _percentiles(
    rows: Sequence[Mapping[str, float]], tails: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    return {
        name: tuple(np.percentile([row[name] for row in rows], tails).tolist()) for name in rows[0]
    }
