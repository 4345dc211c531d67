"""Say a verdict and the quality of a recording in words, for readers who are no engineers."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import NamedTuple

from deepfake_audio.audio.findings import MIN_SKIPPED_SECONDS
from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.inference.inputs import Part
from deepfake_audio.inference.passages import Passage
from deepfake_audio.inference.reasons import (
    MIN_DEGRADATION,
    PartVerdict,
    Reason,
    do_differ,
    kind_of_parts,
)
from deepfake_audio.inference.recording_quality import Quality
from deepfake_audio.inference.result import Result
from deepfake_audio.models.quality_correction import DEGRADATIONS
from deepfake_audio.vocabulary import MAX_SHOWN_CONFIDENCE, Verdict

# all texts of the page and of the report in English; translate this file
STRINGS = json.loads(files(__package__).joinpath("strings.json").read_text(encoding="utf-8"))
SLIGHT, STRONG = 0.1, MIN_DEGRADATION  # degradations, 0 to 1, at which the words change
CLIPPED_POOR = 0.005  # share of samples, the degradation 1
OF_COMMANDS = re.compile(r":[^:]*--\w.*$")  # how a reason ends on the command line
SPECIAL_STEPS = {
    "silent": "silent", "blank": "blank", "no_voice": "no_voice", "untrained": "untrained",
    "channels_disagree": "parts", "tracks_disagree": "parts", "fake_passage": "fake_passage",
}  # fmt: skip


class Measure(NamedTuple):
    """A measure of a recording.

    Attributes:
        name: in words.
        value: with its unit.
        meaning: in words; empty if it says nothing about the traces.
        grade: `good`, `fair`, `poor`, or empty.
    """

    name: str
    value: str
    meaning: str = ""
    grade: str = ""


def text(key: str, **values: object) -> str:
    """Return a text of `strings.json`, with values in the place of names in braces.

    >>> text("passages.play", time="0:03.5")
    'Listen from 0:03.5'
    """
    found = STRINGS
    for name in key.split("."):
        found = found[name]
    return found.format(**values)


def number(value: float, digits: int = 0) -> str:
    """Return a number with the separators of the language.

    >>> number(12345.678, 1)
    '12,345.7'
    """
    separators = {",": STRINGS["thousands_separator"], ".": STRINGS["decimal_point"]}
    return f"{value:,.{digits}f}".translate(str.maketrans(separators))


def percent(confidence: float) -> str:
    """Return a confidence for people, at most 99.9%."""
    return f"{number(100 * min(confidence, MAX_SHOWN_CONFIDENCE), 1)}%"


def answer(judged: Passage | PartVerdict) -> str:
    """Return the verdict on a passage or part with its confidence."""
    if judged.confidence is None:
        return text("badge.not judged")
    badge, shown = text(f"badge.{judged.verdict}"), percent(judged.confidence)
    side = [text(f"leaning.{judged.leaning.removeprefix('rather ')}")] if judged.leaning else []
    return ", ".join([f"{badge} {shown}", *side])


def part_name(part: Part) -> str:
    """Return the name of a track, of a channel, or of both; empty for a whole recording."""
    named = (("track", part.track), ("channel", part.channel))
    return ", ".join(text(f"parts.{kind}", number=which) for kind, which in named if which)


def part_verdicts(result: Result) -> str:
    """Return the verdict on each channel or track if they differ; else an empty text."""
    if not do_differ(result.parts):
        return ""
    return "; ".join(f"{part_name(one.part)}: {answer(one)}" for one in result.parts)


def headline(result: Result) -> str:
    """Return the verdict as a sentence."""
    fakes = sum(one.verdict == Verdict.FAKE for one in result.parts)
    if 0 < fakes < len(result.parts):
        return text(f"verdict.fake_{kind_of_parts(result.parts)}")
    if result.verdict != Verdict.UNCERTAIN:
        return text(f"verdict.{result.verdict}")
    if any(reason.code == "fake_passage" for reason in result.reasons):
        return text("verdict.fake_passage")
    if result.p_real is None:
        return text("verdict.UNCERTAIN")
    return text("verdict.rather_real" if result.p_real >= 0.5 else "verdict.rather_fake")


def confidence_sentences(result: Result, settings: PredictSettings) -> list[str]:
    """Return the confidence and its meaning, or that there is none."""
    if result.confidence is None:
        return [text("confidence.none")]
    side = "real" if result.p_real >= 0.5 else "fake"
    prior = settings.prior_fake
    count = min(round(100 * result.confidence), 99)
    share = text("confidence.half") if prior == 0.5 else f"{100 * prior:.3g}%"
    of_mean = [text("confidence.mean")] if do_differ(result.parts) else []
    return [
        text(f"confidence.{side}", percent=percent(result.confidence)),
        text("confidence.meaning", count=count, share=share),
        *of_mean,
    ]


def reasons(result: Result) -> list[str]:
    """Return why a recording has its verdict, and what else is known of it, as sentences."""
    is_certain = result.verdict != Verdict.UNCERTAIN
    first = [text(f"reasons.{result.verdict}")] if is_certain else []
    return first + [_as_sentence(_reason(reason, result)) for reason in result.reasons]


def _reason(reason: Reason, result: Result) -> str:
    is_part = result.channel or result.track
    if reason.code in ("channels_differ", "tracks") and result.quality and not is_part:
        quality = result.quality
        return text(f"reasons.{reason.code}", channels=quality.channels, tracks=quality.tracks)
    if reason.code in ("channels_disagree", "tracks_disagree", "parts_differ"):
        return part_verdicts(result)
    if reason.code == "low_confidence":  # the headline has the likelier class
        return reason.text.partition("; ")[2]
    return OF_COMMANDS.sub("", reason.text)


def _as_sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def next_steps(result: Result) -> list[str]:
    """Return what a reader can do with the verdict."""
    special = [SPECIAL_STEPS[r.code] for r in result.reasons if r.code in SPECIAL_STEPS]
    return STRINGS["next"][special[0] if special else str(result.verdict)]


def quality_measures(result: Result) -> Iterator[Measure]:
    """Yield the measures of a recording with their meaning; nothing for an image."""
    quality = result.quality
    if quality is None:
        return
    degraded = dict.fromkeys(DEGRADATIONS)  # unknown without sound
    if quality.degraded is not None:
        degraded = dict(zip(DEGRADATIONS, quality.degraded.tolist(), strict=True))
    yield _measure("sound", number(quality.sound_seconds, 1), degraded["shortness"])
    yield _measure("rate", number(quality.sample_rate_hz))
    yield _channels(quality, result.channel)
    if quality.bandwidth_hz is not None:
        yield _measure("bandwidth", number(quality.bandwidth_hz), degraded["bandwidth"])
    if quality.snr_db is not None:
        yield _measure("noise", number(quality.snr_db), degraded["noise"])
    if quality.high_snr_db is not None and (degraded["bandwidth"] or 0) < 0.5:
        yield _measure("high_noise", number(quality.high_snr_db), degraded["high_noise"])
    if quality.texture_db is not None and (degraded["bandwidth"] or 0) < 1:
        yield _measure("texture", number(quality.texture_db, 1), degraded["texture"])
    if quality.echo:
        yield _measure("echo", number(100 * quality.echo.gain), degraded["echo"])
    clipped = quality.clipped_share
    yield _measure("clipping", number(100 * clipped, 2), clipped / CLIPPED_POOR)
    if quality.skipped_seconds >= MIN_SKIPPED_SECONDS:
        yield _measure("skipped", number(quality.skipped_seconds, 1), 1.0)


def _channels(quality: Quality, only: int | None) -> Measure:
    """Return the number of channels, and whether they differ unless only one was judged."""
    channels = _measure("channels", number(quality.channels))
    if quality.channels == 1:
        return channels
    if only:
        return channels._replace(meaning=text("report.only_channel", number=only))
    meaning = "differ" if quality.channels_differ else "same"
    return channels._replace(meaning=text(f"quality.channels.{meaning}"))


def _measure(key: str, value: str, degradation: float | None = None) -> Measure:
    """Return a measure, with the word for its degradation from 0 to 1 if it is known."""
    named = Measure(text(f"quality.{key}.name"), text(f"quality.{key}.value", value=value))
    if degradation is None:
        return named
    grade = "good" if degradation < SLIGHT else "fair" if degradation < STRONG else "poor"
    return named._replace(meaning=text(f"quality.{key}.{grade}"), grade=grade)
