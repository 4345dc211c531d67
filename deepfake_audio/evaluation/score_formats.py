"""Read and write scores: our own scores.csv, and the formats of the ASVspoof challenges."""

import itertools
import math
import os
import re
import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from deepfake_audio.corpora.index import first_line, first_row, read_lines, read_rows
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
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.atomic_files import atomic_write, open_table
from deepfake_audio.system.csv_files import to_number, without_blank_ends, write_rows
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES, SPLITS, VERDICTS

COLUMNS = ("file", "split", "label", "speaker", "attack", "codec", "corpus", "score", "llr")
TEXT_COLUMNS = (*COLUMNS[:-2], "verdict")
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
MAX_NAMED_FILES = 3  # in a message


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
    """Make a table of rows with the columns as keys.

    An absent column is empty, and so are verdicts other than `VERDICTS`.
    """
    texts: dict[str, list[str]] = {name: [] for name in TEXT_COLUMNS}
    numbers = {name: array("d") for name in COLUMNS[-2:]}
    known: dict[str, str] = {}  # equal texts share one object
    for row in rows:
        for name, values in texts.items():
            text = str(row.get(name, ""))
            values.append(text if name == "file" else known.setdefault(text, text))
        for name, values in numbers.items():
            values.append(row[name])
    # As objects: in an array of text each cell is as large as the longest text.
    arrays = {name: np.array(texts.pop(name), object) for name in TEXT_COLUMNS}
    arrays["verdict"] = _known_verdicts(arrays["verdict"])
    return ScoreTable(**arrays, **{name: np.array(values) for name, values in numbers.items()})


def _known_verdicts(words: Iterable[str]) -> np.ndarray:
    return np.array([word if word in VERDICTS else "" for word in words], object)


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
        (scores, verdicts), labels = _read_unlabelled(path), 0
    elif header[:1] == ["file"]:
        if keys or subset:
            raise InputError(
                f"{path} has labels in its column label; leave out --keys and --subset"
            )
        return _read_own(path, missing)
    else:
        scores, labels = _read_official(path)
    if subset and keys is None:
        raise InputError("--subset needs a key file; add --keys FILE")
    if keys is None:
        if labels < len(scores):
            raise InputError(f"{path} has no labels; give the key file with --keys")
        listings = _read_labels(path)
    else:
        listings = choose_subset(keys, subset)
    return _join(scores, verdicts, listings, path, keys or path, missing)


def _read_own(path: Path, missing: float | None) -> tuple[ScoreTable, list[str]]:
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
        if twice := _repeated(files):
            raise InputError(
                f"{twice[0]} has {int((files == twice[0]).sum())} scores in the split {split}; "
                "keep one"
            )
    return table, without


def _repeated(names: np.ndarray) -> list[str]:
    """Return the repeated names, each once less than it occurs."""
    ordered = np.sort(names)
    return ordered[1:][ordered[1:] == ordered[:-1]].tolist()


def _read_unlabelled(path: Path) -> tuple[dict[str, float], dict[str, str]]:
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


def _official_lines(path: Path) -> Iterator[tuple[list[str], str]]:
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


def _read_official(path: Path) -> tuple[dict[str, float], int]:
    """Return the score of each file, and how many lines have a label (the format of 2019)."""
    scores, labels = {}, 0
    for columns, origin in _official_lines(path):
        if columns[0] in scores:
            raise InputError(f"{columns[0]} has a second score in {origin}; keep one")
        scores[columns[0]] = _number(columns[-1], origin)
        labels += len(columns) == 4
    return scores, labels


def _read_labels(path: Path) -> Iterator[Listing]:
    """Yield label and attack of each file in the format of 2019."""
    for columns, origin in _official_lines(path):
        attack = "" if columns[1] in ("-", "bonafide") else columns[1]
        yield Listing(columns[0], _label(columns[2], origin), attack=attack)


def _label(key: str, origin: str) -> str:
    if key not in KEYS:
        raise InputError(f"{key!r} is not a key ({origin}); use bonafide or spoof")
    return KEYS[key]


def _read_keys(path: Path) -> Iterable[Listing]:
    if {*KEY_COLUMNS} <= {*first_row(path)}:
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
        raise InputError(
            f"cannot read keys from {path}: {len(columns)} columns; give a protocol of "
            "ASVspoof 2019, 2021 or 5, or a table with the header filename cm-label, or file,label"
        )
    corpus, layout = KEY_LAYOUTS[len(columns)]
    return read_protocol(path, layout, "test", corpus)


def choose_subset(keys: Path, subset: str | None) -> Iterator[Listing]:
    """Return the files of one subset of the keys; keys without subsets have one."""
    known = sorted({listing.subset for listing in _read_keys(keys)} - {""})
    if subset is None and len(known) > 1:
        raise InputError(
            f"{keys} has several subsets: {', '.join(known)}; choose one with --subset, or all; "
            "published figures use eval"
        )
    if subset is None or (subset == ALL_SUBSETS and known):
        return iter(_read_keys(keys))
    if subset not in known:
        raise InputError(f"{keys} has no subset {subset!r}; it has {', '.join(known) or 'none'}")
    return (listing for listing in _read_keys(keys) if listing.subset == subset)


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
        table = replace(table, verdict=_known_verdicts(verdicts.get(name, "") for name in names))
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
        stem = _stem(name)
        if by_stem.setdefault(stem, name) is not name:
            again.setdefault(stem, name)
        by_path[os.path.normpath(here / name)] = name
        trimmed = os.path.normpath(here / without_blank_ends(name))
        by_trimmed_path[trimmed] = None if trimmed in by_trimmed_path else name
    times = Counter(map(_stem, listed))
    names = []
    for file in listed:
        place = os.path.normpath(here / root / file)
        name = file if file in scores else by_path.get(place) or by_trimmed_path.get(place)
        stem = _stem(file)
        if name is None and times[stem] == 1 and stem in by_stem:
            name = by_stem[stem]
            if stem in again:
                raise InputError(
                    f"{path} has several scores for {stem}: {name}, {again[stem]}; "
                    "use one of these paths in the keys, as a CSV with file,label"
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
            raise InputError(
                f"cannot read {one_line(line.strip())!r} in {origin}; a line of speaker "
                "verification scores is: attack, target, nontarget or spoof, score"
            )
        scores[columns[1]].append(_number(columns[2], origin))
    absent = [key for key, values in scores.items() if not values]
    if absent:
        raise InputError(f"{path} has no {absent[0]} scores, which t-DCF needs")
    return {key: np.array(values) for key, values in scores.items()}


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


def trial_names(table: ScoreTable) -> list[str] | None:
    """Return the names of files as trials: their stems, with `_` for blanks.

    If two files share a stem, all are named by their paths without suffixes.

    Returns:
        None if two files would still have one name.
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
    return _without_suffix(re.split(r"[/\\]", without_blank_ends(name))[-1].strip())
