"""Sound to picture: decode to mono, cut windows, make the spectrogram image. Numpy in and out.

Files are read in blocks: a recording of hours takes no more memory than one of a minute.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from deepfake_audio.decoding import Spread, read_blocks
from deepfake_audio.errors import UserError
from deepfake_audio.frame_rates import frame_rate_lines_db, hann, rate_figures_db
from deepfake_audio.settings import AudioSettings
from deepfake_audio.vocabulary import COLUMNS, LEVELS_PER_DB, MIDDLE, NOT_OUT, ROWS

WHOLE_SECONDS = 60  # what is shorter is decoded once and held; what is longer is decoded twice
FRAME_SECONDS = 0.01
SILENCE_POWER = 1e-8  # -80 dBFS: the last bit of 16-bit audio, dithered, has less
CHUNK_BYTES = 65_536  # for larger arrays the C library fetches fresh pages, at thrice the time
USUAL_RATE_HZ = 48_000  # decoding a second above this rate takes longer in proportion
FILTERS_AT_ONCE = 64
DELAY_LEVELS = 80  # of a picture, times the arctangent of the delay in eighths of a frame
MOST_WINDOWS = 1_000_000  # of one file; hours of speech have thousands


@dataclass(frozen=True)
class Recording:
    """What is known of an audio file before its windows are looked at.

    Attributes:
        path: the file.
        beginning: its first minute, mono at our rate, float32 `(samples,)`.
        samples: the number of all samples at our rate.
        first: the first sample that is kept after trimming.
        end: the sample after the last one that is kept.
        powers: mean square of each 10 ms, `(frames,)`; the last may be shorter.
        loudest_power: the highest of these.
        file_rate_hz: the rate that the file was stored at.
        channels: how many the file has.
        channels_differ: they are of different sounds, as of two people on a line.
        channel: the one that was taken, from 1; None for their mean.
    """

    path: Path
    beginning: np.ndarray
    samples: int
    first: int
    end: int
    powers: np.ndarray
    loudest_power: float
    file_rate_hz: int
    channels: int = 1
    channels_differ: bool = False
    channel: int | None = None

    @property
    def is_silent(self) -> bool:
        """Return whether nothing in it is louder than the last bit of 16-bit audio."""
        return self.loudest_power < SILENCE_POWER


def open_recording(
    path: Path, settings: AudioSettings, max_hours: float = math.inf, channel: int | None = None
) -> Recording:
    """Decode a file far enough to know how long it is and where its quiet edges end.

    Args:
        path: wav, flac, mp3, ogg, opus, m4a, aac, amr, webm, the sound of an mp4, and others.
        settings: the rate to resample to, and `trim_db`: both edges that are quieter than the
            loudest 10 ms by more than this are cut off; 0 keeps everything.
        max_hours: of sound that are decoded; above 48 kHz an hour counts as longer.
        channel: the one to take, from 1; None takes the mean of all.

    Raises:
        UserError: the file is missing, too long, lacks the channel, or holds no sound that can be
            read.
    """
    frame_samples = frame_length(settings.sample_rate_hz)
    beginning, powers, rest, total, rate_hz = [], [], np.empty(0, np.float32), 0, 0
    spread = Spread()
    for rate_hz, block in read_blocks(path, settings.sample_rate_hz, channel, spread):
        if total < WHOLE_SECONDS * settings.sample_rate_hz:
            beginning.append(block)
        total += len(block)
        _check_length(path, total / settings.sample_rate_hz, rate_hz, max_hours)
        rest = np.concatenate([rest, block])
        frames = len(rest) // frame_samples
        powers.append(frame_powers(rest[: frames * frame_samples], frame_samples))
        rest = rest[frames * frame_samples :]
    if not total:
        raise _no_sound(path)
    if len(rest):
        powers.append(np.square(rest).mean(keepdims=True))
    power = np.concatenate(powers)
    first, end = _loud_span(power, frame_samples, total, settings.trim_db)
    loudest = float(power.max())
    wide = channel is None and spread.is_wide
    return Recording(
        path, np.concatenate(beginning), total, first, end, power, loudest, rate_hz,
        len(spread.powers), wide, channel,
    )  # fmt: skip


def _check_length(path: Path, seconds: float, rate_hz: int, max_hours: float) -> None:
    if seconds * max(1, rate_hz / USUAL_RATE_HZ) > 3600 * max_hours:
        raise UserError(
            f"A recording lasts at most limits.audio_hours={max_hours:g} hours, and above "
            f"{USUAL_RATE_HZ:,} Hz less in proportion. Received: {path}, which goes on longer. "
            "Cut it, or raise the limit in config.yaml."
        )


def recording_windows(
    recording: Recording, settings: AudioSettings, max_windows: int = 0
) -> Iterator[tuple[float, np.ndarray]]:
    """Cut a recording into windows; see `cut_windows`. Starts count from the file's beginning.

    A window that is quieter throughout than what trimming cuts off is left out: in a pause there
    is no voice to look at.
    """
    frame_samples = frame_length(settings.sample_rate_hz)
    too_quiet = recording.loudest_power * 10 ** (-(settings.trim_db or np.inf) / 10)
    kept = _slice_blocks(recording_blocks(recording, settings), recording.first, recording.end)
    for start, window in cut_windows(kept, recording.end - recording.first, settings, max_windows):
        whole = window[: len(window) // frame_samples * frame_samples]
        if frame_powers(whole, frame_samples).max() >= too_quiet:
            yield start + recording.first / settings.sample_rate_hz, window


def recording_blocks(recording: Recording, settings: AudioSettings) -> Iterator[np.ndarray]:
    """Yield all samples at our rate, float32 `(any,)`; a long recording is decoded once more."""
    if len(recording.beginning) == recording.samples:
        yield recording.beginning
        return
    for _, block in read_blocks(recording.path, settings.sample_rate_hz, recording.channel):
        yield block


def read_audio(path: Path, sample_rate_hz: int) -> np.ndarray:
    """Decode a whole audio file to mono at the given rate: float32 `(samples,)`, full scale 1.

    Raises:
        UserError: as `open_recording` does.
    """
    blocks = [block for _, block in read_blocks(path, sample_rate_hz)]
    if not blocks:
        raise _no_sound(path)
    return np.concatenate(blocks)


def _no_sound(path: Path) -> UserError:
    return UserError(f"An audio file must hold sound. Received: {path}, which holds none.")


def frame_length(sample_rate_hz: int) -> int:
    """Return the samples of 10 ms, the frame by which loud and quiet are told."""
    return max(1, round(FRAME_SECONDS * sample_rate_hz))


def frame_powers(samples: np.ndarray, frame_samples: int) -> np.ndarray:
    """Return the mean square of each frame; the samples are a whole number of frames."""
    frames = samples.reshape(-1, frame_samples)
    return np.einsum("ij,ij->i", frames, frames) / frame_samples


def _loud_span(
    powers: np.ndarray, frame_samples: int, samples: int, trim_db: float
) -> tuple[int, int]:
    """Return the first sample of the first loud frame, and the one after the last loud frame."""
    if not trim_db:
        return 0, samples
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (-trim_db / 10))
    return int(loud[0]) * frame_samples, min(samples, (int(loud[-1]) + 1) * frame_samples)


def trim_edges(samples: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Cut off both quiet edges of samples that are in memory; see `open_recording`."""
    frame_samples = frame_length(settings.sample_rate_hz)
    padded = np.pad(samples, (0, -len(samples) % frame_samples))
    powers = frame_powers(padded, frame_samples)
    first, end = _loud_span(powers, frame_samples, len(samples), settings.trim_db)
    return samples[first:end]


