from dataclasses import replace

import numpy as np
import pytest

from conftest import draw_scores
from deepfake_audio.config.loading import load_settings
from deepfake_audio.evaluation import breakdown as groups_module
from deepfake_audio.evaluation.bootstrap import bootstrap_intervals
from deepfake_audio.evaluation.breakdown import bootstrap_eers, eer_interval, mean_interval
from deepfake_audio.evaluation.detection_costs import DetectionCosts
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.evaluation.html_report import grouping_content
from deepfake_audio.evaluation.score_bins import score_histogram
from deepfake_audio.evaluation.score_table import ScoreTable, make_table
from deepfake_audio.evaluation.summary import evaluate_scores
from deepfake_audio.evaluation.text_report import FEW_SPEAKERS, format_groups, one_class_line

COSTS = DetectionCosts(prior_fake=0.05, cost_miss=1, cost_false_accept=10)
REPETITIONS = 300


def table_of(*parts: dict) -> ScoreTable:
    """Return the files of several parts; see `part`."""
    rng = np.random.default_rng(0)
    return make_table(
        {
            "file": f"{part['name']} {number}",
            "label": part["label"],
            "split": "test",
            "speaker": f"{part['name']} speaker {number % part['speakers']}",
            "attack": part["name"] if part["label"] == "fake" else "",
            "codec": "",
            "corpus": part.get("corpus", ""),
            "score": (score := rng.normal(part["mean"])),
            "llr": score,
        }
        for part in parts
        for number in range(part["files"])
    )


def part(name: str, mean: float, files: int = 60, speakers: int = 12, corpus: str = "") -> dict:
    label = "real" if mean > 0 else "fake"
    return {"name": name, "label": label, "mean": mean, "files": files, "speakers": speakers,
            "corpus": corpus}  # fmt: skip


def groups_of(table: ScoreTable, *settings: str) -> dict:
    chosen = load_settings(None, ["evaluate.bootstrap=200", *settings])
    return evaluate_scores(table, chosen.evaluate, chosen.predict)["groups"]


def rows_of(groups: dict, grouping: str) -> dict:
    return {row["name"]: row for row in groups[grouping]["groups"]}


def test_the_only_part_has_the_interval_of_all_files():
    is_real, scores = draw_scores(200)
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    speakers = np.array([f"speaker {number // 4}" for number in range(200)])
    pooled = bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)["eer"]
    (rates,) = bootstrap_eers(grouped, np.zeros(200, int), speakers, REPETITIONS, seed=0).T
    assert eer_interval(rates, 0.2, is_real, 50) == pytest.approx(pooled)


def test_each_part_has_its_own_threshold_and_none_without_both_classes():
    is_real, scores = draw_scores(400)
    scores = 4.0 * is_real + np.random.default_rng(1).uniform(-1, 1, 400)
    _, loud, reals_alone, inverted = np.split(np.arange(400), 4)
    scores[loud] += 10
    is_real[reals_alone] = 1
    is_real[inverted] = scores[inverted] < 2
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    alone = np.full(400, "")
    assert bootstrap_intervals(grouped, alone, REPETITIONS, seed=0)["eer"][0] > 0.2
    rates = bootstrap_eers(grouped, np.repeat(range(4), 100), alone, REPETITIONS, seed=0)
    assert (rates[:, :2] == 0).all() and np.isnan(rates[:, 2]).all() and (rates[:, 3] == 1).all()
    assert eer_interval(rates[:, 2], 0.2, is_real, 100) is None


