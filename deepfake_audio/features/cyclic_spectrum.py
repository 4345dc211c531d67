"""Find the frame rates of vocoders in the cyclic spectrum of sound.

A vocoder makes speech frame by frame: a network turns each frame of a spectrogram into the same
number of samples, such as 256 or 300 at 22.05 or 24 kHz, and treats each position within a frame a
little differently. So the sound's statistics repeat at the frame rate and its multiples (such sound
is cyclostationary: Gardner, "Exploitation of Spectral Redundancy in Cyclostationary Signals",
1991). Voices and rooms do not have that rate, and no equaliser removes it; mains hum has
lines of its own, at 50 or 60 Hz and multiples.
"""

from functools import lru_cache

import numpy as np

from deepfake_audio.vocabulary import HARMONIC_COLUMNS, HARMONIC_ROWS, SURROUNDINGS_HZ

MULTIPLES = HARMONIC_ROWS * HARMONIC_COLUMNS
LAGS = 64  # samples between the two factors of a product: 4 ms at 16 kHz
SAMPLES_AT_ONCE = 2**19  # of spectra, 4 MB; less or more is slower
WHITE_FFT_SAMPLES = 128
WHITE_BINS, WHITE_FRAMES = 5, 3  # over which powers are averaged before whitening
LOUDNESS_SAMPLES = 256  # over which loudness is equalised
GRID_SECONDS = 0.8  # of multiples of this are the spectra: 1.25 Hz and its multiples are bins then
MIN_SECONDS = 0.25  # of sound; in less a line is as wide as its surroundings
MIN_AMPLITUDE = 1e-9  # of full scale; below there is only rounding
MIN_CHANGE = 1e-6  # relative to the largest level; below there is only rounding
MAX_PERIODS = 1000  # to try when searching for repetitions of shorter sound
PROBE_SAMPLES = 64  # compared before all are
QUIET = np.float32(1e-9)  # relative to the largest power; below there is only rounding
# The rates of most vocoders, at speeds of 0.95 to 1.06. Of 365 real clips, 1 has 5.5 dB at a rate
# that is not known. Of 642 copies of fakes at speeds of 0.98 to 1.02, 161 would be REAL, and 83 of
# these have it.
SEARCHED_HZ, RATE_STEP_HZ, MIN_ODD_DB = (46, 100), 0.02, 5.5
# A note of music has lines at some multiples of such a rate, and a few are high. A vocoder has
# lines at all, so those that neither 2 nor 3 divides must add up, each limited to 1 dB. With music
# at 15 dB, 6% of 177 real recordings have such a rate then, instead of 87% of 110.
MAX_LINE_DB, MIN_EVEN_DB = 1, 2.5
KNOWN_SHARE = 5e-4  # the network finds the lines of a rate that differs less
HUM_HZ, HUM_WIDTH_HZ = (50, 60, 100), 0.6
TINY = np.finfo(np.float32).tiny


def harmonic_prominence_db(
    window: np.ndarray,
    rates_hz: tuple[float, ...],
    sample_rate_hz: int,
    spectrum: tuple[np.ndarray, float] | None = None,
) -> np.ndarray:
    """Compute the prominence of the multiples of given rates in the cyclic spectrum.

    In sound from a vocoder every multiple has a small prominence; only their mean is significant.
    Less than 0.25 s of sound gives 0. If a window repeats shorter sound, only that sound is
    analysed, because repetition makes lines too (a repeated sound of more than half a window may go
    unnoticed, but its lines are negligible).

    Args:
        window: float `(window_samples,)`, at least half a second.
        rates_hz: each up to `highest_frame_rate_hz`.
        sample_rate_hz: of the window.
        spectrum: its `sound_spectrum_db`; None computes it.

    Returns:
        float32 `(ROWS, rates, COLUMNS)` in dB; multiple `row * COLUMNS + column + 1` of each rate.
        0 is no prominence, or a multiple above the spectrum.
    """
    lines = np.zeros((len(rates_hz), MULTIPLES), np.float32)
    spectrum = spectrum or sound_spectrum_db(window, sample_rate_hz)
    if spectrum:
        spectrum_db, bin_hz = spectrum
        audible = audible_multiples(rates_hz, sample_rate_hz)
        multiples_hz = np.outer(rates_hz, np.arange(1, MULTIPLES + 1))[audible]
        bins_hz = np.arange(len(spectrum_db)) * bin_hz
        lines[audible] = np.interp(multiples_hz, bins_hz, spectrum_db)
    return lines.reshape(len(rates_hz), HARMONIC_ROWS, HARMONIC_COLUMNS).transpose(1, 0, 2)


