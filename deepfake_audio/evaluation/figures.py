"""Plot the figures of an evaluation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepfake_audio import plotting
from deepfake_audio.errors import one_line
from deepfake_audio.evaluation.error_rates import error_curve
from deepfake_audio.evaluation.result_folder import TITLES
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.evaluation.summary import SPLIT_NAMES
from deepfake_audio.models.calibration import (
    decision_threshold,
    prior_weights,
    probability,
    reliability,
)
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.matplotlib_library import Figure
from deepfake_audio.vocabulary import LABELS

MAX_CURVE_POINTS = 2000
MAX_HISTOGRAM_BINS = 80
FIGURE_INCHES = 5.6, 6.1
PICTURE_DPI = 150


def history_plot(history: Sequence[Mapping[str, float]], best_epoch: int) -> Figure:
    """Plot loss and accuracy over the epochs."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2)
    epochs = [int(row["epoch"]) for row in history]
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        training, validation = (
            [row[prefix + quantity] for row in history] for prefix in ("", "val_")
        )
        plotting.plot_history(ax, epochs, training, validation, best_epoch).set_ylabel(quantity)
    return figure


def score_plots(
    tables: Mapping[str, ScoreTable], figures: Mapping[str, Mapping], prior_fake: float
) -> dict[str, Figure]:
    """Plot ROC and DET of all splits, and confusion, scores and reliability of the last.

    Args:
        tables: the scores of each split, both classes.
        figures: for each split, as `summary.evaluate_scores` returns them.
        prior_fake: of the verdicts.
    """
    rates = []
    for split, table in tables.items():
        curve = error_curve(table.is_real, table.score)
        points = len(curve.thresholds)
        shown = np.linspace(0, points - 1, min(points, MAX_CURVE_POINTS)).astype(int)
        name, eer = SPLIT_NAMES[split], figures[split]["eer"]
        rates.append((name, curve.false_accept_rate[shown], curve.miss_rate[shown], eer))
    last = list(tables)[-1]
    table, threshold = tables[last], decision_threshold(prior_fake)
    p_real = probability(table.llr, prior_fake)
    bins = reliability(table.is_real, p_real, prior_weights(table.is_real, prior_fake))
    confusion = figures[last]["confusion"]  # None if the scores are not calibrated
    plots = {
        name: Figure(figsize=FIGURE_INCHES, layout="constrained")
        for name in ("roc", "det", *(["confusion"] if confusion else []), "scores", "reliability")
    }
    axes = {name: figure.subplots() for name, figure in plots.items()}
    plotting.plot_roc(axes["roc"], [(name, fa, 1 - miss, eer) for name, fa, miss, eer in rates])
    plotting.plot_det(axes["det"], rates)
    if confusion:
        plotting.plot_confusion(axes["confusion"], confusion, LABELS)
    real, fake = (table.llr[table.is_real == label] for label in (1, 0))
    edges = histogram_edges(np.concatenate([real, fake, [threshold]]))
    plotting.plot_scores(axes["scores"], real, fake, edges, threshold)
    plotting.plot_reliability(axes["reliability"], **bins)
    for name, figure in plots.items():
        handles, labels = axes[name].get_legend_handles_labels()
        if handles:  # a legend outside the axes covers no curve
            figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return plots


def histogram_edges(scores: np.ndarray) -> np.ndarray:
    """Return the edges of a histogram's bins; the outermost 0.1% at each end lie outside."""
    low, high = np.percentile(scores, [0.1, 99.9])
    bins = min(MAX_HISTOGRAM_BINS, round(2 * np.sqrt(len(scores) - 1)))
    return np.linspace(low, high + 1e-9, bins + 1)


def write_plot(figure: Figure, title: str, path: Path) -> Path:
    """Write a figure with a title to a file, and return the file."""
    figure.suptitle(f"{one_line(title)}: {TITLES[path.stem]}", parse_math=False)
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=PICTURE_DPI)
    return path
