"""Begin and continue runs: packages, data, settings, and messages about them."""

import argparse
import importlib.util
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_audio.cli.messages import print_errors, print_lines, print_warnings
from deepfake_audio.config.schema import ImageSettings, Settings
from deepfake_audio.dataset.checks import DataCheck, check_classes, check_images, speaker_warnings
from deepfake_audio.dataset.manifest import left_out_warnings, read_records, summarise
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.models import record_files, run_creation, run_search
from deepfake_audio.models.calibration import MAX_UNCERTAIN, MAX_USEFUL_EER
from deepfake_audio.models.compatibility import (
    LEARNT_SECTIONS,
    check_start,
    choose_settings,
    leaked_files,
    with_conditions_of,
)
from deepfake_audio.models.run_folder import Run
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocabulary import ImageRecord

if TYPE_CHECKING:
    from deepfake_audio.models.calibration import Calibration
    from deepfake_audio.training.export import SplitResult

# keras imports tf2onnx only after the training, and calibration imports sklearn then.
PACKAGES = ("keras", "tensorflow", "h5py", "sklearn", "tf2onnx")
FURTHER_TRAINING = ("train.epochs=5", "train.learning_rate=0.0003")  # of --from
NOTHING_LEARNT = "the run can't tell the real validation files from the fake ones"
BEGIN_WITH_SHIPPED = (
    "Train on more files, or begin with the shipped model: prepare them with --config "
    "models/pretrained/config.yaml, then python train.py --from models/pretrained data.folder=..."
)


def check_packages(names: Iterable[str] = PACKAGES) -> None:
    """Raise `ModuleNotFoundError` if a package is missing, without importing any.

    Call it before a run is created: a run without a network is of no use.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def open_unfinished(name: str | None) -> tuple[Run, Settings, DataCheck]:
    """Open an interrupted run, and check that its images are the same."""
    opened = run_search.open_run(name, resuming=True)
    run, record, settings = opened
    data = load_data(opened.data_folder(), settings.image)
    if data.fingerprint != record.data_fingerprint:
        raise InputError(
            f"cannot resume {run.name}: images in {settings.data.folder} changed since it started; "
            "start a new run: python train.py"
        )
    return run, settings, data


def create_run(args: argparse.Namespace, build_model: Callable) -> tuple[Run, Settings, DataCheck]:
    """Choose the settings, check the data and create the folder of a new run."""
    start = run_search.open_run(args.start) if args.start else None
    if start and not any(each.startswith("data.folder=") for each in args.settings):
        start.data_folder("name it with data.folder=PATH")
    before = start.settings.model_dump(include=LEARNT_SECTIONS) if start else None
    further = FURTHER_TRAINING if start else ()
    overrides = [*further, *args.settings]  # the last one of a key counts
    settings, images_from_audio = choose_settings(args.config, overrides, before)
    if settings.train.tensorboard:
        check_packages(["tensorboard"])
    if start:
        check_start(start.run, start.settings, settings)
    folder = Path(settings.data.folder)
    data = load_data(folder, settings.image, "give one with data.folder=PATH")
    settings = with_conditions_of(data.records, settings)
    if start:
        warn_of_leaks(start.run, start.settings, data.records)
        with suppress_native_stderr():
            from deepfake_audio.training.weights import load_network
        load_network(build_model, start.run.keras_model, settings)  # damaged weights: no run
    learnt = record_files.known_data(start.record) if start else ()
    run = run_creation.create_run(
        args.run, settings, data.fingerprint, images_from_audio, (), start and start.run, learnt
    )
    return run, settings, data


def load_data(folder: Path, image: ImageSettings, remedy: str = "put it back") -> DataCheck:
    """Read the list of images, check every image, and print a summary.

    A missing folder is an `InputError` with the remedy.
    """
    records = read_records(folder, remedy)
    print_warnings(left_out_warnings(folder))
    check_splits(records, folder)
    check_classes(records, ("train", "val"), folder)
    data = check_images(records, image)
    print_errors(data.unreadable)
    check_classes(data.records, ("train", "val"), folder)
    print_lines(f"Data: {one_line(folder)}\n{summarise(data.records)}")
    print_warnings(speaker_warnings(data.records))
    if data.unreadable:
        print_lines(f"Left out: {len(data.unreadable)} images that can't be read")
    if data.repeated:
        print_lines(
            f"Left out: {len(data.repeated)} images whose bytes stand in a later split too, "
            f"such as {one_line(data.repeated[0])}"
        )
    return data


def check_splits(records: Iterable[ImageRecord], folder: Path) -> None:
    """Raise an `InputError` if no image is in train or val."""
    if not {"train", "val"} & {record.split for record in records}:
        raise InputError(
            f"{folder} is not split into train, val and test; split it with: python prepare.py "
            f"{shlex.quote(str(folder))}"
        )


def warn_of_leaks(run: Run, settings: Settings, records: Sequence[ImageRecord]) -> None:
    """Print a warning if a run was trained on files kept for validation or test in the records."""
    leaked = leaked_files(settings, records)
    if leaked:
        fact = f"{run.name} was trained on {len(leaked):,} files that are kept for validation or"
        example = f"test here, such as {leaked[0]}: error rates on them are too good."
        print_warnings([f"{fact} {example}"])


def print_results(
    run: Run, heading: str, calibration: "Calibration", results: Sequence["SplitResult"]
) -> None:
    """Print accuracy and error rate of a finished run, and the next command."""
    print_lines(f"\n{heading}")
    for each in results:
        print_lines(
            f"  {each.split:6} accuracy {each.accuracy:6.1%}   EER {each.equal_error_rate:6.1%}"
            f"   files {each.files:,}"
        )
    print_warnings(learning_warnings(calibration, results))
    print_lines(
        f"Kept in {one_line(run.folder)}{os.sep}. Next: python evaluate.py --run {run.name}"
    )


def learning_warnings(calibration: "Calibration", results: Sequence["SplitResult"]) -> list[str]:
    """Return a warning if a run is near chance, or would answer UNCERTAIN to nearly all."""
    if calibration.says_nothing:
        return [f"{NOTHING_LEARNT}. predict.py will answer UNCERTAIN. {BEGIN_WITH_SHIPPED}"]
    validation = next(each for each in results if each.split == "val")
    rate, uncertain = validation.equal_error_rate, validation.uncertain
    if rate > MAX_USEFUL_EER:
        fact = f"the run is near chance: EER {rate:.0%} on validation, and 50% is chance"
    elif uncertain > MAX_UNCERTAIN:
        fact = f"the run would answer UNCERTAIN to {uncertain:.0%} of the validation files"
    else:
        return []
    return [f"{fact}. {BEGIN_WITH_SHIPPED}"]
