import numpy as np
import pytest

from deepfake_audio import intervals
from deepfake_audio.errors import UserError
from deepfake_audio.intervals import (
    bootstrap_differences,
    bootstrap_eers,
    bootstrap_intervals,
    eer_interval,
    group_scores,
    number_clusters,
    rule_of_three,
)
from deepfake_audio.metrics import DetectionCosts, equal_error_rate, score_figures

COSTS = DetectionCosts(prior_fake=0.05, cost_miss=1, cost_false_accept=10)
REPETITIONS = 300


def draw_scores(files: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    is_real = np.arange(files) % 2
    return is_real, np.random.default_rng(seed).normal(2 * is_real - 1, 1.3)


@pytest.mark.parametrize("files", [400, 30_000])
def test_the_files_themselves_have_the_figures_of_metrics(files):
    is_real, scores = draw_scores(files)
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    counts = np.bincount(grouped.cells, minlength=grouped.loss.size)
    exact = score_figures(is_real, scores, scores, prior_fake=0.5, costs=COSTS)
    figures = grouped.figures(counts)
    tolerance = 1e-9 if files < intervals.GROUPS else 2e-4
    assert figures == pytest.approx({name: exact[name] for name in figures}, abs=tolerance)


def test_an_interval_is_as_wide_as_the_figure_scatters():
    rates = []
    for seed in range(100):
        is_real, scores = draw_scores(1000, seed)
        rates.append(score_figures(is_real, scores, scores, 0.5, COSTS)["eer"])
    is_real, scores = draw_scores(1000, seed=1000)
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    low, high = bootstrap_intervals(grouped, np.full(1000, ""), REPETITIONS, seed=0)["eer"]
    assert high - low == pytest.approx(2 * 1.96 * np.std(rates), rel=0.3)


def test_the_only_part_has_the_interval_of_all_files():
    is_real, scores = draw_scores(200)
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    speakers = np.array([f"speaker {number // 4}" for number in range(200)])
    pooled = bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)["eer"]
    (rates,) = bootstrap_eers(grouped, np.zeros(200, int), speakers, REPETITIONS, seed=0).T
    assert eer_interval(rates, is_real, speakers) == pytest.approx(pooled)


def test_each_part_has_its_own_threshold_and_none_without_both_classes():
    is_real, scores = draw_scores(400)
    scores = 4.0 * is_real + np.random.default_rng(1).uniform(-1, 1, 400)
    _, loud, reals_alone, inverted = np.split(np.arange(400), 4)
    scores[loud] += 10
    is_real[reals_alone] = 1
    is_real[inverted] = scores[inverted] < 2
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    alone = np.full(400, "")
    assert bootstrap_intervals(grouped, alone, REPETITIONS, seed=0)["eer"][0] > 0.2
    rates = bootstrap_eers(grouped, np.repeat(range(4), 100), alone, REPETITIONS, seed=0)
    assert (rates[:, :2] == 0).all() and np.isnan(rates[:, 2]).all() and (rates[:, 3] == 1).all()
    assert eer_interval(rates[:, 2], is_real, alone) is None


def test_shared_reals_stand_against_the_fakes_of_each_part():
    is_real, scores = draw_scores(600)
    fakes = np.flatnonzero(is_real == 0)
    parts = np.zeros(600, int)
    parts[fakes] = np.arange(300) // 100 + 1
    scores[parts == 2] += 1
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    rates = bootstrap_eers(grouped, parts, np.full(600, ""), REPETITIONS, 0, share_reals=True)
    assert np.isnan(rates[:, 0]).all()
    for part in (1, 2, 3):
        chosen = (parts == part) | (is_real == 1)
        exact = equal_error_rate(is_real[chosen], scores[chosen]).rate
        alone = bootstrap_eers(
            grouped.of(np.flatnonzero(chosen)), np.zeros(chosen.sum(), int),
            np.full(chosen.sum(), ""), REPETITIONS, 1,
        )  # fmt: skip
        assert np.mean(rates[:, part]) == pytest.approx(exact, abs=0.01)
        assert np.std(rates[:, part]) == pytest.approx(np.std(alone), rel=0.2)


def test_many_parts_are_counted_roughly_and_hardly_differ(monkeypatch):
    is_real, scores = draw_scores(3000)
    parts = np.arange(3000) // 2 % 5
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    exact = bootstrap_eers(grouped, parts, np.full(3000, ""), 20, seed=0)
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 5000)
    rough = bootstrap_eers(grouped, parts, np.full(3000, ""), 20, seed=0)
    assert rough != pytest.approx(exact, abs=1e-9)
    assert rough == pytest.approx(exact, abs=0.01)


