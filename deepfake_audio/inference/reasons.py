"""Explain in words why a verdict is uncertain, and give notes on the recording."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_audio.audio.quality import TELEPHONE_HZ, Echo
from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.inference import parts, timelines
from deepfake_audio.inference.inputs import Input, Part, Window
from deepfake_audio.inference.recording_quality import MAX_TONE_SHARE, Quality
from deepfake_audio.models.quality_correction import DEGRADATIONS
from deepfake_audio.vocabulary import Verdict, format_answer, leaning

MIN_DEGRADATION = 0.4  # a weaker one is not given as the reason for an uncertain verdict
ORIGINAL = "ask for the original file"
LONGER = "ask for a longer recording"
OF_PARTS = {"channels_disagree", "tracks_disagree", "fake_passage"}  # doubts; parts have verdicts
MIN_TELEPHONE_HZ = TELEPHONE_HZ[0]
MAX_TELEPHONE_HZ = 4500  # a voice over a telephone ends below
HUM_HZ = (50, 100)  # of mains
# 90% of 63 clips have 7.3 to 14 with an echo of a tenth, 3.9 to 6.3 in rooms, 4.3 to 7.0 replayed.
MIN_ECHO_PROMINENCE = 6.5
WHYS_IGNORED = (
    "without a voice", "as over a telephone", "without high frequencies", "with a tone", "clipped",
)  # fmt: skip
BY_PRIOR = "the expected share of fakes (predict.prior_fake) lowers the confidence"
OTHERS, MANY_SECONDS = "compare with other recordings of this voice", 10


@dataclass(frozen=True)
class Reason:
    """A reason for the verdict UNCERTAIN, or a note about a verdict.

    Attributes:
        code: stable, for programs: `silent`, `blank`, `foreign_image`, `too_short`, `clipped`,
            `no_voice`, `untrained`, `bandwidth`, `echo`, `dropouts`, `codec`, `pulse`,
            `rumble`, `speed`, `channels_disagree`, `tracks_disagree`, `fake_passage`; or a note:
            `low_confidence`, `parts_differ`, `windows_ignored`, `frame_rate`, `channels_differ`,
            `echo_present`, `fake_passage`, `only_channel`, `tracks`, `left_out`, `damaged`,
            `after_end`, `too_quiet`, `scaled`.
        text: a sentence or part of one, for people.
    """

    code: str
    text: str


@dataclass(frozen=True)
class PartVerdict:
    """The verdict on a track or channel by itself.

    Attributes:
        part: which it is.
        verdict: REAL, FAKE or UNCERTAIN.
        confidence: 0.5 to 1; None if the part can't be judged.
        p_fake: probability of fake, 0 to 1; None if the part can't be judged.
    """

    part: Part
    verdict: Verdict
    confidence: float | None
    p_fake: float | None

    @property
    def leaning(self) -> str:
        """Return `rather fake` or `rather real` for an uncertain part; else an empty text."""
        return leaning(self.verdict, self.p_fake)


def describe_parts(answers: Sequence[PartVerdict]) -> str:
    """Name each part with its verdict."""
    return ", ".join(
        f"{one.part.name} is {format_answer(one.verdict, one.confidence, one.p_fake)}"
        for one in answers
    )


def kind_of_parts(answers: Sequence[PartVerdict]) -> str:
    """Return `track` if the parts belong to several tracks; else `channel`."""
    return "track" if len({one.part.track for one in answers}) > 1 else "channel"


def do_differ(answers: Sequence[PartVerdict]) -> bool:
    """Return whether the parts of a recording have several verdicts, or lean to both sides."""
    return len({(one.verdict, one.leaning) for one in answers}) > 1


def explain_answer(
    answer: Verdict,
    p_real: float | None,
    quality: Quality | None,
    answers: Sequence[PartVerdict],
    at_even_odds: Verdict,
) -> Iterator[Reason]:
    """Yield the likelier side of an UNCERTAIN recording, and the verdicts of differing parts."""
    if answer == Verdict.UNCERTAIN and p_real is not None:
        side = "real" if p_real >= 0.5 else "fake"
        is_of_sound = at_even_odds == Verdict.UNCERTAIN
        cause = explain_low_confidence(quality) if is_of_sound else f"{BY_PRIOR}: {OTHERS}"
        yield Reason("low_confidence", f"rather {side}; {cause}")
    if do_differ(answers):
        yield Reason("parts_differ", describe_parts(answers))


def find_notes(
    found: Input,
    usable: np.ndarray,
    answer: Verdict,
    doubt: Reason | None,
    rate_hz: float | None,
    passage: Reason | None,
    settings: PredictSettings,
) -> Iterator[Reason]:
    """Yield remarks about a recording; `passage` is the one about a fake passage."""
    if usable.any() and not usable.all():
        yield Reason("windows_ignored", describe_ignored(found, usable, settings))
    if rate_hz is not None and not (doubt and doubt.code in ("dropouts", "pulse")):
        has_echo = bool(describe_echo(found.echo, settings))
        yield Reason("frame_rate", describe_frame_rate(rate_hz, answer, has_echo))
    if found.channels_differ:
        text = f"{found.channels} channels that differ: --channel 1 judges one"
        yield Reason("channels_differ", text)
    for code, text in parts.describe_losses(found):
        yield Reason(code, text)
    has_passage = doubt is not None and doubt.code == "fake_passage"
    if (doubt is None or has_passage) and (echo := describe_echo(found.echo, settings)):
        yield Reason("echo_present", echo)
    if passage and not has_passage:
        yield passage


def describe_ignored(found: Input, usable: np.ndarray, settings: PredictSettings) -> str:
    """Return how many windows do not count, and why."""
    ignored = [window for window, counts in zip(found.windows, usable, strict=True) if not counts]
    present = {_why_ignored(window, settings) for window in ignored}
    whys = [why for why in WHYS_IGNORED if why in present]
    return f"{len(ignored)} of {len(usable)} windows left out, {' or '.join(whys)}"


def _why_ignored(window: Window, settings: PredictSettings) -> str:
    if window.bandwidth_hz < settings.min_bandwidth_hz:
        return WHYS_IGNORED[1 if window.bandwidth_hz > MIN_TELEPHONE_HZ else 2]
    if settings.min_voicing and window.tone_share > MAX_TONE_SHARE:
        return WHYS_IGNORED[3]
    return WHYS_IGNORED[4 if window.clipped_share > settings.max_clipped_share else 0]


def explain_low_confidence(quality: Quality | None) -> str:
    """Return the strongest degradation of a recording and the next step."""
    if quality is None or quality.degraded is None:
        return "the traces are weak: judge the recording, or a longer one"
    more = LONGER if quality.sound_seconds < MANY_SECONDS else OTHERS
    degraded = dict(zip(DEGRADATIONS, quality.degraded.tolist(), strict=True))
    full = 1 - degraded["bandwidth"]  # a band without sound has neither noise nor texture
    noise = max(degraded["noise"], degraded["high_noise"] * full)
    end = ", as over a telephone" if quality.bandwidth_hz < MAX_TELEPHONE_HZ else ""
    causes = [
        (degraded["bandwidth"], f"nothing above {quality.bandwidth_hz:,.0f} Hz{end}: {ORIGINAL}"),
        (noise, f"background noise or a room hides the traces: {ORIGINAL}"),
        (degraded["echo"], f"an echo or a room hides the traces: {ORIGINAL}"),
        (degraded["shortness"], f"only {quality.sound_seconds:.1f} s of sound: {LONGER}"),
        (degraded["texture"] * full, f"compression hides the traces: {ORIGINAL}"),
    ]
    strongest, text = max(causes, key=lambda cause: cause[0])
    return text if strongest >= MIN_DEGRADATION else f"the traces are weak: {more}"


def describe_frame_rate(rate_hz: float, answer: Verdict, has_echo: bool) -> str:
    """Describe the periodic traces of a vocoder; hum and echoes have the same at some rates."""
    times = f"{round(rate_hz, 2):g} times a second"
    if answer == Verdict.FAKE and not has_echo and rate_hz not in HUM_HZ:
        return f"it has the regular traces of a neural vocoder, {times}"
    return f"something repeats {times}: a vocoder, hum or an echo"


def why_not_judged(doubt: Reason | None) -> str:
    """Return why windows without a score are not judged, for the legend of a timeline."""
    if doubt is None or doubt.code in OF_PARTS:
        return "no voice, a tone, clipped, or no high frequencies"
    return doubt.text.partition(":")[0]


def find_fake_passage(
    line: timelines.Timeline | None, answer: Verdict, answers: Sequence[PartVerdict] = ()
) -> Reason | None:
    """Return how much is fake, and the first passage, unless one passage is the whole recording.

    Passages of parts that are FAKE on the whole, by their answers, do not count.
    """
    if line is None or len(line.passages) == 1:
        return None
    fake_parts = [one.part for one in answers if one.verdict == Verdict.FAKE]
    if answer == Verdict.FAKE and (answers or all(p.verdict == answer for p in line.passages)):
        return None
    text = timelines.describe_fakes(line, fake_parts)
    return Reason("fake_passage", text) if text else None


def describe_echo(echo: Echo | None, settings: PredictSettings) -> str:
    """Describe a distinct echo above `predict.max_echo`; else return an empty text.

    The dense reflections of a room do not make a real voice look fake: of 63 real clips at most one
    was FAKE in each of five rooms, but 11 to 60% with an echo of a tenth after 30 to 200 ms.
    """
    is_distinct = echo is not None and echo.prominence >= MIN_ECHO_PROMINENCE
    if not is_distinct or echo.gain <= settings.max_echo:
        return ""
    return f"an echo after {1000 * echo.seconds:.0f} ms"
