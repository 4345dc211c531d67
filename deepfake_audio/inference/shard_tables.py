"""Tables of shards: the record beside each, and the table of all shards.

The record `v.3-of-8.json` beside the table `v.3-of-8.csv` contains the model, settings and files
that the table was made of, and the table's digest. So a later command continues the table, and
tables that do not belong together are not joined.
"""

import hashlib
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.inference.earlier_tables import check_table, set_aside
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.table_rows import FIELDS, SHARD_FIELDS, STATE_CHARACTERS
from deepfake_audio.system import json_records
from deepfake_audio.system.atomic_files import atomic_write, write_json
from deepfake_audio.system.csv_files import WHOLE_NUMBER, read_cells, write_rows
from deepfake_audio.system.name_index import NameIndex
from deepfake_audio.system.regular_files import (
    check_replaceable,
    is_file,
    open_regular,
    open_table,
    open_text,
)
from deepfake_audio.system.shards import Shard, check_same, find_shards, missing_shards
from deepfake_audio.vocabulary import VERDICTS

MAX_RECORD_BYTES = 10_000_000  # without states; the words of a long command line are in it
VERDICT, FILE, ERROR, POSITION = map(
    SHARD_FIELDS.index, ("verdict", "file", "error", "position")
)  # fmt: skip
SUFFIX = ".csv"


class ShardRecord(BaseModel):
    """How the table of one shard was made.

    Attributes:
        shard: K/N.
        identity: of the command; the same one continues the table.
        made_with: facts that are the same for all shards of a table, by name.
        listed: number of names, those of all shards.
        names: identifies these names and their order.
        table: SHA-256 of the table.
        states: of the files of its rows, each with `STATE_CHARACTERS`; None in earlier versions.
        finished_seconds: time of its end since 1970; 0 in earlier versions.
    """

    model_config = ConfigDict(frozen=True)

    shard: str
    identity: str
    made_with: dict[str, str]
    listed: int
    names: str
    table: str
    states: str | None = None
    finished_seconds: float = 0


def record_path(table: Path) -> Path:
    """Return the path of the record beside a table."""
    return table.with_name(f"{table.name.removesuffix(SUFFIX)}.json")


def digest_table(path: Path) -> str:
    """Return the SHA-256 of a table."""
    with open_regular(path, "A table") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_record(table: Path) -> ShardRecord | None:
    """Read the record of a shard's table; None if there is none or if it is of another table."""
    path = record_path(table)
    if not is_file(path) or not is_file(table):
        return None
    most_bytes = MAX_RECORD_BYTES + table.stat().st_size  # a row is longer than its state
    with suppress(InputError):
        record = json_records.read_record(path, ShardRecord, "", most_bytes)
        if record.table == digest_table(table):
            return record
    return None


def record_table(
    table: Path,
    listed: FileList,
    identity: str,
    made_with: Mapping[str, str],
    complete: Path,
    states: str,
) -> None:
    """Write the record of a shard's complete table, which is renamed to `table` afterwards."""
    record = ShardRecord(
        shard=str(listed.shard),
        identity=identity,
        made_with=dict(made_with),
        listed=listed.listed,
        names=listed.fingerprint,
        table=digest_table(complete),
        states=states,
        finished_seconds=round(time.time(), 3),
    )
    write_record(table, record)


def write_record(table: Path, record: ShardRecord) -> None:
    """Write the record of a shard's table."""
    write_json(record_path(table), record.model_dump())


def check_replaceable_record(table: Path) -> None:
    """Raise an `InputError` if another program's file is in the place of the record."""
    check_replaceable(record_path(table), rb'\{\s*"shard": "', remedy="choose another --csv FILE")


def earlier_rows(table: Path, identity: str, say: Callable[[str], object]) -> Iterator[list[str]]:
    """Yield the rows of a shard's complete table, each with the state of its file at the end.

    If another command made the table, there are none, and `say` receives a remark.
    """
    record = read_record(table)
    if record is None or record.identity != identity or record.states is None:
        if is_file(table):
            say(
                f"Judged anew: the files of {one_line(table)}, which another command, run or "
                "version made."
            )
        return
    width = STATE_CHARACTERS
    states = (record.states[at : at + width] for at in range(0, len(record.states), width))
    with suppress(ValueError), open_text(table, "A table") as lines:  # no UTF-8, or no CSV
        rows = itertools.islice(read_cells(lines), 1, None)
        for (_, row), state in zip(rows, states, strict=False):
            yield [*row, state.rstrip()]


