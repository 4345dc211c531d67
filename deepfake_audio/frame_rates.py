"""What sound repeats at the rates at which vocoders make it.

A vocoder makes speech frame by frame: of each frame of a spectrogram one network makes the same
number of samples, 256 or 300 of them at 22.05 or 24 kHz. So the loudness trembles a little at the
frame rate and its multiples, and faint tones stand there (such sound is cyclostationary: Gardner,
"Exploitation of Spectral Redundancy in Cyclostationary Signals", 1991). Voices, rooms and
microphones know nothing of that rate, and no equaliser takes it away.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

BANDS = 32
LOUDNESS_FFT_SAMPLES = 2 * BANDS  # 4 ms at 16 kHz: too short to tell a voice's harmonics apart
LOUDNESS_HOP_SAMPLES = 8
LOUDNESS_FLOOR = np.float32(1e-5)  # of a band's mean power: pauses don't count as deep
HARMONICS = 8  # of the frame rate, in the loudness
PHASES = 8  # steps from a multiple of the frame rate to the next one, in the spectrum
COLUMNS_A_RATE = HARMONICS + PHASES
SURROUNDINGS_HZ = 15
PADDING = 2  # times the length, so that a line between two bins isn't lost
SHORTEST_SECONDS = 0.25  # of sound; in less a line is as wide as what is around it
LEAST_AMPLITUDE = 1e-9  # of full scale; in less there is nothing but rounding
MOST_PERIODS = 1000  # that are looked at to find out whether a window repeats shorter sound
PROBE_SAMPLES = 64  # compared before all are
TINY = np.float32(1e-20)
QUIET = np.float32(1e-12)  # of the largest power: below is rounding


class _Places(NamedTuple):
    """Where the lines are, in bins of the padded spectra."""

    loudness: np.ndarray  # (rates, HARMONICS)
    loudness_reach: int  # bins of the surroundings on each side
    tones: np.ndarray  # (lines,)
    tones_reach: int
    cells: np.ndarray  # (lines,) which band, rate and phase a line belongs to
    cell_lines: np.ndarray  # (BANDS * rates * PHASES,) how many lines there are


def highest_frame_rate_hz(sample_rate_hz: int) -> float:
    """Return the highest rate whose harmonics the loudness is sampled fast enough for."""
    nyquist_hz = sample_rate_hz / LOUDNESS_HOP_SAMPLES / 2
    return (nyquist_hz - SURROUNDINGS_HZ) / HARMONICS


def frame_rate_lines_db(
    window: np.ndarray, rates_hz: tuple[float, ...], sample_rate_hz: int
) -> np.ndarray:
    """Compute how far what repeats at given rates stands out of what is 15 Hz around.

    Bands are those of an FFT of 64 samples, without the one at 0 Hz. Of each band and rate come
    first the multiples 1 to 8 of the rate in the spectrum of the band's log power, then the
    window's own spectrum folded at the rate: the mean over the band's multiples of it, and
    over what lies 1/8 to 7/8 of the way to the next ones, which says what stands there by chance.
    A window that repeats shorter sound is looked at as that sound: repeating it makes lines too
    (a sound of more than half a window may go unnoticed, and makes none that matter). Of less than
    0.25 s nothing can be said.

    Args:
        window: float `(window_samples,)`, at least half a second.
        rates_hz: each up to `highest_frame_rate_hz`.
        sample_rate_hz: of the window.

    Returns:
        float32 `(BANDS, rates, HARMONICS + PHASES)` in dB, lowest band first; 0 does not stand out.
    """
    window = _said_once(window)
    if len(window) < SHORTEST_SECONDS * sample_rate_hz or np.ptp(window) < LEAST_AMPLITUDE:
        return np.zeros((BANDS, len(rates_hz), COLUMNS_A_RATE), np.float32)
    places = _places(rates_hz, sample_rate_hz, len(window))
    trembling_db = _over_surroundings_db(
        _power_spectrum(_log_powers(window)), places.loudness, places.loudness_reach
    )
    lines_db = _over_surroundings_db(_power_spectrum(window), places.tones, places.tones_reach)
    tones_db = np.bincount(places.cells, lines_db, len(places.cell_lines)) / places.cell_lines
    tones_db = tones_db.reshape(BANDS, len(rates_hz), PHASES)
    return np.concatenate([trembling_db, tones_db], axis=-1, dtype=np.float32)


def _said_once(window: np.ndarray) -> np.ndarray:
    """Return the sound that a window repeats; the window, where its loudest sample stands once."""
    at_peak = window == window.max()
    at_peak[1:] &= ~at_peak[:-1]  # clipped sound stays there for a while
    peaks = np.flatnonzero(at_peak)
    for period in peaks[1:MOST_PERIODS] - peaks[0]:
        alike = np.array_equal(window[period:][:PROBE_SAMPLES], window[:-period][:PROBE_SAMPLES])
        if alike and np.array_equal(window[period:], window[:-period]):
            return window[:period]
    return window


def _log_powers(window: np.ndarray) -> np.ndarray:
    """Return the log power of each band over time, `(BANDS, times)`, mean 0."""
    from scipy import fft  # takes longer to import than an image takes to judge

    frames = np.lib.stride_tricks.sliding_window_view(window, LOUDNESS_FFT_SAMPLES)
    frames = frames[::LOUDNESS_HOP_SAMPLES] * hann(LOUDNESS_FFT_SAMPLES)
    powers = np.ascontiguousarray(_squares(fft.rfft(frames, axis=1))[:, 1:].T)
    powers += LOUDNESS_FLOOR * powers.mean(axis=1, keepdims=True)
    logs = np.log(np.maximum(powers, TINY), out=powers)
    logs -= logs.mean(axis=1, keepdims=True)
    return logs


def _power_spectrum(signals: np.ndarray) -> np.ndarray:
    from scipy import fft

    length = signals.shape[-1]
    return _squares(fft.rfft(signals * hann(length), _padded(length), axis=-1))


def _squares(spectra: np.ndarray) -> np.ndarray:
    return np.square(spectra.real) + np.square(spectra.imag)


def _over_surroundings_db(powers: np.ndarray, lines: np.ndarray, reach: int) -> np.ndarray:
    """Return the dB of lines above the mean dB of the bins around, themselves included."""
    logs = np.log(np.maximum(powers, QUIET * powers.max()))
    sums = np.cumsum(logs, axis=-1)
    first = np.maximum(lines - reach, 1)  # without the bin at 0 Hz
    last = np.minimum(lines + reach, logs.shape[-1] - 1)
    means = (sums[..., last] - sums[..., first - 1]) / (last - first + 1)
    return np.float32(10 / np.log(10)) * (logs[..., lines] - means)


@lru_cache(maxsize=8)
def _places(rates_hz: tuple[float, ...], sample_rate_hz: int, window_samples: int) -> _Places:
    times = (window_samples - LOUDNESS_FFT_SAMPLES) // LOUDNESS_HOP_SAMPLES + 1
    loudness_bin_hz = sample_rate_hz / LOUDNESS_HOP_SAMPLES / _padded(times)
    loudness_hz = np.outer(rates_hz, np.arange(1, HARMONICS + 1))
    band_hz = sample_rate_hz / LOUDNESS_FFT_SAMPLES
    tones_hz, cells = [], []
    for number, rate_hz in enumerate(rates_hz):
        for phase in range(PHASES):
            lines_hz = np.arange(phase / PHASES * rate_hz, sample_rate_hz / 2, rate_hz)
            lines_hz = lines_hz[lines_hz < sample_rate_hz / 2 - SURROUNDINGS_HZ]
            bands = np.round(lines_hz / band_hz).astype(int) - 1  # below the first is none
            tones_hz.append(lines_hz[bands >= 0])
            cells.append((bands[bands >= 0] * len(rates_hz) + number) * PHASES + phase)
    tone_bin_hz = sample_rate_hz / _padded(window_samples)
    cells = np.concatenate(cells)
    return _Places(
        np.round(loudness_hz / loudness_bin_hz).astype(int),
        round(SURROUNDINGS_HZ / loudness_bin_hz),
        np.round(np.concatenate(tones_hz) / tone_bin_hz).astype(int),
        round(SURROUNDINGS_HZ / tone_bin_hz),
        cells,
        np.maximum(1, np.bincount(cells, minlength=BANDS * len(rates_hz) * PHASES)),
    )


def _padded(length: int) -> int:
    from scipy import fft

    return fft.next_fast_len(PADDING * length, real=True)


@lru_cache(maxsize=8)
def hann(length: int) -> np.ndarray:
    """Return a periodic Hann window, float32 `(length,)`; not to be written to."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
