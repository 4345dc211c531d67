import itertools
from dataclasses import replace

import keras
import numpy as np
import pytest

from conftest import draw_image
from deepfake_audio.config.loading import read_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.errors import InputError
from deepfake_audio.models.onnx_session import (
    MAX_WITHOUT_IMAGE,
    load_model,
    score_files,
    score_images,
    score_stream,
)


def test_the_exported_model_gives_the_log_odds_of_the_keras_probability(workspace):
    run = workspace / "runs" / "first"
    images = np.stack([draw_image(label, seed) for label in ("fake", "real") for seed in range(5)])
    p_real = keras.saving.load_model(run / "model.keras").predict(images[..., None], verbose=0)
    scores = score_images(load_model(run / "model.onnx", 1), images[..., None])
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), p_real[:, 0], atol=1e-5)


def test_a_stream_keeps_order_and_does_not_depend_on_the_batch_size(workspace):
    model = load_model(workspace / "runs" / "first" / "model.onnx", 1)
    images = [(seed, draw_image("real", seed)[..., None]) for seed in range(7)]
    one_by_one = list(score_stream(model, images, 1))
    in_threes = list(score_stream(model, images, 3))
    assert [seed for seed, _ in in_threes] == list(range(7))
    np.testing.assert_allclose(
        [score for _, score in in_threes], [score for _, score in one_by_one], atol=1e-5
    )


def test_the_score_of_a_file_is_the_mean_of_its_windows(workspace):
    settings = read_settings(workspace / "runs" / "first" / "config.yaml")
    model = load_model(workspace / "runs" / "first" / "model.onnx", 1)
    records = read_records(workspace / "data" / "tiny")
    fake, real = ([r for r in records if r.label == label] for label in ("fake", "real"))
    records = [*fake[:4], *real[:2]]
    single = score_files(model, records, settings.image, 8).scores
    codecs = ["", "", "mp3", "", "", ""]
    named = [
        replace(record, audio="call.wav", codec=codec)
        for record, codec in zip(records, codecs, strict=True)
    ]
    pooled = score_files(model, named, settings.image, 8)
    expected = [single[[0, 1, 3]].mean(), single[2], single[4:].mean()]  # one is real, one coded
    np.testing.assert_allclose(pooled.scores, expected, atol=1e-5)
    assert pooled.is_real.tolist() == [0, 0, 1]


def test_files_that_failed_do_not_fill_the_memory(workspace):
    model = load_model(workspace / "runs" / "first" / "model.onnx", 1)
    taken = []

    def failures():
        for number in itertools.count():
            taken.append(number)
            yield number, None

    assert next(score_stream(model, failures(), 8)) == (0, None)
    assert len(taken) == 1
    image = np.zeros((32, 32, 1), np.uint8)
    stream = score_stream(model, itertools.chain([("a", image)], failures()), 8)
    assert next(stream)[0] == "a"
    assert len(taken) <= 1 + MAX_WITHOUT_IMAGE


def test_missing_and_broken_models_are_errors(tmp_path, workspace):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"^cannot use .*: a model with "):
        load_model(tmp_path / "model.onnx", 1)
    with pytest.raises(InputError, match=r"^cannot load "):
        load_model(tmp_path / "none.onnx", 1)
