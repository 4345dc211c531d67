"""Compute figures, intervals, groups and warnings from a table of scores."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deepfake_audio.config.schema import EvaluateSettings, PredictSettings, Settings
from deepfake_audio.dataset.checks import FEW_FILES, DataCheck, speaker_warnings
from deepfake_audio.dataset.manifest import is_data, read_records
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.evaluation.bootstrap import (
    SEED,
    ScoreHistogram,
    bootstrap_intervals,
    choose_units,
    rule_of_three,
    score_histogram,
)
from deepfake_audio.evaluation.breakdown import add_intervals, group_figures, group_warnings
from deepfake_audio.evaluation.metrics import (
    AsvErrorRates,
    DetectionCosts,
    error_curve,
    min_tdcf,
    score_figures,
)
from deepfake_audio.evaluation.score_formats import ScoreTable
from deepfake_audio.models.calibration import MAX_UNCERTAIN, MAX_USEFUL_EER, decision_threshold
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
        notice: a sentence about results of other files, if these results go other_data.
        run: None for scores of another system.
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
    asv: AsvErrorRates | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)
    warnings: Sequence[str] = ()


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
) -> dict:
    """Compute all figures and warnings of one split.

    Args:
        table: its files, of both classes.
        settings: costs and the number of bootstrap samples.
        predict: the prior and the least confidence of a verdict.
        asv: errors of the speaker verification that follows the detector, for t-DCF.

    Returns:
        A mapping that JSON can hold: the figures of `metrics.score_figures`, and `intervals`,
        `groups`, `uncertain`, `warnings`, `min_tdcf` of both forms if `asv` is given, and
        `verdicts` if the table has some.

    Raises:
        InputError: one class is missing, or a score is not finite.
    """
    costs = detection_costs(settings)
    figures = score_figures(table.is_real, table.score, table.llr, predict.prior_fake, costs)
    figures["uncertain"] = float(np.mean(verdict_masks(table, predict)[0]))
    if table.has_verdicts:
        figures["verdicts"] = count_verdicts(table)
    warnings = score_warnings(table, figures)
    if asv is not None:
        warnings += add_tandem_costs(figures, table, asv, costs)
    figures["intervals"] = {}
    if settings.bootstrap:
        drawn = choose_units(table.is_real, table.speaker)
        warnings += [drawn.warning] if drawn.warning else []
        if drawn.enough:
            grouped = group_table(table, settings, predict)
            figures["intervals"] = bootstrap_intervals(
                grouped, drawn.speakers, settings.bootstrap, SEED
            )
    figures["groups"] = group_figures(table, decision_threshold(predict.prior_fake))
    if figures["intervals"]:
        add_intervals(figures["groups"], table, grouped, settings.bootstrap)
    figures["warnings"] = warnings + group_warnings(figures["groups"])
    return figures


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


def score_warnings(table: ScoreTable, figures: dict) -> list[str]:
    """Return a line for each reason to doubt the figures."""
    warnings = []
    if min(counts := [figures[label] for label in LABELS]) < FEW_FILES:
        warnings.append(
            f"{counts[0]:,} fake and {counts[1]:,} real files are few: a single one is "
            f"{1 / min(counts):.1%} of its class."
        )
    if figures["eer"] > 0.5:
        warnings.append(
            f"The scores look inverted: an EER of {figures['eer']:.1%} would be "
            f"{1 - figures['eer']:.1%} with the opposite sign. A higher score means more real."
        )
    elif figures["eer"] > MAX_USEFUL_EER:
        warnings.append(
            f"The scores are near chance: an EER of {figures['eer']:.1%}, and 50% is chance. Train "
            "on more files, or begin with the shipped model (train.py --from models/pretrained)."
        )
    if figures["uncertain"] > MAX_UNCERTAIN:
        warnings.append(
            f"predict.py would answer UNCERTAIN to {figures['uncertain']:.0%} of these files."
        )
    if figures["eer"] == 0:
        drawn = choose_units(table.is_real, table.speaker)
        units = pluralize(drawn.units, "speaker" if drawn.by_speaker else "file")
        warnings.append(
            f"There is no error here, but from {units} of a class an error rate of up to "
            f"{rule_of_three(drawn.units):.1%} cannot be excluded (rule of three)."
        )
    if abs(figures["eer_official"] - figures["eer"]) > 1e-4:
        equal = len(table) - len(np.unique(table.score))
        have = "has" if equal == 1 else "have"
        warnings.append(
            f"{pluralize(equal, 'file')} {have} the same score as another file. Kept "
            f"together, the EER is {figures['eer']:.2%}; "
            f"ASVspoof's package would give {figures['eer_official']:.2%}."
        )
    is_own_llr = np.array_equal(table.score, table.llr)
    if is_own_llr and table.score.min() >= 0 and table.score.max() <= 1:
        warnings.append(
            "The scores look like probabilities. actDCF, Cllr and all verdicts need natural "
            "log-likelihood ratios: ln(p / (1 - p)) less the log-odds of real in training."
        )
    return warnings


def data_warnings(
    run: Run,
    record: RunRecord,
    settings: Settings,
    data: DataCheck,
    other_data: bool,
    unseen: bool,
) -> list[str]:
    """Return a line for each reason to doubt figures on this data.

    Args:
        run, record, settings: the evaluated run.
        data: the images.
        other_data: whether the user named the data; False for the run's own.
        unseen: whether the run was not trained on them, so that splits do not matter.
    """
    warnings = [] if unseen else speaker_warnings(data.records)
    if data.repeated:
        warnings.append(
            f"{len(data.repeated):,} images are in a later split too, such as "
            f"{one_line(data.repeated[0])}; they count only there."
        )
    trained_on = Path(settings.data.folder)
    known = {r.speaker for r in data.records} - {""}
    if not other_data:
        if not known:
            warnings.append(
                "No speaker is known: if training and test share a voice, the error rates are too "
                "good."
            )
        if data.fingerprint == record.data_fingerprint:
            return warnings + calibration_warnings(record, data.records)
        return [*warnings, f"{trained_on} has changed since {run.name} was trained."]
    if not is_data(trained_on):
        warnings.append(
            f"{trained_on} is missing, so it is unknown whose voices the run was trained on."
        )
        return warnings
    learnt_from = read_records(trained_on)
    trained = {r.speaker for r in learnt_from if r.split == "train"} - {""}
    shared = sorted(trained & known)
    if shared:
        warnings.append(
            f"{len(shared):,} speakers are in the run's training data too "
            f"({', '.join(shared[:3])}): error rates on them are too good."
        )
    if not trained or not known:
        warnings.append(
            f"No speaker is known {'in training' if known else 'here'}: the run may have been "
            "trained on the same voices."
        )
    return warnings + calibration_warnings(record, learnt_from)


def calibration_warnings(record: RunRecord, learnt_from: Sequence[ImageRecord]) -> list[str]:
    """Return a line if a run was calibrated on few validation files."""
    fake, real = (
        len({r.source for r in learnt_from if (r.split, r.label) == ("val", label)})
        for label in LABELS
    )
    if record.calibrated_on or not 0 < min(fake, real) < FEW_FILES:
        return []
    return [
        f"The run was calibrated on only {fake:,} fake and {real:,} real validation files, so "
        "its confidence may be off by chance."
    ]


def mistakes(table: ScoreTable, threshold: float, most: int) -> Sequence[int]:
    """Return the positions of the wrong verdicts, the most confident first."""
    margin = table.llr - threshold
    wrong = np.flatnonzero((margin > 0) != (table.is_real == 1))
    return wrong[np.argsort(-np.abs(margin[wrong]), kind="stable")][:most]
