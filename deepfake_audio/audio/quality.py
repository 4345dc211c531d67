"""Measure the quality of a recording: level, bandwidth, silence, clipping, echo."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from deepfake_audio.audio.recordings import (
    FRAME_SECONDS,
    frame_length,
    frame_powers,
    stretches_of,
)

SILENCE_DB = 40
BANDWIDTH_DB = 60
SPECTRUM_FRAMES = 64
TELEPHONE_HZ = (2500, 4000)  # where the band of a telephone ends
CLICK_FRAMES, CLICK_RATIO = 3, 1.2  # 0 of 934 windows of ordinary clips end so much lower there
POWER_FLOOR = 1e-20
EDGE_BINS = 2  # power at half the sample rate leaks into the bin below
VOICE_HZ = 150  # every voice is louder somewhere above; an offset leaks to below this
RUMBLE_HZ = 50
FULL_SCALE = 0.999
NEAR_PEAK = 0.7
TONE_BINS = 4  # on each side of the peak; a dial tone or a ring is two tones
TONE_POWER, MIN_TONE_HZ, MIN_TONE_SECONDS = 0.95, 340, 0.2  # 0 of 500 clips have one
ECHO_SECONDS = (0.01, 0.5)
ROOM_SECONDS = 0.1  # within which most reflections of a room arrive
SMALLEST = 1e-9  # added to a gain, so that silence does not divide by 0
PITCH_SECONDS = 0.03  # a steady pitch looks like an echo with a shorter delay, and so stronger:
PITCH_GAIN = 2  # 99% of 120 real clips show gains up to 0.11 there, and up to 0.06 later
LAGS_PER_SAMPLE = 2  # with 1, an echo between two samples would look too weak
LOG_FLOOR = 1e-9  # relative to the loudest frequency's power
CLARITY_FRAME_SECONDS = 0.032
LOUD_PERCENTILE, QUIET_PERCENTILE = 90, 10  # of the frames of a window
VOICE_BAND_HZ, HIGH_BAND_HZ = (500, 4000), (4000, 7000)
SUB_BAND_HZ = 500
GATED_DB = 75  # below the loudest frame; digital silence, as of a noise gate, is no pause
VOICED_FRAME_SECONDS = 0.04  # several periods of a low voice
PITCH_HZ = (70, 400)
VOICED_BAND_HZ = (200, 1500)  # hum is lower; breath covers the periods higher up
LOUD_FRAME_DB = 20  # below the loudest frame; quieter ones are pauses
VOICED_PERCENTILE = 90  # vowels are some of the loud frames
LOST_SECONDS = (0.005, 0.06)  # a packet, less the ringing of a resampler
LOST_LEVEL = 3e-3  # relative to the RMS level; more than that ringing
CUT_SECONDS, CUT_LEVEL = 0.01, 0.1  # a voice that is louder before and after did not end there
REPEAT_SECONDS = (0.01, 0.02, 0.03, 0.06)  # of packets
MAX_REPEAT_SECONDS = 0.2  # a player repeats a lost packet no longer; a tone goes on
REPEAT_ERROR = 1e-5  # relative to the energy; 0 of 242 clips have a frame that repeats so well


class Echo(NamedTuple):
    """The strongest echo of a recording.

    Attributes:
        gain: amplitude relative to the voice.
        seconds: delay.
        prominence: gain relative to the root mean square of the gains at delays of 10 to 100 ms. A
            distinct echo stands out: see `MIN_ECHO_PROMINENCE`.
    """

    gain: float
    seconds: float
    prominence: float


class Clarity(NamedTuple):
    """How clearly the details of a voice can be heard in a recording.

    Attributes:
        snr_db: loud over quiet moments between 0.5 and 4 kHz: the signal-to-noise ratio if the
            quiet moments are pauses. Noise and reverberation lower it.
        high_snr_db: the same between 4 and 7 kHz; 0 if the sample rate has no such frequencies.
        texture_db: deviation of the level between neighbouring frequencies there. It is 5.6 dB for
            noise; pitch and vocoders make it higher, codecs lower.
    """

    snr_db: float
    high_snr_db: float
    texture_db: float


def measure_clarity(powers: np.ndarray, sample_rate_hz: int) -> Clarity:
    """Measure one window by its `power_spectra`."""
    hz_per_bin = sample_rate_hz / round(CLARITY_FRAME_SECONDS * sample_rate_hz)
    high = powers[:, round(HIGH_BAND_HZ[0] / hz_per_bin) : round(HIGH_BAND_HZ[1] / hz_per_bin)]
    texture_db = np.median(np.std(10 * np.log10(high), axis=1)) if high.shape[1] else 0.0
    totals = powers.sum(axis=1)
    heard = powers[totals > totals.max() * 10 ** (-GATED_DB / 10)]
    snr_db, high_snr_db = (
        _loud_over_quiet_db(heard, band_hz, hz_per_bin) for band_hz in (VOICE_BAND_HZ, HIGH_BAND_HZ)
    )
    return Clarity(snr_db, high_snr_db, float(texture_db))


def power_spectra(samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Return the power spectra of frames of 32 ms, `(frames, bins)`; samples without padding."""
    from scipy import fft  # slow to import

    length = round(CLARITY_FRAME_SECONDS * sample_rate_hz)
    padded = np.pad(samples, (0, max(0, length - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[:: length // 2]
    spectra = fft.rfft(frames * _hann(length), axis=1)
    return np.square(spectra.real) + np.square(spectra.imag) + 1e-12


def _loud_over_quiet_db(powers: np.ndarray, band_hz: tuple[int, int], hz_per_bin: float) -> float:
    """Return the mean over bands of 500 Hz of loud over quiet frames; `powers` `(frames, bins)`."""
    starts = np.arange(*band_hz, SUB_BAND_HZ)
    edges = np.round(np.array([*starts, band_hz[1]]) / hz_per_bin).astype(int)
    if edges[-1] > powers.shape[1]:
        return 0.0
    bands = np.add.reduceat(powers[:, : edges[-1]], edges[:-1], axis=1)
    loud, quiet = np.percentile(bands, [LOUD_PERCENTILE, QUIET_PERCENTILE], axis=0)
    return float(np.mean(10 * np.log10(loud / quiet)))


def voicing(samples: np.ndarray, sample_rate_hz: int) -> float:
    """Return how periodic the loud moments of a window are, as vowels are.

    The autocorrelation of a vowel has a peak at the period of the vocal folds (Rabiner: "On the Use
    of Autocorrelation Analysis for Pitch Detection", 1977). The highest peak within the range of
    pitch is taken from each frame, and the 90th percentile from the loud frames.

    Args:
        samples: float `(samples,)`, without padding.

    Returns:
        0 (no loud frame repeats) to 1 (they repeat exactly).
    """
    from scipy import fft  # slow to import

    length = round(VOICED_FRAME_SECONDS * sample_rate_hz)
    padded = np.pad(samples, (0, max(0, length - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::length]
    powers = np.square(frames).sum(axis=1)
    frames = frames[powers > powers.max() * 10 ** (-LOUD_FRAME_DB / 10)]
    if not len(frames):
        return 0.0
    frames = frames - frames.mean(axis=1, keepdims=True)
    points = fft.next_fast_len(length + sample_rate_hz // PITCH_HZ[0], real=True)
    hz_per_bin = sample_rate_hz / points
    lowest, highest = (round(limit / hz_per_bin) for limit in VOICED_BAND_HZ)
    spectra = np.square(np.abs(fft.rfft(frames, points, axis=1)[:, : highest + 1]))
    spectra[:, :lowest] = 0
    bins = min(2 * highest, points // 2)  # as if sampled less often: the lags need no more
    correlations = fft.irfft(spectra, 2 * bins, axis=1)
    lags_per_second = 2 * bins * hz_per_bin
    first, last = (round(lags_per_second / hz) for hz in PITCH_HZ[::-1])
    lags = np.arange(first, last)
    peaks = (correlations[:, lags] > correlations[:, lags - 1]) & (
        correlations[:, lags] >= correlations[:, lags + 1]
    )
    overlaps = 1 - lags / (VOICED_FRAME_SECONDS * lags_per_second)  # of the frame with itself
    whole = np.maximum(correlations[:, :1], np.finfo(np.float32).tiny)
    heights = np.where(peaks, correlations[:, lags] / whole / overlaps, 0).max(axis=1)
    return float(np.clip(np.percentile(heights, VOICED_PERCENTILE), 0, 1))


def lost_share(samples: np.ndarray, sample_rate_hz: int) -> float:
    """Return the share of lost packets, 0 to 1: short silence in loud sound, or a repeated packet.

    A player puts silence in the place of a packet that was lost, or the packet before, often less
    loud. At a steady rate, both look like the frames of a vocoder. The samples of the window are
    float `(samples,)`, without padding.
    """
    power = float(np.square(samples).mean())
    silent = np.abs(samples) < LOST_LEVEL * np.sqrt(power)
    shortest, longest = (round(seconds * sample_rate_hz) for seconds in LOST_SECONDS)
    around, lost = round(CUT_SECONDS * sample_rate_hz), 0
    for first, after in stretches_of(silent):
        if shortest <= after - first <= longest and around <= first <= len(samples) - around:
            sides = samples[first - around : first], samples[after : after + around]
            is_cut = all(np.square(side).sum() > CUT_LEVEL**2 * power * around for side in sides)
            lost += (after - first) * is_cut
    return (lost + _repeated_samples(samples, shortest, power, sample_rate_hz)) / len(samples)


def _repeated_samples(
    samples: np.ndarray, frame_samples: int, power: float, sample_rate_hz: int
) -> int:
    """Count the samples in pairs of frames that repeat those of a packet before, but for a gain.

    Repeats at an edge may belong to a longer tone; the next window has them in its middle.
    """
    frames = samples[: len(samples) // frame_samples * frame_samples].astype(np.float64)
    frames = frames.reshape(-1, frame_samples)
    energies, repeats = np.square(frames).sum(axis=1), np.zeros(len(frames), bool)
    for seconds in REPEAT_SECONDS:
        lag = round(seconds * sample_rate_hz / frame_samples)
        now, before = energies[lag:], np.maximum(energies[:-lag], np.finfo(np.float32).tiny)
        products = np.einsum("ij,ij->i", frames[lag:], frames[:-lag])
        same = now - np.square(products) / before < REPEAT_ERROR * now
        same &= now > CUT_LEVEL**2 * power * frame_samples
        pairs = same[1:] & same[:-1]
        repeats[lag + 1 :] |= pairs
        repeats[lag:-1] |= pairs
    longest = MAX_REPEAT_SECONDS * sample_rate_hz / frame_samples
    lengths = [
        after - first
        for first, after in stretches_of(repeats)
        if first > 0 and after < len(frames) and after - first <= longest
    ]
    return sum(lengths) * frame_samples


def measure_quality(samples: np.ndarray, sample_rate_hz: int) -> dict[str, float]:
    """Measure the properties of a recording that are not those of a voice.

    Args:
        samples: float `(samples,)`, full scale 1. The first minute of a recording is enough for
            level, bandwidth and clipping; `edge_silences` needs all.
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
    """Return the seconds of silence at either edge: 40 dB below the loudest 10 ms.

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

    The loudest frequency is sought above 150 Hz, because an offset or hum may be louder than the
    voice. The last bins are ignored, because resampling leaves a trace at half the sample rate.
    A click does not make a telephone wide: if the sound ends at a telephone's limit but for the
    loudest frames of each frequency, that limit counts.
    """
    powers = _frame_spectra(samples)
    whole_hz = _highest_hz(powers.mean(axis=0), sample_rate_hz)
    steady_hz = _highest_hz(np.sort(powers, axis=0)[:-CLICK_FRAMES].mean(axis=0), sample_rate_hz)
    is_telephone = TELEPHONE_HZ[0] <= steady_hz < TELEPHONE_HZ[1]
    return steady_hz if is_telephone and whole_hz > CLICK_RATIO * steady_hz else whole_hz


def _highest_hz(spectrum: np.ndarray, sample_rate_hz: int) -> float:
    hz_per_bin = sample_rate_hz / 2 / (len(spectrum) - 1)
    spectrum = spectrum[:-EDGE_BINS] + POWER_FLOOR
    loudest = spectrum[int(np.ceil(VOICE_HZ / hz_per_bin)) :].max()
    within = np.flatnonzero(spectrum >= loudest * 10 ** (-BANDWIDTH_DB / 10))
    return float(within[-1] * hz_per_bin)


def clipped_share(samples: np.ndarray) -> float:
    """Return the share of samples at full scale, 0 to 1."""
    return float((np.abs(samples) >= FULL_SCALE).mean())


def low_share(samples: np.ndarray, sample_rate_hz: int) -> float:
    """Return the share of the power that is below 50 Hz, where a voice has none, 0 to 1."""
    from scipy import fft  # slow to import

    powers = np.square(np.abs(fft.rfft(samples * _hann(len(samples)))))
    lowest = round(RUMBLE_HZ * len(samples) / sample_rate_hz)
    return float(powers[:lowest].sum() / max(powers.sum(), 1e-12))


def peak_share(samples: np.ndarray) -> float:
    """Return the share of samples above 70% of the highest or the lowest one, 0 to 1.

    Clipping makes it high on one side or on both, also after the recording was made quieter,
    resampled or coded: it is 0.06 or more then, and at most 0.03 in any of 364 ordinary clips.
    """
    sides = (samples, -samples)
    return float(max((side > NEAR_PEAK * max(side.max(), 1e-9)).mean() for side in sides))


def tone_share(powers: np.ndarray, sample_rate_hz: int) -> float:
    """Return the share of a window that is a loud steady tone, such as a beep or a ring, 0 to 1.

    Nearly all power of a tone is at one frequency, above the pitch of speech, for 0.2 s. `powers`
    are the window's `power_spectra`.
    """
    hz_per_bin = sample_rate_hz / round(CLARITY_FRAME_SECONDS * sample_rate_hz)
    totals, bins = powers.sum(axis=1), powers.argmax(axis=1)
    near = np.clip(bins[:, None] + np.arange(-TONE_BINS, TONE_BINS + 1), 0, powers.shape[1] - 1)
    shares = np.take_along_axis(powers, near, axis=1).sum(axis=1) / totals
    is_tone = (shares > TONE_POWER) & (bins * hz_per_bin > MIN_TONE_HZ)
    is_tone &= totals > totals.max() * 10 ** (-LOUD_FRAME_DB / 10)
    steady = is_tone[1:] & is_tone[:-1] & (np.abs(np.diff(bins)) <= TONE_BINS)
    lengths = np.diff(stretches_of(steady))
    least = MIN_TONE_SECONDS / (CLARITY_FRAME_SECONDS / 2)
    return float(lengths[lengths >= least].sum() / len(powers))


class EchoSearch:
    """Finds the strongest echo of a recording from some of its windows.

    A voice and its echo, `x[t] + g * x[t - d]`, have `2 * g * cos(2 * pi * f * d)` added to their
    log power spectrum, for small g. So the cepstrum, the spectrum of that one, has a peak at the
    delay of each echo, as high as its amplitude (Bogert, Healy and Tukey: "The Quefrency Alanysis
    of Time Series for Echoes", 1963). Over several windows the peaks of the voice move, and those
    of the echo stay. A taper keeps the spectrum's shape from leaking.
    """

    def __init__(self, window_samples: int, sample_rate_hz: int):
        from scipy import fft  # slow to import

        self._rate_hz = sample_rate_hz
        self._lags = round(ECHO_SECONDS[1] * sample_rate_hz)
        self._points = fft.next_fast_len(window_samples + self._lags, real=True)
        self._level = np.zeros(self._points // 2 + 1)  # the sum over windows
        self._windows = 0

    def add(self, window: np.ndarray) -> None:
        """Take in a window: float32 `(window_samples,)`."""
        from scipy import fft

        power = np.square(np.abs(fft.rfft(window, self._points)))
        level = np.log(power + LOG_FLOOR * power.max() + np.finfo(np.float32).tiny)
        self._level += level - level.mean()
        self._windows += 1

    def strongest(self) -> Echo | None:
        """Return the strongest echo; None if there was no window.

        Within 30 ms its gain is halved, because a steady pitch may look like an echo.
        """
        from scipy import fft

        if not self._windows:
            return None
        mean_level = (self._level / self._windows).astype(np.float32)
        tapered = mean_level * _taper(len(mean_level))
        cepstrum = fft.irfft(tapered, LAGS_PER_SAMPLE * self._points)
        gains = LAGS_PER_SAMPLE * np.abs(cepstrum[: LAGS_PER_SAMPLE * self._lags])
        lags_per_second = LAGS_PER_SAMPLE * self._rate_hz
        gains[: round(PITCH_SECONDS * lags_per_second)] /= PITCH_GAIN
        first = round(ECHO_SECONDS[0] * lags_per_second)
        lag = first + int(np.argmax(gains[first:]))
        around = gains[first : round(ROOM_SECONDS * lags_per_second)]
        rms = np.sqrt(np.mean(np.square(around))) + SMALLEST
        return Echo(float(gains[lag]), lag / lags_per_second, float(gains[lag] / rms))


@lru_cache(maxsize=8)
def _hann(length: int) -> np.ndarray:
    """Return a symmetric Hann window, float32 `(length,)`; not to be written to."""
    return np.hanning(length).astype(np.float32)


@lru_cache(maxsize=8)
def _taper(bins: int) -> np.ndarray:
    """Return a Hann window with a mean of 1: float32 `(bins,)`."""
    taper = _hann(bins)
    return taper / taper.mean()


def _frame_spectra(samples: np.ndarray, frame_samples: int = 512) -> np.ndarray:
    """Return the power of each FFT bin of evenly spread frames: `(64, frame_samples // 2 + 1)`.

    64 frames find a band limit as well as all frames do, at the same cost for files of any length.
    """
    from scipy import fft  # slow to import

    padded = np.pad(samples, (0, max(0, frame_samples - len(samples))))
    starts = np.linspace(0, len(padded) - frame_samples, SPECTRUM_FRAMES).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[starts]
    spectra = fft.rfft(frames * _hann(frame_samples), axis=1)
    return np.square(np.abs(spectra))
