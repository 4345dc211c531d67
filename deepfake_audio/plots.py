"""Pictures: arrays and an `ax` in, the `ax` out. Nothing is computed, no file is opened.

Colours are Okabe and Ito's (2008), which the colour-blind can tell apart.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"


def plot_history(
    ax: Axes,
    epochs: Sequence[int],
    training: Sequence[float],
    validation: Sequence[float],
    best_epoch: int,
) -> Axes:
    """Draw one quantity over the epochs, and mark the epoch that was kept."""
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
    ax.legend(framealpha=0.9)
    return ax


def plot_roc(ax: Axes, curves: Sequence[tuple[str, np.ndarray, np.ndarray, float]]) -> Axes:
    """Draw ROC curves.

    Args:
        ax: where to draw.
        curves: name, share of fakes called real, share of reals called real, equal error rate.
    """
    ax.plot([0, 1], [1, 0], color=GREY, linewidth=1, linestyle=":", label="equal error rates")
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="chance")
    for (name, false_accept, hit, eer), color in zip(curves, (ORANGE, BLUE, GREEN), strict=False):
        ax.plot(false_accept, hit, color=color, linewidth=2, label=f"{name}: EER {eer:.1%}")
    ax.set(
        xlabel="fakes called real",
        ylabel="reals called real",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
    ax.legend(framealpha=0.9, loc="lower right")
    return ax


def plot_confusion(ax: Axes, confusion: np.ndarray, labels: Sequence[str]) -> Axes:
    """Draw a confusion matrix: truth in rows, verdicts in columns, counts and shares of the row."""
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
    return ax


def plot_spectrogram(ax: Axes, image: np.ndarray, seconds: float, max_hz: float) -> Axes:
    """Draw a spectrogram image of the linear scale with its axes.

    Args:
        ax: where to draw.
        image: uint8 or float of 0...255 `(frequency_bins, frames)`, lowest frequency at the
            bottom.
        seconds: that the image shows.
        max_hz: of the topmost row.
    """
    extent = (0, seconds, 0, max_hz / 1000)
    ax.imshow(image, cmap="magma", aspect="auto", extent=extent, vmin=0, vmax=255)
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
    return ax


def plot_envelope(ax: Axes, seconds: np.ndarray, peaks: np.ndarray) -> Axes:
    """Draw the outline of sound: times, rising, and peaks from 0 to 1, both `(points,)`."""
    ax.fill_between(seconds, -peaks, peaks, color=BLUE, lw=0)
    ax.set(ylabel="waveform", yticks=[])
    return ax


def plot_p_fake(ax: Axes, seconds: np.ndarray, p_fake: np.ndarray) -> Axes:
    """Draw the probability of fake over time."""
    ax.plot(seconds, p_fake, color=ORANGE, linewidth=1.5)
    ax.axhline(0.5, color=GREY, linestyle="--", linewidth=1)
    ax.set(xlabel="time (s)", ylabel="P(fake)", ylim=(-0.02, 1.02))
    ax.grid(alpha=0.3)
    return ax


def shade(ax: Axes, spans: Sequence[tuple[float, float]]) -> Axes:
    """Shade stretches of time that were found fake."""
    for number, (start, end) in enumerate(spans):
        label = None if number else "found fake"
        ax.axvspan(start, end, color=ORANGE, alpha=0.15, zorder=0, lw=0, label=label)
    return ax
