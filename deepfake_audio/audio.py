"""Sound to picture: decode to mono, cut windows, make the spectrogram image. Numpy in and out."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import fft

from deepfake_audio.config import AudioSettings
from deepfake_audio.errors import UserError

SILENCE_PEAK = 1e-5  # -100 dBFS: below the last bit of 16-bit audio there is nothing to look at
TRIM_FRAME_SECONDS = 0.01


def read_audio(path: Path, sample_rate_hz: int) -> np.ndarray:
    """Decode an audio file to mono at the given rate.

    Args:
        path: any file that libsndfile reads (wav, flac, ogg, mp3, ...).
        sample_rate_hz: the rate to resample to.

    Returns:
        float32 `(samples,)`, full scale is 1.

    Raises:
        UserError: the file is missing or holds no audio that can be read.
    """
    try:
        with soundfile.SoundFile(path) as file:
            channels = file.read(dtype="float32", always_2d=True)  # (samples, channels)
            file_rate_hz = file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"An audio file must be readable. Received: {path} ({error}).") from None
    samples = channels.mean(axis=1)
    if not len(samples) or not np.isfinite(samples).all():
        raise UserError(f"An audio file must hold finite samples. Received: {path}.")
    return soxr.resample(samples, file_rate_hz, sample_rate_hz, quality="HQ")


def trim_edges(samples: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Cut off both edges that are quieter than the loudest 10 ms frame by more than `trim_db`.

    Args:
        samples: float `(samples,)`.
        settings: `trim_db` 0 keeps everything.

    Returns:
        A view of `samples` from the first to the last loud frame.
    """
    frame_samples = max(1, round(TRIM_FRAME_SECONDS * settings.sample_rate_hz))
    frames = len(samples) // frame_samples
    if not settings.trim_db or not frames:
        return samples
    power = np.square(samples[: frames * frame_samples].reshape(frames, -1)).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-settings.trim_db / 10))
    end = len(samples) if loud[-1] == frames - 1 else (loud[-1] + 1) * frame_samples
    return samples[loud[0] * frame_samples : end]


def cut_windows(samples: np.ndarray, settings: AudioSettings) -> Iterator[tuple[float, np.ndarray]]:
    """Cut audio into windows; a shorter file is repeated to fill one, the last one ends at the end.

    Args:
        samples: float `(samples,)`, at least one.
        settings: `window_seconds`, `window_overlap`.

    Yields:
        The window's start in seconds and its samples `(window_samples,)`.
    """
    length = settings.window_samples
    if len(samples) < length:
        yield 0.0, np.resize(samples, length)
        return
    step = max(1, round(length * (1 - settings.window_overlap)))
    last = len(samples) - length
    starts = list(range(0, last + 1, step))
    if starts[-1] < last:
        starts.append(last)
    for start in starts:
        yield start / settings.sample_rate_hz, samples[start : start + length]


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
    starts = np.linspace(0, len(window) - settings.fft_samples, settings.frames).round().astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(window, settings.fft_samples)[starts]
    spectrum = fft.rfft(frames * _hann(settings.fft_samples), axis=1)  # (frames, fft bins)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    if settings.frequency_scale == "linear":
        bands = power[:, 1:].reshape(settings.frames, settings.frequency_bins, -1).mean(axis=2)
    else:
        bands = power @ _mel_filters(settings)
    peak = bands.max()
    if peak <= 0:
        return np.full((settings.frequency_bins, settings.frames), -np.inf, np.float32)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(bands.T / peak)


def spectrogram_image(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Draw one window: the same samples always give the same pixels.

    Args:
        window: float `(window_samples,)`.
        settings: FFT, size, frequency scale, dB range.

    Returns:
        uint8 `(frequency_bins, frames)`, lowest frequency at the bottom; 255 is the loudest point,
        0 is `db_range` below it or less.
    """
    level = spectrogram_db(window, settings)
    pixels = np.clip(level / settings.db_range + 1, 0, 1) * 255
    return np.ascontiguousarray(np.rint(pixels).astype(np.uint8)[::-1])


@lru_cache(maxsize=8)
def _hann(length: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


@lru_cache(maxsize=8)
def _mel_filters(settings: AudioSettings) -> np.ndarray:
    """Return triangles evenly spaced in mel, height 1: `(fft bins, frequency_bins)`."""
    edges_mel = np.linspace(
        _hz_to_mel(settings.min_hz), _hz_to_mel(settings.max_hz), settings.frequency_bins + 2
    )
    edges_hz = _mel_to_hz(edges_mel)
    bin_hz = np.fft.rfftfreq(settings.fft_samples, 1 / settings.sample_rate_hz)[:, None]
    rising = (bin_hz - edges_hz[:-2]) / np.diff(edges_hz)[:-1]
    falling = (edges_hz[2:] - bin_hz) / np.diff(edges_hz)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _hz_to_mel(hz: float | np.ndarray) -> np.ndarray:
    """Slaney's scale: 3 mel per 200 Hz below 1 kHz, 27 mel per factor 6.4 above."""
    linear = np.asarray(hz, float) * 3 / 200
    return np.where(
        linear < 15, linear, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4)
    )


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
