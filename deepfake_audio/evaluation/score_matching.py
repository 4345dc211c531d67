"""Match scores with the labels of their files."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from deepfake_audio.corpora.layouts import Listing
from deepfake_audio.errors import InputError, pluralize
from deepfake_audio.evaluation.key_reading import choose_subset
from deepfake_audio.evaluation.name_matching import match_names
from deepfake_audio.evaluation.score_reading import ScoreFile, ScoreRow, open_scores
from deepfake_audio.evaluation.score_table import (
    ScoreTable,
    known_verdicts,
    make_table,
)
from deepfake_audio.vocabulary import SPLITS

MAX_NAMED_FILES = 3  # in a message


@dataclass(frozen=True)
class ScoredFiles:
    """The contents of a score file and its keys.

    Attributes:
        table: the scores with their labels.
        unscored: names of files that have no score of their own.
        notes: sentences on what was not used.
    """

    table: ScoreTable
    unscored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_scores(
    path: Path, keys: Path | None, subset: str | None, real: str | None = None
) -> ScoreTable:
    """Read scores with their labels; see `read_filled_scores`."""
    return read_filled_scores(path, keys, subset, None, real).table


def read_filled_scores(
    path: Path,
    keys: Path | None,
    subset: str | None,
    missing: float | None,
    real: str | None = None,
) -> ScoredFiles:
    """Read scores with their labels, and give a score to the files that have none.

    Args:
        path: see `score_reading.open_scores`: a scores.csv of this project, a table of predict.py,
            scores of an ASVspoof challenge, or those of another detector.
        keys: see `key_reading.read_keys`: the labels of the files; None if the scores have labels.
        subset: of the keys, such as `eval` of ASVspoof 2021, or `all`.
        missing: the score of files without one; None to raise.
        real: the label, or the class, of real files if words do not tell, such as "1".

    Raises:
        InputError: a malformed line, a file without a score or with two, keys without a subset, or
            labels of unknown meaning.
    """
    scores = open_scores(path, real)
    if keys is None:
        if subset:
            raise InputError("--subset needs a key file; add --keys FILE")
        if not scores.has_labels:
            raise InputError(f"{path} has no labels; give the key file with --keys")
        return _read_labelled(scores, missing)
    values, verdicts = _read_unlabelled(scores)
    listings = choose_subset(keys, subset, real, values)
    table, unscored = _join(values, verdicts, listings, path, keys, missing)
    notes = [f"The labels in {path} were not used: those of {keys} count."]
    return ScoredFiles(table, unscored, notes if scores.has_labels else [])


def _read_labelled(scores: ScoreFile, missing: float | None) -> ScoredFiles:
    """Read a table with labels, such as our scores.csv."""
    without, path = [], scores.table.path

    def rows() -> Iterator[dict]:
        for row in scores.rows():
            score, llr = row.score, row.llr
            if score is None:
                score = llr = _missing_score(row, missing)
                without.append(row.file)
            yield row.facts | {
                "file": row.file,
                "label": row.label,
                "split": row.facts["split"] or "test",
                "score": score,
                "llr": score if llr is None else llr,
            }

    table = make_table(rows())
    if not len(table):
        raise InputError(f"{path} has no rows; add a row for each file")
    for split in SPLITS:
        files = table.file[table.split == split]
        if twice := _repeated(files):
            raise InputError(
                f"{twice[0]} has {int((files == twice[0]).sum())} scores in the split {split}; "
                "keep one"
            )
    return ScoredFiles(table, without)


def _missing_score(row: ScoreRow, missing: float | None) -> float:
    if missing is None:
        raise InputError(f"'' is not a finite number ({row.origin})")
    return missing


def _repeated(names: np.ndarray) -> list[str]:
    """Return the repeated names, each once less than it occurs."""
    ordered = np.sort(names)
    return ordered[1:][ordered[1:] == ordered[:-1]].tolist()


def _read_unlabelled(scores: ScoreFile) -> tuple[dict[str, float], dict[str, str]]:
    """Return the log-likelihood ratio of each file, or else its score; and the verdicts.

    Tables of earlier versions have no column llr. A file without a score may have a verdict.
    """
    values, verdicts = {}, {}
    for row in scores.rows(with_labels=False):
        if row.facts.get("verdict"):
            verdicts[row.file] = sys.intern(row.facts["verdict"])
        if row.score is not None:
            if row.file in values:
                raise InputError(f"{row.file} has a second score in {row.origin}; keep one")
            values[row.file] = row.score if row.llr is None else row.llr
    return values, verdicts


def _join(
    scores: Mapping[str, float],
    verdicts: Mapping[str, str],
    listings: Iterable[Listing],
    path: Path,
    keys: Path,
    missing: float | None,
) -> tuple[ScoreTable, list[str]]:
    table = make_table(map(_key_row, listings))
    if twice := len(_repeated(table.file)):
        raise InputError(
            f"{keys} lists {pluralize(twice, 'file')} more than once; keep one line for each"
        )
    names = match_names(scores, table.file, path, keys.parent)
    without = [file for file, name in zip(table.file, names, strict=True) if name is None]
    if len(without) == len(table) or (without and missing is None):
        remedy = "score them all, or give them a score of your choice, such as 0: --missing 0"
        if len(without) == len(table):
            remedy = "give the keys of these files; they are found by path, then by name"
        such_as = f", such as {', '.join(without[:MAX_NAMED_FILES])}" if without else ""
        raise InputError(
            f"{path} has no score for {len(without):,} of {len(table):,} files of the keys"
            f"{such_as}; {remedy}"
        )
    values = np.array([missing if name is None else scores[name] for name in names])
    if without and verdicts:
        unscored = {name: said for name, said in verdicts.items() if name not in scores}
        others = match_names(unscored, table.file, path, keys.parent)
        names = [name or other for name, other in zip(names, others, strict=True)]
    if verdicts:
        table = replace(table, verdict=known_verdicts(verdicts.get(name, "") for name in names))
    return replace(table, score=values, llr=values), without


def _key_row(listing: Listing) -> dict:
    attack = listing.attack if listing.label == "fake" else ""
    split = listing.split or "test"
    return listing._asdict() | {"attack": attack, "split": split, "score": 0.0, "llr": 0.0}
