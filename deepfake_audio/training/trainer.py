"""Train a network on the images of a data folder: feeds, model, callbacks and the fit itself."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import keras
import tensorflow as tf

from deepfake_audio.config.network_sections import ImageSettings, ModelSettings
from deepfake_audio.config.schema import Settings, TrainSettings
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_files import ImageCache
from deepfake_audio.features.spectrogram import row_frequencies_hz
from deepfake_audio.models.run_folder import Run
from deepfake_audio.system.opencv import cv2
from deepfake_audio.system.regular_files import is_file
from deepfake_audio.system.signals import raise_lost_interrupt
from deepfake_audio.training.augmentation import WHITE, make_distortion, make_noise
from deepfake_audio.training.callbacks import (
    AveragedWeights,
    Backup,
    EpochRecorder,
    HistoryReplay,
    Interruption,
    TrainingEndedError,
    restore_backup,
)
from deepfake_audio.training.generator import ImageFeed, SpectrogramGenerator
from deepfake_audio.training.weights import build_network, load_network
from deepfake_audio.vocabulary import LABELS, WITH_DELAY, ImageRecord

BuildModel = Callable[[ModelSettings, ImageSettings], keras.Sequential]


def set_up_process(seed: int) -> None:
    """Seed all random numbers of this process, and make training repeatable."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    cv2.setNumThreads(1)  # the feed has threads of its own; OpenCV's slow down small images


def make_feeds(settings: Settings, records: Sequence[ImageRecord]) -> tuple[ImageFeed, ImageFeed]:
    """Return the feeds of training and validation, which share the memory for images."""
    image, train = settings.image, settings.train
    with_delay = image.channels in WITH_DELAY and settings.distort.noise_floor_db > 0
    distort = make_distortion(
        settings.distort,
        row_frequencies_hz(settings.audio, image.height),
        WHITE / settings.audio.db_range,
        make_noise(settings.audio, image) if with_delay else None,
    )
    generator = SpectrogramGenerator(
        channels=image.channels, distort=distort, **settings.augment.model_dump()
    )
    cache = ImageCache(image, settings.feed.cache_mb)
    workers = settings.feed.workers
    training, validation = (
        [record for record in records if record.split == split] for split in ("train", "val")
    )
    return (
        ImageFeed(
            training, cache, train.batch_size, workers, generator, train.seed, train.balance,
            train.epoch_images,
        ),
        ImageFeed(validation, cache, train.batch_size, workers),
    )  # fmt: skip


def compile_model(build_model: BuildModel, settings: Settings, epoch_steps: int):
    """Build the network and give it optimizer, loss and accuracy; `epoch_steps` are batches."""
    policy = keras.config.dtype_policy()
    with devices_of(settings.train):
        try:
            if settings.train.mixed_precision:
                keras.config.set_dtype_policy("mixed_float16")
            model = build_network(build_model, settings)
        finally:
            keras.config.set_dtype_policy(policy)
        model.compile(
            optimizer=make_optimizer(settings.train, epoch_steps),
            loss=keras.losses.BinaryCrossentropy(label_smoothing=settings.train.label_smoothing),
            metrics=["accuracy"],
            jit_compile=settings.train.xla,
        )
    return model


def devices_of(train: TrainSettings) -> AbstractContextManager:
    """Return a context in which a network is built on the devices of the settings.

    With `train.all_gpus` each GPU has a copy of the weights and takes its part of each batch, as in
    https://www.tensorflow.org/guide/distributed_training.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if not train.all_gpus or len(devices) == 1:
        return nullcontext()
    return tf.distribute.MirroredStrategy([device.name for device in devices]).scope()


def make_optimizer(train: TrainSettings, epoch_steps: int) -> keras.Optimizer:
    """Return the optimizer of the settings with its schedule, decay and moving average."""
    learning_rate = train.learning_rate
    if train.schedule == "cosine":
        steps = train.epochs * epoch_steps
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    config = {"learning_rate": learning_rate}
    if train.optimizer == "adamw":
        config["weight_decay"] = train.weight_decay
    if train.average_weights:
        config |= {"use_ema": True, "ema_momentum": train.average_weights}
    return keras.optimizers.get({"class_name": train.optimizer, "config": config})


def restore(run: Run, model: keras.Sequential, build_model: BuildModel, settings: Settings) -> int:
    """Load the weights that a run starts from, or its newest backup.

    Returns:
        The number of epochs that are done.
    """
    if is_file(run.start_weights):
        start = load_network(build_model, run.start_weights, settings)
        model.set_weights(start.get_weights())
    return restore_backup(run, model, settings.limits)


def fit(
    run: Run,
    settings: Settings,
    model: keras.Sequential,
    feeds: tuple[ImageFeed, ImageFeed],
    epochs_done: int,
) -> bool:
    """Train until the settings end it; write history, best weights and backups into the run.

    `feeds` are those of training and validation, and `epochs_done` were before an interruption.

    Returns:
        False if Ctrl-C came first, and there is a model to keep.

    Raises:
        InputError: an image cannot be read any more.
    """
    train, (training, validation) = settings.train, feeds
    weighted = train.class_weights and train.balance == "none"  # groups show the classes equally
    try:
        model.fit(
            training,
            validation_data=validation,
            epochs=train.epochs,
            initial_epoch=epochs_done,
            class_weight=class_weights(training.labels[:, 0]) if weighted else None,
            shuffle=False,  # the feed shuffles by epoch; Keras would start again on --resume
            callbacks=make_callbacks(run, train, training),
        )
    except TrainingEndedError:
        return True
    except KeyboardInterrupt:
        if not is_file(run.keras_model):
            raise
        return False
    except tf.errors.OpError as error:
        raise image_error(error) or error from None
    raise_lost_interrupt()
    return True


def make_callbacks(run: Run, train: TrainSettings, training: ImageFeed) -> list:
    """Return Keras's callbacks, in the order in which they must run."""
    watching = []
    if train.schedule == "plateau":
        watching = [
            keras.callbacks.ReduceLROnPlateau(
                factor=train.plateau_factor, patience=train.plateau_patience
            ),
            keras.callbacks.EarlyStopping(patience=train.early_stopping_patience, verbose=1),
        ]
    averages = [AveragedWeights(training)] if train.average_weights else []
    recorder = EpochRecorder(run, training, train.schedule, *averages)
    return [
        Interruption(),
        *averages,
        HistoryReplay(recorder, watching),
        *watching,
        recorder,
        *([keras.callbacks.TensorBoard(run.tensorboard)] if train.tensorboard else []),
        Backup(run),
    ]


def class_weights(labels: Sequence[float]) -> dict[int, float]:
    """Return weights of mean 1 that give both classes the same total.

    >>> class_weights([0, 0, 0, 1])
    {0: 0.6666666666666666, 1: 2.0}
    """
    counts = Counter(int(label) for label in labels)
    return {label: len(labels) / (len(LABELS) * count) for label, count in sorted(counts.items())}


def image_error(error: Exception) -> InputError | None:
    """Return the error of an image that ended the training, if one did.

    TensorFlow reports an exception of a feed's thread as text within an error of its own.
    """
    found = re.search(rf"{InputError.__name__}: (.+)", str(error))
    if found is None:
        return None
    return InputError(
        f"{found[1]}; the images changed while training: put them back, and continue with: "
        "python train.py --resume"
    )
