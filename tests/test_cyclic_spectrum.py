"""Signals with a known frame rate, and signals without one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import prepare
from conftest import ROOT
from deepfake_audio.audio.conditions import apply_condition
from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.config.loading import load_settings
from deepfake_audio.features.cyclic_spectrum import (
    MULTIPLES,
    RateSearch,
    audible_multiples,
    harmonic_prominence_db,
    sound_spectrum_db,
)
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.vocabulary import HARMONIC_COLUMNS, HARMONIC_ROWS, highest_frame_rate_hz
from research.frame_rates import main as print_table

AUDIO = load_settings(ROOT / "unseen.yaml").audio
RATES_HZ, RATE_HZ = AUDIO.frame_rates_hz, AUDIO.sample_rate_hz
TIMES = np.arange(AUDIO.window_samples) / RATE_HZ
OF_80_HZ = RATES_HZ.index(80)
HEARD = audible_multiples(RATES_HZ, RATE_HZ)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=len(TIMES)).astype(np.float32)


def lines_db(window: np.ndarray) -> np.ndarray:
    """Return each rate's multiples in order, `(rates, MULTIPLES)`."""
    lines = harmonic_prominence_db(window.astype(np.float32), RATES_HZ, RATE_HZ)
    return lines.transpose(1, 0, 2).reshape(len(RATES_HZ), MULTIPLES)


def means_db(window: np.ndarray) -> np.ndarray:
    """Return the prominence of each rate in dB, `(rates,)`."""
    return lines_db(window).sum(axis=1) / HEARD.sum(axis=1)


def trembling(hz: float, depth: float, seed: int) -> np.ndarray:
    return noise(seed) * (1 + depth * np.cos(2 * np.pi * hz * TIMES))


def test_noise_has_no_frame_rate():
    lines = np.array([lines_db(noise(seed)) for seed in range(8)])
    assert lines.shape == (8, len(RATES_HZ), MULTIPLES)
    assert np.abs(lines.mean(axis=0)).max() < 1
    assert np.abs(lines.sum(axis=2) / HEARD.sum(axis=1)).max() < 0.3


def odd_rate_hz(*windows: np.ndarray) -> float | None:
    search = RateSearch(RATES_HZ, RATE_HZ)
    for window in windows:
        search.add(sound_spectrum_db(window.astype(np.float32), RATE_HZ))
    return search.odd_rate_hz()


def pulsed(hz: float, seed: int) -> np.ndarray:
    return noise(seed) * (1 + 3 * (np.cos(2 * np.pi * hz * TIMES) > 0.9995))


@pytest.mark.parametrize("hz", [47.3, 79.5, 94.7])
def test_a_frame_rate_at_another_speed_is_found(hz):
    found_hz = odd_rate_hz(*(pulsed(hz, seed) for seed in range(3)))
    assert found_hz == pytest.approx(hz, abs=0.03)


def test_known_rates_hum_noise_and_silence_have_no_odd_rate():
    for window in (pulsed(80, 1), pulsed(60.02, 1), noise(1), 0 * TIMES):
        assert odd_rate_hz(window) is None


