"""Render a window of sound as a spectrogram image: arrays in, arrays out."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.features.cyclic_spectrum import hann, harmonic_prominence_db, rate_prominence_db
from deepfake_audio.features.pixel_format import (
    delay_pixels,
    level_pixels,
    prominence_pixels,
    read_prominence_db,
)

CHUNK_BYTES = 65_536  # larger arrays take three times as long: fresh pages for each
FILTERS_AT_ONCE = 64


def spectrogram_db(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Compute the level of each frequency bin and frame, in dB below the window's loudest one.

    Frames of `fft_samples` lie inside the window, evenly spaced, with a periodic Hann window.
    The linear scale averages the power of neighbouring FFT bins, without the one at 0 Hz; the mel
    scale is Slaney's (Auditory Toolbox, 1998) with triangles of unit height.

    Args:
        window: float `(window_samples,)`.
        settings: FFT, size, frequency scale.

    Returns:
        float32 `(frequency_bins, frames)`, lowest frequency first, 0 at the maximum. A window
        without sound is -inf throughout.
    """
    powers = _band_powers(window, settings)
    peak = powers.max()
    if peak <= 0:
        return np.full(powers.T.shape, -np.inf, np.float32)
    with np.errstate(divide="ignore"):
        level = np.log(powers)
    level -= np.log(peak)
    level *= 10 / np.log(10)
    return level.T


def group_delay_samples(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Compute the group delay of each frequency bin, relative to the middle of each frame.

    Frames are as in `spectrogram_db`, but of `delay_fft_samples`. The delay is that of the
    reassignment method by Auger and Flandrin ("Improving the Readability of Time-Frequency and
    Time-Scale Representations by the Reassignment Method", 1995): `Re(T * conj(X)) / abs(X)**2`,
    with T the spectrum of the frame with its samples weighted by their time. Averaged bins are
    weighted by their power.

    Args:
        window: float `(window_samples,)`.
        settings: `delay_fft_samples` above 0, size, frequency scale.

    Returns:
        float32 `(frequency_bins, frames)` in samples, lowest frequency first, later is positive;
        0 without sound.
    """
    length = settings.delay_fft_samples
    powers = np.empty((settings.frames, settings.frequency_bins), np.float32)
    moments = np.empty_like(powers)
    for rows, frames in _frames(window, length, settings):
        spectrum = _spectrum(frames, hann(length))
        moments[rows] = _in_bands(spectrum * _spectrum(frames, _timed_hann(length)), settings)
        powers[rows] = _in_bands(np.square(spectrum, out=spectrum), settings)
    return np.divide(moments, powers, out=np.zeros_like(moments), where=powers > 0).T


def spectrogram_image(
    window: np.ndarray,
    settings: AudioSettings,
    cyclic_spectrum: tuple[np.ndarray, float] | None = None,
) -> np.ndarray:
    """Render one window; the same samples always give the same pixels.

    Args:
        window: float `(window_samples,)`.
        settings: FFT, size, frequency scale, dB range, and FFT of the group delay or 0.
        cyclic_spectrum: `sound_spectrum_db` of the window; None computes it if it is needed.

    Returns:
        uint8 `(frequency_bins, frames)`, lowest frequency at the bottom; 255 is the loudest point,
        0 is `db_range` below it or less. With group delay, `(frequency_bins, frames, 2)`: also 128
        for sound in the middle of a frame and more for later sound: 63 more at an eighth of a
        frame, at most 126 more. With frame rates, `(frequency_bins, frames, 3)`: also the
        prominence of each rate's harmonics, the first eight at the bottom: 128 for none and 20 more
        for each dB.
    """
    level = level_pixels(spectrogram_db(window, settings), settings.db_range)
    if not settings.delay_fft_samples:
        return level
    eighths = group_delay_samples(window, settings) * np.float32(8 / settings.delay_fft_samples)
    channels = [level, delay_pixels(eighths)]
    if settings.frame_rates_hz:
        prominence_db = harmonic_prominence_db(
            window, settings.frame_rates_hz, settings.sample_rate_hz, cyclic_spectrum
        )
        channels.append(prominence_pixels(prominence_db, settings.frequency_bins))
    return np.stack(channels, axis=-1)


def image_rate_prominence_db(image: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Read the prominence of each frame rate from an image that was rendered with frame rates.

    Args:
        image: uint8 `(frequency_bins, frames, 3)`, of `spectrogram_image`.
        settings: those that it was rendered with.

    Returns:
        float `(rates,)` in dB.
    """
    prominence_db = read_prominence_db(image[..., 2])
    return rate_prominence_db(prominence_db, settings.frame_rates_hz, settings.sample_rate_hz)


def row_frequencies_hz(settings: AudioSettings, height: int) -> np.ndarray:
    """Return the centre frequency of each row of an image.

    Args:
        settings: FFT, frequency scale and number of bins of the rendering.
        height: of the image in pixels; differs from `frequency_bins` if it was resized.

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
    """Yield the frames of a window a few at a time, `(some, length)`, with their rows."""
    frames = np.lib.stride_tricks.sliding_window_view(window, length)
    starts = _frame_starts(len(window) - length, settings.frames)
    some = max(1, CHUNK_BYTES // (length * np.dtype(np.float32).itemsize))
    for first in range(0, settings.frames, some):
        rows = slice(first, first + some)
        yield rows, frames[starts[rows]]


def _spectrum(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return spectra as alternating real and imaginary parts: `(frames, fft_samples + 2)`."""
    from scipy import fft  # takes longer to import than an image takes to judge

    spectrum = fft.rfft(frames * weights, axis=1)
    return spectrum.view(spectrum.real.dtype)


def _in_bands(parts: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Sum the parts of each band: `(frames, fft_samples + 2)` to `(frames, frequency_bins)`."""
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
    """Return the Hann window weighted by the time of its samples, 0 in its middle."""
    return hann(length) * (np.arange(length) - length / 2).astype(np.float32)


@lru_cache(maxsize=8)
def _mel_filters(fft_samples: int, settings: AudioSettings):
    """Return triangles evenly spaced in mel, height 1: sparse `(fft bins, frequency_bins)`.

    A sparse product rounds alike with any number of threads; a dense one does not.
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
    """Convert to Slaney's mel scale: 3 mel per 200 Hz below 1 kHz, 27 mel per factor 6.4 above."""
    linear = np.asarray(hz, float) * 3 / 200
    return np.where(
        linear < 15, linear, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4)
    )


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
