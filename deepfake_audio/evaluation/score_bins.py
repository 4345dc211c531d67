"""Scores in bins, so that one repetition of a bootstrap counts cells instead of files.

At most `MAX_BINS` bins hold neighbouring scores: a repetition costs as much for 600,000 files as
for 10,000. With fewer different scores, which is the usual case, each has a bin of its own and
nothing is rounded.
"""

from dataclasses import dataclass

import numpy as np

from deepfake_audio.evaluation.detection_costs import DetectionCosts, llr_losses, min_dcf
from deepfake_audio.evaluation.error_rates import check_scores, curve_of_counts, eer_of, roc_auc

MAX_BINS = 10_000


@dataclass(frozen=True)
class ScoreHistogram:
    """Scores in bins of neighbours.

    Attributes:
        group: `(files,)`, the bin of each file; bins rise with the score.
        is_real: `(files,)`, 1 real, 0 fake.
        loss: `(bins, 2)`, mean share in Cllr of the bin's fake and real files, in bits.
        accepted: `(bins,)`, whether files are called real at the threshold of the costs.
        called_real: `(bins,)`, whether they are called real by the verdict.
        costs: of DCF.
    """

    group: np.ndarray
    is_real: np.ndarray
    loss: np.ndarray
    accepted: np.ndarray
    called_real: np.ndarray
    costs: DetectionCosts

    @property
    def cells(self) -> np.ndarray:
        """Return the position of each file in counts `(bins, 2)` laid out flat."""
        return 2 * self.group + self.is_real

    @property
    def counts(self) -> np.ndarray:
        """Return how many files each cell has before sampling, `(bins * 2,)`."""
        return np.bincount(self.cells, minlength=self.loss.size)

    def figures(self, counts: np.ndarray) -> dict[str, float]:
        """Compute the figures of sampled files from the counts of cells, `(bins * 2,)`."""
        fake, real = np.asarray(counts).reshape(-1, 2).T
        curve = curve_of_counts(np.arange(len(real)), real, fake)
        missing, accepting = self.costs.weights
        miss, false_accept = self._rates(real, fake, self.accepted)
        verdict_miss, verdict_accept = self._rates(real, fake, self.called_real)
        correct = real[self.called_real].sum() + fake[~self.called_real].sum()
        losses = (fake @ self.loss[:, 0] / fake.sum(), real @ self.loss[:, 1] / real.sum())
        return {
            "eer": eer_of(curve).rate,
            "roc_auc": roc_auc(curve),
            "min_dcf": min_dcf(curve, self.costs),
            "act_dcf": (missing * miss + accepting * false_accept) / min(missing, accepting),
            "cllr": sum(losses) / 2,
            "accuracy": correct / (real.sum() + fake.sum()),
            "balanced_accuracy": 1 - (verdict_miss + verdict_accept) / 2,
        }

    @staticmethod
    def _rates(real: np.ndarray, fake: np.ndarray, accepted: np.ndarray) -> tuple[float, float]:
        return real[~accepted].sum() / real.sum(), fake[accepted].sum() / fake.sum()


def score_histogram(
    is_real: np.ndarray,
    scores: np.ndarray,
    llr: np.ndarray,
    threshold: float,
    costs: DetectionCosts,
) -> ScoreHistogram:
    """Bin neighbouring scores if there are more than `MAX_BINS` different ones.

    Args:
        is_real, scores: see `error_rates`.
        llr: `(files,)`, log-likelihood ratios, which rise with the scores.
        threshold: log-likelihood ratio above which the verdict is real.
        costs: of DCF.
    """
    is_real, scores = check_scores(is_real, scores)
    called_real, accepted = llr > threshold, llr >= costs.bayes_threshold
    distinct, place = np.unique(scores, return_inverse=True)
    if len(distinct) > MAX_BINS:
        rank_of = (np.cumsum(np.bincount(place)) - 1) * MAX_BINS // len(scores)
        place = rank_of[place]
    # Both thresholds split a bin, so that each bin lies on one side of them.
    _, first, group = np.unique(
        4 * place + called_real + accepted, return_index=True, return_inverse=True
    )
    cells, losses = 2 * group + is_real, llr_losses(is_real, llr)
    counts, sums = (np.bincount(cells, weights, 2 * len(first)) for weights in (None, losses))
    loss = (sums / np.maximum(counts, 1)).reshape(-1, 2)
    return ScoreHistogram(group, is_real, loss, accepted[first], called_real[first], costs)
