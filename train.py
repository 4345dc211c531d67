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
from deepfake_audio.cli.training import check_packages, create_run, open_unfinished, print_results
from deepfake_audio.config.schema import ImageSettings, ModelSettings, Settings
from deepfake_audio.dataset.checks import image_stamps
from deepfake_audio.errors import InputError
from deepfake_audio.models import run_folder
from deepfake_audio.models.history import kept_epoch, read_history
from deepfake_audio.system.atomic_files import folder_lock
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocabulary import ImageRecord


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    check_packages()
    opened = open_unfinished(args.run) if args.resume else create_run(args, build_network)
    run, settings, data = opened
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


def build_network(settings: ModelSettings, image: ImageSettings):
    """Build the network of model.py, whose import loads TensorFlow."""
    from model import build_model

    return build_model(settings, image)


def train(run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord]) -> bool:
    """Train as the settings say; return False if Ctrl-C came first."""
    with suppress_native_stderr():  # TensorFlow takes seconds, and reports its processor
        from deepfake_audio.training import trainer

    trainer.set_up_process(settings.train.seed)
    feeds = trainer.make_feeds(settings, records)
    model = trainer.compile_model(build_network, settings, epoch_steps=len(feeds[0]))
    epochs_done = trainer.restore(run, model, build_network, settings)
    model.summary()
    return trainer.fit(run, settings, model, feeds, epochs_done)


def save(
    run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord], status: str
) -> None:
    """Export and calibrate the kept epoch, and print its results."""
    from deepfake_audio.training.export import export_and_calibrate

    schedule = settings.train.schedule
    epoch = kept_epoch(read_history(run), schedule)
    ended = {"status": status, "best_epoch": epoch}
    results = export_and_calibrate(run, settings, records, ended, build_network)
    kept = "the last" if schedule == "cosine" else "best on validation"
    without = "Without dropout and distortion, and with the threshold fitted on validation, it has"
    print_results(run, f"Epoch {epoch} was {kept}. {without}", *results)
    if status == "finished":
        shutil.rmtree(run.backup, ignore_errors=True)
        run.start_weights.unlink(missing_ok=True)


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
