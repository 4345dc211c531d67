"""Match scores with the labels of their files."""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from deepfake_audio.corpora.layouts import Listing
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.evaluation.key_reading import read_keys
from deepfake_audio.evaluation.name_matching import (
    PackedNames,
    are_unique,
    match_names,
    repeated_names,
)
from deepfake_audio.evaluation.score_columns import check_no_confidence, range_of_confidence
from deepfake_audio.evaluation.score_reading import ScoreFile, open_scores
from deepfake_audio.evaluation.score_table import ScoreTable, known_verdicts, make_table
from deepfake_audio.vocabulary import SPLITS

MAX_NAMED_FILES = 3  # in a message
SCORE_THEM = "score them all, or give them a score of your choice, such as 0: --missing 0"


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


def read_filled_scores(
    path: Path,
    keys: Path | None = None,
    subset: str | None = None,
    missing: float | None = None,
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
            raise InputError(
                f"{path} has no column of labels; name it label, or give the key file with --keys"
            )
        found = _read_labelled(scores, missing)
        notes = [scores.columns.note, scores.columns.label_note]
        return replace(found, notes=list(filter(None, notes)))
    unlabelled = _read_unlabelled(scores)
    if not len(unlabelled.names):
        raise InputError(f"{path} has no rows; add a row for each file")
    listings = read_keys(keys, subset, real, unlabelled.names)
    table, unscored = _join(unlabelled, listings, path, keys, missing)
    others = np.count_nonzero(~np.isnan(unlabelled.values)) - len(table) + len(unscored)
    unused = f"The labels in {path} were not used: those of {keys} count."
    notes = [
        scores.columns.note,
        unused if scores.has_labels else "",
        f"{keys} does not list the files of {pluralize(others, 'score')} in {path}."
        if others > 0 and subset is None
        else "",
        _confidence_note(scores, table),
    ]
    return ScoredFiles(table, unscored, list(filter(None, notes)))


def _confidence_note(scores: ScoreFile, table: ScoreTable) -> str:
    found = range_of_confidence(table.score.min(), table.score.max())
    if not found or scores.columns.names_class or len(set(table.label.tolist())) < 2:
        return ""
    return (
        f"The scores are all between {found}. If they are the confidence in a predicted label, the "
        "figures mean nothing: give the probability of real in a column p_real."
    )


def _read_labelled(scores: ScoreFile, missing: float | None) -> ScoredFiles:
    """Read a table with labels, such as our scores.csv."""
    without, path = [], scores.table.path

    def rows() -> Iterator[dict]:
        for row in scores.rows():
            score, llr = row.score, row.llr
            if score is None:
                if missing is None:
                    raise InputError(f"{row.file} has no score ({row.origin}); {SCORE_THEM}")
                score = llr = missing
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
    if not scores.columns.names_class and len(set(table.label.tolist())) > 1:
        check_no_confidence(table.score.min(), table.score.max(), scores.table)
    for split in SPLITS:
        files = table.file[table.split == split]
        if twice := repeated_names(files):
            raise InputError(
                f"{twice[0]} has {int((files == twice[0]).sum())} scores in the split {split}; "
                "keep one"
            )
    return ScoredFiles(table, without)


@dataclass(frozen=True)
class Unlabelled:
    """The scores of a table without labels.

    Attributes:
        names: of the files.
        values: `(files,)`, the log-likelihood ratio of each file, or else its score; not a number
            without one.
        verdicts: of the files; empty if the table has none.
    """

    names: PackedNames
    values: np.ndarray
    verdicts: list[str]


def _read_unlabelled(scores: ScoreFile) -> Unlabelled:
    """Read scores, or log-likelihood ratios, and verdicts.

    Tables of earlier versions have no column llr. A file without a score may have a verdict.
    """
    names, values, verdicts = PackedNames(), array("d"), []
    for row in scores.rows(with_labels=False):
        names.append(row.file)
        value = row.score if row.score is None or row.llr is None else row.llr
        values.append(np.nan if value is None else value)
        if "verdict" in row.facts:
            verdicts.append(sys.intern(row.facts["verdict"]))
    values = np.array(values)
    if not are_unique(names):
        _check_second_scores(scores, names, values)
    return Unlabelled(names, values, verdicts)


def _check_second_scores(scores: ScoreFile, names: Sequence[str], values: np.ndarray) -> None:
    """Raise an `InputError` if a file has two scores."""
    scored = [names[place] for place in np.flatnonzero(~np.isnan(values))]
    if not (twice := set(repeated_names(scored))):
        return
    seen = set()
    for row in scores.rows(with_labels=False):
        if row.score is not None and row.file in seen:
            raise InputError(f"{row.file} has a second score in {row.origin}; keep one")
        if row.score is not None and row.file in twice:
            seen.add(row.file)


def _join(
    scores: Unlabelled, listings: Iterable[Listing], path: Path, keys: Path, missing: float | None
) -> tuple[ScoreTable, list[str]]:
    table = make_table(map(_key_row, listings))
    if twice := len(repeated_names(table.file)):
        raise InputError(
            f"{keys} lists {pluralize(twice, 'file')} more than once; keep one line for each"
        )
    has_score = ~np.isnan(scores.values)
    places = match_names(scores.names, np.flatnonzero(has_score), table.file, path, keys.parent)
    without = table.file[places < 0].tolist()
    if len(without) == len(table) or (without and missing is None):
        remedy = SCORE_THEM
        if len(without) == len(table):
            remedy = "give the keys of these files; they are found by path, then by name"
            if len(scores.names):
                remedy = f"it has files such as {one_line(scores.names[0])}; {remedy}"
        such_as = f", such as {', '.join(without[:MAX_NAMED_FILES])}" if without else ""
        raise InputError(
            f"{path} has no score for {len(without):,} of {len(table):,} files of the keys"
            f"{such_as}; {remedy}"
        )
    values = np.full(len(table), np.nan if missing is None else missing)
    values[places >= 0] = scores.values[places[places >= 0]]
    if scores.verdicts:
        if without and not has_score.all():
            others = match_names(
                scores.names, np.flatnonzero(~has_score), table.file, path, keys.parent
            )
            places = np.where(places < 0, others, places)
        words = np.array([*scores.verdicts, ""], object)[places]  # -1: the last
        table = replace(table, verdict=known_verdicts(words))
    return replace(table, score=values, llr=values), without


def _key_row(listing: Listing) -> dict:
    attack = listing.attack if listing.label == "fake" else ""
    split = listing.split or "test"
    return listing._asdict() | {"attack": attack, "split": split, "score": 0.0, "llr": 0.0}
