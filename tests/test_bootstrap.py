import numpy as np
import pytest

from conftest import draw_scores
from deepfake_audio.config.loading import load_settings
from deepfake_audio.evaluation import sampling, score_bins
from deepfake_audio.evaluation.bootstrap import (
    bootstrap_differences,
    bootstrap_intervals,
    choose_units,
    rule_of_three,
)
from deepfake_audio.evaluation.detection_costs import DetectionCosts
from deepfake_audio.evaluation.sampling import number_clusters
from deepfake_audio.evaluation.score_bins import score_histogram
from deepfake_audio.evaluation.score_figures import score_figures
from deepfake_audio.evaluation.score_table import make_table
from deepfake_audio.evaluation.summary import evaluate_scores

COSTS = DetectionCosts(prior_fake=0.05, cost_miss=1, cost_false_accept=10)
REPETITIONS = 300


@pytest.mark.parametrize("files", [400, 30_000])
def test_the_files_themselves_have_the_figures_of_metrics(files):
    is_real, scores = draw_scores(files)
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    counts = np.bincount(grouped.cells, minlength=grouped.loss.size)
    exact = score_figures(is_real, scores, scores, prior_fake=0.5, costs=COSTS)
    figures = grouped.figures(counts)
    tolerance = 1e-9 if files < score_bins.MAX_BINS else 2e-4
    assert figures == pytest.approx({name: exact[name] for name in figures}, abs=tolerance)


@pytest.mark.slow
def test_the_width_of_an_interval_matches_the_scatter_of_the_figure():
    rates = []
    for seed in range(100):
        is_real, scores = draw_scores(1000, seed)
        rates.append(score_figures(is_real, scores, scores, 0.5, COSTS)["eer"])
    is_real, scores = draw_scores(1000, seed=1000)
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    low, high = bootstrap_intervals(grouped, np.full(1000, ""), REPETITIONS, seed=0)["eer"]
    assert high - low == pytest.approx(2 * 1.96 * np.std(rates), rel=0.3)


def test_few_errors_in_few_files_have_a_wide_interval():
    is_real, scores = np.repeat([1, 1, 0], 20), np.repeat([4.0, 4, 0], 20)
    nobody, speakers = np.full(60, ""), np.array([f"speaker {number // 2}" for number in range(60)])
    unknown = np.where(np.arange(60) % 4 < 2, speakers, "")
    for wrong, tops in ((0, (3 / 20, 3 / 10, 3 / 5)), (1, (3 / 20, 3 / 10, 3 / 5))):
        scores[40:][:wrong] = 5
        grouped = score_histogram(is_real, scores, scores, 2.0, COSTS)
        for who, top in zip((nobody, speakers, unknown), tops, strict=True):
            assert bootstrap_intervals(grouped, who, REPETITIONS, seed=0)["eer"] == (0, top)
    is_real, scores = draw_scores(60)  # with some six errors of a class
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    assert bootstrap_intervals(grouped, unknown, REPETITIONS, seed=0)["eer"][1] < 0.5
    assert rule_of_three(2) == 1


def test_files_and_cell_counts_are_resampled_alike(monkeypatch):
    is_real, scores = draw_scores(400)
    scores = np.round(scores, 1)  # many files in few cells
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    wide = {}
    for files_per_cell in (0, 1000):
        monkeypatch.setattr(sampling, "FILES_PER_CELL", files_per_cell)
        low, high = bootstrap_intervals(grouped, np.full(400, ""), 1000, seed=0)["eer"]
        wide[files_per_cell] = high - low
    assert wide[0] == pytest.approx(wide[1000], rel=0.1)


def test_files_of_one_speaker_count_together():
    is_real, scores = draw_scores(60)
    fifty_times = [np.repeat(values, 50) for values in (is_real, scores)]
    grouped = score_histogram(*fifty_times, fifty_times[1], 0.0, COSTS)
    speakers = np.repeat([f"speaker {number}" for number in range(60)], 50)
    together = bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)["eer"]
    apart = bootstrap_intervals(grouped, np.full(3000, ""), REPETITIONS, seed=0)["eer"]
    assert together[1] - together[0] > 4 * (apart[1] - apart[0])


def test_the_only_speaker_of_a_class_is_in_every_sample():
    is_real = np.repeat([1, 0], 50)
    scores = np.random.default_rng(0).normal(3 * is_real, 1)
    speakers = np.array([*(f"real {number}" for number in range(50)), *["the only fake"] * 50])
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    figures = bootstrap_intervals(grouped, speakers, REPETITIONS, seed=0)
    assert all(np.isfinite(interval).all() for interval in figures.values())


