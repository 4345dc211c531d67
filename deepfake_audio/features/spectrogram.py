"""Sound to picture: decode to mono, cut windows, make the spectrogram image. Numpy in and out.

Files are read in blocks: a recording of hours takes no more memory than one of a minute.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from deepfake_audio.config.schema import AudioSettings
from deepfake_audio.features.cyclic_spectrum import hann, harmonic_prominence_db, rate_prominence_db
from deepfake_audio.vocabulary import (
    HARMONIC_COLUMNS,
    HARMONIC_ROWS,
    LEVELS_PER_DB,
    ZERO_DELAY,
    ZERO_PROMINENCE,
)

CHUNK_BYTES = 65_536  # for larger arrays the C library fetches fresh pages, at thrice the time
FILTERS_AT_ONCE = 64
DELAY_LEVELS = 80  # of a picture, times the arctangent of the delay in eighths of a frame


def spectrogram_db(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Compute the level of each frequency bin and frame, in dB below the window's loudest one.

    Frames of `fft_samples` lie wholly inside the window, evenly spaced, Hann-windowed (periodic).
    The linear scale averages the power of neighbouring FFT bins, without the one at 0 Hz; the mel
    scale is Slaney's (Auditory Toolbox, 1998) with triangles of unit height.

    Args:
        window: float `(window_samples,)`.
        settings: FFT, size, frequency scale.

    Returns:
        float32 `(frequency_bins, frames)`, lowest frequency first, 0 at the maximum. A window
        without sound is -inf throughout.
    """
    return _in_db(_band_powers(window, settings))


def _in_db(powers: np.ndarray) -> np.ndarray:
    """Return the dB below the maximum of `(frames, frequency_bins)`, transposed."""
    peak = powers.max()
    if peak <= 0:
        return np.full(powers.T.shape, -np.inf, np.float32)
    with np.errstate(divide="ignore"):
        level = np.log(powers)
    level -= np.log(peak)
    level *= 10 / np.log(10)
    return level.T


