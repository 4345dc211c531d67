"""Render the stretch of a recording that looks most like a fake."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepfake_audio.audio.sounds import Sound
from deepfake_audio.audio.windows import padding_before, recording_windows
from deepfake_audio.config.schema import AudioSettings
from deepfake_audio.errors import InputError, renamed_in_errors
from deepfake_audio.features.image_files import fit_image
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.inference.inputs import Reading, Window
from deepfake_audio.inference.parts import open_part

MAX_WINDOWS = 12  # about 10 s, which a page shows in detail
MAX_GAP_SECONDS = 3.0  # between the starts of two windows, or the stretch would be mostly silent
ROUNDING_SECONDS = 1e-6


@dataclass(frozen=True, eq=False)
class RenderedStretch:
    """Successive windows of one track or channel.

    Attributes:
        track, channel: see `Window`.
        edges: between the parts that the windows represent, in seconds, `(windows + 1,)`.
        images: as the network receives them, uint8 `(height, width, channels)` each.
        level: the spectrogram of the whole stretch, uint8 `(frequency_bins, frames)`, lowest
            frequency at the bottom.
        level_seconds: begin and end of it; silence around a short sound is a part of it.
    """

    track: int
    channel: int
    edges: np.ndarray
    images: list[np.ndarray]
    level: np.ndarray
    level_seconds: tuple[float, float]


def most_fake_windows(windows: Sequence[Window]) -> Sequence[Window]:
    """Return the successive windows of one track and channel with the lowest mean score."""
    parts, runs = [[windows[0]]], []
    for before, window in pairwise(windows):
        same_part = (window.track, window.channel) == (before.track, before.channel)
        if not same_part or window.start_seconds - before.start_seconds > MAX_GAP_SECONDS:
            parts.append([])
        parts[-1].append(window)
    for part in parts:
        count = min(MAX_WINDOWS, len(part))
        scores = np.convolve([window.score for window in part], np.ones(count) / count, "valid")
        first = int(np.argmin(scores))
        runs.append((float(scores[first]), part[first : first + count]))
    return min(runs, key=lambda run: run[0])[1]


def render_stretch(
    name: str, source: Sound, windows: Sequence[Window], reading: Reading, end_seconds: float
) -> RenderedStretch:
    """Decode a recording again, and render some of its windows.

    Args:
        name: of the recording, for errors.
        windows: successive windows of one track and channel; see `most_fake_windows`.
        end_seconds: end of the sound.

    Raises:
        InputError: the recording can't be read any more, or is another one.
    """
    audio, first = reading.settings.audio, windows[0]
    starts = np.array([window.start_seconds for window in windows])
    with renamed_in_errors(name, source):
        recording = open_part(source, reading, first.channel or None, first.track)
        found = []
        for start, samples in recording_windows(recording, audio):
            if start > starts[-1] + ROUNDING_SECONDS:
                break
            if start >= starts[0] - ROUNDING_SECONDS:
                found.append(samples)
    if len(found) != len(windows):
        raise InputError(f"{name} has changed since it was judged; judge it again")
    images = [fit_image(spectrogram_image(s, audio), reading.settings.image) for s in found]
    middles = starts + audio.window_seconds / 2
    end = max(min(end_seconds, starts[-1] + audio.window_seconds), starts[0])
    edges = np.array([starts[0], *(middles[1:] + middles[:-1]) / 2, end])
    begin = (
        starts[0] - padding_before(recording.end - recording.first, audio) / audio.sample_rate_hz
    )
    level, seconds = _level(starts, found, audio)
    return RenderedStretch(
        first.track, first.channel, edges, images, level, (begin, begin + seconds)
    )


def _level(
    starts: np.ndarray, found: Sequence[np.ndarray], audio: AudioSettings
) -> tuple[np.ndarray, float]:
    """Join windows, and return one spectrogram of them all, and its length in seconds."""
    firsts = np.round((starts - starts[0]) * audio.sample_rate_hz).astype(int)
    sound = np.zeros(firsts[-1] + audio.window_samples, np.float32)
    for first, samples in zip(firsts, found, strict=True):
        sound[first : first + len(samples)] = samples
    frames = round(audio.frames * len(sound) / audio.window_samples)
    whole = audio.model_copy(
        update={"frames": frames, "delay_fft_samples": 0, "frame_rates_hz": ()}
    )
    return spectrogram_image(sound, whole), len(sound) / audio.sample_rate_hz
