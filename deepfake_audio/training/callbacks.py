"""Keras callbacks that keep one epoch, the history, and a backup to continue a killed run from."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from deepfake_audio.config.schema import LimitSettings
from deepfake_audio.models.history import kept_epoch, read_history, write_history
from deepfake_audio.models.run_folder import Run
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.signals import raise_lost_interrupt
from deepfake_audio.training.generator import ImageFeed
from deepfake_audio.training.weights import load_weights

BACKUP = re.compile(r"(\d{6,})\.keras")  # the number of epochs that are done
DROPOUT_STATE = "seed_generator_state"  # Keras's name of a layer's two numbers: seed and count
EPOCH_COUNTS = 2**32  # more images than an epoch has
MEASURED_BATCHES = 32  # 1,024 images by default; more move the averages little


class TrainingEndedError(Exception):
    """The training had ended already: no epoch is left."""


class Interruption(keras.callbacks.Callback):
    """End the training at the next batch if Keras swallowed Ctrl-C."""

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        raise_lost_interrupt()

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        raise_lost_interrupt()


class EpochRecorder(keras.callbacks.Callback):
    """After each epoch write `history.csv`, and `model.keras` if it is the one to keep.

    Attributes:
        schedule: of the settings, which decides the epoch to keep.
        averages: replaces the weights by their moving averages for validation and for
            `model.keras`; None if there are none.
        rows: one mapping for each epoch, from 1.
    """

    def __init__(
        self,
        run: Run,
        feed: ImageFeed,
        schedule: str,
        averages: "AveragedWeights | None" = None,
    ):
        super().__init__()
        self.run = run
        self.feed = feed
        self.schedule = schedule
        self.averages = averages
        self.rows: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.feed.epoch = epoch
        seed_dropout(self.model, epoch)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.rows.append(
            {"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()}
        )
        self.rows[-1].setdefault("learning_rate", learning_rate_of(self.model))
        if kept_epoch(self.rows, self.schedule) == epoch + 1:
            with self._averaged(), atomic_write(self.run.keras_model) as partial:
                self.model.save(partial)
        write_history(self.run, self.rows)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the moving averages in the place of the weights, as validation does."""
        if self.averages is not None:
            self.averages.on_test_begin()
        yield
        if self.averages is not None:
            self.averages.on_test_end()


def learning_rate_of(model: keras.Model) -> float:
    """Return the learning rate; on several devices `float` can't read it."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def seed_dropout(model: keras.Model, epoch: int) -> None:
    """Let dropout depend on the seed and the epoch, since `.keras` files do not contain its state.

    Args:
        model: built after the seed was set, so that each layer's own seed follows from it.
        epoch: from 0.
    """
    for variable in model.non_trainable_variables:
        if variable.name == DROPOUT_STATE:
            seed, _ = variable.numpy()
            variable.assign([seed, epoch * EPOCH_COUNTS])


class AveragedWeights(keras.callbacks.SwapEMAWeights):
    """Validate the network with the moving averages of its weights.

    The running means of batch normalisation and other layers belong to the weights in training, and
    do not fit the averages. They are measured again for the averages, on images of the epoch.
    """

    def __init__(self, feed: ImageFeed):
        super().__init__()
        self.feed = feed
        self.of_averages: list[np.ndarray] | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self.of_averages = None

    def on_test_begin(self, logs: dict | None = None) -> None:
        super().on_test_begin(logs)
        statistics = self.model.non_trainable_weights
        self.of_weights = [values.numpy() for values in statistics]
        if self.of_averages is None:
            measure_batches(self.model, self.feed)
            self.of_averages = [values.numpy() for values in statistics]
        _assign(statistics, self.of_averages)

    def on_test_end(self, logs: dict | None = None) -> None:
        super().on_test_end(logs)
        _assign(self.model.non_trainable_weights, self.of_weights)


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def measure_batches(model: keras.Model, feed: ImageFeed) -> None:
    """Give all layers with running means, as batch normalisation, the means over batches."""
    layers = list(_with_running_means(model))
    momenta = [layer.momentum for layer in layers]
    for number in range(min(len(feed), MEASURED_BATCHES) if layers else 0):
        for layer in layers:
            layer.momentum = number / (number + 1)
        model(feed[number][0], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _with_running_means(network: keras.Model) -> Iterator[keras.Layer]:
    """Yield a network's layers with a momentum, and those of an ensemble's members."""
    for layer in network.layers:
        if hasattr(layer, "momentum"):
            yield layer
        for member in getattr(layer, "members", ()):
            yield from _with_running_means(member)


class HistoryReplay(keras.callbacks.Callback):
    """When a training is resumed, show the earlier epochs to the callbacks that count epochs."""

    def __init__(self, recorder: EpochRecorder, counting: Sequence[keras.callbacks.Callback]):
        super().__init__()
        self.recorder = recorder
        self.counting = counting

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.recorder.rows or not epoch:
            return
        self.recorder.rows = read_history(self.recorder.run)[:epoch]
        learning_rate = learning_rate_of(self.model)
        for callback in self.counting:
            for row in self.recorder.rows:
                callback.on_epoch_end(row["epoch"] - 1, dict(row))
        if learning_rate_of(self.model) != learning_rate:
            self.model.optimizer.learning_rate = learning_rate  # the plateau callback lowered it
        if self.model.stop_training:  # Keras looks at it only after an epoch
            raise TrainingEndedError


class Backup(keras.callbacks.Callback):
    """After each epoch write the weights and the optimizer's state under the epoch's number.

    Keras's BackupAndRestore writes the number to a second file: after a kill between or within the
    two, it resumes at the wrong epoch or not at all. If the disk is full, writing HDF5 directly to
    it crashes the process.
    """

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        before = _backups(self.run)
        with atomic_write(self.run.backup / f"{epoch + 1:06}.keras") as partial:
            self.model.save(partial)
        for path in before.values():
            path.unlink(missing_ok=True)


def restore_backup(run: Run, model: keras.Model, limits: LimitSettings) -> int:
    """Load the newest backup into a compiled model; return the number of epochs done."""
    backups = _backups(run)
    if not backups:
        return 0
    epochs = max(backups)
    model.optimizer.build(model.trainable_variables)
    load_weights(model, backups[epochs], limits)
    return epochs


def _backups(run: Run) -> dict[int, Path]:
    named = ((BACKUP.fullmatch(path.name), path) for path in run.backup.glob("*.keras"))
    return {int(match[1]): path for match, path in named if match}
