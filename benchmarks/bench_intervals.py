"""How fast error rates and their intervals come for 600,000 scores, beside the usual recipe.

    python -m benchmarks.bench_intervals [FILES] [REPETITIONS]     default 600000 and 1000

The usual recipe draws files with replacement and calls scikit-learn's roc_curve for each draw; it
is timed over a few draws. Both run on one core.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import roc_curve

from deepfake_audio.config import load_settings
from deepfake_audio.evaluation import detection_costs
from deepfake_audio.intervals import bootstrap_intervals, group_scores
from deepfake_audio.metrics import score_figures

SPEAKERS = 67
SHARE_REAL = 0.1
RECIPE_DRAWS = 5


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def usual_recipe(is_real: np.ndarray, scores: np.ndarray, draws: int) -> None:
    """Bootstrap the equal error rate as tutorials do."""
    rng = np.random.default_rng(0)
    for _ in range(draws):
        drawn = rng.integers(0, len(scores), len(scores))
        false_accept, hit, _ = roc_curve(is_real[drawn], scores[drawn])
        false_accept[np.nanargmin(np.abs(1 - hit - false_accept))]


def main(argv: Sequence[str] | None = None) -> None:
    args = sys.argv[1:] if argv is None else list(argv)
    files, repetitions = (
        int(args[i]) if len(args) > i else n for i, n in enumerate((600_000, 1000))
    )
    rng = np.random.default_rng(0)
    is_real = (rng.random(files) < SHARE_REAL).astype(int)
    scores = rng.normal(2 * is_real - 1, 1.0)
    costs = detection_costs(load_settings().evaluate)
    grouped = group_scores(is_real, scores, scores, 0.0, costs)
    voices = np.array([f"speaker {number}" for number in rng.integers(0, SPEAKERS, files)])
    figures = seconds(lambda: score_figures(is_real, scores, scores, 0.5, costs))
    by_file, by_speaker = (
        seconds(lambda who=who: bootstrap_intervals(grouped, who, repetitions, 0))
        for who in (np.full(files, ""), voices)
    )
    recipe = seconds(lambda: usual_recipe(is_real, scores, RECIPE_DRAWS))
    recipe *= repetitions / RECIPE_DRAWS
    print(f"{files:,} scores, {repetitions:,} draws, one core, seconds")
    print(f"{'all figures, no intervals':58}{figures:8.2f}")
    print(f"{'intervals of seven figures, files drawn':58}{by_file:8.2f}")
    print(f"{f'intervals of seven figures, {SPEAKERS} speakers drawn':58}{by_speaker:8.2f}")
    print(f"{'roc_curve on each draw (EER alone), from 5 draws':58}{recipe:8.2f}")
    print(f"ratio, files drawn: {recipe / by_file:.0f}")


if __name__ == "__main__":
    main()
