"""Schedules, averages and samples through a whole training, and through one that was stopped."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import export
import predict
import train
from conftest import ROOT, TINY_SETTINGS, make_data_folder
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.models import history, record_files, run_creation, run_folder
from deepfake_audio.training import trainer
from deepfake_audio.training.callbacks import AveragedWeights, EpochRecorder, measure_batches
from deepfake_audio.training.layers import OneSidedEvidence
from helpers import check_same
from model import build_model

EVERYTHING = (
    "train.batch_size=10", "train.optimizer=adamw", "train.schedule=cosine",
    "train.average_weights=0.5", "train.balance=groups", "model.pooling=statistics",
    "model.pool_sizes=[[2, 2], [2, 1]]", "model.dropout=0.5", "feed.workers=3",
    "distort.noise_floor_db=10", "model.inputs=[levels, time_residual]",
)  # fmt: skip
PLATEAU = (
    "train.batch_size=10", "train.optimizer=nadam", "train.plateau_patience=1",
    "train.early_stopping_patience=1", "train.learning_rate=1", "train.epochs=9",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_data_folder(tmp_path / "data" / "tiny")


def trained(name, *overrides, code=0):
    args = ["--run", name, "data.folder=data/tiny", *TINY_SETTINGS, *overrides]
    assert train.main(args) == code
    return run_folder.Run(Path("runs", name))


def interrupt_in(monkeypatch, epoch, method):
    """Press Ctrl-C in an epoch, counted from 0, when Keras calls a callback's method."""
    make_callbacks = trainer.make_callbacks
    now = []

    def stop(number, logs):
        if now[-1] == epoch:
            raise KeyboardInterrupt

    def with_a_stop(*args):
        watch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda number, logs: now.append(number), **{method: stop}
        )
        return [*make_callbacks(*args), watch]

    monkeypatch.setattr(trainer, "make_callbacks", with_a_stop)


def fitted(name: str, *overrides: str) -> tuple[run_folder.Run, bool]:
    """Train a run, or go on with it; return it, and whether the training came to its end."""
    run = run_folder.Run(Path("runs", name))
    settings = load_settings(None, ["data.folder=data/tiny", *TINY_SETTINGS, *overrides])
    if not run.folder.exists():
        run_creation.create_run(name, settings, "data-fingerprint", images_from_audio=False)
    return run, train.train(run, settings, read_records(Path("data/tiny")))


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("settings", [EVERYTHING, PLATEAU], ids=["everything", "plateau"])
def test_a_training_stopped_twice_ends_like_an_uninterrupted_one(settings, monkeypatch):
    whole, _ = fitted("whole", *settings)
    rows = history.read_history(whole)
    assert 3 <= len(rows) < 9  # and plateau stopped early
    for epoch, method in ((1, "on_train_batch_end"), (len(rows) - 1, "on_epoch_end")):
        with monkeypatch.context() as pressed:
            interrupt_in(pressed, epoch, method)
            assert not fitted("stopped", *settings)[1]
    stopped, ended = fitted("stopped", *settings)
    assert ended
    check_same(stopped, whole)
    if settings is EVERYTHING:
        falling = [0.005 * (1 + np.cos(np.pi * epoch / 6)) for epoch in range(1, 7)]
        rates = [row["learning_rate"] for row in rows]
        np.testing.assert_allclose(rates, falling, rtol=1e-5, atol=1e-9)
        used = load_settings(stopped.config)
        train.save(stopped, used, read_records(Path("data/tiny")), "finished")
        assert predict.main(["--run", "stopped", "data/tiny/test"]) == 0
        assert export.main(["--run", "stopped"]) == 0


@pytest.mark.slow
def test_a_cosine_schedule_trains_all_epochs_and_keeps_the_last(capsys):
    overfitting = ("train.epochs=5", "train.early_stopping_patience=1", "train.learning_rate=0.3")
    run = trained("falling", "train.schedule=cosine", *overfitting)
    assert "Epoch 5 was the last. " in capsys.readouterr().out
    rows = history.read_history(run)
    assert len(rows) == 5
    assert history.kept_epoch(rows, "plateau") != 5  # or this checks nothing
    assert record_files.read_record(run).best_epoch == 5
    _, validation, model = feed_and_model("train.average_weights=0")
    model.load_weights(run.keras_model)
    assert model.evaluate(validation, verbose=0)[0] == pytest.approx(rows[4]["val_loss"], rel=1e-4)


def feed_and_model(*overrides):
    settings = load_settings(None, [*TINY_SETTINGS, "train.average_weights=0.8", *overrides])
    training, validation = trainer.make_feeds(settings, read_records(Path("data/tiny")))
    model = trainer.compile_model(build_model, settings, len(training))
    return training, validation, model


