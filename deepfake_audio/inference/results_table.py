"""The table of verdicts: rows are kept as they come, so that an interrupted run continues."""

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.atomic_files import atomic_write, lock, write_error
from deepfake_audio.system.csv_files import MISTAKABLE, read_cells, write_rows
from deepfake_audio.system.name_index import NameIndex
from deepfake_audio.system.regular_files import is_file, open_no_link, open_table, open_text
from deepfake_audio.vocabulary import VERDICTS

FIELDS = (
    "verdict", "confidence", "p_real", "score", "llr", "windows", "windows_left_out",
    "frame_rate_hz", "sound_seconds", "bandwidth_hz", "snr_db", "high_snr_db", "texture_db",
    "echo_gain", "clipped_share", "skipped_seconds", "warning", "note", "run", "file", "error",
)  # fmt: skip
SHARD_FIELDS = (*FIELDS, "position")  # of the file among those of all shards, from 1
FIRST_FIELDS = ",".join(FIELDS[:4])  # of tables of earlier versions too
UNWRITTEN = re.compile(r"[\r\ud800-\udfff]|\A\s+|\s+\Z")


class Judged:
    """The files of the rows of an interrupted run, each as often as it has a row."""

    def __init__(self, rows: Callable[[], Iterator[list[str]]] = lambda: iter(())):
        """Args: rows: gives the table's rows."""
        self._rows = rows
        names = self.names()
        first = next(names, None)
        self._index = None if first is None else NameIndex(itertools.chain([first], names))

    def __len__(self) -> int:
        """Return how many rows were not taken yet."""
        return 0 if self._index is None else len(self._index)

    def names(self) -> Iterator[str]:
        """Yield the file of each row as the table spells it."""
        return (row[FIELDS.index("file")] for row in self._rows())

    def take(self, name: str) -> bool:
        """Take a row of a file; return False if none is left."""
        return self._index is not None and self.take_written(name_in_table(name))

    def take_written(self, cell: str) -> bool:
        """Take a row by the file's name as the table spells it."""
        return self._index is not None and self._index.take(cell)


def check_table(path: Path) -> None:
    """Raise an `InputError` if a file that is no table of verdicts would be replaced."""
    if not os.path.lexists(path):
        return
    with open_text(
        path, "--csv FILE, where it exists already,", "utf-8-sig", errors="replace"
    ) as file:
        if not file.readline(1000).startswith(FIRST_FIELDS):
            raise InputError(
                f"cannot write --csv {path}: another kind of file is there; choose another name"
            )


def set_aside(path: Path, new: Path) -> Path | None:
    """Rename a table with verdicts on files that its replacement lacks.

    Returns:
        The new name, with a number; None if the table need not be kept.
    """
    if not is_file(path) or _has_all_files(new, path):
        return None
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    free = next(name for name in numbered if not os.path.lexists(name))
    path.rename(free)
    return free


def _has_all_files(table: Path, other: Path) -> bool:
    """Return whether a table has a row for each file of another one."""
    index = NameIndex(_files_in(table))
    return all(name in index for name in _files_in(other))


def _files_in(path: Path) -> Iterator[str]:
    """Yield the file of each row of a table."""
    with (
        suppress(ValueError, InputError),
        open_text(path, "A table", "utf-8-sig", errors="replace") as table,
    ):
        rows = read_cells(table)
        _, columns = next(rows, (0, []))
        place = columns.index("file")
        yield from (row[place] for _, row in rows if len(row) > place and row[place])


def partial_path(path: Path, identity: str) -> Path:
    """Return the path of an unfinished table; each identity has its own."""
    return path.with_name(f"{path.name}.{identity}.partial")


@contextmanager
def resumable_table(
    path: Path,
    identity: str,
    say: Callable[[str], object] = lambda text: None,
    fields: Sequence[str] = FIELDS,
    on_complete: Callable[[Path], object] = lambda partial: None,
) -> Iterator[tuple[Judged, Callable[[Mapping], None]]]:
    """Write a table row by row beside its place, and rename it when all rows are there.

    If an exception or a kill interrupts this, the rows stay there, and `path` stays as it is.
    If that file has verdicts on other files, it is renamed with a number at the end. Rows of an
    interrupted run are left out if they are not taken.

    Args:
        path: of the whole table; its folder is made if it is missing.
        identity: of the question and the run; rows of another identity are not continued.
        say: receives remarks for the user.
        fields: the columns: `FIELDS`, or `SHARD_FIELDS`.
        on_complete: receives the path of the complete table before it is renamed.

    Yields:
        The files that have rows from an interrupted run, and a function that adds a row:
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
            cells = {**row, "file": name_in_table(str(row["file"]))}
            write_rows(file, [[cells.get(field) for field in fields]])
            file.flush()  # a kill takes away what is not in the file yet

    try:
        if not lock(file):
            raise InputError(
                f"cannot write {path}: another process writes it; wait, or choose another name"
            )
        whole_bytes = max((end for end, _ in _complete_rows(partial, fields)), default=0)
        with _writing(path):
            file.truncate(whole_bytes)
        if not whole_bytes:
            add(dict(zip(fields, fields, strict=True)))
        rows = functools.partial(_complete_rows, partial, fields)
        judged = Judged(lambda: (row for _, row in itertools.islice(rows(), 1, None)))
        yield judged, add
    finally:
        with suppress(OSError):  # the error was raised when the row was written
            file.close()
    with _writing(path):
        check_table(path)  # something else may have come there since
        left_out = _leave_out(judged, partial)
        on_complete(partial)
        aside = set_aside(path, partial)
        partial.replace(path)
    if left_out:
        say(f"Left out: {pluralize(left_out, 'row')} of files that are not among those to judge.")
    if aside:
        say(f"{one_line(path)} had verdicts on other files, which are in {one_line(aside)} now.")


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
                yield line.decode() if line.endswith(b"\n") else ""

    with suppress(ValueError):
        for number, (_, row) in enumerate(read_cells(lines())):
            if len(row) != len(fields) or (number and row[FIELDS.index("error")]):
                break
            if (row != list(fields)) if not number else (row[0] not in VERDICTS):
                break
            yield read_bytes, row


def _leave_out(judged: Judged, partial: Path) -> int:
    """Rewrite a table without the rows that were not taken, and return their number."""
    left_out = len(judged)
    if not left_out:
        return 0
    with (
        atomic_write(partial) as new,
        partial.open(newline="", encoding="utf-8") as before,
        open_table(new) as after,
    ):
        rows, place = (row for _, row in read_cells(before)), FIELDS.index("file")
        write_rows(after, [next(rows)])
        write_rows(after, (row for row in rows if not judged.take_written(row[place])))
    return left_out


def name_in_table(name: str) -> str:
    """Return a file's name as the table spells it, so that no two names become one.

    Bytes that are no UTF-8 are escaped, and returns and blanks at the ends, which readers drop.
    """
    if os.sep != "\\":  # there a backslash is between folders, and no name has a return
        name = MISTAKABLE.sub(r"\\x5c", name)
    return UNWRITTEN.sub(lambda found: "".join(map(_code, found[0])), name)


def _code(letter: str) -> str:
    return r"\x20" if letter == " " else ascii(letter)[1:-1]
