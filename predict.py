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
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from tqdm import tqdm

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_error, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.loading import load_settings
from deepfake_audio.detector import Detector, Result, in_time
from deepfake_audio.errors import InputError, OutputError, one_line, pluralize
from deepfake_audio.inference import timelines
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.pipeline import Failure, NamedInput
from deepfake_audio.inference.results_table import (
    Judged,
    check_table,
    partial_path,
    resumable_table,
)
from deepfake_audio.models import run_folder
from deepfake_audio.system.atomic_files import is_file, to_json
from deepfake_audio.vocabulary import VERDICTS

STANDARD_INPUT = "-"
MAX_SHOWN_CONFIDENCE = 0.999
NOTES_IN_TABLE = {"channels_differ", "echo_present", "fake_passage"}  # others have a column


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    detector = Detector.load(args.run, args.settings, bound_memory=True)
    asked = [str(Path.cwd()), str(args.channel), *args.files]
    identity = run_folder.fingerprint_verdicts(
        detector.run, detector.record, detector.settings, asked
    )
    failures: list[Failure] = []
    counts: Counter[str] = Counter()

    def fail(failure: Failure) -> None:
        print_error(failure.error)
        failures.append(failure)

    with kept_table(args.csv, identity) as (done, keep), ExitStack() as opened:
        listed = FileList(detector.record.images_from_audio, done, fail)
        files = with_standard_input(listed.expand(args.files), opened, detector, fail)
        results = detector.predict_many(files, args.workers, args.channel, on_error=fail)
        is_known = args.run or args.json
        for result in progress(results):
            if not is_known:
                print_lines(describe_run(detector), file=sys.stderr)
                is_known = True
            row = as_row(result)
            print_lines(to_json(row) if args.json else format_verdict(result))
            if args.timeline and result.timeline():
                write_timeline(result, args.channel, quiet=args.json)
            keep(row)
            counts[result.verdict] += 1
        for failure in failures:
            keep({"file": failure.name, "error": failure.error})
    print_summary(listed, failures, Counter() if args.json else counts)
    return EXIT_SOME_FAILED if failures else EXIT_OK


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
    """Raise a `InputError` if arguments make no sense together."""
    for option, least in (("workers", 0), ("channel", 1)):
        given = getattr(args, option)
        if given is not None and given < least:
            raise InputError(f"--{option} is {least} or more. Received: {given}.")
    if STANDARD_INPUT in args.files and args.workers != 1:
        raise InputError("One process reads standard input. Received: - and --workers.")
    for name in args.files:
        if re.fullmatch(r"[a-z]+\.[a-z_]+=.*", name) and not os.path.lexists(name):
            raise InputError(
                f"A setting stands behind --set. Received: {name}. Write --set {name}."
            )


@contextmanager
def kept_table(
    name: str | None, identity: str
) -> Iterator[tuple[Judged, Callable[[Mapping], object]]]:
    """Open the table of results, which an interrupted command may have begun.

    Args:
        name: of the table; None keeps nothing.
        identity: of the question and of the run that answers it.

    Yields:
        The files that have a verdict, and a function that keeps one more row.
    """
    if name is None:
        yield Judged(), lambda row: None
        return
    path = Path(name)
    check_table(path)
    try:
        with resumable_table(path, identity) as (done, add):
            if done:
                print_lines(f"Judged already: {pluralize(len(done), 'file')}.", file=sys.stderr)
            yield done, add
    except BaseException as error:
        kept = partial_path(path, identity)
        ended = isinstance(error, OutputError) or not isinstance(error, InputError)
        if ended and is_file(kept):
            told = f"What was judged is in {one_line(kept)}; the same command goes on."
            print_lines(told, file=sys.stderr)
        raise


def with_standard_input(
    names: Iterator[str],
    opened: ExitStack,
    detector: Detector,
    fail: Callable[[Failure], object],
) -> Iterator[str | NamedInput]:
    """Yield the files, and in place of `-` a copy of standard input.

    Args:
        names: of the files.
        opened: keeps the copy until all files are judged.
        detector: with the limit on standard input.
        fail: receives the error if standard input can't be read.
    """
    for name in names:
        if name != STANDARD_INPUT:
            yield name
            continue
        try:
            copy, path = opened.enter_context(temporary_file())
            copy_standard_input(copy, detector.settings.limits.stdin_megabytes)
            yield NamedInput(name, path)
        except InputError as error:
            fail(Failure(name, str(error)))


@contextmanager
def temporary_file() -> Iterator[tuple[BinaryIO, Path]]:
    """Give a file that is removed when it is closed; in memory if there is no temporary folder."""
    if has_temporary_folder():
        with tempfile.NamedTemporaryFile() as file:
            yield file, Path(file.name)
    elif hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("standard-input"), "w+b") as memory:
            yield memory, Path(f"/proc/self/fd/{memory.fileno()}")
    else:
        raise InputError(
            "cannot copy standard input: no temporary folder can be written to; set TMPDIR to one"
        )


