"""Scored files with their labels and metadata, as a table of arrays and as files."""

import itertools
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from deepfake_audio.evaluation.name_matching import are_unique
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.csv_files import printable_name, write_rows
from deepfake_audio.system.regular_files import open_table
from deepfake_audio.vocabulary import VERDICTS, without_suffix

COLUMNS = ("file", "split", "label", "speaker", "attack", "codec", "corpus", "score", "llr")
TEXT_COLUMNS = (*COLUMNS[:-2], "verdict")
NONE = np.array([""], object)


@dataclass(frozen=True)
class ScoreTable:
    """Files with their scores and metadata: arrays `(files,)` of text, except `score` and `llr`.

    Attributes:
        score: a number; higher is more real.
        llr: the same as natural log-likelihood ratio of real against fake.
        verdict: one of `VERDICTS`, which may have other reasons than the score; empty if unknown.
    """

    file: np.ndarray
    split: np.ndarray
    label: np.ndarray
    speaker: np.ndarray
    attack: np.ndarray
    codec: np.ndarray
    corpus: np.ndarray
    score: np.ndarray
    llr: np.ndarray
    verdict: np.ndarray

    @property
    def has_verdicts(self) -> bool:
        return bool((self.verdict != "").any())

    @property
    def has_own_scale(self) -> bool:
        """Return whether scores count as log-likelihood ratios as they are, without verdicts."""
        return np.array_equal(self.score, self.llr) and not self.has_verdicts

    @cached_property
    def is_real(self) -> np.ndarray:
        """Return the classes, 1 real and 0 fake: int `(files,)`."""
        return (self.label == "real").astype(int)

    def __len__(self) -> int:
        return len(self.file)

    def where(self, chosen: np.ndarray) -> "ScoreTable":
        """Return the rows of a mask, or of positions."""
        if chosen.dtype == bool and chosen.all():
            return self
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def make_table(rows: Iterable[Mapping[str, object]]) -> ScoreTable:
    """Make a table of rows with the columns as keys.

    An absent column is empty, and so are verdicts other than `VERDICTS`.
    """
    files: list[str] = []
    codes = {name: array("I") for name in TEXT_COLUMNS if name != "file"}
    numbers = {name: array("d") for name in COLUMNS[-2:]}
    known: dict[str, int] = {}  # the number of each text
    for row in rows:
        files.append(str(row["file"]))
        for name, values in codes.items():
            values.append(known.setdefault(str(row.get(name, "")), len(known)))
        for name, values in numbers.items():
            values.append(row[name])
    words = np.array(list(known), object)
    columns = {name: _column(codes.pop(name), words) for name in list(codes)}
    columns["verdict"] = known_verdicts(columns["verdict"])
    # As objects: in an array of text each cell is as large as the longest text.
    columns["file"] = np.array(files, object)
    return ScoreTable(**columns, **{name: np.array(values) for name, values in numbers.items()})


def _column(codes: array, words: np.ndarray) -> np.ndarray:
    """Return the word of each code; equal words take the memory of one."""
    numbers = np.array(codes)
    if len(numbers) and (numbers == numbers[0]).all():
        return np.broadcast_to(words[numbers[:1]], len(numbers))
    return words[numbers.astype(np.intp, copy=False)]


def known_verdicts(words: np.ndarray) -> np.ndarray:
    """Return words with "" for those that are no verdict."""
    is_verdict = np.isin(words, VERDICTS)
    return (
        np.where(is_verdict, words, "") if is_verdict.any() else np.broadcast_to(NONE, len(words))
    )


def stack_tables(tables: Iterable[ScoreTable]) -> ScoreTable:
    """Return the rows of several tables as one."""
    tables = list(tables)
    if len(tables) == 1:
        return tables[0]
    names = [field.name for field in fields(ScoreTable)]
    return ScoreTable(*(np.concatenate([getattr(t, name) for t in tables]) for name in names))


def write_scores(path: Path, table: ScoreTable, p_real: np.ndarray) -> None:
    """Write our own table: a row a file, with P(real) in the last column."""
    texts = [getattr(table, name) for name in COLUMNS[:-2]]
    numbers = [map("{:.9g}".format, values) for values in (table.score, table.llr, p_real)]
    with atomic_write(path) as partial, open_table(partial) as file:
        header = (*COLUMNS, "p_real")
        write_rows(file, itertools.chain([header], zip(*texts, *numbers, strict=True)))


def write_trials(path: Path, table: ScoreTable) -> None:
    """Write lines of `trial score`, as challenges ask for, if there are `trial_names`."""
    trials = trial_names(table)
    if trials is not None:
        with atomic_write(path) as partial, open_table(partial) as file:
            file.writelines(f"{t} {s:.9g}\n" for t, s in zip(trials, table.llr, strict=True))


def trial_names(table: ScoreTable) -> Iterator[str] | None:
    """Return the names of files as trials: their stems in printable letters, `_` for blanks.

    If two files share a stem, all are named by their paths without suffixes.

    Returns:
        None if two files would still have one name.
    """
    for with_folders in (False, True):
        if are_unique(_trials(table, with_folders)):
            return _trials(table, with_folders)
    return None


def _trials(table: ScoreTable, with_folders: bool) -> Iterator[str]:
    for name in map(without_suffix, table.file):
        trial = name if with_folders else name.rpartition("/")[2]
        yield printable_name("_".join(trial.split()))
