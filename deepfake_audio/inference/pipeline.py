"""Files under judgement: their windows, drawn and scored."""

import io
import itertools
import math
import os
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnxruntime
from joblib import delayed

from deepfake_audio.audio.quality import (
    Echo,
    bandwidth_hz,
    clipped_share,
    echo_cepstrum,
    strongest_echo,
)
from deepfake_audio.audio.windows import Recording, open_recording, recording_windows
from deepfake_audio.config.schema import LimitSettings, PredictSettings, Settings
from deepfake_audio.errors import UserError, report, speaking_of
from deepfake_audio.features.image_files import fit_image, read_image
from deepfake_audio.features.spectrogram import drawn_rate_figures_db, spectrogram_image
from deepfake_audio.inference import timelines
from deepfake_audio.inference.results_table import Judged
from deepfake_audio.models import onnx_session
from deepfake_audio.system.atomic_files import find_files, is_file, is_folder, open_regular
from deepfake_audio.system.workers import in_processes
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES

STANDARD_INPUT = "-"
TIMELINES = Path("timelines")
NO_SOUND = frozenset(
    {".csv", ".htm", ".html", ".json", ".lab", ".log", ".md", ".pdf", ".tsv", ".txt", ".xml",
     ".yaml", ".yml"}
)  # fmt: skip
FILES_AT_ONCE = 32  # that a process is given


@dataclass
class Source:
    """A file under judgement.

    Attributes:
        name: as it was given.
        warning: why it can't be judged with confidence; empty if it can.
        note: what else to know of it.
        end_seconds: of its sound.
        starts: of its windows, in seconds.
        channels: that its windows are of, from 1; 0 for the mean of all.
        envelopes: the peaks of the sound in each window, for the timeline.
        clipped_shares: of the samples of its windows.
        bandwidths_hz: of its windows, the highest frequency; empty where none is asked for.
        echo: the strongest one of its sound; None where nobody asks for it.
        scores: of its windows, log-odds of real before calibration.
        rate_figures_db: of its windows, how far each frame rate stands out, `(rates,)`; empty where
            the run doesn't look at frame rates.
    """

    name: str
    warning: str = ""
    note: str = ""
    end_seconds: float = math.inf
    starts: list[float] = field(default_factory=list)
    channels: list[int] = field(default_factory=list)
    envelopes: list[np.ndarray] = field(default_factory=list)
    clipped_shares: list[float] = field(default_factory=list)
    bandwidths_hz: list[float] = field(default_factory=list)
    echo: Echo | None = None
    scores: list[float] = field(default_factory=list)
    rate_figures_db: list[np.ndarray] = field(default_factory=list)

    def counted(self, settings: PredictSettings) -> np.ndarray:
        """Return which windows' scores count, bool `(windows,)`: what a telephone left does not."""
        if not self.bandwidths_hz:
            return np.full(len(self.scores), True)
        return np.array(self.bandwidths_hz) >= settings.min_bandwidth_hz

    def in_time(self) -> np.ndarray:
        """Return the windows' numbers in the order of their starts, whatever their channel."""
        return np.argsort(self.starts, kind="stable")


def score_sources(
    model: onnxruntime.InferenceSession, reader: "Reader", names: Iterable[str], batch_size: int
) -> Iterator[Source]:
    """Score all windows of all files in batches, and yield each file when it is done, in order."""
    opened: deque[Source] = deque()
    for source, score in onnx_session.score_stream(
        model, reader.windows(names, opened), batch_size
    ):
        while opened[0] is not source:
            yield opened.popleft()
        source.scores.append(score)
    yield from opened


def score_in_processes(
    path: Path, reader: "Reader", names: Iterable[str], workers: int
) -> Iterator[Source]:
    """Do as `score_sources` in several processes, each with a processor's thread.

    Args:
        path: of the model.
        reader: takes down what fails.
        names: of the files, none of them standard input.
        workers: processes; 0 for one per core.
    """
    names = iter(names)
    batches = iter(lambda: list(itertools.islice(names, FILES_AT_ONCE)), [])
    given = Path.cwd(), reader.settings, reader.images_from_audio, reader.channel
    calls = (delayed(_score_batch)(path, *given, batch) for batch in batches)
    for sources, failed in in_processes(calls, workers, "judges"):
        for failure in failed:
            reader.fail(failure["file"], failure["error"])
        yield from sources


