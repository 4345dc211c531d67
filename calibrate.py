"""Calibrate a trained run to recordings like yours; its network stays the same.

    python calibrate.py --data data/known                   the newest run, or the shipped one
    python calibrate.py --data data/known --run models/pretrained --name fitted     as runs/fitted
    python calibrate.py --data data/known --real-only       only with the real files
    python calibrate.py --recordings FOLDER                 sound, through noise, rooms and codecs

Confidence is valid for voices recorded like those of the calibration. With other recordings, a run
may call many real voices fake although it scores fakes still lower. A line through the scores of
known files, two numbers, corrects that. Use fakes as good as those that you expect: if all fakes
are easy, better ones will pass. Without such fakes, use --real-only: it moves the threshold until
at even odds at most --false-alarms of your real files are called fake. A folder with only real
files is used in the same way.

Prepare data/known with --config RUN/config.yaml 'prepare.conditions=[]'. Its training and
validation files are used, or only validation files if the run was trained on it. Test files never
are:

    python evaluate.py --run fitted --data data/known      evaluate the new run

The order of the scores and the equal error rate stay the same. The new run works like any other.

--recordings takes labelled audio that the network has not learnt from, at least 100 real and 100
fake files, without the test split. Each file is judged through the conditions of docs/accuracy.md,
such as noise and telephones. The new run then knows how much a score means in a recording of that
quality, and answers UNCERTAIN if the quality hides the evidence. With --int8, its network computes
in integers of 8 bits: in half the time, with scores that differ by about 0.1. combine.py and
export.py still use the network in floats.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser, add_name_option, add_run_option
from deepfake_audio.cli.conditions import fit_recordings
from deepfake_audio.cli.messages import print_errors, print_lines, print_warnings
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.training import check_packages
from deepfake_audio.dataset.checks import check_images
from deepfake_audio.dataset.manifest import DATA_REMEDY, data_folder, read_records
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.recalibration import format_recalibration, recalibrate
from deepfake_audio.models import run_creation, run_search
from deepfake_audio.models.compatibility import feature_mismatch

FALSE_ALARMS = 0.05


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    run, record, settings = run_search.open_run(args.run, or_pretrained=True)
    folder = Path(args.recordings or args.data)
    # A wrong name is reported before the work begins.
    run_creation.new_run(args.name, data_folder(folder))
    if args.recordings:
        check_packages(["pyroomacoustics"])  # for the rooms, which come late
        return fit_recordings(folder, args.name, run, record, settings, args.int8)
    print_warnings(feature_mismatch(folder, settings, run))
    data = check_images(read_records(folder, DATA_REMEDY), settings.image)
    print_errors(data.unreadable)
    calibration, files, warnings = recalibrate(
        run, record, settings, data, folder, args.real_only, args.false_alarms
    )
    print_warnings(warnings)
    learnt = sorted({*record.learnt, data.fingerprint})
    new = run_creation.recalibrated_run(
        run, record, calibration, data_folder(folder), args.name, learnt
    )
    calibrations = {run.name: record.calibration, new.name: calibration}
    print_lines(f"{len(files.scores):,} files of {one_line(folder)}\n")
    print_lines(format_recalibration(files, calibrations, settings))
    next_command = f"python evaluate.py --run {new.name} --data {folder}"
    print_lines("\n" + one_line(f"Kept in {new.folder}. Next: {next_command}"))
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="calibrate.py", description=__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--data", metavar="FOLDER", help="images: a folder, or a manifest.csv")
    given.add_argument("--recordings", metavar="FOLDER", help="audio, as prepare.py takes it")
    add_run_option(parser, "the newest run on data of your own, or else models/pretrained")
    add_name_option(
        parser, "of the new run below runs/ (default: the data folder's name and a number)"
    )
    parser.add_argument("--real-only", action="store_true", help="use only the real files")
    parser.add_argument(  # its earlier spelling
        "--reals", dest="real_only", action="store_true", help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--false-alarms",
        metavar="SHARE",
        type=float,
        help="use only the real files; at most this share is called FAKE at even odds "
        f"(default: {FALSE_ALARMS})",
    )
    parser.add_argument(
        "--int8", action="store_true", help="with --recordings: compute in integers, twice as fast"
    )
    args = parser.parse_args(argv)
    if args.int8 and not args.recordings:
        raise InputError("--int8 works only with --recordings; add --recordings FOLDER")
    args.real_only = args.real_only or args.false_alarms is not None
    args.false_alarms = FALSE_ALARMS if args.false_alarms is None else args.false_alarms
    if not 0 <= args.false_alarms < 1:
        raise InputError(f"--false-alarms {args.false_alarms} is not a share from 0 to below 1")
    return args


if __name__ == "__main__":
    sys.exit(main())
