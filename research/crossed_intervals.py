"""Measure how often 95% intervals contain the true EER if speakers and attacks both matter.

    python -m research.crossed_intervals                      400 data sets, 300 samples each
    python -m research.crossed_intervals --speakers 40 --attacks 13

The score of a file is the sum of its class mean, a speaker effect, an attack effect, an effect of
both together, and noise: all normal, with the standard deviations of `EFFECTS`. The true EER is
that of all speakers and attacks, which follows from the variances. The table has, for each kind of
interval, the share of data sets whose interval contains the true EER, and the mean width.
"""

import argparse

import numpy as np
from scipy.stats import norm
from tqdm import trange

from deepfake_audio.evaluation.bootstrap import bootstrap_intervals
from deepfake_audio.evaluation.bootstrap_units import choose_units, cross_attacks
from deepfake_audio.evaluation.detection_costs import DetectionCosts
from deepfake_audio.evaluation.score_bins import score_histogram

EFFECTS = {
    "speakers and attacks": (0.5, 0.7, 0.3),
    "mostly attacks": (0.2, 0.9, 0.2),
    "mostly speakers": (0.7, 0.3, 0.3),
    "neither": (0.0, 0.0, 0.0),
}  # standard deviations of speaker, attack and both together; noise has 1
MEAN = 1.3  # of real files; fakes have its negative
COSTS = DetectionCosts(prior_fake=0.05, cost_miss=1, cost_false_accept=10)
KINDS = ("files", "speakers", "speakers and attacks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--speakers", type=int, default=30)
    parser.add_argument("--attacks", type=int, default=12)
    parser.add_argument("--files", type=int, default=3, help="of a speaker and attack")
    parser.add_argument("--sets", type=int, default=400, help="simulated data sets")
    parser.add_argument("--samples", type=int, default=300, help="bootstrap samples")
    args = parser.parse_args()
    print(f"{'':24}{'true EER':>10}" + "".join(f"{kind:>30}" for kind in KINDS))
    for name, effects in EFFECTS.items():
        true = true_eer(effects)
        inside, widths = np.zeros(len(KINDS)), np.zeros(len(KINDS))
        for seed in trange(args.sets, desc=name, leave=False):
            data = simulate(np.random.default_rng(seed), effects, args)
            for place, (low, high) in enumerate(intervals(*data, args.samples)):
                inside[place] += low <= true <= high
                widths[place] += high - low
        cells = (
            f"{share:16.1%} (width {width:.3f})"
            for share, width in zip(inside / args.sets, widths / args.sets, strict=True)
        )
        print(f"{name:24}{true:10.1%}" + "".join(f"{cell:>30}" for cell in cells), flush=True)


def true_eer(effects: tuple[float, float, float]) -> float:
    """Return the EER of two normal distributions at the threshold where both errors are equal."""
    of_real = np.sqrt(effects[0] ** 2 + 1)
    of_fake = np.sqrt(sum(np.square(effects)) + 1)
    return float(norm.cdf(-2 * MEAN / (of_real + of_fake)))


def simulate(
    rng: np.random.Generator, effects: tuple[float, float, float], args: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return classes, scores, speakers and attacks of one data set: arrays `(files,)`."""
    shape = (args.speakers, args.attacks, args.files)
    speaker, attack, _ = np.meshgrid(*map(np.arange, shape), indexing="ij")
    voice = rng.normal(0, effects[0], (args.speakers, 1, 1))
    fakes = -MEAN + voice + rng.normal(0, effects[1], (1, args.attacks, 1))
    fakes = fakes + rng.normal(0, effects[2], (args.speakers, args.attacks, 1))
    fakes = fakes + rng.normal(size=shape)
    real = MEAN + voice + rng.normal(size=shape)
    return (
        np.repeat([0, 1], fakes.size),
        np.concatenate([fakes.ravel(), real.ravel()]),
        np.tile(speaker.ravel().astype(str), 2),
        np.concatenate([attack.ravel().astype(str), np.full(real.size, "")]),
    )


def intervals(
    is_real: np.ndarray, scores: np.ndarray, speakers: np.ndarray, attacks: np.ndarray, samples: int
) -> list[tuple[float, float]]:
    """Return the intervals of the EER, one of each kind."""
    histogram = score_histogram(is_real, scores, scores, 0.0, COSTS)
    crossed, _ = cross_attacks(is_real, attacks, choose_units(is_real, speakers))
    nobody = np.full(len(scores), "")
    return [
        bootstrap_intervals(histogram, who, samples, seed=0, attacks=which)["eer"]
        for who, which in ((nobody, None), (speakers, None), (speakers, crossed))
    ]


if __name__ == "__main__":
    main()
