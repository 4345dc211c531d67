"""Train the network on a folder of spectrogram images.

    python train.py                                    on data/sample, settings of config.yaml
    python train.py data.folder=data/mine              on your own images
    python train.py train.epochs=3 model.dropout=0.4   any setting, for this run
    python train.py --run first                        as runs/first
    python train.py --from models/pretrained data.folder=data/mine     go on from a run's weights
    python train.py --resume                           go on after a kill or Ctrl-C

A data folder holds train/fake, train/real, val/fake and val/real with images (PNG, JPEG, BMP, WebP
or TIFF), and test/ for evaluate.py. Training ends when the validation loss has stopped falling, and
the best epoch on validation is kept; with train.schedule=cosine after train.epochs, and the last
is. Test images stay untouched. Everything lands in runs/<name>/.

--from teaches a trained network what your data has beside what it knows: images, network and all
other settings of training are the run's, but for those that you name. Prepare the sound with
--config RUN/config.yaml, and train for few epochs at a low train.learning_rate.
"""

import argparse
import os
import re
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepfake_audio.cli.arguments import Parser, add_name_option, add_settings_arguments
from deepfake_audio.cli.messages import print_error, print_errors, print_lines
from deepfake_audio.cli.script import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.schema import Settings, TrainSettings
from deepfake_audio.config.yaml_files import shortened
from deepfake_audio.dataset.manifest import (
    DataCheck,
    check_classes,
    check_images,
    image_stamps,
    is_data,
    read_records,
    speaker_warnings,
    summarise,
)
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation import metrics
from deepfake_audio.features.image_files import ImageCache, read_image
from deepfake_audio.features.spectrogram import row_frequencies_hz
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.models.calibration import (
    Calibration,
    decision_threshold,
    fit_calibration,
    probability,
)
from deepfake_audio.models.compatibility import (
    LEARNT_SECTIONS,
    check_start,
    choose_settings,
    with_codecs_of,
)
from deepfake_audio.models.history import kept_epoch, read_history
from deepfake_audio.system.atomic_files import atomic_write, folder_lock, is_file
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.training.augmentation import WHITE, make_distortion, make_noise
from deepfake_audio.vocabulary import LABELS, WITH_DELAY, ImageRecord

# TensorFlow takes seconds to import. The functions that need it import it, so that --help and
# whatever is wrong with the settings or the data are answered at once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EXPORT_TOLERANCE = 1e-5
NOTHING_LEARNT = "the validation files were not told apart; train longer, or on more files"


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.resume:
        run, record, settings = run_folder.open_run(args.run, resuming=True)
        data = load_data(settings)
        if data.fingerprint != record.data_fingerprint:
            raise InputError(
                "A training goes on with the images that it began with. "
                f"Received: {settings.data.folder}, changed since. Begin anew: python train.py"
            )
    else:
        run, settings, data = begin(args)

    with folder_lock(run.config, "Training"):
        before = image_stamps(data.records)
        ended = fit(run, settings, data.records)
        finish(run, settings, data.records, "finished" if ended else "interrupted")
    changed = {name for name, stamp in image_stamps(data.records).items() if stamp != before[name]}
    if changed:
        print_error(f"Images must stay as they are. Received: {min(changed)} changed. Train again.")
    if not ended:
        print_lines(f"Go on with: python train.py --resume --run {run.name}")
        return EXIT_INTERRUPTED
    return EXIT_SOME_FAILED if data.unreadable or changed else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="train.py", description=__doc__)
    add_settings_arguments(parser, help="settings for this run; config.yaml lists all")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a YAML file with the settings that differ from config.yaml",
    )
    add_name_option(
        parser, "of the run below runs/ (default: the data folder's name and a number)", dest="run"
    )
    parser.add_argument(
        "--run", metavar="NAME", help="the run that --resume continues (default: the newest)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="RUN",
        help="begin with the weights of a run: a folder below runs/, or a path",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run that was cut off, with its own settings (default: the newest)",
    )
    args = parser.parse_intermixed_args(argv)
    if args.resume and (args.settings or args.config or args.start):
        raise InputError(
            "--resume goes on with the run's own settings. Received: others too. Leave them out."
        )
    return args


