"""Results for programs: an object of JSON, or a row of a table, for each file.

`verdict.schema.json` beside this module describes the objects, and docs/json.md explains them.
"""

from dataclasses import asdict

from deepfake_audio import __version__
from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.errors import one_line
from deepfake_audio.inference.inputs import Failure
from deepfake_audio.inference.passages import passage_rows
from deepfake_audio.inference.reasons import PartVerdict
from deepfake_audio.inference.recording_quality import Quality
from deepfake_audio.inference.result import Result

FILE_PROPERTIES = ("codec", "duration_seconds", "sample_rate_hz", "channels", "tracks")
NOTES_WITH_COLUMN = {"windows_ignored", "frame_rate"}


def as_object(
    found: Result | Failure,
    model: dict[str, str],
    settings: PredictSettings,
    with_passages: bool,
) -> dict:
    """Return the object of one file; `to_json` makes a line of it.

    Args:
        found: the result, or why there is none.
        model: name and fingerprint of the run that judged.
        settings: that turned the probability into a verdict.
        with_passages: add the passages of a recording.
    """
    origin = {
        "file": found.name,
        "product": {"name": "deepfake-audio", "version": __version__},
        "model": model,
    }
    if isinstance(found, Failure):
        error = {"code": found.code, "text": one_line(found.error)}
        return {"verdict": None, "confidence": None, **origin, "error": error}
    content = as_row(found) | file_properties(found.quality) | origin
    content["settings"] = {
        "prior_fake": settings.prior_fake,
        "min_confidence": settings.min_confidence,
    }
    content |= {"channel": found.channel, "track": found.track}
    content["parts"] = [part_row(answer) for answer in found.parts]
    content["reasons"] = [asdict(reason) for reason in found.reasons]
    if with_passages:
        line = found.timeline()
        content["passages"] = passage_rows(line.passages) if line else []
    return content | {"error": None}


def part_row(answer: PartVerdict) -> dict:
    """Return the verdict on a track or channel."""
    return answer.part._asdict() | {
        "verdict": str(answer.verdict),
        "confidence": rounded(answer.confidence),
        "p_fake": rounded(answer.p_fake),
    }


def file_properties(quality: Quality | None) -> dict:
    """Return the properties of a recording's file; None for an image."""
    if quality is None:
        return dict.fromkeys(FILE_PROPERTIES) | {"kind": "image"}
    content = {name: getattr(quality, name) for name in FILE_PROPERTIES}
    content["duration_seconds"] = round(quality.duration_seconds, 4)
    return content | {"kind": "recording", "codec": quality.codec or None}


def as_row(result: Result | Failure) -> dict:
    """Return a result, or why there is none, as a row of the table."""
    if isinstance(result, Failure):
        return {"file": result.name, "error": result.error}
    windows = len(result.windows)
    usable = int(result.usable.sum())
    return {
        "verdict": str(result.verdict),
        "confidence": rounded(result.confidence),
        "p_real": rounded(result.p_real),
        "score": rounded(result.score),
        "llr": rounded(result.llr),
        "windows": usable,
        "windows_left_out": windows - usable,
        "frame_rate_hz": result.frame_rate_hz,
        **quality_columns(result.quality),
        "warning": result.doubt.text if result.doubt else "",
        "note": "; ".join(note.text for note in result.notes if note.code not in NOTES_WITH_COLUMN),
        "run": result.run,
        "file": result.name,
    }


def quality_columns(quality: Quality | None) -> dict[str, float | None]:
    """Return the measures of a recording; None for an image."""
    measured = ("sound_seconds", "bandwidth_hz", "snr_db", "high_snr_db", "texture_db")
    values = {name: getattr(quality, name, None) for name in measured}
    values["echo_gain"] = quality.echo.gain if quality and quality.echo else None
    values |= {name: getattr(quality, name, None) for name in ("clipped_share", "skipped_seconds")}
    return {name: None if value is None else round(value, 4) for name, value in values.items()}


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
