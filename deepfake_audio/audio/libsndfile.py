"""Decode with libsndfile, which reads most recordings fastest."""

import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import numpy as np
import soundfile

from deepfake_audio.audio.chunks import Rest, find_rest, is_cut_off, open_end
from deepfake_audio.audio.ffmpeg import opened
from deepfake_audio.audio.findings import MIN_SKIPPED_SECONDS, Findings
from deepfake_audio.audio.packets import (
    MIN_MISSING_SECONDS,
    PADDING_SECONDS,
    in_seconds,
    tick_seconds,
)
from deepfake_audio.audio.sounds import block_length, check_rate, name_of, open_file, open_lenient
from deepfake_audio.system.memory import bounded_memory

# Players read concatenated files of these formats to the end, libsndfile only the first one. The
# values are FFmpeg's names.
CONCATENABLE_FORMATS = {"FLAC": "flac", "MP3": "mp3", "OGG": "ogg"}
# How libsndfile decodes files without a header; it knows them by their suffix only.
HEADERLESS = {".au": "ULAW", ".snd": "ULAW", ".vox": "VOX_ADPCM", ".gsm": "GSM610"}
# FFmpeg's names of libsndfile's formats and encodings; others are named alike.
CODECS = {
    "FLAC": "flac", "MPEG_LAYER_I": "mp1", "MPEG_LAYER_II": "mp2", "MPEG_LAYER_III": "mp3",
    "ULAW": "pcm_mulaw", "ALAW": "pcm_alaw", "PCM_U8": "pcm_u8", "PCM_S8": "pcm_s8",
    "PCM_16": "pcm_s16", "PCM_24": "pcm_s24", "PCM_32": "pcm_s32", "FLOAT": "pcm_f32",
    "DOUBLE": "pcm_f64", "GSM610": "gsm",
}  # fmt: skip
BIG_ENDIAN_FORMATS = ("AIFF", "AU", "CAF")
SAMPLE_BYTES = {
    "PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
    "ULAW": 1, "ALAW": 1,
}  # fmt: skip
# libsndfile conceals what is lost of these, or fails; it guesses the length of some MP3 files.
EXACT_FORMATS = ("FLAC", "OGG")
LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")  # the first frame of an MP3 with one declares its length
LENGTH_TAG_BYTES = 2000  # from its start to the first frame of sound
# In libsndfile's report on a file: the declared bytes of sound, and those that are there.
CUT_OFF = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE
)
UNKNOWN_BYTES = 2**31 - 2**16  # streams declare this or more, since they don't know their length
UNKNOWN_FRAMES = 2**62  # libsndfile has more if it doesn't know, as of concatenated Opus files


class FFmpegNeededError(Exception):
    """FFmpeg reads more of a file than libsndfile, or finds its damaged parts.

    Attributes:
        read_seconds: duration that libsndfile has read before it failed.
    """

    def __init__(self, read_seconds: float = 0.0):
        super().__init__()
        self.read_seconds = read_seconds