def begin(args: argparse.Namespace) -> tuple[run_folder.Run, Settings, DataCheck]:
    """Choose the settings, read the data and make the folder of a new run."""
    start = run_folder.open_run(args.start) if args.start else None
    before = start[2].model_dump(include=LEARNT_SECTIONS) if start else None
    settings, images_from_audio = choose_settings(args.config, args.settings, before)
    if start:
        check_start(start[0], start[2], settings)
    data = load_data(settings, "Give one with data.folder=PATH")
    settings = with_codecs_of(data.records, settings)
    if start:
        warn_of_leaks(start[0], start[2], data.records)
        network_with(start[0].keras_model, settings)  # what is damaged is told before a run is made
    learnt = run_folder.known_data(start[1]) if start else ()
    run = run_folder.create_run(
        args.run, settings, data.fingerprint, images_from_audio, (), start and start[0], learnt
    )
    return run, settings, data


def load_data(settings: Settings, remedy: str = "Put it back") -> DataCheck:
    """List and check the images, and print what training will see.

    Args:
        settings: which name the folder.
        remedy: told where the folder is missing.
    """
    folder = Path(settings.data.folder)
    records = read_records(folder, remedy)
    check_classes(records, ("train", "val"), folder)
    data = check_images(records, settings.image)
    print_errors(data.unreadable)
    check_classes(data.records, ("train", "val"), folder)
    print_lines(f"Data: {one_line(folder)}\n{summarise(data.records)}")
    for warning in speaker_warnings(data.records):
        print_lines(f"Warning: {one_line(warning)}", file=sys.stderr)
    if data.unreadable:
        print_lines(f"Left out: {len(data.unreadable)} images that can't be read")
    if data.repeated:
        print_lines(
            f"Left out: {len(data.repeated)} images whose bytes stand in a later split too, "
            f"such as {one_line(data.repeated[0])}"
        )
    return data


def warn_of_leaks(run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord]) -> None:
    """Warn if a run was trained on files that are kept for validation or test.

    Files are known by their names in the manifest. Where these differ, as after `make_fakes.py`, or
    the data folder is gone, nothing can be said.

    Args:
        run: whose weights are taken over.
        settings: of that run.
        records: of the data that the new run is validated on.
    """
    folder = Path(settings.data.folder)
    if not is_data(folder):
        return
    kept = {(record.audio, record.label) for record in records if record.split != "train"}
    seen = {(r.audio, r.label) for r in read_records(folder) if r.split == "train" and r.audio}
    both = sorted(kept & seen)
    if both:
        print_lines(
            f"Warning: {run.name} was trained on {len(both):,} files that are kept for validation "
            f"or test here, such as {one_line(both[0][0])}: error rates on them are too good.",
            file=sys.stderr,
        )


