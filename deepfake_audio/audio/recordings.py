"""Open recordings, block by block: hours take no more memory than minutes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from deepfake_audio.audio.findings import SILENCE_POWER, Findings
from deepfake_audio.audio.sounds import OTHER_FILE, NoSoundError, Sound, name_of
from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.errors import InputError

WHOLE_SECONDS = 60  # shorter recordings are kept in memory, longer ones are decoded twice
FRAME_SECONDS = 0.01
KNOCK_FRAMES, KNOCK_DB = 10, 20
QUIET_SECONDS, QUIET_RANGE_DB = 3, 15  # shorter pauses are left out without a note
USUAL_RATE_HZ = 48_000  # decoding a second above this rate takes longer in proportion
OFFSET_KERNEL = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1]) / 25  # frames; keeps 99% of a voice of 60 Hz
# An offset below these shares of the loudest 10 ms is left, so that ordinary files stay the same:
# of 546 recordings none has a mean above 0.00003 of it, or a drift above 0.03.
MAX_MEAN_SHARE, MAX_DRIFT_SHARE = 0.003, 0.06


@dataclass(frozen=True)
class Recording:
    """A recording that was decoded once: its length, edges and channels.

    Attributes:
        sound, channel, decoder_megabytes, track: what was decoded; see `read_blocks`.
        beginning: its first minute, mono at the rate of the settings, float32 `(samples,)`.
        samples: number of all samples at that rate.
        first: first sample after trimming.
        end: index after the last sample that trimming keeps.
        powers: mean square of each 10 ms without the offset, `(frames,)`; the last may be shorter.
        offset: of each 10 ms, which was subtracted from `beginning`; None if there is none.
        loudest_power: the highest of these.
        file_rate_hz: sample rate of the file.
        channels: number of channels of the file.
        channels_differ: the channels carry different sounds, such as two people on a line.
        findings: other facts from decoding.
    """

    sound: Sound
    beginning: np.ndarray
    samples: int
    first: int
    end: int
    powers: np.ndarray
    offset: np.ndarray | None
    loudest_power: float
    file_rate_hz: int
    channels: int = 1
    channels_differ: bool = False
    channel: int | None = None
    decoder_megabytes: int = 0
    track: int = 1
    findings: Findings = field(default_factory=Findings)

    @property
    def mean_offset(self) -> float:
        """Return the mean of the offset that was subtracted."""
        return 0.0 if self.offset is None else float(self.offset.mean())

    @property
    def is_silent(self) -> bool:
        """Return whether no 10 ms are louder than silence.

        Unused channels and muted microphones, which have an offset, have noise.
        """
        has_offset = self.offset is not None and np.square(self.offset).max() > SILENCE_POWER
        may_be_exact = self.channel is None and self.findings.tracks == 1 and not has_offset
        floor = self.findings.silence_power if may_be_exact else SILENCE_POWER
        return self.loudest_power < floor


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
        settings: the rate to resample to, and `trim_db`: an edge that is quieter than the loudest
            10 ms by more than this is cut off; 0 keeps everything.
        max_hours: longest recording to decode; above 48 kHz an hour counts as longer.
        sound, channel, decoder_megabytes, track: see `read_blocks`.

    Raises:
        NoSoundError: nothing of the track can be decoded.
        InputError: the file is missing or too long, or lacks the track or channel.
    """
    frame_samples = frame_length(settings.sample_rate_hz)
    beginning, powers, steadies, rest, total, rate_hz = [], [], [], np.empty(0, np.float32), 0, 0
    findings = Findings()
    for rate_hz, block in _decoding().read_blocks(
        sound, settings.sample_rate_hz, channel, findings, decoder_megabytes, track
    ):
        if total < WHOLE_SECONDS * settings.sample_rate_hz:
            beginning.append(block)
        total += len(block)
        _check_length(sound, total / settings.sample_rate_hz, rate_hz, max_hours)
        rest = np.concatenate([rest, block])
        whole = len(rest) // frame_samples * frame_samples
        powers.append(frame_powers(rest[:whole], frame_samples))
        steadies.append(_means_and_variances(rest[:whole], frame_samples))
        rest = rest[whole:]
    if not total:
        raise _no_sound(sound, findings)
    if len(rest):
        powers.append(np.square(rest).mean(keepdims=True))
        steadies.append(_means_and_variances(rest, len(rest)))
    scale = _decoding().full_scale(sound, findings)
    means, variances = np.concatenate(steadies, axis=1)
    power, offset = subtract_offset(
        _scaled(np.concatenate(powers), scale**2), means / scale, variances / scale**2
    )
    first, end = _loud_span(power, frame_samples, total, settings.trim_db)
    stats = findings.channels
    start = next(
        _without_offset([_scaled(np.concatenate(beginning), scale)], offset, frame_samples)
    )
    return Recording(
        sound, start, total, first, end, power, offset, float(power.max()), rate_hz,
        len(stats.powers), channel is None and stats.is_wide, channel, decoder_megabytes, track,
        findings,
    )  # fmt: skip


