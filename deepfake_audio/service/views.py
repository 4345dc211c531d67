"""A result as the page shows it: words, passages, the curve, and a picture of the recording."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepfake_audio.audio.decoding import full_scale, read_blocks
from deepfake_audio.audio.findings import Findings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError
from deepfake_audio.inference.passages import Passage, most_fake
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.timelines import Timeline
from deepfake_audio.reporting import wording
from deepfake_audio.service.overview import ROWS, Overview

MAX_POINTS = 2000  # of the curve


def as_view(result: Result, path: Path, settings: Settings) -> dict:
    """Return a result for the page."""
    line, quality = result.timeline(), result.quality
    measures = wording.quality_measures(result)
    return {
        "headline": wording.headline(result),
        "confidence": wording.confidence_sentences(result, settings.predict),
        "reasons": wording.reasons(result),
        "steps": wording.next_steps(result),
        "measures": [measure._asdict() for measure in measures],
        "p_fake": result.p_fake,
        "passages": passages_of(line.passages if line else []),
        "spans": passages_of(most_fake(line.passages) if line else []),
        "curve": curve_of(line),
        "is_image": quality is None,
        "parts": parts_of(result),
        "overview": overview_of(result, path, settings) if quality else None,
    }


def passages_of(passages: Sequence[Passage]) -> list[dict]:
    """Return passages of a recording, with their shade as in `plotting.SHADES`."""
    return [
        {
            "start_seconds": passage.start_seconds, "end_seconds": passage.end_seconds,
            "verdict": str(passage.verdict), "confidence": passage.confidence,
            "p_fake": passage.p_fake, "shade": str(passage.shade), "label": passage.label,
            "part": wording.part_name(passage.part),
        }
        for passage in passages
    ]  # fmt: skip


def curve_of(line: Timeline | None) -> dict:
    """Return P(fake) of parts of the recording, None if a part is not judged, and their edges.

    A part of several windows has the highest P(fake) of these: short fake passages stay visible.
    """
    if line is None:
        return {"edges": [], "p_fake": []}
    every = -(-len(line.p_fake) // MAX_POINTS)
    firsts = np.arange(0, len(line.p_fake), every)
    edges = np.append(line.edges[firsts], line.edges[-1])
    highest = np.fmax.reduceat(line.p_fake, firsts)  # ignores NaN
    p_fake = [None if np.isnan(p) else round(float(p), 4) for p in highest]
    return {"edges": np.round(edges, 3).tolist(), "p_fake": p_fake}


def parts_of(result: Result) -> dict:
    """Return the tracks and channels of a recording that can be judged by themselves."""
    quality = result.quality
    if quality is None:
        return {"tracks": 1, "channels": 1, "differ": False, "sample_rate_hz": 0}
    return {
        "tracks": quality.tracks, "channels": quality.channels,
        "differ": quality.channels_differ, "sample_rate_hz": quality.sample_rate_hz,
    }  # fmt: skip


def overview_of(result: Result, path: Path, settings: Settings) -> dict | None:
    """Decode a recording once more for its picture; None if its track can't be decoded."""
    rate_hz, findings, overview = settings.audio.sample_rate_hz, Findings(), Overview()
    try:
        blocks = read_blocks(path, rate_hz, result.channel, findings, track=result.track or 1)
        for _, block in blocks:
            overview.add(block)
        overview.finish()
        scale = full_scale(path, findings)
    except InputError:
        return None
    peaks = np.round(np.clip(overview.peaks / scale, 0, 1) * 255).astype(np.uint8)
    levels = overview.levels()
    return {
        "seconds": round(overview.samples / rate_hz, 3),
        "column_seconds": overview.step / rate_hz,
        "max_hz": rate_hz / 2,
        "rows": ROWS,
        "columns": levels.shape[1],
        "peaks": _encode(peaks),
        "levels": _encode(levels),
    }


def _encode(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