def fit(run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord]) -> bool:
    """Train as the settings say; return False if Ctrl-C came first."""
    with suppress_native_stderr():  # TensorFlow tells which processor it was built for
        import keras
        import tensorflow as tf

        from deepfake_audio.training.callbacks import TrainingEndedError, restore_backup

    train = settings.train
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()

    by_split = {split: [r for r in records if r.split == split] for split in ("train", "val")}
    training, validation = make_feeds(settings, by_split)
    model = compiled_model(settings, len(training))
    if is_file(run.start_weights):
        model.set_weights(network_with(run.start_weights, settings).get_weights())
    model.summary()
    weighs = train.class_weights and train.balance == "none"  # groups show the classes equally
    try:
        model.fit(
            training,
            validation_data=validation,
            epochs=train.epochs,
            initial_epoch=restore_backup(run, model, settings.limits),
            class_weight=class_weights(by_split["train"]) if weighs else None,
            shuffle=False,  # the feed does, and by the epoch; Keras would begin anew on --resume
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
    return True


def make_feeds(settings: Settings, by_split: dict[str, list[ImageRecord]]) -> tuple:
    """Return the feeds of training and validation, which share the memory for images."""
    from deepfake_audio.training.generator import ImageFeed, SpectrogramGenerator

    with_delay = settings.image.color in WITH_DELAY and settings.distort.noise_floor_db > 0
    distort = make_distortion(
        settings.distort,
        row_frequencies_hz(settings.audio, settings.image.height),
        WHITE / settings.audio.db_range,
        make_noise(settings.audio, settings.image) if with_delay else None,
    )
    generator = SpectrogramGenerator(
        color=settings.image.color, distort=distort, **settings.augment.model_dump()
    )
    cache = ImageCache(settings.image, settings.feed.cache_mb)
    train, workers = settings.train, settings.feed.workers
    training = generator.flow_from_records(
        by_split["train"], cache, train.batch_size, train.seed, workers, train.balance,
        train.epoch_images,
    )  # fmt: skip
    return training, ImageFeed(by_split["val"], cache, train.batch_size, workers)


def image_error(error: Exception) -> InputError | None:
    """Return what was wrong with an image, if that ended the training.

    What a feed raises in a thread of TensorFlow comes out as text within an error of its own.
    """
    found = re.search(rf"{InputError.__name__}: (.+)", str(error))
    if found is None:
        return None
    return InputError(
        f"{found[1]} The images changed while training. Put them back, and go on with: "
        "python train.py --resume"
    )


def build_network(settings: Settings):
    """Build the network of the settings, or raise a `InputError` if it doesn't fit the image."""
    from model import build_model

    try:
        return build_model(settings.model, settings.image)
    except ValueError as error:
        raise InputError(
            "The network must fit the image. "
            f"Received: {len(settings.model.conv_filters)} blocks for {settings.image.height}x"
            f"{settings.image.width} pixels. Use fewer model.conv_filters, smaller "
            f"model.pool_sizes or fewer model.hidden_rows. ({shortened(error)})"
        ) from None


def compiled_model(settings: Settings, epoch_steps: int):
    """Build the network and give it optimizer, loss and accuracy."""
    import keras

    policy = keras.config.dtype_policy()
    try:
        if settings.train.mixed_precision:
            keras.config.set_dtype_policy("mixed_float16")
        model = build_network(settings)
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(
        optimizer=make_optimizer(settings.train, epoch_steps),
        loss=keras.losses.BinaryCrossentropy(label_smoothing=settings.train.label_smoothing),
        metrics=["accuracy"],
        jit_compile=settings.train.xla,
    )
    return model


def make_optimizer(train: TrainSettings, epoch_steps: int):
    """Return Keras's optimizer of that name, with the schedule, decay and average of settings."""
    import keras

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


def make_callbacks(run: run_folder.Run, train: TrainSettings, training_feed) -> list:
    """Return Keras's callbacks, in the order in which they must run."""
    import keras

    from deepfake_audio.training.callbacks import (
        AveragedWeights,
        Backup,
        EpochRecorder,
        HistoryReplay,
    )

    watching = []
    if train.schedule == "plateau":
        watching = [
            keras.callbacks.ReduceLROnPlateau(
                factor=train.plateau_factor, patience=train.plateau_patience
            ),
            keras.callbacks.EarlyStopping(patience=train.early_stopping_patience, verbose=1),
        ]
    averages = [AveragedWeights(training_feed)] if train.average_weights else []
    recorder = EpochRecorder(run, training_feed, train.schedule, *averages)
    return [
        *averages,
        HistoryReplay(recorder, watching),
        *watching,
        recorder,
        *([keras.callbacks.TensorBoard(run.tensorboard)] if train.tensorboard else []),
        Backup(run),
    ]


def class_weights(records: Sequence[ImageRecord]) -> dict[int, float]:
    """Return weights under which both classes count the same and the mean weight is 1."""
    counts = Counter(record.class_index for record in records)
    return {index: len(records) / (len(LABELS) * count) for index, count in counts.items()}


def finish(
    run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord], status: str
) -> None:
    """Put the kept epoch to use."""
    schedule = settings.train.schedule
    epoch = kept_epoch(read_history(run), schedule)
    ended = {"status": status, "best_epoch": epoch}
    without = "Without dropout and distortion, and with the threshold fitted on validation, it has"
    kept = "the last" if schedule == "cosine" else "best on validation"
    put_to_use(run, settings, records, ended, f"Epoch {epoch} was {kept}. {without}")
    if status == "finished":
        shutil.rmtree(run.backup, ignore_errors=True)
        run.start_weights.unlink(missing_ok=True)