def _decoding() -> ModuleType:
    """Import the decoders, which takes longer than an image takes to judge."""
    from deepfake_audio.audio import decoding

    return decoding


def _check_length(sound: Sound, seconds: float, rate_hz: int, max_hours: float) -> None:
    if seconds * max(1, rate_hz / USUAL_RATE_HZ) > 3600 * max_hours:
        raise InputError(
            f"cannot read {name_of(sound)}: it is longer than limits.audio_hours={max_hours:g} "
            f"(less in proportion above {USUAL_RATE_HZ:,} Hz); cut it, or raise the limit in "
            "config.yaml",
            "limit",
        )


def recording_blocks(recording: Recording, settings: AudioSettings) -> Iterator[np.ndarray]:
    """Yield all samples, float32 `(any,)`; a long recording is decoded once more."""
    if len(recording.beginning) == recording.samples:
        yield recording.beginning
        return
    blocks = _decoding().read_blocks(
        recording.sound, settings.sample_rate_hz, recording.channel, Findings(),
        recording.decoder_megabytes, recording.track,
    )  # fmt: skip
    frame_samples = frame_length(settings.sample_rate_hz)
    scaled = (_scaled(block, recording.findings.levels.full_scale) for _, block in blocks)
    yield from _without_offset(scaled, recording.offset, frame_samples)


def _scaled(values: np.ndarray, scale: int) -> np.ndarray:
    """Divide by a power of two, which changes no digit."""
    return values if scale == 1 else values / values.dtype.type(scale)


def _means_and_variances(samples: np.ndarray, frame_samples: int) -> np.ndarray:
    """Return the mean and the variance of each frame, float64 `(2, frames)`."""
    frames = samples.reshape(-1, frame_samples)
    means = frames.mean(axis=1, keepdims=True)
    return np.stack([means[:, 0], frame_powers(frames - means, frame_samples)]).astype(np.float64)


