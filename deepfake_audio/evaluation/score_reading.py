"""Read score files: our own tables, and the formats of the ASVspoof challenges."""

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from deepfake_audio.corpora.index import read_lines, read_rows
from deepfake_audio.corpora.layouts import LABEL_ALIASES
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.score_table import ScoreTable, make_table
from deepfake_audio.system.csv_files import to_number
from deepfake_audio.vocabulary import SPLITS

OWN_COLUMNS = ("file", "label", "score")
UNLABELLED_COLUMNS = ("file", "score")  # of a table of predict.py, which has others besides
ASV_KEYS = ("target", "nontarget", "spoof")


def read_own(path: Path, missing: float | None) -> tuple[ScoreTable, list[str]]:
    """Read a table like scores.csv, with at least the columns file, label and score."""
    without = []

    def rows() -> Iterator[dict]:
        for origin, cells in read_rows(path, OWN_COLUMNS):
            if missing is not None and not cells["score"]:
                without.append(cells["file"])
                cells |= {"score": repr(missing), "llr": repr(missing)}
            yield _own_row(cells, origin)

    table = make_table(rows())
    if not len(table):
        raise InputError(f"{path} has no rows; add a row for each file")
    for split in SPLITS:
        files = table.file[table.split == split]
        if twice := repeated(files):
            raise InputError(
                f"{twice[0]} has {int((files == twice[0]).sum())} scores in the split {split}; "
                "keep one"
            )
    return table, without


def repeated(names: np.ndarray) -> list[str]:
    """Return the repeated names, each once less than it occurs."""
    ordered = np.sort(names)
    return ordered[1:][ordered[1:] == ordered[:-1]].tolist()


def read_unlabelled(path: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Read a table of predict.py, or one like it.

    Tables of earlier versions have no column llr. A file without a score may have a verdict.

    Returns:
        The log-likelihood ratios by file, or else the scores; and the verdicts.
    """
    scores, verdicts = {}, {}
    for origin, cells in read_rows(path, UNLABELLED_COLUMNS):
        if cells.get("verdict"):
            verdicts[cells["file"]] = sys.intern(cells["verdict"])
        if cells["score"]:
            if cells["file"] in scores:
                raise InputError(f"{cells['file']} has a second score in {origin}; keep one")
            scores[cells["file"]] = _number(cells.get("llr") or cells["score"], origin)
    return scores, verdicts


def _own_row(cells: Mapping[str, str], origin: str) -> dict:
    cells = {**cells, "label": cells["label"].lower()}
    for name, known in (("label", LABEL_ALIASES), ("split", (*SPLITS, ""))):
        if cells.get(name, "") not in known:
            raise InputError(
                f"{cells[name]!r} is not a {name} ({origin}); "
                f"use one of {', '.join(filter(None, known))}"
            )
    if not cells["file"]:
        raise InputError(f"the file name is empty in {origin}")
    score = _number(cells["score"], origin)
    llr = _number(cells["llr"], origin) if cells.get("llr") else score
    label, split = LABEL_ALIASES[cells["label"]], cells.get("split") or "test"
    return {**cells, "label": label, "split": split, "score": score, "llr": llr}


def _number(text: str, origin: str) -> float:
    try:
        number = to_number(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{text!r} is not a finite number ({origin})")
    return number


def official_lines(path: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the columns of each line of scores, and its position in the file."""
    for number, line in read_lines(path):
        columns, origin = line.split(), f"line {number} of {path}"
        if not columns or (number == 1 and columns[0].lower() == "filename"):
            continue
        if len(columns) not in (2, 4):
            raise InputError(
                f"{origin} has {len(columns)} columns; "
                "a line of scores is: file score, or file attack key score"
            )
        yield columns, origin


def read_official(path: Path) -> tuple[dict[str, float], int]:
    """Return the score of each file, and how many lines have a label (the format of 2019)."""
    scores, labels = {}, 0
    for columns, origin in official_lines(path):
        if columns[0] in scores:
            raise InputError(f"{columns[0]} has a second score in {origin}; keep one")
        scores[columns[0]] = _number(columns[-1], origin)
        labels += len(columns) == 4
    return scores, labels


def read_asv_scores(path: Path) -> dict[str, np.ndarray]:
    """Read speaker verification scores, lines of `attack key score` (ASVspoof 2019).

    Returns:
        The scores of each key: target, nontarget, spoof.
    """
    scores = {key: [] for key in ASV_KEYS}
    for number, line in read_lines(path):
        columns, origin = line.split(), f"line {number} of {path}"
        if not columns:
            continue
        if len(columns) != 3 or columns[1] not in scores:
            raise InputError(
                f"cannot read {one_line(line.strip())!r} in {origin}; a line of speaker "
                "verification scores is: attack, target, nontarget or spoof, score"
            )
        scores[columns[1]].append(_number(columns[2], origin))
    absent = [key for key, values in scores.items() if not values]
    if absent:
        raise InputError(f"{path} has no {absent[0]} scores, which t-DCF needs")
    return {key: np.array(values) for key, values in scores.items()}
