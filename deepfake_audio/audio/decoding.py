"""Decode any recording into blocks of mono samples at one rate, whatever its header claims."""

from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from deepfake_audio.audio.channels import ChannelStats, downmix
from deepfake_audio.audio.ffmpeg import ffmpeg_blocks
from deepfake_audio.audio.libsndfile import MoreSoundError, soundfile_blocks
from deepfake_audio.audio.sounds import Samples, Sound, block_length, name_of
from deepfake_audio.errors import InputError, pluralize

MAX_SAMPLE = 1e4  # float files may pass full scale, but not by 80 dB


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
        blocks = soundfile_blocks(sound, megabytes)
        first = next(blocks, None)
    except (OSError, TypeError, soundfile.LibsndfileError, MoreSoundError):
        yield from ffmpeg_blocks(sound, megabytes)
        return
    if first is not None:
        yield first
        yield from blocks


def _blocks_in_memory(sound: Samples) -> Iterator[tuple[int, np.ndarray]]:
    block_samples = block_length(sound.rate_hz, sound.values.shape[1])
    for first in range(0, len(sound.values), block_samples):
        yield sound.rate_hz, sound.as_float(first, first + block_samples)


def _one_channel(
    sound: Sound, channels: np.ndarray, channel: int | None, stats: ChannelStats | None
) -> np.ndarray:
    count = channels.shape[1]
    if stats is not None:
        stats.add(channels)
    if channel is None:
        return channels[:, 0] if count == 1 else downmix(channels)
    if channel > count:
        raise InputError(
            f"cannot judge channel {channel} of {name_of(sound)}: it has "
            f"{pluralize(count, 'channel')}; leave out --channel"
        )
    return channels[:, channel - 1]
