"""The index of the files below a corpus folder, and the reading of its tables."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.system import atomic_files
from deepfake_audio.system.atomic_files import is_file, is_folder, open_text
from deepfake_audio.system.csv_files import check_columns, read_cells
from deepfake_audio.system.folder_walk import LINKED_FOLDER, UNREADABLE_FOLDER, walk_folder
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, JOURNAL

TABLE_SUFFIXES = (".txt", ".tsv", ".csv")
# Files that systems, archives and corpora put beside the audio; they are not reported.
DEBRIS = re.compile(r"(?:thumbs\.db|desktop\.ini|icon\r|(?:readme|licen[cs]e)[^/]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Tree:
    """The files below a folder, by their sorted names relative to it.

    Attributes:
        root: the folder.
        audio: files with an audio suffix.
        tables: files that may be protocols.
        others: other files, without those of the system.
        unreadable: folders that can't be entered, with the reason.
        not_entered: links to folders that are not entered; see `walk_folder`.
    """

    root: Path
    audio: list[str]
    tables: list[str]
    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    not_entered: list[str] = field(default_factory=list)

    @cached_property
    def audio_names(self) -> frozenset[str]:
        """Return the names of the audio files, to look one up."""
        return frozenset(self.audio)

    @cached_property
    def audio_by_stem(self) -> dict[str, list[str]]:
        """Return the names of the audio files of each stem, sorted."""
        by_stem = {}
        for name in self.audio:
            by_stem.setdefault(stem(name), []).append(name)
        return by_stem

    def find(self, file: str, near: str | None) -> str | None:
        """Return the name of a listed audio file on disk; the least deep of several.

        Args:
            file: its path below `near`, with any audio suffix or none.
            near: a folder, "" or ending in a slash, below which any file with that stem is taken;
                None takes only the exact name.
        """
        exact = f"{near or ''}{file}"
        if exact in self.audio_names:
            return exact
        if near is None:
            return None
        copies = self.audio_by_stem.get(stem(file), ())
        copies = [name for name in copies if name.startswith(near)]
        return min(copies, key=depth, default=None)

    def tables_named(self, file: str) -> list[str]:
        """Return the names of the tables whose path ends in `file`, the least deep first."""
        return sorted((name for name in self.tables if f"/{name}".endswith(f"/{file}")), key=depth)


def index_tree(root: Path) -> Tree:
    """Index the audio files and tables below a folder.

    A folder that prepare.py made is ignored: it makes data/ where it is started, perhaps inside
    the corpus.

    Raises:
        InputError: no such folder, an unreadable one, or no audio in it.
    """
    if not is_folder(root):
        raise InputError(f"cannot open {root}: no such folder")
    names, unreadable, not_entered = [], [], []
    for name, kind, error in walk_folder(root, is_ignored=lambda names: JOURNAL in names):
        if kind == UNREADABLE_FOLDER:
            unreadable.append(f"{root / name} ({error.strerror})")
        else:
            (not_entered if kind == LINKED_FOLDER else names).append(name)
    names.sort()
    audio = [name for name in names if name.lower().endswith(AUDIO_SUFFIXES)]
    if not audio and unreadable:
        raise InputError(f"cannot open the folder {min(unreadable)}; check its permissions")
    if not audio:
        raise InputError(
            f"no audio below {root} ({' '.join(AUDIO_SUFFIXES)}); unpack the audio there"
        )
    tables = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    others = [
        name
        for name in names
        if not name.lower().endswith((*AUDIO_SUFFIXES, *TABLE_SUFFIXES))
        and not DEBRIS.fullmatch(name.rpartition("/")[2])
    ]
    return Tree(root.absolute(), audio, tables, others, sorted(unreadable), sorted(not_entered))


def stem(file: str) -> str:
    """Return the name of a file without its folders and without an audio suffix.

    >>> stem("flac/LA_E_1000001.flac"), stem("LA_E_1000001"), stem("v1.2")
    ('LA_E_1000001', 'LA_E_1000001', 'v1.2')
    """
    name = file.rpartition("/")[2]
    return name.rpartition(".")[0] if name.lower().endswith(AUDIO_SUFFIXES) else name


def depth(name: str) -> tuple[int, str]:
    """Return a key that sorts names by the number of their folders, then by letters."""
    return name.count("/"), name


def first_line(table: Path) -> str:
    """Return the first line of a table, empty for an empty one; raise as `read_lines` does."""
    return next((line for _, line in read_lines(table)), "")


def first_row(table: Path) -> list[str]:
    """Return the names of the columns of a CSV, in lower case; raise as `read_lines` does."""
    _, row = next(read_cells([first_line(table)]), (0, []))
    return [name.strip().lower() for name in row]


def read_lines(table: Path) -> Iterator[tuple[int, str]]:
    """Yield each line of a table with its number, counted from 1.

    Raises:
        InputError: an unreadable file, or one that isn't UTF-8.
    """
    try:
        if is_file(table) and not table.stat().st_size:
            return
        with open_text(table, "A protocol", "utf-8-sig") as file:
            yield from enumerate(atomic_files.read_lines(file), start=1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {table} as UTF-8: {error}; save it as UTF-8, or download it again"
        ) from None


def read_rows(
    table: Path, required: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the position of each row of a table, and its cells by column.

    Args:
        table: has the names of its columns in the first line, in any case.
        required: columns that it needs, in lower case.
        delimiter: between two cells.

    Raises:
        InputError: an unreadable or malformed table, a required column that isn't there, two
            columns of one name, or a row that is wider or narrower than the first.
    """
    rows = read_cells((line for _, line in read_lines(table)), delimiter)
    try:
        _, header = next(rows, (0, []))
        columns = [column.strip().lower() for column in header]
        check_columns(columns)
        for column in required:
            if column not in columns:
                raise InputError(
                    f"{table} has no column {column}; its first line needs {', '.join(required)}"
                )
        for line, row in rows:
            if row:
                origin = f"line {line} of {table}"
                check_width(len(row), (len(columns),), origin)
                yield origin, {k: v.strip() for k, v in zip(columns, row, strict=True)}
    except ValueError as error:
        raise InputError(f"cannot read {table} as CSV: {error}") from None


def check_width(width: int, widths: Sequence[int], origin: str) -> None:
    """Raise an `InputError` unless the line at `origin` has one of the numbers of columns."""
    if width not in widths:
        raise InputError(
            f"{width} columns in {origin} instead of {' or '.join(map(str, widths))}; "
            "correct the line, or download the protocol again"
        )


def inside(file: str, origin: str) -> str:
    """Return a listed path with forward slashes; raise an `InputError` if it leaves the root."""
    path = file.replace("\\", "/")
    on_a_drive = path[1:2] == ":"
    if path.startswith("/") or on_a_drive or ".." in path.split("/") or not path.strip("./"):
        raise InputError(
            f"{file!r} in {origin} is not a path inside the corpus; correct the line, or download "
            "the protocol again"
        )
    return posixpath.normpath(path)