def _score_batch(
    path: Path,
    cwd: Path,
    settings: Settings,
    images_from_audio: bool,
    channel: int | None,
    names: Sequence[str],
) -> tuple[list[Source], list[dict[str, str]]]:
    """Return the files of a batch with their scores, and those that can't be read."""
    os.chdir(cwd)  # a process that judged before may stand elsewhere
    reader = Reader(settings, images_from_audio, channel)
    with redirect_stderr(io.StringIO()):  # whoever gets them reports them
        sources = list(
            score_sources(_model(path, settings), reader, names, settings.score.batch_size)
        )
    return sources, reader.failed


@lru_cache(maxsize=1)
def _model_of(path: Path, limits: str) -> onnxruntime.InferenceSession:
    return onnx_session.load_model(path, 1, LimitSettings.model_validate_json(limits))


def _model(path: Path, settings: Settings) -> onnxruntime.InferenceSession:
    """Return the model, which a process loads once."""
    return _model_of(path.resolve(), settings.limits.model_dump_json())


class Reader:
    """Opens files one by one and goes on past those that can't be read.

    Attributes:
        failed: `file` and `error` of each that could not be read.
        passed_over: how many files of folders might be sound and were not taken, by their suffix.
    """

    def __init__(
        self,
        settings: Settings,
        images_from_audio: bool,
        channel: int | None = None,
        done: Judged | None = None,
    ):
        """Args: done: files that are judged already, each as often as it is left out."""
        self.settings = settings
        self.images_from_audio = images_from_audio
        self.channel = channel
        self.done = done
        self.failed: list[dict[str, str]] = []
        self.passed_over: Counter[str] = Counter()

    def windows(
        self, names: Iterable[str], opened: deque[Source]
    ) -> Iterator[tuple[Source, np.ndarray]]:
        """Yield every window's image with its file; each file is put into `opened` before."""
        for name in names:
            try:
                yield from self._open(name, opened)
            except UserError as error:
                self.fail(name, str(error))

    def files(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the files that are to be judged, and those in folders."""
        for name in names:
            if not name:
                self.fail(name, "A file has a name. Received: an empty one.")
            elif is_folder(Path(name)):
                yield from filter(self._waits, self._in_folder(name))
            elif self._waits(name):
                yield name

    def _waits(self, name: str) -> bool:
        return self.done is None or not self.done.take(name)

    def _in_folder(self, name: str) -> Iterator[str]:
        """Yield a folder's sound, or where a run takes images or there is no sound, its images."""
        folder, others, taken = Path(name), Counter(), False
        of_sound = self.images_from_audio and any(
            path.suffix.lower() in AUDIO_SUFFIXES for path in find_files(folder, AUDIO_SUFFIXES)
        )
        for path in find_files(folder, IMAGE_SUFFIXES | set(AUDIO_SUFFIXES), others):
            suffix = path.suffix.lower()
            if is_timeline(path):
                continue
            if of_sound and suffix in IMAGE_SUFFIXES:
                others[suffix] += 1
                continue
            taken = True
            yield str(path)
        self.passed_over += Counter({s: count for s, count in others.items() if s not in NO_SOUND})
        if not taken:
            self.fail(name, f"A folder must hold audio or images. Received: {name}.")

    def fail(self, name: str, error: str) -> None:
        report(error)
        self.failed.append({"file": name, "error": error})

    def _open(self, name: str, opened: deque[Source]) -> Iterator[tuple[Source, np.ndarray]]:
        if name == STANDARD_INPUT:
            with _passing_file() as (copy, path):
                self._copy_standard_input(copy)
                with speaking_of(name, path):
                    yield from self._read(path, name, opened)
        else:
            yield from self._read(Path(name), name, opened)

    def _copy_standard_input(self, copy: BinaryIO) -> None:
        megabytes = self.settings.limits.stdin_megabytes
        try:
            for _ in range(megabytes):
                piece = sys.stdin.buffer.read(1_000_000) if sys.stdin else b""
                copy.write(piece)
                if not piece:
                    break
            else:
                raise UserError(
                    f"Standard input holds less than limits.stdin_megabytes={megabytes}. "
                    "Received: more. Give a file."
                )
            copy.flush()
        except OSError as error:
            raise UserError(f"Standard input must be readable. Received: {error}.") from None

    def _read(
        self, path: Path, name: str, opened: deque[Source]
    ) -> Iterator[tuple[Source, np.ndarray]]:
        if is_image(path):
            image = read_image(path, self.settings.image)
            opened.append(Source(name))
            yield opened[-1], image
            return
        if not self.images_from_audio:
            raise UserError(
                "Audio is judged by a run whose images prepare.py made. "
                f"Received: {name}, and a run trained on other images. Give it images."
            )
        audio = self.settings.audio
        hours = self.settings.limits.audio_hours
        recording = open_recording(path, audio, hours, self.channel)
        end_seconds = recording.end / audio.sample_rate_hz
        source = Source(name, doubt(recording, self.settings), channel_note(recording), end_seconds)
        opened.append(source)
        cepstra = 0.0  # their sum
        for part in self._parts(recording):
            for start, window in () if part.is_silent else recording_windows(part, audio):
                source.starts.append(start)
                source.channels.append(part.channel or 0)
                if self.settings.predict.max_echo < 1:
                    once = window[: part.end - part.first]  # what is short is repeated
                    cepstra += echo_cepstrum(once, audio.sample_rate_hz)
                yield source, self._look_at(window, source)
        if np.any(cepstra):
            source.echo = strongest_echo(cepstra / len(source.starts), audio.sample_rate_hz)

    def _parts(self, recording: Recording) -> Iterator[Recording]:
        """Yield a recording, or each channel where they differ.

        A mean of voices hides one of them, and that of a voice and its echo has a comb's notches in
        it, as vocoders leave some.
        """
        if not recording.channels_differ:
            yield recording
            return
        audio, hours = self.settings.audio, self.settings.limits.audio_hours
        for channel in range(1, recording.channels + 1):
            yield open_recording(recording.path, audio, hours, channel)

    def _look_at(self, window: np.ndarray, source: Source) -> np.ndarray:
        """Return a window's image, and note what else is asked of it."""
        audio = self.settings.audio
        source.envelopes.append(timelines.envelope(window))
        source.clipped_shares.append(clipped_share(window))
        if self.settings.predict.min_bandwidth_hz:
            source.bandwidths_hz.append(bandwidth_hz(window, audio.sample_rate_hz))
        image = spectrogram_image(window, audio)
        if audio.frame_rates_hz:
            source.rate_figures_db.append(drawn_rate_figures_db(image, audio))
        return fit_image(image, self.settings.image)


@contextmanager
def _passing_file() -> Iterator[tuple[BinaryIO, Path]]:
    """Give a file that goes when it is closed; in memory if there is no temporary folder."""
    if _has_temporary_folder():
        with tempfile.NamedTemporaryFile() as file:
            yield file, Path(file.name)
    elif hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("standard-input"), "w+b") as file:
            yield file, Path(f"/proc/self/fd/{file.fileno()}")
    else:
        raise UserError(
            "cannot copy standard input: no temporary folder can be written to; set TMPDIR to one"
        )


