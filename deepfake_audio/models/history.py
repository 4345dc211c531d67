"""The history of a training: one row an epoch, and which of them is kept."""

import itertools
import math
from collections.abc import Mapping, Sequence

from deepfake_audio.config.schema import MAX_EPOCHS
from deepfake_audio.errors import InputError
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_record import MAX_NUMBER
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.csv_files import check_columns, read_cells, to_number, write_rows
from deepfake_audio.system.regular_files import open_table, open_text, read_lines

MAX_COLUMNS = 20
NO_NUMBER = "nan"  # a loss may be
HISTORY_COLUMNS = frozenset({"epoch", "loss", "accuracy", "val_loss", "val_accuracy"})


def kept_epoch(rows: Sequence[Mapping[str, float]], schedule: str) -> int:
    """Return the epoch, counted from 1, whose network is kept.

    With `train.schedule: cosine` it is the last: the learning rate has fallen to 0, and a high loss
    does not matter, because the log-odds are calibrated afterwards. Otherwise it is the first with
    the lowest validation loss. An epoch with a loss precedes epochs without one.
    """
    known = [row for row in rows if not math.isnan(row["val_loss"])] or rows
    if schedule == "cosine":
        return known[-1]["epoch"]
    return min(known, key=lambda row: row["val_loss"])["epoch"]


def read_history(run: Run) -> list[dict[str, float]]:
    """Read `history.csv`: one mapping an epoch, from 1."""
    try:
        with open_text(run.history, "history.csv", "utf-8-sig") as file:
            table = read_cells(read_lines(file))
            _, columns = next(table, (0, []))
            check_columns(columns)
            if not set(columns) >= HISTORY_COLUMNS or len(columns) > MAX_COLUMNS:
                names = ", ".join(sorted(HISTORY_COLUMNS))
                raise ValueError(f"its columns are {names} and others")
            rows = [
                _read_epoch(dict(zip(columns, row, strict=True)))
                for _, row in itertools.islice(table, MAX_EPOCHS)
                if row
            ]
        if not rows or [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
            raise ValueError("its epochs count from 1")
        return rows
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {run.history}: {error}; train again") from None


def _read_epoch(row: Mapping[str, str]) -> dict[str, float]:
    values = {
        name: float(text) if text == NO_NUMBER else to_number(text) for name, text in row.items()
    }
    values["epoch"] = int(row["epoch"])
    if any(abs(value) > MAX_NUMBER for value in values.values()):  # a loss may be no number
        raise ValueError("its numbers are at most 1e30")
    return values


def write_history(run: Run, rows: Sequence[Mapping[str, float]]) -> None:
    """Write `history.csv` in one step."""
    with atomic_write(run.history) as partial, open_table(partial) as file:
        write_rows(file, [rows[0], *(row.values() for row in rows)])
