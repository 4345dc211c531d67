"""Say of a recording, or of its spectrogram image, whether the voice is real or fake.

    python predict.py clip.wav                      one line: verdict, confidence, file
    python predict.py a.mp3 b.png folder/           several files, and all in a folder
    cat clip.ogg | python predict.py -              standard input
    python predict.py --timeline call.wav           which passages are fake, with a picture
    python predict.py --run first clip.wav          with runs/first instead of the newest run
    python predict.py --run models/pretrained clip.wav      the shipped model, whatever you trained
    python predict.py --json folder/                one JSON object a line, for machines
    python predict.py --csv verdicts.csv folder/    and a table of them in a file
    python predict.py --set predict.prior_fake=0.1 clip.wav    where one in ten files is fake

The confidence is the probability of the verdict, calibrated on the run's validation files: it means
something for voices recorded like those. UNCERTAIN is the answer to sound that is too short, silent
or clipped, or has no frequency above predict.min_bandwidth_hz, as over a telephone (the shipped
model asks for that), and to a verdict less sure than predict.min_confidence, of which "rather fake"
says where it leans. "repeats at 93.75 Hz" is said of a recording that repeats as what vocoders make
does, at that rate; a hum of mains may, at 50 or 100. A file that can't be read is named and
skipped; the exit code is then 1.
"""

import argparse
import csv
import json
import math
import os
import re
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from deepfake_audio import runs, scoring, timelines
from deepfake_audio.arguments import Parser
from deepfake_audio.audio import (
    Recording,
    drawn_rate_figures_db,
    open_recording,
    recording_windows,
    spectrogram_image,
)
from deepfake_audio.calibration import Calibration, verdict
from deepfake_audio.corpora import AUDIO_SUFFIXES
from deepfake_audio.errors import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    UserError,
    one_line,
    report,
    script,
    speaking_of,
)
from deepfake_audio.files import (
    check_file,
    find_files,
    for_a_moment,
    is_file,
    is_folder,
    open_table,
    replacing,
    unwritable,
)
from deepfake_audio.images import IMAGE_SUFFIXES, fit_image, read_image
from deepfake_audio.nuisances import bandwidth_hz, clipped_share
from deepfake_audio.settings import AudioSettings, PredictSettings, Settings

FIELDS = (
    "verdict", "confidence", "p_real", "score", "windows", "windows_left_out", "frame_rate_hz",
    "warning", "run", "file", "error",
)  # fmt: skip
STANDS_OUT_DB = 5  # of a file: of 1,651 voices 0.7% stand out as far, most of them by a hum
MOST_SHOWN = 0.999
STANDARD_INPUT = "-"
TIMELINES = Path("timelines")