@pytest.mark.parametrize("strength", ["music noise 25", "music noise 15"])
def test_music_has_no_odd_rate(strength):
    voice = read_audio(ROOT / "data/sample/audio/real_ivrvoice.ru_conf-full.flac", RATE_HZ)
    sound = apply_condition(strength, voice, RATE_HZ, "a", {})
    windows = np.lib.stride_tricks.sliding_window_view(sound, len(TIMES))[:: len(TIMES) // 2]
    assert odd_rate_hz(*windows) is None


@pytest.mark.parametrize("rate", range(len(RATES_HZ)))
def test_loudness_modulated_at_a_frame_rate_is_prominent_at_that_rate(rate):
    stands_out = lines_db(trembling(RATES_HZ[rate], 0.3, 1))[:, 0] - lines_db(noise(1))[:, 0]
    assert stands_out[rate] > 5
    elsewhere = np.abs(np.subtract(RATES_HZ, RATES_HZ[rate])) > 1
    assert stands_out[elsewhere].max() < 1


@pytest.mark.parametrize("rate", range(len(RATES_HZ)))
def test_a_pattern_within_each_frame_is_prominent_at_all_multiples(rate):
    made = uneven(RATES_HZ[rate], 2)
    assert not lines_db(made)[rate][~HEARD[rate]].any()
    stands_out = means_db(made) - means_db(noise(2))
    assert stands_out[rate] > 0.5
    unrelated = [n for n in range(len(RATES_HZ)) if not shares_lines(n, rate)]
    assert np.abs(stands_out[unrelated]).max(initial=0) < 0.3


def uneven(hz: float, seed: int) -> np.ndarray:
    """Return noise of which each place within a frame has a loudness of its own."""
    places = np.floor(TIMES * hz % 1 * 256).astype(int)
    return noise(seed) * np.random.default_rng(2).uniform(0.5, 1.5, 256)[places]


def shares_lines(one: int, other: int) -> bool:
    """Say whether low multiples of two rates fall upon each other, as those of 50 and 125."""
    ours, theirs = (RATES_HZ[n] * np.arange(1, 17) for n in (one, other))
    return (np.abs(np.subtract.outer(ours, theirs)) < 3).any()


def test_the_image_shows_the_first_multiples_at_the_bottom():
    image = spectrogram_image(trembling(80, 0.3, 3).astype(np.float32), AUDIO)
    column = image[::-1, OF_80_HZ * HARMONIC_COLUMNS, 2].reshape(HARMONIC_ROWS, -1)
    assert (column[0] > 128 + 5 * 20).all()
    assert (column[1:] < 128 + 2 * 20).all()
    assert (column[13:] == 128).all()  # from 8,000 Hz on


def test_a_louder_recording_has_the_same_lines():
    np.testing.assert_allclose(lines_db(noise(4)), lines_db(noise(4) / 1024), atol=0.01)


def test_a_constant_beside_the_sound_changes_no_line():
    quiet = noise(12) / 10_000
    np.testing.assert_allclose(lines_db(quiet + 0.1), lines_db(quiet), atol=0.05)
    almost = np.full(len(TIMES), 0.3, np.float32)
    almost[1000] += 1e-7
    assert not lines_db(almost).any()


def test_an_equaliser_removes_no_line():
    duller = np.convolve(trembling(80, 0.3, 5), [0.5, 0.3, 0.2], mode="same")
    before = lines_db(trembling(80, 0.3, 5))[OF_80_HZ, 0]
    assert abs(lines_db(duller)[OF_80_HZ, 0] - before) < 1


def test_repeating_a_short_sound_makes_no_lines():
    short = noise(9)[: RATE_HZ // 2]
    repeated = lines_db(np.resize(short, len(TIMES)))
    np.testing.assert_array_equal(repeated, lines_db(short))
    assert np.abs(means_db(short)).max() < 0.5


def test_repeating_a_short_clipped_sound_makes_no_lines():
    short = np.clip(noise(9)[: RATE_HZ // 2], -2, 2)
    assert (short == 2).sum() > 100
    np.testing.assert_array_equal(lines_db(np.resize(short, len(TIMES))), lines_db(short))


@pytest.mark.slow
@pytest.mark.parametrize("sample_rate_hz", [4_001, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_other_sampling_rates_have_their_lines_up_to_the_highest_rate(sample_rate_hz):
    highest_hz = highest_frame_rate_hz(sample_rate_hz)
    rates_hz = (highest_hz / 2.3, highest_hz)
    assert audible_multiples(rates_hz, sample_rate_hz)[1].sum() == HARMONIC_COLUMNS
    for samples in range(int(0.9 * sample_rate_hz), int(0.9 * sample_rate_hz) + 40):
        times = np.arange(samples) / sample_rate_hz
        trembles = 1 + 0.5 * np.cos(2 * np.pi * rates_hz[0] * times)
        window = (np.random.default_rng(11).normal(size=samples) * trembles).astype(np.float32)
        lines = harmonic_prominence_db(window, rates_hz, sample_rate_hz)
        assert np.isfinite(lines).all()
    assert lines[0, 0, 0] > lines[0, 1, 0] + 5


def test_sound_too_short_for_a_line_has_no_result():
    for samples in (1, 2, 100, 3_000):
        window = np.resize(noise(10)[:samples], len(TIMES))
        assert not lines_db(window).any()
    assert lines_db(np.resize(noise(10)[:5_000], len(TIMES))).any()


def test_digital_silence_has_no_lines():
    assert not lines_db(np.zeros(len(TIMES))).any()
    assert not lines_db(noise(6) * np.float32(1e-30)).any()
    for place in (0, -1):  # at both ends no frame has any weight
        click = np.zeros(len(TIMES) + 40)
        click[place] = 0.5
        assert np.abs(lines_db(click)).max() < 0.5
    half = noise(6)
    half[: len(half) // 2] = 0
    assert np.abs(means_db(half)).max() < 0.5


@pytest.mark.slow
def test_a_vocoder_is_found_at_its_rate_without_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for label in ("real", "fake"):
        Path("clips", label).mkdir(parents=True)
        for number in range(6):
            sound = uneven(80, 20 + number) if label == "fake" else noise(30 + number)
            soundfile.write(f"clips/{label}/{number}.wav", sound / 10, RATE_HZ)
    config = ["--config", str(ROOT / "unseen.yaml"), "prepare.workers=1"]
    assert prepare.main(["clips", "--name", "clips", *config]) == 0
    capsys.readouterr()
    print_table(["data/clips"])
    assert capsys.readouterr().out.splitlines()[2].split() == ["fake", "6", "80.00", "100%", "100%"]


def test_sound_that_repeats_in_each_frame_has_a_frame_rate():
    """As vocoders do: of each 200 samples only how loud they are is the speech's."""
    speech = noise(7) * (1 + np.sin(2 * np.pi * 3 * TIMES)) + np.sin(2 * np.pi * 150 * TIMES)
    frames = len(speech) // 200
    levels = np.sqrt(np.square(speech[: frames * 200].reshape(frames, 200)).mean(axis=1))
    made = (levels[:, None] * np.random.default_rng(8).normal(size=200)).ravel()
    stands_out = means_db(np.resize(made, len(TIMES))) - means_db(speech)
    assert stands_out[OF_80_HZ] > 2
    assert stands_out.argmax() == OF_80_HZ
