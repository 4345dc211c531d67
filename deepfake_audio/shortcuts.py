"""Shortcut audit: do duration, level, bandwidth or silence alone tell fake from real?

A detector trained on data where they do would learn the recording, not the voice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

FRAME_SECONDS = 0.01
SILENCE_DB = 40
BANDWIDTH_DB = 60
ALL_TOGETHER = "all together"


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


def measure_nuisances(samples: np.ndarray, sample_rate_hz: int) -> dict[str, float]:
    """Measure what says nothing about the voice.

    Args:
        samples: float `(samples,)`, full scale 1.
        sample_rate_hz: their rate.

    Returns:
        Seconds of sound and of silence at either edge (40 dB below the loudest 10 ms), RMS level in
        dBFS to 0.1 dB, and the highest frequency within 60 dB of the loudest one on average.
    """
    frame_samples = max(1, round(FRAME_SECONDS * sample_rate_hz))
    frames = np.resize(samples, max(1, len(samples) // frame_samples) * frame_samples)
    power = np.square(frames.reshape(-1, frame_samples)).mean(axis=1) + 1e-12
    loud = np.flatnonzero(power >= power.max() * 10 ** (-SILENCE_DB / 10))
    spectrum = average_spectrum(samples)
    within = np.flatnonzero(spectrum >= spectrum.max() * 10 ** (-BANDWIDTH_DB / 10))
    return {
        "duration": len(samples) / sample_rate_hz,
        "level": round(float(10 * np.log10(np.square(samples).mean() + 1e-12)), 1),
        "bandwidth": float(within[-1] * sample_rate_hz / 2 / (len(spectrum) - 1)),
        "leading silence": float(loud[0] * FRAME_SECONDS),
        "trailing silence": float((len(power) - 1 - loud[-1]) * FRAME_SECONDS),
    }


def average_spectrum(samples: np.ndarray, frame_samples: int = 512) -> np.ndarray:
    """Return the mean power of each FFT bin over all frames: `(frame_samples // 2 + 1,)`."""
    padded = np.pad(samples, (0, max(0, frame_samples - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[:: frame_samples // 2]
    return np.square(np.abs(np.fft.rfft(frames * np.hanning(frame_samples)))).mean(axis=0) + 1e-20


def audit_shortcuts(
    nuisances: Sequence[Mapping[str, float]],
    is_real: Sequence[bool],
    splits: Sequence[str],
    groups: Sequence[str],
) -> list[Shortcut]:
    """Measure how well nuisances alone tell real from fake in each split.

    Args:
        nuisances: one mapping a file, all with the same names.
        is_real: the classes.
        splits: the split of each file.
        groups: the speaker of each file; no group is learnt from and tested on at once.

    Returns:
        For each split with both classes, the AUC of each nuisance and of all together (extremely
        randomised trees: learnt on train and tested on the others; cross-validated within train).
    """
    names = list(nuisances[0])
    values = np.array([[row[name] for name in names] for row in nuisances])  # (files, nuisances)
    is_real, splits, groups = np.asarray(is_real), np.asarray(splits), np.asarray(groups)
    shortcuts = []
    for split in dict.fromkeys(splits):
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


def _auc_of_all(values, is_real, groups, learnt: np.ndarray, tested: np.ndarray) -> float:
    """Return the AUC on `tested` of trees grown on `learnt`; if these overlap, by folds."""
    trees = ExtraTreesClassifier(300, min_samples_leaf=5, class_weight="balanced", random_state=0)
    folds = [(learnt, tested)]
    if (learnt & tested).any() or len(set(is_real[learnt])) < 2:
        rows = np.flatnonzero(tested)
        splitter = StratifiedGroupKFold(
            min(5, len(set(groups[rows]))), shuffle=True, random_state=0
        )
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
        lines.append(f"{nuisance:28}" + "".join(f"{auc[nuisance, split]:8.2f}" for split in splits))
    return "\n".join(lines)
