"""Measure how well fake passages are found within recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deepfake_audio.corpora.listed_files import inside
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.evaluation.text_report import format_or_dash
from deepfake_audio.system.csv_files import to_number
from deepfake_audio.system.regular_files import is_folder
from deepfake_audio.tables.text_tables import read_rows
from deepfake_audio.vocabulary import LABELS

PASSAGE_TABLE = "passages.csv"
SEGMENT_SECONDS = 0.02  # the resolution of the segment EER, as for PartialSpoof
FOUND_SHARE = 0.5  # the share of a fake passage that must be called FAKE
HOUR_SECONDS = 3600


class Span(NamedTuple):
    """A part of a recording, in seconds from its beginning."""

    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Localisation:
    """The true and the detected passages of one recording.

    Attributes:
        fake: true fake passages.
        real: true real passages.
        called_fake: passages with the verdict FAKE.
        edges: between the parts that the windows represent, seconds, `(windows + 1,)`.
        p_fake: of each part, `(windows,)`; NaN if it can't be judged.
    """

    fake: Sequence[Span]
    real: Sequence[Span]
    called_fake: Sequence[Span]
    edges: np.ndarray
    p_fake: np.ndarray


def read_passages(path: Path) -> dict[str, dict[str, list[Span]]]:
    """Read the true passages of recordings.

    Args:
        path: a CSV with the columns `file,start_seconds,end_seconds,label`, or a folder with
            `passages.csv`. `file` is relative to the folder of the CSV.

    Returns:
        For each file its passages by label.

    Raises:
        InputError: an unreadable or malformed table, or passages that overlap.
    """
    table = path / PASSAGE_TABLE if is_folder(path) else path
    found = {}
    for origin, row in read_rows(table, ("file", "start_seconds", "end_seconds", "label")):
        if row["label"] not in LABELS:
            raise InputError(f"{row['label']!r} in {origin} is not a label; write real or fake")
        try:
            span = Span(to_number(row["start_seconds"]), to_number(row["end_seconds"]))
        except ValueError as error:
            raise InputError(f"{error} in {origin}; write seconds, such as 12.5") from None
        if not 0 <= span.start_seconds < span.end_seconds:
            raise InputError(
                f"a passage from {span.start_seconds:g} to {span.end_seconds:g} s in {origin}; "
                "the end must come after the start"
            )
        labels = found.setdefault(inside(row["file"], origin), {label: [] for label in LABELS})
        labels[row["label"]].append(span)
    if not found:
        raise InputError(f"{table} lists no passages; add a row for each")
    for name, labels in found.items():
        for before, after in pairwise(sorted(labels["fake"] + labels["real"])):
            if before.end_seconds > after.start_seconds + 1e-6:
                raise InputError(
                    f"two passages of {name} in {table} overlap at {after.start_seconds:g} s; "
                    "correct their times"
                )
    return found


def overlap_seconds(spans: Sequence[Span], others: Sequence[Span]) -> float:
    """Return the time that both lists cover; the spans of one list don't overlap.

    >>> overlap_seconds([Span(0, 4), Span(6, 9)], [Span(3, 7)])
    2
    """
    return sum(
        max(0, min(end, other_end) - max(start, other_start))
        for start, end in spans
        for other_start, other_end in others
    )


def length_seconds(spans: Sequence[Span]) -> float:
    """Return the sum of the lengths."""
    return sum(span.end_seconds - span.start_seconds for span in spans)


def localisation_figures(recordings: Sequence[Localisation]) -> dict:
    """Compute the figures of all recordings.

    Returns:
        `recordings`; `fake_passages`, their number; `fake_seconds` and `real_seconds`;
        `found`: share of the fake passages of which FAKE passages cover at least half;
        `iou`: mean over the recordings with fakes of the time that is fake and called FAKE,
        divided by the time that is one of both; `segment_eer`: equal error rate of P(fake) in
        segments of 20 ms; `false_fake_passages`: FAKE passages that are real for more than half;
        `false_fake_per_hour`: these per hour of real speech; `real_called_fake`: share of the real
        time. None for a figure without data.
    """
    with_fakes = [r for r in recordings if r.fake]
    found = [
        overlap_seconds([span], r.called_fake) >= FOUND_SHARE * length_seconds([span])
        for r in with_fakes
        for span in r.fake
    ]
    false = sum(
        overlap_seconds([span], r.real) > length_seconds([span]) / 2
        for r in recordings
        for span in r.called_fake
    )
    real_seconds = sum(length_seconds(r.real) for r in recordings)
    real_called = sum(overlap_seconds(r.real, r.called_fake) for r in recordings)
    shares = [intersection_over_union(r) for r in with_fakes]
    return {
        "recordings": len(recordings),
        "fake_passages": len(found),
        "fake_seconds": sum(length_seconds(r.fake) for r in recordings),
        "real_seconds": real_seconds,
        "found": float(np.mean(found)) if found else None,
        "iou": float(np.mean(shares)) if shares else None,
        "segment_eer": segment_eer(recordings),
        "false_fake_passages": false,
        "false_fake_per_hour": false * HOUR_SECONDS / real_seconds if real_seconds else None,
        "real_called_fake": real_called / real_seconds if real_seconds else None,
    }


def intersection_over_union(recording: Localisation) -> float:
    """Return the overlap of true and detected fake time as a share of their union, 0 to 1."""
    both = overlap_seconds(recording.fake, recording.called_fake)
    either = length_seconds(recording.fake) + length_seconds(recording.called_fake) - both
    return both / either


def segment_eer(recordings: Sequence[Localisation]) -> float | None:
    """Return the EER over segments of 20 ms that are labelled and judged; None without both."""
    labels, scores = [], []
    for recording in recordings:
        times = np.arange(recording.edges[0], recording.edges[-1], SEGMENT_SECONDS)
        times = times + SEGMENT_SECONDS / 2
        place = np.searchsorted(recording.edges[1:-1], times, side="right")
        p_fake = recording.p_fake[place]
        is_real, is_fake = (_within(times, spans) for spans in (recording.real, recording.fake))
        counts = (is_real | is_fake) & ~np.isnan(p_fake)
        labels.append(is_real[counts])
        scores.append(-p_fake[counts])
    is_real, scores = np.concatenate(labels), np.concatenate(scores)
    if len(set(is_real.tolist())) < len(LABELS):
        return None
    return equal_error_rate(is_real.astype(int), scores).rate


def _within(times: np.ndarray, spans: Sequence[Span]) -> np.ndarray:
    """Return which times lie within one of the spans, bool."""
    inside_any = np.zeros(len(times), bool)
    for span in spans:
        inside_any |= (times >= span.start_seconds) & (times < span.end_seconds)
    return inside_any


def format_localisation(figures: Mapping) -> str:
    """Return the figures as a small table for people."""
    rows = [
        ("recordings", f"{figures['recordings']:,}"),
        ("real speech", f"{figures['real_seconds'] / 60:,.1f} min"),
        ("fake speech", f"{figures['fake_seconds'] / 60:,.1f} min"),
        ("fake passages", f"{figures['fake_passages']:,}"),
        ("found (at least half of it called FAKE)", format_or_dash(figures["found"], ".1%")),
        ("IoU (overlap of true and detected fake time)", format_or_dash(figures["iou"], ".2f")),
        ("segment EER (20 ms)", format_or_dash(figures["segment_eer"], ".1%")),
        ("false FAKE passages", f"{figures['false_fake_passages']:,}"),
        (
            "false FAKE passages per hour of real speech",
            format_or_dash(figures["false_fake_per_hour"], ".1f"),
        ),
        ("real time called FAKE", format_or_dash(figures["real_called_fake"], ".1%")),
    ]
    return "\n".join(f"{name:45}{value:>12}" for name, value in rows)