@pytest.mark.slow
def test_the_average_of_the_weights_of_all_steps_is_validated_and_kept(tmp_path):
    training, validation, model = feed_and_model("train.batch_size=4")
    run = run_folder.Run(tmp_path)
    recorder = EpochRecorder(run, training, "plateau", AveragedWeights(training))
    steps, after = [], []

    def watch(seen):
        return lambda _, logs: seen.append([w.numpy() for w in model.trainable_variables])

    watcher = keras.callbacks.LambdaCallback(
        on_train_batch_end=watch(steps), on_epoch_end=watch(after)
    )
    callbacks = [recorder.averages, recorder, watcher]
    model.fit(training, validation_data=validation, callbacks=callbacks, verbose=0)

    averages = steps[0]
    for weights in steps[1:]:
        averages = [0.8 * old + 0.2 * new for old, new in zip(averages, weights, strict=True)]
    model.load_weights(run.keras_model)
    for kept, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(kept, average, rtol=1e-4, atol=1e-6)
    for left, last in zip(after[0], steps[-1], strict=True):  # training goes on with the weights
        np.testing.assert_allclose(left, last, rtol=1e-4, atol=1e-6)
    loss, _ = model.evaluate(validation, verbose=0)
    assert loss == pytest.approx(recorder.rows[0]["val_loss"], rel=1e-4)


def test_batch_normalisation_statistics_are_measured_with_the_averaged_weights():
    training, _, model = feed_and_model()
    first = next(each for each in model.layers if isinstance(each, keras.layers.BatchNormalization))
    inputs = keras.Model(model.inputs, first.input)
    batches = [inputs(training[number][0]).numpy() for number in range(len(training))]
    measure_batches(model, training)
    averages = np.mean([batch.mean((0, 1, 2)) for batch in batches], axis=0)
    variances = np.mean([batch.var((0, 1, 2)) for batch in batches], axis=0)
    np.testing.assert_allclose(first.moving_mean, averages, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.moving_variance, variances, rtol=1e-4)
    assert first.momentum == 0.9


def test_the_mean_score_without_evidence_is_measured_with_the_averaged_weights():
    layer = OneSidedEvidence()
    model = keras.Sequential([keras.Input((1,)), layer])
    scores = np.float32([[[4], [6], [-9]], [[1], [-1], [-2]], [[-3], [-4], [-5]]])
    measure_batches(model, [(batch, None) for batch in scores])
    assert float(layer.running_mean) == pytest.approx((5 + 1) / 2)
    assert layer.momentum == 0.9


@pytest.mark.slow
def test_balanced_classes_are_not_weighed_again():
    Path("data/tiny/manifest.csv").unlink()
    for number in range(9):
        Path(f"data/tiny/train/fake/{number:02}.png").unlink()
    weighed, plain = (
        fitted(value, "train.epochs=1", "train.balance=groups", f"train.class_weights={value}")[0]
        for value in ("true", "false")
    )
    assert history.read_history(weighed) == history.read_history(plain)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_weight_decay_takes_its_share_of_the_weights(decay):
    *_, model = feed_and_model("train.optimizer=adamw", f"train.weight_decay={decay}")
    before = [weights.numpy() for weights in model.trainable_variables]
    nothing = [keras.ops.zeros_like(weights) for weights in model.trainable_variables]
    model.optimizer.apply_gradients(zip(nothing, model.trainable_variables, strict=True))
    left = 1 - decay * 0.01  # the learning rate of TINY_SETTINGS
    for old, new in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_allclose(new, old * left, rtol=1e-6, atol=1e-9)


TWO_DEVICES = """
import sys
import tensorflow as tf
parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
import train
from deepfake_audio.training import trainer
built = trainer.build_network
def build_network(*args):
    print(tf.distribute.get_strategy().num_replicas_in_sync, "copies", file=sys.stderr)
    return built(*args)
trainer.build_network = build_network
for run, all_gpus in (("one", "false"), ("two", "true")):
    train.main(["--run", run, f"train.all_gpus={all_gpus}", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_a_batch_divided_among_devices_trains_as_a_whole_one_does(tmp_path):
    settings = ["data.folder=data/tiny", *TINY_SETTINGS, "train.epochs=3", "model.dropout=0"]
    ended = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, *settings, "model.batch_norm=false"],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert re.findall("([0-9]) copies", ended.stderr) == ["1", "2"], ended.stderr
    one, two = (
        history.read_history(run_folder.Run(tmp_path / "runs" / name)) for name in ("one", "two")
    )
    assert len(one) == 3
    for ours, theirs in zip(one, two, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
