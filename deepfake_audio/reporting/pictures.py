"""Plot the pictures of a report, as the bytes of PNG files."""

import io
from collections.abc import Sequence

import numpy as np

from deepfake_audio import plotting
from deepfake_audio.config.schema import AudioSettings
from deepfake_audio.features.spectrogram import row_frequencies_hz
from deepfake_audio.inference import timeline_files, timelines
from deepfake_audio.inference.occlusion import band_rows
from deepfake_audio.inference.stretches import RenderedStretch
from deepfake_audio.system.matplotlib_library import Axes, Figure

PICTURE_DPI = 150
WIDTH_INCHES = 9.0  # the text on A4 has 7.3 inches, so that letters of 10 points become 8 points
TICKS_HZ = range(0, 25_000, 1000)


def timeline_picture(line: timelines.Timeline, peaks: Sequence[np.ndarray]) -> bytes:
    """Plot the waveform above P(fake), shaded by verdict; see `timeline_files.plot_timeline`."""
    figure = Figure(figsize=(WIDTH_INCHES, 1.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.2))
    timeline_files.plot_timeline(upper, lower, line, peaks)
    upper.set_ylabel("")
    lower.set_xlabel("")  # the text below has both
    handles, labels = lower.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    return to_png(figure)


def places_picture(
    stretch: RenderedStretch, places: np.ndarray, repeats: np.ndarray, audio: AudioSettings
) -> bytes:
    """Plot the spectrogram of a stretch with its marked places, and a strip of any repetitions.

    Args:
        stretch: of the recording.
        places: which are marked, bool `(windows, bands)`.
        repeats: windows with a repetition that speaks for fake, bool `(windows,)`.
        audio: of the run, for the frequencies.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 1.65), layout="constrained")
    if repeats.any():
        ax, strip = figure.subplots(2, 1, sharex=True, height_ratios=(14, 1))
        _plot_repeats(strip, stretch.edges, repeats)
    else:
        ax = strip = figure.subplots()
    height = len(stretch.level)
    tops_hz = row_frequencies_hz(audio, height)
    plotting.plot_level(ax, stretch.level, stretch.level_seconds, _ticks(tops_hz))
    times = stretch.edges[[0, -1]]
    ax.set_xlim(*times)
    ticks = timeline_files.time_ticks(float(times[1]), float(times[0]))
    strip.set_xticks(list(ticks), list(ticks.values()))
    spans = []
    for window, band in zip(*np.nonzero(places), strict=True):
        rows = band_rows(band, height)
        left, right = stretch.edges[window : window + 2]
        spans.append((left, right, height - rows.stop, height - rows.start))
    plotting.mark_places(ax, spans)
    return to_png(figure)


def _plot_repeats(strip: Axes, edges: np.ndarray, repeats: np.ndarray) -> None:
    """Plot the windows with a repetition into a low strip."""
    strip.set(yticks=[], ylim=(0, 1))
    strip.set_ylabel("repeats", rotation=0, ha="right", va="center")
    turns = zip(edges[:-1][repeats], edges[1:][repeats], strict=True)
    plotting.mark_places(strip, [(left, right, 0, 1) for left, right in turns])


def image_picture(image: np.ndarray, places: np.ndarray) -> bytes:
    """Plot a spectrogram image with its marked bands, bool `(1, bands)`; its axes are unknown."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.3), layout="constrained")
    ax = figure.subplots()
    plotting.plot_level(ax, image[..., 0], (0.0, 1.0), {})
    rows = [band_rows(band, len(image)) for band in np.flatnonzero(places)]
    plotting.mark_places(ax, [(0, 1, len(image) - r.stop, len(image) - r.start) for r in rows])
    ax.set(xticks=[], xlabel="time", ylabel="frequency")
    return to_png(figure)


def _ticks(rows_hz: np.ndarray) -> dict[float, str]:
    """Return the heights of round frequencies in an image, with their labels in kHz."""
    rising, heights = rows_hz[::-1], np.arange(len(rows_hz)) + 0.5
    shown = [hz for hz in TICKS_HZ if hz <= rising[-1] * 1.01]
    return {float(np.interp(hz, rising, heights)): f"{hz / 1000:g}" for hz in shown}


def to_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file without a date."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=PICTURE_DPI, metadata={"Software": None})
    return content.getvalue()
