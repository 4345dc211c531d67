"""Shortcut audit: do recording properties such as level or bandwidth separate fake from real?

If they do, a detector learns the recording, not the voice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from deepfake_audio.vocabulary import SPLITS

ALL_TOGETHER = "all together"
WARN_AUC = 0.75
WARN_DEVIATIONS = 3  # from 0.5: rare by chance among eight properties in three splits
MAX_CHANCE = 0.05
FEW_OF_A_CLASS = 20  # with fewer, only shortcuts that separate nearly all files are found
FOLDS = 5
TREES = 300
LEAF_FILES = 5  # minimum in a leaf of a tree
SMOOTHING_FILES = 2  # of the average class, added to the files that have a text


@dataclass(frozen=True)
class Shortcut:
    """How well one recording property separates real from fake in one split.

    Attributes:
        auc: 0.5 is chance; a single property's is never below it, since either direction counts;
            not a number if there are too few files for it.
        real_files: in the split.
        fake_files: in the split.
    """

    split: str
    measure: str
    auc: float
    real_files: int
    fake_files: int

    @property
    def is_telling(self) -> bool:
        """Return whether the AUC is high, and too high for chance with this number of files.

        For an uninformative property the AUC is 0.5 with a variance of (m + n + 1) / 12mn for
        m and n files (Mann and Whitney, "On a test of whether one of two random variables is
        stochastically larger than the other", 1947, of U = mn AUC). Three of a class never suffice.
        """
        variance = (self.real_files + self.fake_files + 1) / (
            12 * self.real_files * self.fake_files
        )
        return self.auc >= max(WARN_AUC, 0.5 + WARN_DEVIATIONS * math.sqrt(variance))


def audit_shortcuts(
    measures: Sequence[Mapping[str, float | str]],
    is_real: Sequence[bool],
    splits: Sequence[str],
    groups: Sequence[str],
) -> list[Shortcut]:
    """Measure how well recording properties separate real from fake in each split.

    Args:
        measures: the properties of each file, all with the same names; a text, such as the format,
            becomes the share of real files among the other files with it: with the file itself, a
            rare text would reveal its class.
        is_real: the classes.
        splits: the split of each file.
        groups: the speaker of each file; no group is in training and test at once.

    Returns:
        For each split with both classes, the AUC of each property and of all together (extremely
        randomised trees: trained on train and tested on the others; cross-validated within train;
        not a number if there are too few files for it).
    """
    is_real, splits, groups = np.asarray(is_real), np.asarray(splits), np.asarray(groups, object)
    columns = {name: np.array([row[name] for row in measures]) for name in measures[0]}
    values = np.column_stack([_as_numbers(column) for column in columns.values()])
    shortcuts = []
    for split in [name for name in SPLITS if name in splits]:
        here = splits == split
        if len(set(is_real[here])) < 2:
            continue
        fake_files, real_files = np.bincount(is_real[here]).tolist()
        aucs = dict.fromkeys([*columns, ALL_TOGETHER], math.nan)
        if min(fake_files, real_files) > 1:  # one file may be the longest, and so on, by chance
            aucs = {name: _auc_of_one(one[here], is_real[here]) for name, one in columns.items()}
            aucs[ALL_TOGETHER] = _auc_of_all(values, is_real, groups, splits == "train", here)
        shortcuts += [
            Shortcut(split, name, auc, real_files, fake_files) for name, auc in aucs.items()
        ]
    return shortcuts


def _as_numbers(column: np.ndarray) -> np.ndarray:
    """Return a property for trees: float `(files, columns)`, a column for each frequent text."""
    if column.dtype.kind != "U":
        return column.astype(float)[:, None]
    return OneHotEncoder(min_frequency=LEAF_FILES, sparse_output=False).fit_transform(
        column[:, None]
    )


def _auc_of_one(column: np.ndarray, is_real: np.ndarray) -> float:
    """Return the AUC of a property, 0.5 to 1; a text is encoded from the files of other folds.

    Each fold has an AUC of its own: if the others have more real files it has fewer, so the shares
    of several folds together would reveal the class.
    """
    if column.dtype.kind != "U":
        auc = roc_auc_score(is_real, column)
        return max(auc, 1 - auc)
    folds = min(FOLDS, *np.bincount(is_real, minlength=2).tolist())
    if folds < 2:
        return float("nan")
    encoder = TargetEncoder(target_type="binary", smooth=SMOOTHING_FILES)
    texts = column[:, None]
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    aucs = [
        roc_auc_score(is_real[b], encoder.fit(texts[a], is_real[a]).transform(texts[b])[:, 0])
        for a, b in splitter.split(texts, is_real)
    ]
    return max(0.5, float(np.mean(aucs)))


def _auc_of_all(values, is_real, groups, learnt: np.ndarray, tested: np.ndarray) -> float:
    """Return the AUC on `tested` of trees trained on `learnt`; by folds if these overlap."""
    trees = ExtraTreesClassifier(
        TREES, min_samples_leaf=LEAF_FILES, class_weight="balanced", random_state=0
    )
    folds = [(learnt, tested)]
    if (learnt & tested).any() or len(set(is_real[learnt])) < 2:
        rows = np.flatnonzero(tested)
        parts = min(
            FOLDS, len(set(groups[rows])), *np.bincount(is_real[rows], minlength=2).tolist()
        )
        if parts < 2:
            return float("nan")
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=0)
        folds = [(rows[a], rows[b]) for a, b in splitter.split(rows, is_real[rows], groups[rows])]
    aucs = [
        roc_auc_score(is_real[b], trees.fit(values[a], is_real[a]).predict_proba(values[b])[:, 1])
        for a, b in folds
        if len(set(is_real[a])) == len(set(is_real[b])) == 2
    ]
    return float(np.mean(aucs)) if aucs else float("nan")


def conclude(
    measures: Sequence[Mapping[str, float | str]], is_real: Sequence[bool], is_warned: bool = False
) -> str:
    """Return the audit's result in a sentence: the property that separates best over all splits.

    Its probability by chance is that of a Mann-Whitney U test for numbers, and of a chi-squared
    test of independence for texts, multiplied by the number of properties (Bonferroni).

    Args:
        measures: the properties of each file; see `audit_shortcuts`.
        is_real: the classes, both.
        is_warned: a warning names a shortcut in one of the splits.
    """
    is_real = np.asarray(is_real)
    found = []
    for name in measures[0]:
        column = np.array([row[name] for row in measures])
        chance = min(1.0, chance_of(column, is_real) * len(measures[0]))
        found.append((_pairs_told_apart(column, is_real), chance, name))
    sure = [each for each in found if each[0] >= WARN_AUC and each[1] <= MAX_CHANCE]
    share, chance, name = max(sure or found)
    files = f"with {len(is_real):,} files"
    likely = f"p = {chance:.2g}" if chance >= 0.001 else "p < 0.001"
    finding = f"{name} separates {share:.0%} of the pairs of a real and a fake file"
    if share < WARN_AUC:
        few = min(np.bincount(is_real, minlength=2)) < FEW_OF_A_CLASS
        end = f"; {files} only strong ones can be found" if few else ""
        if is_warned:
            return f"Audit: over all splits, {finding}; the warnings above name splits."
        return f"Audit: no shortcut found{end}."
    if chance > MAX_CHANCE:
        return f"Audit: {finding}; {files} that may be chance ({likely})."
    return f"Audit: shortcut found: {finding}, and not by chance ({likely}, {files})."


def _pairs_told_apart(column: np.ndarray, is_real: np.ndarray) -> float:
    """Return the share of pairs that a property tells apart; half of the ties counts.

    A text counts as the share of real files among all files with it: a rule fitted to these files.
    """
    if column.dtype.kind == "U":
        _, codes = np.unique(column, return_inverse=True)
        column = (np.bincount(codes, is_real) / np.bincount(codes))[codes]
    auc = roc_auc_score(is_real, column)
    return float(max(auc, 1 - auc))


def chance_of(column: np.ndarray, is_real: np.ndarray) -> float:
    """Return the probability that a property separates the classes as well or better by chance."""
    if len(set(column.tolist())) < 2:
        return 1.0
    if column.dtype.kind == "U":
        return float(stats.chi2_contingency(stats.contingency.crosstab(column, is_real).count)[1])
    return float(stats.mannwhitneyu(column[is_real], column[~is_real]).pvalue)


def format_audit(shortcuts: Sequence[Shortcut]) -> str:
    """Return the audit as a table, a column a split."""
    splits = list(dict.fromkeys(shortcut.split for shortcut in shortcuts))
    auc = {(shortcut.measure, shortcut.split): shortcut.auc for shortcut in shortcuts}
    lines = [f"{'AUC of real against fake by':28}" + "".join(f"{split:>8}" for split in splits)]
    for measure in dict.fromkeys(shortcut.measure for shortcut in shortcuts):
        figures = [auc[measure, split] for split in splits]
        cells = ["-" if math.isnan(figure) else f"{figure:.2f}" for figure in figures]
        lines.append(f"{measure:28}" + "".join(f"{cell:>8}" for cell in cells))
    return "\n".join(lines)


def format_warnings(shortcuts: Sequence[Shortcut]) -> list[str]:
    """Return a warning for each split in which a property separates the classes."""
    warnings = []
    for split in dict.fromkeys(shortcut.split for shortcut in shortcuts):
        telling = [s for s in shortcuts if s.split == split and s.is_telling]
        if telling:
            names = ", ".join(f"{s.measure} (AUC {s.auc:.2f})" for s in telling)
            warnings.append(
                f"Warning: in {split}, fake and real differ by {names}. A detector learns such a "
                "difference instead of the voice."
            )
    return warnings
