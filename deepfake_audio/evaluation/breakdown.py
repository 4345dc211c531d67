"""Break error rates down by attack, codec, corpus and speaker, hardest first."""

from collections.abc import Mapping

import numpy as np

from deepfake_audio.evaluation.bootstrap import (
    SEED,
    TAILS,
    apply_rule_of_three,
    choose_units,
    expanded_tails,
    rule_of_three,
)
from deepfake_audio.evaluation.error_rates import equal_error_rate, equal_error_rates
from deepfake_audio.evaluation.sampling import number_clusters, sample_counts
from deepfake_audio.evaluation.score_bins import ScoreHistogram
from deepfake_audio.evaluation.score_table import ScoreTable

GROUPINGS = ("attack", "codec", "corpus", "speaker")
WITH_INTERVALS = ("attack", "codec", "corpus")  # groups of several speakers, to sample from
MAX_CELLS = 500_000  # groups times scores in one table of counts; 4 MB each
MAX_GROUPS = 500  # with intervals: MAX_CELLS leaves each a thousand different scores


def group_figures(table: ScoreTable, threshold: float) -> dict[str, dict]:
    """Compute the error rate of each attack, codec, corpus and speaker, hardest first.

    Fake files of an attack are compared with all real files; a codec, corpus or speaker has its own
    real and fake files. The rate is None if a class is missing.

    Returns:
        For each grouping of two groups or more: `mean_eer` over the `rated` groups, which have a
        rate, its `interval` (None here), whether that rests on `few_speakers`, and `groups`, each
        with its counts, its own `eer`, `interval` and `few_speakers`, and the share `found` of its
        fake files.
    """
    result = {}
    for grouping in GROUPINGS:
        names, group = np.unique(getattr(table, grouping), return_inverse=True)
        order = np.argsort(group, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(group))[:-1])
        rows = [
            _group_row(table, grouping, name, positions, threshold)
            for name, positions in zip(names, members, strict=True)
            if name
        ]
        rows.sort(key=lambda row: (row["eer"] is None, -(row["eer"] or 0), row["name"]))
        rates = [row["eer"] for row in rows if row["eer"] is not None]
        if len(rows) > 1:
            mean = float(np.mean(rates)) if rates else None
            result[grouping] = {
                "mean_eer": mean, "interval": None, "few_speakers": False, "rated": len(rates),
                "groups": rows,
            }  # fmt: skip
    return result


def _group_row(
    table: ScoreTable, grouping: str, name: str, members: np.ndarray, threshold: float
) -> dict:
    fakes = members[table.is_real[members] == 0]
    rated = _rated_files(table, grouping, members)
    real_files = int(table.is_real[rated].sum())
    rate = found = None
    if len(fakes) and real_files:
        rate = equal_error_rate(table.is_real[rated], table.score[rated]).rate
    if len(fakes):
        found = float(np.mean(table.llr[fakes] <= threshold))
    return {
        "name": str(name), "fake": len(fakes), "real": real_files, "eer": rate, "interval": None,
        "few_speakers": False, "found": found,
    }  # fmt: skip


def _rated_files(table: ScoreTable, grouping: str, members: np.ndarray) -> np.ndarray:
    """Return the positions of the files that give a group its error rate."""
    if grouping != "attack":
        return members
    return np.concatenate([members[table.is_real[members] == 0], np.flatnonzero(table.is_real)])


def add_intervals(
    groups: Mapping[str, dict],
    table: ScoreTable,
    grouped: ScoreHistogram,
    repetitions: int,
    sample_attacks: bool,
) -> None:
    """Add the 95% intervals of the groups' error rates, and of their means.

    Speakers of each group are sampled, or files if it has too few speakers; a mean uses the samples
    of its groups. A group of too few files gets no interval, nor does a mean over it: samples of so
    few files vary less than other files would. Single speakers get no interval, nor do more groups
    than `MAX_GROUPS`.

    Args:
        groups: of `group_figures`; changed.
        table: the files.
        grouped: their scores.
        repetitions: how many times.
        sample_attacks: whether the mean over attacks uses samples of the attacks too.
    """
    for grouping in groups.keys() & set(WITH_INTERVALS):
        content = groups[grouping]
        rated = [row for row in content["groups"] if row["eer"] is not None]
        if not rated or len(content["groups"]) > MAX_GROUPS:
            continue
        names, parts = np.unique(getattr(table, grouping), return_inverse=True)
        numbers = [np.searchsorted(names, row["name"]) for row in rated]
        files = [_rated_files(table, grouping, np.flatnonzero(parts == n)) for n in numbers]
        units = [choose_units(table.is_real[chosen], table.speaker[chosen]) for chosen in files]
        eers = {}
        for by_speaker in {unit.by_speaker for unit in units}:
            speakers = table.speaker if by_speaker else np.full(len(table), "")
            eers[by_speaker] = bootstrap_eers(
                grouped, parts, speakers, repetitions, SEED, share_real=grouping == "attack"
            )
        rates = [eers[unit.by_speaker][:, n] for unit, n in zip(units, numbers, strict=True)]
        is_any_known = (table.speaker != "").any()
        for row, chosen, unit, sampled in zip(rated, files, units, rates, strict=True):
            row["few_speakers"] = bool(unit.warnings or (is_any_known and not unit.by_speaker))
            if unit.enough:
                is_real = table.is_real[chosen]
                row["interval"] = eer_interval(sampled, row["eer"], is_real, unit.units)
        content["few_speakers"] = any(row["few_speakers"] for row in rated)
        if all(unit.enough for unit in units):
            content["interval"] = mean_interval(
                np.stack(rates, axis=1), content["mean_eer"], min(unit.units for unit in units),
                sample_attacks and grouping == "attack",
            )  # fmt: skip


