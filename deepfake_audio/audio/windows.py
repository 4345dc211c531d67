"""Cut recordings into windows, block by block: hours take no more memory than minutes."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from deepfake_audio.audio.decoding import full_scale, read_blocks
from deepfake_audio.audio.findings import Findings
from deepfake_audio.audio.sounds import NoSoundError, Sound, name_of
from deepfake_audio.config.schema import AudioSettings
from deepfake_audio.errors import InputError

WHOLE_SECONDS = 60  # shorter recordings are kept in memory, longer ones are decoded twice
FRAME_SECONDS = 0.01
SILENCE_POWER = 1e-8  # -80 dBFS: the last bit of 16-bit audio, dithered, has less
USUAL_RATE_HZ = 48_000  # decoding a second above this rate takes longer in proportion
MAX_WINDOWS = 1_000_000  # of one file; hours of speech have thousands


@dataclass(frozen=True)
class Recording:
    """A recording that was decoded once: its length, edges and channels.

    Attributes:
        sound: the file, its bytes, or samples.
        beginning: its first minute, mono at the rate of the settings, float32 `(samples,)`.
        samples: number of all samples at that rate.
        first: first sample after trimming.
        end: index after the last sample that trimming keeps.
        powers: mean square of each 10 ms, `(frames,)`; the last may be shorter.
        loudest_power: the highest of these.
        file_rate_hz: sample rate of the file.
        channels: number of channels of the file.
        channels_differ: the channels carry different sounds, such as two people on a line.
        channel: the one that was decoded, from 1; None for the mean of all.
        decoder_megabytes: see `read_blocks`.
        track: the one that was decoded, from 1.
        findings: what else decoding found.
    """

    sound: Sound
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
    decoder_megabytes: int = 0
    track: int = 1
    findings: Findings = field(default_factory=Findings)

    @property
    def is_silent(self) -> bool:
        """Return whether no 10 ms are louder than the last bit of 16-bit audio."""
        return self.loudest_power < SILENCE_POWER


def open_recording(
    sound: Sound,
    settings: AudioSettings,
    max_hours: float = math.inf,
    channel: int | None = None,
    decoder_megabytes: int = 0,
    track: int = 1,
) -> Recording:
    """Decode a recording to find its length and its quiet edges.

    Args:
        sound: a file (wav, flac, mp3, ogg, opus, m4a, aac, amr, webm, the sound of an mp4, and
            others), its bytes, or samples.
        settings: the rate to resample to, and `trim_db`: an edge that is quieter than the loudest
            10 ms by more than this is cut off; 0 keeps everything.
        max_hours: longest recording to decode; above 48 kHz an hour counts as longer.
        channel: the channel to take, from 1; None takes the mean of all.
        decoder_megabytes: see `read_blocks`.
        track: the track to take, from 1.

    Raises:
        NoSoundError: nothing of the track can be decoded.
        InputError: the file is missing or too long, or lacks the track or channel.
    """
    frame_samples = frame_length(settings.sample_rate_hz)
    beginning, powers, rest, total, rate_hz = [], [], np.empty(0, np.float32), 0, 0
    findings = Findings()
    for rate_hz, block in read_blocks(
        sound, settings.sample_rate_hz, channel, findings, decoder_megabytes, track
    ):
        if total < WHOLE_SECONDS * settings.sample_rate_hz:
            beginning.append(block)
        total += len(block)
        _check_length(sound, total / settings.sample_rate_hz, rate_hz, max_hours)
        rest = np.concatenate([rest, block])
        frames = len(rest) // frame_samples
        powers.append(frame_powers(rest[: frames * frame_samples], frame_samples))
        rest = rest[frames * frame_samples :]
    if not total:
        raise _no_sound(sound, findings)
    if len(rest):
        powers.append(np.square(rest).mean(keepdims=True))
    scale = full_scale(sound, findings)
    power = _scaled(np.concatenate(powers), scale**2)
    first, end = _loud_span(power, frame_samples, total, settings.trim_db)
    loudest = float(power.max())
    stats = findings.channels
    channels_differ = channel is None and stats.is_wide
    return Recording(
        sound, _scaled(np.concatenate(beginning), scale), total, first, end, power, loudest,
        rate_hz, len(stats.powers), channels_differ, channel, decoder_megabytes, track, findings,
    )  # fmt: skip


def _check_length(sound: Sound, seconds: float, rate_hz: int, max_hours: float) -> None:
    if seconds * max(1, rate_hz / USUAL_RATE_HZ) > 3600 * max_hours:
        raise InputError(
            f"cannot read {name_of(sound)}: it is longer than limits.audio_hours={max_hours:g} "
            f"(less in proportion above {USUAL_RATE_HZ:,} Hz); cut it, or raise the limit in "
            "config.yaml"
        )


def recording_windows(
    recording: Recording, settings: AudioSettings, max_windows: int = 0
) -> Iterator[tuple[float, np.ndarray]]:
    """Cut a recording into windows; see `cut_windows`. Starts are times that a player shows.

    A window without a frame above the trimming threshold is left out: it is a pause.
    """
    frame_samples = frame_length(settings.sample_rate_hz)
    too_quiet = recording.loudest_power * 10 ** (-(settings.trim_db or np.inf) / 10)
    kept = _slice_blocks(recording_blocks(recording, settings), recording.first, recording.end)
    for start, window in cut_windows(kept, recording.end - recording.first, settings, max_windows):
        whole = window[: len(window) // frame_samples * frame_samples]
        if frame_powers(whole, frame_samples).max() >= too_quiet:
            start += recording.first / settings.sample_rate_hz
            yield recording.findings.player_seconds(start), window


def recording_blocks(recording: Recording, settings: AudioSettings) -> Iterator[np.ndarray]:
    """Yield all samples, float32 `(any,)`; a long recording is decoded once more."""
    if len(recording.beginning) == recording.samples:
        yield recording.beginning
        return
    blocks = read_blocks(
        recording.sound, settings.sample_rate_hz, recording.channel, Findings(),
        recording.decoder_megabytes, recording.track,
    )  # fmt: skip
    for _, block in blocks:
        yield _scaled(block, recording.findings.levels.full_scale)


def _scaled(values: np.ndarray, scale: int) -> np.ndarray:
    """Divide by a power of two, which changes no digit."""
    return values if scale == 1 else values / values.dtype.type(scale)


def read_audio(sound: Sound, sample_rate_hz: int) -> np.ndarray:
    """Decode a whole recording to mono at the given rate: float32 `(samples,)`, full scale 1.

    Raises:
        InputError: as `open_recording` does.
    """
    findings = Findings()
    blocks = [block for _, block in read_blocks(sound, sample_rate_hz, None, findings)]
    if not blocks:
        raise _no_sound(sound, findings)
    return _scaled(np.concatenate(blocks), full_scale(sound, findings))


def _no_sound(sound: Sound, findings: Findings) -> NoSoundError:
    return NoSoundError(f"cannot read {name_of(sound)}: it has no sound", findings.tracks)


def frame_length(sample_rate_hz: int) -> int:
    """Return the number of samples in 10 ms, the frame in which loudness is measured."""
    return max(1, round(FRAME_SECONDS * sample_rate_hz))


def frame_powers(samples: np.ndarray, frame_samples: int) -> np.ndarray:
    """Return the mean square of each frame; `samples` is a whole number of frames."""
    frames = samples.reshape(-1, frame_samples)
    return np.einsum("ij,ij->i", frames, frames) / frame_samples


def _loud_span(
    powers: np.ndarray, frame_samples: int, samples: int, trim_db: float
) -> tuple[int, int]:
    """Return the start of the first loud frame and the end of the last one, in samples."""
    if not trim_db:
        return 0, samples
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (-trim_db / 10))
    return int(loud[0]) * frame_samples, min(samples, (int(loud[-1]) + 1) * frame_samples)


def trim_edges(samples: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Cut off both quiet edges of samples; see `open_recording`."""
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
    """Cut audio into windows; the last one ends with the audio.

    Audio shorter than a window is repeated to fill one.

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
        yield 0.0, np.resize(np.concatenate(list(blocks)), length)
        return
    step = max(1, round(length * (1 - settings.window_overlap)))
    last = samples - length
    if not max_windows and last > step * MAX_WINDOWS:
        raise InputError(
            f"{samples / settings.sample_rate_hz:,.0f} s of sound with a window every "
            f"{step / settings.sample_rate_hz:g} s are more than {MAX_WINDOWS:,} windows; lower "
            "audio.window_overlap, or raise audio.window_seconds"
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
