"""The journal of a data folder: the files that are rendered, for a preparation to continue."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from deepfake_audio.system.atomic_files import write_error
from deepfake_audio.system.json_text import to_json
from deepfake_audio.system.regular_files import is_file, open_table, open_text
from deepfake_audio.vocabulary import JOURNAL

MAX_ENTRY_CHARACTERS = 30_000_000  # of a line: a million windows take 10 million
MAX_MEASURE = 1e9  # in a journal: seconds, Hz and dB are below it
QUALITY_MEASURES = frozenset({
    "duration", "level", "bandwidth", "leading silence", "trailing silence", "clipping",
    "sample rate",
})  # fmt: skip


def read_journal(path: Path) -> dict[str, dict]:
    """Read the last entry of each stem; a line that a kill cut off does not count.

    A later entry replaces an earlier one, since its images do.
    """
    entries, line = {}, "\n"
    if not is_file(path) or not path.stat().st_size:  # below /proc, the empty may never end
        return entries
    with open_text(path, JOURNAL, errors="replace", newline=None) as file:
        while piece := file.readline(MAX_ENTRY_CHARACTERS):
            line = piece
            try:
                entry = json.loads(line)
                entries[entry["stem"]] = entry
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    if not line.endswith("\n"):
        with open_table(path, "a") as file:
            file.write("\n")
    return entries


def append_entries(journal: TextIO, entries: Iterable[Mapping]) -> None:
    """Append entries in one write; a line that a full disk cuts off does not count.

    Raises:
        OutputError: the journal can't be written.
    """
    try:
        journal.write("".join(to_json(entry) + "\n" for entry in entries))
        journal.flush()
    except OSError as error:
        raise write_error(Path(journal.name), error) from None


def is_complete(entry: Mapping) -> bool:
    """Return whether an entry is of a file that was rendered without an error."""
    starts, measures = entry.get("starts"), entry.get("nuisances")
    return (
        isinstance(measures, dict)
        and measures.keys() == QUALITY_MEASURES | {"format"}
        and isinstance(measures["format"], str)
        and all(_is_measure(measures[name]) for name in QUALITY_MEASURES)
        and isinstance(starts, list)
        and bool(starts)
        and all(map(_is_measure, starts))
    )


def _is_measure(value: object) -> bool:
    return isinstance(value, float | int) and abs(value) < MAX_MEASURE
