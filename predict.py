"""Say of a recording, or of its spectrogram image, whether the voice is real or fake.

    python predict.py clip.wav                      one line: verdict, confidence, file
    python predict.py a.mp3 b.png folder/           several files, and all in a folder
    cat clip.ogg | python predict.py -              standard input
    python predict.py --timeline call.wav           which passages are fake, with a picture
    python predict.py --run first clip.wav          with runs/first instead of the newest run
    python predict.py --run models/pretrained clip.wav      the shipped model, whatever you trained
    python predict.py --json folder/                one JSON object a line, for machines
    python predict.py --csv verdicts.csv folder/    and a table in a file; cut off, it goes on
    python predict.py --workers 0 folder/           many files, a process for each core
    python predict.py --channel 1 call.wav          one channel of a recording; the other is 2
    python predict.py --set predict.prior_fake=0.1 clip.wav    where one in ten files is fake

The confidence is the probability of the verdict, calibrated on the run's validation files: it means
something for voices recorded like those. UNCERTAIN is the answer to sound that is too short, silent
or clipped, or has no frequency above predict.min_bandwidth_hz, as over a telephone, or an echo
above predict.max_echo (the shipped model asks for both), and to a verdict less sure than
predict.min_confidence, of which "rather fake" says where it leans. "repeats at 93.75 Hz" is said of
a recording that repeats as what vocoders make does, at that rate; a hum of mains may, at 50 or 100.
A file that can't be read is named and skipped; the exit code is then 1.
"""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from tqdm import tqdm

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import AudioSettings, PredictSettings, Settings
from deepfake_audio.errors import OutputError, UserError, counted, one_line, say
from deepfake_audio.inference import timelines
from deepfake_audio.inference.pipeline import (
    STANDARD_INPUT,
    TIMELINES,
    Reader,
    Source,
    score_in_processes,
    score_sources,
)
from deepfake_audio.inference.results_table import (
    FIELDS,
    Judged,
    check_table,
    growing_table,
    unfinished,
)
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.models.calibration import VERDICTS, Calibration, verdict
from deepfake_audio.system.atomic_files import is_file, to_json

STANDS_OUT_DB = 5  # of a file: of 1,651 voices 0.7% stand out as far, most of them by a hum
MOST_SHOWN = 0.999
SURELY = 0.9  # the confidence that a passage is worth a word with
JUDGED = [field for field in FIELDS if field != "error"]
TELEPHONE_HZ = 2500  # where a band ends above this, it may be a telephone's


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    run, record, settings = run_folder.open_run(
        args.run, overrides=args.settings, or_pretrained=True
    )
    asked = [str(Path.cwd()), str(args.channel), *args.files]
    identity = run_folder.fingerprint_verdicts(run, record, settings, asked)
    with kept_table(args.csv, identity) as (done, keep):
        reader = Reader(settings, record.images_from_audio, args.channel, done)
        is_known = args.run or args.json
        said: Counter[str] = Counter()
        for source in progress(scored(run, reader, args)):
            source.warning = source.warning or doubt_windows(
                source, record.calibration, settings.predict
            )
            judged = judge(source, record.calibration, settings.predict)
            if not is_known:
                say(who_judges(run, settings), file=sys.stderr)
                is_known = True
            line = timeline_of(source, record.calibration, settings)
            judged |= {"frame_rate_hz": frame_rate_hz(source, settings.audio), "run": run.name}
            echo = "" if source.warning else echo_note(source, settings.predict)
            notes = filter(None, [source.note, echo, passage_note(line, judged)])
            judged["note"] = "; ".join(notes)
            say(to_json(judged) if args.json else format_verdict(judged))
            if args.timeline and line:
                write_timeline(source, line, args.channel, quiet=args.json)
            keep(judged)
            said[judged["verdict"]] += 1
        for failure in reader.failed:
            keep(failure)
    tell_whole(reader, Counter() if args.json else said)
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
        "--timeline", action="store_true",
        help="also a table of passages and a picture in timelines/, for audio",
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting for this time, such as predict.prior_fake=0.1; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--csv", metavar="FILE",
        help="also write the verdicts as a UTF-8 table; cut off, the same command goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1,
        help="processes, for many files; 0 takes a process for each core (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--channel", metavar="N", type=int,
        help="judge one channel of each recording, from 1 (default: the mean of all)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    check_arguments(args)
    return args


