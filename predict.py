"""Classify recordings or spectrogram images as real or fake speech.

    python predict.py clip.wav                      one line: verdict, confidence, file
    python predict.py a.mp3 b.png folder/           several files, and all in a folder
    cat clip.ogg | python predict.py -              standard input
    python predict.py --list names.txt              the files named in a text file
    python predict.py --timeline call.wav           which passages are fake, with a picture
    python predict.py --segments fakes call.wav     these passages as files in fakes/
    python predict.py --report call.html call.wav   a page to print, with the reasons
    python predict.py --run first clip.wav          with runs/first instead of the newest run
    python predict.py --run models/pretrained clip.wav      the shipped model
    python predict.py --json folder/                one JSON object a line: docs/json.md
    python predict.py --csv verdicts.csv folder/    also a table; if interrupted, it continues
    python predict.py --board out.csv dataset/      for a public leaderboard: docs/evaluating.md
    python predict.py --workers 0 folder/           many files, a process for each core
    python predict.py --shard 1/8 --csv v.csv folder/       an eighth of the files; see join.py
    python predict.py --channel 1 call.wav          one channel of a recording; the other is 2
    python predict.py --track 2 film.mkv            one of several audio tracks
    python predict.py --set predict.prior_fake=0.1 clip.wav    if one in ten files is fake

The confidence is the probability of the verdict, calibrated on known files: it holds for voices
recorded like those. The shipped model also measures the quality of the recording: noise, rooms,
compression and telephones hide traces, and lower its confidence. The verdict is UNCERTAIN below
predict.min_confidence; "rather fake" then names the likelier class, with the cause and the next
step. It is also UNCERTAIN for sound that is too short, silent, clipped or without a voice, for a
likely fake with a distinct echo above predict.max_echo, and if channels or tracks disagree. The
"regular traces of a neural vocoder" repeat at its frame rate; mains hum may cause them at 50 or 100
times a second. Each track and each channel that differs is judged. Damaged parts are left out and
counted.
A file that can't be read is reported and skipped; the exit code is then 1.
"""

import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

from deepfake_audio.cli.extras import write_extras
from deepfake_audio.cli.messages import print_error, print_lines, say
from deepfake_audio.cli.predict_arguments import parse_arguments
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.standard_input import opened_list, with_standard_input
from deepfake_audio.cli.verdict_tables import kept_table
from deepfake_audio.cli.verdicts import (
    FAILED,
    describe_judge,
    format_verdict,
    print_summary,
    progress,
)
from deepfake_audio.detector import Detector
from deepfake_audio.errors import one_line
from deepfake_audio.inference.board_table import board_table, timed
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.result import Result
from deepfake_audio.system.json_text import to_json
from deepfake_audio.verdict_json import as_row


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv, __doc__)
    detector = Detector.load(args.run, args.settings, bound_memory=True)
    listed = FileList(detector.record.images_from_audio, args.shard)
    counts: Counter[str] = Counter()
    sources: dict[str, Path] = {}  # of standard input
    is_known, has_extras = args.run or args.json, True
    with (
        opened_list(args.list) as names,
        kept_table(args, detector, listed) as keep,
        board_table(Path(args.board), args.files, say) if args.board else nullcontext() as on_board,
        ExitStack() as opened,
    ):
        expanded = listed.expand(itertools.chain(args.files, names))
        most_megabytes = detector.settings.limits.stdin_megabytes
        files = with_standard_input(expanded, opened, most_megabytes, sources)
        options = {"channel": args.channel, "track": args.track}
        if args.board:  # one file at a time, to measure its latency
            judged = timed(lambda file: detector.judge_many([file], **options), files)
        else:
            options |= {"workers": args.workers, "cluster": args.cluster}
            judged = ((each, 0.0) for each in detector.judge_many(files, **options))
        for found, latency_ms in progress(judged):
            is_judged = isinstance(found, Result)
            if not is_judged:
                print_error(found.error)
            elif not is_known:
                say(describe_judge(detector))
                is_known = True
            if args.json:
                print_lines(to_json(detector.as_dict(found, args.timeline)))
            elif is_judged:
                print_lines(format_verdict(found, args.timeline))
            if is_judged:
                has_extras &= write_extras(args, detector, found, sources)
            keep(as_row(found))
            if args.board:
                on_board(found, latency_ms)
            counts[found.verdict if is_judged else FAILED] += 1
    if args.board:
        say(f"Written: {one_line(args.board)}")
    print_summary(listed, counts, only_problems=args.json)
    return EXIT_OK if has_extras and not counts[FAILED] else EXIT_SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
