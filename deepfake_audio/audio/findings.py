"""The findings of decoding: tracks, channels, levels, damage and pauses."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

MIN_SKIPPED_SECONDS = 0.05  # that are mentioned: the last frame of many MP3 files is damaged
MAX_FLOAT_PEAK = 4.0  # mixes in floats may pass full scale by 12 dB
MIN_WHOLE_PEAK = 32.0  # a lower one is too quiet for whole numbers
MIN_LOUD_SHARE = 0.01  # a few glitches do not mean another scale
# The loudest 10 ms of silence: the last bit of 16-bit audio, dithered, has less than -80 dBFS.
SILENCE_POWER, EXACT_SILENCE_POWER = 1e-8, 1e-13
EXACT_CODECS = ("pcm_s24", "pcm_s32", "pcm_f")  # they keep more bits
FULL_SCALES = (2**15, 2**23, 2**31)  # whole numbers that were stored as floats

CANCELLED_POWER = 0.001  # relative to the loudest channel: opposite channels have less
MIN_CHANNEL_POWER = 0.01  # relative to the loudest channel: crosstalk has less
MIN_CHANNEL_DIFFERENCE = 0.5  # power lost in the mean over power kept: 1 for two voices


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


def downmix(channels: np.ndarray) -> np.ndarray:
    """Return the mean of channels `(samples, channels)`, or the loudest one if they cancel out."""
    mono = channels.mean(axis=1)
    powers = np.square(channels).mean(axis=0)
    if np.square(mono).mean() < powers.max() * CANCELLED_POWER:
        return channels[:, powers.argmax()]
    return mono


@dataclass
class Levels:
    """The levels of the samples of a track, summed over its blocks.

    Attributes:
        peak: the highest level.
        loud: number of samples above `MAX_FLOAT_PEAK`.
        over: number of samples above 1, in blocks with loud ones.
        nonzero: number of samples that are not 0.
    """

    peak: float = 0.0
    loud: int = 0
    over: int = 0
    nonzero: int = 0

    def add(self, samples: np.ndarray) -> None:
        """Add a block of any shape."""
        peak = float(np.abs(samples).max(initial=0))
        self.peak = max(self.peak, peak)
        self.nonzero += int(np.count_nonzero(samples))
        if peak > MAX_FLOAT_PEAK:
            self.loud += int(np.count_nonzero(np.abs(samples) > MAX_FLOAT_PEAK))
            self.over += int(np.count_nonzero(np.abs(samples) > 1))

    @property
    def full_scale(self) -> int:
        """Return the full scale of the samples, a power of two.

        It is 1, that of whole numbers stored as floats, or that of floats of any other scale.
        """
        if MAX_FLOAT_PEAK < self.peak < MIN_WHOLE_PEAK:
            is_scale = self.over >= MIN_LOUD_SHARE * self.nonzero
            return 2 ** math.ceil(math.log2(self.peak)) if is_scale else 1
        if self.peak < MIN_WHOLE_PEAK or self.loud < MIN_LOUD_SHARE * self.nonzero:
            return 1
        return next((scale for scale in FULL_SCALES if self.peak <= scale), 1)


@dataclass
class Findings:
    """The findings of one pass over a track.

    Attributes:
        tracks: number of audio tracks in the file.
        codec: FFmpeg's name of the track's codec, such as `pcm_s16le` or `opus`; empty for samples.
        channels: how far the channels of the track differ.
        levels: the levels of the samples, before scaling.
        skipped_seconds: duration of the damaged parts, which are left out.
        declared_seconds: duration that the file declares; 0 if it declares none that is exact.
        missing_seconds: sound that the file declares beyond its end.
        unread_seconds: estimated duration after the declared end, as of another file.
        is_cut_off: the file ends in the middle of a part; how much is missing is unknown.
        shifts: pairs of a position in the decoded sound in seconds, and the seconds that a player
            adds from there on. Both rise.
    """

    tracks: int = 1
    codec: str = ""
    channels: ChannelStats = field(default_factory=ChannelStats)
    levels: Levels = field(default_factory=Levels)
    skipped_seconds: float = 0.0
    declared_seconds: float = 0.0
    missing_seconds: float = 0.0
    unread_seconds: float = 0.0
    is_cut_off: bool = False
    shifts: list[tuple[float, float]] = field(default_factory=list)

    @property
    def silence_power(self) -> float:
        """Return the power of 10 ms below which a recording of one track and channel is silent."""
        return EXACT_SILENCE_POWER if self.codec.startswith(EXACT_CODECS) else SILENCE_POWER

    def player_seconds(self, decoded_seconds: float) -> float:
        """Return the time that a player shows at a position in the decoded sound."""
        before = bisect_right(self.shifts, (decoded_seconds, math.inf))
        return decoded_seconds + (self.shifts[before - 1][1] if before else 0.0)

    def decoded_position(self, player_seconds: float) -> float:
        """Return the first position in the decoded sound at a time of a player, or after it.

        >>> Findings(shifts=[(5.0, 10.0)]).decoded_position(16.0)
        6.0
        """
        ends = [*(position for position, _ in self.shifts), math.inf]
        starts = ((0.0, 0.0), *self.shifts)
        places = (max(position, player_seconds - added) for position, added in starts)
        return next(place for place, end in zip(places, ends, strict=True) if place < end)