@dataclass
class Source:
    """A file under judgement.

    Attributes:
        name: as it was given.
        warning: why it can't be judged with confidence; empty if it can.
        end_seconds: of its sound.
        starts: of its windows, in seconds.
        envelopes: the peaks of the sound in each window, for the timeline.
        clipped_shares: of the samples of its windows.
        bandwidths_hz: of its windows, the highest frequency; empty where none is asked for.
        scores: of its windows, log-odds of real before calibration.
        rate_figures_db: of its windows, how far each frame rate stands out, `(rates,)`; empty where
            the run doesn't look at frame rates.
    """

    name: str
    warning: str = ""
    end_seconds: float = math.inf
    starts: list[float] = field(default_factory=list)
    envelopes: list[np.ndarray] = field(default_factory=list)
    clipped_shares: list[float] = field(default_factory=list)
    bandwidths_hz: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    rate_figures_db: list[np.ndarray] = field(default_factory=list)

    def counted(self, settings: PredictSettings) -> np.ndarray:
        """Return which windows' scores count, bool `(windows,)`: what a telephone left does not."""
        if not self.bandwidths_hz:
            return np.full(len(self.scores), True)
        return np.array(self.bandwidths_hz) >= settings.min_bandwidth_hz


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.csv:
        check_table(Path(args.csv))
    run, record, settings = runs.open_run(args.run, overrides=args.settings, or_pretrained=True)
    model = scoring.load_model(run.onnx_model, settings.score.threads, settings.limits)
    reader = Reader(settings, record.images_from_audio)
    verdicts, drawn, is_known = [], Counter(), args.run or args.json
    try:
        for source in score_sources(model, reader, args.files, settings.score.batch_size):
            source.warning = source.warning or doubt_windows(
                source, record.calibration, settings.predict
            )
            judged = judge(source, record.calibration, settings.predict)
            if not is_known:
                print(f"Judged by {one_line(run.folder)}; --run names another.", file=sys.stderr)
                is_known = True
            judged |= {"frame_rate_hz": frame_rate_hz(source, settings.audio), "run": run.name}
            print(json.dumps(judged) if args.json else format_verdict(judged), flush=True)
            if args.timeline and source.starts:
                write_timeline(source, record.calibration, settings, drawn, quiet=args.json)
            verdicts += [judged] if args.csv else []
    finally:  # Ctrl-C takes no verdict away
        if args.csv and (verdicts or reader.failed):
            write_csv(Path(args.csv), [*verdicts, *reader.failed])
    if reader.failed:
        print(f"{len(reader.failed)} files could not be judged.", file=sys.stderr)
    return EXIT_SOME_FAILED if reader.failed else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="predict.py", description=__doc__)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="audio, images, folders of them, or - "
    )
    parser.add_argument(
        "--run",
        metavar="NAME",
        help="a folder below runs/, or a path (default: the newest run, or else models/pretrained)",
    )
    parser.add_argument(
        "--timeline",
        action="store_true",
        help="also a table of passages and a picture in timelines/, for audio",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting for this time, such as predict.prior_fake=0.1; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--csv", metavar="FILE", help="also write the verdicts as a table")
    args = parser.parse_args(argv)
    for name in args.files:
        if re.fullmatch(r"[a-z]+\.[a-z_]+=.*", name) and not os.path.lexists(name):
            raise UserError(f"A setting stands behind --set. Received: {name}. Write --set {name}.")
    return args


def score_sources(
    model, reader: "Reader", names: Iterable[str], batch_size: int
) -> Iterator[Source]:
    """Score all windows of all files in batches, and yield each file when it is done, in order."""
    opened: deque[Source] = deque()
    for source, score in scoring.score_stream(model, reader.windows(names, opened), batch_size):
        while opened[0] is not source:
            yield opened.popleft()
        source.scores.append(score)
    yield from opened


class Reader:
    """Opens files one by one and goes on past those that can't be read.

    Attributes:
        failed: `file` and `error` of each that could not be read; all were reported.
    """

    def __init__(self, settings: Settings, images_from_audio: bool):
        self.settings = settings
        self.images_from_audio = images_from_audio
        self.failed: list[dict[str, str]] = []

    def windows(
        self, names: Iterable[str], opened: deque[Source]
    ) -> Iterator[tuple[Source, np.ndarray]]:
        """Yield every window's image with its file; each file is put into `opened` before."""
        for name in self._expand(names):
            try:
                yield from self._open(name, opened)
            except UserError as error:
                self._fail(name, error)

    def _expand(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if not name:
                self._fail(name, UserError("A file has a name. Received: an empty one."))
                continue
            if not is_folder(Path(name)):
                yield name
                continue
            suffixes = IMAGE_SUFFIXES | set(AUDIO_SUFFIXES)
            found = [path for path in find_files(Path(name), suffixes) if not is_timeline(path)]
            if not found:
                error = UserError(f"A folder must hold audio or images. Received: {name}.")
                self._fail(name, error)
            yield from map(str, found)

    def _fail(self, name: str, error: UserError) -> None:
        report(error)
        self.failed.append({"file": name, "error": str(error)})

    def _open(self, name: str, opened: deque[Source]) -> Iterator[tuple[Source, np.ndarray]]:
        if name == STANDARD_INPUT:
            with tempfile.NamedTemporaryFile() as copy:
                self._copy_standard_input(copy)
                with speaking_of(name, Path(copy.name)):
                    yield from self._read(Path(copy.name), name, opened)
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
        recording = open_recording(path, audio, self.settings.limits.audio_hours)
        end_seconds = recording.end / audio.sample_rate_hz
        source = Source(name, doubt(recording, self.settings), end_seconds)
        opened.append(source)
        for start, window in () if recording.is_silent else recording_windows(recording, audio):
            source.starts.append(start)
            source.envelopes.append(timelines.envelope(window))
            source.clipped_shares.append(clipped_share(window))
            if self.settings.predict.min_bandwidth_hz:
                source.bandwidths_hz.append(bandwidth_hz(window, audio.sample_rate_hz))
            image = spectrogram_image(window, audio)
            if audio.frame_rates_hz:
                source.rate_figures_db.append(drawn_rate_figures_db(image, audio))
            yield source, fit_image(image, self.settings.image)


def is_timeline(path: Path) -> bool:
    """Return whether a picture is one that --timeline drew: its table lies beside it."""
    beside = path.with_suffix(".csv")
    return path.parent.name == TIMELINES.name and path.suffix == ".png" and is_file(beside)


def is_image(path: Path) -> bool:
    """Return whether a file is an image, by its name, or by its first bytes if it has no suffix."""
    if path.suffix:
        return path.suffix.lower() in IMAGE_SUFFIXES
    try:
        check_file(path, "A file")
        with path.open("rb") as file:
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


def doubt_windows(source: Source, calibration: Calibration, settings: PredictSettings) -> str:
    """Return why the windows of a file give no confidence; empty if they do."""
    clipped = np.mean(source.clipped_shares or [0.0])
    if clipped > settings.max_clipped_share:
        return f"{clipped:.0%} of it is clipped"
    if calibration.says_nothing:
        return "the run tells nothing apart: train it longer"
    if source.scores and not source.counted(settings).any():
        return f"nothing above {max(source.bandwidths_hz):,.0f} Hz, as over a telephone"
    return ""


def judge(source: Source, calibration: Calibration, settings: PredictSettings) -> dict:
    """Return the verdict on one file: more likely real, or fake, and how likely."""
    if not source.scores:
        unknown = dict.fromkeys(FIELDS[:-1]) | {"windows": 0, "windows_left_out": 0}
        return unknown | {"verdict": "UNCERTAIN", "warning": source.warning, "file": source.name}
    counted = source.counted(settings)
    if not counted.any():  # a score all the same, for who wants one
        counted[:] = True
    score = float(np.array(source.scores)[counted].mean())
    p_real = float(calibration.probability_real(score, settings.prior_fake))
    return {
        "verdict": "UNCERTAIN" if source.warning else verdict(p_real, settings.min_confidence),
        "confidence": None if source.warning else round(max(p_real, 1 - p_real), 6),
        "p_real": round(p_real, 6),
        "score": round(score, 6),
        "windows": int(counted.sum()),
        "windows_left_out": int((~counted).sum()),
        "warning": source.warning,
        "file": source.name,
    }


def frame_rate_hz(source: Source, audio: AudioSettings) -> float | None:
    """Return the rate at which a recording repeats as what a vocoder makes; None for none."""
    if not source.rate_figures_db:
        return None
    figures_db = np.mean(source.rate_figures_db, axis=0)
    furthest = int(np.argmax(figures_db))
    return audio.frame_rates_hz[furthest] if figures_db[furthest] > STANDS_OUT_DB else None


def format_verdict(judged: dict) -> str:
    """Return one line for people; no confidence is shown as more than 99.9%.

    >>> call = {"verdict": "FAKE", "confidence": 0.97, "warning": "", "file": "call.wav"}
    >>> call |= {"p_real": 0.03, "frame_rate_hz": None, "windows": 9, "windows_left_out": 0}
    >>> format_verdict(call)
    'FAKE        97.0%  call.wav'
    >>> format_verdict(call | {"frame_rate_hz": 93.75})
    'FAKE        97.0%  call.wav  (repeats at 93.75 Hz)'
    >>> format_verdict(call | {"windows_left_out": 3})
    'FAKE        97.0%  call.wav  (3 of 12 windows left out, as over a telephone)'
    >>> format_verdict(call | {"verdict": "UNCERTAIN", "confidence": 0.58, "p_real": 0.42})
    'UNCERTAIN   58.0%  call.wav  (rather fake)'
    """
    shown = "-"
    if judged["confidence"] is not None:
        shown = f"{min(judged['confidence'], MOST_SHOWN):.1%}"
    rate_hz = judged["frame_rate_hz"]
    notes = [judged["warning"]]
    if judged["verdict"] == "UNCERTAIN" and judged["confidence"] is not None:
        notes.append("rather real" if judged["p_real"] >= 0.5 else "rather fake")
    if out := judged["windows_left_out"]:
        notes.append(f"{out} of {judged['windows'] + out} windows left out, as over a telephone")
    if rate_hz is not None:
        notes.append(f"repeats at {rate_hz:g} Hz")
    said = "; ".join(filter(None, notes))
    line = f"{judged['verdict']:9} {shown:>7}  {one_line(judged['file'])}"
    return f"{line}  ({said})" if said else line


def write_timeline(
    source: Source, calibration: Calibration, settings: Settings, drawn: Counter, quiet: bool
) -> None:
    """Write a recording's passages and their picture to timelines/, and print the passages.

    Args:
        source: the recording, scored.
        calibration: of the run.
        settings: of the run.
        drawn: counts the names, so that files of one name from several folders are all kept.
        quiet: print nothing.
    """
    judged = source.counted(settings.predict) & (not source.warning)
    line = timelines.make_timeline(
        np.array(source.starts),
        np.where(judged, source.scores, np.nan),
        calibration,
        settings.audio.window_seconds,
        settings.predict,
        source.end_seconds,
    )
    stem = "standard-input" if source.name == STANDARD_INPUT else plain_name(source.name)
    drawn[stem] += 1
    stem += f"-{drawn[stem]}" if drawn[stem] > 1 else ""
    why = source.warning or "as over a telephone"
    paths = timelines.write_timeline(TIMELINES / stem, source.name, line, source.envelopes, why)
    if not quiet:
        print(timelines.format_passages(line.passages))
        print(f"Written: {one_line(paths)}")


def plain_name(name: str) -> str:
    """Return a file's name as one that leaves room for a suffix, and prints.

    >>> plain_name("calls/a\\nb.wav")
    'a_b.wav'
    """
    return "".join(c if c.isprintable() else "_" for c in Path(name).name)[-60:] or "unnamed"


def check_table(path: Path) -> None:
    """Raise a `UserError` if a table of verdicts would overwrite something else, or can't be."""
    if not os.path.lexists(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with for_a_moment(path) as passing:
                passing.touch()
        except OSError as error:
            raise unwritable(path, error) from None
        return
    check_file(path, "--csv FILE, where it exists already,")
    with path.open("rb") as file:
        if file.readline(1000).rstrip().decode("latin-1") != ",".join(FIELDS):
            raise UserError(
                "--csv names a new file, or a table of verdicts to replace. "
                f"Received: {path}, which holds something else. Choose another name."
            )


def write_csv(path: Path, verdicts: Sequence[dict]) -> None:
    with replacing(path) as partial, open_table(partial) as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(verdicts)


if __name__ == "__main__":
    sys.exit(main())
