"""Fits of only the last layers: the score stays what it was, but for the new weights."""

import io
import itertools
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

import predict
import tools.last_layers
from conftest import ROOT, make_voice
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


@pytest.mark.slow
def test_a_run_is_fitted_again_on_clips_in_conditions(
    audio_workspace, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(audio_workspace / "runs" / "heard", "runs/heard")
    for label, seed in itertools.product(("real", "fake"), range(100, 104)):
        Path("clips", label).mkdir(parents=True, exist_ok=True)
        soundfile.write(f"clips/{label}/{seed}.wav", make_voice(label, seed), 16_000)
    args = ["clips", "--run", "heard", "--name", "robust", "--copies", "1"]
    assert tools.last_layers.main(args) == 2
    assert "there are 4 real clips; give at least 100" in capsys.readouterr().err.replace(
        "fake", "real"
    )
    monkeypatch.setattr(tools.last_layers, "MIN_CLIPS", 4)
    assert tools.last_layers.main(args) == 0
    printed = capsys.readouterr().out
    assert "8 files, EER" in printed and "Kept in runs/robust" in printed
    clip = "clips/fake/100.wav"
    assert predict.main(["--run", "robust", clip]) == predict.main(["--run", "heard", clip]) == 0
    before, after = (zip_weights(f"runs/{name}/model.keras") for name in ("heard", "robust"))
    changed = [name for name in after if not np.array_equal(before[name], after[name])]
    assert {name.split("/")[1] for name in changed} == {"dense_1"}  # the second of two


def zip_weights(path: str) -> dict[str, np.ndarray]:
    """Return the weights of a `.keras` file by their names."""
    found = {}
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as file:
        h5py.File(io.BytesIO(file.read())).visititems(
            lambda name, each: found.update({name: each[()]} if hasattr(each, "dtype") else {})
        )
    return found
