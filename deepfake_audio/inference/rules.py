"""The rules that make a verdict: which windows count, and when a recording is UNCERTAIN."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepfake_audio.audio.background import steady_pulse
from deepfake_audio.audio.quality import Echo
from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.inference.inputs import Input, Part, Window
from deepfake_audio.inference.reasons import (
    LONGER,
    MIN_TELEPHONE_HZ,
    ORIGINAL,
    OTHERS,
    PartVerdict,
    Reason,
    describe_echo,
    describe_parts,
    kind_of_parts,
)
from deepfake_audio.inference.recording_quality import (
    MAX_TONE_SHARE,
    mean_clipped_share,
    quality_of,
)
from deepfake_audio.models.calibration import Calibration, verdict
from deepfake_audio.models.quality_correction import DEGRADATIONS
from deepfake_audio.vocabulary import Verdict

PROMINENCE_THRESHOLD_DB = 5  # exceeded by 0.7% of 1,651 real recordings, most with mains hum
MIN_CHANGE_DB = 3  # of `snr_db`; a voice 10 dB below white noise has 3.7, hum up to 2
MAX_CLIPPED_WINDOWS = 0.25  # of the usable ones; if more are clipped, the voice is
MAX_PEAK_SHARE = 0.05  # near the peaks; see `peak_share`
MAX_LOST_SHARE = 0.005  # no clip of the bench has a lost packet
MAX_LOW_SHARE = 0.4  # of power below 50 Hz; 1 of 356 clips has more than 0.2
# Codecs that leave real voices real: lossless, of the calibration, or tried. Others may add noise,
# as ADPCM, or be vocoders themselves: 15 of 20 clear real voices are FAKE through RealAudio 14.4.
USUAL_CODECS = (
    "pcm_", "flac", "alac", "ape", "tta", "wavpack", "shorten", "tak", "mp4als", "wmalossless",
    "mlp", "truehd", "dsd", "mp1", "mp2", "mp3", "aac", "ac3", "eac3", "dts", "vorbis", "opus",
    "wmav1", "wmav2", "wmapro", "amr_", "gsm", "aptx",
)  # fmt: skip
LAW_RATE_HZ = 8000  # the rate of A-law and mu-law over telephones


def with_telephones(settings: PredictSettings) -> PredictSettings:
    """Return settings for a calibration that knows how the bandwidth changes the score.

    The limit on echoes stays: a calibration on clips with echoes calls more real voices fake.
    """
    least_hz = min(settings.min_bandwidth_hz, MIN_TELEPHONE_HZ)
    return settings.model_copy(update={"min_bandwidth_hz": least_hz})


def usable_windows(windows: Sequence[Window], settings: PredictSettings) -> np.ndarray:
    """Return which windows have the bandwidth that the network needs, and a voice if any has one.

    Windows with a beep or a ring do not count if others remain; nor do clipped windows, as of a
    knock or the wind, if they are few.

    Returns:
        bool `(windows,)`.
    """
    hertz = [np.inf if w.bandwidth_hz is None else w.bandwidth_hz for w in windows]
    voicings = [np.inf if w.voicing is None else w.voicing for w in windows]
    is_wide = np.array(hertz) >= settings.min_bandwidth_hz
    is_voiced = is_wide & (np.array(voicings) >= settings.min_voicing)
    usable = is_voiced if is_voiced.any() else is_wide
    has_tone = np.array([window.tone_share for window in windows]) > MAX_TONE_SHARE
    if settings.min_voicing and (usable & ~has_tone).any():
        usable = usable & ~has_tone
    clipped = np.array([window.clipped_share for window in windows])
    is_clipped = usable & (clipped > settings.max_clipped_share)
    are_few = 0 < is_clipped.sum() <= MAX_CLIPPED_WINDOWS * usable.sum()
    if are_few and clipped[usable].mean() > settings.max_clipped_share:
        return usable & ~is_clipped
    return usable


def mean_score(windows: Sequence[Window], usable: np.ndarray) -> float | None:
    """Return the mean score of the usable windows, or of all if none is; None without windows."""
    heard = heard_windows(windows, usable)
    return float(np.mean([window.score for window in heard])) if heard else None


def heard_windows(windows: Sequence[Window], usable: np.ndarray) -> Sequence[Window]:
    """Return the usable windows, or all if none is."""
    return [w for w, counts in zip(windows, usable, strict=True) if counts] or windows


def find_doubt(
    found: Input,
    usable: np.ndarray,
    score: float | None,
    degraded: np.ndarray | None,
    calibration: Calibration,
    settings: PredictSettings,
    answers: Sequence[PartVerdict],
) -> Reason | None:
    """Return why a recording can't be judged with confidence; None if it can.

    Args:
        score: of the recording, before calibration.
        degraded: of the recording; see `Quality.degraded`.
        answers: of its parts; see `judge_parts`.
    """
    if found.is_silent or not found.windows:
        return Reason("silent", "no sound in it: check that it is the right file")
    if found.is_blank:
        return Reason("blank", "the image is blank: check that it is the right file")
    if found.is_foreign:
        text = "prepare.py renders other sizes or colours for this run: give the recording"
        return Reason("foreign_image", text)
    if not found.is_image and found.loud_seconds < settings.min_seconds:
        needed = f"at least {settings.min_seconds:g} are needed: {LONGER}"
        return Reason("too_short", f"{found.loud_seconds:.2f} s of sound, {needed}")
    heard = heard_windows(found.windows, usable)
    if (clipped := mean_clipped_share(heard)) > settings.max_clipped_share:
        return Reason("clipped", f"{clipped:.0%} of it is clipped: {ORIGINAL}")
    if _has_no_voice(found.windows, settings):
        return Reason("no_voice", "no voice found in it: check that it is the right file")
    peaks = np.mean([window.peak_share for window in heard])
    if settings.min_voicing and peaks > MAX_PEAK_SHARE:  # of a run that expects voices
        return Reason("clipped", f"its peaks are cut off, or it is a tone: {ORIGINAL}")
    if calibration.says_nothing:
        return Reason("untrained", "the run cannot tell real from fake: train it longer")
    if not usable.any():
        highest_hz = max(window.bandwidth_hz for window in found.windows)
        end = ", as over a telephone" if highest_hz > MIN_TELEPHONE_HZ else ""
        return Reason("bandwidth", f"nothing above {highest_hz:,.0f} Hz{end}: {ORIGINAL}")
    p_real = float(calibration.probability_real(score, settings.prior_fake, degraded))
    is_fake, is_real = p_real < 0.5, p_real >= settings.min_confidence
    doubt = _find_look_alike(found, heard) if is_fake else _find_hidden(found, heard, is_real)
    if settings.min_voicing and doubt:
        return doubt
    if doubt := _find_echo(found.echo, is_fake or score < 0, degraded, calibration, settings):
        return doubt
    if {Verdict.REAL, Verdict.FAKE} <= {one.verdict for one in answers}:
        kind = kind_of_parts(answers)
        return Reason(f"{kind}s_disagree", f"{describe_parts(answers)}: judge each with --{kind}")
    return None


def _find_echo(
    echo: Echo | None,
    is_fake: bool,
    degraded: np.ndarray | None,
    calibration: Calibration,
    settings: PredictSettings,
) -> Reason | None:
    """Return the doubt about an echo that makes a real voice look fake, or hides all traces."""
    if is_fake and (described := describe_echo(echo, settings)):
        return Reason("echo", f"{described} may look like synthesis: {ORIGINAL}")
    if echo and echo.gain > DEGRADATIONS["echo"][0] and _hides_fakes(degraded, calibration):
        return Reason("echo", f"an echo or a room hides the traces of a fake: {ORIGINAL}")
    return None


def _find_look_alike(found: Input, heard: Sequence[Window]) -> Reason | None:
    """Return what makes a real voice look fake, but not a fake one real."""
    lost = float(np.mean([window.lost_share for window in heard]))
    if lost > MAX_LOST_SHARE:
        text = f"{lost:.1%} of it are gaps or repeats, as of lost packets, which may look like"
        return Reason("dropouts", f"{text} synthesis: {ORIGINAL}")
    is_wide_law = found.sample_rate_hz > LAW_RATE_HZ and found.codec.endswith(("alaw", "mulaw"))
    if is_wide_law or not (found.codec or "pcm_").startswith(USUAL_CODECS):
        text = f"its codec ({found.codec}) adds noise that may look like synthesis"
        return Reason("codec", f"{text}: {ORIGINAL}")
    if pulse := steady_pulse([window.pulse for window in heard if window.pulse]):
        text = f"a buzz in the pauses, {pulse.rate_hz:.0f} times a second, may look like synthesis"
        return Reason("pulse", f"{text}: {OTHERS}")
    return None


def _find_hidden(found: Input, heard: Sequence[Window], is_real: bool) -> Reason | None:
    """Return what hides a fake: a rumble beside its traces, or a speed that moves them."""
    if np.mean([window.low_share for window in heard]) > MAX_LOW_SHARE:
        return Reason("rumble", f"a rumble below 50 Hz hides the traces: {ORIGINAL}")
    if is_real and found.odd_rate_hz:
        times = f"something repeats {found.odd_rate_hz:.2f} times a second"
        return Reason("speed", f"{times}, as a machine or a fake at another speed: {ORIGINAL}")
    return None


def _hides_fakes(degraded: np.ndarray | None, calibration: Calibration) -> bool:
    """Return whether a calibrated recording of this quality would be real whatever its score."""
    quality = calibration.quality
    return quality is not None and degraded is not None and quality.hides_fakes(degraded)


def _has_no_voice(windows: Sequence[Window], settings: PredictSettings) -> bool:
    """Return whether no window is as periodic as vowels are, or all are as steady as hum."""
    measured = [window for window in windows if window.voicing is not None]
    if not measured or not settings.min_voicing:
        return False
    is_steady = max(window.clarity.snr_db for window in measured) < MIN_CHANGE_DB
    return is_steady or max(window.voicing for window in measured) < settings.min_voicing


def judge_parts(
    parts: Mapping[Part, Input], calibration: Calibration, settings: PredictSettings
) -> tuple[PartVerdict, ...]:
    """Return the verdict on each part of a recording by itself; nothing if it has only one."""
    answers = []
    for part, found in parts.items() if len(parts) > 1 else ():
        usable = usable_windows(found.windows, settings)
        score, degraded = mean_score(found.windows, usable), quality_of(found).degraded
        if (
            not usable.any()
            or _has_no_voice(found.windows, settings)
            or _hides_fakes(degraded, calibration)
        ):
            answers.append(PartVerdict(part, Verdict.UNCERTAIN, None, None))
            continue
        p_real = float(calibration.probability_real(score, settings.prior_fake, degraded))
        answer = verdict(p_real, settings.min_confidence)
        answers.append(PartVerdict(part, answer, max(p_real, 1 - p_real), 1 - p_real))
    return tuple(answers)


def frame_rate_hz(windows: Sequence[Window], rates_hz: Sequence[float]) -> float | None:
    """Return the vocoder frame rate with the highest prominence above the threshold, if any."""
    prominence_db = [w.prominence_db for w in windows if w.prominence_db is not None]
    if not prominence_db:
        return None
    mean_db = np.mean(prominence_db, axis=0)
    highest = int(np.argmax(mean_db))
    return rates_hz[highest] if mean_db[highest] > PROMINENCE_THRESHOLD_DB else None
