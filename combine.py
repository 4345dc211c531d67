"""Let the networks of several trained runs vote as one: the mean of their log-odds is the score.

    python combine.py runs/a runs/b                two runs, or more
    python combine.py runs/a runs/b --run both     as runs/both

Runs that differ in their seed, in model.views or in the fakes that they were trained on err in
different places, and their mean errs less. They have the same settings of audio, image and network
otherwise. The new run keeps the other settings of the first, and its calibration is fitted on the
first's validation images: predict.py, evaluate.py and export.py take it like any run.
"""

import argparse
import os
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from deepfake_audio.cli.arguments import Parser, add_name_option
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.loading import check_settings
from deepfake_audio.config.schema import MAX_INPUTS, Settings
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.models import run_folder
from deepfake_audio.system.atomic_files import atomic_write, folder_lock
from train import load_data, network_with, put_to_use, warn_of_leaks

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Part(NamedTuple):
    """A run that takes part."""

    run: run_folder.Run
    record: run_folder.RunRecord
    settings: Settings


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    parts = open_parts(args.runs)
    first = parts[0]
    settings = joint_settings(parts)
    data = load_data(settings)
    if data.fingerprint != first.record.data_fingerprint:
        raise InputError(
            "A calibration is fitted on the images that the first run was trained with. "
            f"Received: {settings.data.folder}, changed since. Name another run first."
        )
    for part in parts[1:]:
        warn_of_leaks(part.run, part.settings, data.records)
    weights = [weights for part in parts for weights in member_weights(part)]
    run = run_folder.create_run(
        args.run,
        settings,
        data.fingerprint,
        all(part.record.images_from_audio for part in parts),
        [one_line(part.run.name) for part in parts],
        learnt=[each for part in parts for each in run_folder.known_data(part.record)],
    )
    try:
        with folder_lock(run.config, "Combining"):
            join_networks(run, settings, weights)
            parts_named = run_folder.read_record(run).parts
            heading = f"Together, {' and '.join(parts_named)} have"
            put_to_use(run, settings, data.records, {"status": "finished"}, heading)
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="combine.py", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a folder below runs/, or a path")
    add_name_option(
        parser,
        "of the new run below runs/ (default: the data folder's name and a number)",
        dest="run",
        old="--run",
    )
    args = parser.parse_args(argv)
    if len(args.runs) < 2:
        raise InputError(
            f"At least two runs vote. Received: {args.runs[0]} alone. Name others too."
        )
    return args


def open_parts(names: Sequence[str]) -> list[Part]:
    """Open the runs, or raise a `InputError` if one is named twice."""
    parts = [Part(*run_folder.open_run(name)) for name in names]
    folders = [part.run.folder.resolve() for part in parts]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice:
        raise InputError(f"A run votes once. Received: {twice.name} twice. Name it once.")
    return parts


def joint_settings(parts: Sequence[Part]) -> Settings:
    """Return the first run's settings, with the views of all.

    Raises:
        InputError: the runs' networks can't look at the same images, or are too many.
    """
    first = parts[0].settings
    views = [view for part in parts for view in part.settings.model.views]
    for part in parts[1:]:
        for name in ("audio", "image", "model"):
            ours, theirs = (getattr(s, name).model_dump() for s in (first, part.settings))
            other = [key for key in ours if ours[key] != theirs[key] and key != "views"]
            if other:
                raise InputError(
                    "Networks that vote have the same audio, image and model settings, but for "
                    f"model.views. Received: {part.run.name} with another {name}.{other[0]} than "
                    f"{parts[0].run.name}. Train one of them with the other's."
                )
    if len(views) > MAX_INPUTS:
        raise InputError(
            f"At most {MAX_INPUTS} networks vote. Received: {len(views)}. Name fewer runs."
        )
    values = first.model_dump()
    values["model"]["views"] = views
    return check_settings(values, origin="the runs together")


def join_networks(run: run_folder.Run, settings: Settings, weights: Sequence[list]) -> None:
    """Write `model.keras` with the weights of each network, in the order of the views."""
    from model import build_model, members

    network = build_model(settings.model, settings.image)
    for member, learnt in zip(members(network), weights, strict=True):
        member.set_weights(learnt)
    with atomic_write(run.keras_model) as partial:
        network.save(partial)
        compress(partial)


def compress(archive: Path) -> None:
    """Write a zip archive anew with its members compressed: Keras stores them, padding and all."""
    with zipfile.ZipFile(archive) as stored:
        members = {info: stored.read(info) for info in stored.infolist()}
    with zipfile.ZipFile(archive, "w") as compressed:
        for info, content in members.items():
            compressed.writestr(info, content, zipfile.ZIP_DEFLATED)


def member_weights(part: Part) -> list[list]:
    """Return the weights of each network of a run."""
    from model import members

    network = network_with(part.run.keras_model, part.settings)
    return [member.get_weights() for member in members(network)]


if __name__ == "__main__":
    sys.exit(main())
