"""Any sound file to blocks of mono samples at one rate; what its header claims is not believed."""

import io
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from deepfake_audio.errors import InputError
from deepfake_audio.system.atomic_files import open_regular
from deepfake_audio.system.memory import bounded_memory, held_bytes
from deepfake_audio.system.stderr import suppress_native_stderr

BLOCK_SECONDS = 30
BLOCK_VALUES = (
    50_000_000  # at most, over all channels: 30 s of 8 channels at 192 kHz are 46 million
)
MAX_DECODER_MEGABYTES = 600  # for FFmpeg, which believes what headers claim
MAX_FRAMES_PER_SECOND = 2000  # codecs have 1200 at most; of frames of one sample each costs as much
BLOCK_FRAMES = 10_000
MIN_RATE_HZ, MAX_RATE_HZ = 1000, 1_000_000  # no voice is stored outside of these
MAX_SAMPLE = 1e4  # in float files full scale may be passed, but not by 80 dB
NO_OTHER_FILES = {"protocol_whitelist": "none"}  # a playlist must not open what it names
# libsndfile stops where the header says, or the first of joined files ends; players go on.
CONCATENABLE_FORMATS = {"FLAC": "flac", "MP3": "mp3", "OGG": "ogg"}  # in FFmpeg's words
# What libsndfile takes a file without a header for, by its suffix; a descriptor has none.
HEADERLESS = {".au": "ULAW", ".snd": "ULAW", ".vox": "VOX_ADPCM", ".gsm": "GSM610"}
CANCELLED_POWER = 0.001  # of the loudest channel, as where one is the other turned around
MIN_CHANNEL_POWER = 0.01  # a channel's power, of the loudest one's, that is more than crosstalk
MIN_CHANNEL_DIFFERENCE = (
    0.5  # what the mean of the channels loses, of what it keeps: for two voices it is 1
)
PADDING_SECONDS = 0.5  # that an encoder may add


class _MoreSoundError(Exception):
    """A file holds more sound than libsndfile would read."""


@dataclass
class ChannelStats:
    """How far the channels of a file are apart, summed up over its blocks.

    Attributes:
        powers: sums of squares of each channel, `(channels,)`; empty before the first block.
        mixed: sum of squares of their mean.
    """

    powers: np.ndarray = field(default_factory=lambda: np.empty(0))
    mixed: float = 0.0

    def add(self, channels: np.ndarray) -> None:
        """Count a block, `(samples, channels)`."""
        if channels.shape[1] == 1:
            self.powers = np.zeros(1)
            return
        powers = np.square(channels, dtype=np.float64).sum(axis=0)
        self.powers = powers if len(self.powers) != len(powers) else self.powers + powers
        self.mixed += float(np.square(channels.mean(axis=1), dtype=np.float64).sum())

    @property
    def is_wide(self) -> bool:
        """Return whether two loud channels are of different sounds, and not of one place's."""
        if len(self.powers) < 2:
            return False
        second, loudest = np.sort(self.powers)[-2:]
        return bool(
            second > MIN_CHANNEL_POWER * loudest
            and self.powers.mean() - self.mixed > MIN_CHANNEL_DIFFERENCE * self.mixed
        )