def _slice_blocks(blocks: Iterable[np.ndarray], first: int, end: int) -> Iterator[np.ndarray]:
    position = 0
    for block in blocks:
        yield block[max(0, first - position) : max(0, end - position)]
        position += len(block)
        if position >= end:
            return


def cut_windows(
    blocks: Iterable[np.ndarray], samples: int, settings: AudioSettings, max_windows: int = 0
) -> Iterator[tuple[float, np.ndarray]]:
    """Cut audio into windows; what is shorter is repeated to fill one, the last ends at the end.

    Args:
        blocks: float `(any,)` pieces that follow each other.
        samples: how many there are in all, at least one.
        settings: `window_seconds`, `window_overlap`.
        max_windows: take only so many, evenly spread; 0 takes all.

    Yields:
        The window's start in seconds and its samples `(window_samples,)`.
    """
    length = settings.window_samples
    if samples <= length:
        yield 0.0, np.resize(np.concatenate(list(blocks)), length)
        return
    step = max(1, round(length * (1 - settings.window_overlap)))
    last = samples - length
    if not max_windows and last > step * MOST_WINDOWS:
        raise UserError(
            f"A recording is cut into at most {MOST_WINDOWS:,} windows. Received: "
            f"{samples / settings.sample_rate_hz:,.0f} s of sound, a window each "
            f"{step / settings.sample_rate_hz:g} s. Overlap them less, or make them longer."
        )
    if max_windows and last > step * (max_windows - 1):
        starts = iter(np.linspace(0, last, max_windows).astype(int).tolist())
    else:
        starts = itertools.chain(range(0, last, step), [last])
    start, held_from, held = next(starts), 0, np.empty(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        unused = min(start - held_from, len(held))
        held, held_from = held[unused:], held_from + unused
        while start is not None and start + length <= held_from + len(held):
            yield start / settings.sample_rate_hz, held[start - held_from :][:length]
            start = next(starts, None)
        if start is None:
            return


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
    delay = np.arctan(eighths) * np.float32(DELAY_LEVELS) + np.float32(MIDDLE + 0.5)
    channels = [level, delay.astype(np.uint8)[::-1]]
    if settings.frame_rates_hz:
        channels.append(_rate_levels(window, settings))
    return np.stack(channels, axis=-1)


def _rate_levels(window: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Draw the lines at frame rates: uint8 `(frequency_bins, frames)`, each several rows high."""
    lines = frame_rate_lines_db(window, settings.frame_rates_hz, settings.sample_rate_hz)
    levels = np.clip(lines * LEVELS_PER_DB + (NOT_OUT + 0.5), 0, 255).astype(np.uint8)
    stripes = levels.reshape(ROWS, settings.frames)[::-1]
    return np.repeat(stripes, settings.frequency_bins // ROWS, axis=0)


def drawn_rate_figures_db(image: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Read from an image that was drawn with frame rates how far each stands out, `(rates,)`.

    Args:
        image: uint8 `(frequency_bins, frames, 3)`, of `spectrogram_image`.
        settings: as it was drawn.
    """
    stripes = image[:: settings.frequency_bins // ROWS, :, 2][::-1].astype(np.float32)
    lines_db = ((stripes - NOT_OUT) / LEVELS_PER_DB).reshape(ROWS, -1, COLUMNS)
    return rate_figures_db(lines_db, settings.frame_rates_hz, settings.sample_rate_hz)


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