def has_temporary_folder() -> bool:
    try:
        return bool(tempfile.gettempdir())
    except FileNotFoundError:
        return False


def copy_standard_input(copy: BinaryIO, max_megabytes: int) -> None:
    """Copy standard input to a file, or raise a `InputError` if it is too large or unreadable."""
    try:
        for _ in range(max_megabytes):
            piece = sys.stdin.buffer.read(1_000_000) if sys.stdin else b""
            copy.write(piece)
            if not piece:
                break
        else:
            raise InputError(
                f"Standard input holds less than limits.stdin_megabytes={max_megabytes}. "
                "Received: more. Give a file."
            )
        copy.flush()
    except OSError as error:
        raise InputError(f"Standard input must be readable. Received: {error}.") from None


def progress(results: Iterator[Result]) -> Iterator[Result]:
    """Show a count of files on a terminal if the verdicts go elsewhere."""
    shown = is_terminal(sys.stderr) and not is_terminal(sys.stdout)
    return tqdm(results, desc="Judging", unit=" files", disable=not shown)


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def print_summary(files: FileList, failures: Sequence[Failure], counts: Counter[str]) -> None:
    """Print on standard error how many files had which verdict, were skipped, or failed."""
    if counts.total() > 1:
        verdicts = ", ".join(f"{counts[name]:,} {name}" for name in VERDICTS if counts[name])
        print_lines(f"{pluralize(counts.total(), 'file')}: {verdicts}.", file=sys.stderr)
    if files.skipped:
        print_lines(skipped_line(files.skipped), file=sys.stderr)
    if failures:
        print_lines(f"{pluralize(len(failures), 'file')} could not be judged.", file=sys.stderr)


def describe_run(detector: Detector) -> str:
    """Return which run judges, for a user who did not choose one."""
    line = f"Judged by {one_line(detector.run.folder)}; --run names another."
    folder = detector.settings.data.folder
    if folder == load_settings().data.folder:
        line += (
            f" It has learnt nothing but {folder}: for voices from elsewhere, "
            "--run models/pretrained is better."
        )
    return line


def skipped_line(skipped: Counter[str]) -> str:
    """Return how many files of folders were no sound, by their suffix.

    >>> skipped_line(Counter({".txt": 2, "": 1}))
    'Passed over for their names: 2 .txt, 1 without a suffix. What is named is judged.'
    """
    kinds = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in skipped.most_common()]
    return f"Passed over for their names: {one_line(', '.join(kinds))}. What is named is judged."


def as_row(result: Result) -> dict:
    """Return a result as a JSON object or a row of the table."""
    windows = len(result.windows)
    usable = int(result.usable.sum())
    row = {
        "verdict": str(result.verdict),
        "confidence": rounded(result.confidence),
        "p_real": rounded(result.p_real),
        "score": rounded(result.score),
        "llr": rounded(result.llr),
        "windows": usable,
        "windows_left_out": windows - usable,
        "frame_rate_hz": result.frame_rate_hz,
        "warning": result.doubt.text if result.doubt else "",
        "note": "; ".join(note.text for note in result.notes if note.code in NOTES_IN_TABLE),
        "run": result.run,
        "file": result.name,
    }
    return row


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def format_verdict(result: Result) -> str:
    """Return one line for people; no confidence is shown as more than 99.9%."""
    shown = "-"
    if result.confidence is not None:
        shown = f"{min(result.confidence, MAX_SHOWN_CONFIDENCE):.1%}"
    reasons = "; ".join(reason.text for reason in result.reasons)
    line = f"{result.verdict:9} {shown:>7}  {one_line(result.name)}"
    return f"{line}  ({reasons})" if reasons else line


def write_timeline(result: Result, channel: int | None, quiet: bool) -> None:
    """Write a recording's passages and their picture to timelines/, and print the passages.

    Args:
        result: of the recording.
        channel: the only channel that was judged; None for all.
        quiet: print nothing.
    """
    is_stdin = result.name == STANDARD_INPUT
    stem = "standard-input" if is_stdin else plain_name(result.name)
    known = "" if is_stdin else f"{channel}|{Path(result.name).resolve()}"
    line = result.timeline()
    why = result.doubt.text if result.doubt else "as over a telephone"
    peaks = [window.peaks for window in in_time(result.windows)]
    paths = timelines.write_timeline(
        timelines.TIMELINES / stem, result.name, line, peaks, why, known
    )
    if not quiet:
        print_lines(timelines.format_passages(line.passages))
        print_lines(f"Written: {one_line(paths)}")


def plain_name(name: str) -> str:
    """Return a file's name as one that leaves room for a suffix, and prints.

    >>> plain_name("calls/a\\nb.wav")
    'a_b.wav'
    """
    return "".join(c if c.isprintable() else "_" for c in Path(name).name)[-60:] or "unnamed"


if __name__ == "__main__":
    sys.exit(main())