def put_to_use(
    run: run_folder.Run,
    settings: Settings,
    records: Sequence[ImageRecord],
    ended: Mapping[str, object],
    heading: str,
) -> None:
    """Export a run's network, calibrate it on validation, and print how it does on both splits.

    Args:
        run: whose `model.keras` holds the weights.
        settings: of the run.
        records: of training and validation.
        ended: what its record says of it from now on.
        heading: printed before the figures.
    """
    export_onnx(run, [record for record in records if record.split == "val"], settings)
    model = onnx_session.load_model(run.next_model, settings.score.threads, settings.limits)
    results = {
        split: onnx_session.score_files(
            model,
            [r for r in records if r.split == split],
            settings.image,
            settings.score.batch_size,
        )
        for split in ("train", "val")
    }
    calibration = Calibration(*fit_calibration(results["val"].is_real, results["val"].scores))
    ended = dict(ended, calibration=calibration)
    run_folder.commit_model(run, run_folder.read_record(run).model_copy(update=ended), settings)
    print_lines(f"\n{heading}")
    prior_fake = settings.predict.prior_fake
    for split, result in results.items():
        called_real = calibration.llr(result.scores) > decision_threshold(prior_fake)
        right = np.mean(called_real == result.is_real)
        eer = metrics.equal_error_rate(result.is_real, result.scores).rate
        print_lines(
            f"  {split:6} accuracy {right:6.1%}   EER {eer:6.1%}   files {len(called_real):,}"
        )
    if calibration.says_nothing:
        print_lines(
            f"Warning: {NOTHING_LEARNT}. predict.py will answer UNCERTAIN.", file=sys.stderr
        )
    print_lines(
        f"Kept in {one_line(run.folder)}{os.sep}. Next: python evaluate.py --run {run.name}"
    )


def network_with(weights: Path, settings: Settings):
    """Build the network of the settings, and give it the weights of a `.keras` file."""
    with suppress_native_stderr():  # TensorFlow tells which processor it was built for
        from deepfake_audio.training.callbacks import load_weights

    network = build_network(settings)
    load_weights(network, weights, settings.limits)
    return network


def export_onnx(run: run_folder.Run, records: Sequence[ImageRecord], settings: Settings) -> None:
    """Write the kept network up to its score as ONNX, and check that it gives the same scores."""
    from model import score_model

    model = network_with(run.keras_model, settings)
    scores = score_model(model)
    images = np.stack([read_image(record.path, settings.image) for record in records[:32]]).astype(
        np.float32
    )
    expected = model.predict(images, verbose=0)[:, 0]
    scores.predict(images, verbose=0)  # Keras exports what was called
    with atomic_write(run.next_model) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the converter itself
        scores.export(partial, format="onnx", verbose=False)
    received = onnx_session.score_images(
        onnx_session.load_model(run.next_model, settings.score.threads, settings.limits), images
    )
    difference = np.abs(probability(received, prior_fake=0.5) - expected).max()
    if difference > EXPORT_TOLERANCE:
        raise RuntimeError(f"model.onnx differs from model.keras by {difference:.1e} in P(real)")


if __name__ == "__main__":
    sys.exit(main())
