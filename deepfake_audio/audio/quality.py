"""What says nothing of the voice: level, bandwidth, silence, clipping, echo."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from deepfake_audio.audio.windows import FRAME_SECONDS, frame_length, frame_powers

SILENCE_DB = 40
BANDWIDTH_DB = 60
SPECTRUM_FRAMES = 64
EDGE_BINS = 2  # what lies at half the sample rate leaks into the one below
VOICE_HZ = 150  # a voice is louder somewhere above; the lowest is well above what offsets leak to
FULL_SCALE = 0.999
ECHO_SECONDS = (0.01, 0.5)
PITCH_SECONDS = 0.03  # a steady pitch looks like an echo that comes sooner, of at most
PITCH_GAIN = 2  # times what is taken for an echo later: of 120 real clips 99% show 0.11, later 0.06
LAGS_PER_SAMPLE = 2  # an echo that comes between two samples would look weaker than it is
LOG_FLOOR = 1e-9  # of the loudest frequency's power


class Echo(NamedTuple):
    """The strongest echo of a recording: its amplitude, the voice's being 1, and how late it is."""

    gain: float
    seconds: float


def measure_quality(samples: np.ndarray, sample_rate_hz: int) -> dict[str, float]:
    """Measure what says nothing about the voice.

    Args:
        samples: float `(samples,)`, full scale 1. Of a long recording the first minute will do for
            level, bandwidth and clipping; its `edge_silences` need all.
        sample_rate_hz: their rate.

    Returns:
        Seconds of sound and of silence at either edge (40 dB below the loudest 10 ms), RMS level in
        dBFS to 0.1 dB, the highest frequency within 60 dB of the loudest one on average, and the
        share of samples at full scale.
    """
    frame_samples = frame_length(sample_rate_hz)
    frames = np.resize(samples, max(1, len(samples) // frame_samples) * frame_samples)
    return {
        "duration": len(samples) / sample_rate_hz,
        "level": round(float(10 * np.log10(np.dot(samples, samples) / len(samples) + 1e-12)), 1),
        "bandwidth": bandwidth_hz(samples, sample_rate_hz),
        **edge_silences(frame_powers(frames, frame_samples)),
        "clipping": clipped_share(samples),
    }


def edge_silences(powers: np.ndarray) -> dict[str, float]:
    """Return the seconds at either edge that are 40 dB below the loudest 10 ms.

    Args:
        powers: mean square of each 10 ms, `(frames,)`.
    """
    powers = powers + 1e-12
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (-SILENCE_DB / 10))
    return {
        "leading silence": float(loud[0] * FRAME_SECONDS),
        "trailing silence": float((len(powers) - 1 - loud[-1]) * FRAME_SECONDS),
    }


def bandwidth_hz(samples: np.ndarray, sample_rate_hz: int) -> float:
    """Return the highest frequency that is within 60 dB of the loudest one on average, in Hz.

    What lies below 150 Hz is not the loudest: an offset or a hum may be louder than the voice. What
    lies at half the sample rate counts as nothing: resampling leaves a trace there.
    """
    spectrum = average_spectrum(samples)
    hz_per_bin = sample_rate_hz / 2 / (len(spectrum) - 1)
    spectrum = spectrum[:-EDGE_BINS]
    loudest = spectrum[int(np.ceil(VOICE_HZ / hz_per_bin)) :].max()
    within = np.flatnonzero(spectrum >= loudest * 10 ** (-BANDWIDTH_DB / 10))
    return float(within[-1] * hz_per_bin)


def clipped_share(samples: np.ndarray) -> float:
    """Return the share of samples at full scale, 0 to 1."""
    return float((np.abs(samples) >= FULL_SCALE).mean())


def echo_cepstrum(samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Compute the cepstrum in which an echo is a peak as high as its amplitude, at its delay.

    A voice and its echo, `x[t] + g * x[t - d]`, have `2 * g * cos(2 * pi * f * d)` added to their
    log power spectrum, for small g (Bogert, Healy and Tukey: "The Quefrency Alanysis of Time Series
    for Echoes", 1963). A taper keeps the spectrum's shape from leaking. Cepstra of several windows
    of a recording may be averaged: what the voice leaves is elsewhere in each, the echo is not.

    Args:
        samples: float32 `(samples,)` of one window.
        sample_rate_hz: their rate.

    Returns:
        float32 `(lags,)`, two a sample, up to half a second.
    """
    from scipy import fft  # slow to import, and not everyone needs a spectrum

    longest = round(ECHO_SECONDS[1] * sample_rate_hz)
    length = fft.next_fast_len(len(samples) + longest, real=True)
    power = np.square(np.abs(fft.rfft(samples, length)))
    level = np.log(power + LOG_FLOOR * power.max() + np.finfo(np.float32).tiny)
    cepstrum = fft.irfft((level - level.mean()) * _taper(len(level)), LAGS_PER_SAMPLE * length)
    return LAGS_PER_SAMPLE * cepstrum[: LAGS_PER_SAMPLE * longest]


@lru_cache(maxsize=8)
def _taper(bins: int) -> np.ndarray:
    """Return a Hann window with a mean of 1: float32 `(bins,)`."""
    taper = np.hanning(bins).astype(np.float32)
    return taper / taper.mean()


def strongest_echo(cepstrum: np.ndarray, sample_rate_hz: int) -> Echo:
    """Return the strongest echo that a cepstrum shows.

    Args:
        cepstrum: `(lags,)` of `echo_cepstrum`, or the mean of several.
        sample_rate_hz: of the samples that it was computed from.

    Returns:
        Of what comes within 30 ms, half the gain: the pitch of a steady voice may look like that.
    """
    gains, lags_per_second = np.abs(cepstrum), LAGS_PER_SAMPLE * sample_rate_hz
    gains[: round(PITCH_SECONDS * lags_per_second)] /= PITCH_GAIN
    first = round(ECHO_SECONDS[0] * lags_per_second)
    lag = first + int(np.argmax(gains[first:]))
    return Echo(float(gains[lag]), lag / lags_per_second)


def average_spectrum(samples: np.ndarray, frame_samples: int = 512) -> np.ndarray:
    """Return the mean power of each FFT bin over evenly spread frames: `(frame_samples // 2 + 1,)`.

    So many frames tell a band limit as well as all would, at a fixed cost for files of any length.
    """
    from scipy import fft  # slow to import, and not everyone needs a spectrum

    padded = np.pad(samples, (0, max(0, frame_samples - len(samples))))
    starts = np.linspace(0, len(padded) - frame_samples, SPECTRUM_FRAMES).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[starts]
    spectra = fft.rfft(frames * np.hanning(frame_samples).astype(samples.dtype), axis=1)
    return np.square(np.abs(spectra)).mean(axis=0) + 1e-20