def sound_spectrum_db(window: np.ndarray, sample_rate_hz: int) -> tuple[np.ndarray, float] | None:
    """Return the `cyclic_spectrum_db` of the sound that a window may repeat; None without any."""
    window = _unrepeated(window)
    least = max(MIN_AMPLITUDE, MIN_CHANGE * np.abs(window).max())
    if len(window) < MIN_SECONDS * sample_rate_hz or np.ptp(window) < least:
        return None
    return cyclic_spectrum_db(window, sample_rate_hz)


class RateSearch:
    """Finds at which rate a recording repeats, as a vocoder does at any speed of playing."""

    def __init__(self, rates_hz: tuple[float, ...], sample_rate_hz: int):
        """Begin a recording; `rates_hz` are those that the network looks at."""
        self._rates_hz, self._sample_rate_hz = np.array(rates_hz), sample_rate_hz
        self._sum_db, self._windows, self._bin_hz = np.zeros(1), 0, 0.0

    def add(self, spectrum: tuple[np.ndarray, float] | None) -> None:
        """Add the `sound_spectrum_db` of a window; that of shorter sound does not count."""
        if spectrum and len(spectrum[0]) >= len(self._sum_db):
            is_longer = len(spectrum[0]) > len(self._sum_db)
            self._sum_db = spectrum[0] + (0 if is_longer else self._sum_db)
            self._windows, self._bin_hz = 1 if is_longer else self._windows + 1, spectrum[1]

    def odd_rate_hz(self) -> float | None:
        """Return the most prominent rate, unless it is low, known, or that of hum or music."""
        if not self._windows:
            return None
        rates_hz, bins, multiples = _searched_bins(self._bin_hz, self._sample_rate_hz)
        mean_db = np.append(self._sum_db, np.float32(0)) / self._windows
        prominence_db = mean_db[bins].sum(axis=1) / np.sqrt(multiples)
        best = int(prominence_db.argmax())
        number = np.arange(1, bins.shape[1] + 1)
        rate_hz, own_bins = float(rates_hz[best]), bins[best, (number % 2 > 0) & (number % 3 > 0)]
        even_db = np.clip(mean_db[own_bins], -MAX_LINE_DB, MAX_LINE_DB).sum()
        is_known = np.abs(self._rates_hz / rate_hz - 1).min() < KNOWN_SHARE
        is_hum = min(abs(rate_hz - hum_hz) for hum_hz in HUM_HZ) < HUM_WIDTH_HZ
        is_low = prominence_db[best] < MIN_ODD_DB
        is_music = even_db < MIN_EVEN_DB * np.sqrt((own_bins >= 0).sum())
        return None if is_known or is_hum or is_low or is_music else rate_hz


