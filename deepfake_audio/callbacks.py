"""Keras callbacks that keep the best epoch and the history, so that a killed run can go on."""

from collections.abc import Sequence

import keras

from deepfake_audio.feed import ImageFeed
from deepfake_audio.files import replacing
from deepfake_audio.runs import Run, best_epoch, read_history, write_history


class EpochRecorder(keras.callbacks.Callback):
    """After each epoch write `history.csv`, and `model.keras` if the validation loss is a new low.

    Attributes:
        rows: one mapping an epoch, from 1.
    """

    def __init__(self, run: Run, feed: ImageFeed):
        super().__init__()
        self.run = run
        self.feed = feed
        self.rows: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.feed.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.rows.append(
            {"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()}
        )
        if best_epoch(self.rows) == epoch + 1:
            with replacing(self.run.keras_model) as partial:
                self.model.save(partial)
        write_history(self.run, self.rows)


class HistoryReplay(keras.callbacks.Callback):
    """When a training goes on, show the epochs that are done to the callbacks that count them."""

    def __init__(self, recorder: EpochRecorder, counting: Sequence[keras.callbacks.Callback]):
        super().__init__()
        self.recorder = recorder
        self.counting = counting

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.recorder.rows or not epoch:
            return
        self.recorder.rows = read_history(self.recorder.run)[:epoch]
        learning_rate = float(self.model.optimizer.learning_rate)
        for callback in self.counting:
            for row in self.recorder.rows:
                callback.on_epoch_end(row["epoch"] - 1, dict(row))
        self.model.optimizer.learning_rate = learning_rate  # the plateau callback lowered it anew
