"""Scores of files, as tables: our own scores.csv, and the formats of the ASVspoof challenges."""

import csv
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from deepfake_audio.corpora.index import first_line, read_lines, read_rows
from deepfake_audio.corpora.layouts import (
    ASVSPOOF_5,
    ASVSPOOF_5_CHALLENGE,
    ASVSPOOF_2019,
    ASVSPOOF_2021_DF,
    KEYS,
    LABEL_ALIASES,
    Listing,
    list_table,
    read_protocol,
)
from deepfake_audio.errors import UserError, one_line
from deepfake_audio.system.atomic_files import open_table, replacing
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES, SPLITS, VERDICTS

COLUMNS = ("file", "split", "label", "speaker", "attack", "codec", "corpus", "score", "llr")
KEY_LAYOUTS = {
    width: (corpus, layout)
    for corpus, layout in (
        ("asvspoof2019", ASVSPOOF_2019),
        ("asvspoof2021", ASVSPOOF_2021_DF),
        ("asvspoof5", ASVSPOOF_5),
        ("asvspoof5", ASVSPOOF_5_CHALLENGE),
    )
    for width in layout.widths
}
FILE_SUFFIXES = {*AUDIO_SUFFIXES, *IMAGE_SUFFIXES}
OWN_COLUMNS = ("file", "label", "score")
UNLABELLED_COLUMNS = ("file", "score")  # of a table of predict.py, which has others besides
KEY_COLUMNS = ("file", "label")
ASV_KEYS = ("target", "nontarget", "spoof")
ALL_SUBSETS = "all"
NAMED = 3  # so many files stand in a message


@dataclass(frozen=True)
class ScoreTable:
    """Files with their scores, and what is known of them: arrays `(files,)`, text but two.

    Attributes:
        score: higher is more real, a number.
        llr: the same as natural log-likelihood ratio of real against fake, a number.
        verdict: one of `VERDICTS` that somebody gave, for other reasons than the score too; empty
            where nobody did.
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

    @cached_property
    def is_real(self) -> np.ndarray:
        """Return the classes, 1 real and 0 fake: int `(files,)`."""
        return (self.label == "real").astype(int)

    def __len__(self) -> int:
        return len(self.file)

    def where(self, chosen: np.ndarray) -> "ScoreTable":
        """Return the rows of a mask, or of positions."""
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def make_table(rows: Iterable[Mapping[str, object]]) -> ScoreTable:
    """Make a table of rows that have the columns as keys; an absent one is empty.

    So is a verdict in other words than `VERDICTS`.
    """
    rows = list(rows)
    # As objects: in an array of text each cell has the room of the longest one.
    texts = {
        name: np.array([str(row.get(name, "")) for row in rows], object) for name in COLUMNS[:-2]
    }
    numbers = {name: np.array([row[name] for row in rows], np.float64) for name in COLUMNS[-2:]}
    said = (row.get("verdict", "") for row in rows)
    verdicts = np.array([word if word in VERDICTS else "" for word in said], object)
    return ScoreTable(**texts, **numbers, verdict=verdicts)


def join_tables(tables: Iterable[ScoreTable]) -> ScoreTable:
    """Return the rows of several tables as one."""
    tables = list(tables)
    names = [field.name for field in fields(ScoreTable)]
    return ScoreTable(*(np.concatenate([getattr(t, name) for t in tables]) for name in names))


def read_scores(path: Path, keys: Path | None, subset: str | None) -> ScoreTable:
    """Read scores with their labels.

    Args:
        path: a scores.csv of this project, a table of predict.py, or another with the columns
            `file,score`; or lines `file score`, ASVspoof 2019's `file attack key score`, or
            ASVspoof 5's table with the header `filename cm-score`.
        keys: what the files are: a protocol of ASVspoof 2019, 2021 or 5, a table with the header
            `filename cm-label`, or a CSV that prepare.py takes for labels.csv; None where the
            scores say it themselves.
        subset: of ASVspoof 2021's keys, or `all`.

    Raises:
        UserError: a malformed line, a file without a score or with two, keys without a subset.
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
    header, verdicts = _header(path), {}
    if {*UNLABELLED_COLUMNS} <= {*header} and "label" not in header:
        (scores, verdicts), labels = _read_unlabelled(path), {}
    elif header[:1] == ["file"]:
        if keys or subset:
            raise UserError(
                f"A table with the column file knows its labels. Received: {path}, and --keys or "
                "--subset besides. Leave them out."
            )
        return _read_own(path, missing)
    else:
        scores, labels = _read_official(path)
    if subset and keys is None:
        raise UserError(f"--subset is of a key file. Received: {path} alone. Give --keys.")
    if keys is None:
        if len(labels) < len(scores):
            raise UserError(
                "Scores need to know what is real. "
                f"Received: {path}, which has no labels. Give the key file with --keys."
            )
        listings = list(labels.values())
    else:
        listings = choose_subset(list(_read_keys(keys)), subset, keys)
    return _join(scores, verdicts, listings, path, keys or path, missing)


