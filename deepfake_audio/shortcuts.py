"""Shortcut audit: do nuisances such as level or bandwidth alone tell fake from real?

A detector trained on data where they do would learn the recording, not the voice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from deepfake_audio.splits import SPLITS

ALL_TOGETHER = "all together"
WARN_AUC = 0.75
WARN_FILES = 20  # with fewer, an AUC is chance


@dataclass(frozen=True)
class Shortcut:
    """How well one nuisance tells real from fake in one split.

    Attributes:
        auc: 0.5 is chance; a single nuisance's is never below it, since either direction counts.
    """

    split: str
    nuisance: str
    auc: float
    files: int


def audit_shortcuts(
    nuisances: Sequence[Mapping[str, float | str]],
    is_real: Sequence[bool],
    splits: Sequence[str],
    groups: Sequence[str],
) -> list[Shortcut]:
    """Measure how well nuisances alone tell real from fake in each split.

    Args:
        nuisances: one mapping a file, all with the same names; a text, such as the format, counts
            as the share of real files that have it.
        is_real: the classes.
        splits: the split of each file.
        groups: the speaker of each file; no group is learnt from and tested on at once.

    Returns:
        For each split with both classes, the AUC of each nuisance and of all together (extremely
        randomised trees: learnt on train and tested on the others; cross-validated within train;
        not a number where there are too few files for it).
    """
    names = list(nuisances[0])
    is_real, splits, groups = np.asarray(is_real), np.asarray(splits), np.asarray(groups, object)
    values = np.column_stack(  # (files, nuisances)
        [_as_numbers([row[name] for row in nuisances], is_real) for name in names]
    )
    shortcuts = []
    for split in [name for name in SPLITS if name in splits]:
        here = splits == split
        if len(set(is_real[here])) < 2:
            continue
        aucs = [roc_auc_score(is_real[here], values[here, column]) for column in range(len(names))]
        shortcuts += [
            Shortcut(split, name, max(auc, 1 - auc), int(here.sum()))
            for name, auc in zip(names, aucs, strict=True)
        ]
        together = _auc_of_all(values, is_real, groups, splits == "train", here)
        shortcuts.append(Shortcut(split, ALL_TOGETHER, together, int(here.sum())))
    return shortcuts


def _as_numbers(column: list, is_real: np.ndarray) -> np.ndarray:
    if not isinstance(column[0], str):
        return np.array(column, float)
    texts = np.array(column)
    share_of_real = {text: is_real[texts == text].mean() for text in set(column)}
    return np.array([share_of_real[text] for text in column])


def _auc_of_all(values, is_real, groups, learnt: np.ndarray, tested: np.ndarray) -> float:
    """Return the AUC on `tested` of trees grown on `learnt`; if these overlap, by folds."""
    trees = ExtraTreesClassifier(300, min_samples_leaf=5, class_weight="balanced", random_state=0)
    folds = [(learnt, tested)]
    if (learnt & tested).any() or len(set(is_real[learnt])) < 2:
        rows = np.flatnonzero(tested)
        parts = min(5, len(set(groups[rows])), *np.bincount(is_real[rows], minlength=2).tolist())
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


def format_audit(shortcuts: Sequence[Shortcut]) -> str:
    """Return the audit as a table, a column a split."""
    splits = list(dict.fromkeys(shortcut.split for shortcut in shortcuts))
    auc = {(shortcut.nuisance, shortcut.split): shortcut.auc for shortcut in shortcuts}
    lines = [f"{'AUC of real against fake by':28}" + "".join(f"{split:>8}" for split in splits)]
    for nuisance in dict.fromkeys(shortcut.nuisance for shortcut in shortcuts):
        figures = [auc[nuisance, split] for split in splits]
        cells = ["-" if math.isnan(figure) else f"{figure:.2f}" for figure in figures]
        lines.append(f"{nuisance:28}" + "".join(f"{cell:>8}" for cell in cells))
    return "\n".join(lines)


def format_warnings(shortcuts: Sequence[Shortcut]) -> list[str]:
    """Return one plain warning for each split in which a nuisance gives the class away."""
    warnings = []
    for split in dict.fromkeys(shortcut.split for shortcut in shortcuts):
        enough = [s for s in shortcuts if s.split == split and s.files >= WARN_FILES]
        telling = [s for s in enough if s.auc >= WARN_AUC]
        if telling:
            names = ", ".join(f"{s.nuisance} (AUC {s.auc:.2f})" for s in telling)
            warnings.append(
                f"Warning: in {split}, fake and real differ by {names}. A detector learns such a "
                "difference instead of the voice."
            )
    return warnings