def test_speakers_are_numbered_and_files_without_a_speaker_count_singly():
    speakers = np.array(["b", "", "a", "b", ""])
    clusters, strata = number_clusters(speakers, np.array([1, 1, 0, 0, 0]))
    assert clusters[0] == clusters[3] and len(set(clusters.tolist())) == 4
    assert strata[clusters].tolist() == [2, 1, 0, 2, 0]


def test_a_system_differs_from_a_worse_one_and_not_from_itself():
    is_real, scores = draw_scores(600)
    noise = np.random.default_rng(1).normal(0, 2, 600)
    ours, worse = (
        score_histogram(is_real, values, values, 0.0, COSTS) for values in (scores, scores + noise)
    )
    speakers = np.array([f"{number % 30}" for number in range(600)])
    same = bootstrap_differences(ours, ours, speakers, REPETITIONS, seed=0)
    assert set(same.values()) == {(0.0, 0.0)}
    assert bootstrap_differences(ours, worse, speakers, REPETITIONS, seed=0)["eer"][0] > 0


def test_a_seed_gives_the_same_intervals():
    is_real, scores = draw_scores(200)
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    speakers = np.full(200, "")
    first, again, other = (bootstrap_intervals(grouped, speakers, 50, seed) for seed in (1, 1, 2))
    assert first == again != other


def crossed_scores(attacks: int = 12, spread: float = 1.0) -> tuple[np.ndarray, ...]:
    """Return classes, scores, speakers and attacks; attacks differ by `spread`."""
    rng = np.random.default_rng(0)
    speaker, attack = np.divmod(np.arange(20 * attacks), attacks)
    fakes = rng.normal(-1.5, 1, len(attack)) + rng.normal(0, spread, attacks)[attack]
    reals = rng.normal(1.5, 1, len(attack))
    return (
        np.repeat([0, 1], len(attack)),
        np.concatenate([fakes, reals]),
        np.tile(speaker.astype(str), 2),
        np.concatenate([attack.astype(str), np.full(len(attack), "")]),
    )


@pytest.mark.parametrize(("spread", "least", "most"), [(1.0, 1.5, 5.0), (0.0, 0.9, 1.8)])
def test_intervals_over_attacks_are_wider_if_attacks_differ(spread, least, most):
    is_real, scores, speakers, attack = crossed_scores(spread=spread)
    grouped = score_histogram(is_real, scores, scores, 0.0, COSTS)
    units = choose_units(is_real, speakers, attack)
    crossed = units.attacks
    assert units.warnings == [] and crossed.max() == 11 and set(crossed[is_real == 1]) == {-1}
    widths = [
        high - low
        for low, high in (
            bootstrap_intervals(grouped, speakers, 100, 0, which)["eer"]
            for which in (None, crossed)
        )
    ]
    assert least < widths[1] / widths[0] < most
    same = bootstrap_differences(grouped, grouped, speakers, 50, 0, crossed)
    assert set(same.values()) == {(0.0, 0.0)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("few attacks", "only 4 attacks to sample from"),
        ("one attack", "only 1 attack to sample from"),
        ("unknown attack", "the attack of 1 fake file is unknown"),
        ("no speakers", "too few speakers are known"),
    ],
)
def test_attacks_are_sampled_only_if_both_are_known(change, reason):
    attacks = {"few attacks": 4, "one attack": 1}.get(change, 12)
    is_real, _, speakers, attack = crossed_scores(attacks)
    if change == "unknown attack":
        attack[0] = ""
    if change == "no speakers":
        speakers[:] = ""
    units = choose_units(is_real, speakers, attack)
    assert units.attacks is None and reason in units.warnings[0]


def test_the_setting_samples_attacks_for_all_files_and_for_the_mean():
    is_real, scores, speakers, attack = crossed_scores()
    table = make_table(
        {"file": str(n), "split": "test", "label": ("fake", "real")[row[0]], "speaker": row[2]}
        | {"attack": row[3], "score": row[1], "llr": row[1]}
        for n, row in enumerate(zip(is_real, scores, speakers, attack, strict=True))
    )
    found = {}
    for over in ("speakers", "speakers_attacks"):
        settings = load_settings(
            None, ["evaluate.bootstrap=100", f"evaluate.intervals_over={over}"]
        )
        figures = evaluate_scores(table, settings.evaluate, settings.predict)
        assert figures["intervals_over"] == over.replace("_", " and ")
        mean = figures["groups"]["attack"]["interval"]
        found[over] = [high - low for low, high in (figures["intervals"]["eer"], mean)]
    assert all(np.greater(found["speakers_attacks"], found["speakers"]))
