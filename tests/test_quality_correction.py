"""A score counts for less in a recording whose quality hides the evidence."""

from dataclasses import replace

import numpy as np
import pytest

from deepfake_audio.conditions.fitting import Scores, fit_quality, format_condition
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.quality_correction import (
    DEGRADATIONS,
    QualityCorrection,
    degradations,
    fit_correction,
)

COUNT = len(DEGRADATIONS)
CORRECTION = QualityCorrection(
    fake_slope=1.0,
    fake_slope_losses=(0.5,) + (0.0,) * (COUNT - 1),
    real_slope=0.5,
    real_slope_losses=(1.0,) + (0.0,) * (COUNT - 1),
    intercept=0.25,
    shifts=(-1.0,) + (0.0,) * (COUNT - 1),
)
CLEAN, NOISY = np.zeros(COUNT), np.eye(COUNT)[0]


def made_scores(spread: float, noise: float, files: int = 400, seed: int = 0) -> Scores:
    """Make scores of real and fake files that differ by a spread, in recordings of a noise."""
    random = np.random.default_rng(seed)
    is_real = np.tile([1, 0], files // 2)
    scores = random.normal(np.where(is_real == 1, 1, -1) * spread, 2)
    degraded = np.zeros((files, COUNT))
    degraded[:, 0] = noise
    return Scores(is_real, scores, degraded, np.zeros(files, bool))


def test_degradations_are_zero_for_good_and_one_for_bad_measures():
    good, bad = np.array(list(DEGRADATIONS.values())).T
    assert degradations(good).tolist() == [0] * COUNT
    assert degradations(bad).tolist() == [1] * COUNT
    assert degradations(np.stack([good, (good + bad) / 2])).mean(axis=1).tolist() == [0, 0.5]
    assert degradations(bad + 10 * (bad - good)).tolist() == [1] * COUNT


def test_the_sides_of_the_score_have_slopes_of_their_own():
    corrected = CORRECTION.correct(np.array([-4.0, 0.0, 4.0]), CLEAN)
    assert corrected.tolist() == [-3.75, 0.25, 2.25]
    corrected = CORRECTION.correct(np.array([-4.0, 0.0, 4.0]), NOISY)
    assert corrected.tolist() == [-2.75, -0.75, -0.75]  # a slope is never below 0


def test_caution_takes_from_evidence_for_real_in_noise():
    careful = replace(
        CORRECTION, real_slope_losses=(0.0,) * COUNT, shifts=(0.0,) * COUNT, caution=1
    )
    assert careful.correct(np.array([-4.0, 0.0, 4.0]), CLEAN).tolist() == [-3.75, 0.25, 2.25]
    assert careful.correct(np.array([-4.0, 0.0, 4.0]), NOISY).tolist() == [-1.75, 0.0, 1.25]


def test_a_recording_of_which_any_score_would_be_real_is_recognised():
    deaf = replace(CORRECTION, fake_slope_losses=(1.0,) * COUNT, shifts=(1.0,) * COUNT)
    assert deaf.hides_fakes(NOISY)
    assert not deaf.hides_fakes(CLEAN)


def test_each_file_has_its_own_quality():
    both = CORRECTION.correct(np.array([4.0, 4.0]), np.stack([CLEAN, NOISY]))
    assert both.tolist() == [2.25, -0.75]


def test_a_calibration_without_quality_is_a_line():
    assert Calibration(2.0, 1.0).llr(3.0, NOISY) == 7.0


def test_a_calibration_without_measures_takes_the_recording_as_clean():
    calibration = Calibration(2.0, 1.0, CORRECTION)
    assert calibration.llr(4.0) == calibration.llr(4.0, CLEAN) == 2 * 2.25 + 1
    assert calibration.llr(4.0, NOISY) < calibration.llr(4.0)


def test_noise_that_hides_the_difference_makes_scores_count_for_less():
    conditions = {"clean": made_scores(2, 0), "noise": made_scores(0.3, 1, seed=1)}
    calibration = fit_quality(conditions)
    clean, noisy = (calibration.llr([-3.0, 3.0], quality) for quality in (CLEAN, NOISY))
    assert clean[0] < -1.5
    assert clean[1] > 1.5
    assert np.abs(noisy).max() < 1
    assert noisy[0] < noisy[1]


@pytest.mark.slow
def test_a_fitted_correction_gives_log_likelihood_ratios():
    files = made_scores(1, 0, files=20_000)  # normal, so that the ratio is score * 2 * 1 / 2**2
    fitted = fit_correction(files.is_real, files.scores, files.degraded, np.ones(20_000))
    assert fitted.correct(np.array([-2.0, 2.0]), CLEAN) == pytest.approx([-1.0, 1.0], abs=0.1)


def test_the_table_has_a_row_for_each_condition():
    conditions = {"clean": made_scores(3, 0), "noise": made_scores(0.3, 1, seed=1)}
    fitted = fit_quality(conditions)
    lines = [format_condition(name, files, fitted, 0.7) for name, files in conditions.items()]
    clean, noise = (line.split() for line in lines)
    assert (clean[0], clean[1], noise[0]) == ("clean", "400", "noise")
    real, uncertain, fake = (float(cell.rstrip("%")) for cell in clean[4:7])
    assert real + uncertain + fake == pytest.approx(100, abs=0.2)
    assert float(noise[5].rstrip("%")) > 60 > uncertain  # most are UNCERTAIN
