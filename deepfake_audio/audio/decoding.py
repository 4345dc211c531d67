"""Decode any recording into blocks of mono samples at one rate, whatever its header claims."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from deepfake_audio.audio.sounds import (
    Samples,
    Sound,
    check_rate,
    name_of,
    open_file,
    open_lenient,
)
from deepfake_audio.errors import InputError, pluralize
from deepfake_audio.system.memory import bounded_memory, held_bytes

BLOCK_SECONDS = 30
MAX_BLOCK_VALUES = 50_000_000  # over all channels: 30 s of 8 channels at 192 kHz are 46 million
MAX_FRAMES_PER_SECOND = 2000  # codecs have up to 1200; frames of one sample would take as long each
BLOCK_FRAMES = 10_000
MAX_SAMPLE = 1e4  # float files may pass full scale, but not by 80 dB
NO_OTHER_FILES = {"protocol_whitelist": "none"}  # a playlist can't open the files that it names
# Players read concatenated files of these formats to the end, libsndfile only the first one. The
# values are FFmpeg's names.
CONCATENABLE_FORMATS = {"FLAC": "flac", "MP3": "mp3", "OGG": "ogg"}
# How libsndfile decodes files without a header; it knows them by their suffix only.
HEADERLESS = {".au": "ULAW", ".snd": "ULAW", ".vox": "VOX_ADPCM", ".gsm": "GSM610"}
CANCELLED_POWER = 0.001  # of the loudest channel: the mean of channels of opposite sign has less
MIN_CHANNEL_POWER = 0.01  # of the loudest channel: crosstalk has less
MIN_CHANNEL_DIFFERENCE = 0.5  # power lost in the mean over power kept: 1 for two voices
PADDING_SECONDS = 0.5  # an encoder may add up to this


class _MoreSoundError(Exception):
    """A file contains more sound than libsndfile reads."""


@dataclass
class ChannelStats:
    """How far the channels of a recording differ, summed over its blocks.

    Attributes:
        powers: sums of squares of each channel, `(channels,)`; empty before the first block.
        mixed: sum of squares of their mean.
    """

    powers: np.ndarray = field(default_factory=lambda: np.empty(0))
    mixed: float = 0.0

    def add(self, channels: np.ndarray) -> None:
        """Add a block, `(samples, channels)`."""
        if channels.shape[1] == 1:
            self.powers = np.zeros(1)
            return
        powers = np.square(channels, dtype=np.float64).sum(axis=0)
        self.powers = powers if len(self.powers) != len(powers) else self.powers + powers
        self.mixed += float(np.square(channels.mean(axis=1), dtype=np.float64).sum())

    @property
    def is_wide(self) -> bool:
        """Return whether two loud channels carry different sounds, not one sound in stereo."""
        if len(self.powers) < 2:
            return False
        second, loudest = np.sort(self.powers)[-2:]
        return bool(
            second > MIN_CHANNEL_POWER * loudest
            and self.powers.mean() - self.mixed > MIN_CHANNEL_DIFFERENCE * self.mixed
        )


def read_blocks(
    sound: Sound,
    sample_rate_hz: int,
    channel: int | None = None,
    stats: ChannelStats | None = None,
    decoder_megabytes: int = 0,
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode a recording block by block, whatever length its header claims.

    Args:
        sound: any file that libsndfile or FFmpeg reads, its bytes, or samples.
        sample_rate_hz: the rate to resample to.
        channel: the channel to take, from 1; None takes the mean of all.
        stats: receives how far the channels differ.
        decoder_megabytes: memory that FFmpeg may take; see `bounded_memory`. 0 sets no bound.

    Yields:
        The recording's own rate, and mono samples at the given rate: float32 `(samples,)`, full
        scale 1, never empty.

    Raises:
        InputError: the file is missing or can't be decoded, or a sample is infinite or not a
            number.
    """
    resampler = None
    for rate_hz, channels in _native_blocks(sound, decoder_megabytes):  # (samples, channels)
        if resampler is None and rate_hz != sample_rate_hz:
            resampler = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, "float32", "HQ")
        with np.errstate(invalid="ignore", over="ignore"):  # the next line checks the result
            mono = _one_channel(sound, channels, channel, stats)
        if len(mono) and not np.abs(mono).max() < MAX_SAMPLE:  # also false for not a number
            raise InputError(
                f"cannot read {name_of(sound)}: a sample is infinite, not a number, or above "
                f"{MAX_SAMPLE:,g} times full scale"
            )
        block = resampler.resample_chunk(mono) if resampler else mono
        if len(block):  # the resampler holds the first few samples back
            yield rate_hz, block
    if resampler and len(block := resampler.resample_chunk(np.empty(0, np.float32), last=True)):
        yield rate_hz, block


