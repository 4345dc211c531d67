"""The table of verdicts, kept while it grows: a run that is cut off goes on where it was."""

import hashlib
import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.atomic_files import (
    atomic_write,
    is_file,
    lock,
    open_no_link,
    open_table,
    open_text,
    write_error,
)
from deepfake_audio.system.csv_files import MISTAKABLE, read_cells, write_rows
from deepfake_audio.vocabulary import VERDICTS

FIELDS = (
    "verdict", "confidence", "p_real", "score", "llr", "windows", "windows_left_out",
    "frame_rate_hz", "warning", "note", "run", "file", "error",
)  # fmt: skip
FIRST_FIELDS = ",".join(FIELDS[:4])  # of tables of earlier versions too
UNWRITTEN = re.compile(r"[\r\ud800-\udfff]|\A\s+|\s+\Z")


class Judged:
    """The files that have rows in a table from a try that was cut off, each as often as it does.

    A file takes about 100 bytes of memory, however long its name is.
    """

    def __init__(self, rows: Callable[[], Iterator[list[str]]] = lambda: iter(())):
        """Args: rows: gives the table's rows."""
        self._rows = rows
        self._times = Counter(map(_digest, self.names()))

    def __len__(self) -> int:
        """Return how many rows were not taken yet."""
        return self._times.total()

    def names(self) -> Iterator[str]:
        """Yield the files of all rows as the table has them."""
        return (row[FIELDS.index("file")] for row in self._rows())

    def take(self, name: str) -> bool:
        """Return whether a file has a row that was not taken yet, and take it."""
        return self.take_written(escaped_name(name))

    def take_written(self, cell: str) -> bool:
        """Do the same by a file's name as the table has it."""
        digest = _digest(cell)
        if not self._times[digest]:  # asking a `Counter` adds nothing
            return False
        self._times[digest] -= 1
        return True


def check_table(path: Path) -> None:
    """Raise a `InputError` if a table of verdicts would take the place of something else."""
    if not os.path.lexists(path):
        return
    with open_text(
        path, "--csv FILE, where it exists already,", "utf-8-sig", errors="replace"
    ) as file:
        if not file.readline(1000).startswith(FIRST_FIELDS):
            raise InputError(
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


def _files_in(path: Path) -> set[bytes]:
    """Return the digests of the files that a table has verdicts on."""
    files = set()
    with (
        suppress(ValueError, InputError),
        open_text(path, "A table", "utf-8-sig", errors="replace") as table,
    ):
        rows = read_cells(table)
        _, columns = next(rows, (0, []))
        place = columns.index("file")
        files.update(_digest(row[place]) for _, row in rows if len(row) > place and row[place])
    return files


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "backslashreplace"), digest_size=16).digest()


def partial_path(path: Path, identity: str) -> Path:
    """Return where a table grows: what another run says, or with other settings, is another one."""
    return path.with_name(f"{path.name}.{identity}.partial")


@contextmanager
def resumable_table(
    path: Path, identity: str
) -> Iterator[tuple[Judged, Callable[[Mapping], None]]]:
    """Write a table row by row beside its place, and rename it when all rows are there.

    What an exception or a kill cuts off stays there, and what was at the place stays as well. If
    that has other files, it gets a name with a number in the end, and a line says so. Rows from a
    try that was cut off whose files are not taken again are left out in the end.

    Args:
        path: of the whole table; its folder is made if it is missing.
        identity: of what the rows depend on besides their files.

    Yields:
        The files whose rows are there from a try that was cut off, and a function that adds a row:
        a mapping with some of `FIELDS`.

    Raises:
        InputError: another process writes it.
        OutputError: the disk is full, or the folder can't be written to.
    """
    partial = partial_path(path, identity)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open_table(partial, "a+")

    def add(row: Mapping) -> None:
        with _writing(path):
            cells = {**row, "file": escaped_name(str(row["file"]))}
            write_rows(file, [[cells.get(field) for field in FIELDS]])
            file.flush()  # a kill takes away what is not in the file yet

    try:
        if not lock(file):
            raise InputError(
                "A table of verdicts is written by one process at a time. Received: "
                f"{path}, where another one is at work. Wait for it, or choose another name."
            )
        whole_bytes = max((end for end, _ in _complete_rows(partial)), default=0)
        with _writing(path):
            file.truncate(whole_bytes)
        if not whole_bytes:
            add(dict(zip(FIELDS, FIELDS, strict=True)))
        judged = Judged(
            lambda: (row for _, row in itertools.islice(_complete_rows(partial), 1, None))
        )
        yield judged, add
    finally:
        with suppress(OSError):  # it was told when the row was written
            file.close()
    with _writing(path):
        check_table(path)  # something else may have come there since
        _leave_out(judged, partial)
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
        raise write_error(path, error) from None


def _complete_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table that grows up to the first that is not whole, and where each ends.

    The first row is the header; without it there are none. A row that failed is not whole: such
    rows come at the end, and their files are tried again.
    """
    read_bytes = 0

    def lines() -> Iterator[str]:
        nonlocal read_bytes
        with open(path, "rb", opener=open_no_link) as file:
            for line in file:
                read_bytes += len(line)
                yield line.decode("utf-8", "backslashreplace") if line.endswith(b"\n") else ""

    with suppress(ValueError):
        for number, (_, row) in enumerate(read_cells(lines())):
            if len(row) != len(FIELDS) or (number and row[FIELDS.index("error")]):
                break
            if (tuple(row) != FIELDS) if not number else (row[0] not in VERDICTS):
                break
            yield read_bytes, row


def _leave_out(judged: Judged, partial: Path) -> None:
    """Write a table anew without the rows whose files were not taken: nobody asks for them now."""
    if not judged:
        return
    told = f"Left out: {pluralize(len(judged), 'row')} of files that are not among those to judge."
    with (
        atomic_write(partial) as new,
        partial.open(newline="", encoding="utf-8") as before,
        open_table(new) as after,
    ):
        rows, place = (row for _, row in read_cells(before)), FIELDS.index("file")
        write_rows(after, [next(rows)])
        write_rows(after, (row for row in rows if not judged.take_written(row[place])))
    print(told, file=sys.stderr)


def escaped_name(name: str) -> str:
    """Return a file's name as it stands in a table, such that no two names become one.

    What is no UTF-8 is escaped, and so are returns and blanks at the ends, which readers drop.
    """
    if os.sep != "\\":  # there a backslash is between folders, and no name has a return
        name = MISTAKABLE.sub(r"\\x5c", name)
    return UNWRITTEN.sub(lambda found: "".join(map(_code, found[0])), name)


def _code(letter: str) -> str:
    return r"\x20" if letter == " " else ascii(letter)[1:-1]