def test_the_mean_over_parts_scatters_as_its_interval_says():
    parts = np.repeat(range(4), 100)
    means = []
    for seed in range(100):
        is_real, scores = draw_scores(400, seed)
        rates = [equal_error_rate(is_real[parts == p], scores[parts == p]).rate for p in range(4)]
        means.append(np.mean(rates))
    is_real, scores = draw_scores(400, seed=1000)
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    rates = bootstrap_eers(grouped, parts, np.full(400, ""), REPETITIONS, seed=0)
    low, high = eer_interval(rates.mean(axis=1), is_real, np.full(400, ""))
    assert high - low == pytest.approx(2 * 1.96 * np.std(means), rel=0.35)


def test_no_error_in_a_few_tries_promises_little():
    is_real = np.repeat([1, 1, 0], 20)
    grouped = group_scores(is_real, 4.0 * is_real, 4.0 * is_real, 2.0, COSTS)
    by_file = bootstrap_intervals(grouped, np.full(60, ""), REPETITIONS, seed=0)
    assert by_file["eer"] == (0, 3 / 20)
    speakers = np.array([f"speaker {number // 2}" for number in range(60)])
    assert bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)["eer"] == (0, 3 / 10)
    assert rule_of_three(2) == 1


def test_files_and_how_many_fall_into_a_cell_are_drawn_alike(monkeypatch):
    is_real, scores = draw_scores(400)
    scores = np.round(scores, 1)  # many files in few cells
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    wide = {}
    for files_per_cell in (0, 1000):
        monkeypatch.setattr(intervals, "FILES_PER_CELL", files_per_cell)
        low, high = bootstrap_intervals(grouped, np.full(400, ""), 1000, seed=0)["eer"]
        wide[files_per_cell] = high - low
    assert wide[0] == pytest.approx(wide[1000], rel=0.1)


def test_files_of_one_speaker_count_together():
    is_real, scores = draw_scores(60)
    fifty_times = [np.repeat(values, 50) for values in (is_real, scores)]
    grouped = group_scores(*fifty_times, fifty_times[1], 0.0, COSTS)
    speakers = np.repeat([f"speaker {number}" for number in range(60)], 50)
    together = bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)["eer"]
    apart = bootstrap_intervals(grouped, np.full(3000, ""), REPETITIONS, seed=0)["eer"]
    assert together[1] - together[0] > 4 * (apart[1] - apart[0])


def test_a_speaker_who_is_all_of_a_class_is_never_missing():
    is_real = np.repeat([1, 0], 50)
    scores = np.random.default_rng(0).normal(3 * is_real, 1)
    speakers = np.array([*(f"real {number}" for number in range(50)), *["the only fake"] * 50])
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    figures = bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)
    assert all(np.isfinite(interval).all() for interval in figures.values())


def test_speakers_are_numbered_and_the_nameless_stand_alone():
    speakers = np.array(["b", "", "a", "b", ""])
    clusters, strata = number_clusters(speakers, np.array([1, 1, 0, 0, 0]))
    assert clusters[0] == clusters[3] and len(set(clusters.tolist())) == 4
    assert strata[clusters].tolist() == [2, 1, 0, 2, 0]


def test_the_difference_of_a_system_to_itself_is_nothing_and_to_a_worse_one_is_not():
    is_real, scores = draw_scores(600)
    noise = np.random.default_rng(1).normal(0, 2, 600)
    ours, worse = (
        group_scores(is_real, values, values, 0.0, COSTS) for values in (scores, scores + noise)
    )
    speakers = np.array([f"{number % 30}" for number in range(600)])
    same = bootstrap_differences(ours, ours, speakers, REPETITIONS, seed=0)
    assert set(same.values()) == {(0.0, 0.0)}
    assert bootstrap_differences(ours, worse, speakers, REPETITIONS, seed=0)["eer"][0] > 0
    other = group_scores(1 - is_real, scores, scores, 0.0, COSTS)
    with pytest.raises(UserError, match="same files"):
        bootstrap_differences(ours, other, speakers, REPETITIONS, seed=0)


def test_a_seed_gives_the_same_intervals():
    is_real, scores = draw_scores(200)
    grouped = group_scores(is_real, scores, scores, 0.0, COSTS)
    speakers = np.full(200, "")
    first, again, other = (bootstrap_intervals(grouped, speakers, 50, seed) for seed in (1, 1, 2))
    assert first == again != other