def check_arguments(args: argparse.Namespace) -> None:
    """Raise a `UserError` if arguments make no sense together."""
    for option, least in (("workers", 0), ("channel", 1)):
        given = getattr(args, option)
        if given is not None and given < least:
            raise UserError(f"--{option} is {least} or more. Received: {given}.")
    if STANDARD_INPUT in args.files and args.workers != 1:
        raise UserError("One process reads standard input. Received: - and --workers.")
    for name in args.files:
        if re.fullmatch(r"[a-z]+\.[a-z_]+=.*", name) and not os.path.lexists(name):
            raise UserError(f"A setting stands behind --set. Received: {name}. Write --set {name}.")


@contextmanager
def kept_table(
    name: str | None, identity: str
) -> Iterator[tuple[Judged, Callable[[Mapping], object]]]:
    """Give the files whose verdicts a table has from a try before, and what keeps one more.

    Args:
        name: of the table; None keeps nothing.
        identity: of what is asked, and who judges.
    """
    if name is None:
        yield Judged(), lambda row: None
        return
    path = Path(name)
    check_table(path)
    try:
        with growing_table(path, identity) as (done, add):
            if done:
                say(f"Judged already: {counted(len(done), 'file')}.", file=sys.stderr)
            yield done, add
    except BaseException as error:
        kept = unfinished(path, identity)
        ended = isinstance(error, OutputError) or not isinstance(error, UserError)
        if ended and is_file(kept):
            told = f"What was judged is in {one_line(kept)}; the same command goes on."
            say(told, file=sys.stderr)
        raise


def scored(run: run_folder.Run, reader: Reader, args: argparse.Namespace) -> Iterator[Source]:
    """Yield the files in order, each with the scores of its windows."""
    names, score = reader.files(args.files), reader.settings.score
    model = onnx_session.load_model(run.onnx_model, score.threads, reader.settings.limits)
    if args.workers == 1:
        return score_sources(model, reader, names, score.batch_size)
    return score_in_processes(run.onnx_model, reader, names, args.workers)


def progress(sources: Iterator[Source]) -> Iterator[Source]:
    """Count files on a terminal, where the verdicts go elsewhere."""
    shown = is_terminal(sys.stderr) and not is_terminal(sys.stdout)
    return tqdm(sources, desc="Judging", unit=" files", disable=not shown)


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def tell_whole(reader: Reader, said: Counter[str]) -> None:
    """Print on standard error how the files ended, where that is more than one verdict.

    Args:
        reader: of all files.
        said: how often each verdict; empty for no word on them.
    """
    if said.total() > 1:
        verdicts = ", ".join(f"{said[name]:,} {name}" for name in VERDICTS if said[name])
        say(f"{counted(said.total(), 'file')}: {verdicts}.", file=sys.stderr)
    if reader.passed_over:
        say(passed_over_line(reader.passed_over), file=sys.stderr)
    if reader.failed:
        say(f"{counted(len(reader.failed), 'file')} could not be judged.", file=sys.stderr)


def who_judges(run: run_folder.Run, settings: Settings) -> str:
    """Return which run judges where nobody chose one."""
    line = f"Judged by {one_line(run.folder)}; --run names another."
    if settings.data.folder == load_settings().data.folder:
        line += (
            f" It has learnt nothing but {settings.data.folder}: for voices from elsewhere, "
            "--run models/pretrained is better."
        )
    return line


def passed_over_line(passed_over: Counter[str]) -> str:
    """Return how many files of folders were no sound, by their suffix.

    >>> passed_over_line(Counter({".txt": 2, "": 1}))
    'Passed over for their names: 2 .txt, 1 without a suffix. What is named is judged.'
    """
    kinds = [
        f"{count:,} {suffix or 'without a suffix'}" for suffix, count in passed_over.most_common()
    ]
    return f"Passed over for their names: {one_line(', '.join(kinds))}. What is named is judged."


def doubt_windows(source: Source, calibration: Calibration, settings: PredictSettings) -> str:
    """Return why the windows of a file give no confidence; empty if they do."""
    clipped = np.mean(source.clipped_shares or [0.0])
    if clipped > settings.max_clipped_share:
        return f"{clipped:.0%} of it is clipped"
    if calibration.says_nothing:
        return "the run tells nothing apart: train it longer"
    if source.scores and not source.counted(settings).any():
        highest_hz = max(source.bandwidths_hz)
        end = ", as over a telephone" if highest_hz > TELEPHONE_HZ else ""
        return f"nothing above {highest_hz:,.0f} Hz{end}"
    echo, prior_fake = echo_note(source, settings), settings.prior_fake
    if echo and calibration.probability_real(mean_score(source, settings), prior_fake) < 0.5:
        return f"{echo}, which may look like synthesis"  # an echo makes no fake look real
    said = judge_channels(source, calibration, settings)
    if {"REAL", "FAKE"} <= set(said.values()):
        return ", ".join(f"channel {channel} is {word}" for channel, word in said.items())
    return ""