def bootstrap_eers(
    grouped: ScoreHistogram,
    parts: np.ndarray,
    speakers: np.ndarray,
    repetitions: int,
    seed: int,
    share_real: bool = False,
) -> np.ndarray:
    """Sample the EERs of parts, each with its own real and fake files.

    Speakers are sampled for all parts together; files are sampled within each part, so that no
    class is missing. Neighbouring scores are merged if the parts times the different scores are
    more than `MAX_CELLS`.

    Args:
        grouped: the scores.
        parts: `(files,)`, the number of each file's part, from 0, below `MAX_GROUPS`.
        speakers: `(files,)`, text; empty if unknown, and all empty to sample files.
        repetitions: at least one.
        seed: of the samples.
        share_real: whether the fake files of each part are compared with all real files.

    Returns:
        `(repetitions, parts)`; not a number if a sample lacks a class.
    """
    count = int(parts.max()) + 1
    together = -(-count * len(grouped.loss) // MAX_CELLS)
    rank = grouped.group // together
    ranks = int(rank.max()) + 1
    places, place = np.unique(parts * ranks + rank, return_inverse=True)
    if (speakers == "").all():
        clusters = np.arange(len(parts))
        strata = np.where(share_real & (grouped.is_real == 1), -1, 2 * parts + grouped.is_real)
    else:
        clusters, strata = number_clusters(speakers, grouped.is_real)
    samples = sample_counts(
        [2 * place + grouped.is_real], [2 * len(places)], clusters, strata, repetitions, seed
    )
    counts = np.zeros((2, count * ranks), np.int64)

    def rates(sample: np.ndarray) -> np.ndarray:
        counts[:, places] = sample.reshape(-1, 2).T
        fake, real = counts.reshape(2, count, ranks)
        if share_real:
            real = real.sum(axis=0, keepdims=True)
        return equal_error_rates(real, fake)

    return np.array([rates(sample) for (sample,) in samples])


def eer_interval(
    rates: np.ndarray, eer: float, is_real: np.ndarray, units: int
) -> tuple[float, float] | None:
    """Return the 95% interval of sampled EERs by percentiles; see `apply_rule_of_three`.

    Args:
        rates: `(repetitions,)`; those that are not a number are left out.
        eer: the files' own.
        is_real: `(files,)`, 1 real, 0 fake.
        units: number of speakers, or files if files were sampled, in the class with fewer.

    Returns:
        None if no sample has a rate.
    """
    rates = rates[np.isfinite(rates)]
    if not len(rates):
        return None
    return apply_rule_of_three(np.percentile(rates, TAILS).tolist(), eer, is_real, units)


def mean_interval(
    rates: np.ndarray, mean: float, units: int, sample_parts: bool = False
) -> tuple[float, float] | None:
    """Return the 95% interval of the mean EER over parts, by percentiles around the mean.

    Sampled EERs of few files are too low on average: the interval is shifted by the error of their
    mean. Without any error, it ends at `rule_of_three` of the smallest part, shared by all parts.

    Args:
        rates: `(repetitions, parts)`; those that are not a number are left out.
        mean: of the parts' own EERs.
        units: the speakers, or files, in the smaller class of the smallest part.
        sample_parts: whether the mean is over parts that are sampled too.

    Returns:
        None if no sample has a rate.
    """
    times = np.ones_like(rates)
    if sample_parts:
        count = rates.shape[1]
        times = np.random.default_rng(SEED).multinomial(
            count, np.full(count, 1 / count), len(rates)
        )
    means = np.ma.average(np.ma.masked_invalid(rates), axis=1, weights=times).compressed()
    if not len(means):
        return None
    if mean == 0:
        return 0.0, rule_of_three(units) / rates.shape[1]
    tails = expanded_tails(rates.shape[1]) if sample_parts else TAILS
    return tuple(np.clip(np.percentile(means, tails) + mean - means.mean(), 0, 1).tolist())


def group_warnings(groups: dict) -> list[str]:
    """Return a line for each grouping that reveals the class."""
    return [
        f"No {grouping} has both real and fake files: recognising the {grouping}, not the voice, "
        "is enough for these figures."
        for grouping in ("codec", "corpus")
        if grouping in groups and not groups[grouping]["rated"]
    ]
