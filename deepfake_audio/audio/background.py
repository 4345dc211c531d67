"""Find a machine in the background: sound that pulses at a steady rate in the pauses of a voice."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deepfake_audio.audio.quality import GATED_DB

BAND_HZ = (1000, 7000)  # hum is lower
LEVELS_HZ = 2000  # levels a second, at least
FRAME_SECONDS = 0.05  # several pulses
PAUSE_SHARE, MIN_FRAMES = 0.15, 3  # the quietest frames of a window are pauses
RATES_HZ = (45, 260)  # of mains, lamps, motors and mobile phones; speech changes more slowly
FFT_POINTS = 8192  # of the levels of a window, at least: a rate every quarter of a hertz
NEAR_HZ = 3
MIN_DEPTH = 0.33  # 1 of 1,693 real clips and 8 of 1,463 fakes have more
MIN_AGREEING, RATE_TOLERANCE = 0.6, 0.04
TINY = np.finfo(np.float32).tiny


class Pulse(NamedTuple):
    """The strongest pulse in the pauses: its depth, and its rate."""

    depth: float
    rate_hz: float


def pause_pulse(samples: np.ndarray, sample_rate_hz: int) -> Pulse:
    """Find the strongest pulse in the quietest moments of a window without padding.

    The frames of a vocoder pulse weakly, and mostly in the voice. A machine, a lamp or a phone
    pulses strongly in the pauses, and the voice covers it. What pulses in the loud moments too, as
    a monotonous voice does, has less depth.

    Returns:
        The amplitude of the strongest line in the levels of these moments, less that of the loud
        moments, relative to the mean level. Noise has a depth of about 0.1; pulses have 0.4 to 1.5.
    """
    levels, levels_hz = _band_levels(samples, sample_rate_hz)
    if len(levels) < MIN_FRAMES:
        return Pulse(0.0, 0.0)
    powers = np.square(levels).mean(axis=1)
    heard = np.flatnonzero(powers > powers.max() * 10 ** (-GATED_DB / 10))
    order = heard[np.argsort(powers[heard])]
    quiet = _lines(levels, order[: max(MIN_FRAMES, int(PAUSE_SHARE * len(order)))])
    loud = _lines(levels, order[len(order) // 2 :])
    hz_per_line = levels_hz / _points(levels)
    first, last = (round(rate_hz / hz_per_line) for rate_hz in RATES_HZ)
    strongest, near = first + int(np.argmax(quiet[first:last])), round(NEAR_HZ / hz_per_line)
    in_voice = loud[strongest - near : strongest + near + 1].max()
    return Pulse(float(quiet[strongest] - in_voice), strongest * hz_per_line)


def _band_levels(samples: np.ndarray, sample_rate_hz: int) -> tuple[np.ndarray, float]:
    """Return the levels (RMS) above hum, `(frames, levels of a frame)`, and their rate."""
    from scipy import fft  # slow to import

    length = fft.next_fast_len(len(samples), real=True)
    spectrum, hz_per_bin = fft.rfft(samples, length), sample_rate_hz / length
    low, high = (round(limit / hz_per_bin) for limit in BAND_HZ)
    spectrum[:low] = spectrum[high:] = 0
    step, levels = sample_rate_hz // LEVELS_HZ, round(FRAME_SECONDS * LEVELS_HZ)
    frames = len(samples) // (step * levels)
    band = fft.irfft(spectrum, length)[: frames * levels * step]
    rms = np.sqrt(np.square(band).reshape(-1, step).mean(axis=1))
    return rms.reshape(frames, levels), sample_rate_hz / step


def _points(levels: np.ndarray) -> int:
    """Return how many points the transform of the levels has: more for a long window."""
    from scipy import fft

    return fft.next_fast_len(max(FFT_POINTS, levels.size), real=True)


def _lines(levels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the spectrum of some frames' levels, each divided by its mean: amplitudes."""
    from scipy import fft

    changes = np.zeros_like(levels)
    means = np.maximum(levels[chosen].mean(axis=1, keepdims=True), TINY)
    changes[chosen] = levels[chosen] / means - 1
    return np.abs(fft.rfft(changes.ravel(), _points(levels))) * 2 / max(1, changes[chosen].size)


def steady_pulse(pulses: Sequence[Pulse]) -> Pulse | None:
    """Return the pulse of a recording from those of its windows; None if it has none.

    The windows must agree on the rate; a single one has too few pauses to tell.
    """
    if len(pulses) < 2:
        return None
    rate_hz = max(pulses).rate_hz
    agree = [abs(pulse.rate_hz - rate_hz) < RATE_TOLERANCE * rate_hz for pulse in pulses]
    depth = float(np.median([pulse.depth for pulse in pulses]))
    return Pulse(depth, rate_hz) if depth > MIN_DEPTH and np.mean(agree) >= MIN_AGREEING else None
