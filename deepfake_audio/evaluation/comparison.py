"""Compare two systems by their scores of the same files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import EvaluateSettings, PredictSettings, Settings
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.bootstrap import SEED, bootstrap_differences
from deepfake_audio.evaluation.detection_costs import min_llr_cost
from deepfake_audio.evaluation.error_rates import error_curve
from deepfake_audio.evaluation.result_folder import SCORES, read_metrics
from deepfake_audio.evaluation.score_figures import OF_VERDICTS, is_uncalibrated
from deepfake_audio.evaluation.score_matching import read_filled_scores
from deepfake_audio.evaluation.score_table import ScoreTable, trial_names
from deepfake_audio.evaluation.summary import ALL_SPLITS, choose_table_units, group_table
from deepfake_audio.models import run_search
from deepfake_audio.system.regular_files import is_file
from deepfake_audio.vocabulary import SPLITS


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same files.

    Attributes:
        figures: for each figure `ours`, `theirs`, their `difference` and its 95% `interval`, which
            is None if there is none.
        warnings: about what was guessed, the intervals and the calibration.
        matched: by which kind of name the files were matched.
        split: whose files were compared; `ALL_SPLITS` for several splits.
        files: how many were compared.
    """

    figures: Mapping[str, Mapping]
    warnings: Sequence[str]
    matched: str
    split: str
    files: int


def compare_systems(
    ours: str, theirs: str, overrides: Sequence[str], real: str | None
) -> Comparison:
    """Compare two evaluated runs, or files like scores.csv.

    Args:
        ours, theirs: names or paths of runs, results or score files.
        overrides: settings as `section.key=value`.
        real: see `read_filled_scores`; of both.

    Raises:
        InputError: a system has no scores, or the two differ in their files or priors.
    """
    first, settings, notes = read_evaluated(ours, overrides, real)
    second, other_settings, other_notes = read_evaluated(theirs, overrides, real)
    if settings.predict.prior_fake != other_settings.predict.prior_fake:
        raise InputError(
            "cannot compare runs with different priors; choose one: predict.prior_fake=0.5"
        )
    notes += other_notes
    return compare_tables(first, second, settings.evaluate, settings.predict, notes)


def read_evaluated(
    name: str, overrides: Sequence[str], real: str | None
) -> tuple[ScoreTable, Settings, list[str]]:
    """Return the scores that count, from a run, results or a score file, settings, and notes.

    These are the scores of the last split, or all of them if all were evaluated together.
    """
    path, settings = Path(name), load_settings(None, overrides)
    if is_file(path / SCORES) and not is_file(path / "run.json"):  # an evaluation without a run
        path /= SCORES
    if not is_file(path):
        if not is_file(run_search.find_run(name).record):
            fault = "it is no run, folder of results or file of scores"
            raise InputError(f"cannot compare {name}: {fault}; check the name")
        run, _, settings = run_search.open_run(name, overrides=overrides)
        path = run.folder / SCORES
        if not is_file(path):
            raise InputError(
                f"run {run.name} has no {SCORES}; make it with: python evaluate.py --run {run.name}"
            )
    scored = read_filled_scores(path, real=real)
    table = scored.table
    evaluated = read_metrics(path.parent).get("splits") if path.name == SCORES else None
    if isinstance(evaluated, dict) and ALL_SPLITS in evaluated:
        return table, settings, scored.notes
    last = next(split for split in reversed(SPLITS) if (table.split == split).any())
    return table.where(table.split == last), settings, scored.notes


def compare_tables(
    ours: ScoreTable,
    theirs: ScoreTable,
    settings: EvaluateSettings,
    predict: PredictSettings,
    notes: Sequence[str],
) -> Comparison:
    """Compare two tables of scores; its warnings begin with the notes.

    Raises:
        InputError: they did not score the same files.
    """
    ours, theirs, matched = match_files(ours, theirs)
    histograms = [group_table(table, settings, predict) for table in (ours, theirs)]
    first, second = (h.figures(h.counts) for h in histograms)
    units = choose_table_units(ours, settings)
    intervals, warnings = {}, [*notes, *units.warnings]
    if units.enough and settings.bootstrap:
        intervals = bootstrap_differences(
            *histograms, units.speakers, settings.bootstrap, SEED, units.attacks
        )
    figures = {
        name: {
            "ours": float(first[name]),
            "theirs": float(second[name]),
            "difference": float(second[name] - first[name]),
            "interval": intervals.get(name),
        }
        for name in first
    }
    for name, table, found in (("first", ours, first), ("second", theirs, second)):
        least = min_llr_cost(error_curve(table.is_real, table.score))
        if table.has_own_scale and is_uncalibrated(found | {"min_cllr": least}):
            figures = {key: row for key, row in figures.items() if key not in OF_VERDICTS}
            warnings.append(
                f"The scores of the {name} system are not calibrated: actDCF and Cllr "
                "do not compare the systems, and accuracy is left out."
            )
    split = ALL_SPLITS if len(set(ours.split.tolist())) > 1 else ours.split[0]
    return Comparison(figures, warnings, matched, split, len(ours))


def match_files(ours: ScoreTable, theirs: ScoreTable) -> tuple[ScoreTable, ScoreTable, str]:
    """Return both tables in one order, and the kind of name that matched: files, else trials.

    Raises:
        InputError: the files, or their labels, differ.
    """
    common = 0
    for matched, named in (
        ("name", lambda table: table.file.tolist()),
        ("name without folder and suffix", trial_names),
    ):
        first, second = list(named(ours) or ()), list(named(theirs) or ())
        common = max(common, len(set(first) & set(second)))
        if len(ours) == len(theirs) == len(set(first)) == common:
            ours, theirs = ours.where(np.argsort(first)), theirs.where(np.argsort(second))
            if np.array_equal(ours.label, theirs.label):
                return ours, theirs, matched
            raise InputError("cannot compare: some files have different labels in the two systems")
    raise InputError(
        f"cannot compare {len(ours):,} and {len(theirs):,} files, {common:,} of them in both; "
        "evaluate both systems on the same data"
    )