def _native_blocks(sound: Sound, megabytes: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rate and the samples `(samples, channels)` of a recording at its own rate."""
    if isinstance(sound, Samples):
        yield from _blocks_in_memory(sound)
        return
    try:
        blocks = _soundfile_blocks(sound, megabytes)
        first = next(blocks, None)
    except (OSError, TypeError, soundfile.LibsndfileError, _MoreSoundError):
        yield from _ffmpeg_blocks(sound, megabytes)
        return
    if first is not None:
        yield first
        yield from blocks


def _blocks_in_memory(sound: Samples) -> Iterator[tuple[int, np.ndarray]]:
    block_samples = _block_samples(sound.rate_hz, sound.values.shape[1])
    for first in range(0, len(sound.values), block_samples):
        yield sound.rate_hz, sound.as_float(first, first + block_samples)


def _block_samples(rate_hz: int, channels: int) -> int:
    return max(1, min(BLOCK_SECONDS * rate_hz, MAX_BLOCK_VALUES // channels))


def _one_channel(
    sound: Sound, channels: np.ndarray, channel: int | None, stats: ChannelStats | None
) -> np.ndarray:
    count = channels.shape[1]
    if stats is not None:
        stats.add(channels)
    if channel is None:
        return channels[:, 0] if count == 1 else _downmix(channels)
    if channel > count:
        raise InputError(
            f"cannot judge channel {channel} of {name_of(sound)}: it has "
            f"{pluralize(count, 'channel')}; leave out --channel"
        )
    return channels[:, channel - 1]


def _downmix(channels: np.ndarray) -> np.ndarray:
    """Return the mean of channels `(samples, channels)`, or the loudest one if they cancel out."""
    mono = channels.mean(axis=1)
    powers = np.square(channels).mean(axis=0)
    if np.square(mono).mean() < powers.max() * CANCELLED_POWER:
        return channels[:, powers.argmax()]
    return mono


def _soundfile_blocks(sound: Path | bytes, megabytes: int) -> Iterator[tuple[int, np.ndarray]]:
    if isinstance(sound, bytes):
        with open_lenient(sound) as memory:
            yield from _blocks_of(_open_sound(memory), sound, megabytes)
        return
    with open_file(sound) as opened:
        # libsndfile for Windows has descriptors of its own; there no pipe is a file.
        source = os.fsencode(sound) if os.name == "nt" else opened.fileno()
        yield from _blocks_of(_open_sound(source, sound.suffix.lower()), sound, megabytes)


def _open_sound(source: int | bytes | BinaryIO, suffix: str = "") -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(source, closefd=False)
    except soundfile.LibsndfileError:
        if suffix not in HEADERLESS or isinstance(source, bytes):
            raise
        os.lseek(source, 0, os.SEEK_SET)
        kind = {"format": "RAW", "subtype": HEADERLESS[suffix]}
        return soundfile.SoundFile(source, samplerate=8000, channels=1, closefd=False, **kind)


def _blocks_of(
    file: soundfile.SoundFile, sound: Path | bytes, megabytes: int
) -> Iterator[tuple[int, np.ndarray]]:
    with file:
        check_rate(name_of(sound), file.samplerate)
        packets_seconds = _packets_seconds(sound, file.format, megabytes)
        if packets_seconds > file.frames / file.samplerate + PADDING_SECONDS:
            raise _MoreSoundError
        block_samples = _block_samples(file.samplerate, file.channels)
        block = _read_block(file, block_samples)  # if this fails, FFmpeg may read the file
        while len(block):
            yield file.samplerate, block
            try:
                block = _read_block(file, block_samples)
            except soundfile.LibsndfileError as error:
                raise InputError(
                    f"cannot read {name_of(sound)} to its end: it is damaged or cut off ({error})"
                ) from None


def _read_block(file: soundfile.SoundFile, samples: int) -> np.ndarray:
    """Return the next samples `(samples, channels)`, fewer at the end."""
    return file.read(samples, "float32", always_2d=True)


def _packets_seconds(sound: Path | bytes, container_format: str, megabytes: int) -> float:
    """Return the duration of a file's packets without decoding them; 0 if it is unknown.

    libsndfile stops at the end of the first of concatenated files; FFmpeg finds the packets of all.
    """
    if container_format not in CONCATENABLE_FORMATS:
        return 0
    try:
        with _opened(sound, megabytes, CONCATENABLE_FORMATS[container_format]) as (container, most):
            stream = container.streams.audio[0]
            with bounded_memory(most):
                return sum(
                    float(packet.duration * packet.time_base)
                    for packet in container.demux(stream)
                    if packet.duration
                )
    except (OSError, ValueError, IndexError, MemoryError, av.FFmpegError):
        return 0  # libsndfile has opened the file, and reports what is wrong


@contextmanager
def _opened(
    sound: Path | bytes, megabytes: int, container_format: str | None = None
) -> Iterator[tuple[av.container.InputContainer, int | None]]:
    """Open a file with FFmpeg; give the container, and the memory bound in bytes for decoding."""
    held = held_bytes() if megabytes else None
    most = None if held is None else held + megabytes * 1_000_000
    with open_lenient(sound) as file:
        with bounded_memory(most):
            container = av.open(
                file, format=container_format, options=NO_OTHER_FILES, metadata_errors="replace"
            )
        with container:
            yield container, most


def _ffmpeg_blocks(sound: Path | bytes, megabytes: int) -> Iterator[tuple[int, np.ndarray]]:
    name = name_of(sound)
    try:
        with _opened(sound, megabytes) as (container, most):
            if not container.streams.audio:
                raise InputError(f"cannot read {name}: it has no sound")
            blocks = _joined(name, container)
            while block := _next_within(most, blocks):
                yield block
    except MemoryError:
        bound = f"limits.decoder_megabytes={megabytes:,}" if megabytes else "the system's memory"
        raise InputError(f"cannot read {name}: decoding takes more than {bound}") from None
    except (OSError, ValueError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {name} as sound: {reason}") from None


def _next_within(
    most: int | None, blocks: Iterator[tuple[int, np.ndarray]]
) -> tuple[int, np.ndarray] | None:
    with bounded_memory(most):
        return next(blocks, None)


def _decoded(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Decode the first audio stream."""
    for packet in container.demux(audio=0):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            if container.format.name != "mp3":  # concatenated MP3 files have tags in between
                raise


def _joined(name: str, container: av.container.InputContainer) -> Iterator[tuple[int, np.ndarray]]:
    """Decode the first audio stream; join its short frames into blocks at its first rate."""
    frames: list[np.ndarray] = []
    rate_hz, heard, held, values = 0, None, 0, 0
    for decoded in _decoded(container):
        if not rate_hz:
            rate_hz, layout = decoded.sample_rate, decoded.layout
            check_rate(name, rate_hz)
        if (decoded.sample_rate, decoded.layout.name, decoded.format.name) != heard:
            heard = decoded.sample_rate, decoded.layout.name, decoded.format.name
            # Not planar: to_ndarray reads past the end of PyAV's own list of planes from 8
            # channels on.
            resampler = av.AudioResampler(format="flt", layout=layout, rate=rate_hz)
        for frame in resampler.resample(decoded):
            frames.append(frame.to_ndarray().reshape(-1, frame.layout.nb_channels))
            held += frame.samples
            values += frames[-1].size
        if len(frames) >= BLOCK_FRAMES and held * MAX_FRAMES_PER_SECOND < len(frames) * rate_hz:
            raise InputError(
                f"cannot read {name}: it has more than {MAX_FRAMES_PER_SECOND:,} frames a second, "
                "as no recording of a voice has"
            )
        if held >= BLOCK_SECONDS * rate_hz or values >= MAX_BLOCK_VALUES:
            yield rate_hz, np.concatenate(frames)
            frames, held, values = [], 0, 0
    if frames:
        yield rate_hz, np.concatenate(frames)
