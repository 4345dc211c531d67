"""Write timelines: passages as CSV, labels for Audacity and a picture."""

import hashlib
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.inference.passages import Passage, most_fake, passage_rows
from deepfake_audio.inference.timelines import PEAKS_PER_WINDOW, Timeline, format_time
from deepfake_audio.system.atomic_files import atomic_write, numbered, temporary_sibling
from deepfake_audio.system.csv_files import write_rows
from deepfake_audio.system.regular_files import is_file, open_regular, open_table

if TYPE_CHECKING:
    from deepfake_audio.system.matplotlib_library import Axes

PEAKS_SHOWN = 3000
PICTURE_DPI = 130
MAX_TICKS = 12
MARK, MARK_BYTES = "Recording", 4096  # a text in a picture, and the bytes at its begin with it
TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)
TIMELINES = Path("timelines")


def format_labels(passages: Sequence[Passage]) -> str:
    """Return the passages as Audacity reads them: start, end and a text between tabs.

    >>> format_labels([Passage(1.5, 4.25, "FAKE", 0.91, 0.91)])
    '1.500000\\t4.250000\\tFAKE 91.0%\\n'
    """
    return "".join(
        f"{passage.start_seconds:.6f}\t{passage.end_seconds:.6f}\t{passage.label}\n"
        for passage in passages
    )


def write_timeline(
    path: Path,
    title: str,
    timeline: Timeline,
    envelopes: Sequence[np.ndarray],
    why_not_judged: str = "",
    recording: str = "",
) -> str:
    """Write the passages as CSV and Audacity labels, and the picture as PNG; return their names.

    Args:
        path: of all, without the suffix; gets a number if another recording's are there.
        title: of the picture.
        envelopes: the peaks of the sound in each window; see `peak_envelope`.
        why_not_judged: reason that the legend gives for windows without a score.
        recording: identifies the recording, so that its files are replaced; empty never matches.
    """
    mark = hashlib.sha256(os.fsencode(recording)).hexdigest()[:32] if recording else ""
    tables = numbered(path.with_name(f"{path.name}.csv"))
    with temporary_sibling(path.with_name("timeline.png")) as plotted:
        save_timeline_figure(plotted, title, timeline, envelopes, why_not_judged, mark)
        table = next(table for table in tables if _take(mark, table))
        picture, labels = table.with_suffix(".png"), table.with_suffix(".txt")
        plotted.replace(picture)
    with atomic_write(table) as partial, open_table(partial) as file:
        rows = passage_rows(timeline.passages)
        write_rows(file, [list(rows[0]), *(row.values() for row in rows)])
    with atomic_write(labels) as partial:
        partial.write_text(format_labels(timeline.passages), encoding="utf-8", newline="\n")
    return f"{table}, {picture}, {labels}"


def _take(mark: str, table: Path) -> bool:
    """Return whether a timeline of the same recording is there, or nothing; then take the names.

    No other process takes names of which this one has made the table.
    """
    picture = table.with_suffix(".png")
    if not any(map(os.path.lexists, (picture, table.with_suffix(".txt")))):
        with suppress(FileExistsError):
            table.open("xb").close()
            return True
    try:
        with open_regular(picture, "A timeline") as file:
            return bool(mark) and f"{MARK}\0{mark}".encode() in file.read(MARK_BYTES)
    except InputError:
        return False


def waveform_outline(
    timeline: Timeline, envelopes: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the peaks of the sound, `(points,)`, and the edges in seconds between them.

    The number of points fits the picture. The padding after the end is left out; a pause
    without a window is 0.
    """
    first, end = timeline.edges[[0, -1]]
    part_seconds = timeline.window_seconds / PEAKS_PER_WINDOW
    middles = timeline.starts[:, None] + (np.arange(PEAKS_PER_WINDOW) + 0.5) * part_seconds
    # At least one part is inside, however short the sound is.
    is_inside = middles.ravel() < max(end, first + part_seconds)
    points = min(PEAKS_SHOWN, max(1, int((end - first) / part_seconds)))  # none without a part
    edges = np.linspace(first, end, points + 1)
    place = np.searchsorted(edges[1:-1], middles.ravel()[is_inside], side="right")
    peaks = np.zeros(points)
    np.maximum.at(peaks, place, np.concatenate(envelopes)[is_inside])
    return peaks, edges


def time_ticks(end_seconds: float, start_seconds: float = 0.0) -> dict[float, str]:
    """Return round times from the start up to the end, with their labels.

    >>> list(time_ticks(0.3).values()), list(time_ticks(50).values())[-1]
    (['0:00.0', '0:00.1', '0:00.2', '0:00.3'], '0:50')
    >>> list(time_ticks(4000).values())[-2:]
    ['50:00', '1:00:00']
    """
    shown = end_seconds - start_seconds
    step = next((s for s in TICK_SECONDS if shown / s <= MAX_TICKS), TICK_SECONDS[-1])
    first, last = math.ceil(start_seconds / step - 1e-9), int(end_seconds / step + 1e-9)
    ticks = [step * number for number in range(first, last + 1)]
    return {tick: format_time(tick).removesuffix(".0" if step >= 1 else "") for tick in ticks}


def save_timeline_figure(
    path: Path,
    title: str,
    timeline: Timeline,
    envelopes: Sequence[np.ndarray],
    why_not_judged: str,
    mark: str,
) -> None:
    """Plot the waveform above P(fake), each passage shaded by its verdict, with a legend."""
    from deepfake_audio.system.matplotlib_library import pyplot as plt  # slow to import

    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(11, 4.9), sharex=True, layout="constrained", height_ratios=(1, 1.2)
    )
    plot_timeline(upper, lower, timeline, envelopes, why_not_judged)
    handles, labels = lower.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(one_line(title)[-100:], parse_math=False)
    figure.savefig(path, dpi=PICTURE_DPI, metadata={MARK: mark})
    plt.close(figure)


def plot_timeline(
    upper: "Axes",
    lower: "Axes",
    timeline: Timeline,
    envelopes: Sequence[np.ndarray],
    why_not_judged: str = "",
) -> None:
    """Plot the waveform into the upper axes and P(fake) into the lower, shaded by verdict."""
    from deepfake_audio import plotting

    plotting.plot_envelope(upper, *waveform_outline(timeline, envelopes))
    plotting.plot_p_fake(lower, timeline.p_fake, timeline.edges)
    end_seconds, passages = float(timeline.edges[-1]), most_fake(timeline.passages)
    plotting.set_times(lower, end_seconds, time_ticks(end_seconds))
    for shade in plotting.SHADES:
        spans = [(p.start_seconds, p.end_seconds) for p in passages if p.shade == shade]
        plotting.shade(upper, spans, shade)
        why = f": {why_not_judged}" if shade == "not judged" and why_not_judged else ""
        plotting.shade(lower, spans, shade, label=shade + why)


def is_timeline(path: Path) -> bool:
    """Return whether an image is the picture of a timeline: its table is beside it."""
    beside = path.with_suffix(".csv")
    return path.parent.name == TIMELINES.name and path.suffix == ".png" and is_file(beside)