def _has_temporary_folder() -> bool:
    try:
        return bool(tempfile.gettempdir())
    except FileNotFoundError:
        return False


def is_timeline(path: Path) -> bool:
    """Return whether a picture is one that --timeline drew: its table lies beside it."""
    beside = path.with_suffix(".csv")
    return path.parent.name == TIMELINES.name and path.suffix == ".png" and is_file(beside)


def is_image(path: Path) -> bool:
    """Return whether a file is an image, by its name, or by its first bytes if it has no suffix."""
    if path.suffix:
        return path.suffix.lower() in IMAGE_SUFFIXES
    try:
        with open_regular(path, "A file") as file:
            return file.read(4) in (b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1")
    except (OSError, UserError):  # whoever reads it as sound says what is wrong
        return False


def doubt(recording: Recording, settings: Settings) -> str:
    """Return why a recording can't be judged with confidence; empty if it can."""
    seconds = (recording.end - recording.first) / settings.audio.sample_rate_hz
    if recording.is_silent:
        return "silent"
    if seconds < settings.predict.min_seconds:
        return f"{seconds:.2f} s of sound, at least {settings.predict.min_seconds:g} are needed"
    return ""


def channel_note(recording: Recording) -> str:
    """Return what to know of a recording whose channels are not of one sound."""
    if not recording.channels_differ:
        return ""
    return f"{recording.channels} channels that differ: --channel 1 judges one"