def judge_channels(
    source: Source, calibration: Calibration, settings: PredictSettings
) -> dict[int, str]:
    """Return the verdict on each channel that was judged by itself."""
    if not any(source.channels):
        return {}
    channels, counts = np.array(source.channels), source.counted(settings)
    scores = {c: np.mean(np.array(source.scores)[counts & (channels == c)])
              for c in np.unique(channels[counts]).tolist()}  # fmt: skip
    return {
        channel: verdict(
            float(calibration.probability_real(score, settings.prior_fake)), settings.min_confidence
        )
        for channel, score in scores.items()
    }


def echo_note(source: Source, settings: PredictSettings) -> str:
    """Return when an echo comes that is stronger than what passes; empty where there is none."""
    if source.echo is None or source.echo.gain <= settings.max_echo:
        return ""
    return f"an echo after {1000 * source.echo.seconds:.0f} ms"


def mean_score(source: Source, settings: PredictSettings) -> float:
    """Return the mean over the windows that count; where none does, over all, for who wants one."""
    counts = source.counted(settings)
    return float(np.mean(np.array(source.scores)[counts if counts.any() else slice(None)]))


def judge(source: Source, calibration: Calibration, settings: PredictSettings) -> dict:
    """Return the verdict on one file: more likely real, or fake, and how likely."""
    if not source.scores:
        unknown = dict.fromkeys(JUDGED) | {"windows": 0, "windows_left_out": 0}
        said = {"verdict": "UNCERTAIN", "warning": source.warning, "note": source.note}
        return unknown | said | {"file": source.name}
    counts, score = source.counted(settings), mean_score(source, settings)
    counts |= not counts.any()
    p_real = float(calibration.probability_real(score, settings.prior_fake))
    return {
        "verdict": "UNCERTAIN" if source.warning else verdict(p_real, settings.min_confidence),
        "confidence": None if source.warning else round(max(p_real, 1 - p_real), 6),
        "p_real": None if source.warning else round(p_real, 6),
        "score": round(score, 6),
        "llr": round(float(calibration.llr(score)), 6),
        "windows": int(counts.sum()),
        "windows_left_out": int((~counts).sum()),
        "frame_rate_hz": None,
        "warning": source.warning,
        "note": source.note,
        "run": None,
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
    >>> call["note"] = ""
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
        notes.append(f"repeats at {round(rate_hz, 2):g} Hz")
    notes.append(judged["note"])
    said = "; ".join(filter(None, notes))
    line = f"{judged['verdict']:9} {shown:>7}  {one_line(judged['file'])}"
    return f"{line}  ({said})" if said else line


def timeline_of(
    source: Source, calibration: Calibration, settings: Settings
) -> timelines.Timeline | None:
    """Return the timeline of a recording that is scored; None where there is no window of sound."""
    if not source.starts:
        return None
    judged = source.counted(settings.predict) & (not source.warning)
    order = source.in_time()
    return timelines.make_timeline(
        np.array(source.starts)[order],
        np.where(judged, source.scores, np.nan)[order],
        calibration,
        settings.audio.window_seconds,
        settings.predict,
        source.end_seconds,
    )


def passage_note(line: timelines.Timeline | None, judged: Mapping) -> str:
    """Return where a passage looks fake, if the whole recording doesn't; empty for nowhere."""
    if line is None or judged["verdict"] == "FAKE":
        return ""
    start = timelines.surely_fake_from(line, SURELY)
    return "" if start is None else f"fake from {timelines.clock(start)}? --timeline shows it"


def write_timeline(
    source: Source, line: timelines.Timeline, channel: int | None, quiet: bool
) -> None:
    """Write a recording's passages and their picture to timelines/, and print the passages.

    Args:
        source: the recording, scored.
        line: its timeline.
        channel: that is judged; None for all.
        quiet: print nothing.
    """
    stem = "standard-input" if source.name == STANDARD_INPUT else plain_name(source.name)
    known = "" if source.name == STANDARD_INPUT else f"{channel}|{Path(source.name).resolve()}"
    why = source.warning or "as over a telephone"
    envelopes = [source.envelopes[window] for window in source.in_time()]
    paths = timelines.write_timeline(TIMELINES / stem, source.name, line, envelopes, why, known)
    if not quiet:
        say(timelines.format_passages(line.passages))
        say(f"Written: {one_line(paths)}")


def plain_name(name: str) -> str:
    """Return a file's name as one that leaves room for a suffix, and prints.

    >>> plain_name("calls/a\\nb.wav")
    'a_b.wav'
    """
    return "".join(c if c.isprintable() else "_" for c in Path(name).name)[-60:] or "unnamed"


if __name__ == "__main__":
    sys.exit(main())
