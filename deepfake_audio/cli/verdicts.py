"""Print verdicts for people and machines, and write their table and timelines."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.standard_input import STANDARD_INPUT
from deepfake_audio.detector import Detector, Result, in_time
from deepfake_audio.errors import InputError, OutputError, one_line, pluralize
from deepfake_audio.inference import timelines
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.pipeline import Failure
from deepfake_audio.inference.results_table import (
    Judged,
    check_table,
    partial_path,
    resumable_table,
)
from deepfake_audio.models import run_folder
from deepfake_audio.system.atomic_files import is_file
from deepfake_audio.vocabulary import VERDICTS

MAX_SHOWN_CONFIDENCE = 0.999


def say(text: str) -> None:
    """Print a remark on standard error."""
    print_lines(text, file=sys.stderr)


@contextmanager
def kept_table(
    name: str | None, identity: str
) -> Iterator[tuple[Judged, Callable[[Mapping], object]]]:
    """Open the table of results, or continue that of an interrupted command.

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
        with resumable_table(path, identity, say) as (done, add):
            if done:
                say(f"Judged already: {pluralize(len(done), 'file')}.")
            yield done, add
    except BaseException as error:
        kept = partial_path(path, identity)
        ended = isinstance(error, OutputError) or not isinstance(error, InputError)
        if ended and is_file(kept):
            say(f"{one_line(kept)} has the verdicts so far; the same command continues.")
        raise


def format_verdict(result: Result) -> str:
    """Return one line for people; no confidence is shown as more than 99.9%."""
    shown = "-"
    if result.confidence is not None:
        shown = f"{min(result.confidence, MAX_SHOWN_CONFIDENCE):.1%}"
    reasons = "; ".join(reason.text for reason in result.reasons)
    line = f"{result.verdict:9} {shown:>7}  {one_line(result.name)}"
    return f"{line}  ({reasons})" if reasons else line


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
        say(f"{pluralize(counts.total(), 'file')}: {verdicts}.")
    if files.skipped:
        say(skipped_line(files.skipped))
    if failures:
        say(f"{pluralize(len(failures), 'file')} could not be judged.")


def describe_run(detector: Detector) -> str:
    """Describe the run that judges, for a user who did not choose one."""
    line = f"Judged by {one_line(detector.run.folder)}; --run names another."
    if detector.run.folder == run_folder.PRETRAINED and any(run_folder.RUNS.glob("*/run.json")):
        line += " Runs that were trained on the sample are used only if they are named."
    return line


def skipped_line(skipped: Counter[str]) -> str:
    """Describe the files of folders that were skipped, by their suffix.

    >>> skipped_line(Counter({".txt": 2, "": 1}))
    'Passed over for their names: 2 .txt, 1 without a suffix. Name a file to judge it.'
    """
    kinds = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in skipped.most_common()]
    return f"Passed over for their names: {one_line(', '.join(kinds))}. Name a file to judge it."


def write_timeline(
    result: Result, channel: int | None, quiet: bool, track: int | None = None
) -> None:
    """Write a recording's passages and their picture to timelines/, and print the passages.

    Args:
        result: of the recording.
        channel: the only channel that was judged; None for all.
        quiet: print nothing.
        track: the only track that was judged; None for all.
    """
    is_stdin = result.name == STANDARD_INPUT
    stem = "standard-input" if is_stdin else plain_name(result.name)
    part = str(channel) if track is None else f"{channel}, track {track}"
    known = "" if is_stdin else f"{part}|{Path(result.name).resolve()}"
    line = result.timeline()
    is_judged = result.doubt is None or result.doubt.code == "fake_passage"
    why = "as over a telephone" if is_judged else result.doubt.text.partition(":")[0]
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
