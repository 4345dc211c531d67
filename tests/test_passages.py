"""Passages of long recordings: runs of windows, each fake one tested as one of many."""

import itertools

import numpy as np
import pytest

from deepfake_audio.config.loading import load_settings
from deepfake_audio.inference.passages import (
    MIN_WINDOWS,
    find_passages,
    find_stretches,
    most_probable_states,
)
from deepfake_audio.inference.timelines import format_passages

STEP_SECONDS = 0.776
NOTHING = float("nan")


def passages_of(llr, **changes: float):
    settings = load_settings().predict.model_copy(update={"min_confidence": 0.7, **changes})
    edges = np.arange(len(llr) + 1) * STEP_SECONDS
    return find_passages(np.array(llr), np.stack([edges[:-1], edges[1:]], axis=1), settings)


def verdicts_of(llr, **changes: float) -> list[str]:
    return [str(passage.verdict) for passage in passages_of(llr, **changes)]


def speech(windows: int, mean_llr: float, seed: int) -> np.ndarray:
    """Draw LLRs of windows that overlap by half."""
    noise = np.random.default_rng(seed).normal(0, 1.4, windows + 1)
    return mean_llr + (noise[1:] + 0.5 * noise[:-1]) / np.hypot(1, 0.5)


def test_the_states_are_the_best_of_all_sequences():
    random = np.random.default_rng(1)
    for _ in range(20):
        evidence, cost = random.normal(0, 2, 9), random.uniform(0.5, 4)

        def value(states, evidence=evidence, cost=cost):
            gained = sum(step for step, state in zip(evidence, states, strict=True) if not state)
            return gained - cost * np.count_nonzero(np.diff(states))

        best = max(map(value, itertools.product((0, 1), repeat=9)))
        assert value(most_probable_states(evidence, cost)) == pytest.approx(best)


def test_a_fake_passage_is_found_at_its_place():
    llr = np.concatenate([speech(60, 3.4, 1), speech(7, -4.0, 2), speech(60, 3.4, 3)])
    real, fake, _ = found = passages_of(llr)
    assert [str(passage.verdict) for passage in found] == ["REAL", "FAKE", "REAL"]
    assert fake.start_seconds == pytest.approx(60 * STEP_SECONDS, abs=STEP_SECONDS)
    assert fake.end_seconds == pytest.approx(67 * STEP_SECONDS, abs=STEP_SECONDS)
    assert fake.p_fake > 0.9 > 0.1 > real.p_fake


def test_hours_of_real_speech_have_no_fake_passage():
    for seed in range(5):
        assert "FAKE" not in verdicts_of(speech(4640, 3.4, seed))


def test_a_noisy_recording_is_compared_with_itself():
    """Windows without evidence either way, some of which look fake by chance."""
    for seed in range(5):
        assert "FAKE" not in verdicts_of(speech(1500, 0.3, seed))


def with_passage(windows: int, llr: list[float]) -> np.ndarray:
    """Put a passage into real speech."""
    return np.concatenate([speech(windows, 3.4, 1), llr, speech(50, 3.4, 2)])


def test_a_microphone_that_lowers_all_scores_hides_no_change():
    llr = np.concatenate([speech(20, -0.3, 1), speech(16, -4.5, 2), speech(20, -0.3, 3)])
    before, fake, after = passages_of(llr)
    assert [str(each.verdict) for each in (before, fake, after)] == [
        "UNCERTAIN",
        "FAKE",
        "UNCERTAIN",
    ]
    assert fake.start_seconds == pytest.approx(20 * STEP_SECONDS, abs=2 * STEP_SECONDS)
    assert fake.end_seconds == pytest.approx(36 * STEP_SECONDS, abs=2 * STEP_SECONDS)


def test_a_recording_whose_parts_are_all_fake_is_one_passage():
    llr = np.concatenate([speech(20, -2.0, 1), speech(20, -6.5, 2)])
    assert verdicts_of(llr) == ["FAKE"]


