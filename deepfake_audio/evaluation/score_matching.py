"""Match scores with the labels of their files."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfake_audio.corpora.index import first_row
from deepfake_audio.corpora.layouts import Listing
from deepfake_audio.errors import InputError, pluralize
from deepfake_audio.evaluation.key_reading import choose_subset, read_labels
from deepfake_audio.evaluation.score_reading import (
    UNLABELLED_COLUMNS,
    read_official,
    read_own,
    read_unlabelled,
    repeated,
)
from deepfake_audio.evaluation.score_table import (
    ScoreTable,
    known_verdicts,
    make_table,
    trial_stem,
)
from deepfake_audio.system.csv_files import without_blank_ends

MAX_NAMED_FILES = 3  # in a message


def read_scores(path: Path, keys: Path | None, subset: str | None) -> ScoreTable:
    """Read scores with their labels.

    Args:
        path: a scores.csv of this project, a table of predict.py, or another with the columns
            `file,score`; or lines `file score`, ASVspoof 2019's `file attack key score`, or
            ASVspoof 5's table with the header `filename cm-score`.
        keys: labels of the files: a protocol of ASVspoof 2019, 2021 or 5, a table with the header
            `filename cm-label`, or a CSV like labels.csv of prepare.py; None if the scores have
            labels.
        subset: of ASVspoof 2021's keys, or `all`.

    Raises:
        InputError: a malformed line, a file without a score or with two, keys without a subset.
    """
    return read_filled_scores(path, keys, subset, None)[0]


def read_filled_scores(
    path: Path, keys: Path | None, subset: str | None, missing: float | None
) -> tuple[ScoreTable, list[str]]:
    """Read scores as `read_scores` does, and give one to the files that have none.

    Args:
        path, keys, subset: see `read_scores`.
        missing: the score of files without one; None to raise.

    Returns:
        The scores, and the names of the files without one.
    """
    header, verdicts = first_row(path), {}
    if {*UNLABELLED_COLUMNS} <= {*header} and "label" not in header:
        (scores, verdicts), labels = read_unlabelled(path), 0
    elif header[:1] == ["file"]:
        if keys or subset:
            raise InputError(
                f"{path} has labels in its column label; leave out --keys and --subset"
            )
        return read_own(path, missing)
    else:
        scores, labels = read_official(path)
    if subset and keys is None:
        raise InputError("--subset needs a key file; add --keys FILE")
    if keys is None:
        if labels < len(scores):
            raise InputError(f"{path} has no labels; give the key file with --keys")
        listings = read_labels(path)
    else:
        listings = choose_subset(keys, subset)
    return _join(scores, verdicts, listings, path, keys or path, missing)


def _join(
    scores: Mapping[str, float],
    verdicts: Mapping[str, str],
    listings: Iterable[Listing],
    path: Path,
    keys: Path,
    missing: float | None,
) -> tuple[ScoreTable, list[str]]:
    table = make_table(map(_key_row, listings))
    if twice := len(repeated(table.file)):
        raise InputError(
            f"{keys} lists {pluralize(twice, 'file')} more than once; keep one line for each"
        )
    names = _find_names(scores, table.file, path, keys.parent)
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
        others = _find_names(unscored, table.file, path, keys.parent)
        names = [name or other for name, other in zip(names, others, strict=True)]
    if verdicts:
        table = replace(table, verdict=known_verdicts(verdicts.get(name, "") for name in names))
    return replace(table, score=values, llr=values), without


def _key_row(listing: Listing) -> dict:
    attack = listing.attack if listing.label == "fake" else ""
    split = listing.split or "test"
    return listing._asdict() | {"attack": attack, "split": split, "score": 0.0, "llr": 0.0}


def _find_names(
    scores: Collection[str], listed: Sequence[str], path: Path, root: Path
) -> list[str | None]:
    """Return the name of each listed file among the scores, None if it has no score.

    Names match if they are equal, if they are the same path (seen from the folder of the keys), or
    if they have the same stem and no other listed file has it. Blanks at either end count only if
    names match with them: tables of keys cannot keep them.

    Raises:
        InputError: several files of that stem have scores.
    """
    if all(file in scores for file in listed):
        return list(listed)
    here, by_stem, again, by_path, by_trimmed_path = Path.cwd(), {}, {}, {}, {}
    for name in scores:
        stem = trial_stem(name)
        if by_stem.setdefault(stem, name) is not name:
            again.setdefault(stem, name)
        by_path[os.path.normpath(here / name)] = name
        trimmed = os.path.normpath(here / without_blank_ends(name))
        by_trimmed_path[trimmed] = None if trimmed in by_trimmed_path else name
    times = Counter(map(trial_stem, listed))
    names = []
    for file in listed:
        place = os.path.normpath(here / root / file)
        name = file if file in scores else by_path.get(place) or by_trimmed_path.get(place)
        stem = trial_stem(file)
        if name is None and times[stem] == 1 and stem in by_stem:
            name = by_stem[stem]
            if stem in again:
                raise InputError(
                    f"{path} has several scores for {stem}: {name}, {again[stem]}; "
                    "use one of these paths in the keys, as a CSV with file,label"
                )
        names.append(name)
    return names