def test_shared_real_files_are_compared_with_the_fakes_of_each_part():
    is_real, scores = draw_scores(600)
    fakes = np.flatnonzero(is_real == 0)
    parts = np.zeros(600, int)
    parts[fakes] = np.arange(300) // 100 + 1
    scores[parts == 2] += 1
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    rates = bootstrap_eers(grouped, parts, np.full(600, ""), REPETITIONS, 0, share_real=True)
    assert np.isnan(rates[:, 0]).all()
    for part in (1, 2, 3):
        chosen = (parts == part) | (is_real == 1)
        exact = equal_error_rate(is_real[chosen], scores[chosen]).rate
        alone = bootstrap_eers(
            score_histogram(is_real[chosen], scores[chosen], scores[chosen], 0.0, COSTS),
            np.zeros(chosen.sum(), int),
            np.full(chosen.sum(), ""), REPETITIONS, 1,
        )  # fmt: skip
        assert np.mean(rates[:, part]) == pytest.approx(exact, abs=0.01)
        assert np.std(rates[:, part]) == pytest.approx(np.std(alone), rel=0.2)


def test_many_parts_are_counted_roughly_and_hardly_differ(monkeypatch):
    is_real, scores = draw_scores(3000)
    parts = np.arange(3000) // 2 % 5
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    exact = bootstrap_eers(grouped, parts, np.full(3000, ""), 20, seed=0)
    monkeypatch.setattr(groups_module, "MAX_CELLS", 5000)
    rough = bootstrap_eers(grouped, parts, np.full(3000, ""), 20, seed=0)
    assert rough != pytest.approx(exact, abs=1e-9)
    assert rough == pytest.approx(exact, abs=0.01)


def test_the_interval_of_the_mean_over_parts_matches_its_scatter():
    parts = np.repeat(range(4), 100)
    means = []
    for seed in range(100):
        is_real, scores = draw_scores(400, seed)
        rates = [equal_error_rate(is_real[parts == p], scores[parts == p]).rate for p in range(4)]
        means.append(np.mean(rates))
    is_real, scores = draw_scores(400, seed=1000)
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    rates = bootstrap_eers(grouped, parts, np.full(400, ""), REPETITIONS, seed=0)
    low, high = mean_interval(rates, 0.2, 50)
    assert high - low == pytest.approx(2 * 1.96 * np.std(means), rel=0.35)
    assert low < 0.2 < high


@pytest.mark.slow
def test_the_mean_of_small_parts_lies_in_its_interval():
    for seed in range(10):
        is_real, scores = draw_scores(1000, seed)
        parts = np.where(is_real, 0, np.arange(1000) % 50 + 1)
        grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
        rates = bootstrap_eers(grouped, parts, np.full(1000, ""), 100, 0, share_real=True)[:, 1::2]
        exact = np.mean([
            equal_error_rate(is_real[chosen], scores[chosen]).rate
            for chosen in ((parts == 0) | (parts == part) for part in range(1, 51, 2))
        ])  # fmt: skip
        low, high = mean_interval(rates, exact, 20)
        assert low < exact < high


def test_each_attack_and_their_mean_have_an_interval():
    table = table_of(part("people", 1), part("near", -0.5), part("far", -2))
    groups = groups_of(table)
    near, far = (rows_of(groups, "attack")[name] for name in ("near", "far"))
    for row in (near, far, groups["attack"] | {"eer": groups["attack"]["mean_eer"]}):
        low, high = row["interval"]
        assert low < row["eer"] < high < low + 0.3
    assert not near["few_speakers"]
    assert far["interval"][1] < near["interval"][1]


def test_an_attack_of_one_voice_is_resampled_by_files_and_marked():
    groups = groups_of(table_of(part("people", 1), part("voices", -1), part("voice", -1, 60, 1)))
    row = rows_of(groups, "attack")["voice"]
    assert row["few_speakers"] and row["interval"][0] < row["eer"] < row["interval"][1]
    assert f"* {FEW_SPEAKERS}" in format_groups("attack", groups["attack"], 0.1)
    assert not rows_of(groups, "attack")["voices"]["few_speakers"]


