"""Tables of verdicts that are in the place of a new one: which are replaced, and which kept."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.inference.table_rows import FIELDS
from deepfake_audio.system.atomic_files import numbered, rename_to_free
from deepfake_audio.system.csv_files import read_cells, to_number
from deepfake_audio.system.name_index import NameIndex
from deepfake_audio.system.regular_files import check_replaceable, is_file, open_text

COMPARED, SCORE_STEP = ("verdict", "run", "file"), 0.01  # a score is compared up to a step
FIRST_BYTES = b"(\xef\xbb\xbf)?verdict,confidence,p_real,score"  # of earlier versions too


def check_table(path: Path) -> None:
    """Raise an `InputError` if a file that is no table of verdicts would be replaced."""
    check_replaceable(path, FIRST_BYTES, "--csv", "choose another name")


def set_aside(
    path: Path,
    new: Path,
    fields: Sequence[str] = FIELDS,
    compared: Sequence[str] = COMPARED,
) -> list[str]:
    """Rename a table that has other columns than its replacement, or a verdict that that one lacks.

    It gets a number after its name. The `compared` columns identify a verdict.

    Returns:
        A remark if it was renamed.
    """
    if not is_file(path) or not path.stat().st_size:
        return []
    index = NameIndex(key for keys in _verdicts(new, fields, compared) for key in keys)
    with suppress(ValueError, OverflowError, InputError):
        if all(keys[0] in index for keys in _verdicts(path, fields, compared)):
            return []
    aside = one_line(rename_to_free(path, numbered(path)))
    return [f"The earlier {one_line(path)} has other verdicts or columns; it is {aside} now."]


def _verdicts(path: Path, fields: Sequence[str], compared: Sequence[str]) -> Iterator[list[str]]:
    """Yield the keys of each verdict in a table; its own one is the first.

    Another number of files at a time changes the last digits of a score, so that the steps beside
    that of a score are keys too. A row without a verdict has no keys.

    Raises:
        ValueError: it is no table with these columns.
    """
    with open_text(path, "A table", "utf-8-sig", errors="replace") as table:
        rows = read_cells(table)
        if next(rows, (0, []))[1] != list(fields):
            raise ValueError("other columns")
        for _, cells in rows:
            row = dict(zip(fields, cells, strict=True))
            key = "\0".join(row[name] for name in compared)
            if row.get("score"):
                step = round(to_number(row["score"]) / SCORE_STEP)
                yield [f"{key}\0{each}" for each in (step, step - 1, step + 1)]
            elif row.get("verdict", key):
                yield [key]