def soundfile_blocks(
    sound: Path | bytes, findings: Findings, megabytes: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rate and the samples `(samples, channels)` of a file at its own rate.

    Raises:
        FFmpegNeededError: FFmpeg reads more of the file.
        soundfile.LibsndfileError: libsndfile can't read the file.
    """
    if isinstance(sound, bytes):
        with open_lenient(sound) as memory:
            yield from _blocks_of(_open_sound(memory), sound, findings, megabytes)
        return
    with open_file(sound) as opened:
        # libsndfile for Windows has descriptors of its own; there no pipe is a file.
        source = os.fsencode(sound) if os.name == "nt" else opened.fileno()
        file = _open_sound(source, sound.suffix.lower())
        yield from _blocks_of(file, sound, findings, megabytes)


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
    file: soundfile.SoundFile, sound: Path | bytes, findings: Findings, megabytes: int
) -> Iterator[tuple[int, np.ndarray]]:
    with file:
        check_rate(name_of(sound), file.samplerate)
        findings.codec = _codec_of(file)
        declared_seconds = file.frames / file.samplerate if file.frames < UNKNOWN_FRAMES else 0.0
        packets = _scan_packets(sound, file.format, megabytes)
        if file.format in EXACT_FORMATS or packets.declares_length:
            findings.declared_seconds = declared_seconds
        findings.is_cut_off = file.format == "OGG" and is_cut_off(sound)
        rest = find_rest(sound, file.format)
        is_only_rest = not declared_seconds and rest is not None and rest.is_sound
        if not is_only_rest and _needs_ffmpeg(file.format, declared_seconds, packets):
            raise FFmpegNeededError
        read_seconds = 0.0
        for block in _read(file):
            read_seconds += len(block) / file.samplerate
            yield file.samplerate, block
        if file.format == "MP3" and packets.seconds > read_seconds + PADDING_SECONDS:
            raise FFmpegNeededError(read_seconds)  # libsndfile ends quietly at damaged bytes
        missing_seconds = _missing_bytes_share(file) * read_seconds
        if missing_seconds >= MIN_SKIPPED_SECONDS:
            findings.missing_seconds = missing_seconds
        if findings.declared_seconds - read_seconds > MIN_MISSING_SECONDS:
            findings.missing_seconds = declared_seconds - read_seconds
        if rest:
            yield from _rest_blocks(file, sound, rest, findings)


def _read(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """Yield the samples of a file; raise an `FFmpegNeededError` if it is damaged."""
    samples, read = block_length(file.samplerate, file.channels), 0
    while True:
        try:
            block = file.read(samples, "float32", always_2d=True)  # fewer at the end
        except soundfile.LibsndfileError:
            raise FFmpegNeededError(read / file.samplerate) from None
        if not len(block):
            return
        read += len(block)
        yield block


def _rest_blocks(
    file: soundfile.SoundFile, sound: Path | bytes, rest: Rest, findings: Findings
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the sound after the declared end of a file; of another file there, count it."""
    second = SAMPLE_BYTES.get(file.subtype, 0) * file.channels * file.samplerate
    if not rest.is_sound or not second:
        seconds = rest.size / rest.place * file.frames / file.samplerate
        findings.unread_seconds = seconds if seconds > MIN_MISSING_SECONDS else 0.0
    elif rest.size > MIN_MISSING_SECONDS * second:
        kind = {
            "samplerate": file.samplerate, "channels": file.channels, "format": "RAW",
            "subtype": file.subtype, "endian": "BIG" if _is_big_endian(file) else "LITTLE",
        }  # fmt: skip
        with open_end(sound, rest.place) as end, soundfile.SoundFile(end, **kind) as raw:
            for block in _read(raw):
                yield file.samplerate, block


def _codec_of(file: soundfile.SoundFile) -> str:
    """Return FFmpeg's name of a file's codec."""
    if file.format in CODECS:
        return CODECS[file.format]
    name = CODECS.get(file.subtype, file.subtype.lower())
    if not re.fullmatch(r"pcm_[sf]\d\d", name):
        return name
    return name + ("be" if _is_big_endian(file) else "le")


def _is_big_endian(file: soundfile.SoundFile) -> bool:
    by_format = file.endian == "FILE" and file.format in BIG_ENDIAN_FORMATS
    return file.endian == "BIG" or by_format


class Packets(NamedTuple):
    """The packets of a file, counted without decoding them.

    Attributes:
        seconds: their duration; 0 if it is unknown.
        gap_seconds: the longest time between two of them.
        tracks: number of tracks.
        declares_length: an MP3 file says how long it is.
    """

    seconds: float = 0.0
    gap_seconds: float = 0.0
    tracks: int = 1
    declares_length: bool = False


def _needs_ffmpeg(form: str, declared_seconds: float, packets: Packets) -> bool:
    """Return whether FFmpeg reads more of a file than libsndfile, or knows better what is lost."""
    if not declared_seconds:
        return True  # it is unknown: the recorder was killed before it wrote it
    if packets.tracks > 1 or packets.seconds > declared_seconds + PADDING_SECONDS:
        return True
    lost_seconds = packets.gap_seconds  # the sum of the durations is too low for Vorbis
    if form == "FLAC" and packets.seconds:
        lost_seconds = declared_seconds - packets.seconds
    return form in EXACT_FORMATS and lost_seconds > MIN_MISSING_SECONDS


def _scan_packets(sound: Path | bytes, form: str, megabytes: int) -> Packets:
    """Count the packets of a file of a format that libsndfile may not read to the end.

    libsndfile stops at the end of the first of concatenated files; FFmpeg finds the packets of all.
    """
    if form not in CONCATENABLE_FORMATS:
        return Packets()
    try:
        with opened(sound, megabytes, CONCATENABLE_FORMATS[form]) as (container, most):
            stream = container.streams.audio[0]
            with bounded_memory(most):
                seconds, gap_seconds, first = _sum_packets(
                    container.demux(stream), tick_seconds(stream)
                )
            has_tag = form == "MP3" and _has_length_tag(sound, first)
            return Packets(seconds, gap_seconds, len(container.streams.audio), has_tag)
    except (OSError, ValueError, IndexError, MemoryError, av.FFmpegError):
        return Packets()  # libsndfile has opened the file, and reports what is wrong


def _sum_packets(packets: Iterable[av.Packet], tick: float) -> tuple[float, float, int]:
    """Return the seconds of packets, the longest gap between them, and the first one's place."""
    seconds, gap_seconds, end, first = 0.0, 0.0, math.nan, -1
    for packet in _before_error(packets):
        start, duration = in_seconds(packet.pts, tick), (packet.duration or 0) * tick
        gap_seconds = max(gap_seconds, start - end)  # NaN changes nothing
        end = start + duration
        first = packet.pos if first < 0 and packet.pos is not None else first
        if packet.duration:
            seconds += duration
    return seconds, gap_seconds, max(first, 0)


def _before_error(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Yield packets up to an error, as where an Ogg chain changes its rate."""
    with suppress(av.FFmpegError):
        yield from packets


def _has_length_tag(sound: Path | bytes, first: int) -> bool:
    """Return whether an MP3 has a tag with its length before its first frame of sound."""
    with open_lenient(sound) as file:
        file.seek(max(0, first - LENGTH_TAG_BYTES))
        begin = file.read(min(first, LENGTH_TAG_BYTES))
    return any(tag in begin for tag in LENGTH_TAGS)


def _missing_bytes_share(file: soundfile.SoundFile) -> float:
    """Return the bytes of sound that a file declares beyond its end, per byte that it has."""
    found = CUT_OFF.search(file.extra_info)
    declared, present = map(int, found.groups()) if found else (0, 0)
    is_known = 0 < present < declared < UNKNOWN_BYTES
    return declared / present - 1 if is_known else 0.0
