"""Train the network on a folder of spectrogram images.

    python train.py                                    on data/sample, settings of config.yaml
    python train.py data.folder=data/mine              on your own images
    python train.py train.epochs=3 model.dropout=0.4   any setting, for this run
    python train.py --name first                       as runs/first
    python train.py --from models/pretrained data.folder=data/mine     start from a run's weights
    python train.py --resume                           continue after a kill or Ctrl-C

A data folder holds train/fake, train/real, val/fake and val/real with images (PNG, JPEG, BMP, WebP
or TIFF), and test/ for evaluate.py. Training ends when the validation loss stops falling, and
keeps the best epoch on validation; with train.schedule=cosine it ends after train.epochs, and keeps
the last. Test images are not used. All results are in runs/<name>/.

--from trains a network further on your data, for 5 epochs at a low learning rate: images, network
and all other settings are the run's, except those that you name. Prepare the sound with
--config RUN/config.yaml. With few files of your own this is better than training from random
weights.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence

from deepfake_audio.cli.arguments import Parser, add_name_option, add_settings_arguments
from deepfake_audio.cli.messages import print_error, print_lines
from deepfake_audio.cli.script import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.training import check_packages, load_data, print_results, warn_of_leaks
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.checks import DataCheck, image_stamps
from deepfake_audio.errors import InputError
from deepfake_audio.models import record_files, run_creation, run_folder, run_search
from deepfake_audio.models.compatibility import (
    LEARNT_SECTIONS,
    check_start,
    choose_settings,
    with_conditions_of,
)
from deepfake_audio.models.history import kept_epoch, read_history
from deepfake_audio.system.atomic_files import folder_lock
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocabulary import ImageRecord

FURTHER_TRAINING = ("train.epochs=5", "train.learning_rate=0.0003")  # of --from


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    check_packages()
    run, settings, data = open_unfinished(args.run) if args.resume else create_run(args)
    with folder_lock(run.config, "Training"):
        before = image_stamps(data.records)
        ended = train(run, settings, data.records)
        save(run, settings, data.records, "finished" if ended else "interrupted")
    changed = {name for name, stamp in image_stamps(data.records).items() if stamp != before[name]}
    if changed:
        print_error(f"{min(changed)} changed while training; train again")
    if not ended:
        epoch = min(len(read_history(run)) + 1, settings.train.epochs)
        print_lines(
            f"Stopped in epoch {epoch} of {settings.train.epochs}. "
            f"Continue with: python train.py --resume --run {run.name}"
        )
        return EXIT_INTERRUPTED
    return EXIT_SOME_FAILED if data.unreadable or changed else EXIT_OK


def train(run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord]) -> bool:
    """Train as the settings say; return False if Ctrl-C came first."""
    with suppress_native_stderr():  # TensorFlow takes seconds, and reports its processor
        from deepfake_audio.training import trainer
        from model import build_model

    trainer.set_up_process(settings.train.seed)
    feeds = trainer.make_feeds(settings, records)
    model = trainer.compile_model(build_model, settings, epoch_steps=len(feeds[0]))
    epochs_done = trainer.restore(run, model, build_model, settings)
    model.summary()
    return trainer.fit(run, settings, model, feeds, epochs_done)


def save(
    run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord], status: str
) -> None:
    """Export and calibrate the kept epoch, and print its results."""
    from deepfake_audio.training.export import export_and_calibrate
    from model import build_model

    schedule = settings.train.schedule
    epoch = kept_epoch(read_history(run), schedule)
    ended = {"status": status, "best_epoch": epoch}
    results = export_and_calibrate(run, settings, records, ended, build_model)
    kept = "the last" if schedule == "cosine" else "best on validation"
    without = "Without dropout and distortion, and with the threshold fitted on validation, it has"
    print_results(run, f"Epoch {epoch} was {kept}. {without}", *results)
    if status == "finished":
        shutil.rmtree(run.backup, ignore_errors=True)
        run.start_weights.unlink(missing_ok=True)


def open_unfinished(name: str | None) -> tuple[run_folder.Run, Settings, DataCheck]:
    """Open an interrupted run, and check that its images are the same."""
    run, record, settings = run_search.open_run(name, resuming=True)
    data = load_data(settings)
    if data.fingerprint != record.data_fingerprint:
        raise InputError(
            f"cannot resume {run.name}: images in {settings.data.folder} changed since it started; "
            "start a new run: python train.py"
        )
    return run, settings, data


def create_run(args: argparse.Namespace) -> tuple[run_folder.Run, Settings, DataCheck]:
    """Choose the settings, check the data and create the folder of a new run."""
    start = run_search.open_run(args.start) if args.start else None
    before = start[2].model_dump(include=LEARNT_SECTIONS) if start else None
    further = FURTHER_TRAINING if start else ()
    overrides = [*further, *args.settings]  # the last one of a key counts
    settings, images_from_audio = choose_settings(args.config, overrides, before)
    if settings.train.tensorboard:
        check_packages(["tensorboard"])
    if start:
        check_start(start[0], start[2], settings)
    data = load_data(settings, "give one with data.folder=PATH")
    settings = with_conditions_of(data.records, settings)
    if start:
        warn_of_leaks(start[0], start[2], data.records)
        with suppress_native_stderr():
            from deepfake_audio.training.weights import load_network
            from model import build_model
        load_network(build_model, start[0].keras_model, settings)  # damaged weights create no run
    learnt = record_files.known_data(start[1]) if start else ()
    run = run_creation.create_run(
        args.run, settings, data.fingerprint, images_from_audio, (), start and start[0], learnt
    )
    return run, settings, data


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
        help="continue an interrupted run with its own settings (default: the newest)",
    )
    args = parser.parse_intermixed_args(argv)
    if args.resume and (args.settings or args.config or args.start):
        raise InputError("--resume takes no other settings: the run has its own; leave them out")
    return args


if __name__ == "__main__":
    sys.exit(main())
