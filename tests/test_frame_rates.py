"""Signals whose frame rate is known, and what has none."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import prepare
from benchmarks.frame_rates import main as print_table
from conftest import ROOT
from deepfake_audio.audio import spectrogram_image
from deepfake_audio.config import load_settings
from deepfake_audio.frame_rates import (
    BANDS,
    HARMONICS,
    PHASES,
    frame_rate_lines_db,
    highest_frame_rate_hz,
)

AUDIO = load_settings(ROOT / "unseen.yaml").audio
RATES_HZ, RATE_HZ = AUDIO.frame_rates_hz, AUDIO.sample_rate_hz
TIMES = np.arange(AUDIO.window_samples) / RATE_HZ


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=len(TIMES)).astype(np.float32)


def lines_db(window: np.ndarray) -> np.ndarray:
    """Return the mean over the bands, `(rates, HARMONICS + PHASES)`."""
    return frame_rate_lines_db(window.astype(np.float32), RATES_HZ, RATE_HZ).mean(axis=0)


def test_noise_has_no_frame_rate():
    lines = np.mean([lines_db(noise(seed)) for seed in range(8)], axis=0)
    assert lines.shape == (len(RATES_HZ), HARMONICS + PHASES)
    assert np.abs(lines).max() < 2


@pytest.mark.parametrize("rate", range(len(RATES_HZ)))
def test_loudness_that_trembles_at_a_frame_rate_stands_out_there(rate):
    depth = 0.3 * np.cos(2 * np.pi * RATES_HZ[rate] * TIMES)
    stands_out = lines_db(noise(1) * (1 + depth))[:, 0] - lines_db(noise(1))[:, 0]
    assert stands_out[rate] > 8
    assert np.abs(np.delete(stands_out, rate)).max() < 2


@pytest.mark.parametrize("rate", range(len(RATES_HZ)))
def test_tones_at_the_multiples_of_a_frame_rate_stand_out_there(rate):
    multiples = np.arange(RATES_HZ[rate], 7900, RATES_HZ[rate])
    tones = 0.05 * sum(np.cos(2 * np.pi * hz * TIMES + hz) for hz in multiples)
    before, after = lines_db(noise(2))[:, HARMONICS:], lines_db(noise(2) + tones)[:, HARMONICS:]
    stands_out = after - before
    assert stands_out[rate, 0] > 8
    others = np.delete(stands_out.ravel(), rate * PHASES)  # some share every other multiple
    assert others.max() < stands_out[rate, 0] - 3


def test_a_band_shows_its_own_lines():
    high = 0.5 * sum(np.cos(2 * np.pi * 80 * n * TIMES + n) for n in range(75, 88))
    lines = frame_rate_lines_db((noise(3) + high).astype(np.float32), RATES_HZ, RATE_HZ)[:, 3]
    stands_out = lines[:, HARMONICS] > 15
    assert stands_out[24:27].all()  # 6,000 to 6,960 Hz, 250 Hz a band
    assert not stands_out[:22].any()
    assert not stands_out[29:].any()
    image = spectrogram_image((noise(3) + high).astype(np.float32), AUDIO)
    column = image[:, 3 * (HARMONICS + PHASES) + HARMONICS, 2]
    assert (column[::-1].reshape(BANDS, 8)[24:27] > 150).all()  # lowest band at the bottom


def test_a_louder_recording_has_the_same_lines():
    quiet = frame_rate_lines_db(noise(4) / 1024, RATES_HZ, RATE_HZ)
    np.testing.assert_allclose(frame_rate_lines_db(noise(4), RATES_HZ, RATE_HZ), quiet, atol=0.01)


def test_an_equaliser_takes_no_line_away():
    trembling = noise(5) * (1 + 0.3 * np.cos(2 * np.pi * 80 * TIMES))
    duller = np.convolve(trembling, [0.5, 0.3, 0.2], mode="same")
    assert abs(lines_db(duller)[3, 0] - lines_db(trembling)[3, 0]) < 2


def test_repeating_a_short_sound_makes_no_lines():
    short = noise(9)[: RATE_HZ // 2]
    repeated = frame_rate_lines_db(np.resize(short, len(TIMES)), RATES_HZ, RATE_HZ)
    np.testing.assert_array_equal(repeated, frame_rate_lines_db(short, RATES_HZ, RATE_HZ))
    assert np.abs(repeated.mean(axis=0)).max() < 4


def test_repeating_a_short_clipped_sound_makes_no_lines():
    short = np.clip(noise(9)[: RATE_HZ // 2], -2, 2)
    assert (short == 2).sum() > 100
    repeated = frame_rate_lines_db(np.resize(short, len(TIMES)), RATES_HZ, RATE_HZ)
    np.testing.assert_array_equal(repeated, frame_rate_lines_db(short, RATES_HZ, RATE_HZ))


@pytest.mark.parametrize("sample_rate_hz", [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_other_sampling_rates_have_their_lines_up_to_the_highest_rate(sample_rate_hz):
    highest_hz = highest_frame_rate_hz(sample_rate_hz)
    rates_hz = (highest_hz / 2.3, highest_hz)
    for samples in range(int(0.9 * sample_rate_hz), int(0.9 * sample_rate_hz) + 40):
        times = np.arange(samples) / sample_rate_hz
        trembles = 1 + 0.5 * np.cos(2 * np.pi * rates_hz[0] * times)
        window = (np.random.default_rng(11).normal(size=samples) * trembles).astype(np.float32)
        lines = frame_rate_lines_db(window, rates_hz, sample_rate_hz).mean(axis=0)
        assert np.isfinite(lines).all()
    assert lines[0, 0] > lines[1, 0] + 5


def test_of_sound_too_short_for_a_line_nothing_is_said():
    for samples in (1, 2, 100, 3_000):
        window = np.resize(noise(10)[:samples], len(TIMES))
        assert not frame_rate_lines_db(window, RATES_HZ, RATE_HZ).any()
    assert lines_db(np.resize(noise(10)[:5_000], len(TIMES))).any()


def test_digital_silence_has_no_lines():
    assert not frame_rate_lines_db(np.zeros(len(TIMES), np.float32), RATES_HZ, RATE_HZ).any()
    assert not frame_rate_lines_db(noise(6) * np.float32(1e-30), RATES_HZ, RATE_HZ).any()
    half = noise(6)
    half[: len(half) // 2] = 0
    assert np.isfinite(lines_db(half)).all()


def test_a_vocoder_is_found_at_its_rate_without_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trembles = 1 + 0.6 * np.cos(2 * np.pi * 80 * TIMES)
    for label, loudness in (("real", np.ones(len(TIMES))), ("fake", trembles)):
        Path("clips", label).mkdir(parents=True)
        for number in range(6):
            sound = noise(20 + number + (label == "fake") * 10) * loudness / 10
            soundfile.write(f"clips/{label}/{number}.wav", sound, RATE_HZ)
    config = ["--config", str(ROOT / "unseen.yaml"), "prepare.workers=1"]
    assert prepare.main(["clips", "--name", "clips", *config]) == 0
    capsys.readouterr()
    print_table(["data/clips"])
    assert capsys.readouterr().out.splitlines()[2].split() == ["fake", "6", "80.00", "100%", "100%"]


def test_what_is_made_alike_frame_by_frame_has_a_frame_rate():
    """As vocoders do: of each 200 samples only how loud they are is the speech's."""
    speech = noise(7) * (1 + np.sin(2 * np.pi * 3 * TIMES)) + np.sin(2 * np.pi * 150 * TIMES)
    frames = len(speech) // 200
    levels = np.sqrt(np.square(speech[: frames * 200].reshape(frames, 200)).mean(axis=1))
    made = (levels[:, None] * np.random.default_rng(8).normal(size=200)).ravel()
    padded = np.resize(made, len(TIMES))
    assert lines_db(padded)[3].mean() - lines_db(speech)[3].mean() > 5