def join_tables(
    whole: Path, allow_missing: bool, say: Callable[[str], object] = lambda text: None
) -> tuple[str, bool]:
    """Write the table of all shards that are beside its place, in the order of one command.

    Returns:
        The shards and the files by verdict, on one line; and whether all files have a verdict.

    Raises:
        InputError: there are no shards, one is missing (unless this is allowed) or unfinished, or
            they do not belong together.
    """
    check_table(whole)
    found = find_shards(whole, SUFFIX)
    records = {path: _checked_record(path, shard) for shard, path in found.items()}
    check_same({path: record.made_with for path, record in records.items()})
    missing = missing_shards(found)
    if missing and not allow_missing:
        raise InputError(
            f"{whole} lacks {missing}; run predict.py with --shard for each, or join the others "
            "with --allow-missing"
        )
    outdated = outdated_shards(records.values())
    if outdated:
        say(
            "The shards were given different files: some came or went in between. Run the shards "
            f"{outdated} again, and each judges its new files."
        )
    counts: Counter[str] = Counter()
    with atomic_write(whole) as partial:
        with open_table(partial) as file:
            write_rows(file, [FIELDS])
            for is_error in (False, True):
                write_rows(file, _counted(_merged(found, is_error), counts))
        repeated = NameIndex(_names_of(partial)).repeated()
        remarks = set_aside(whole, partial)
    for remark in remarks:
        say(remark)
    listed = max(record.listed for record in records.values())
    lost = 0 if missing else max(0, listed - counts.total())
    verdicts = ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()) if name)
    joined = f"{pluralize(len(found), 'shard')}, {pluralize(counts.total(), 'file')}"
    problems = {
        f"{counts['']:,} could not be judged": counts[""],
        f"missing: {missing}": missing,
        f"shards of an earlier list of files: {outdated}": outdated,
        f"in no table: {pluralize(lost, 'file')}": lost,
    }
    texts = [joined + f": {verdicts}" * bool(verdicts), *filter(problems.get, problems)]
    if repeated:
        texts.append(f"listed more than once: {pluralize(repeated, 'file')}")
    return "; ".join(texts) + ".", not any(problems.values())


def outdated_shards(records: Iterable[ShardRecord]) -> str:
    """Name the shards that were given other files than the shard that ended last."""
    records = list(records)
    newest = max(records, key=lambda record: record.finished_seconds)
    given = newest.listed, newest.names
    return ", ".join(each.shard for each in records if (each.listed, each.names) != given)


def _checked_record(path: Path, shard: Shard) -> ShardRecord:
    """Return the record of a shard's table.

    Raises:
        InputError: the table has none, or was changed since.
    """
    record = read_record(path)
    if record is None or record.shard != str(shard):
        raise InputError(
            f"{path} is not the table that {record_path(path).name} describes; run predict.py with "
            f"--shard {shard} again"
        )
    return record.model_copy(update={"states": None})  # a megabyte for 130,000 rows


def _merged(found: dict[Shard, Path], is_error: bool) -> Iterator[list[str]]:
    """Yield the rows with or without an error, in the order in which the files were listed."""
    with ExitStack() as opened:
        tables = []
        for shard, path in found.items():
            file = opened.enter_context(open_text(path, "A table"))
            tables.append(_rows(file, shard, path, is_error))
        yield from heapq.merge(*tables, key=lambda row: int(row[POSITION]))


def _rows(lines: Iterator[str], shard: Shard, path: Path, is_error: bool) -> Iterator[list[str]]:
    """Yield the rows of one shard with or without an error.

    Raises:
        InputError: a row is not as predict.py writes it, or its file belongs to another shard.
    """
    for line, row in _checked_rows(lines, shard, path):
        if bool(row[ERROR]) != is_error:
            continue
        if not shard.has(row[FILE]):
            raise InputError(
                f"{one_line(row[FILE])} (line {line} of {path}) is in another shard than {shard}; "
                f"run predict.py with --shard {shard} again"
            )
        yield row


def _checked_rows(
    lines: Iterator[str], shard: Shard, path: Path
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with their lines; raise as `_rows` does."""
    line, rows = 1, read_cells(lines)
    try:
        line, header = next(rows, (1, []))
        if header == list(SHARD_FIELDS):
            for line, row in rows:
                if not _is_row(row):
                    break
                yield line, row
            else:
                return
    except ValueError:  # no UTF-8, or no CSV
        line += 1
    raise InputError(
        f"line {line} of {path} is not as predict.py writes it; run predict.py with "
        f"--shard {shard} again"
    )


def _is_row(row: Sequence[str]) -> bool:
    if len(row) != len(SHARD_FIELDS) or not WHOLE_NUMBER.fullmatch(row[POSITION]):
        return False
    return row[VERDICT] in ([""] if row[ERROR] else VERDICTS)


def _counted(rows: Iterator[list[str]], counts: Counter[str]) -> Iterator[Sequence[str]]:
    for row in rows:
        counts[row[VERDICT]] += 1
        yield row[: len(FIELDS)]


def _names_of(path: Path) -> Iterator[str]:
    with open_text(path, "A table") as file:
        for _, row in read_cells(file):
            yield row[FILE]