def read_blocks(
    path: Path, sample_rate_hz: int, channel: int | None = None, spread: ChannelStats | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode an audio file block by block; never trust the length that its header tells.

    Args:
        path: anything that libsndfile reads, or else the FFmpeg libraries that PyAV carries.
        sample_rate_hz: the rate to resample to.
        channel: which to take, from 1; None takes the mean of all.
        spread: takes down how far the channels are apart.

    Yields:
        The file's own rate, and mono samples at ours, float32 `(samples,)`, full scale 1; never
        none.

    Raises:
        InputError: the file is missing, holds no sound that can be read, or samples that are
            infinite or not a number.
    """
    try:
        blocks = _soundfile_blocks(path)
        head = next(blocks, None)
    except (OSError, TypeError, soundfile.LibsndfileError, _MoreSoundError):
        blocks = None
    if blocks is None:
        blocks = _av_blocks(path)
        head = next(blocks, None)
    if head is None:
        return
    rate_hz = head[0]
    resampler = None
    if rate_hz != sample_rate_hz:
        resampler = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, "float32", "HQ")
    for _, channels in itertools.chain([head], blocks):  # (samples, channels)
        with np.errstate(invalid="ignore", over="ignore"):  # looked at in the next line
            mono = _one_channel(path, channels, channel, spread)
        if len(mono) and not np.abs(mono).max() < MAX_SAMPLE:  # not a number is not below it
            raise InputError(f"An audio file must hold finite samples. Received: {path}.")
        block = resampler.resample_chunk(mono) if resampler else mono
        if len(block):  # of a few samples the resampler may not give any yet
            yield rate_hz, block
    if resampler and len(block := resampler.resample_chunk(np.empty(0, np.float32), last=True)):
        yield rate_hz, block


def _one_channel(
    path: Path, channels: np.ndarray, channel: int | None, spread: ChannelStats | None
) -> np.ndarray:
    count = channels.shape[1]
    if spread is not None:
        spread.add(channels)
    if channel is None:
        return channels[:, 0] if count == 1 else _downmix(channels)
    if channel > count:
        raise InputError(
            f"A file must have the channel. Received: --channel {channel}, and {path} with "
            f"{count}. Judge it without --channel."
        )
    return channels[:, channel - 1]


def _downmix(channels: np.ndarray) -> np.ndarray:
    """Return the mean of channels `(samples, channels)`, or the loudest one where they cancel."""
    mono = channels.mean(axis=1)
    powers = np.square(channels).mean(axis=0)
    if np.square(mono).mean() < powers.max() * CANCELLED_POWER:
        return channels[:, powers.argmax()]
    return mono


def _soundfile_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    with open_regular(path, "An audio file") as opened:
        # libsndfile for Windows has descriptors of its own; there no pipe is a file.
        source = os.fsencode(path) if os.name == "nt" else opened.fileno()
        yield from _blocks_of(_open_sound(source, path.suffix.lower()), path)


def _open_sound(source: int | bytes, suffix: str) -> soundfile.SoundFile:
    with suppress_native_stderr():
        try:
            return soundfile.SoundFile(source, closefd=False)
        except soundfile.LibsndfileError:
            if suffix not in HEADERLESS or isinstance(source, bytes):
                raise
            os.lseek(source, 0, os.SEEK_SET)
            kind = {"format": "RAW", "subtype": HEADERLESS[suffix]}
            return soundfile.SoundFile(source, samplerate=8000, channels=1, closefd=False, **kind)


def _blocks_of(file: soundfile.SoundFile, path: Path) -> Iterator[tuple[int, np.ndarray]]:
    with file:
        _check_rate(path, file.samplerate)
        if _packets_seconds(path, file.format) > file.frames / file.samplerate + PADDING_SECONDS:
            raise _MoreSoundError
        block_samples = min(BLOCK_SECONDS * file.samplerate, BLOCK_VALUES // file.channels)
        block = _read_block(file, block_samples)  # if this fails, the other decoder may know better
        while len(block):
            yield file.samplerate, block
            try:
                block = _read_block(file, block_samples)
            except soundfile.LibsndfileError as error:
                raise InputError(
                    f"An audio file must be whole. Received: {path} ({error})."
                ) from None


def _read_block(file: soundfile.SoundFile, samples: int) -> np.ndarray:
    """Return the next samples `(samples, channels)`, fewer at the end."""
    with suppress_native_stderr():
        return file.read(samples, "float32", always_2d=True)


def _check_rate(path: Path, rate_hz: int) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InputError(
            f"An audio file has {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} samples a second. "
            f"Received: {path}, which claims {rate_hz:,}."
        )


class _Bytes(io.FileIO):
    """A file whose reader may seek where there is nothing, as FFmpeg does to look for tags."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except OSError:
            return -1


def _packets_seconds(path: Path, container_format: str) -> float:
    """Return how long the packets of a file last, without decoding them; 0 where nobody knows."""
    if container_format not in CONCATENABLE_FORMATS:
        return 0
    try:
        with _opened(path, CONCATENABLE_FORMATS[container_format]) as (container, most):
            stream = container.streams.audio[0]
            with bounded_memory(most):
                return sum(
                    float(packet.duration * packet.time_base)
                    for packet in container.demux(stream)
                    if packet.duration
                )
    except (OSError, ValueError, IndexError, MemoryError, av.FFmpegError):
        return 0  # libsndfile could open it, and says what is wrong


@contextmanager
def _opened(
    path: Path, container_format: str | None = None
) -> Iterator[tuple[av.container.InputContainer, int | None]]:
    """Open a file with FFmpeg; give the container, and the bytes that it may go on with."""
    held = held_bytes()
    most = None if held is None else held + MAX_DECODER_MEGABYTES * 1_000_000
    with (
        open_regular(path, "An audio file") as opened,
        _Bytes(opened.fileno(), closefd=False) as file,
    ):
        file.name = str(path)  # whose suffix FFmpeg goes by in doubt
        with bounded_memory(most):
            container = av.open(
                file, format=container_format, options=NO_OTHER_FILES, metadata_errors="replace"
            )
        with container:
            yield container, most


def _av_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    try:
        with _opened(path) as (container, most):
            if not container.streams.audio:
                raise InputError(f"An audio file must hold sound. Received: {path}, without any.")
            blocks = _joined(path, container)
            while block := _next_within(most, blocks):
                yield block
    except MemoryError:
        raise InputError(
            f"An audio file must be read with {MAX_DECODER_MEGABYTES:,} megabytes of memory. "
            f"Received: {path}, which asks for more."
        ) from None
    except (OSError, ValueError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"An audio file must be readable. Received: {path} ({reason}).") from None


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
            if container.format.name != "mp3":  # where files are joined, tags stand between
                raise


def _joined(path: Path, container: av.container.InputContainer) -> Iterator[tuple[int, np.ndarray]]:
    """Decode the first audio stream, and join its short frames to blocks of its first rate."""
    frames: list[np.ndarray] = []
    rate_hz, heard, held, values = 0, None, 0, 0
    for decoded in _decoded(container):
        if not rate_hz:
            rate_hz, layout = decoded.sample_rate, decoded.layout
            _check_rate(path, rate_hz)
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
                f"An audio file has at most {MAX_FRAMES_PER_SECOND:,} frames a second. "
                f"Received: {path}, which has more."
            )
        if held >= BLOCK_SECONDS * rate_hz or values >= BLOCK_VALUES:
            yield rate_hz, np.concatenate(frames)
            frames, held, values = [], 0, 0
    if frames:
        yield rate_hz, np.concatenate(frames)
