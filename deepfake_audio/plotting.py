"""Plot arrays on given axes. Nothing is computed and no file is opened.

The colours are from Okabe and Ito (2008), distinct for colour-blind people.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from deepfake_audio.system.matplotlib_library import (
    Axes,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"
YELLOW = "#F0E442"
# The shade of a passage: a colour, its strength, and a hatch for black and white.
SHADES = {
    "FAKE": (ORANGE, 0.25, "//"),
    "UNCERTAIN": (YELLOW, 0.35, ".."),
    "REAL": (GREEN, 0.1, ""),
    "not judged": (GREY, 0.45, "xx"),
}
DET_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
DET_LIMITS = (0.0005, 0.9)


def plot_history(
    ax: Axes,
    epochs: Sequence[int],
    training: Sequence[float],
    validation: Sequence[float],
    best_epoch: int,
) -> Axes:
    """Plot one quantity over the epochs, and mark the epoch that was kept."""
    ax.plot(
        epochs, training, color=BLUE, marker="o", markersize=3, label="training (distorted images)"
    )
    ax.plot(epochs, validation, color=ORANGE, marker="s", markersize=3, label="validation")
    ax.axvline(
        best_epoch, color=GREY, linestyle="--", linewidth=1, label=f"kept: epoch {best_epoch}"
    )
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    falls = training[-1] < training[0]  # loss falls, accuracy rises
    # A search for the "best" position warns if it takes long.
    ax.legend(loc="upper right" if falls else "lower right", framealpha=0.9)
    return ax


def plot_roc(ax: Axes, curves: Sequence[tuple[str, np.ndarray, np.ndarray, float]]) -> None:
    """Plot ROC curves.

    Args:
        ax: the axes to plot on.
        curves: name, share of fake files called real, share of real files called real, equal
            error rate.
    """
    ax.plot([0, 1], [1, 0], color=GREY, linewidth=1, linestyle=":", label="equal error rates")
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="chance")
    for (name, false_accept, hit, eer), color in zip(curves, (ORANGE, BLUE, GREEN), strict=False):
        ax.plot(false_accept, hit, color=color, linewidth=2, label=f"{name}: EER {eer:.1%}")
    ax.set(
        xlabel="fake files called real",
        ylabel="real files called real",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)


def plot_det(ax: Axes, curves: Sequence[tuple[str, np.ndarray, np.ndarray, float]]) -> None:
    """Plot DET curves (Martin et al., 1997): both error rates on normal deviate scales.

    Args:
        ax: the axes to plot on.
        curves: name, share of fake files called real, share of real files called fake, equal
            error rate.
    """
    low, high = DET_LIMITS
    ax.plot(DET_LIMITS, DET_LIMITS, color=GREY, linewidth=1, linestyle=":", label="equal errors")
    for (name, false_accept, miss, eer), color in zip(curves, (ORANGE, BLUE, GREEN), strict=False):
        x, y = (np.clip(rates, low / 2, (1 + high) / 2) for rates in (false_accept, miss))
        ax.plot(x, y, color=color, linewidth=2, label=f"{name}: EER {eer:.1%}")
    for axis, set_scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
        set_scale("function", functions=(_deviate, ndtr))
        axis.set_ticks(DET_TICKS)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda rate, _: f"{100 * rate:g}%")
    ax.set(
        xlabel="fake files called real",
        ylabel="real files called fake",
        xlim=DET_LIMITS,
        ylim=DET_LIMITS,
    )
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)


def _deviate(rate: np.ndarray) -> np.ndarray:
    return ndtri(np.clip(rate, 1e-9, 1 - 1e-9))


def plot_scores(
    ax: Axes, real: np.ndarray, fake: np.ndarray, edges: np.ndarray, threshold: float
) -> None:
    """Plot a histogram of the scores of each class.

    Args:
        ax: the axes to plot on.
        real: log-likelihood ratios of the real files, `(any,)`.
        fake: of the fake files.
        edges: of the bins, rising; scores outside count in the first or last bin.
        threshold: above which a file is called real.
    """
    classes = (fake, "fake files", ORANGE, "--"), (real, "real files", BLUE, "-")
    for scores, name, color, style in classes:
        weights = np.full(len(scores), 1 / len(scores))
        shown = np.clip(scores, edges[0], edges[-1])
        ax.hist(shown, edges, weights=weights, color=color, alpha=0.35)
        ax.hist(shown, edges, weights=weights, color=color, histtype="step", linestyle=style,
                linewidth=1.5, label=f"{len(scores):,} {name}")  # fmt: skip
    ax.axvline(threshold, color="black", linewidth=1, linestyle=":", label="called real above")
    ax.set(xlabel="log-likelihood ratio (fake < 0 < real)", ylabel="share of the class")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(alpha=0.3)


def plot_reliability(
    ax: Axes, p_real: np.ndarray, share_real: np.ndarray, share: np.ndarray
) -> None:
    """Plot predicted against observed probability; the diagonal is perfect.

    Args:
        ax: the axes to plot on.
        p_real: mean probability of real in each bin, `(bins,)`.
        share_real: share of real files in each bin.
        share: of all files that lie in the bin; the points' area.
    """
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as it should be")
    ax.plot(p_real, share_real, color=BLUE, linewidth=1, alpha=0.6)
    ax.scatter(p_real, share_real, s=20 + 600 * share, color=BLUE, alpha=0.8, zorder=3)
    ax.scatter([], [], s=40, color=BLUE, alpha=0.8, label="ten bins; the larger, the more files")
    ax.set(xlabel="probability of real, as predicted", ylabel="share that is real",
           xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)


def plot_confusion(ax: Axes, confusion: np.ndarray, labels: Sequence[str]) -> None:
    """Plot a confusion matrix: truth in rows, verdicts in columns, counts and shares of the row."""
    confusion = np.asarray(confusion)
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        ax.text(
            column, row, f"{confusion[row, column]:,}\n{share:.1%}",
            ha="center", va="center", fontsize=12, color="white" if share > 0.5 else "black",
        )  # fmt: skip
    ax.set_xticks(range(len(labels)), [f"called {label}" for label in labels])
    ax.set_yticks(range(len(labels)), [f"is {label}" for label in labels], rotation=90, va="center")
    ax.tick_params(length=0)


def plot_level(
    ax: Axes, image: np.ndarray, times: tuple[float, float], ticks: Mapping[float, str]
) -> None:
    """Plot a spectrogram image of any frequency scale in shades of grey, dark for loud.

    Args:
        ax: the axes to plot on.
        image: uint8 `(frequency_bins, frames)`, lowest frequency at the bottom.
        times: of its left and right edge, in seconds.
        ticks: heights in rows from the bottom, and their labels in kHz.
    """
    extent = (*times, 0, len(image))
    ax.imshow(image, cmap="Greys", aspect="auto", extent=extent, vmin=0, vmax=255)
    ax.set_yticks(list(ticks), list(ticks.values()))
    ax.set_ylabel("frequency (kHz)")


def mark_places(ax: Axes, spans: Sequence[tuple[float, float, float, float]]) -> None:
    """Frame rectangles and tint them: left, right, bottom and top of each."""
    for left, right, bottom, top in spans:
        ax.fill_between([left, right], bottom, top, color=ORANGE, alpha=0.22, lw=0)
        ax.fill_between([left, right], bottom, top, facecolor="none", edgecolor=ORANGE, lw=1.8)


def plot_envelope(ax: Axes, peaks: np.ndarray, edges: np.ndarray) -> None:
    """Plot the outline of sound: peaks from 0 to 1, `(points,)`, and the seconds between them."""
    heights = np.append(peaks, peaks[-1])  # each lasts until the next
    ax.fill_between(edges, -heights, heights, step="post", color=BLUE, lw=0)
    ax.set(ylabel="waveform", yticks=[])


def plot_p_fake(ax: Axes, p_fake: np.ndarray, edges: np.ndarray) -> None:
    """Plot the probability of fake over time as steps, so that a single window is visible.

    Args:
        ax: the axes to plot on.
        p_fake: of each window, `(windows,)`; not a number leaves a gap.
        edges: the seconds at which each ends and the next begins, `(windows + 1,)`.
    """
    ax.stairs(p_fake, edges, baseline=None, color="black", linewidth=1.2)
    ax.axhline(0.5, color=GREY, linestyle="--", linewidth=1)
    ax.set(ylabel="P(fake)", ylim=(-0.02, 1.02))
    ax.grid(alpha=0.3)


def set_times(ax: Axes, end_seconds: float, ticks: Mapping[float, str]) -> None:
    """Set the time axis from 0 to the end, with a label at each tick, in seconds."""
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xlim(0, end_seconds)  # ticks would widen it
    ax.set_xlabel("time (minutes:seconds)")


def shade(
    ax: Axes, spans: Sequence[tuple[float, float]], verdict: str, label: str | None = None
) -> None:
    """Shade the time spans of one verdict, or those that were not judged; see `SHADES`.

    Args:
        ax: the axes to plot on.
        spans: start and end of each, in seconds.
        verdict: a key of `SHADES`.
        label: in the legend; none leaves it out.
    """
    color, strength, hatch = SHADES[verdict]
    look = {"facecolor": (color, strength), "edgecolor": ("black", 0.3), "hatch": hatch}
    for number, (start, end) in enumerate(spans):
        ax.axvspan(start, end, **look, zorder=0, lw=0, label=None if number else label)
