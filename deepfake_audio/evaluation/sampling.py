"""Sample speakers or files with replacement, and count the sampled files."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

FILES_PER_CELL = 6  # files that are sampled in the time of one multinomial count


def sample_counts(
    sets: list[np.ndarray], cells: list[int], clusters: np.ndarray, strata: np.ndarray,
    repetitions: int, seed: int, attacks: np.ndarray | None = None,
) -> Iterator[list[np.ndarray]]:  # fmt: skip
    """Sample clusters with replacement, and count the sampled files in each cell.

    Args:
        sets: for each system, the cell of each file, `(files,)`; all have the same files.
        cells: how many cells each has.
        clusters: `(files,)`, the number of each file's cluster, from 0.
        strata: `(clusters,)`, clusters of one stratum are sampled separately.
        repetitions: how many times.
        seed: the same seed gives the same samples.
        attacks: `(files,)`, the number of each fake's attack, from 0, and -1 for real files, to
            sample attacks too: see `_sample_crossed`. None samples only clusters.

    Yields:
        For each system, int `(cells,)`.
    """
    rng = np.random.default_rng(seed)
    if attacks is not None:
        yield from _sample_crossed(rng, sets, cells, clusters, strata, attacks, repetitions)
        return
    if len(strata) == len(clusters) and len(sets) == 1:  # only counts matter
        yield from _sample_files(rng, sets[0], cells[0], strata[clusters], repetitions)
        return
    ones = np.ones(len(clusters), np.int64)
    tables = [
        sparse.csr_array((ones, (place, clusters)), shape=(count, len(strata)))
        for place, count in zip(sets, cells, strict=True)
    ]
    for _ in range(repetitions):
        sampled = _times_sampled(rng, strata)
        yield [table @ sampled for table in tables]


def _times_sampled(rng: np.random.Generator, strata: np.ndarray) -> np.ndarray:
    """Return how often each unit is sampled if each stratum is sampled separately."""
    sampled = np.zeros(len(strata), np.int64)
    for stratum in np.unique(strata):
        units = np.flatnonzero(strata == stratum)
        chosen = rng.integers(0, len(units), len(units))
        sampled[units] = np.bincount(chosen, minlength=len(units))
    return sampled


def _sample_crossed(
    rng: np.random.Generator, sets: list[np.ndarray], cells: list[int], clusters: np.ndarray,
    strata: np.ndarray, attacks: np.ndarray, repetitions: int,
) -> Iterator[list[np.ndarray]]:  # fmt: skip
    """Sample speakers and attacks independently: a fake counts as often as both together.

    This is the pigeonhole bootstrap for two crossed random effects (McCullagh, "Resampling and
    exchangeable arrays", Bernoulli 6, 2000; Owen, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1, 2007). It covers at least as often as it should: the interaction and the scatter
    of single files count more than once. Samples without a class are sampled again.
    """
    none = attacks.max() + 1  # of real files, which belong to no attack
    numbers = np.where(attacks < 0, none, attacks)
    pairs, pair = np.unique(clusters * (none + 1) + numbers, return_inverse=True)
    speaker_of, attack_of = np.divmod(pairs, none + 1)
    ones = np.ones(len(pair), np.int64)
    tables = [
        sparse.csr_array((ones, (place, pair)), shape=(count, len(pairs)))
        for place, count in zip(sets, cells, strict=True)
    ]
    done = 0
    while done < repetitions:
        times = np.append(_times_sampled(rng, np.zeros(none)), 1)
        sampled = _times_sampled(rng, strata)[speaker_of] * times[attack_of]
        counts = [table @ sampled for table in tables]
        if counts[0].reshape(-1, 2).any(axis=0).all():
            done += 1
            yield counts


def _sample_files(
    rng: np.random.Generator, cells: np.ndarray, count: int, strata: np.ndarray, repetitions: int
) -> Iterator[list[np.ndarray]]:
    order = np.argsort(strata, kind="stable")
    ends = np.cumsum(np.unique(strata, return_counts=True)[1])
    pools = [
        np.unique(chosen, return_inverse=True, return_counts=True)
        for chosen in np.split(cells[order], ends[:-1])
    ]
    for _ in range(repetitions):
        sampled = np.zeros(count, np.int64)
        for distinct, place, times in pools:
            if FILES_PER_CELL * len(distinct) > len(place):
                chosen = place[rng.integers(0, len(place), len(place))]
                sampled[distinct] += np.bincount(chosen, minlength=len(distinct))
            else:
                sampled[distinct] += rng.multinomial(len(place), times / len(place))
        yield [sampled]


def number_clusters(speakers: np.ndarray, is_real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each file's cluster, from 0, and each cluster's stratum: 0 fake, 1 real, 2 both."""
    names, clusters = np.unique(speakers, return_inverse=True)
    alone = speakers == ""
    clusters[alone] = len(names) + np.arange(alone.sum())
    _, clusters = np.unique(clusters, return_inverse=True)
    has_real, has_fake = (
        np.bincount(clusters, is_real == label, clusters.max() + 1) > 0 for label in (1, 0)
    )
    return clusters, np.where(has_real & has_fake, 2, np.where(has_real, 1, 0))
