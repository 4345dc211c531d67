"""A result as numbers and texts for programs: a row of a table."""

from deepfake_audio.detector import Result
from deepfake_audio.inference.recording_quality import Quality

# Other notes have a column.
NOTES_IN_TABLE = {
    "channels_differ", "echo_present", "fake_passage", "tracks", "left_out", "damaged", "scaled",
}  # fmt: skip


def as_row(result: Result) -> dict:
    """Return a result as a JSON object or a row of the table."""
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
        "note": "; ".join(note.text for note in result.notes if note.code in NOTES_IN_TABLE),
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
