"""The rules that make a verdict: which windows count, and when a recording is UNCERTAIN."""

import itertools
from collections.abc import Sequence

import numpy as np

from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.inference import parts
from deepfake_audio.inference.inputs import Input, Window
from deepfake_audio.inference.reasons import LONGER, ORIGINAL, Reason, describe_echo
from deepfake_audio.inference.recording_quality import mean_clipped_share
from deepfake_audio.models.calibration import Calibration, probability, verdict
from deepfake_audio.vocabulary import Verdict

PROMINENCE_THRESHOLD_DB = 5  # exceeded by 0.7% of 1,651 real recordings, most with mains hum
MIN_TELEPHONE_HZ = 2500  # a bandwidth above this may be that of a telephone


def with_telephones(settings: PredictSettings) -> PredictSettings:
    """Return settings for a calibration that knows how the bandwidth changes the score.

    The limit on echoes stays: a calibration on clips with echoes calls more real voices fake.
    """
    least_hz = min(settings.min_bandwidth_hz, MIN_TELEPHONE_HZ)
    return settings.model_copy(update={"min_bandwidth_hz": least_hz})


def usable_windows(windows: Sequence[Window], settings: PredictSettings) -> np.ndarray:
    """Return which windows have the bandwidth that the network needs, bool `(windows,)`."""
    return np.array(
        [w.bandwidth_hz is None or w.bandwidth_hz >= settings.min_bandwidth_hz for w in windows],
        bool,
    )


def mean_score(windows: Sequence[Window], usable: np.ndarray) -> float | None:
    """Return the mean score of the usable windows, or of all if none is; None without windows."""
    if not windows:
        return None
    scores = np.array([window.score for window in windows])
    return float(np.mean(scores[usable] if usable.any() else scores))


def find_doubt(
    found: Input,
    usable: np.ndarray,
    llr: float | None,
    degraded: np.ndarray | None,
    calibration: Calibration,
    settings: PredictSettings,
) -> Reason | None:
    """Return why a recording can't be judged with confidence; None if it can."""
    if found.is_silent or not found.windows:
        return Reason("silent", "no sound in it: check that it is the right file")
    if found.is_blank:
        return Reason("blank", "the image is blank: check that it is the right file")
    if not found.is_image and found.sound_seconds < settings.min_seconds:
        needed = f"at least {settings.min_seconds:g} are needed: {LONGER}"
        text = f"{found.sound_seconds:.2f} s of sound, {needed}"
        return Reason("too_short", text)
    clipped = mean_clipped_share(found.windows)
    if clipped > settings.max_clipped_share:
        return Reason("clipped", f"{clipped:.0%} of it is clipped: {ORIGINAL}")
    if calibration.says_nothing:
        return Reason("untrained", "the run cannot tell real from fake: train it longer")
    if not usable.any():
        highest_hz = max(window.bandwidth_hz for window in found.windows)
        end = ", as over a telephone" if highest_hz > MIN_TELEPHONE_HZ else ""
        return Reason("bandwidth", f"nothing above {highest_hz:,.0f} Hz{end}: {ORIGINAL}")
    echo = describe_echo(found.echo, settings)
    if echo and probability(llr, settings.prior_fake) < 0.5:
        # An echo can make a real voice look fake, but not a fake one real.
        return Reason("echo", f"{echo} may look like synthesis: {ORIGINAL}")
    answers = judge_parts(found.windows, usable, degraded, calibration, settings)
    if {Verdict.REAL, Verdict.FAKE} <= set(answers.values()):
        several = len({track for track, _ in answers}) > 1
        text = ", ".join(
            f"{parts.name_part(*part, several)} is {answers[part]}" for part in answers
        )
        option = "track" if several else "channel"
        return Reason(f"{option}s_disagree", f"{text}: judge each with --{option}")
    return None


def judge_parts(
    windows: Sequence[Window],
    usable: np.ndarray,
    degraded: np.ndarray | None,
    calibration: Calibration,
    settings: PredictSettings,
) -> dict[tuple[int, int], Verdict]:
    """Return the verdict on each track and channel that was judged by itself."""
    keys = [(window.track, window.channel) for window in windows]
    answers = {}
    for part in dict.fromkeys(itertools.compress(keys, usable)):
        within = usable & np.array([key == part for key in keys])
        score = mean_score(windows, within)
        p_real = float(calibration.probability_real(score, settings.prior_fake, degraded))
        answers[part] = verdict(p_real, settings.min_confidence)
    return answers


def frame_rate_hz(windows: Sequence[Window], rates_hz: Sequence[float]) -> float | None:
    """Return the vocoder frame rate with the highest prominence above the threshold, if any."""
    prominence_db = [w.prominence_db for w in windows if w.prominence_db is not None]
    if not prominence_db:
        return None
    mean_db = np.mean(prominence_db, axis=0)
    highest = int(np.argmax(mean_db))
    return rates_hz[highest] if mean_db[highest] > PROMINENCE_THRESHOLD_DB else None