def _header(path: Path) -> list[str]:
    """Return the names of the columns of a CSV, in lower case."""
    return [name.strip().lower() for name in next(csv.reader([first_line(path)]), [])]


def _read_own(path: Path, missing: float | None) -> tuple[ScoreTable, list[str]]:
    """Read a table like scores.csv; what it needs are the columns file, label and score."""
    without, rows = [], []
    for origin, cells in read_rows(path, OWN_COLUMNS):
        if missing is not None and not cells["score"]:
            without.append(cells["file"])
            cells |= {"score": repr(missing), "llr": repr(missing)}
        rows.append(_own_row(cells, origin))
    if not rows:
        raise UserError(f"A table of scores holds files. Received: none in {path}.")
    named = Counter((row["split"], row["file"]) for row in rows)
    (split, file), times = named.most_common(1)[0]
    if times > 1:
        raise UserError(
            f"A file has one score in a split. Received: {file} {times} times, {split}."
        )
    return make_table(rows), without


def _read_unlabelled(path: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Read a table of predict.py, or one like it.

    Tables of earlier versions have scores alone. What has no score, since it can't be judged, may
    have a verdict nevertheless.

    Returns:
        The log-likelihood ratios by file, or else the scores; and the verdicts.
    """
    scores, verdicts = {}, {}
    for origin, cells in read_rows(path, UNLABELLED_COLUMNS):
        if cells.get("verdict"):
            verdicts[cells["file"]] = cells["verdict"]
        if cells["score"]:
            if cells["file"] in scores:
                raise UserError(
                    f"A file has one score. Received: {cells['file']} again in {origin}."
                )
            scores[cells["file"]] = _number(cells.get("llr") or cells["score"], origin)
    return scores, verdicts


def _own_row(cells: Mapping[str, str], origin: str) -> dict:
    cells = {**cells, "label": cells["label"].lower()}
    for name, known in (("label", LABEL_ALIASES), ("split", (*SPLITS, ""))):
        if cells.get(name, "") not in known:
            raise UserError(
                f"The column {name} has one of {', '.join(filter(None, known))}. "
                f"Received: {cells[name]!r} in {origin}."
            )
    if not cells["file"]:
        raise UserError(f"A file has a name. Received: an empty one in {origin}.")
    score = _number(cells["score"], origin)
    llr = _number(cells["llr"], origin) if cells.get("llr") else score
    label, split = LABEL_ALIASES[cells["label"]], cells.get("split") or "test"
    return {**cells, "label": label, "split": split, "score": score, "llr": llr}


def _number(text: str, origin: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"A score is a finite number. Received: {text!r} in {origin}.")
    return number


def _read_official(path: Path) -> tuple[dict[str, float], dict[str, Listing]]:
    """Return the score of each file, and what 2019's format says of it besides."""
    scores, labels = {}, {}
    for number, line in read_lines(path):
        columns, origin = line.split(), f"line {number} of {path}"
        if not columns or (number == 1 and columns[0].lower() == "filename"):
            continue
        if len(columns) not in (2, 4):
            raise UserError(
                "A line of scores has 2 columns (file score) or 4 (file attack key score). "
                f"Received: {len(columns)} in {origin}."
            )
        if columns[0] in scores:
            raise UserError(f"A file has one score. Received: {columns[0]} again in {origin}.")
        scores[columns[0]] = _number(columns[-1], origin)
        if len(columns) == 4:
            attack = "" if columns[1] in ("-", "bonafide") else columns[1]
            labels[columns[0]] = Listing(columns[0], _label(columns[2], origin), attack=attack)
    return scores, labels


def _label(key: str, origin: str) -> str:
    if key not in KEYS:
        raise UserError(f"The key of a file is bonafide or spoof. Received: {key!r} in {origin}.")
    return KEYS[key]


def _read_keys(path: Path) -> Iterable[Listing]:
    if {*KEY_COLUMNS} <= {*_header(path)}:
        return list_table(path)
    columns = first_line(path).split()
    if columns[:1] == ["filename"]:
        rows = (
            (line.split(), f"line {number} of {path}")
            for number, line in read_lines(path)
            if number > 1 and line.strip()
        )
        return (Listing(row[0], _label(row[-1], origin)) for row, origin in rows)
    if len(columns) not in KEY_LAYOUTS:
        raise UserError(
            "A key file is a protocol of ASVspoof 2019, 2021 or 5, or has the header filename "
            f"cm-label, or file,label. Received: {len(columns)} columns in {path}."
        )
    corpus, layout = KEY_LAYOUTS[len(columns)]
    return read_protocol(path, layout, "test", corpus)


def choose_subset(listings: list[Listing], subset: str | None, keys: Path) -> list[Listing]:
    """Return the files of one subset; keys without subsets are all of one."""
    known = sorted({listing.subset for listing in listings} - {""})
    if subset is None and len(known) > 1:
        raise UserError(
            f"These keys hold several subsets. Received: {', '.join(known)} in {keys}. "
            "Choose one with --subset, or all of them; published figures use eval."
        )
    if subset is None or (subset == ALL_SUBSETS and known):
        return listings
    if subset not in known:
        raise UserError(
            f"--subset is one that the keys hold. Received: {subset!r}, and {keys} with "
            f"{', '.join(known) or 'none'}."
        )
    return [listing for listing in listings if listing.subset == subset]


def _join(
    scores: Mapping[str, float],
    verdicts: Mapping[str, str],
    listings: Sequence[Listing],
    path: Path,
    keys: Path,
    missing: float | None,
) -> tuple[ScoreTable, list[str]]:
    listed = {listing.file for listing in listings}
    if len(listed) < len(listings):
        raise UserError(
            f"A file has one key. Received: {len(listings) - len(listed):,} again in {keys}."
        )
    names = _find_names(scores, [listing.file for listing in listings], path, keys.parent)
    without = [x.file for x, name in zip(listings, names, strict=True) if name is None]
    if len(without) == len(listings) or (without and missing is None):
        remedy = "let them count with a score of your choice, such as 0: --missing 0"
        if len(without) == len(listings):
            remedy = "give the keys of these files: they are looked up by path, then by name"
        such_as = f", such as {', '.join(without[:NAMED])}" if without else ""
        raise UserError(
            f"Every file of the keys needs a score. Received: none for {len(without):,} of "
            f"{len(listings):,} in {path}{such_as}. Score them all, for figures of a part would "
            f"not be comparable, or {remedy}."
        )
    values = [missing if name is None else scores[name] for name in names]
    if without and verdicts:
        unscored = {name: said for name, said in verdicts.items() if name not in scores}
        others = _find_names(unscored, [listing.file for listing in listings], path, keys.parent)
        names = [name or other for name, other in zip(names, others, strict=True)]
    rows = (
        {
            **listing._asdict(),
            "attack": listing.attack if listing.label == "fake" else "",
            "split": listing.split or "test",
            "score": value,
            "llr": value,
            "verdict": verdicts.get(name, ""),
        }
        for listing, value, name in zip(listings, values, names, strict=True)
    )
    return make_table(rows), without


def _find_names(
    scores: Collection[str], listed: Sequence[str], path: Path, root: Path
) -> list[str | None]:
    """Return the name that each listed file has among the scores, None where it isn't there.

    It is called alike, or its path from the folder of the keys leads there, or no other one that
    is listed has its stem.

    Raises:
        UserError: several files of that stem have scores.
    """
    if all(file in scores for file in listed):
        return list(listed)
    here, by_stem, by_path = Path.cwd(), defaultdict(list), {}
    for name in scores:
        by_stem[_stem(name)].append(name)
        by_path[os.path.normpath(here / name)] = name
    times = Counter(map(_stem, listed))
    names = []
    for file in listed:
        name = file if file in scores else by_path.get(os.path.normpath(here / root / file))
        stem = _stem(file)
        if name is None and times[stem] == 1 and stem in by_stem:
            name, *others = by_stem[stem]
            if others:
                raise UserError(
                    f"A file has one score. Received: {stem} more than once in {path}: {name}, "
                    f"{others[0]}. Call it by one of these paths in the keys, a CSV of file,label."
                )
        names.append(name)
    return names


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
            raise UserError(
                "A line of speaker verification scores is: attack, target, nontarget or spoof, "
                f"score. Received: {one_line(line.strip())!r} in {origin}."
            )
        scores[columns[1]].append(_number(columns[2], origin))
    absent = [key for key, values in scores.items() if not values]
    if absent:
        raise UserError(f"t-DCF needs scores of each key. Received: no {absent[0]} in {path}.")
    return {key: np.array(values) for key, values in scores.items()}


def write_scores(path: Path, table: ScoreTable, p_real: np.ndarray) -> None:
    """Write our own table: a row a file, with P(real) in the last column."""
    texts = [getattr(table, name) for name in COLUMNS[:-2]]
    numbers = [[f"{value:.9g}" for value in values] for values in (table.score, table.llr, p_real)]
    with replacing(path) as partial, open_table(partial) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, "p_real"))
        writer.writerows(zip(*texts, *numbers, strict=True))


def write_trials(path: Path, table: ScoreTable) -> bool:
    """Write the challenges' format: lines of `trial score`, see `trial_names`.

    Returns:
        Whether it was written: not where two names would be the same even so.
    """
    trials = trial_names(table)
    if trials is None:
        return False
    with replacing(path) as partial:
        lines = (f"{t} {s:.9g}\n" for t, s in zip(trials, table.llr, strict=True))
        partial.write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
    return True


def trial_names(table: ScoreTable) -> list[str] | None:
    """Return what files are called as trials: their stems.

    Where two files have one stem, their paths without suffixes stand for them; blanks become `_`.

    Returns:
        None where two names would be the same even so.
    """
    for named in (lambda name: name.rpartition("/")[2], str):
        trials = ["_".join(named(_without_suffix(name)).split()) for name in table.file]
        if len(set(trials)) == len(trials):
            return trials
    return None


def _without_suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in FILE_SUFFIXES else name


def _stem(name: str) -> str:
    return _without_suffix(re.split(r"[/\\]", name)[-1])
