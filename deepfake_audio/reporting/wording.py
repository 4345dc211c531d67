"""Say a verdict and the quality of a recording in words, for readers who are no engineers."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import NamedTuple

from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.detector import Result
from deepfake_audio.inference.reasons import MIN_DEGRADATION
from deepfake_audio.inference.recording_quality import Quality
from deepfake_audio.models.quality_correction import DEGRADATIONS
from deepfake_audio.vocabulary import Verdict, format_confidence

STRINGS = json.loads(files(__package__).joinpath("strings.json").read_text(encoding="utf-8"))
SLIGHT, STRONG = 0.1, MIN_DEGRADATION  # degradations, 0 to 1, at which the words change


class Measure(NamedTuple):
    """A measure of a recording: its name, its value and its meaning."""

    name: str
    value: str
    meaning: str


def headline(result: Result) -> str:
    """Return the verdict as a sentence."""
    if result.verdict == Verdict.FAKE:
        return "The program found traces of synthesis: the voice is probably fake."
    if result.verdict == Verdict.REAL:
        return (
            "The program found no traces of synthesis. This does not prove that the voice is real."
        )
    if result.doubt and result.doubt.code == "fake_passage":
        return "A part of this recording is probably fake; the rest shows no traces of synthesis."
    if result.p_real is None:
        return "The program cannot judge this recording."
    if any(note.code == "fake_passage" for note in result.notes):
        return "The program cannot decide on the whole, but a part is probably fake."
    side = "real" if result.p_real >= 0.5 else "fake"
    return f"The program cannot decide. The voice is rather {side}, but the evidence is too weak."


def confidence_sentence(result: Result, settings: PredictSettings) -> str:
    """Explain the confidence, or the lack of one."""
    if result.confidence is None:
        return "There is no confidence, because the sound does not allow a verdict on the whole."
    share = "half" if settings.prior_fake == 0.5 else f"{100 * settings.prior_fake:.3g}%"
    side = "real" if result.p_real >= 0.5 else "fake"
    return (
        f"Confidence that the voice is {side}: {format_confidence(result.confidence)}. It holds "
        f"for voices recorded like those of the calibration, if {share} of the recordings that you "
        "judge are fake."
    )


def next_steps(result: Result) -> list[str]:
    """Return what a reader can do with the verdict."""
    steps = []
    if result.verdict == Verdict.FAKE:
        steps.append("Treat the verdict as a hint. Look for independent evidence before you act.")
        steps.append(
            "Ask the alleged speaker, or compare with recordings of the voice known to be real."
        )
    elif result.verdict == Verdict.REAL:
        steps.append("Do not take the verdict as a proof: good synthesis can leave no traces.")
        steps.append("Check the source: who recorded it, when, and how did it reach you?")
    else:
        steps.append("Ask for the original file, not a copy from a messenger or a web page.")
        steps.append("Compare with other recordings of the same voice.")
    line = result.timeline()
    if line and len(line.passages) > 1:
        steps.append("Listen to the passages in the table below, especially those marked FAKE.")
    return steps


def quality_measures(quality: Quality | None) -> Iterator[Measure]:
    """Yield the measures of a recording with their meaning; nothing for an image."""
    if quality is None:
        return
    degraded = dict.fromkeys(DEGRADATIONS, 0.0)
    if quality.degraded is not None:
        degraded = dict(zip(DEGRADATIONS, quality.degraded.tolist(), strict=True))
    yield Measure(
        "Duration of the sound", f"{quality.sound_seconds:,.1f} s",
        _grade(degraded["shortness"], "enough", "short", "too little for clear evidence"),
    )  # fmt: skip
    yield Measure("Sample rate of the file", f"{quality.sample_rate_hz:,} Hz", "")
    differ = "each carries its own sound" if quality.channels_differ else "the same sound in each"
    yield Measure("Channels", f"{quality.channels}", differ if quality.channels > 1 else "")
    if quality.bandwidth_hz is not None:
        yield Measure(
            "Highest frequency", f"{quality.bandwidth_hz:,.0f} Hz",
            _grade(
                degraded["bandwidth"], "all that the program listens to",
                "some high frequencies are missing",
                "high frequencies are missing, as over a telephone",
            ),
        )  # fmt: skip
    if quality.snr_db is not None:
        noise = max(degraded["noise"], degraded["high_noise"] * (degraded["bandwidth"] < 1))
        yield Measure(
            "Loud over quiet moments", f"{quality.snr_db:.0f} dB",
            _grade(noise, "clear", "some noise, or a room", "noise or a room hides traces"),
        )  # fmt: skip
    if quality.texture_db is not None and degraded["bandwidth"] < 1:
        yield Measure(
            "Detail at 4 to 7 kHz", f"{quality.texture_db:.1f} dB",
            _grade(
                degraded["texture"], "kept", "slightly blurred", "blurred, as by strong compression"
            ),
        )  # fmt: skip
    if quality.echo:
        yield Measure(
            "Strongest echo", f"{quality.echo.gain:.0%} of the voice",
            _grade(degraded["echo"], "weak", "audible", "strong; it can look like synthesis"),
        )  # fmt: skip
    clipped = "none" if quality.clipped_share < 0.0005 else "overloaded"
    yield Measure("Samples at full scale", f"{quality.clipped_share:.1%}", clipped)
    if quality.skipped_seconds >= 0.05:
        lost = "damaged or missing: not judged"
        yield Measure("Lost sound", f"{quality.skipped_seconds:,.1f} s", lost)


def _grade(degradation: float, good: str, fair: str, poor: str) -> str:
    """Return the word for a degradation from 0 to 1."""
    return good if degradation < SLIGHT else fair if degradation < STRONG else poor
