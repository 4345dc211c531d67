"""Files under judgement: their windows, and how they are read."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from deepfake_audio.audio.background import Pulse
from deepfake_audio.audio.quality import Clarity, Echo
from deepfake_audio.audio.sounds import Sound, name_of, read_file_object, to_samples
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError

AnyRecording = str | os.PathLike | bytes | BinaryIO | tuple[np.ndarray, int]


@dataclass(eq=False)
class Window:
    """One window of a recording, or a whole image.

    Attributes:
        start_seconds: from the beginning of the recording.
        track: from 1.
        channel: from 1; 0 for the mean of all channels.
        score: log-odds of real before calibration; higher is more real.
        llr: calibrated log-likelihood ratio of real against fake; NaN before calibration.
        bandwidth_hz, clarity, voicing: see `audio.quality`; None for an image.
        clipped_share, peak_share, low_share, lost_share, tone_share: the same; 0 for an image.
        pulse: the strongest one in the pauses of the voice; None for an image.
        peaks: of the waveform in equal parts of the window, float32 `(parts,)`.
        prominence_db: of each frame rate, float32 `(rates,)`; None if the run has no rates.
    """

    start_seconds: float = 0.0
    channel: int = 0
    score: float = np.nan
    llr: float = np.nan
    bandwidth_hz: float | None = None
    clarity: Clarity | None = None
    voicing: float | None = None
    clipped_share: float = 0.0
    peak_share: float = 0.0
    low_share: float = 0.0
    lost_share: float = 0.0
    tone_share: float = 0.0
    pulse: Pulse | None = None
    peaks: np.ndarray | None = None
    prominence_db: np.ndarray | None = None
    track: int = 1


class Part(NamedTuple):
    """A part of a recording that is judged by itself.

    Attributes:
        track: from 1; None if the file has one.
        channel: from 1; None for the mean of all.
    """

    track: int | None = None
    channel: int | None = None

    @property
    def name(self) -> str:
        """Return the name; empty for a recording that has only one part.

        >>> Part(2).name, Part(None, 2).name, Part(2, 1).name, Part().name
        ('track 2', 'channel 2', 'channel 1 of track 2', '')
        """
        names = (("channel", self.channel), ("track", self.track))
        return " of ".join(f"{kind} {number}" for kind, number in names if number)


WHOLE = Part()


class LeftOut(NamedTuple):
    """A part of a recording that is not judged: a track, or one of its channels (0 for all)."""

    track: int
    channel: int
    why: str


@dataclass(eq=False)
class Input:
    """One file and its windows.

    Attributes:
        name: as the caller gave it.
        is_image: the file is a spectrogram image; only the next two and `windows` are then known.
        is_blank: the image shows nothing.
        is_foreign: prepare.py can't have rendered the image for this run.
        windows: with their scores, track by track and channel by channel.
        sound_seconds: duration between the quiet edges.
        loud_seconds: the same without the quiet moments between.
        quiet_seconds: of long quiet sound that is not judged.
        end_seconds: end of the sound.
        sample_rate_hz: of the file.
        channels: of the file.
        codec: FFmpeg's name of the first track's codec; empty for samples in memory.
        duration_seconds: of the longest track, with its quiet edges, as a player shows it.
        channels_differ: the channels carry different sounds and are judged one by one.
        is_silent: no sample is louder than the last bit of 16-bit audio.
        echo: the strongest echo; None for an image and for silence.
        odd_rate_hz: see `RateSearch`; None for an image and for silence.
        only_track, only_channel: the chosen ones, from 1; None for all.
        left_out: tracks and channels that are not judged.
        tracks, skipped_seconds, missing_seconds, unread_seconds, is_cut_off: see `Findings`.
        peak, full_scale: see `Levels`.
    """

    name: str
    is_image: bool = False
    is_blank: bool = False
    is_foreign: bool = False
    windows: list[Window] = field(default_factory=list)
    sound_seconds: float = 0.0
    loud_seconds: float = np.inf
    quiet_seconds: float = 0.0
    end_seconds: float = np.inf
    sample_rate_hz: int = 0
    channels: int = 0
    codec: str = ""
    duration_seconds: float = 0.0
    channels_differ: bool = False
    is_silent: bool = False
    echo: Echo | None = None
    odd_rate_hz: float | None = None
    tracks: int = 1
    only_track: int | None = None
    only_channel: int | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    skipped_seconds: float = 0.0
    missing_seconds: float = 0.0
    unread_seconds: float = 0.0
    is_cut_off: bool = False
    peak: float = 0.0
    full_scale: int = 1


def split_parts(found: Input) -> dict[Part, Input]:
    """Return each part of a file with its windows; a file of one part as it is."""
    windows: dict[tuple[int, int], list[Window]] = {}
    for window in found.windows:
        windows.setdefault((window.track, window.channel), []).append(window)
    if len(windows) < 2:
        return {WHOLE: found}
    return {
        Part(track if found.tracks > 1 else None, channel or None): replace(found, windows=own)
        for (track, channel), own in windows.items()
    }


class NamedInput(NamedTuple):
    """A recording or image that is reported under a given name, such as standard input."""

    name: str
    source: Sound


@dataclass(frozen=True)
class Failure:
    """A file that could not be judged.

    Attributes:
        name: of the file, as it was given.
        error: the reason and the remedy, for people.
        code: of the reason; see `InputError`.
    """

    name: str
    error: str
    code: str = InputError.CODES[0]


@dataclass(frozen=True)
class Reading:
    """How files become windows.

    Attributes:
        settings: of the run, and the limits.
        images_from_audio: the run's images were rendered from audio, so that it can judge audio.
        channel: the only channel to judge, from 1; None for all.
        track: the only track to judge, from 1; None for all.
        folder: that names are relative to.
        decoder_megabytes: memory that FFmpeg may take; see `read_blocks`. 0 sets no bound.
        on_window: receives each window before it is scored, and its file; not in processes.
        threads: that render the windows of a file.
    """

    settings: Settings
    images_from_audio: bool
    channel: int | None = None
    folder: Path = Path()
    decoder_megabytes: int = 0
    track: int | None = None
    on_window: Callable[[Input, Window], object] | None = None
    threads: int = 1


Given = str | NamedInput | Failure  # a path, opened sound, or why there is none


def name_given(file: Given) -> str:
    """Return the name that a file is reported under."""
    return file if isinstance(file, str) else file.name


def to_input(recording: AnyRecording | Given, max_megabytes: int) -> Given:
    """Return a recording, see `Detector.predict`, in the form that the pipeline takes.

    Raises:
        InputError: a file object can't be read or gives too much, or samples are malformed.
        TypeError: the recording is none of the known kinds.
    """
    match recording:
        case NamedInput() | Failure():
            return recording
        case str() | os.PathLike():
            return os.fspath(recording)
        case bytes() | bytearray() | memoryview():
            source = bytes(recording)
        case (values, sample_rate_hz):
            source = to_samples(values, sample_rate_hz)
        case _ if hasattr(recording, "read"):
            source = read_file_object(recording, max_megabytes)
        case _:
            raise TypeError(
                f"cannot judge a {type(recording).__name__}; give a path, bytes, a binary file "
                "object, or (samples, sample_rate_hz)"
            )
    return NamedInput(name_of(source), source)


def to_inputs(recordings: Iterable[AnyRecording | Given], max_megabytes: int) -> Iterator[Given]:
    """Yield recordings in the form that the pipeline takes; a `Failure` for those without one."""
    for recording in recordings:
        try:
            yield to_input(recording, max_megabytes)
        except InputError as error:
            name = f"the given {'file' if hasattr(recording, 'read') else 'samples'}"
            yield Failure(name, str(error), error.code)


def in_time(windows: Sequence[Window]) -> list[Window]:
    """Return windows sorted by start, whatever their channel."""
    return sorted(windows, key=lambda window: window.start_seconds)
