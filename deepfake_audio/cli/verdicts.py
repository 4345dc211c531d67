"""Print verdicts for people and machines, and write their table and timelines."""

import json
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO, TypeVar

from deepfake_audio import __version__
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.standard_input import STANDARD_INPUT
from deepfake_audio.detector import Detector, Result
from deepfake_audio.errors import InputError, OutputError, one_line, pluralize
from deepfake_audio.inference import timeline_files
from deepfake_audio.inference.board_table import board_table, name_on_board
from deepfake_audio.inference.inputs import Part, in_time
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.reasons import why_not_judged
from deepfake_audio.inference.results_table import (
    FIELDS,
    SHARD_FIELDS,
    check_table,
    other_partials,
    partial_path,
    resumable_table,
)
from deepfake_audio.inference.shard_tables import (
    check_replaceable_record,
    earlier_rows,
    record_of,
    write_record,
)
from deepfake_audio.inference.timelines import SEE_TIMELINE, format_passages
from deepfake_audio.models import fingerprints, run_folder
from deepfake_audio.system.regular_files import is_file
from deepfake_audio.system.shards import whole_path
from deepfake_audio.vocabulary import VERDICTS, format_confidence

T = TypeVar("T")
FAILED = "failed"  # counted beside the verdicts
MAX_SPOOLED_BYTES = 1_000_000  # of rows with errors in memory; more are in a temporary file


def say(text: str) -> None:
    """Print a remark on standard error."""
    print_lines(text, file=sys.stderr)


class Question(NamedTuple):
    """The question that a table answers.

    Attributes:
        identity: of the words of the command, the working folder, the run that answers, and the
            version of the program.
        made_with: facts that are the same for all shards of a table, by name.
    """

    identity: str
    made_with: dict[str, str]


def question_of(detector: Detector, words: Sequence[str]) -> Question:
    """Return the question that a command asks.

    Args:
        detector: that answers.
        words: that choose the files and their parts.
    """
    chosen = detector.run, detector.record, detector.settings
    made_with = {
        "version of the program": __version__,
        "run": detector.run.name,
        "model": detector.record.model_fingerprint,
        "choice of settings": fingerprints.fingerprint_verdicts(*chosen, []),
        "choice of files": shlex.join(words),
    }
    identity = fingerprints.fingerprint_verdicts(*chosen, [str(Path.cwd()), *words])
    return Question(identity, made_with)


@contextmanager
def kept_table(
    path: Path | None, question: Question, listed: FileList
) -> Iterator[Callable[[Mapping], object]]:
    """Open the table of results, or continue that of an interrupted command.

    Args:
        path: of the table; None keeps nothing.
        question: a table of another one is not continued.
        listed: the files; those with a verdict in the table are left out of it. The complete table
            of a shard is continued too.

    Yields:
        A function that keeps one more row.
    """
    if path is None:
        yield lambda row: None
        return
    identity = question.identity
    check_table(path)
    for other in other_partials(path, identity):
        say(f"Not continued: {one_line(other)}, of another command, run or version.")
    if listed.shard:
        check_replaceable_record(path)

    def record(complete: Path, states: str) -> None:
        if listed.shard:
            write_record(path, record_of(listed, *question, complete, states))

    def earlier() -> Iterator[list[str]]:
        return earlier_rows(path, identity, say) if listed.shard else iter(())

    fields, listed.is_kept = SHARD_FIELDS if listed.shard else FIELDS, True
    try:
        with resumable_table(path, identity, say, fields, record, earlier) as (listed.done, add):
            if listed.done:
                say(f"Judged already: {pluralize(len(listed.done), 'file')}.")
            with errors_last(add, path.parent) as keep:
                yield lambda row: keep({**row, **listed.facts(row["file"])})
    except BaseException as error:
        kept = partial_path(path, identity)
        ended = isinstance(error, OutputError) or not isinstance(error, InputError)
        if ended and is_file(kept):
            say(f"{one_line(kept)} has the verdicts so far; the same command continues.")
        raise
    say(f"Written: {one_line(path)}")
    if listed.shard:
        whole = one_line(whole_path(path, ".csv"))
        say(f"After all {listed.shard.count} shards: python join.py {shlex.quote(whole)}")


