"""Evaluate a trained run, or the scores of any system: error rates, intervals, a report.

    python evaluate.py                          the newest run, on the images it was made with
    python evaluate.py --run first              runs/first
    python evaluate.py --data data/mine         on other images: a folder, or a manifest.csv
    python evaluate.py --scores S --keys K      another system's scores: docs/evaluating.md
    python evaluate.py --scores S --keys K --missing 0             files without a score count as 0
    python evaluate.py --scores S --keys K --real 1                the label 1 is real, 0 is fake
    python evaluate.py --scores S --keys K --asv A                 with t-DCF
    python evaluate.py --compare runs/first runs/second            is one better, or is it chance?
    python evaluate.py --passages data/spliced      are the fake passages of recordings found?
    python evaluate.py predict.prior_fake=0.1 evaluate.bootstrap=0     settings for this time

The scores of a recording's windows are averaged, so that each recording counts once. Intervals are
at 95%, by bootstrap over speakers, or over files if speakers are unknown. The equal error rate
(EER) is taken at the threshold where both error rates are nearest; equal scores stay together. If
the run was not trained on the images, all splits are also evaluated together, as "all". Results are
written to the run folder, to evaluations/ or to --out. Results of other files are never replaced:
the next folder gets a number.

    report.html     the report              metrics.json    all figures
    scores.csv      the score of each file  trials.txt      scores of the last split for ASVspoof
    curves.png, roc.png, det.png, scores.png, reliability.png, confusion.png
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser, add_run_option, add_settings_arguments
from deepfake_audio.cli.localisation import evaluate_passages
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.comparison import compare_systems
from deepfake_audio.evaluation.results import write_results
from deepfake_audio.evaluation.run_evaluation import (
    evaluate_run,
    evaluate_score_file,
    open_run_images,
)
from deepfake_audio.evaluation.text_report import format_comparison, format_evaluation
from deepfake_audio.system.csv_files import to_number


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.compare:
        print_lines(format_comparison(compare_systems(*args.compare, args.settings, args.real)))
        return EXIT_OK
    if args.passages:
        return evaluate_passages(args.passages, args.run, args.out, args.settings)
    exit_code = EXIT_OK
    if args.scores:
        evaluation = evaluate_score_file(
            Path(args.scores), args.keys, args.subset, args.missing, args.asv, args.out,
            args.settings, args.real,
        )  # fmt: skip
    else:
        subject, images = open_run_images(args.run, args.data, args.out, args.settings)
        print_errors(images.unreadable)
        exit_code = EXIT_SOME_FAILED if images.unreadable else EXIT_OK
        evaluation = evaluate_run(subject, images)
    print_lines(format_evaluation(evaluation))
    written = write_results(evaluation)
    if evaluation.subject.notice:
        print_lines(f"\n{one_line(evaluation.subject.notice)}")
    print_lines(f"\nWritten to {one_line(evaluation.subject.output)}: {', '.join(written)}")
    return exit_code


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="evaluate.py", description=__doc__)
    add_settings_arguments(parser, help="settings of predict, evaluate and score")
    add_run_option(parser, "the newest run; with --data, or else models/pretrained")
    parser.add_argument(
        "--data", metavar="FOLDER",
        help="other images (default: the images that the run was made with)",
    )  # fmt: skip
    parser.add_argument("--scores", metavar="FILE", help="scores of any system, instead of a run")
    parser.add_argument("--keys", metavar="FILE", help="labels of the scored files")
    parser.add_argument(
        "--subset", help="subset of ASVspoof 2021's keys: eval, progress, hidden or all"
    )
    parser.add_argument(
        "--missing",
        metavar="SCORE",
        type=to_number,
        help="score for files without one (default: an error)",
    )
    parser.add_argument(
        "--real",
        metavar="LABEL",
        help="label or class of real files, if the table does not show it: 0, 1 or a word",
    )
    parser.add_argument("--asv", metavar="FILE", help="speaker verification scores, for t-DCF")
    parser.add_argument(
        "--out", metavar="FOLDER",
        help="folder for the results (default: in the run, or evaluations/)",
    )  # fmt: skip
    parser.add_argument(
        "--compare", nargs=2, metavar="RUN", help="two evaluated runs, or two scores.csv"
    )
    parser.add_argument(
        "--passages",
        metavar="FILE",
        help="recordings whose fake passages are known: passages.csv, or its folder",
    )
    args = parser.parse_intermixed_args(argv)
    check_arguments(args)
    return args


def check_arguments(args: argparse.Namespace) -> None:
    """Raise an `InputError` if the arguments don't fit together."""
    for option in ("keys", "subset", "asv", "missing"):
        if getattr(args, option) is not None and not args.scores:
            raise InputError(f"--{option} works only with --scores; add --scores FILE")
    if args.real is not None and not (args.scores or args.compare):
        raise InputError("--real works only with --scores or --compare; add one of them")
    if not math.isfinite(args.missing or 0):
        raise InputError(f"--missing {args.missing} is not finite; give a number, such as -5")
    if args.out and args.compare:
        raise InputError("--compare writes no results; leave out --out")
    images = args.data or (args.run and not args.passages)
    if sum(map(bool, (args.scores, args.compare, args.passages, images))) > 1:
        raise InputError(
            "cannot evaluate several things at a time; "
            "choose one of --run or --data, --scores, --compare, --passages"
        )


if __name__ == "__main__":
    sys.exit(main())
