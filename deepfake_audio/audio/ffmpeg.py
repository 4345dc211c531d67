"""Decode with FFmpeg, which reads what libsndfile does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from deepfake_audio.audio.chunks import find_rest, lacks_index, missing_share
from deepfake_audio.audio.findings import Findings
from deepfake_audio.audio.packets import Clock, Losses, in_seconds, tick_seconds
from deepfake_audio.audio.sounds import (
    BLOCK_SECONDS,
    MAX_BLOCK_VALUES,
    OTHER_FILE,
    NoSoundError,
    check_rate,
    name_of,
    open_lenient,
)
from deepfake_audio.errors import InputError, pluralize
from deepfake_audio.system.memory import bounded_memory, held_bytes

MAX_FRAMES_PER_SECOND = 2000  # codecs have up to 1200; frames of one sample would take as long each
BLOCK_FRAMES = 10_000
MAX_RESAMPLERS = 4  # sound and silence may alternate
MAX_READ_ERRORS = 100  # the parts of a file after its damaged parts are read
NO_OTHER_FILES = {"protocol_whitelist": "none"}  # a playlist can't open the files that it names
# PyAV 18 refuses tags that are not UTF-8 unless told otherwise; PyAV 19 takes any, and no argument.
ANY_TAGS = (
    {"metadata_errors": "replace"}
    if hasattr(av.container.InputContainer, "metadata_errors")
    else {}
)
CHECKED = {"flac": {"err_detect": "crccheck+explode"}}  # a damaged frame of noise is left out
# FFmpeg's names of the formats of `find_rest`.
CHUNKED = {
    "wav": "WAV", "aiff": "AIFF", "caf": "CAF", "au": "AU", "ogg": "OGG",
    "mov,mp4,m4a,3gp,3g2,mj2": "MP4",
}  # fmt: skip
# The lowest type of an AMR frame without speech; FFmpeg does not decode these frames.
AMR_SILENCE = {"amrnb": 8, "amrwb": 9}
AMR_LOST, AMR_GOOD = 14, 4  # the type of a lost frame, and the bit of a good one
AMR_SECONDS, AMR_PACKETS = 0.02, 50  # a packet's duration, and the packets of a longer silence


@contextmanager
def opened(
    sound: Path | bytes, megabytes: int, container_format: str | None = None
) -> Iterator[tuple[av.container.InputContainer, int | None]]:
    """Open a file with FFmpeg; give the container, and the memory bound in bytes for decoding."""
    held = held_bytes() if megabytes else None
    most = None if held is None else held + megabytes * 1_000_000
    with open_lenient(sound) as file:
        with bounded_memory(most):
            container = av.open(file, format=container_format, options=NO_OTHER_FILES, **ANY_TAGS)
        with container:
            yield container, most


def ffmpeg_blocks(
    sound: Path | bytes, findings: Findings, track: int, megabytes: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rate and the samples `(samples, channels)` of a track at its own rate.

    Raises:
        NoSoundError: nothing of the track can be decoded.
        InputError: the file lacks the track, or takes too much memory or time.
    """
    name = name_of(sound)
    try:
        with opened(sound, megabytes) as (container, most):
            findings.tracks = len(container.streams.audio)
            if not findings.tracks:
                raise NoSoundError(f"cannot read {name}: it has no sound; {OTHER_FILE}")
            check_track(name, track, findings.tracks)
            frames = _frames(name, container, track, findings)
            blocks = _joined(name, frames, findings)
            seconds = 0.0
            while block := _next_within(most, blocks):
                yield block
                seconds += len(block[1]) / block[0]
            _compare_sizes(sound, container, seconds, findings)
    except MemoryError:
        bound = f"limits.decoder_megabytes={megabytes:,}" if megabytes else "the system's memory"
        raise InputError(
            f"cannot read {name}: decoding takes more than {bound}; convert it to WAV", "limit"
        ) from None
    except (OSError, ValueError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        text = f"cannot read {name} as sound: {reason}; {OTHER_FILE}"
        if lacks_index(sound):
            text = (
                f"cannot read {name}: its index is missing, as if the recording was interrupted; "
                "repair it with the program that recorded it, or ask for the whole file"
            )
        raise NoSoundError(text, findings.tracks) from None


def _compare_sizes(
    sound: Path | bytes,
    container: av.container.InputContainer,
    seconds: float,
    findings: Findings,
) -> None:
    """Find what the declared sizes miss: another file at the end, or sound beyond it."""
    form = CHUNKED.get(container.format.name)
    if not form:
        return
    if form != "OGG":  # FFmpeg takes its duration from the end of the last stream
        seconds = (container.duration or 0) / av.time_base
    if rest := find_rest(sound, form):
        findings.unread_seconds = seconds * rest.size / rest.place
    if form == "CAF" and not findings.missing_seconds:
        findings.missing_seconds = seconds * missing_share(sound, form)


def check_track(name: str, track: int, tracks: int) -> None:
    """Raise an `InputError` if a recording lacks a track."""
    if track > tracks:
        raise InputError(
            f"cannot judge track {track} of {name}: it has {pluralize(tracks, 'track')}; "
            "leave out --track",
            "no_such_part",
        )


def _next_within(
    most: int | None, blocks: Iterator[tuple[int, np.ndarray]]
) -> tuple[int, np.ndarray] | None:
    with bounded_memory(most):
        return next(blocks, None)


def _packets(container: av.container.InputContainer) -> Iterator[av.Packet]:
    """Yield the packets of all streams, also those after a damaged part."""
    for _ in range(MAX_READ_ERRORS):
        try:
            yield from container.demux()
        except MemoryError:
            raise
        except av.FFmpegError:
            continue
        except IndexError:  # PyAV fails at the end of a file in which a stream begins late
            return
        return


def _frames(
    name: str, container: av.container.InputContainer, track: int, findings: Findings
) -> Iterator[av.AudioFrame]:
    """Decode a track; pauses become frames of silence, and damaged packets are left out.

    Raises:
        av.FFmpegError: no packet can be decoded.
    """
    stream = container.streams.audio[track - 1]
    if stream.codec_context is None:
        text = f"cannot read {name} as sound: its codec is unknown; convert it to WAV"
        raise NoSoundError(text, findings.tracks)
    findings.codec = stream.codec_context.codec.canonical_name
    stream.codec_context.options = CHECKED.get(stream.codec_context.name, {})
    clock = Clock((container.start_time or 0) / av.time_base, findings.shifts)
    losses = Losses(name, stream, container.format.name, findings)
    tick, seconds, silent_seconds = tick_seconds(stream), 0.0, 0.0
    for frame in _decoded(container, stream, losses):
        if silence := clock.silence_before(in_seconds(frame.pts, tick)):
            silent_seconds += silence
            yield _silence(silence, frame.sample_rate, frame.layout)
        yield frame
        clock.advance(frame.samples / frame.sample_rate)
        seconds += frame.samples / frame.sample_rate
    losses.finish(container, seconds, silent_seconds)


def _decoded(
    container: av.container.InputContainer, stream: av.audio.AudioStream, losses: Losses
) -> Iterator[av.AudioFrame]:
    """Decode the packets of a track that are not damaged."""
    codec, silent_packets, failure, has_sound = stream.codec_context, 0, None, False
    for packet in _packets(container):
        losses.see(packet)
        if packet.stream.index != stream.index:  # packet.stream_index of the last packets is 0
            continue
        is_silent = _is_silent(packet, codec.name)
        silent_packets += is_silent
        if silent_packets and (not is_silent or silent_packets == AMR_PACKETS):
            has_sound = True
            yield _silence(silent_packets * AMR_SECONDS, codec.sample_rate, codec.layout)
            silent_packets = 0
        if is_silent:
            continue
        if _is_bad(packet, codec.name):
            losses.damage(packet)
            continue
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError as error:
            losses.damage(packet)
            failure = failure or error
            continue
        has_sound |= bool(frames)
        yield from frames
    if failure and not has_sound:
        raise failure


def _is_silent(packet: av.Packet, codec: str) -> bool:
    """Return whether an AMR packet marks a pause of the speaker."""
    if codec not in AMR_SILENCE or not packet.size:
        return False
    kind = bytes(packet)[0] >> 3 & 0xF
    return kind >= AMR_SILENCE[codec] and kind != AMR_LOST


def _is_bad(packet: av.Packet, codec: str) -> bool:
    """Return whether an AMR packet is marked as damaged; zeros are, too."""
    return codec in AMR_SILENCE and packet.size > 0 and not bytes(packet)[0] & AMR_GOOD


def _silence(seconds: float, rate_hz: int, layout: av.AudioLayout) -> av.AudioFrame:
    """Return a frame of silence."""
    zeros = np.zeros((1, round(seconds * rate_hz) * layout.nb_channels), np.float32)
    frame = av.AudioFrame.from_ndarray(zeros, "flt", layout.name)
    frame.sample_rate = rate_hz
    return frame


def _joined(
    name: str, decoded_frames: Iterator[av.AudioFrame], findings: Findings
) -> Iterator[tuple[int, np.ndarray]]:
    """Join short frames into blocks at the rate of the first one."""
    frames: list[np.ndarray] = []
    rate_hz, held, values = 0, 0, 0
    resamplers: dict[tuple, av.AudioResampler] = {}
    for decoded in decoded_frames:
        if not rate_hz:
            rate_hz, layout = decoded.sample_rate, decoded.layout
            check_rate(name, rate_hz)
        kind = decoded.sample_rate, decoded.layout.name, decoded.format.name
        if kind not in resamplers:
            if len(resamplers) == MAX_RESAMPLERS:
                resamplers.clear()
            # Not planar: to_ndarray reads past the end of PyAV's own list of planes from 8
            # channels on.
            resamplers[kind] = av.AudioResampler(format="flt", layout=layout, rate=rate_hz)
        try:
            converted = resamplers[kind].resample(decoded)
        except MemoryError:
            raise
        except av.FFmpegError:  # a damaged frame with channels that do not exist
            findings.skipped_seconds += decoded.samples / decoded.sample_rate
            del resamplers[kind]
            continue
        for frame in converted:
            frames.append(frame.to_ndarray().reshape(-1, frame.layout.nb_channels))
            held += frame.samples
            values += frames[-1].size
        if len(frames) >= BLOCK_FRAMES and held * MAX_FRAMES_PER_SECOND < len(frames) * rate_hz:
            raise InputError(
                f"cannot read {name}: it has more than {MAX_FRAMES_PER_SECOND:,} frames a second, "
                "as no recording of a voice has; convert it to WAV",
                "limit",
            )
        if held >= BLOCK_SECONDS * rate_hz or values >= MAX_BLOCK_VALUES:
            yield rate_hz, np.concatenate(frames)
            frames, held, values = [], 0, 0
    if frames:
        yield rate_hz, np.concatenate(frames)