@contextmanager
def errors_last(
    add: Callable[[Mapping], object], folder: Path
) -> Iterator[Callable[[Mapping], object]]:
    """Yield a function that adds rows, but those with an error only at the end.

    Until then these are in a temporary file of a folder, that of the table: it has room for both.
    """
    with tempfile.SpooledTemporaryFile(
        MAX_SPOOLED_BYTES, "w+", encoding="utf-8", dir=folder
    ) as spooled:

        def keep(row: Mapping) -> None:
            if "error" in row:
                spooled.write(json.dumps(row) + "\n")
            else:
                add(row)

        yield keep
        spooled.seek(0)
        for line in spooled:
            add(json.loads(line))


@contextmanager
def board_rows(name: str | None, asked: Sequence[str]) -> Iterator[Callable[..., None]]:
    """Open the table for a public board; see `board_table`.

    Args:
        name: of the table; None writes nothing.
        asked: the files and folders of the command.

    Yields:
        A function that adds a row: name of the file, its result (None if it failed) and its
        latency in milliseconds.
    """
    if name is None:
        yield lambda *row: None
        return
    with board_table(Path(name), say) as add:

        def keep(file: str, result: Result | None = None, latency_ms: float | None = None) -> None:
            seconds = result.quality.duration_seconds if result and result.quality else None
            add(name_on_board(file, asked), result and result.verdict, latency_ms, seconds)

        yield keep
    say(f"Written: {one_line(name)}")


def format_verdict(result: Result, has_timeline: bool = False) -> str:
    """Return one line for people; no confidence is shown as more than 99.9%.

    Args:
        result: of a recording.
        has_timeline: the timeline follows, so that no note refers to it.
    """
    shown = "-" if result.confidence is None else format_confidence(result.confidence)
    reasons = "; ".join(reason.text for reason in result.reasons)
    reasons = reasons.replace(SEE_TIMELINE, "") if has_timeline else reasons
    line = f"{result.verdict:9} {shown:>7}  {one_line(result.name)}"
    return f"{line}  ({reasons})" if reasons else line


def progress(results: Iterator[T]) -> Iterator[T]:
    """Show a count of files on a terminal if the verdicts go elsewhere."""
    if is_terminal(sys.stdout) or not is_terminal(sys.stderr):
        return results
    from tqdm import tqdm  # slow to import

    return iter(tqdm(results, desc="Judging", unit=" files"))


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def print_summary(files: FileList, counts: Counter[str], only_problems: bool) -> None:
    """Print on standard error how many files had which verdict, were skipped, or failed.

    Args:
        files: with those that were skipped.
        counts: number of files by verdict, and of those that failed.
        only_problems: leave the verdicts out.
    """
    judged = counts.total() - counts[FAILED]
    if judged > 1 and not only_problems:
        verdicts = ", ".join(f"{counts[name]:,} {name}" for name in VERDICTS if counts[name])
        say(f"{pluralize(judged, 'file')}: {verdicts}.")
    if files.skipped:
        say(skipped_line(files.skipped))
    if counts[FAILED]:
        say(f"{pluralize(counts[FAILED], 'file')} could not be judged.")


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
    peaks = [window.peaks for window in in_time(result.windows)]
    paths = timeline_files.write_timeline(
        timeline_files.TIMELINES / stem,
        title_of(result),
        line,
        peaks,
        why_not_judged(result.doubt),
        known,
    )
    if not quiet:
        print_lines(format_passages(line.passages))
        print_lines(f"Written: {one_line(paths)}")


def title_of(result: Result) -> str:
    """Return the name of a recording, with the only channel and track that were judged."""
    part = Part(result.track, result.channel).name
    return f"{result.name}, {part}" if part else result.name


def plain_name(name: str) -> str:
    """Return a file's name as one that leaves room for a suffix, and prints.

    >>> plain_name("calls/a\\nb.wav")
    'a_b.wav'
    """
    return "".join(c if c.isprintable() else "_" for c in Path(name).name)[-60:] or "unnamed"
