"""The table of verdicts, kept while it grows: a run that is cut off goes on where it was."""

import csv
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake_audio.errors import UserError, one_line
from deepfake_audio.system.atomic_files import (
    escaped,
    is_file,
    lock,
    open_no_link,
    open_regular,
    open_table,
    open_text,
    unwritable,
)

FIELDS = (
    "verdict", "confidence", "p_real", "score", "llr", "windows", "windows_left_out",
    "frame_rate_hz", "warning", "note", "run", "file", "error",
)  # fmt: skip
FIRST_FIELDS = ",".join(FIELDS[:4])  # of tables of earlier versions too


def check_table(path: Path) -> None:
    """Raise a `UserError` if a table of verdicts would take the place of something else."""
    if not os.path.lexists(path):
        return
    with open_regular(path, "--csv FILE, where it exists already,") as file:
        if not file.readline(1000).decode("latin-1").startswith(FIRST_FIELDS):
            raise UserError(
                "--csv names a new file, or a table of verdicts to replace. "
                f"Received: {path}, which holds something else. Choose another name."
            )


def set_aside(path: Path, new: Path) -> Path | None:
    """Give a table another name if it has files that the new one, which takes its place, has not.

    Returns:
        The name with a number; None where nothing would be lost.
    """
    if not is_file(path) or _files_in(path) <= _files_in(new):
        return None
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    free = next(name for name in numbered if not os.path.lexists(name))
    path.rename(free)
    return free


def _files_in(path: Path) -> set[str]:
    """Return the files that a table has verdicts on."""
    files = set()
    with suppress(csv.Error, UserError), open_text(path, "A table", errors="replace") as table:
        files.update(row["file"] for row in csv.DictReader(table) if row.get("file"))
    return files


def unfinished(path: Path, identity: str) -> Path:
    """Return where a table grows: what another run says, or with other settings, is another one."""
    return path.with_name(f"{path.name}.{identity}.partial")


@contextmanager
def growing_table(
    path: Path, identity: str
) -> Iterator[tuple[frozenset[str], Callable[[Mapping], None]]]:
    """Write a table row by row beside its place, and rename it when all rows are there.

    What an exception or a kill cuts off stays there, and what was at the place stays as well. If
    that has other files, it gets a name with a number in the end, and a line says so.

    Args:
        path: of the whole table; its folder is made if it is missing.
        identity: of what the rows depend on besides their files.

    Yields:
        The files whose rows are there from a try that was cut off, as `as_written` has them, and a
        function that adds a row: a mapping with some of `FIELDS`.

    Raises:
        UserError: another process writes it.
        OutputError: the disk is full, or the folder can't be written to.
    """
    partial = unfinished(path, identity)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open_table(partial, "a+")
    with file:
        if not lock(file):
            raise UserError(
                "A table of verdicts is written by one process at a time. Received: "
                f"{path}, where another one is at work. Wait for it, or choose another name."
            )
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")

        def add(row: Mapping) -> None:
            with _writing(path):
                writer.writerow({**row, "file": as_written(str(row["file"]))})
                file.flush()  # a kill takes away what is not in the file yet

        done, whole_bytes = _whole_rows(partial)
        with _writing(path):
            file.truncate(whole_bytes)
        if not whole_bytes:
            add(dict(zip(FIELDS, FIELDS, strict=True)))
        yield done, add
    with _writing(path):
        check_table(path)  # something else may have come there since
        aside = set_aside(path, partial)
        partial.replace(path)
    if aside:
        told = f"{one_line(path)} had verdicts on other files, which are in {one_line(aside)} now."
        print(told, file=sys.stderr)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None


def _whole_rows(path: Path) -> tuple[frozenset[str], int]:
    """Return the files that have a whole row in a table, and how many bytes these rows take."""
    files, whole_bytes, read_bytes = set(), 0, 0

    def lines() -> Iterator[str]:
        nonlocal read_bytes
        with open(path, "rb", opener=open_no_link) as file:
            for line in file:
                read_bytes += len(line)
                yield line.decode("utf-8", "backslashreplace") if line.endswith(b"\n") else ""

    with suppress(csv.Error):
        for number, row in enumerate(csv.reader(lines())):
            if len(row) != len(FIELDS) or (number and row[FIELDS.index("error")]):
                break  # cut off; or failed, which comes at the end and is tried again
            whole_bytes = read_bytes
            if number:
                files.add(row[FIELDS.index("file")])
    return frozenset(files), whole_bytes


def as_written(name: str) -> str:
    """Return a file's name as it stands in a table: what is no UTF-8, and returns, are escaped."""
    return escaped(name).replace("\r", "\\r")
