"""Keep the verdicts of a command in a table that can be continued."""

import argparse
import json
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from deepfake_audio import __version__
from deepfake_audio.cli.messages import say
from deepfake_audio.cli.predict_arguments import words_of
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError, OutputError, one_line, pluralize
from deepfake_audio.inference.earlier_tables import check_table
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.results_table import other_partials, partial_path, resumable_table
from deepfake_audio.inference.shard_tables import (
    check_replaceable_record,
    earlier_rows,
    record_table,
)
from deepfake_audio.inference.table_rows import SHARD_FIELDS
from deepfake_audio.models import fingerprints
from deepfake_audio.system.regular_files import is_file
from deepfake_audio.system.shards import whole_path

EXTRAS = ("timeline", "segments", "report")
MAX_SPOOLED_BYTES = 1_000_000  # of rows with errors in memory; more are in a temporary file


@contextmanager
def kept_table(
    args: argparse.Namespace, detector: Detector, listed: FileList
) -> Iterator[Callable[[Mapping], object]]:
    """Open the table of results, or continue that of an interrupted command.

    Files with a verdict in the table are left out of `listed`. The complete table of a shard is
    continued too. Without `--csv` nothing is kept.

    Yields:
        A function that keeps one more row.
    """
    path = args.csv
    if path is None:
        yield lambda row: None
        return
    words = words_of(args)
    identity = fingerprint_of(detector, [str(Path.cwd()), *words])
    check_table(path)
    for other in other_partials(path, identity):
        say(f"Not continued: {one_line(other)}, of another command, run or version.")
    of_shard = {}
    if listed.shard:
        check_replaceable_record(path)
        record = partial(record_table, path, listed, identity, facts_of(detector, words))
        earlier = earlier_rows(path, identity, say)
        of_shard = {"fields": SHARD_FIELDS, "on_complete": record, "earlier": earlier}
    try:
        with resumable_table(path, identity, say, **of_shard) as (listed.done, add):
            if listed.done:
                extras = " or ".join(f"--{name}" for name in EXTRAS if getattr(args, name))
                left_out = f"; {extras} writes nothing about them" if extras else ""
                say(f"Judged already: {pluralize(len(listed.done), 'file')}{left_out}.")
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


def facts_of(detector: Detector, words: Sequence[str]) -> dict[str, str]:
    """Return the facts that are the same for all shards of a table, by name."""
    return {
        "version of the program": __version__,
        "run": detector.run.name,
        "model": detector.record.model_fingerprint,
        "choice of settings": fingerprint_of(detector, []),
        "choice of files": shlex.join(words),
    }


def fingerprint_of(detector: Detector, asked: Sequence[str]) -> str:
    """Return digits that identify the verdicts of a detector on what was asked."""
    return fingerprints.fingerprint_verdicts(
        detector.run, detector.record, detector.settings, asked
    )


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
