"""Steady pulses in the pauses of a voice."""

import numpy as np
import pytest

from deepfake_audio.audio.background import MIN_DEPTH, Pulse, pause_pulse, steady_pulse


def buzz_beside_words(rate_hz: int, seconds: float) -> np.ndarray:
    """Make words of noise, half a second each, beside noise that pulses 120 times a second."""
    random, count = np.random.default_rng(1), round(seconds * rate_hz)
    times = np.arange(count) / rate_hz
    words = random.normal(0, 1, count) * (times % 1 < 0.5)
    return words + 0.05 * random.normal(0, 1, count) * (1 + np.cos(240 * np.pi * times))


@pytest.mark.parametrize("rate_hz", [11_025, 16_000, 22_050])
@pytest.mark.parametrize("seconds", [1.5, 12])
def test_a_buzz_is_found_at_any_rate_and_in_windows_of_any_length(rate_hz, seconds):
    found = pause_pulse(buzz_beside_words(rate_hz, seconds), rate_hz)
    assert found.rate_hz == pytest.approx(120, abs=1)
    assert found.depth > MIN_DEPTH


def test_noise_in_the_pauses_has_no_pulse():
    noise = np.random.default_rng(2).normal(0, 1, 24_000)
    assert pause_pulse(noise, 16_000).depth < MIN_DEPTH
    assert pause_pulse(np.zeros(100), 16_000) == Pulse(0, 0)


def test_windows_of_different_rates_have_no_steady_pulse():
    same, other = Pulse(1.0, 120.0), Pulse(0.9, 60.0)
    assert steady_pulse([same, same]) == same
    assert steady_pulse([same, other]) is None
    assert steady_pulse([same]) is None
