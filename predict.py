"""Classify recordings or spectrogram images as real or fake speech.

    python predict.py clip.wav                      one line: verdict, confidence, file
    python predict.py a.mp3 b.png folder/           several files, and all in a folder
    cat clip.ogg | python predict.py -              standard input
    python predict.py --timeline call.wav           which passages are fake, with a picture
    python predict.py --segments fakes call.wav     these passages as files in fakes/
    python predict.py --report call.html call.wav   a page to print, with the reasons
    python predict.py --run first clip.wav          with runs/first instead of the newest run
    python predict.py --run models/pretrained clip.wav      the shipped model
    python predict.py --json folder/                one JSON object a line, for machines
    python predict.py --csv verdicts.csv folder/    also a table; if interrupted, it continues
    python predict.py --workers 0 folder/           many files, a process for each core
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
from deepfake_audio.cli.messages import print_error, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.standard_input import STANDARD_INPUT, with_standard_input
from deepfake_audio.cli.verdicts import (
    as_row,
    describe_run,
    format_verdict,
    kept_table,
    print_summary,
    progress,
    say,
)
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.pipeline import Failure
from deepfake_audio.models import run_folder
from deepfake_audio.system.atomic_files import to_json


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    detector = Detector.load(args.run, args.settings, bound_memory=True)
    asked = [str(Path.cwd()), str(args.channel), *args.files]
    if args.track is not None:
        asked.insert(2, f"track {args.track}")
    identity = run_folder.fingerprint_verdicts(
        detector.run, detector.record, detector.settings, asked
    )
    sources: dict[str, Sound] = {}
    failures: list[Failure] = []
    counts: Counter[str] = Counter()

    def fail(failure: Failure) -> None:
        print_error(failure.error)
        failures.append(failure)

    with kept_table(args.csv, identity) as (done, keep), ExitStack() as opened:
        listed = FileList(detector.record.images_from_audio, done, fail)
        files = with_standard_input(listed.expand(args.files), opened, detector, fail)
        results = detector.predict_many(
            remembered(files, sources), args.workers, args.channel, fail, args.track
        )
        is_known = args.run or args.json
        for result in progress(results):
            if not is_known:
                say(describe_run(detector))
                is_known = True
            row = as_row(result)
            print_lines(to_json(row) if args.json else format_verdict(result))
            write_extras(args, detector, result, sources, fail)
            keep(row)
            counts[result.verdict] += 1
        for failure in failures:
            keep({"file": failure.name, "error": failure.error})
    print_summary(listed, failures, Counter() if args.json else counts)
    return EXIT_SOME_FAILED if failures else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="predict.py", description=__doc__)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="audio, images, folders of them, or - "
    )
    parser.add_argument(
        "--run",
        metavar="NAME",
        help="a folder below runs/, or a path (default: your newest run, but for runs on the"
        " sample, or else models/pretrained)",
    )
    add_file_options(parser)
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting for this time, such as predict.prior_fake=0.1; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--csv", metavar="FILE",
        help="also write the verdicts as a UTF-8 table; cut off, the same command goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1,
        help="processes, for many files; 0 takes a process for each core (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--channel", metavar="N", type=int,
        help="judge one channel of each recording, from 1 (default: the mean of all)",
    )  # fmt: skip
    parser.add_argument(
        "--track", metavar="N", type=int,
        help="judge one audio track of each file, from 1 (default: each)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    check_arguments(args)
    return args


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that write files about each recording."""
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


def check_arguments(args: argparse.Namespace) -> None:
    """Raise an `InputError` if arguments contradict each other."""
    for option, least in (("workers", 0), ("channel", 1), ("track", 1)):
        given = getattr(args, option)
        if given is not None and given < least:
            raise InputError(f"--{option} {given} is too small; give {least} or more")
    if STANDARD_INPUT in args.files and args.workers != 1:
        raise InputError("--workers can't share standard input; leave out --workers, or give files")
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
