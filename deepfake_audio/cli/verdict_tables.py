"""Keep the verdicts of a command in tables: one that can be continued, and one for a board."""

import json
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deepfake_audio import __version__
from deepfake_audio.cli.messages import say
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError, OutputError, one_line, pluralize
from deepfake_audio.inference.board_table import board_table, name_on_board
from deepfake_audio.inference.earlier_tables import check_table
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.results_table import other_partials, partial_path, resumable_table
from deepfake_audio.inference.shard_tables import (
    check_replaceable_record,
    earlier_rows,
    record_of,
    write_record,
)
from deepfake_audio.inference.table_rows import FIELDS, SHARD_FIELDS
from deepfake_audio.models import fingerprints
from deepfake_audio.system.regular_files import is_file
from deepfake_audio.system.shards import whole_path

MAX_SPOOLED_BYTES = 1_000_000  # of rows with errors in memory; more are in a temporary file


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
    path: Path | None, question: Question | None, listed: FileList
) -> Iterator[Callable[[Mapping], object]]:
    """Open the table of results, or continue that of an interrupted command.

    Args:
        path: of the table; without it or a question, nothing is kept.
        question: a table of another one is not continued.
        listed: the files; those with a verdict in the table are left out of it. The complete table
            of a shard is continued too.

    Yields:
        A function that keeps one more row.
    """
    if path is None or question is None:
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

    fields = SHARD_FIELDS if listed.shard else FIELDS
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
