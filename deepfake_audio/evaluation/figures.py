"""The pictures of an evaluation, each a figure by its name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from deepfake_audio import plotting
from deepfake_audio.evaluation.metrics import error_curve
from deepfake_audio.evaluation.result_folder import TITLES
from deepfake_audio.evaluation.score_formats import ScoreTable
from deepfake_audio.evaluation.summary import SPLIT_NAMES
from deepfake_audio.models.calibration import (
    decision_threshold,
    prior_weights,
    probability,
    reliability,
)
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.vocabulary import LABELS

CURVE_POINTS = 2000
FIGURE_INCHES = 5.6, 6.1
PICTURE_DPI = 150


def history_plot(history: Sequence[Mapping[str, float]], best_epoch: int) -> plt.Figure:
    """Draw loss and accuracy over the epochs."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    epochs = [int(row["epoch"]) for row in history]
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        training, validation = (
            [row[prefix + quantity] for row in history] for prefix in ("", "val_")
        )
        plotting.plot_history(ax, epochs, training, validation, best_epoch).set_ylabel(quantity)
    return figure


def score_plots(
    tables: Mapping[str, ScoreTable], figures: Mapping[str, Mapping], prior_fake: float
) -> dict[str, plt.Figure]:
    """Draw ROC and DET of all splits, and confusion, scores and reliability of the last.

    Args:
        tables: the scores of each split, both classes.
        figures: of `evaluation.evaluate_scores` for each split.
        prior_fake: of the verdicts.
    """
    rates = []
    for split, table in tables.items():
        curve = error_curve(table.is_real, table.score)
        few = _some_points(len(curve.thresholds))
        name, eer = SPLIT_NAMES[split], figures[split]["eer"]
        rates.append((name, curve.false_accept_rate[few], curve.miss_rate[few], eer))
    last = list(tables)[-1]
    table, threshold = tables[last], decision_threshold(prior_fake)
    p_real = probability(table.llr, prior_fake)
    bins = reliability(table.is_real, p_real, prior_weights(table.is_real, prior_fake))
    drawn = {name: plt.subplots(figsize=FIGURE_INCHES, layout="constrained") for name in
             ("roc", "det", "confusion", "scores", "reliability")}  # fmt: skip
    axes = {name: ax for name, (_, ax) in drawn.items()}
    plotting.plot_roc(axes["roc"], [(name, fa, 1 - miss, eer) for name, fa, miss, eer in rates])
    plotting.plot_det(axes["det"], rates)
    plotting.plot_confusion(axes["confusion"], figures[last]["confusion"], LABELS)
    real, fake = (table.llr[table.is_real == label] for label in (1, 0))
    plotting.plot_scores(axes["scores"], real, fake, threshold)
    plotting.plot_reliability(axes["reliability"], **bins)
    for figure, ax in drawn.values():
        handles, labels = ax.get_legend_handles_labels()
        if handles:  # outside, or it might cover a curve
            figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return {name: figure for name, (figure, _) in drawn.items()}


def _some_points(points: int) -> np.ndarray:
    """Return positions of at most so many points as a picture can show, both ends included."""
    return np.unique(np.linspace(0, points - 1, min(points, CURVE_POINTS)).astype(int))


def write_plot(figure: plt.Figure, title: str, path: Path) -> Path:
    """Write a figure with a title to a file, and return the file."""
    figure.suptitle(f"{title}: {TITLES[path.stem]}", parse_math=False)
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=PICTURE_DPI)
    plt.close(figure)
    return path
