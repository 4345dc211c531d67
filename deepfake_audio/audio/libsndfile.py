"""Decode with libsndfile, which reads most recordings fastest."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile

from deepfake_audio.audio.ffmpeg import opened
from deepfake_audio.audio.sounds import block_length, check_rate, name_of, open_file, open_lenient
from deepfake_audio.errors import InputError
from deepfake_audio.system.memory import bounded_memory

# Players read concatenated files of these formats to the end, libsndfile only the first one. The
# values are FFmpeg's names.
CONCATENABLE_FORMATS = {"FLAC": "flac", "MP3": "mp3", "OGG": "ogg"}
# How libsndfile decodes files without a header; it knows them by their suffix only.
HEADERLESS = {".au": "ULAW", ".snd": "ULAW", ".vox": "VOX_ADPCM", ".gsm": "GSM610"}
PADDING_SECONDS = 0.5  # an encoder may add up to this


class MoreSoundError(Exception):
    """A file contains more sound than libsndfile reads."""


def soundfile_blocks(sound: Path | bytes, megabytes: int) -> Iterator[tuple[int, np.ndarray]]:
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
            raise MoreSoundError
        block_samples = block_length(file.samplerate, file.channels)
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
        with opened(sound, megabytes, CONCATENABLE_FORMATS[container_format]) as (container, most):
            stream = container.streams.audio[0]
            with bounded_memory(most):
                return sum(
                    float(packet.duration * packet.time_base)
                    for packet in container.demux(stream)
                    if packet.duration
                )
    except (OSError, ValueError, IndexError, MemoryError, av.FFmpegError):
        return 0  # libsndfile has opened the file, and reports what is wrong
