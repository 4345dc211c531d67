"""How well each attack, codec, corpus and speaker is told from real voices, hardest first."""

from collections.abc import Mapping

import numpy as np

from deepfake_audio.intervals import (
    SEED,
    GroupedScores,
    bootstrap_eers,
    drawn_speakers,
    eer_interval,
)
from deepfake_audio.metrics import equal_error_rate
from deepfake_audio.score_files import ScoreTable

GROUPINGS = ("attack", "codec", "corpus", "speaker")
OF_SEVERAL_SPEAKERS = ("attack", "codec", "corpus")  # so speakers can be drawn


def group_figures(table: ScoreTable, threshold: float) -> dict[str, dict]:
    """Break the error rate down by whatever is known of the files, hardest first.

    The fakes of an attack stand against all real files; a codec, corpus or speaker stands for
    itself, with its own real files and fakes. Where one class is missing, there is no rate (None).

    Returns:
        For each grouping that has two groups or more: `mean_eer` over the `rated` groups that have
        a rate, its `interval` (None here), and `groups`, each with its counts, its `eer`, the
        `interval` of that (None here), whether it is of `few_speakers`, and the share `found` of
        its fakes.
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
                "mean_eer": mean, "interval": None, "rated": len(rates), "groups": rows
            }  # fmt: skip
    return result


def _group_row(
    table: ScoreTable, grouping: str, name: str, members: np.ndarray, threshold: float
) -> dict:
    fakes = members[table.is_real[members] == 0]
    judged = _judged(table, grouping, members)
    reals = int(table.is_real[judged].sum())
    rate = found = None
    if len(fakes) and reals:
        rate = equal_error_rate(table.is_real[judged], table.score[judged]).rate
    if len(fakes):
        found = float(np.mean(table.llr[fakes] <= threshold))
    return {
        "name": str(name), "fake": len(fakes), "real": reals, "eer": rate, "interval": None,
        "few_speakers": False, "found": found,
    }  # fmt: skip


def _judged(table: ScoreTable, grouping: str, members: np.ndarray) -> np.ndarray:
    """Return the positions of the files of which a group's error rate is."""
    if grouping != "attack":
        return members
    return np.concatenate([members[table.is_real[members] == 0], np.flatnonzero(table.is_real)])


def add_intervals(
    groups: Mapping[str, dict],
    table: ScoreTable,
    grouped: GroupedScores,
    drawn: np.ndarray,
    repetitions: int,
) -> None:
    """Add the 95% intervals of the groups' error rates, and of their means.

    Of each group speakers are drawn, or files where it has too few speakers; of a mean, who is
    drawn of all files. The groups of single speakers get none.

    Args:
        groups: of `group_figures`; changed.
        table: the files.
        grouped: their scores.
        drawn: the speakers that are drawn of all files, `(files,)`, empty where files are.
        repetitions: how many times.
    """
    for grouping in groups.keys() & set(OF_SEVERAL_SPEAKERS):
        names, parts = np.unique(getattr(table, grouping), return_inverse=True)
        rates = bootstrap_eers(
            grouped, parts, drawn, repetitions, SEED, share_reals=grouping == "attack"
        )
        means = np.ma.masked_invalid(rates[:, names != ""]).mean(axis=1).filled(np.nan)
        groups[grouping]["interval"] = eer_interval(means, table.is_real, drawn)
        for row in groups[grouping]["groups"]:
            part = np.searchsorted(names, row["name"])
            judged = _judged(table, grouping, np.flatnonzero(parts == part))
            is_real = table.is_real[judged]
            speakers, doubt = drawn_speakers(is_real, table.speaker[judged])
            if row["eer"] is None or speakers is None:
                continue
            own = rates[:, part]
            if (speakers != "").any() != (drawn != "").any():  # files here and speakers there
                alone = np.zeros(len(judged), int)
                own = bootstrap_eers(grouped.of(judged), alone, speakers, repetitions, SEED)[:, 0]
            row |= {"interval": eer_interval(own, is_real, speakers), "few_speakers": bool(doubt)}


def group_warnings(groups: dict) -> list[str]:
    """Return a line for each grouping that gives the class away."""
    return [
        f"No {grouping} has both real files and fakes: telling one {grouping} from another is "
        "enough for these figures, whatever the voice."
        for grouping in ("codec", "corpus")
        if grouping in groups and not groups[grouping]["rated"]
    ]