def group_delay_samples(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Compute when, around the middle of each frame, each frequency bin sounds.

    Frames are as in `spectrogram_db`, but of `delay_fft_samples`. The time is that which Auger and
    Flandrin move a point of the spectrogram to ("Improving the Readability of Time-Frequency and
    Time-Scale Representations by the Reassignment Method", 1995): `Re(T * conj(X)) / abs(X)**2`,
    with T the spectrum of the frame whose samples are weighed by their time as well. Bins that are
    averaged count by their power.

    Args:
        window: float `(window_samples,)`.
        settings: `delay_fft_samples` above 0, size, frequency scale.

    Returns:
        float32 `(frequency_bins, frames)` in samples, lowest frequency first, later is positive;
        0 where there is no sound.
    """
    length = settings.delay_fft_samples
    powers = np.empty((settings.frames, settings.frequency_bins), np.float32)
    moments = np.empty_like(powers)
    for rows, frames in _frames(window, length, settings):
        spectrum = _spectrum(frames, hann(length))
        moments[rows] = _in_bands(spectrum * _spectrum(frames, _timed_hann(length)), settings)
        powers[rows] = _in_bands(np.square(spectrum, out=spectrum), settings)
    return np.divide(moments, powers, out=np.zeros_like(moments), where=powers > 0).T


def spectrogram_image(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Draw one window: the same samples always give the same pixels.

    Args:
        window: float `(window_samples,)`.
        settings: FFT, size, frequency scale, dB range, and FFT of the group delay or 0.

    Returns:
        uint8 `(frequency_bins, frames)`, lowest frequency at the bottom; 255 is the loudest point,
        0 is `db_range` below it or less. With group delay, `(frequency_bins, frames, 2)`: the same,
        and 128 for what sounds in the middle of a frame, more for later: by 63 at an eighth of a
        frame, at most by 126. With frame rates, `(frequency_bins, frames, 3)`: these two, and of
        each rate the lines of `frame_rate_lines_db`, the first eight at the bottom, 128 for what
        does not stand out and 20 more for each dB.
    """
    grey = spectrogram_db(window, settings) * np.float32(255 / settings.db_range)
    grey += np.float32(255.5)  # half a step, so that cutting off rounds
    np.maximum(grey, 0, out=grey)
    level = np.ascontiguousarray(grey.astype(np.uint8)[::-1])
    if not settings.delay_fft_samples:
        return level
    eighths = group_delay_samples(window, settings) * np.float32(8 / settings.delay_fft_samples)
    delay = np.arctan(eighths) * np.float32(DELAY_LEVELS) + np.float32(ZERO_DELAY + 0.5)
    channels = [level, delay.astype(np.uint8)[::-1]]
    if settings.frame_rates_hz:
        channels.append(_rate_levels(window, settings))
    return np.stack(channels, axis=-1)


def _rate_levels(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Draw the lines at frame rates: uint8 `(frequency_bins, frames)`, each several rows high."""
    lines = harmonic_prominence_db(window, settings.frame_rates_hz, settings.sample_rate_hz)
    levels = np.clip(lines * LEVELS_PER_DB + (ZERO_PROMINENCE + 0.5), 0, 255).astype(np.uint8)
    stripes = levels.reshape(HARMONIC_ROWS, settings.frames)[::-1]
    return np.repeat(stripes, settings.frequency_bins // HARMONIC_ROWS, axis=0)


def image_rate_prominence_db(image: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Read from an image that was drawn with frame rates how far each stands out, `(rates,)`.

    Args:
        image: uint8 `(frequency_bins, frames, 3)`, of `spectrogram_image`.
        settings: as it was drawn.
    """
    stripes = image[:: settings.frequency_bins // HARMONIC_ROWS, :, 2][::-1].astype(np.float32)
    lines_db = ((stripes - ZERO_PROMINENCE) / LEVELS_PER_DB).reshape(
        HARMONIC_ROWS, -1, HARMONIC_COLUMNS
    )
    return rate_prominence_db(lines_db, settings.frame_rates_hz, settings.sample_rate_hz)


def row_frequencies_hz(settings: AudioSettings, height: int) -> np.ndarray:
    """Return the centre frequency of each row of an image.

    Args:
        settings: FFT, frequency scale and number of bins that the image was drawn with.
        height: of the image in pixels; other than `frequency_bins` if it was resized.

    Returns:
        float64 `(height,)` in Hz, highest first as in the image.
    """
    bands = (np.arange(height)[::-1] + 0.5) * settings.frequency_bins / height - 0.5
    if settings.frequency_scale == "mel":
        low, high = _hz_to_mel(settings.min_hz), _hz_to_mel(settings.max_hz)
        return _mel_to_hz(low + (high - low) * (bands + 1) / (settings.frequency_bins + 1))
    bins = settings.fft_samples / 2 / settings.frequency_bins  # FFT bins that a band averages
    return (bands * bins + (bins + 1) / 2) * settings.sample_rate_hz / settings.fft_samples


def _band_powers(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Return the power of each band of each frame, float32 `(frames, frequency_bins)`."""
    bands = np.empty((settings.frames, settings.frequency_bins), np.float32)
    for rows, frames in _frames(window, settings.fft_samples, settings):
        spectrum = _spectrum(frames, hann(settings.fft_samples))
        bands[rows] = _in_bands(np.square(spectrum, out=spectrum), settings)
    return bands


def _frames(
    window: np.ndarray, length: int, settings: AudioSettings
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield frames wholly inside the window, `(some, length)`, a few at a time."""
    frames = np.lib.stride_tricks.sliding_window_view(window, length)
    starts = _frame_starts(len(window) - length, settings.frames)
    some = max(1, CHUNK_BYTES // (length * np.dtype(np.float32).itemsize))
    for first in range(0, settings.frames, some):
        rows = slice(first, first + some)
        yield rows, frames[starts[rows]]


def _spectrum(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return spectra, real and imaginary parts in turn: `(frames, fft_samples + 2)`."""
    from scipy import fft  # takes longer to import than an image takes to judge

    spectrum = fft.rfft(frames * weights, axis=1)
    return spectrum.view(spectrum.real.dtype)


def _in_bands(parts: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Add up what stands for each band: `(frames, fft_samples + 2)` to `(.., frequency_bins)`."""
    if settings.frequency_scale == "mel":
        return (parts[:, ::2] + parts[:, 1::2]) @ _mel_filters(parts.shape[1] - 2, settings)
    step = (parts.shape[1] - 2) // settings.frequency_bins
    bands = parts[:, 2::step].copy()
    for part in range(1, step):
        bands += parts[:, 2 + part :: step]
    return bands


@lru_cache(maxsize=8)
def _frame_starts(last: int, frames: int) -> np.ndarray:
    return np.linspace(0, last, frames).round().astype(int)


@lru_cache(maxsize=8)
def _timed_hann(length: int) -> np.ndarray:
    """Return the Hann window weighed by the samples' time, 0 in its middle."""
    return hann(length) * (np.arange(length) - length / 2).astype(np.float32)


@lru_cache(maxsize=8)
def _mel_filters(fft_samples: int, settings: AudioSettings):
    """Return triangles evenly spaced in mel, height 1: sparse `(fft bins, frequency_bins)`.

    Sparse, since a dense product's rounding depends on the number of threads.
    """
    from scipy import sparse  # slow to import, and only mel images need it

    edges_mel = np.linspace(
        _hz_to_mel(settings.min_hz), _hz_to_mel(settings.max_hz), settings.frequency_bins + 2
    )
    edges_hz = _mel_to_hz(edges_mel)
    bin_hz = np.fft.rfftfreq(fft_samples, 1 / settings.sample_rate_hz)[:, None]
    widths_hz = np.diff(edges_hz)
    parts = []
    for first in range(0, settings.frequency_bins, FILTERS_AT_ONCE):  # all may take gigabytes
        some = slice(first, first + FILTERS_AT_ONCE)
        rising = (bin_hz - edges_hz[:-2][some]) / widths_hz[:-1][some]
        falling = (edges_hz[2:][some] - bin_hz) / widths_hz[1:][some]
        triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
        parts.append(sparse.csr_array(triangles))
    return sparse.hstack(parts, format="csr").sorted_indices()


def _hz_to_mel(hz: float | np.ndarray) -> np.ndarray:
    """Slaney's scale: 3 mel per 200 Hz below 1 kHz, 27 mel per factor 6.4 above."""
    linear = np.asarray(hz, float) * 3 / 200
    return np.where(
        linear < 15, linear, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4)
    )


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
