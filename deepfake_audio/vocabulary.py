"""Facts that many modules share: labels, splits, suffixes, an image record, the pixel format."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal


class Verdict(StrEnum):
    """The answer for a recording."""

    FAKE = "FAKE"
    UNCERTAIN = "UNCERTAIN"
    REAL = "REAL"


VERDICTS = tuple(Verdict)
MAX_SHOWN_CONFIDENCE = 0.999  # no verdict is certain
LABELS = ("fake", "real")  # the class index is the position here: fake 0, real 1
SPLITS = ("train", "val", "test")
UNKNOWN_SPLIT = "unknown"  # of files that were never assigned to a split

ConditionKind = Literal[
    "noise", "room", "replayed", "echo", "mp3", "aac", "opus", "telephone", "amr", "gsm",
    "band_limit", "chain",
]  # fmt: skip

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".amr", ".webm", ".mp4", ".wma",
    ".aiff", ".aif", ".au", ".gsm", ".caf", ".mkv", ".mka", ".mov", ".3gp", ".oga", ".aifc",
    ".mp2", ".mpga", ".m4b", ".m4r", ".m4v", ".mpg", ".mpeg", ".3gpp", ".3g2", ".avi", ".wmv",
    ".flv", ".mts", ".weba", ".ogv", ".wv", ".tta", ".w64", ".3ga", ".awb", ".spx", ".sph",
    ".nist", ".ts", ".m2ts", ".vob", ".ac3", ".eac3", ".dts", ".ape", ".mpc", ".tak", ".qcp",
    ".ra", ".rm", ".asf", ".f4a", ".f4v", ".mp1", ".mpa", ".adts", ".voc", ".wave", ".bwf",
    ".rf64",
)  # fmt: skip
IMAGE_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".bmp", ".dib", ".webp", ".tif", ".tiff",
})  # fmt: skip
FILE_SUFFIXES = (*AUDIO_SUFFIXES, *sorted(IMAGE_SUFFIXES))
JOURNAL = "prepared.jsonl"  # a data folder with this file has a manifest once it is complete

# The pixel format of a spectrogram image; features/pixel_format.py encodes and decodes it.
CHANNEL_COUNTS = {"grayscale": 1, "level_delay": 2, "level_delay_rates": 3, "rgb": 3}
WITH_DELAY, OTHERS = ("level_delay", "level_delay_rates"), ("grayscale", "rgb")
ZERO_DELAY = 128  # the level of a group delay of 0
ZERO_PROMINENCE, LEVELS_PER_DB = 128, 20  # the level of a prominence of 0 dB; levels per dB
# The multiples of a frame rate: ROWS * COLUMNS of them, COLUMNS in each row of pixels.
HARMONIC_ROWS, HARMONIC_COLUMNS = 16, 8
SURROUNDINGS_HZ = 15  # the band around a multiple that it is compared with


def without_suffix(file: str) -> str:
    """Return a path without an audio or image suffix.

    >>> without_suffix("a/b.wav"), without_suffix("a/b.1")
    ('a/b', 'a/b.1')
    """
    return file.rpartition(".")[0] if file.lower().endswith(FILE_SUFFIXES) else file


def format_confidence(confidence: float) -> str:
    """Return a confidence for people, at most 99.9%.

    >>> format_confidence(0.8264), format_confidence(0.99999)
    ('82.6%', '99.9%')
    """
    return f"{min(confidence, MAX_SHOWN_CONFIDENCE):.1%}"


def leaning(verdict: str, p_fake: float | None) -> str:
    """Return `rather fake` or `rather real` for UNCERTAIN with a probability; else no text."""
    if verdict != Verdict.UNCERTAIN or p_fake is None:
        return ""
    return f"rather {'fake' if p_fake > 0.5 else 'real'}"


def format_answer(verdict: str, confidence: float | None, p_fake: float | None) -> str:
    """Return a verdict with its confidence for people.

    >>> format_answer("UNCERTAIN", 0.649, 0.351), format_answer("UNCERTAIN", None, None)
    ('UNCERTAIN 64.9% (rather real)', 'not judged')
    """
    if confidence is None:
        return "not judged"
    side = leaning(verdict, p_fake)
    return f"{verdict} {format_confidence(confidence)}" + (f" ({side})" if side else "")


def highest_frame_rate_hz(sample_rate_hz: int) -> float:
    """Return the highest frame rate whose first COLUMNS multiples lie within the spectrum."""
    return (sample_rate_hz / 2 - SURROUNDINGS_HZ) / HARMONIC_COLUMNS


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a data folder; unknown values are empty."""

    path: Path
    image: str
    label: str
    split: str
    audio: str = ""
    start_seconds: str = ""
    speaker: str = ""
    attack: str = ""
    codec: str = ""
    corpus: str = ""

    @property
    def class_index(self) -> int:
        return LABELS.index(self.label)

    @property
    def recording(self) -> tuple[str, ...]:
        """Return the key that all images of one recording share, with any codec."""
        return (self.attack, self.audio) if self.audio else (self.image,)

    @property
    def source(self) -> tuple[str, ...]:
        """Return the key that all windows of one file share; their scores are averaged."""
        return (*self.recording, self.label, self.codec)
