"""Against values that the evaluation packages of ASVspoof and exact fractions gave (golden/)."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from conftest import ROOT
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.detection_costs import (
    AsvErrorRates,
    DetectionCosts,
    actual_dcf,
    asv_error_rates,
    llr_cost,
    min_dcf,
    min_llr_cost,
    min_tdcf,
)
from deepfake_audio.evaluation.error_rates import (
    equal_error_rate,
    equal_error_rates,
    error_curve,
    hull_equal_error_rate,
    official_equal_error_rate,
    roc_auc,
)
from deepfake_audio.evaluation.score_figures import classification_figures, score_figures

ALL_GOLDEN = json.loads((ROOT / "tests" / "golden" / "golden.json").read_text())
GOLDEN = ALL_GOLDEN["sets"]
ARRAYS = np.load(ROOT / "tests" / "golden" / "scores.npz")
UNDEFINED = ["nan_in_bona", "empty_bona"]
DEFINED = [name for name in GOLDEN if name not in UNDEFINED]
# Where two thresholds are equally near, rounding decides which of them a program takes.
ONE_NEAREST = [
    name for name in DEFINED if GOLDEN[name]["exact"]["eer_nearest_n_equally_near_points"] == 1
]
COSTS = {
    name: DetectionCosts(costs["Pspoof"], costs["Cmiss"], costs["Cfa"])
    for name, costs in ALL_GOLDEN["dcf_parameters"].items()
}
ASV = {
    name: AsvErrorRates(rates["Pmiss"], rates["Pfa"], rates["Pfa_spoof"])
    for name, rates in ALL_GOLDEN["asv_error_rates"].items()
}
TDCF_COSTS = COSTS["asvspoof5"]


def golden_scores(name: str) -> tuple[np.ndarray, np.ndarray]:
    if f"{name}__bonafide" in ARRAYS:
        parts = [ARRAYS[f"{name}__{part}"].astype(np.float64) for part in ("bonafide", "spoof")]
    else:
        parts = [np.array(GOLDEN[name][part], float) for part in ("bonafide", "spoof")]
    return np.repeat([1, 0], [len(part) for part in parts]), np.concatenate(parts)


@pytest.mark.parametrize("name", DEFINED)
def test_equal_error_rate_is_the_exact_one(name):
    is_real, scores = golden_scores(name)
    exact, eer = GOLDEN[name]["exact"], equal_error_rate(is_real, scores)
    assert eer.rate == pytest.approx(exact["eer_nearest_tie_aware"], abs=1e-12)
    if name in ONE_NEAREST:
        expected = exact["eer_nearest_tie_aware_threshold_ge"]
        called_real = scores >= (np.inf if expected == "inf" else expected)
        assert np.array_equal(scores >= eer.threshold, called_real)


@pytest.mark.parametrize("name", DEFINED)
def test_the_official_equal_error_rate_equals_that_of_its_package(name):
    is_real, scores = golden_scores(name)
    official, eer = GOLDEN[name]["official_eer"], official_equal_error_rate(is_real, scores)
    assert eer.rate == pytest.approx(official["eer"], abs=1e-9)
    if official["n_equally_near_points"] == 1:
        assert eer.threshold == official["eer_threshold"]


@pytest.mark.parametrize("name", DEFINED)
def test_the_equal_error_rate_of_the_hull_is_the_exact_one(name):
    is_real, scores = golden_scores(name)
    hull = hull_equal_error_rate(is_real, scores)
    assert hull == pytest.approx(GOLDEN[name]["exact"]["eer_rocch"], abs=1e-12)


@pytest.mark.parametrize("name", DEFINED)
def test_equal_error_rate_does_not_depend_on_the_order_of_files(name):
    is_real, scores = golden_scores(name)
    order = np.random.default_rng(0).permutation(len(scores))
    for rule in (equal_error_rate, official_equal_error_rate):
        assert rule(is_real, scores) == rule(is_real[order], scores[order])


def test_equal_error_rates_of_several_sets_are_those_of_each():
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 4, (2, 30, 12))
    real[3], fake[4] = 0, 0
    rates = equal_error_rates(real, fake)
    assert np.flatnonzero(np.isnan(rates)).tolist() == [3, 4]
    for number in set(range(30)) - {3, 4}:
        is_real = np.repeat([1, 0], [real[number].sum(), fake[number].sum()])
        scores = np.concatenate([np.repeat(range(12), c[number]) for c in (real, fake)])
        assert rates[number] == equal_error_rate(is_real, scores).rate
    everyone = np.broadcast_to(real[:1], real.shape)
    np.testing.assert_array_equal(
        equal_error_rates(real[:1], fake), equal_error_rates(everyone, fake)
    )


@pytest.mark.parametrize("name", DEFINED)
def test_the_threshold_of_the_equal_error_rate_gives_its_rates(name):
    is_real, scores = golden_scores(name)
    eer = equal_error_rate(is_real, scores)
    called_real = scores >= eer.threshold
    miss, false_accept = 1 - called_real[is_real == 1].mean(), called_real[is_real == 0].mean()
    assert (miss + false_accept) / 2 == pytest.approx(eer.rate, abs=1e-12)


@pytest.mark.parametrize("name", DEFINED)
def test_auc_is_exact(name):
    is_real, scores = golden_scores(name)
    auc = roc_auc(error_curve(is_real, scores))
    assert auc == pytest.approx(GOLDEN[name]["exact"]["auc"], abs=1e-12)
    assert auc == pytest.approx(roc_auc_score(is_real, scores), abs=1e-12)


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("name", DEFINED)
def test_detection_costs_equal_those_of_asvspoof_5(name, costs):
    is_real, scores = golden_scores(name)
    expected = GOLDEN[name]["asvspoof5_dcf"][costs]
    least = min_dcf(error_curve(is_real, scores), COSTS[costs])
    assert least == pytest.approx(expected["minDCF"], abs=1e-9)
    actual = actual_dcf(is_real, scores, COSTS[costs])
    assert actual == pytest.approx(expected["actDCF"], abs=1e-9)
    assert COSTS[costs].bayes_threshold == pytest.approx(expected["actDCF_threshold"], abs=1e-12)


@pytest.mark.parametrize("name", DEFINED)
def test_llr_costs_equal_those_of_pyllr(name):
    is_real, scores = golden_scores(name)
    expected = GOLDEN[name]["pyllr"]
    assert llr_cost(is_real, scores) == pytest.approx(expected["cllr_bits"], abs=1e-9)
    least = min_llr_cost(error_curve(is_real, scores))
    assert least == pytest.approx(expected["min_cllr_bits"], abs=1e-9)


@pytest.mark.parametrize("form", ["legacy_2019", "new_2021"])
@pytest.mark.parametrize("asv", ASV)
@pytest.mark.parametrize("name", DEFINED)
def test_tandem_costs_equal_those_of_asvspoof(name, asv, form):
    expected = GOLDEN[name]["min_tDCF"][asv][form]
    curve, legacy = error_curve(*golden_scores(name)), form == "legacy_2019"
    if "error" in expected or expected["min_tDCF"] == "nan":
        with pytest.raises(InputError, match=r"cannot compute (this form of )?t-DCF"):
            min_tdcf(curve, ASV[asv], TDCF_COSTS, legacy)
    else:
        least = min_tdcf(curve, ASV[asv], TDCF_COSTS, legacy)
        assert least == pytest.approx(expected["min_tDCF"], abs=1e-9)


def test_speaker_verification_from_its_scores():
    golden = ALL_GOLDEN["asv_from_scores"]
    rng = np.random.default_rng(8001)
    sampled = rng.normal(4, 1, 1000), rng.normal(0, 1, 2000), rng.normal(3, 1.5, 3000)
    asv = asv_error_rates(*(scores.astype(np.float32).astype(np.float64) for scores in sampled))
    expected = (golden[key] for key in ("Pmiss_asv", "Pfa_asv_nontarget", "Pfa_spoof_asv"))
    assert asv == AsvErrorRates(*(pytest.approx(value, abs=1e-12) for value in expected))
    is_real, scores = golden_scores("gauss_sep2_200_500")
    inverted = error_curve(is_real, -scores)
    golden = golden["with_cm_set"]["inverted_gauss_sep2_200_500"]
    assert min_tdcf(inverted, asv, TDCF_COSTS) == golden["new_2021_min_tDCF"]
    assert min_tdcf(inverted, asv, TDCF_COSTS, legacy=True) == golden["legacy_2019_min_tDCF"]


@pytest.mark.parametrize("name", DEFINED)
def test_figures_of_verdicts_equal_those_of_scikit_learn(name):
    is_real, scores = golden_scores(name)
    for threshold, expected in GOLDEN[name]["classification"].items():
        figures = classification_figures(is_real, scores >= float(threshold))
        assert figures["confusion"] == [
            [expected["spoof_called_spoof"], expected["spoof_called_bonafide"]],
            [expected["bonafide_called_spoof"], expected["bonafide_called_bonafide"]],
        ]
        for figure in ("accuracy", "balanced_accuracy", "macro_f1", "mcc"):
            assert figures[figure] == pytest.approx(expected[figure], abs=1e-12)
        for figure in ("precision", "recall", "f1"):
            assert figures[figure] == pytest.approx(expected["spoof_positive"][figure], abs=1e-12)


@pytest.mark.parametrize("name", UNDEFINED)
def test_figures_need_both_classes_and_finite_scores(name):
    is_real, scores = golden_scores(name)
    for figure in (
        lambda: equal_error_rate(is_real, scores),
        lambda: official_equal_error_rate(is_real, scores),
        lambda: hull_equal_error_rate(is_real, scores),
        lambda: error_curve(is_real, scores),
        lambda: actual_dcf(is_real, scores, TDCF_COSTS),
        lambda: llr_cost(is_real, scores),
        lambda: score_figures(is_real, scores, scores, 0.5, TDCF_COSTS),
    ):
        with pytest.raises(InputError, match="cannot compute error rates"):
            figure()


def test_all_figures_together_equal_the_single_ones():
    is_real, scores = golden_scores("llr_calibrated_d2")
    golden = GOLDEN["llr_calibrated_d2"]
    figures = score_figures(is_real, scores, scores, 0.5, TDCF_COSTS)
    expected = {
        "eer": golden["exact"]["eer_nearest_tie_aware"],
        "eer_official": golden["official_eer"]["eer"],
        "eer_hull": golden["exact"]["eer_rocch"],
        "roc_auc": golden["exact"]["auc"],
        "min_dcf": golden["asvspoof5_dcf"]["asvspoof5"]["minDCF"],
        "act_dcf": golden["asvspoof5_dcf"]["asvspoof5"]["actDCF"],
        "cllr": golden["pyllr"]["cllr_bits"],
        "min_cllr": golden["pyllr"]["min_cllr_bits"],
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    json.dumps(figures, allow_nan=False)
