"""Compute figures, intervals, groups and warnings from a table of scores."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deepfake_audio.config.schema import EvaluateSettings, PredictSettings, Settings
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.bootstrap import (
    SEED,
    BootstrapUnits,
    bootstrap_intervals,
    choose_units,
)
from deepfake_audio.evaluation.breakdown import add_intervals, group_figures, group_warnings
from deepfake_audio.evaluation.detection_costs import AsvErrorRates, DetectionCosts, min_tdcf
from deepfake_audio.evaluation.doubts import score_warnings
from deepfake_audio.evaluation.error_rates import error_curve
from deepfake_audio.evaluation.score_bins import ScoreHistogram, score_histogram
from deepfake_audio.evaluation.score_figures import (
    is_uncalibrated,
    means_nothing_at_0,
    score_figures,
    without_verdicts,
)
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.models.calibration import decision_threshold
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.vocabulary import LABELS, VERDICTS, ImageRecord

ALL_SPLITS = "all"  # the pooled splits of images that a run was not trained on
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test", ALL_SPLITS: "all"}


@dataclass(frozen=True)
class Subject:
    """A run or a score file to evaluate, and the folder for its results.

    Attributes:
        title: of the report.
        origin: the data, or the score file.
        output: the folder for the results.
        notice: a sentence about results of other files, if these results go elsewhere.
        run: None for scores of another system.
        other_data: whether the user named the data; False for the run's own.
        records: the images behind the scores of each split; None for another system.
        asv: errors of the speaker verification that follows the detector, for t-DCF.
        inputs: the run, or the key file, subset and the like.
        warnings: reasons to doubt the figures, from the data rather than the scores.
    """

    title: str
    origin: str
    output: Path
    settings: Settings
    notice: str = ""
    run: Run | None = None
    record: RunRecord | None = None
    records: Mapping[str, Sequence[ImageRecord]] | None = None
    other_data: bool = False
    asv: AsvErrorRates | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Evaluation:
    """An evaluated run or score file.

    Attributes:
        subject: the run or score file, with all warnings.
        tables: the scores of each split.
        figures: the figures of each split that has both classes; see `evaluate_scores`.
    """

    subject: Subject
    tables: Mapping[str, ScoreTable]
    figures: Mapping[str, Mapping]


def detection_costs(settings: EvaluateSettings) -> DetectionCosts:
    """Return the costs from the settings."""
    return DetectionCosts(
        settings.dcf_prior_fake, settings.dcf_cost_miss, settings.dcf_cost_false_accept
    )


def evaluate_scores(
    table: ScoreTable,
    settings: EvaluateSettings,
    predict: PredictSettings,
    asv: AsvErrorRates | None = None,
    of_run: bool = False,
) -> dict:
    """Compute all figures and warnings of one split.

    Args:
        table: its files, of both classes.
        settings: costs and the number of bootstrap samples.
        predict: the prior and the least confidence of a verdict.
        asv: errors of the speaker verification that follows the detector, for t-DCF.
        of_run: whether a run gave the scores, so that training can help.

    Returns:
        A mapping that JSON can hold: the figures of `score_figures`, and `intervals`,
        `groups`, `uncertain`, `calibrated`, `warnings`, `min_tdcf` of both forms if `asv` is given,
        and `verdicts` if the table has some. Figures of verdicts are None for scores that are not
        calibrated; see `score_figures`.

    Raises:
        InputError: one class is missing, or a score is not finite.
    """
    costs = detection_costs(settings)
    figures = score_figures(table.is_real, table.score, table.llr, predict.prior_fake, costs)
    figures["uncertain"] = float(np.mean(verdict_masks(table, predict)[0]))
    if table.has_verdicts:
        figures["verdicts"] = count_verdicts(table)
    warnings = score_warnings(table, figures, of_run)
    if asv is not None:
        warnings += add_tandem_costs(figures, table, asv, costs)
    figures["intervals"] = {}
    units = choose_table_units(table, settings)
    if settings.bootstrap:
        warnings += units.warnings
    if settings.bootstrap and units.enough:
        grouped = group_table(table, settings, predict)
        figures["intervals"] = bootstrap_intervals(
            grouped, units.speakers, settings.bootstrap, SEED, units.attacks
        )
        figures["intervals_over"] = units.over
    figures["groups"] = group_figures(table, decision_threshold(predict.prior_fake))
    if figures["intervals"]:
        add_intervals(
            figures["groups"], table, grouped, settings.bootstrap, units.attacks is not None
        )
    figures["warnings"] = warnings + group_warnings(figures["groups"])
    means_nothing = means_nothing_at_0(figures, table.has_own_scale)
    figures["calibrated"] = not (is_uncalibrated(figures) or means_nothing)
    return without_verdicts(figures) if means_nothing else figures


def choose_table_units(table: ScoreTable, settings: EvaluateSettings) -> BootstrapUnits:
    """Choose what the bootstrap samples; see `choose_units`."""
    sample_attacks = settings.bootstrap and settings.intervals_over == "speakers_attacks"
    return choose_units(table.is_real, table.speaker, table.attack if sample_attacks else None)


def verdict_masks(table: ScoreTable, predict: PredictSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return which files are UNCERTAIN and which get the wrong verdict: two masks `(files,)`.

    Verdicts of the table take precedence over scores: predict.py has other reasons to be UNCERTAIN.
    """
    if table.has_verdicts:
        called = np.where(table.is_real == 1, "FAKE", "REAL")
        return table.verdict == "UNCERTAIN", table.verdict == called
    margin = table.llr - decision_threshold(predict.prior_fake)
    unsure = np.abs(margin) < decision_threshold(predict.min_confidence)
    return unsure, ((margin > 0) != (table.is_real == 1)) & ~unsure


def count_verdicts(table: ScoreTable) -> dict[str, dict[str, int]]:
    """Count the verdicts of each true label; files without a verdict count as `none`."""
    counts = {
        label: Counter(word or "none" for word in table.verdict[table.label == label])
        for label in LABELS
    }
    words = [*VERDICTS, *(["none"] if (table.verdict == "").any() else [])]
    return {label: {word: count[word] for word in words} for label, count in counts.items()}


def add_tandem_costs(
    figures: dict, table: ScoreTable, asv: AsvErrorRates, costs: DetectionCosts
) -> list[str]:
    """Add t-DCF in both forms, None if it does not exist; return the reasons."""
    curve, reasons = error_curve(table.is_real, table.score), []
    for year in (2019, 2021):
        try:
            figures[f"min_tdcf_{year}"] = min_tdcf(curve, asv, costs, legacy=year == 2019)
        except InputError as error:
            figures[f"min_tdcf_{year}"] = None
            reasons.append(f"min t-DCF ({year}): {error}")
    return reasons


def group_table(
    table: ScoreTable, settings: EvaluateSettings, predict: PredictSettings
) -> ScoreHistogram:
    """Return a table's scores in bins, for the bootstrap."""
    threshold = decision_threshold(predict.prior_fake)
    costs = detection_costs(settings)
    return score_histogram(table.is_real, table.score, table.llr, threshold, costs)


def mistakes(table: ScoreTable, threshold: float, most: int) -> Sequence[int]:
    """Return the positions of the wrong verdicts, the most confident first."""
    margin = table.llr - threshold
    wrong = np.flatnonzero((margin > 0) != (table.is_real == 1))
    return wrong[np.argsort(-np.abs(margin[wrong]), kind="stable")][:most]