def test_too_few_files_or_speakers_or_no_bootstrap_give_no_interval():
    table = table_of(part("people", 1), part("many", -1), part("few", -1, 4))
    groups = groups_of(table)
    assert rows_of(groups, "attack")["few"]["interval"] is None
    assert rows_of(groups, "attack")["many"]["interval"] is not None
    everyone = [groups["speaker"], *groups["speaker"]["groups"]]
    assert all(group["interval"] is None for group in everyone)
    without = groups_of(table, "evaluate.bootstrap=0")
    assert all(row["interval"] is None for row in without["attack"]["groups"])
    assert "interval" not in format_groups("attack", without["attack"], 0.1)


@pytest.mark.parametrize("others", [{"files": 4}, {"files": 40, "speakers": 1}])
def test_a_mean_over_a_group_too_small_for_an_interval_has_none(others):
    few = part("few", -1, 4)
    groups = groups_of(table_of(part("people", 1), few, part("others", -1) | others))["attack"]
    assert groups["mean_eer"] is not None and groups["interval"] is None
    assert "(" not in format_groups("attack", groups, 0.1).splitlines()[-1]


def test_each_corpus_has_its_own_rate_and_none_with_only_one_class():
    table = table_of(
        part("people", 1, corpus="quiet"), part("fakes", -1, corpus="quiet"),
        part("others", 1, corpus="reals"), part("loud people", 9, corpus="loud"),
        part("loud fakes", -8, corpus="loud"),
    )  # fmt: skip
    corpora = groups_of(table)["corpus"]
    loud, quiet, reals = sorted(corpora["groups"], key=lambda row: row["name"])
    assert loud["eer"] == 0 and loud["interval"] == (0, 3 / 12)
    assert reals["eer"] is reals["interval"] is None
    assert quiet["interval"][0] < quiet["eer"] < quiet["interval"][1]
    low, high = corpora["interval"]
    assert low == pytest.approx(quiet["interval"][0] / 2, abs=0.01)
    assert high == pytest.approx(quiet["interval"][1] / 2, abs=0.01)


def test_the_mean_over_corpora_of_one_voice_is_as_uncertain_as_they_are():
    voice = {"speakers": 1, "files": 200, "corpus": "voice"}
    table = table_of(
        part("voice", 0.2) | voice, part("its fakes", -0.2) | voice,
        part("many", 3, 60, 30, "many"), part("their fakes", -3, 60, 30, "many"),
    )  # fmt: skip
    corpora = groups_of(table)["corpus"]
    of_voice = rows_of({"corpus": corpora}, "corpus")["voice"]
    assert of_voice["few_speakers"] and corpora["few_speakers"]
    width = np.subtract(*of_voice["interval"][::-1])
    low, high = corpora["interval"]
    assert low < corpora["mean_eer"] < high
    assert high - low == pytest.approx(width / 2, rel=0.2)


def test_a_mean_without_errors_is_bounded_by_its_smallest_group():
    table = table_of(part("people", 9), part("many", -9, 400), part("few", -9, 6, 1))
    attacks = groups_of(table)["attack"]
    assert rows_of({"attack": attacks}, "attack")["few"]["interval"] == (0, 3 / 6)
    assert attacks["interval"] == (0, 3 / 6 / 2)


def test_a_corpus_of_unknown_voices_has_a_star_beside_known_ones():
    table = table_of(
        part("known", 1, corpus="known"), part("fakes", -1, corpus="known"),
        part("unknown", 1, corpus="unknown"), part("other fakes", -1, corpus="unknown"),
    )  # fmt: skip
    table.speaker[table.corpus == "unknown"] = ""
    stars = {n: r["few_speakers"] for n, r in rows_of(groups_of(table), "corpus").items()}
    assert stars == {"known": False, "unknown": True}
    table.speaker[:] = ""
    assert not groups_of(table)["corpus"]["few_speakers"]


def test_too_many_groups_to_compare_have_no_intervals(monkeypatch):
    monkeypatch.setattr(groups_module, "MAX_GROUPS", 2)
    table = table_of(part("people", 1), *(part(f"attack {n}", -1, 10) for n in range(3)))
    attacks = groups_of(table)["attack"]
    assert attacks["mean_eer"] and attacks["interval"] is None
    assert all(row["interval"] is None for row in attacks["groups"])


