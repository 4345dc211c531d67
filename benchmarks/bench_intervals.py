"""How fast error rates and their intervals come for 600,000 scores, beside the usual recipe.

    python -m benchmarks.bench_intervals [FILES] [REPETITIONS]     default 600000 and 1000

The usual recipe samples files with replacement, and calls scikit-learn's roc_curve for each sample.
It is timed over a few samples. Both run on one core.
"""

from benchmarks import Row, stay_on_one_core

stay_on_one_core()

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import roc_curve

from deepfake_audio.config.loading import load_settings
from deepfake_audio.evaluation.bootstrap import bootstrap_intervals
from deepfake_audio.evaluation.breakdown import bootstrap_eers
from deepfake_audio.evaluation.score_bins import score_histogram
from deepfake_audio.evaluation.score_figures import score_figures
from deepfake_audio.evaluation.summary import detection_costs

SPEAKERS, ATTACKS = 67, 100
SHARE_REAL = 0.1
RECIPE_DRAWS = 5
RECIPE = "roc_curve on each sample (EER alone), from 5 samples"
FILES, REPETITIONS = 600_000, 1000


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def usual_recipe(is_real: np.ndarray, scores: np.ndarray, samples: int) -> None:
    """Bootstrap the equal error rate as tutorials do."""
    rng = np.random.default_rng(0)
    for _ in range(samples):
        chosen = rng.integers(0, len(scores), len(scores))
        false_accept, hit, _ = roc_curve(is_real[chosen], scores[chosen])
        false_accept[np.nanargmin(np.abs(1 - hit - false_accept))]


def measured(files: int, repetitions: int) -> dict[str, float]:
    """Return the seconds of each way."""
    rng = np.random.default_rng(0)
    is_real = (rng.random(files) < SHARE_REAL).astype(int)
    scores = rng.normal(2 * is_real - 1, 1.0)
    costs = detection_costs(load_settings().evaluate)
    grouped = score_histogram(is_real, scores, scores, 0.0, costs)
    voices = np.array([f"speaker {number}" for number in rng.integers(0, SPEAKERS, files)])
    by_file, by_speaker = (
        seconds(lambda who=who: bootstrap_intervals(grouped, who, repetitions, 0))
        for who in (np.full(files, ""), voices)
    )
    attacks = rng.integers(0, ATTACKS, files)
    by_attack = seconds(
        lambda: bootstrap_eers(grouped, attacks, voices, repetitions, 0, share_real=True)
    )
    recipe = seconds(lambda: usual_recipe(is_real, scores, RECIPE_DRAWS))
    return {
        "all figures, no intervals": seconds(
            lambda: score_figures(is_real, scores, scores, 0.5, costs)
        ),
        "intervals of seven figures, files sampled": by_file,
        f"intervals of seven figures, {SPEAKERS} speakers sampled": by_speaker,
        f"intervals of the EER of {ATTACKS} attacks and their mean": by_attack,
        RECIPE: recipe * repetitions / RECIPE_DRAWS,
    }


def measure(_: Sequence[str]) -> list[Row]:
    """Return the rows of this benchmark."""
    _, by_file, *_, recipe = measured(FILES, REPETITIONS).values()
    return [Row(f"intervals, {FILES:,} scores (s)", by_file, recipe, recipe / by_file, RECIPE)]


def main() -> None:
    args = [int(arg) for arg in sys.argv[1:]]
    files, repetitions = (*args, *(FILES, REPETITIONS)[len(args) :])
    print(f"{files:,} scores, {repetitions:,} samples, one core, seconds")
    for what, spent in measured(files, repetitions).items():
        print(f"{what:58}{spent:8.2f}")


if __name__ == "__main__":
    main()