def test_neighbouring_passages_are_not_both_fake():
    parts = (-1.5, 12), (-6.0, 20), (-0.4, 40)
    noise = np.random.default_rng(0).normal(0, 0.2, 72)
    assert verdicts_of(np.concatenate([np.full(n, llr) for llr, n in parts]) + noise) == ["FAKE"]


def test_the_longer_the_recording_the_more_evidence_is_needed():
    assert verdicts_of(with_passage(50, [-2.5] * 9)) == ["REAL", "FAKE", "REAL"]
    assert "FAKE" not in verdicts_of(with_passage(100_000, [-2.5] * 9))
    assert "FAKE" in verdicts_of(with_passage(100_000, [-4.0] * 9))


def test_a_doubtful_passage_of_a_long_recording_is_rather_fake():
    (_, doubtful, _) = passages_of(with_passage(100_000, [-2.5] * 9))
    assert doubtful.verdict == "UNCERTAIN"
    assert 0.5 <= doubtful.p_fake < 0.7


def test_a_passage_without_enough_evidence_for_the_confidence_is_uncertain():
    llr = [3.4] * 20 + [-2.0] * 8 + [3.4] * 20
    assert verdicts_of(llr) == ["REAL", "FAKE", "REAL"]
    assert verdicts_of(llr, min_confidence=0.95) == ["REAL", "UNCERTAIN", "REAL"]


def test_a_recording_of_one_passage_is_judged_as_a_file():
    (passage,) = passages_of([-0.9] * 3)
    assert (passage.verdict, passage.confidence) == ("FAKE", 0.7109)


def test_no_stretch_is_shorter_than_the_minimum():
    for seed in range(20):
        stretches = find_stretches(np.random.default_rng(seed).normal(0, 3, 400))
        assert all(stretch.after - stretch.first >= MIN_WINDOWS for stretch in stretches)
        assert [stretch.first for stretch in stretches[1:]] == [s.after for s in stretches[:-1]]
        assert (stretches[0].first, stretches[-1].after) == (0, 400)
        assert all(a.is_fake != b.is_fake for a, b in itertools.pairwise(stretches))


def test_windows_that_cannot_be_judged_are_no_evidence():
    llr = [3.4] * 20 + [-4.0, NOTHING] * 4 + [3.4] * 20
    (_, fake, _) = found = passages_of(llr)
    assert [str(passage.verdict) for passage in found] == ["REAL", "FAKE", "REAL"]
    assert fake.p_fake == pytest.approx(1 / (1 + np.exp(-4.0)), abs=1e-3)


def test_a_long_time_that_cannot_be_judged_is_a_passage_of_its_own():
    llr = [3.4] * 20 + [NOTHING] * 10 + [3.4] * 20
    assert [p.confidence is None for p in passages_of(llr, timeline_seconds=5.0)] == [0, 1, 0]
    assert len(passages_of(llr, timeline_seconds=10.0)) == 1
    (passage,) = passages_of([NOTHING] * 3)
    assert (passage.shade, passage.p_fake) == ("not judged", None)


def test_rare_fakes_need_more_evidence():
    llr = [3.4] * 20 + [-2.0] * 8 + [3.4] * 20
    assert "FAKE" not in verdicts_of(llr, prior_fake=0.1)
    assert "FAKE" in verdicts_of(np.array(llr) * 2, prior_fake=0.1)


def test_a_run_with_small_llrs_finds_passages_too():
    """A run that learnt little has small LLRs, with small deviations."""
    llr = [0.75, 0.7] * 10 + [-0.75, -0.7] * 7 + [0.75, 0.7] * 10
    assert verdicts_of(llr, min_confidence=0.6) == ["REAL", "FAKE", "REAL"]


def test_a_passage_that_chance_explains_belongs_to_the_speech_around_it():
    noisy = speech(200, 1.0, 4)
    llr = np.concatenate([noisy, [-0.9] * 8, noisy])
    assert [stretch.is_fake for stretch in find_stretches(llr)].count(True) >= 1
    assert len(passages_of(llr)) == 1


def test_the_table_names_the_likelier_class_of_an_uncertain_passage():
    (_, doubtful, _) = passages_of(with_passage(100_000, [-2.5] * 9))
    assert "(rather fake)" in format_passages([doubtful])
