import numpy as np
import pytest

from deepfake_audio.evaluation.detection_costs import DetectionCosts
from deepfake_audio.evaluation.score_figures import score_figures
from deepfake_audio.models.calibration import (
    Calibration,
    expected_calibration_error,
    fit_calibration,
    prior_weights,
    reliability,
)


def calibrated_scores(files: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    """Sample scores that are the log-likelihood ratios of their own classes."""
    is_real = np.repeat([1, 0], files)
    return is_real, np.random.default_rng(0).normal(np.where(is_real == 1, 2.0, -2.0), 2.0)


def test_calibration_of_calibrated_scores_changes_little():
    slope, intercept = fit_calibration(*calibrated_scores())
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("files", [50, 200])
def test_confidence_fitted_on_few_files_matches_the_accuracy(files):
    rng = np.random.default_rng(0)
    said, right = [], []
    for _ in range(60):
        is_real = np.repeat([1, 0], files // 2)
        scores = rng.normal(np.where(is_real == 1, 2.0, -2.0), 2.0)
        calibration = Calibration(*fit_calibration(is_real, scores))
        unseen, truth = rng.normal([-2.0] * 50 + [2.0] * 50, 2.0), np.repeat([0, 1], 50)
        p_real = calibration.probability_real(unseen, prior_fake=0.5)
        said.append(np.maximum(p_real, 1 - p_real))
        right.append((p_real > 0.5) == truth)
    said, right = np.concatenate(said), np.concatenate(right)
    sure = (said > 0.85) & (said < 0.95)
    assert right[sure].mean() == pytest.approx(said[sure].mean(), abs=0.05)


def test_calibration_of_inverted_scores_is_flat():
    assert fit_calibration(np.array([1, 1, 0, 0]), np.array([-3.0, -2.0, 2.0, 3.0])) == (0.0, 0.0)


def test_calibration_of_separable_scores_is_not_certainty():
    calibration = Calibration(*fit_calibration(np.repeat([1, 0], 20), np.repeat([5.0, -5.0], 20)))
    assert calibration.probability_real(5.0, prior_fake=0.5) < 0.999


def test_a_prior_shifts_the_log_odds_without_overflow():
    calibration = Calibration(slope=1.0, intercept=0.0)
    assert calibration.probability_real(0.0, prior_fake=0.1) == pytest.approx(0.9)
    odds = calibration.probability_real(np.log(3), prior_fake=0.2)
    assert odds / (1 - odds) == pytest.approx(3 * 0.8 / 0.2)
    assert calibration.probability_real(np.array([-1e6, 1e6]), 0.5).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("prior_fake", [0.5, 0.1])
def test_calibrated_probabilities_hold_for_any_share_of_fakes(prior_fake):
    is_real, scores = calibrated_scores()
    kept = slice(0, 6000)  # 5,000 real and 1,000 fake files
    is_real, scores = is_real[kept], scores[kept]
    p_real = Calibration(1.0, 0.0).probability_real(scores, prior_fake)
    bins = reliability(is_real, p_real, prior_weights(is_real, prior_fake))
    assert expected_calibration_error(bins) < 0.02
    assert bins["share"].sum() == pytest.approx(1)
    wrong = reliability(is_real, p_real**3, prior_weights(is_real, prior_fake))
    assert expected_calibration_error(wrong) > 0.05


def test_the_brier_score_is_the_squared_error_weighted_by_the_prior():
    is_real, scores = calibrated_scores()
    p_real = Calibration(1.0, 0.0).probability_real(scores, 0.1)
    squares = (p_real - is_real) ** 2
    expected = 0.1 * squares[is_real == 0].mean() + 0.9 * squares[is_real == 1].mean()
    figures = score_figures(is_real, scores, scores, 0.1, DetectionCosts(0.05, 1, 10))
    assert figures["brier"] == pytest.approx(expected, abs=1e-12)