def test_without_errors_the_interval_depends_on_the_number_of_speakers():
    table = table_of(part("people", 9), part("fakes", -9, 60, 20))
    figures = evaluate_scores(table, load_settings().evaluate, load_settings().predict)
    assert figures["intervals"]["eer"] == (0, 3 / 12)
    assert "from 12 speakers of a class an error rate of up to 25.0% cannot be excluded" in str(
        figures["warnings"]
    )


def test_one_file_has_no_interval():
    pair = table_of(part("people", 9, files=2), part("fakes", -9, files=1))
    figures = evaluate_scores(pair, load_settings().evaluate, load_settings().predict)
    said = " ".join(figures["warnings"])
    assert "from 1 file of a class an error rate of up to 100.0% cannot be excluded" in said
    assert "No interval is given: one class has 1 file." in said


@pytest.mark.parametrize(
    ("llr", "said"),
    [
        ([-9], "the only test file is fake; it was called fake"),
        ([9], "the only test file is fake; it was called real"),
        ([-9, 9, 9], "all 3 test files are fake; 1 of them was called fake"),
        ([9, 9, 9], "all 3 test files are fake; 0 of them were called fake"),
    ],
)
def test_files_of_one_class_are_reported_in_one_line(llr, said):
    table = replace(table_of(part("fakes", -9, files=len(llr))), llr=np.array(llr))
    line = one_class_line(table, "test", 0.5)
    assert line == f"{said}. Error rates need both classes."


def test_a_table_of_groups_has_this_text():
    rows = [
        {"name": "near", "fake": 1200, "real": 90, "eer": 0.125, "interval": (0.05, 0.21),
         "few_speakers": True, "found": 0.5},
        {"name": "far", "fake": 0, "real": 90, "eer": None, "interval": None,
         "few_speakers": False, "found": None},
    ]  # fmt: skip
    content = {"mean_eer": 0.125, "interval": (0.05, 0.2), "few_speakers": True, "rated": 1,
               "groups": rows}  # fmt: skip
    assert format_groups("corpus", content, 0.1).splitlines() == [
        "corpus                    fake files  real files     EER   95% interval     found",
        "near                           1,200          90   12.5%   5.0%-21.0%*      50.0%",
        "far                                0          90       -                        -",
        f"* {FEW_SPEAKERS}",
        "all files pooled: EER 10.0%; mean over 1 of 2 corpora: 12.5% (5.0%-20.0%*)",
    ]


@pytest.mark.parametrize(("rated", "alone"), [(1, 42), (5, 0), (6, 30), (0, 3)])
def test_speakers_of_one_class_are_counted_and_not_listed(rated, alone):
    rows = [
        {"name": f"{number:02}", "fake": 4, "real": 4 * (number < rated), "interval": None,
         "eer": 0.25 if number < rated else None, "few_speakers": False, "found": 0.5}
        for number in range(rated + alone)
    ]  # fmt: skip
    content = {"mean_eer": 0.25 if rated else None, "interval": None, "few_speakers": False,
               "rated": rated, "groups": rows}  # fmt: skip
    total = rated + alone
    lines = format_groups("speaker", content, 0.1).splitlines()
    listed = [line for line in lines if line.split()[0].isdigit() and "of" not in line]
    assert len(listed) == rated and len([line for line in lines if "found" in line]) == (rated > 0)
    told = f"{alone} of {total} speakers have files of only one class: no EER; see metrics.json"
    assert (told in lines) == (alone > 0)
    mean = f"all files pooled: EER 10.0%; mean over {rated} of {total} speakers: 25.0%"
    assert (mean in lines) == (rated >= 5)
    page = grouping_content("speaker", content)
    assert (len(page["rows"]), bool(page["mean"])) == (rated, rated >= 5)
    assert page["unrated"] == (told if alone else "")
