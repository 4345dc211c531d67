"""What `evaluate.py` says of a table of scores: figures, intervals, groups, warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_audio.calibration import decision_threshold
from deepfake_audio.config import EvaluateSettings, PredictSettings, Settings
from deepfake_audio.dataset import ImageRecord
from deepfake_audio.errors import UserError
from deepfake_audio.intervals import (
    FEW_SPEAKERS,
    GroupedScores,
    bootstrap_differences,
    bootstrap_intervals,
    group_scores,
)
from deepfake_audio.metrics import (
    AsvErrorRates,
    DetectionCosts,
    equal_error_rate,
    error_curve,
    min_tdcf,
    score_figures,
)
from deepfake_audio.runs import Run, RunRecord
from deepfake_audio.score_files import ScoreTable

GROUPINGS = ("attack", "codec", "corpus", "speaker")
SEED = 0  # of the drawn samples: the same scores always have the same intervals


@dataclass(frozen=True)
class Subject:
    """What is evaluated, and where the results go.

    Attributes:
        title: of the report.
        origin: the data, or the score file.
        output: the folder for the results.
        run: None for scores of another system.
        records: what the scores of each split belong to; empty for those.
    """

    title: str
    origin: str
    output: Path
    settings: Settings
    run: Run | None = None
    record: RunRecord | None = None
    records: Mapping[str, Sequence[ImageRecord]] | None = None
    asv: AsvErrorRates | None = None


def detection_costs(settings: EvaluateSettings) -> DetectionCosts:
    """Return the costs that the settings name."""
    return DetectionCosts(
        settings.dcf_prior_fake, settings.dcf_cost_miss, settings.dcf_cost_false_accept
    )


def evaluate_scores(
    table: ScoreTable,
    settings: EvaluateSettings,
    predict: PredictSettings,
    asv: AsvErrorRates | None = None,
) -> dict:
    """Compute everything that is said of one split.

    Args:
        table: its files, of both classes.
        settings: costs and the number of drawn samples.
        predict: the prior and the least confidence of a verdict.
        asv: the speaker verification behind the detector, for t-DCF.

    Returns:
        A mapping that JSON can hold: the figures of `metrics.score_figures`, and `intervals`,
        `groups`, `uncertain`, `warnings`, and `min_tdcf` of both forms where `asv` is given.

    Raises:
        UserError: one class is missing, or a score is not finite.
    """
    costs = detection_costs(settings)
    figures = score_figures(table.is_real, table.score, table.llr, predict.prior_fake, costs)
    if asv is not None:
        curve = error_curve(table.is_real, table.score)
        figures["min_tdcf_2019"] = min_tdcf(curve, asv, costs, legacy=True)
        figures["min_tdcf_2021"] = min_tdcf(curve, asv, costs)
    margin = np.abs(table.llr - decision_threshold(predict.prior_fake))
    figures["uncertain"] = float(np.mean(margin < decision_threshold(predict.min_confidence)))
    figures["intervals"] = {}
    if settings.bootstrap:
        grouped = group_table(table, settings, predict)
        figures["intervals"] = bootstrap_intervals(
            grouped, drawn_speakers(table), settings.bootstrap, SEED
        )
    figures["groups"] = group_figures(table, decision_threshold(predict.prior_fake))
    figures["warnings"] = score_warnings(table, figures)
    return figures


def group_table(
    table: ScoreTable, settings: EvaluateSettings, predict: PredictSettings
) -> GroupedScores:
    """Prepare a table for the bootstrap."""
    threshold = decision_threshold(predict.prior_fake)
    costs = detection_costs(settings)
    return group_scores(table.is_real, table.score, table.llr, threshold, costs)


def group_figures(table: ScoreTable, threshold: float) -> dict[str, dict]:
    """Break the error rate down by whatever is known of the files, hardest first.

    The fakes of an attack stand against all real files; a codec, corpus or speaker stands for
    itself, with its own real files and fakes. Where one class is missing, there is no rate (None).

    Returns:
        For each grouping that has two groups or more: `mean_eer` over the groups that have a rate,
        and `groups`, each with its counts, its `eer` and the share `found` of its fakes.
    """
    result = {}
    for grouping in GROUPINGS:
        values = getattr(table, grouping)
        rows = [_group_row(table, grouping, name, threshold) for name in np.unique(values) if name]
        rows.sort(key=lambda row: (row["eer"] is None, -(row["eer"] or 0), row["name"]))
        rates = [row["eer"] for row in rows if row["eer"] is not None]
        if len(rows) > 1 and rates:
            result[grouping] = {"mean_eer": float(np.mean(rates)), "groups": rows}
    return result


def _group_row(table: ScoreTable, grouping: str, name: str, threshold: float) -> dict:
    members = getattr(table, grouping) == name
    fakes = members & (table.is_real == 0)
    reals = (table.is_real == 1) & (True if grouping == "attack" else members)
    row = {"name": str(name), "fake": int(fakes.sum()), "real": int(reals.sum())}
    rate = found = None
    if row["fake"] and row["real"]:
        chosen = fakes | reals
        rate = equal_error_rate(table.is_real[chosen], table.score[chosen]).rate
    if row["fake"]:
        found = float(np.mean(table.llr[fakes] <= threshold))
    return row | {"eer": rate, "found": found}


def score_warnings(table: ScoreTable, figures: dict) -> list[str]:
    """Return a line for each reason to doubt the figures."""
    warnings = []
    low, _ = figures["intervals"].get("eer", (figures["eer"], 1))
    if low > 0.5:
        warnings.append(
            f"The scores look inverted: an EER of {figures['eer']:.1%} would be "
            f"{1 - figures['eer']:.1%} with the sign turned. A higher score must mean real."
        )
    if abs(figures["eer_official"] - figures["eer"]) > 1e-4:
        equal = len(table) - len(np.unique(table.score))
        warnings.append(
            f"{equal:,} files have another one's score. Taken together their EER is "
            f"{figures['eer']:.2%}; ASVspoof's package would give {figures['eer_official']:.2%}."
        )
    is_own_llr = np.array_equal(table.score, table.llr)
    if is_own_llr and table.score.min() >= 0 and table.score.max() <= 1:
        warnings.append(
            "The scores look like probabilities. actDCF, Cllr and all verdicts need natural "
            "log-likelihood ratios: ln(p / (1 - p)) less the log-odds of real in training."
        )
    speakers = len(set(table.speaker.tolist()) - {""})
    if figures["intervals"] and speakers == 1:
        warnings.append("There is one speaker: the intervals say nothing of other voices.")
    elif figures["intervals"] and 0 < speakers < FEW_SPEAKERS:
        warnings.append(
            f"The intervals rest on {speakers} speakers alone, and say little of other voices."
        )
    return warnings


def drawn_speakers(table: ScoreTable) -> np.ndarray:
    """Return whom the bootstrap draws: the speakers, but of a single one the files."""
    known = set(table.speaker.tolist()) - {""}
    return table.speaker if len(known) > 1 else np.full(len(table), "")


def compare_tables(
    ours: ScoreTable, theirs: ScoreTable, settings: EvaluateSettings, predict: PredictSettings
) -> dict[str, dict]:
    """Compare two systems on the same files.

    Returns:
        For each figure: `ours`, `theirs`, their `difference`, and its 95% `interval`.

    Raises:
        UserError: they did not score the same files.
    """
    ours, theirs = match_files(ours, theirs)
    grouped = [group_table(table, settings, predict) for table in (ours, theirs)]
    first, second = (g.figures(np.bincount(g.cells, minlength=g.loss.size)) for g in grouped)
    intervals = bootstrap_differences(
        *grouped, drawn_speakers(ours), max(1, settings.bootstrap), SEED
    )
    return {
        name: {
            "ours": float(first[name]),
            "theirs": float(second[name]),
            "difference": float(second[name] - first[name]),
            "interval": intervals[name],
        }
        for name in first
    }


def match_files(ours: ScoreTable, theirs: ScoreTable) -> tuple[ScoreTable, ScoreTable]:
    """Return both tables in one order, or raise a `UserError` if their files differ."""
    ours, theirs = (table.where(np.argsort(table.file)) for table in (ours, theirs))
    if not np.array_equal(ours.file, theirs.file) or len(set(ours.file.tolist())) < len(ours):
        common = len(set(ours.file.tolist()) & set(theirs.file.tolist()))
        raise UserError(
            "Systems are compared on the same files. "
            f"Received: {len(ours):,} and {len(theirs):,} files, {common:,} of them in both. "
            "Evaluate both on the same data."
        )
    if not np.array_equal(ours.label, theirs.label):
        raise UserError("Systems are compared on the same files. Received: other labels for some.")
    return ours, theirs


def mistakes(table: ScoreTable, threshold: float, most: int) -> Sequence[int]:
    """Return the positions of the wrong verdicts, the most confident first."""
    margin = table.llr - threshold
    wrong = np.flatnonzero((margin > 0) != (table.is_real == 1))
    return wrong[np.argsort(-np.abs(margin[wrong]), kind="stable")][:most]
