"""Combine the networks of several runs into an ensemble: the score is the mean of their log-odds.

    python combine.py runs/a runs/b                 two runs, or more
    python combine.py runs/a runs/b --name both     as runs/both

Runs with different seeds, model.inputs or training fakes make different errors, and their mean
makes fewer. All other settings of audio, image and network must be the same. The new run takes the
remaining settings of the first run, and is calibrated on the first run's validation images.
predict.py, evaluate.py and export.py use it like any other run.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence

from deepfake_audio.cli.arguments import Parser, add_name_option
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.training import check_packages, load_data, print_results, warn_of_leaks
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.models import record_files, run_creation
from deepfake_audio.models.compatibility import joint_settings
from deepfake_audio.models.run_search import OpenedRun, open_run
from deepfake_audio.system.atomic_files import folder_lock
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocabulary import ImageRecord


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    check_packages()
    members = open_members(args.runs)
    settings = joint_settings(members)
    data = load_data(members[0].data_folder(), settings.image)
    if data.fingerprint != members[0].record.data_fingerprint:
        raise InputError(
            f"cannot calibrate: images in {settings.data.folder} changed since "
            f"{members[0].run.name} was trained on them; name another run first"
        )
    for member in members[1:]:
        warn_of_leaks(member.run, member.settings, data.records)
    join(args.run, members, settings, data.records, data.fingerprint)
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def join(
    name: str | None,
    members: Sequence[OpenedRun],
    settings: Settings,
    records: Sequence[ImageRecord],
    fingerprint: str,
) -> None:
    """Create the run of the ensemble, calibrate it, and print its results."""
    with suppress_native_stderr():  # TensorFlow takes seconds, and reports its processor
        from deepfake_audio.training.ensemble import member_weights, save_ensemble
        from deepfake_audio.training.export import export_and_calibrate
        from model import build_model

    weights = [each for member in members for each in member_weights(build_model, member)]
    names = [one_line(member.run.name) for member in members]
    run = run_creation.create_run(
        name,
        settings,
        fingerprint,
        all(member.record.images_from_audio for member in members),
        names,
        learnt=[each for member in members for each in record_files.known_data(member.record)],
    )
    try:
        with folder_lock(run.config, "Combining"):
            save_ensemble(build_model, run, settings, weights)
            ended = {"status": "finished"}
            results = export_and_calibrate(run, settings, records, ended, build_model)
            print_results(run, f"Together, {' and '.join(names)} have", *results)
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise


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
        raise InputError(f"an ensemble of one run, {args.runs[0]}; name at least two runs")
    return args


def open_members(names: Sequence[str]) -> list[OpenedRun]:
    """Open the runs, or raise an `InputError` if one is named twice."""
    members = [open_run(name) for name in names]
    folders = [member.run.folder.resolve() for member in members]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice:
        raise InputError(f"{twice.name} is named twice; name each run once")
    return members


if __name__ == "__main__":
    sys.exit(main())
