"""Sample speakers or files with replacement, and count the sampled files."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

FILES_PER_CELL = 6  # files that are sampled in the time of one multinomial count


def sample_counts(
    sets: list[np.ndarray], cells: list[int], clusters: np.ndarray, strata: np.ndarray,
    repetitions: int, seed: int,
) -> Iterator[list[np.ndarray]]:  # fmt: skip
    """Sample clusters with replacement, and count the sampled files in each cell.

    Args:
        sets: for each system, the cell of each file, `(files,)`; all have the same files.
        cells: how many cells each has.
        clusters: `(files,)`, the number of each file's cluster, from 0.
        strata: `(clusters,)`, clusters of one stratum are sampled separately.
        repetitions: how many times.
        seed: the same seed gives the same samples.

    Yields:
        For each system, int `(cells,)`.
    """
    rng = np.random.default_rng(seed)
    if len(strata) == len(clusters) and len(sets) == 1:  # only counts matter
        yield from _sample_files(rng, sets[0], cells[0], strata[clusters], repetitions)
        return
    ones = np.ones(len(clusters), np.int64)
    tables = [
        sparse.csr_array((ones, (place, clusters)), shape=(count, len(strata)))
        for place, count in zip(sets, cells, strict=True)
    ]
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for _ in range(repetitions):
        drawn = np.zeros(len(strata), np.int64)
        for clusters_of in members:
            chosen = rng.integers(0, len(clusters_of), len(clusters_of))
            drawn[clusters_of] = np.bincount(chosen, minlength=len(clusters_of))
        yield [table @ drawn for table in tables]


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
        drawn = np.zeros(count, np.int64)
        for distinct, place, times in pools:
            if FILES_PER_CELL * len(distinct) > len(place):
                chosen = place[rng.integers(0, len(place), len(place))]
                drawn[distinct] += np.bincount(chosen, minlength=len(distinct))
            else:
                drawn[distinct] += rng.multinomial(len(place), times / len(place))
        yield [drawn]


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
