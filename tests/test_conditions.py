"""Recording conditions change sound as their names say."""

from typing import get_args

import numpy as np
import pytest

from conftest import make_voice
from deepfake_audio.audio.conditions import CONDITIONS, apply_condition
from deepfake_audio.audio.quality import (
    Clarity,
    EchoSearch,
    bandwidth_hz,
    measure_clarity,
    power_spectra,
)
from deepfake_audio.audio.sampled_conditions import CONDITION_KINDS, NOISY_KINDS, change_pieces
from deepfake_audio.vocabulary import ConditionKind
from helpers import needs_amr

RATE_HZ = 16000
VOICE = make_voice("real", 1, seconds=3) + np.random.default_rng(0).normal(0, 1e-4, 3 * RATE_HZ)
OTHERS = [make_voice("real", number, seconds=2) for number in range(3)]


def heard_in(condition: str, seed: str = "a.wav") -> np.ndarray:
    return apply_condition(condition, VOICE, RATE_HZ, seed, OTHERS)


def clarity_of(samples: np.ndarray, rate_hz: int) -> Clarity:
    return measure_clarity(power_spectra(samples, rate_hz), rate_hz)


def where_amr(names):
    """Mark what this PyAV can't encode."""
    return [pytest.param(each, marks=needs_amr if "amr" in each else ()) for each in names]


@pytest.mark.parametrize("condition", where_amr(CONDITIONS))
def test_a_condition_gives_finite_sound_below_full_scale(condition):
    heard = heard_in(condition)
    assert heard.dtype == np.float32
    assert len(VOICE) <= len(heard) < len(VOICE) + RATE_HZ // 4
    assert 0.01 < np.abs(heard).max() <= 1


@pytest.mark.parametrize(
    "condition", ["pink noise 15", "babble noise 25", "room 0.3 s", "replayed"]
)
def test_noise_and_room_depend_only_on_the_name_of_the_file(condition):
    np.testing.assert_array_equal(heard_in(condition), heard_in(condition))
    assert not np.array_equal(heard_in(condition), heard_in(condition, "b.wav"))


@pytest.mark.parametrize("kind", ["pink", "white", "babble", "music", "hum"])
@pytest.mark.parametrize("snr_db", [25, 15])
def test_noise_has_its_ratio_to_the_voice(kind, snr_db):
    heard = heard_in(f"{kind} noise {snr_db}")
    scale = np.dot(heard, VOICE) / np.dot(VOICE, VOICE)  # below 1 if full scale was exceeded
    noise = heard / scale - VOICE
    ratio_db = 10 * np.log10(np.mean(np.square(VOICE)) / np.mean(np.square(noise)))
    assert ratio_db == pytest.approx(snr_db, abs=1)


@pytest.mark.parametrize("condition", where_amr(["g.711", "amr 12.2", "gsm"]))
def test_a_telephone_has_no_high_frequencies(condition):
    assert bandwidth_hz(heard_in("as they are"), RATE_HZ) > 7000
    assert bandwidth_hz(heard_in(condition), RATE_HZ) < 4200


def test_an_echo_is_found_at_its_delay():
    heard = heard_in("echo 120 ms")
    search = EchoSearch(len(heard), RATE_HZ)
    search.add(heard)
    echo = search.strongest()
    assert echo.seconds == pytest.approx(0.12, abs=0.001)
    assert echo.gain == pytest.approx(0.3, abs=0.1)


def test_noise_and_rooms_lower_the_clarity():
    clean = clarity_of(heard_in("as they are"), RATE_HZ)
    faint, loud = (clarity_of(heard_in(f"pink noise {db}"), RATE_HZ) for db in (25, 15))
    assert clean.snr_db > faint.snr_db > loud.snr_db
    assert clean.high_snr_db > faint.high_snr_db > loud.high_snr_db
    assert clarity_of(heard_in("room 0.6 s"), RATE_HZ).snr_db < clean.snr_db


def test_a_noise_gate_does_not_hide_the_noise():
    noisy = heard_in("pink noise 15")
    is_open = np.arange(len(noisy)) // 8000 % 2 == 0
    gated = noisy * np.convolve(is_open, np.hanning(640) / np.hanning(640).sum(), "same")
    assert np.mean(gated == 0) > 0.4
    noise_db = clarity_of(noisy, RATE_HZ).snr_db
    assert clarity_of(gated, RATE_HZ).snr_db == pytest.approx(noise_db, abs=5)


def test_the_texture_of_noise_is_that_of_its_distribution():
    noise = np.random.default_rng(1).normal(size=2 * RATE_HZ)
    assert clarity_of(noise, RATE_HZ).texture_db == pytest.approx(5.6, abs=0.3)


def test_clarity_is_zero_at_frequencies_that_the_rate_lacks():
    assert clarity_of(VOICE[::2], RATE_HZ // 2)[1:] == (0, 0)


def test_the_setting_names_all_kinds_of_conditions():
    assert set(get_args(ConditionKind)) == set(CONDITION_KINDS)


def change(kind: str, blocks: list[np.ndarray]) -> list[np.ndarray]:
    return list(change_pieces(kind, blocks, RATE_HZ, np.random.default_rng(1), OTHERS))


@pytest.mark.parametrize("kind", where_amr(CONDITION_KINDS))
def test_a_sampled_condition_is_the_same_for_blocks_of_any_size(kind):
    blocks = np.array_split(VOICE.astype(np.float32), 3)
    (heard,) = change(kind, blocks)
    assert heard.dtype == np.float32
    assert len(VOICE) <= len(heard) < len(VOICE) + RATE_HZ // 4
    assert 0.01 < np.abs(heard).max() <= 1
    np.testing.assert_array_equal(heard, change(kind, [VOICE.astype(np.float32)])[0])


def test_a_long_recording_is_changed_alike_from_beginning_to_end(monkeypatch):
    monkeypatch.setattr("deepfake_audio.audio.sampled_conditions.PIECE_SECONDS", 1)
    second = VOICE[:RATE_HZ].astype(np.float32)
    pieces = change("room", [np.tile(second, 3)[:-100]])
    assert [len(piece) for piece in pieces] == [RATE_HZ, RATE_HZ, RATE_HZ - 100]
    np.testing.assert_array_equal(pieces[0], pieces[1])


@pytest.mark.parametrize("kind", where_amr(sorted(set(CONDITION_KINDS) - NOISY_KINDS)))
def test_kinds_without_babble_need_no_other_voices(kind):
    (changed,) = change_pieces(kind, [VOICE], RATE_HZ, np.random.default_rng(0), [])
    assert np.isfinite(changed).all()
