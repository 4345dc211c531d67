"""Decode any recording into blocks of mono samples at one rate, whatever its header claims."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import soundfile
import soxr

from deepfake_audio.audio.ffmpeg import check_track, ffmpeg_blocks
from deepfake_audio.audio.findings import Findings, downmix
from deepfake_audio.audio.libsndfile import FFmpegNeededError, soundfile_blocks
from deepfake_audio.audio.packets import MIN_MISSING_SECONDS
from deepfake_audio.audio.sounds import NoSoundError, Samples, Sound, block_length, name_of
from deepfake_audio.errors import InputError, pluralize

MAX_SAMPLE = 1e4  # float files may pass full scale, but not by 80 dB
MAX_UNSCALED = 2.0**32  # of floats whose full scale is not known yet
MAX_BAD_SHARE = 0.01  # of a block of 30 s


def read_blocks(
    sound: Sound,
    sample_rate_hz: int,
    channel: int | None = None,
    findings: Findings | None = None,
    decoder_megabytes: int = 0,
    track: int = 1,
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode a track of a recording block by block, whatever length its header claims.

    Damaged parts are left out, and pauses between timestamps are silence; see `Findings`.

    Args:
        sound: any file that libsndfile or FFmpeg reads, its bytes, or samples.
        sample_rate_hz: the rate to resample to.
        channel: the channel to take, from 1; None takes the mean of all.
        findings: receives what else is found; complete after the last block. With it, samples may
            have another full scale: divide them by `full_scale` after the last block.
        decoder_megabytes: memory that FFmpeg may take; see `bounded_memory`. 0 sets no bound.
        track: the track to take, from 1.

    Yields:
        The recording's own rate, and mono samples at the given rate: float32 `(samples,)`, full
        scale 1, never empty.

    Raises:
        NoSoundError: nothing of the track can be decoded.
        InputError: the file is missing, lacks the track or channel, or more than 1% of the samples
            are infinite or not a number.
    """
    highest = MAX_SAMPLE if findings is None else MAX_UNSCALED
    findings = Findings() if findings is None else findings
    resampler = None
    for rate_hz, channels in native_blocks(sound, findings, decoder_megabytes, track):
        if resampler is None and rate_hz != sample_rate_hz:
            resampler = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, "float32", "HQ")
        channels = _without_bad(channels, rate_hz, highest, findings)
        with np.errstate(invalid="ignore", over="ignore"):  # the next line checks the result
            mono = _one_channel(sound, channels, channel, findings)
        if len(mono) and not np.abs(mono).max() < highest:  # also false for not a number
            raise _not_finite(sound)
        block = resampler.resample_chunk(mono) if resampler else mono
        if len(block):  # the resampler holds the first few samples back
            yield rate_hz, block
    if resampler and len(block := resampler.resample_chunk(np.empty(0, np.float32), last=True)):
        yield rate_hz, block


def _without_bad(
    channels: np.ndarray, rate_hz: int, highest: float, findings: Findings
) -> np.ndarray:
    """Replace a few samples that are no numbers of sound by silence, and count them as damaged."""
    is_bad = ~(np.abs(channels) < highest)  # also if they are not a number
    bad = np.count_nonzero(is_bad.any(axis=1))
    if not 0 < bad <= MAX_BAD_SHARE * len(channels):
        return channels
    findings.skipped_seconds += bad / rate_hz
    return np.where(is_bad, np.float32(0), channels)


def full_scale(sound: Sound, findings: Findings) -> int:
    """Return the full scale of the samples that `read_blocks` has given.

    Raises:
        InputError: some samples are far above any full scale.
    """
    scale = findings.levels.full_scale
    if findings.levels.peak > MAX_SAMPLE * scale:
        raise _not_finite(sound)
    return scale


def _not_finite(sound: Sound) -> InputError:
    return InputError(
        f"cannot read {name_of(sound)}: a sample is infinite, not a number, or above "
        f"{MAX_SAMPLE:,g} times full scale; save it as whole numbers of 16 bits",
        "bad_samples",
    )


def native_blocks(
    sound: Sound, findings: Findings, megabytes: int, track: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode a track at its own rate, block by block; see `read_blocks`.

    Yields:
        The rate, and samples of shape `(samples, channels)`; see `Findings.levels` for their scale.
        The findings are complete after the last block, except channels and levels.
    """
    try:
        if isinstance(sound, Samples):
            blocks = _blocks_in_memory(sound)
        else:
            blocks = soundfile_blocks(sound, findings, megabytes)
        first = next(blocks, None)
    except (OSError, TypeError, soundfile.LibsndfileError, FFmpegNeededError):
        yield from _counted(ffmpeg_blocks(sound, findings, track, megabytes), findings)
        return
    check_track(name_of(sound), track, 1)
    if first is None:
        return
    yield first
    try:
        yield from blocks
    except FFmpegNeededError as error:
        rest = _counted(ffmpeg_blocks(sound, findings, track, megabytes), findings)
        with suppress(NoSoundError):  # FFmpeg may read no more of it either
            yield from _after(rest, error.read_seconds)


def _counted(
    blocks: Iterator[tuple[int, np.ndarray]], findings: Findings
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks, and compare their duration with the one that the file declares."""
    seconds = 0.0
    try:
        for rate_hz, block in blocks:
            seconds += len(block) / rate_hz
            yield rate_hz, block
    finally:
        is_flac = findings.codec == "flac"  # it has no pauses; `Losses` knows about its end
        known = (
            seconds if is_flac else findings.player_seconds(seconds)
        ) + findings.skipped_seconds
        lost = findings.declared_seconds - known - findings.missing_seconds
        if lost > MIN_MISSING_SECONDS and is_flac:
            findings.skipped_seconds += lost
        elif lost > MIN_MISSING_SECONDS:
            findings.missing_seconds += lost


def _after(
    blocks: Iterator[tuple[int, np.ndarray]], seconds: float
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the blocks without their beginning, which is known already."""
    for rate_hz, block in blocks:
        known = min(len(block), round(seconds * rate_hz))
        seconds -= known / rate_hz
        if known < len(block):
            yield rate_hz, block[known:]


def _blocks_in_memory(sound: Samples) -> Iterator[tuple[int, np.ndarray]]:
    block_samples = block_length(sound.rate_hz, sound.values.shape[1])
    for first in range(0, len(sound.values), block_samples):
        yield sound.rate_hz, sound.as_float(first, first + block_samples)


def _one_channel(
    sound: Sound, channels: np.ndarray, channel: int | None, findings: Findings
) -> np.ndarray:
    count = channels.shape[1]
    findings.channels.add(channels)
    findings.levels.add(channels)
    if channel is None:
        return channels[:, 0] if count == 1 else downmix(channels)
    if channel > count:
        raise InputError(
            f"cannot judge channel {channel} of {name_of(sound)}: it has "
            f"{pluralize(count, 'channel')}; leave out --channel",
            "no_such_part",
        )
    return channels[:, channel - 1]
