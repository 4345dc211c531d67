"""Against values that the evaluation packages of ASVspoof and exact fractions gave (golden/)."""

import json

import numpy as np
import pytest

from conftest import ROOT
from deepfake_audio.errors import UserError
from deepfake_audio.metrics import classification_report, equal_error_rate, fit_calibration

GOLDEN = json.loads((ROOT / "tests" / "golden" / "golden.json").read_text())["sets"]
ARRAYS = np.load(ROOT / "tests" / "golden" / "scores.npz")
DEFINED = [
    name
    for name in GOLDEN
    if f"{name}__bonafide" in ARRAYS and name not in ("nan_in_bona", "empty_bona")
]
# Where two thresholds are equally near, rounding decides which of them a program takes.
ONE_NEAREST = [
    name for name in DEFINED if GOLDEN[name]["exact"]["eer_nearest_n_equally_near_points"] == 1
]


def golden_scores(name: str) -> tuple[np.ndarray, np.ndarray]:
    real, fake = (ARRAYS[f"{name}__{part}"].astype(np.float64) for part in ("bonafide", "spoof"))
    return np.repeat([1, 0], [len(real), len(fake)]), np.concatenate([real, fake])


@pytest.mark.parametrize("name", ONE_NEAREST)
def test_equal_error_rate_is_the_exact_one(name):
    is_real, scores = golden_scores(name)
    exact = GOLDEN[name]["exact"]["eer_nearest_tie_aware"]
    assert equal_error_rate(is_real, scores).rate == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("name", DEFINED)
def test_equal_error_rate_does_not_depend_on_the_order_of_files(name):
    is_real, scores = golden_scores(name)
    order = np.random.default_rng(0).permutation(len(scores))
    assert equal_error_rate(is_real, scores) == equal_error_rate(is_real[order], scores[order])


@pytest.mark.parametrize("name", DEFINED)
def test_its_threshold_gives_its_rates(name):
    is_real, scores = golden_scores(name)
    eer = equal_error_rate(is_real, scores)
    called_real = scores >= eer.threshold
    miss, false_accept = 1 - called_real[is_real == 1].mean(), called_real[is_real == 0].mean()
    assert (miss + false_accept) / 2 == pytest.approx(eer.rate, abs=1e-12)


@pytest.mark.parametrize("name", DEFINED)
def test_figures_at_a_threshold_are_scikit_learns(name):
    is_real, scores = golden_scores(name)
    for threshold, expected in GOLDEN[name]["classification"].items():
        report = classification_report(is_real, scores, scores >= float(threshold))
        assert report["confusion"] == [
            [expected["spoof_called_spoof"], expected["spoof_called_bonafide"]],
            [expected["bonafide_called_spoof"], expected["bonafide_called_bonafide"]],
        ]
        for ours, theirs in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced_accuracy")):
            assert report[ours] == pytest.approx(expected[theirs], abs=1e-12)
        for figure in ("precision", "recall", "f1"):
            assert report[figure] == pytest.approx(expected["spoof_positive"][figure], abs=1e-12)
        assert report["roc_auc"] == pytest.approx(GOLDEN[name]["exact"]["auc"], abs=1e-12)


@pytest.mark.parametrize("name", ["nan_in_bona", "empty_bona"])
def test_no_figure_is_made_up_where_none_exists(name):
    is_real, scores = golden_scores(name)
    with pytest.raises(UserError, match="Error rates need"):
        equal_error_rate(is_real, scores)


def test_calibration_of_calibrated_scores_changes_little():
    rng = np.random.default_rng(0)
    is_real = np.repeat([1, 0], 5000)
    scores = rng.normal(np.where(is_real == 1, 2.0, -2.0), 2.0)  # log-odds of these are the scores
    slope, intercept = fit_calibration(is_real, scores)
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.05)


def test_calibration_of_inverted_scores_says_nothing():
    assert fit_calibration(np.array([1, 1, 0, 0]), np.array([-3.0, -2.0, 2.0, 3.0])) == (0.0, 0.0)


def test_calibration_of_separable_scores_is_not_certainty():
    slope, intercept = fit_calibration(np.repeat([1, 0], 20), np.repeat([5.0, -5.0], 20))
    assert 1 / (1 + np.exp(-(slope * 5 + intercept))) < 0.999