def subtract_offset(
    powers: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Find a constant or drifting offset, which is no sound, and subtract it from the powers.

    Args:
        powers: mean squares of each 10 ms, `(frames,)`.
        means: mean samples of each 10 ms.
        variances: mean squares of the differences from these means.

    Returns:
        The powers without the offset, and the offset of each frame, `(frames,)`: the mean of the
        surrounding 90 ms if this drifts, or else that of the recording. If there is no offset to
        speak of, the powers are the same, and the offset is None.
    """
    constant, half = np.full(len(means), means.mean()), len(OFFSET_KERNEL) // 2
    drift = constant
    if len(means) > half:
        around = np.pad(means, half, mode="reflect", reflect_type="odd")
        drift = np.convolve(around, OFFSET_KERNEL, "valid")
    slopes = np.gradient(drift) if len(means) > 1 else 0.0  # per frame
    steady = np.maximum(variances - np.square(slopes) / 12, 0)
    loudest = np.sqrt((steady + np.square(means - drift)).max())
    if np.std(drift) > MAX_DRIFT_SHARE * loudest:
        return steady + np.square(means - drift), drift
    if abs(constant[0]) > MAX_MEAN_SHARE * loudest:
        return variances + np.square(means - constant), constant
    return powers, None


def _without_offset(
    blocks: Iterable[np.ndarray], offset: np.ndarray | None, frame_samples: int
) -> Iterator[np.ndarray]:
    """Subtract the offset of frames, interpolated between their middles, from all samples.

    Lines from frame to frame would bend 100 times a second, as some vocoders do.
    """
    if offset is None:
        yield from blocks
        return
    from scipy.interpolate import CubicSpline  # slow to import

    last = max(1, len(offset) - 1)
    curve, first = CubicSpline(np.arange(last + 1), np.resize(offset, last + 1)), 0
    for block in blocks:
        frames = (np.arange(first, first + len(block)) + 0.5) / frame_samples - 0.5
        yield block - curve(np.clip(frames, 0, last)).astype(np.float32)
        first += len(block)


def read_audio(sound: Sound, sample_rate_hz: int) -> np.ndarray:
    """Decode a whole recording to mono at the given rate: float32 `(samples,)`, full scale 1.

    Raises:
        InputError: as `open_recording` does.
    """
    findings = Findings()
    blocks = [block for _, block in _decoding().read_blocks(sound, sample_rate_hz, None, findings)]
    if not blocks:
        raise _no_sound(sound, findings)
    return _scaled(np.concatenate(blocks), _decoding().full_scale(sound, findings))


def _no_sound(sound: Sound, findings: Findings) -> NoSoundError:
    text = f"cannot read {name_of(sound)}: it has no sound; {OTHER_FILE}"
    return NoSoundError(text, findings.tracks)


def frame_length(sample_rate_hz: int) -> int:
    """Return the number of samples in 10 ms, the frame in which loudness is measured."""
    return max(1, round(FRAME_SECONDS * sample_rate_hz))


def frame_powers(samples: np.ndarray, frame_samples: int) -> np.ndarray:
    """Return the mean square of each frame; `samples` is a whole number of frames."""
    frames = samples.reshape(-1, frame_samples)
    return np.einsum("ij,ij->i", frames, frames) / frame_samples


def trimming_power(powers: np.ndarray, trim_db: float) -> float:
    """Return the power of the quietest frame to keep at an edge: `trim_db` below the loudest.

    A knock before a quiet voice does not count: up to 0.1 s of frames that are far louder than all
    others. In 356 clips the loudest frame is at most 12 dB louder than the tenth.

    Args:
        powers: mean square of each 10 ms, `(frames,)`.
        trim_db: 0 keeps everything.
    """
    loudest = float(powers.max())
    if len(powers) >= KNOCK_FRAMES:
        usual = float(np.partition(powers, -KNOCK_FRAMES)[-KNOCK_FRAMES])
        if SILENCE_POWER < usual < loudest * 10 ** (-KNOCK_DB / 10):
            loudest = usual
    return loudest * 10 ** (-(trim_db or np.inf) / 10)


def stretches_of(chosen: np.ndarray) -> np.ndarray:
    """Return the first index of each stretch of true values, and the one after its last.

    >>> stretches_of(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    edges = np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]]))
    return np.flatnonzero(edges).reshape(-1, 2)


def quiet_seconds(recording: Recording, settings: AudioSettings) -> float:
    """Return the duration of long quiet sound that is not judged, but varies as a voice does.

    The background between sentences is steady: its loud and quiet frames differ by a few dB.
    """
    powers, seconds = recording.powers, 0.0
    is_quiet = powers < trimming_power(powers, settings.trim_db)
    for first, after in stretches_of(is_quiet):
        if after - first >= QUIET_SECONDS / FRAME_SECONDS:
            low, high = np.percentile(powers[first:after], [10, 90])
            if high > max(SILENCE_POWER, low * 10 ** (QUIET_RANGE_DB / 10)):
                seconds += float((after - first) * FRAME_SECONDS)
    return seconds


def loud_seconds(recording: Recording, settings: AudioSettings) -> float:
    """Return the duration of all frames that are not as quiet as an edge to trim."""
    loud = recording.powers >= trimming_power(recording.powers, settings.trim_db)
    return float(np.count_nonzero(loud) * FRAME_SECONDS)


def _loud_span(
    powers: np.ndarray, frame_samples: int, samples: int, trim_db: float
) -> tuple[int, int]:
    """Return the start of the first loud frame and the end of the last one, in samples."""
    if not trim_db:
        return 0, samples
    loud = np.flatnonzero(powers >= trimming_power(powers, trim_db))
    return int(loud[0]) * frame_samples, min(samples, (int(loud[-1]) + 1) * frame_samples)


def trim_edges(samples: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """Cut off both quiet edges of samples; see `open_recording`."""
    frame_samples = frame_length(settings.sample_rate_hz)
    padded = np.pad(samples, (0, -len(samples) % frame_samples))
    powers = frame_powers(padded, frame_samples)
    first, end = _loud_span(powers, frame_samples, len(samples), settings.trim_db)
    return samples[first:end]
