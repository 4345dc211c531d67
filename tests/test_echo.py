"""Echoes of known delay and amplitude are measured."""

import numpy as np
import pytest

from conftest import make_voice
from deepfake_audio.audio.conditions import apply_condition
from deepfake_audio.audio.quality import Echo, EchoSearch
from deepfake_audio.inference.reasons import MIN_ECHO_PROMINENCE

RATE_HZ = 16_000


def with_echo(voice: np.ndarray, gain: float, delay_samples: float) -> np.ndarray:
    """Add an echo; one that falls between two samples too."""
    frequency = np.fft.rfftfreq(2 * len(voice))
    shift = np.exp(-2j * np.pi * frequency * delay_samples)
    later = np.fft.irfft(np.fft.rfft(voice, 2 * len(voice)) * shift)[: len(voice)]
    return (voice + gain * later).astype(np.float32)


def echo_of(*windows: np.ndarray) -> Echo:
    search = EchoSearch(len(windows[0]), RATE_HZ)
    for window in windows:
        search.add(window)
    return search.strongest()


@pytest.mark.parametrize("gain", [0.1, -0.1, 0.3])
@pytest.mark.parametrize("delay_samples", [560, 801.5, 7000])
def test_the_measured_echo_has_its_true_strength_and_delay(gain, delay_samples):
    voice = make_voice("real", 1)
    found = echo_of(with_echo(voice, gain, delay_samples))
    assert found.seconds == pytest.approx(delay_samples / RATE_HZ, abs=1 / RATE_HZ)
    assert found.gain == pytest.approx(abs(gain), rel=0.25)


def test_a_single_echo_is_prominent_and_the_reflections_of_a_room_are_not():
    single, room = [], []
    for seed in range(5):
        voice = make_voice("real", seed, 1.5)
        for changed, name in ((single, "echo 50 ms"), (room, "room 0.6 s")):
            changed.append(apply_condition(name, voice, RATE_HZ, "a", ())[: len(voice)])
    assert echo_of(*single).prominence > MIN_ECHO_PROMINENCE > echo_of(*room).prominence


def test_an_early_echo_may_be_pitch_and_counts_half():
    assert echo_of(with_echo(make_voice("real", 1), 0.3, 240)).gain == pytest.approx(0.15, rel=0.25)


def test_the_mean_of_windows_shows_an_echo_that_one_window_hides():
    windows = [with_echo(make_voice("real", seed, 1.5), 0.05, 2000) for seed in range(40)]
    found = echo_of(*windows)
    assert found.seconds == pytest.approx(0.125, abs=1e-4)
    assert found.gain == pytest.approx(0.05, rel=0.3)


@pytest.mark.parametrize("samples", [np.zeros(8000), np.eye(1, 8000)[0], np.ones(3)])
def test_sound_without_a_voice_has_a_finite_echo(samples):
    assert np.isfinite(echo_of(samples.astype(np.float32))).all()
