"""Sounds to decode: a file, the bytes of a file, or samples in memory."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from deepfake_audio.errors import InputError
from deepfake_audio.system.regular_files import open_regular

MIN_RATE_HZ, MAX_RATE_HZ = 1000, 1_000_000  # no voice is stored at another rate
OTHER_FILE = "check that it is the right file"
PIECE_BYTES = 1_000_000
BLOCK_SECONDS = 30
MAX_BLOCK_VALUES = 50_000_000  # over all channels: 30 s of 8 channels at 192 kHz are 46 million
# The level of silence and the full scale of each type of sample.
SAMPLE_SCALES = {
    "float16": (0, 1), "float32": (0, 1), "float64": (0, 1),
    "int16": (0, 2**15), "int32": (0, 2**31), "uint8": (128, 2**7),
}  # fmt: skip


class NoSoundError(InputError):
    """A file, or one of its tracks, has no sound that can be decoded.

    Attributes:
        tracks: number of tracks of the file.
    """

    def __init__(self, message: str, tracks: int = 1):
        super().__init__(message, "no_sound")
        self.tracks = tracks


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples in memory.

    Attributes:
        values: `(samples, channels)`, of a type in `SAMPLE_SCALES`.
        rate_hz: their sample rate.
    """

    values: np.ndarray
    rate_hz: int

    def as_float(self, first: int, end: int) -> np.ndarray:
        """Return a part with a full scale of 1: float32 `(samples, channels)`."""
        middle, scale = SAMPLE_SCALES[self.values.dtype.name]
        part = self.values[first:end]
        if scale == 1:
            with np.errstate(over="ignore"):  # the reader refuses samples that are infinite
                return part.astype(np.float32)
        return ((part.astype(np.float64) - middle) / scale).astype(np.float32)


Sound = Path | bytes | Samples


def to_samples(values: object, sample_rate_hz: object) -> Samples:
    """Check an array of samples.

    Args:
        values: `(samples,)` or `(samples, channels)`: floats with a full scale of 1, or int16,
            int32 or uint8.
        sample_rate_hz: a whole number.

    Raises:
        InputError: the array has another shape or type, or the rate is no sample rate.
    """
    samples = np.asarray(values)
    if samples.dtype.name not in SAMPLE_SCALES:
        known = ", ".join(SAMPLE_SCALES)
        raise _bad_samples(f"they are {samples.dtype.name}; give one of {known}")
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] > len(samples)):
        raise _bad_samples(
            f"their shape is {samples.shape}; give (samples,) or (samples, channels)"
        )
    try:
        rate_hz = int(sample_rate_hz) if sample_rate_hz == int(sample_rate_hz) else None
    except (TypeError, ValueError, OverflowError):
        rate_hz = None
    if rate_hz is None:
        raise _bad_samples(f"{sample_rate_hz!r} is no sample rate; give a whole number in Hz")
    check_rate("the given samples", rate_hz)
    return Samples(samples.reshape(len(samples), -1 if samples.size else 1), rate_hz)


def _bad_samples(problem: str) -> InputError:
    return InputError(f"cannot read the given samples: {problem}", "bad_samples")


def read_file_object(file: BinaryIO, max_megabytes: int) -> bytes:
    """Read a binary file object from its current position to its end.

    Raises:
        InputError: it can't be read, is no binary file, or gives more than `max_megabytes`.
    """
    pieces, read_bytes = [], 0
    try:
        while piece := file.read(PIECE_BYTES):
            pieces.append(piece)
            read_bytes += len(piece)
            if read_bytes > max_megabytes * 1_000_000:
                raise InputError(
                    f"cannot read the given file: it gives more than limits.stdin_megabytes="
                    f"{max_megabytes:,}; give its path",
                    "limit",
                )
        return b"".join(pieces)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the given file: {error}") from None
    except TypeError:
        raise InputError("cannot read the given file: open it in binary mode") from None


def check_rate(name: str, rate_hz: int) -> None:
    """Raise an `InputError` for a sample rate that no recording of a voice has."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InputError(
            f"cannot read {name}: its sample rate is {rate_hz:,} Hz; give a recording with "
            f"{MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz",
            "bad_samples",
        )


def block_length(rate_hz: int, channels: int) -> int:
    """Return how many samples of each channel are decoded at a time."""
    return max(1, min(BLOCK_SECONDS * rate_hz, MAX_BLOCK_VALUES // channels))


def name_of(sound: Sound) -> str:
    """Return how messages name a sound: the path of a file."""
    match sound:
        case bytes():
            return "the given bytes"
        case Samples():
            return "the given samples"
    return str(sound)


class _Lenient:
    """A file on which a seek to a wrong place fails quietly, as decoders expect."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


class _LenientFile(_Lenient, io.FileIO):
    pass


class _LenientBytes(_Lenient, io.BytesIO):
    pass


def open_file(path: Path) -> BinaryIO:
    """Open a recording; see `open_regular`."""
    return open_regular(path, "An audio file")


def open_lenient(sound: Path | bytes) -> BinaryIO:
    """Open a file or its bytes for a decoder that may seek anywhere."""
    if isinstance(sound, bytes):
        return _LenientBytes(sound)
    with open_file(sound) as opened:
        file = _LenientFile(os.dup(opened.fileno()))
    file.name = str(sound)  # if the content is ambiguous, FFmpeg decides by the suffix
    return file
