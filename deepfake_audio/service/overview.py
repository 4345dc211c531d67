"""A small picture of a whole recording: peaks and levels of equal parts, however long it is."""

from dataclasses import dataclass, field

import numpy as np

from deepfake_audio.features.cyclic_spectrum import hann

MAX_COLUMNS = 2048  # half as many at least, unless the recording is very short
FIRST_STEP = 32  # samples in a column at first
FRAME_SAMPLES = 512  # centred on the beginning of its column
HALF = FRAME_SAMPLES // 2
MAX_HOP = 512
AT_ONCE = 256  # frames
ROWS = 128
DB_RANGE = 80


@dataclass
class Overview:
    """The waveform and the spectrogram of a recording in columns of equal duration.

    When there are `MAX_COLUMNS`, neighbours are merged: memory stays the same for any duration.

    Attributes:
        step: samples in a column.
        peaks: the highest absolute sample of each column, float32 `(columns,)`.
        powers: mean power of each band, lowest frequency first, float32 `(columns, ROWS)`.
        samples: number of samples so far.
    """

    step: int = FIRST_STEP
    peaks: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    powers: np.ndarray = field(default_factory=lambda: np.empty((0, ROWS), np.float32))
    samples: int = 0
    _rest: np.ndarray = field(default_factory=lambda: np.zeros(HALF, np.float32))

    def add(self, block: np.ndarray) -> None:
        """Add the next samples, float32 `(any,)`."""
        self.samples += len(block)
        self._rest = np.concatenate([self._rest, block])
        while columns := self._complete_columns():
            self._take(columns)

    def finish(self) -> None:
        """Add the samples at the end that fill no column."""
        left = len(self._rest) - HALF
        self._rest = np.pad(self._rest, (0, FRAME_SAMPLES + 2 * self.step))
        while left > 0:
            step, columns = self.step, min(-(-left // self.step), self._complete_columns())
            self._take(columns)
            left -= columns * step

    def levels(self) -> np.ndarray:
        """Return dB as uint8 `(ROWS, columns)`: 255 is the loudest point, 0 is 80 dB below it."""
        loudest = self.powers.max(initial=0)
        if loudest <= 0:
            return np.zeros(self.powers.T.shape, np.uint8)
        db = 10 * np.log10(np.maximum(self.powers.T / loudest, 10 ** (-DB_RANGE / 10)))
        return np.round((db / DB_RANGE + 1) * 255).astype(np.uint8)

    def _complete_columns(self) -> int:
        ready = max(0, (len(self._rest) - FRAME_SAMPLES) // self.step)
        return min(ready, MAX_COLUMNS - len(self.peaks))

    def _take(self, columns: int) -> None:
        frames = max(1, self.step // MAX_HOP)
        starts = np.arange(columns * frames) * (self.step // frames)
        every = np.lib.stride_tricks.sliding_window_view(self._rest, FRAME_SAMPLES)
        parts = (starts[first : first + AT_ONCE] for first in range(0, len(starts), AT_ONCE))
        bands = np.concatenate([_band_powers(every[part]) for part in parts])
        taken = np.abs(self._rest[HALF:][: columns * self.step])
        self._rest = self._rest[columns * self.step :]
        self.peaks = np.append(self.peaks, taken.reshape(columns, -1).max(axis=1))
        self.powers = np.append(self.powers, bands.reshape(columns, frames, ROWS).mean(axis=1), 0)
        if len(self.peaks) == MAX_COLUMNS:
            self.step *= 2
            self.peaks = self.peaks.reshape(-1, 2).max(axis=1)
            self.powers = self.powers.reshape(-1, 2, ROWS).mean(axis=1)


def _band_powers(frames: np.ndarray) -> np.ndarray:
    """Return the power of each band of frames: float32 `(frames, ROWS)`."""
    from scipy import fft

    spectrum = fft.rfft(frames * hann(FRAME_SAMPLES), axis=1)[:, 1:]
    power = np.square(np.abs(spectrum)).astype(np.float32)
    return power.reshape(len(frames), ROWS, -1).mean(axis=2)
