"""The arguments of predict.py."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser, add_run_option, add_set_option, check_least
from deepfake_audio.cli.extras import check_report, is_report_file
from deepfake_audio.cli.standard_input import STANDARD_INPUT
from deepfake_audio.errors import InputError
from deepfake_audio.inference.timeline_files import TIMELINES
from deepfake_audio.system.shards import to_shard


def words_of(args: argparse.Namespace) -> list[str]:
    """Return the words that choose the files and their parts."""
    options = ("list", "track", "channel")
    given = {name: value for name in options if (value := getattr(args, name)) is not None}
    return [*(f"--{name}={value}" for name, value in given.items()), *args.files]


def parse_arguments(argv: Sequence[str] | None, description: str = "") -> argparse.Namespace:
    """Read the command line; raise an `InputError` for one that can't be meant."""
    parser = Parser(prog="predict.py", description=description)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="audio, images, folders of them, or -"
    )
    parser.add_argument(
        "--list", metavar="FILE",
        help="names of files, one a line, relative to the working folder; - for standard input",
    )  # fmt: skip
    add_options(parser)
    add_work_options(parser)
    args = parser.parse_args(argv)
    if args.csv and args.shard:
        args.csv = args.shard.path(args.csv, ".csv")
    check_arguments(args)
    return args


def add_options(parser: Parser) -> None:
    """Add the options that do not name files."""
    add_run_option(
        parser,
        "the newest run on data of your own, or else models/pretrained",
        "a path, or a fingerprint from --json",
    )
    parser.add_argument(
        "--timeline", action="store_true",
        help="also a table of passages, Audacity labels and a picture in timelines/, for audio",
    )  # fmt: skip
    parser.add_argument(
        "--segments", metavar="FOLDER",
        help="also cut each FAKE passage out, with 2 s around it, into new files in FOLDER",
    )  # fmt: skip
    parser.add_argument(
        "--report", metavar="FILE",
        help="also write a page in HTML to print or keep; for several recordings, name a folder",
    )  # fmt: skip
    add_set_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--csv", metavar="FILE", type=Path,
        help="also write the verdicts as a UTF-8 table; given again, the command continues it",
    )  # fmt: skip
    parser.add_argument(
        "--board", metavar="FILE",
        help="also write filename,label,latency_ms,audio_duration_sec for a public leaderboard",
    )  # fmt: skip


def add_work_options(parser: Parser) -> None:
    """Add the options that divide the work, and that choose a part of each file."""
    parser.add_argument(
        "--shard", metavar="K/N", type=to_shard,
        help="judge part K of N, from 1/N to N/N; --csv v.csv then writes v.K-of-N.csv, and join.py"
        " joins these tables",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1,
        help="processes, for many files; 0 takes a process for each core (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--cluster", metavar="ADDRESS",
        help="judge on the workers of a Dask cluster, whose scheduler is at tcp://HOST:PORT",
    )  # fmt: skip
    parser.add_argument(
        "--channel", metavar="N", type=int,
        help="judge one channel of each recording, from 1 (default: the mean of all, or each if"
        " they differ)",
    )  # fmt: skip
    parser.add_argument(
        "--track", metavar="N", type=int,
        help="judge one audio track of each file, from 1 (default: each)",
    )  # fmt: skip


def check_arguments(args: argparse.Namespace) -> None:
    """Raise an `InputError` if arguments are missing or contradict each other."""
    if not args.files and args.list is None:
        raise InputError("missing argument FILE (see predict.py --help)")
    if args.list == STANDARD_INPUT and STANDARD_INPUT in args.files:
        raise InputError("standard input can't be a list and a recording; give one of them a file")
    if args.files.count(STANDARD_INPUT) > 1:
        raise InputError("standard input is given twice; it can be read once: leave out a -")
    check_least(args, {"workers": 0, "channel": 1, "track": 1})
    if args.board and (args.csv or args.shard or args.workers != 1 or args.cluster is not None):
        raise InputError(
            "--board measures one file after another, and needs all files in one command; leave "
            "out --workers, --cluster, --shard and --csv"
        )
    if args.cluster is not None and args.workers != 1:
        raise InputError("--cluster has workers of its own; leave out --workers")
    option = "--workers" if args.cluster is None else "--cluster"
    if STANDARD_INPUT in args.files and (args.workers != 1 or args.cluster is not None):
        raise InputError(f"{option} can't share standard input; leave out {option}, or give files")
    check_outputs(args)
    for name in args.files:
        if re.fullmatch(r"[a-z]+\.[a-z_]+=.*", name) and not os.path.lexists(name):
            raise InputError(f"{name} is no file but a setting; write --set {name}")


def check_outputs(args: argparse.Namespace) -> None:
    """Raise an `InputError` if an output can't be meant, or two would be in one place."""
    for option in ("board", "report", "segments"):
        if getattr(args, option) == "":
            raise InputError(f"--{option} has an empty name; name a file or a folder")
    if args.report:
        check_report(args)
    if args.timeline and TIMELINES.is_symlink():
        raise InputError(
            f"cannot write to {TIMELINES}: it is a link; remove it, or start in another folder"
        )
    for name in filter(None, args.files) if args.segments else ():
        if Path(args.segments).resolve().is_relative_to(Path(name).resolve()):
            raise InputError(
                f"--segments {args.segments} is in {name}, which is to be judged; name a folder "
                "elsewhere"
            )
    files = {"csv": args.csv, "board": args.board}
    folders = {"segments": args.segments}  # which a folder of reports may share
    if args.report:
        (files if is_report_file(Path(args.report)) else folders)["report"] = args.report
    places: dict[str, str] = {
        os.path.realpath(name): option for option, name in folders.items() if name
    }
    for option, name in files.items():
        if not name:
            continue
        other = places.setdefault(os.path.realpath(name), option)
        if other != option:
            raise InputError(f"--{option} {name} is the place of --{other} too; name another file")
        if args.timeline and Path(name).parent.resolve() == TIMELINES.resolve():
            raise InputError(
                f"--{option} {name} is in the folder of --timeline; name a file in another folder"
            )
