"""Classify recordings or spectrogram images as real or fake speech.

    python predict.py clip.wav                      one line: verdict, confidence, file
    python predict.py a.mp3 b.png folder/           several files, and all in a folder
    cat clip.ogg | python predict.py -              standard input
    python predict.py --list names.txt              the files that a text names, one a line
    python predict.py --timeline call.wav           which passages are fake, with a picture
    python predict.py --segments fakes call.wav     these passages as files in fakes/
    python predict.py --report call.html call.wav   a page to print, with the reasons
    python predict.py --run first clip.wav          with runs/first instead of the newest run
    python predict.py --run models/pretrained clip.wav      the shipped model
    python predict.py --json folder/                one JSON object a line: docs/json.md
    python predict.py --csv verdicts.csv folder/    also a table; if interrupted, it continues
    python predict.py --board out.csv dataset/      as a public board asks: docs/evaluating.md
    python predict.py --workers 0 folder/           many files, a process for each core
    python predict.py --shard 1/8 --csv v.csv folder/       an eighth of the files; see join.py
    python predict.py --channel 1 call.wav          one channel of a recording; the other is 2
    python predict.py --track 2 film.mkv            one of several audio tracks
    python predict.py --set predict.prior_fake=0.1 clip.wav    if one in ten files is fake

The confidence is the probability of the verdict, calibrated on known files: it holds for voices
recorded like those. The shipped model also measures the quality of the recording: noise, rooms,
compression and telephones hide traces, and lower its confidence. The verdict is UNCERTAIN below
predict.min_confidence; "rather fake" then names the likelier class, with the cause and the next
step. It is also UNCERTAIN for sound that is too short, silent or clipped, for a likely fake with an
echo above predict.max_echo, and if channels or tracks disagree. The "regular traces of a neural
vocoder" repeat at its frame rate; mains hum may cause them at 50 or 100 times a second. Each track
and each channel that differs is judged. Damaged parts are left out and counted. A file that can't
be read is reported and skipped; the exit code is then 1.
"""

import argparse
import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deepfake_audio.audio.sounds import Sound
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.extras import check_report, remembered, write_extras
from deepfake_audio.cli.file_list import opened_list
from deepfake_audio.cli.messages import print_error, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.standard_input import STANDARD_INPUT, with_standard_input
from deepfake_audio.cli.verdicts import (
    FAILED,
    board_rows,
    describe_run,
    format_verdict,
    kept_table,
    print_summary,
    progress,
    question_of,
    say,
)
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.inference.board_table import timed
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.pipeline import Failure
from deepfake_audio.inference.results_table import Judged
from deepfake_audio.system.atomic_files import to_json
from deepfake_audio.system.shards import to_shard
from deepfake_audio.verdict_json import as_object, as_row


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    detector = Detector.load(args.run, args.settings, bound_memory=True)
    question = question_of(detector, words_of(args))
    sources: dict[str, Sound] = {}
    counts: Counter[str] = Counter()

    def fail(failure: Failure) -> None:
        print_error(failure.error)
        if args.json:
            print_lines(to_json(as_object(failure, detector)))
        keep({"file": failure.name, "error": failure.error})
        on_board(failure.name)
        counts[FAILED] += 1

    listed = FileList(detector.record.images_from_audio, Judged(), fail, args.shard)
    table = args.csv and (args.shard.path(args.csv, ".csv") if args.shard else args.csv)
    with (
        opened_list(args.list) as names,
        kept_table(table, question, listed) as keep,
        board_rows(args.board, args.files) as on_board,
        ExitStack() as opened,
    ):
        expanded = listed.expand(itertools.chain(args.files, names))
        files = remembered(with_standard_input(expanded, opened, detector, fail), sources)
        options = {"channel": args.channel, "on_error": fail, "track": args.track}
        if args.board:  # one file at a time, to measure its latency
            results = timed(lambda file: detector.predict_many([file], **options), files)
        else:
            options |= {"workers": args.workers, "cluster": args.cluster}
            results = ((result, 0.0) for result in detector.predict_many(files, **options))
        is_known = args.run or args.json
        for result, latency_ms in progress(results):
            if not is_known:
                say(describe_run(detector))
                is_known = True
            if args.json:
                print_lines(to_json(as_object(result, detector, args.timeline)))
            else:
                print_lines(format_verdict(result))
            write_extras(args, detector, result, sources, fail)
            keep(as_row(result))
            on_board(result.name, result, latency_ms)
            counts[result.verdict] += 1
    print_summary(listed, counts, only_problems=args.json)
    return EXIT_SOME_FAILED if counts[FAILED] else EXIT_OK


def words_of(args: argparse.Namespace) -> list[str]:
    """Return the words that choose the files and their parts."""
    words = [str(args.channel), *args.files]
    if args.track is not None:
        words.insert(1, f"track {args.track}")
    if args.list is not None:
        words.insert(1, f"list {args.list}")
    return words


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="predict.py", description=__doc__)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="audio, images, folders of them, or -"
    )
    parser.add_argument(
        "--list", metavar="FILE",
        help="names of files, one a line, relative to the working folder; - for standard input",
    )  # fmt: skip
    add_options(parser)
    args = parser.parse_args(argv)
    check_arguments(args)
    return args


def add_options(parser: Parser) -> None:
    """Add the options that do not name files."""
    parser.add_argument(
        "--run",
        metavar="NAME",
        help="a folder below runs/, a path, or a fingerprint from --json (default: your newest"
        " run, but for runs on the sample, or else models/pretrained)",
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
        help="also a page to print and file; for several recordings, name a folder",
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting for this time, such as predict.prior_fake=0.1; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--csv", metavar="FILE", type=Path,
        help="also write the verdicts as a UTF-8 table; cut off, the same command goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--board", metavar="FILE",
        help="also write filename,label,latency_ms,audio_duration_sec for a public board",
    )  # fmt: skip
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
        help="judge one channel of each recording, from 1 (default: the mean of all)",
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
    for option, least in (("workers", 0), ("channel", 1), ("track", 1)):
        given = getattr(args, option)
        if given is not None and given < least:
            raise InputError(f"--{option} {given} is too small; give {least} or more")
    if args.board and (args.csv or args.workers != 1 or args.cluster is not None):
        raise InputError(
            "--board measures one file after another; leave out --workers, --cluster, and --csv, "
            "whose files of an interrupted command would be missing"
        )
    if args.cluster is not None and args.workers != 1:
        raise InputError("--cluster has workers of its own; leave out --workers")
    option = "--workers" if args.cluster is None else "--cluster"
    if STANDARD_INPUT in args.files and (args.workers != 1 or args.cluster is not None):
        raise InputError(f"{option} can't share standard input; leave out {option}, or give files")
    if args.report:
        check_report(args)
    for name in args.files if args.segments else ():
        if Path(args.segments).resolve().is_relative_to(Path(name).resolve()):
            raise InputError(
                f"--segments {args.segments} is in {name}, which is to be judged; name a folder "
                "elsewhere"
            )
    for name in args.files:
        if re.fullmatch(r"[a-z]+\.[a-z_]+=.*", name) and not os.path.lexists(name):
            raise InputError(f"{name} is no file but a setting; write --set {name}")


if __name__ == "__main__":
    sys.exit(main())
