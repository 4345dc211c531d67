"""The channels of a recording: how far they differ, and their mean."""

from dataclasses import dataclass, field

import numpy as np

CANCELLED_POWER = 0.001  # of the loudest channel: the mean of channels of opposite sign has less
MIN_CHANNEL_POWER = 0.01  # of the loudest channel: crosstalk has less
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
