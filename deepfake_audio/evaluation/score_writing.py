"""Write scores: our own scores.csv, and the trials of the ASVspoof challenges."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deepfake_audio.evaluation.name_matching import are_unique
from deepfake_audio.evaluation.score_table import COLUMNS, ScoreTable
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.csv_files import printable_name, write_rows
from deepfake_audio.system.regular_files import open_table
from deepfake_audio.vocabulary import without_suffix


def write_scores(path: Path, table: ScoreTable, p_real: np.ndarray) -> None:
    """Write our own table: a row a file, with P(real) in the last column."""
    texts = [getattr(table, name) for name in COLUMNS[:-2]]
    numbers = [map("{:.9g}".format, values) for values in (table.score, table.llr, p_real)]
    with atomic_write(path) as partial, open_table(partial) as file:
        header = (*COLUMNS, "p_real")
        write_rows(file, itertools.chain([header], zip(*texts, *numbers, strict=True)))


def write_trials(path: Path, table: ScoreTable) -> bool:
    """Write the challenges' format: lines of `trial score`, see `trial_names`.

    Returns:
        Whether it was written: not if two files would have one name.
    """
    trials = trial_names(table)
    if trials is None:
        return False
    with atomic_write(path) as partial, open_table(partial) as file:
        file.writelines(f"{t} {s:.9g}\n" for t, s in zip(trials, table.llr, strict=True))
    return True


def trial_names(table: ScoreTable) -> Iterator[str] | None:
    """Return the names of files as trials: their stems in printable letters, `_` for blanks.

    If two files share a stem, all are named by their paths without suffixes.

    Returns:
        None if two files would still have one name.
    """
    for named in (lambda name: name.rpartition("/")[2], str):

        def trials(named=named) -> Iterator[str]:
            blanks_joined = ("_".join(named(without_suffix(name)).split()) for name in table.file)
            return map(printable_name, blanks_joined)

        if are_unique(trials()):
            return trials()
    return None
