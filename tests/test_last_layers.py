"""Fits of only the last layers: the score stays what it was, but for the new weights."""

import numpy as np
import pytest

from conftest import ROOT
from deepfake_audio.config.loading import load_settings
from deepfake_audio.training.last_layers import LastLayers
from deepfake_audio.training.layers import OneSidedEvidence
from deepfake_audio.training.score_model import member_networks, score_model
from model import build_model

SETTINGS = load_settings(
    ROOT / "unseen.yaml",
    ["model.inputs=[delay_residual, frame_rates]", "model.conv_filters=[4, 8]"],
)


@pytest.fixture
def network():
    made = build_model(SETTINGS.model, SETTINGS.image)
    evidence = member_networks(made)[1].layers[-1]
    assert isinstance(evidence, OneSidedEvidence)
    evidence.running_mean.assign(0.7)
    return made


def draw_images(count: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, *SETTINGS.image.shape), np.uint8)


def predicted(network, images: np.ndarray) -> np.ndarray:
    return score_model(network).predict(images.astype(np.float32), verbose=0)[:, 0]


@pytest.mark.slow
def test_a_files_score_is_the_mean_over_its_windows(network):
    images, layers = draw_images(5), LastLayers(network)
    inputs = np.stack(layers.inputs_of([images[:3], images[3:]]))
    of_windows = predicted(network, images)
    expected = [of_windows[:3].mean(), of_windows[3:].mean()]
    np.testing.assert_allclose(layers.scores(inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_a_fit_tells_the_classes_apart_and_a_high_penalty_keeps_the_order(network):
    images, layers = draw_images(40), LastLayers(network)
    inputs = np.stack(layers.inputs_of([image[None] for image in images]))
    before = layers.scores(inputs)
    is_real = np.arange(40) % 2
    layers.fit(inputs, is_real, np.ones(40), penalty=1e6)
    kept = layers.scores(inputs)
    assert abs(np.corrcoef(before, kept)[0, 1]) == pytest.approx(1, abs=1e-6)
    layers.fit(inputs, is_real, np.ones(40), penalty=1e-6)
    fitted = layers.scores(inputs)
    assert fitted[is_real == 1].min() > fitted[is_real == 0].max()
    np.testing.assert_allclose(predicted(network, images), fitted, atol=1e-3)
