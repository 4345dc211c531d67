"""Vocoders learn, say the same thing again at the same length, and are the same for one seed."""

import keras
import numpy as np
import pytest

import make_fakes
from deepfake_audio.errors import InputError
from deepfake_audio.vocoders import networks, training
from helpers import make_tiny, tiny_networks


def tone(seconds: float = 1.0, pitch_hz: float = 200.0) -> np.ndarray:
    """Make a voice-like buzz of ten harmonics: float32 at 16 kHz."""
    times = np.arange(round(seconds * 16_000)) / 16_000
    parts = [np.sin(2 * np.pi * pitch_hz * n * times) / n for n in range(1, 11)]
    return (0.1 * np.sum(parts, axis=0)).astype(np.float32)


@pytest.fixture
def tiny(monkeypatch):
    make_tiny(monkeypatch)


def test_the_script_offers_every_kind():
    assert set(make_fakes.KINDS) == set(networks.RECIPES) == set(tiny_networks())


@pytest.mark.slow
@pytest.mark.parametrize("kind", make_fakes.KINDS)
def test_every_weight_of_a_vocoder_learns_and_its_copy_has_the_same_length(kind, tiny, monkeypatch):
    keras.utils.set_random_seed(1)
    network = tiny_networks()[kind]()
    recipe = vars(networks.RECIPES[kind]) | {"build": lambda: network}
    monkeypatch.setitem(networks.RECIPES, kind, networks.Recipe(**recipe))
    before = [weight.numpy() for weight in network.trainable_variables]
    voices = [tone(), tone(0.1, pitch_hz=150)]
    vocoder, losses = training.train_vocoder(kind, voices, steps=20, seed=1)
    assert losses[-5:].mean() < 0.8 * losses[0]
    for old, new in zip(before, vocoder.trainable_variables, strict=True):
        assert (old != new.numpy()).any(), new.path
    sound = tone(0.7)[:-17]
    copied = networks.resynthesize(vocoder, sound)
    assert (copied.shape, copied.dtype) == (sound.shape, np.float32)
    assert np.isfinite(copied).all() and copied.std() > 0


def test_spectral_loss_is_zero_for_the_same_sound_and_ignores_the_sign():
    sound = np.stack([tone(), tone(pitch_hz=130)])
    assert float(training.spectral_loss(sound, sound)) == 0
    assert float(training.spectral_loss(sound, -sound)) == 0
    half = float(training.spectral_loss(sound, sound / 2))
    assert 0.5 < half < 0.5 + np.log(2) + 1e-6  # the norm's half, and the logs' up to the floor


def test_the_inverse_spectrum_returns_the_sound():
    sound = tone()[: 50 * networks.HOP_SAMPLES]
    half = networks.FFT_SAMPLES // 2
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * half) / half)
    padded = np.pad(sound, half)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)[:: networks.HOP_SAMPLES]
    spectrum = np.fft.rfft(frames[:50] * window)
    logs = np.log(np.abs(spectrum) + 1e-9)
    given = np.concatenate([logs, np.angle(spectrum)], axis=1)[None].astype(np.float32)
    returned = networks.InverseSpectrum()(given).numpy()[0]
    assert returned.shape == sound.shape
    inside = slice(half, -half)  # where all frames overlap
    np.testing.assert_allclose(returned[inside], sound[inside], atol=1e-4)


def test_the_loudest_mel_band_contains_the_tone():
    sound = np.sin(2 * np.pi * 1000 * np.arange(12_800) / 16_000).astype(np.float32)
    mel = networks.LogMel()(sound[None]).numpy()[0]
    assert mel.shape == (50, networks.MEL_BANDS)

    def to_mel(hz):
        return 1127 * np.log(1 + hz / 700)

    low, high = to_mel(networks.MIN_MEL_HZ), to_mel(networks.MAX_MEL_HZ)
    expected = (to_mel(1000) - low) / (high - low) * (networks.MEL_BANDS + 1) - 1
    assert abs(np.median(mel.argmax(axis=1)) - expected) <= 1


def test_the_learning_rate_is_constant_and_then_falls():
    rates = [float(training.HeldThenFalling(100)(step)) for step in (0, 50, 75, 99)]
    np.testing.assert_allclose(rates, [1.01e-3, 1.01e-3, 5.1e-4, 3e-5], rtol=1e-4)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_training(tiny, monkeypatch):
    monkeypatch.setattr(training, "spectral_loss", lambda sound, copied: 0 / (sound[0, 0] * 0))
    with pytest.raises(InputError, match="the loss of codec is nan in step 1; try another"):
        training.train_vocoder("codec", [tone()], steps=2, seed=1)


def test_a_copy_that_is_not_finite_is_an_error(tiny):
    sound = keras.Input((None,))
    broken = keras.Model(sound, keras.layers.Rescaling(float("nan"))(sound))
    with pytest.raises(InputError, match="samples that are not finite"):
        networks.resynthesize(broken, tone())