@lru_cache(maxsize=4)
def _searched_bins(bin_hz: float, sample_rate_hz: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rates to search, the bins of their multiples, and how many these are.

    The arrays are `(rates,)`, `(rates, multiples)` and `(rates,)`; -1 fills up the second.
    """
    rates_hz = np.arange(*SEARCHED_HZ, RATE_STEP_HZ)
    highest_hz = sample_rate_hz / 2 - SURROUNDINGS_HZ
    multiples_hz = np.outer(rates_hz, np.arange(1, highest_hz / SEARCHED_HZ[0]))
    audible = multiples_hz <= highest_hz
    bins = np.where(audible, multiples_hz / bin_hz + 0.5, -1).astype(np.int32)
    return rates_hz, bins, audible.sum(axis=1)


def rate_prominence_db(
    lines_db: np.ndarray, rates_hz: tuple[float, ...], sample_rate_hz: int
) -> np.ndarray:
    """Return the prominence of each rate: the sum of its lines over the root of their number.

    This makes the deviation by chance equal for all rates: 0.5 dB for 1.5 s of white noise.

    Args:
        lines_db: `(ROWS, rates, COLUMNS)`, of `harmonic_prominence_db`.
        rates_hz: of these.
        sample_rate_hz: of the sound.

    Returns:
        float `(rates,)`.
    """
    audible = audible_multiples(rates_hz, sample_rate_hz).sum(axis=1)
    return lines_db.sum(axis=(0, 2)) / np.sqrt(audible)


def audible_multiples(rates_hz: tuple[float, ...], sample_rate_hz: int) -> np.ndarray:
    """Return which multiples lie within the spectrum: bool `(rates, MULTIPLES)`."""
    highest_hz = sample_rate_hz / 2 - SURROUNDINGS_HZ
    return np.outer(rates_hz, np.arange(1, MULTIPLES + 1)) <= highest_hz


def cyclic_spectrum_db(window: np.ndarray, sample_rate_hz: int) -> tuple[np.ndarray, float]:
    """Compute the cyclic spectrum of a window relative to its surroundings of 15 Hz.

    The sound is made white and equally loud, to remove the influence of words and recording. The
    spectrum of its product with itself, 0 to 63 samples later, is its cyclic correlation at that
    lag (Gardner, as above); their powers are averaged over the lags.

    Args:
        window: float `(window_samples,)`, at least 0.25 s, not constant.
        sample_rate_hz: of the window.

    Returns:
        float32 `(bins,)` in dB, from 0 Hz to half the sample rate, and the Hz from bin to bin.
    """
    from scipy import ndimage  # takes longer to import than an image takes to judge

    white = _whitened(window)
    grid = round(GRID_SECONDS * sample_rate_hz)
    points = grid * -(-len(white) // grid)
    spectrum_db = 10 * np.log10(np.maximum(_cyclic_powers(white, points), QUIET))
    bin_hz = sample_rate_hz / points
    around = ndimage.uniform_filter1d(spectrum_db, 2 * round(SURROUNDINGS_HZ / bin_hz) + 1)
    return spectrum_db - around, bin_hz


def _cyclic_powers(white: np.ndarray, points: int) -> np.ndarray:
    """Return the power of the products' spectra over all lags, float32 `(points // 2 + 1,)`.

    Products at two lags are the real and imaginary parts of one transform.
    """
    from scipy import fft

    length = len(white) - LAGS + 1
    doubled = np.stack([white[:-1], white[1:]], axis=-1).ravel()  # each sample and the next
    later = np.lib.stride_tricks.sliding_window_view(doubled, 2 * length)[::4]
    weighted = np.repeat(white[:length] * hann(length), 2)
    at_once = min(LAGS // 2, 2 ** int(np.log2(max(1, SAMPLES_AT_ONCE / points))))
    products = np.empty((at_once, 2 * points), np.float32)
    powers = np.zeros(points, np.float32)
    for first in range(0, LAGS // 2, at_once):
        np.multiply(later[first : first + at_once], weighted, out=products[:, : 2 * length])
        products[:, 2 * length :] = 0
        spectra = fft.fft(products.view(np.complex64), axis=1, overwrite_x=True)
        parts = spectra.view(np.float32)
        squares = np.einsum("ij,ij->j", parts, parts)
        powers += squares[::2]
        powers += squares[1::2]
    half = points // 2 + 1
    powers[1:half] += powers[:-half:-1]
    return powers[:half]


def _unrepeated(window: np.ndarray) -> np.ndarray:
    """Return the sound that a window repeats, or the window itself if it repeats nothing."""
    at_peak = window == window.max()
    at_peak[1:] &= ~at_peak[:-1]  # clipped sound has several such samples in a row
    peaks = np.flatnonzero(at_peak)
    for period in peaks[1:MAX_PERIODS] - peaks[0]:
        alike = np.array_equal(window[period:][:PROBE_SAMPLES], window[:-period][:PROBE_SAMPLES])
        if alike and np.array_equal(window[period:], window[:-period]):
            return window[:period]
    return window


def _whitened(window: np.ndarray) -> np.ndarray:
    """Return the sound with equal power at all frequencies and times, except in the finest detail.

    The mean of each frame is removed: the rest of a constant would be the same in every frame, and
    make a line at the frame rate.
    """
    from scipy import fft, ndimage

    hop = WHITE_FFT_SAMPLES // 2
    frames = np.lib.stride_tricks.sliding_window_view(window, WHITE_FFT_SAMPLES)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    sine = np.sqrt(hann(WHITE_FFT_SAMPLES))  # its squares, half a frame apart, add up to 1
    spectra = fft.rfft(frames * sine, axis=1)
    powers = np.square(spectra.real) + np.square(spectra.imag)
    smooth = ndimage.uniform_filter(powers, (WHITE_FRAMES, WHITE_BINS))
    spectra /= np.sqrt(smooth + QUIET * powers.max() + TINY)
    even = fft.irfft(spectra, WHITE_FFT_SAMPLES, axis=1) * sine
    white = (even[1:, :hop] + even[:-1, hop:]).ravel()
    loudness = ndimage.uniform_filter1d(np.square(white), LOUDNESS_SAMPLES)
    return white / np.sqrt(loudness + QUIET)  # so digital silence stays silent


@lru_cache(maxsize=8)
def hann(length: int) -> np.ndarray:
    """Return a periodic Hann window, float32 `(length,)`; not to be written to."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
