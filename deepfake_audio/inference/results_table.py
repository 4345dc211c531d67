"""The table of verdicts: rows are kept as they come, so that an interrupted run continues.

An unfinished table has one more column, with the state of each file when it was listed. A row is
continued only if its file still has this state, so that changed files are judged again.
"""

import glob
import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.inference.earlier_tables import check_table, set_aside
from deepfake_audio.inference.table_rows import (
    ERROR,
    FIELDS,
    FILE,
    STATE,
    STATE_CHARACTERS,
    Judged,
    name_in_table,
)
from deepfake_audio.system.atomic_files import (
    atomic_write,
    lock,
    numbered,
    rename_to_free,
    write_error,
)
from deepfake_audio.system.csv_files import read_cells, write_rows
from deepfake_audio.system.regular_files import (
    MAX_LINE_CHARACTERS,
    is_file,
    open_no_link,
    open_table,
    open_text,
)
from deepfake_audio.vocabulary import VERDICTS


def partial_path(path: Path, identity: str) -> Path:
    """Return the path of an unfinished table; each identity has its own."""
    return path.with_name(f"{path.name}.{identity}.partial")


def other_partials(path: Path, identity: str) -> list[Path]:
    """Return the unfinished tables of other identities, if there is none of this one."""
    own, digits = partial_path(path, identity), "[0-9a-f]" * 8
    if is_file(own):
        return []
    return sorted(path.parent.glob(f"{glob.escape(path.name)}.{digits}.partial"))


@contextmanager
def resumable_table(
    path: Path,
    identity: str,
    say: Callable[[str], object] = lambda text: None,
    fields: Sequence[str] = FIELDS,
    on_complete: Callable[[Path, str], object] = lambda complete, states: None,
    earlier: Iterable[list[str]] = (),
) -> Iterator[tuple[Judged, Callable[[Mapping], None]]]:
    """Write a table row by row beside its place, and put it there when all rows are there.

    If an exception or a kill interrupts this, the rows stay there, and `path` stays as it is.
    If that file has other verdicts or columns, it is renamed with a number at the end. Rows of an
    interrupted run are left out if they are not taken.

    Args:
        path: of the whole table; its folder is made if it is missing.
        identity: of the question and the run; rows of another identity are not continued.
        say: receives remarks for the user.
        fields: the columns: `FIELDS`, or `SHARD_FIELDS`.
        on_complete: receives the path of the complete table before it is renamed, and the states of
            its rows, each with `STATE_CHARACTERS`.
        earlier: rows with their states to begin with, if there is no interrupted run.

    Yields:
        The files that have rows from an interrupted run, and a function that adds a row:
        a mapping with some of the fields and the file's `state`.

    Raises:
        InputError: another process writes it.
        OutputError: the disk is full, or the folder can't be written to.
    """
    partial, columns = partial_path(path, identity), (*fields, STATE)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _open_continued(path, partial, columns, say)

    def add(row: Mapping) -> None:
        with _writing(path):
            cells = {**row, "file": name_in_table(str(row["file"]))}
            write_rows(file, [[cells.get(field) for field in columns]])
            file.flush()  # a kill takes away what is not in the file yet

    try:
        with _writing(path):
            _begin(file, partial, columns, earlier)
        rows = itertools.islice(_complete_rows(partial, columns), 1, None)
        judged = Judged(row for _, row in rows)
        yield judged, add
        with _writing(path):
            check_table(path)  # something else may have come there since
            remarks = []
            if left_out := len(judged):
                rows = pluralize(left_out, "row")
                remarks = [f"Left out: {rows} of files that changed or are not to judge."]
            with atomic_write(path) as complete:
                on_complete(complete, _write_finished(complete, partial, fields, judged))
                remarks += set_aside(path, complete, fields)
            _release(file)
            partial.unlink()
    finally:
        with suppress(OSError):  # the error was raised when the row was written
            file.close()
    for remark in remarks:
        say(remark)


def _open_continued(
    path: Path, partial: Path, columns: Sequence[str], say: Callable[[str], object]
) -> TextIO:
    """Open and lock an unfinished table; a file without its header is renamed first."""
    file = _open_locked(path, partial)
    with open(partial, "rb", opener=open_no_link) as content:
        has_line = content.readline(MAX_LINE_CHARACTERS).endswith(b"\n")
    if has_line and next(_complete_rows(partial, columns), None) is None:
        _release(file)
        kept = rename_to_free(partial, numbered(partial))
        file.close()
        say(
            f"{one_line(partial)} was changed by another program and can't be continued; it is "
            f"{one_line(kept)} now."
        )
        return _open_locked(path, partial)
    return file


def _release(file: TextIO) -> None:
    """Close a file if the system renames and removes no open files; keep its lock otherwise."""
    if os.name == "nt":
        file.close()


def _open_locked(path: Path, partial: Path) -> TextIO:
    """Open and lock the unfinished table at a path, which no other process then removes.

    Raises:
        InputError: another process writes it.
    """
    while True:
        file = open_table(partial, "a+")
        if not lock(file):
            file.close()
            raise InputError(
                f"cannot write {path}: another process writes it; wait, or choose another name"
            )
        with suppress(FileNotFoundError):  # a process that ended just now removed it
            if os.path.samestat(os.fstat(file.fileno()), partial.stat()):
                return file
        file.close()


def _begin(
    file: TextIO, partial: Path, columns: Sequence[str], earlier: Iterable[list[str]]
) -> None:
    """Remove what follows the complete rows of an unfinished table, or write the first rows."""
    whole_bytes = max((end for end, _ in _complete_rows(partial, columns)), default=0)
    file.truncate(whole_bytes)
    if not whole_bytes:
        write_rows(file, [columns])
        write_rows(file, itertools.takewhile(lambda row: _is_complete(row, columns), earlier))
        file.flush()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from None


def _complete_rows(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the complete rows of an unfinished table with the position where each ends.

    The first row is the header; without it there are none. Rows with an error end the table: their
    files are tried again.
    """
    read_bytes = 0

    def lines() -> Iterator[str]:
        nonlocal read_bytes
        with open(path, "rb", opener=open_no_link) as file:
            for line in file:
                read_bytes += len(line)
                encoding = "utf-8-sig" if read_bytes == len(line) else "utf-8"
                yield line.decode(encoding) if line.endswith(b"\n") else ""

    with suppress(ValueError):
        for number, (_, row) in enumerate(read_cells(lines())):
            if not (_is_complete(row, fields) if number else row == list(fields)):
                break
            yield read_bytes, row


def _is_complete(row: Sequence[str], columns: Sequence[str]) -> bool:
    """Return whether a row of an unfinished table has all cells and a verdict."""
    return len(row) == len(columns) and row[0] in VERDICTS and not row[ERROR]


def _write_finished(complete: Path, partial: Path, fields: Sequence[str], judged: Judged) -> str:
    """Write the complete table without the rows that were not taken; return the states of files."""
    states = io.StringIO()

    def finished(rows: Iterator[tuple[int, list[str]]]) -> Iterator[list[str]]:
        is_all_taken = not len(judged)
        for _, (*row, state) in rows:
            if is_all_taken or not judged.take_written(row[FILE], state):
                states.write(f"{state[:STATE_CHARACTERS]:{STATE_CHARACTERS}}")
                yield row

    with open_text(partial, "An unfinished table") as before, open_table(complete) as after:
        rows = read_cells(before)
        next(rows)
        write_rows(after, itertools.chain([fields], finished(rows)))
    return states.getvalue()
