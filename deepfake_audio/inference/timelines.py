"""The timeline of a long recording: which passages are real and which are fake."""

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.inference.inputs import WHOLE, Part
from deepfake_audio.inference.passages import Passage, find_passages, most_fake
from deepfake_audio.models.calibration import probability
from deepfake_audio.vocabulary import Verdict, format_confidence

PEAKS_PER_WINDOW = 128
SEE_TIMELINE = ": see --timeline"  # ends the note of a fake passage
ROUNDING_SECONDS = 0.006  # passages begin at rounded edges


@dataclass(frozen=True, eq=False)
class Timeline:
    """P(fake) over time, smoothed, and the passages.

    Attributes:
        starts: of the windows of all tracks and channels in seconds, rising, `(windows,)`.
        edges: of the steps of `p_fake`, in seconds from the beginning to the end of the sound,
            `(steps + 1,)`; a step for each window, and for each pause without one, if the recording
            has only one part.
        p_fake: smoothed over neighbouring windows of the passage, `(steps,)`; NaN in a pause, and
            if none of these counts. If several parts are judged, that of the part with the highest.
        window_seconds: length of a window.
        passages: of all parts, in time order.
    """

    starts: np.ndarray
    edges: np.ndarray
    p_fake: np.ndarray
    window_seconds: float
    passages: list[Passage]


def peak_envelope(window: np.ndarray) -> np.ndarray:
    """Return the peak of each of 128 equal parts of a window: float32 `(128,)`, 0 to 1."""
    firsts = np.arange(PEAKS_PER_WINDOW) * len(window) // PEAKS_PER_WINDOW
    return np.maximum.reduceat(np.abs(window), firsts)


def make_timeline(
    starts: np.ndarray,
    llr: np.ndarray,
    window_seconds: float,
    settings: PredictSettings,
    end_seconds: float = math.inf,
    part: Part = WHOLE,
) -> Timeline:
    """Divide a part of a recording into passages, and smooth P(fake) within each for the curve.

    Args:
        starts: of the windows in seconds, rising, `(windows,)`.
        llr: calibrated log-likelihood ratio of each window, real against fake, `(windows,)`; NaN
            for windows that can't be judged.
        window_seconds: length of a window.
        settings: `timeline_seconds`, the span over which LLRs are averaged; `prior_fake` and
            `min_confidence`.
        end_seconds: of the recording; a window that is padded with silence ends later.
    """
    middles = starts + window_seconds / 2
    end = min(end_seconds, starts[-1] + window_seconds)
    edges = np.array([starts[0], *(middles[1:] + middles[:-1]) / 2, end])
    spans = np.stack([edges[:-1], edges[1:]], axis=1)
    before = np.flatnonzero(np.diff(starts) > window_seconds)  # the windows before pauses
    spans[before, 1], spans[before + 1, 0] = starts[before] + window_seconds, starts[before + 1]
    passages = find_passages(llr, spans, settings, part)
    begins = [passage.start_seconds - ROUNDING_SECONDS for passage in passages]
    bounds = [*np.searchsorted(spans[:, 0], begins), len(starts)]
    smoothed = [
        smooth(starts[first:after], llr[first:after], settings.timeline_seconds)
        for first, after in itertools.pairwise(bounds)
    ]
    p_fake = 1 - probability(np.concatenate(smoothed), settings.prior_fake)
    p_fake = np.insert(p_fake, before + 1, np.nan)
    edges = np.append(np.insert(spans[:, 0], before + 1, spans[before, 1]), end)
    return Timeline(starts, edges, p_fake, window_seconds, passages)


def join_timelines(lines: Sequence[Timeline]) -> Timeline:
    """Join the timelines of the parts of a recording; the curve is the maximum of theirs."""
    if len(lines) == 1:
        return lines[0]
    starts = np.sort(np.concatenate([line.starts for line in lines]))
    edges = np.unique(np.concatenate([line.edges for line in lines]))
    middles = (edges[1:] + edges[:-1]) / 2
    curves = []
    for line in lines:
        place = np.searchsorted(line.edges, middles) - 1  # -1 before it, as long as it after it
        curves.append(np.append(line.p_fake, np.nan)[place])
    passages = sorted(
        itertools.chain.from_iterable(line.passages for line in lines),
        key=lambda passage: passage.start_seconds,
    )
    return Timeline(starts, edges, np.fmax.reduce(curves), lines[0].window_seconds, passages)


def smooth(starts: np.ndarray, scores: np.ndarray, span_seconds: float) -> np.ndarray:
    """Average each window's score with those that start within half the span of it.

    NaN is left out; the mean of NaN only is NaN.

    >>> smooth(np.array([0.0, 1.0, 2.0, 9.0]), np.array([3.0, 0.0, 3.0, 5.0]), 2.0).tolist()
    [1.5, 2.0, 1.5, 5.0]
    >>> smooth(np.array([0.0, 1.0, 2.0, 9.0]), np.array([3.0, 0.0, np.nan, np.nan]), 2.0).tolist()
    [1.5, 1.5, 0.0, nan]
    """
    known = ~np.isnan(scores)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, scores, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    first = np.searchsorted(starts, starts - span_seconds / 2 - 1e-9)
    after = np.searchsorted(starts, starts + span_seconds / 2 + 1e-9)
    with np.errstate(invalid="ignore"):  # nothing by nothing
        return (sums[after] - sums[first]) / (counts[after] - counts[first])


def describe_fakes(line: Timeline, fake_parts: Collection[Part]) -> str:
    """Describe how much of a recording is FAKE, and the first passage; empty if none is.

    Passages of parts that are FAKE on the whole are left out.
    """
    passages = [passage for passage in line.passages if passage.part not in fake_parts]
    fakes = [passage for passage in most_fake(passages) if passage.verdict == Verdict.FAKE]
    if not fakes:
        return ""
    seconds = sum(passage.end_seconds - passage.start_seconds for passage in fakes)
    which = "from" if len(fakes) == 1 else f"in {len(fakes)} passages, the first from"
    times = (seconds, line.edges[-1], fakes[0].start_seconds, fakes[0].end_seconds)
    fake, whole, start, end = (format_time(round(float(time))).removesuffix(".0") for time in times)
    where = f" in {fakes[0].part.name}" if fakes[0].part.name else ""
    return f"{fake} of {whole} is probably fake, {which} {start} to {end}{where}{SEE_TIMELINE}"


def format_passages(passages: Sequence[Passage]) -> str:
    """Return the passages as a table."""
    width = max((len(passage.part.name) for passage in passages), default=0)
    heading = "  part" if width else ""
    lines = [f"{'start':>10}{'end':>10}  verdict  confidence{heading}"]
    for passage in passages:
        times = f"{format_time(passage.start_seconds):>10}{format_time(passage.end_seconds):>10}"
        shown = "-" if passage.confidence is None else format_confidence(passage.confidence)
        leans = f"  ({passage.leaning})" if passage.leaning else ""
        where = f"  {passage.part.name:{width}}" if width else ""
        lines.append(f"{times}  {passage.verdict:9}{shown:>10}{where}{leans}".rstrip())
    return "\n".join(lines)


def format_time(seconds: float) -> str:
    """Format a time for people.

    >>> format_time(75.26), format_time(3725.0)
    ('1:15.3', '1:02:05.0')
    """
    tenths = round(seconds * 10)
    hours, minutes = divmod(tenths // 600, 60)
    seconds_text = f"{tenths % 600 / 10:04.1f}"
    return f"{hours}:{minutes:02}:{seconds_text}" if hours else f"{minutes}:{seconds_text}"
