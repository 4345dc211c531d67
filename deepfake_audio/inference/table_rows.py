"""The rows of a table of verdicts: columns, names of files, and the files that have a row."""

import os
import re
from collections.abc import Iterable

from deepfake_audio.system.csv_files import MISTAKABLE
from deepfake_audio.system.name_index import NameIndex

FIELDS = (
    "verdict", "confidence", "p_real", "score", "llr", "windows", "windows_left_out",
    "frame_rate_hz", "sound_seconds", "bandwidth_hz", "snr_db", "high_snr_db", "texture_db",
    "echo_gain", "clipped_share", "skipped_seconds", "warning", "note", "run", "file", "error",
)  # fmt: skip
SHARD_FIELDS = (*FIELDS, "position")  # of the file among those of all shards, from 1
STATE, STATE_CHARACTERS = "state", 8
FILE, ERROR = map(FIELDS.index, ("file", "error"))
UNWRITTEN = re.compile(r"[\r\ud800-\udfff]|\A\s+|\s+\Z")


class Judged:
    """The files of the rows of an interrupted run, each as often as it has a row."""

    def __init__(self, rows: Iterable[list[str]]):
        """Args: rows: of an unfinished table."""
        self._index = NameIndex(_key(row[FILE], row[-1]) for row in rows)

    def __len__(self) -> int:
        """Return how many rows were not taken yet."""
        return len(self._index)

    def take(self, name: str, state: str = "") -> bool:
        """Take a row of a file in a state; return False if none is left."""
        return self.take_written(name_in_table(name), state)

    def take_written(self, cell: str, state: str) -> bool:
        """Take a row by the file's name as the table spells it, and by its state."""
        return self._index.take(_key(cell, state))


def _key(cell: str, state: str) -> str:
    return f"{cell}\0{state}"


def name_in_table(name: str) -> str:
    """Return a file's name as the table spells it, so that no two names become one.

    Bytes that are no UTF-8 are escaped, and returns and blanks at the ends, which readers drop.
    """
    if os.sep != "\\":  # there a backslash is between folders, and no name has a return
        name = MISTAKABLE.sub(r"\\x5c", name)
    return UNWRITTEN.sub(lambda found: "".join(map(_code, found[0])), name)


def _code(letter: str) -> str:
    return r"\x20" if letter == " " else ascii(letter)[1:-1]
