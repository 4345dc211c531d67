"""Decode with FFmpeg, which reads what libsndfile does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from deepfake_audio.audio.sounds import (
    BLOCK_SECONDS,
    MAX_BLOCK_VALUES,
    check_rate,
    name_of,
    open_lenient,
)
from deepfake_audio.errors import InputError
from deepfake_audio.system.memory import bounded_memory, held_bytes

MAX_FRAMES_PER_SECOND = 2000  # codecs have up to 1200; frames of one sample would take as long each
BLOCK_FRAMES = 10_000
NO_OTHER_FILES = {"protocol_whitelist": "none"}  # a playlist can't open the files that it names


@contextmanager
def opened(
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


def ffmpeg_blocks(sound: Path | bytes, megabytes: int) -> Iterator[tuple[int, np.ndarray]]:
    name = name_of(sound)
    try:
        with opened(sound, megabytes) as (container, most):
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
