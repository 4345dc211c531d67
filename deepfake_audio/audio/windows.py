"""Cut recordings into windows."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from deepfake_audio.audio.recordings import (
    Recording,
    frame_length,
    frame_powers,
    recording_blocks,
    trimming_power,
)
from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.errors import InputError

MAX_WINDOWS = 1_000_000  # of one file; hours of speech have thousands
FADE_SECONDS = 0.01


def recording_windows(
    recording: Recording, settings: AudioSettings, max_windows: int = 0
) -> Iterator[tuple[float, np.ndarray]]:
    """Cut a recording into windows; see `cut_windows`. Starts are times that a player shows.

    A window without a frame above the trimming threshold is left out: it is a pause.
    """
    frame_samples = frame_length(settings.sample_rate_hz)
    too_quiet = trimming_power(recording.powers, settings.trim_db)
    kept = _slice_blocks(recording_blocks(recording, settings), recording.first, recording.end)
    for start, window in cut_windows(kept, recording.end - recording.first, settings, max_windows):
        whole = window[: len(window) // frame_samples * frame_samples]
        if frame_powers(whole, frame_samples).max() >= too_quiet:
            start += recording.first / settings.sample_rate_hz
            yield recording.findings.player_seconds(start), window


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
    """Cut audio into windows; the last one ends with the audio.

    Audio shorter than a window lies in its middle, between silence; see `pad_window`.

    Args:
        blocks: float `(any,)`, one after the other.
        samples: number of samples in all blocks, at least 1.
        settings: `window_seconds`, `window_overlap`.
        max_windows: most windows to take, evenly spread; 0 takes all.

    Yields:
        The window's start in seconds and its samples `(window_samples,)`.
    """
    length = settings.window_samples
    if samples <= length:
        yield 0.0, pad_window(np.concatenate(list(blocks)), settings)
        return
    step = max(1, round(length * (1 - settings.window_overlap)))
    last = samples - length
    if not max_windows and last > step * MAX_WINDOWS:
        raise InputError(
            f"{samples / settings.sample_rate_hz:,.0f} s of sound with a window every "
            f"{step / settings.sample_rate_hz:g} s are more than {MAX_WINDOWS:,} windows; lower "
            "audio.window_overlap, or raise audio.window_seconds",
            "limit",
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


def pad_window(samples: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Centre a short sound in a window of silence; its edges are faded over 10 ms.

    Repeating the sound would make a seam, which looks like synthesis.

    Args:
        samples: float32 `(samples,)`, at most a window.
        settings: `sample_rate_hz`, `window_seconds`.

    Returns:
        float32 `(window_samples,)`; a sound of a whole window is not changed.
    """
    missing = settings.window_samples - len(samples)
    if not missing:
        return samples
    fade = min(round(FADE_SECONDS * settings.sample_rate_hz), len(samples) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    gains = np.concatenate([ramp, np.ones(len(samples) - 2 * fade, np.float32), ramp[::-1]])
    before = padding_before(len(samples), settings)
    return np.pad(samples * gains, (before, missing - before))


def padding_before(samples: int, settings: AudioSettings) -> int:
    """Return the samples of silence that `pad_window` puts before a sound."""
    return max(0, settings.window_samples - samples) // 2
