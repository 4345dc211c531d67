"""Make fakes to train on: small neural vocoders learn real voices and resynthesize each recording.

    python make_fakes.py my_real_voices             all kinds, into data/my_real_voices-copies
    python make_fakes.py my_real_voices --out data/copies --kinds istft codec --files 300 --seed 2
    python make_fakes.py LA --corpus asvspoof2019   a public corpus: its real training files
    python make_fakes.py LA --whole                 all of it, and fakes of its real training files
    python make_fakes.py my_real_voices --command fargan='./resynthesize.sh {input} {output}'

A fake has the words, the voice and the channel of its original, so the two differ only by the
traces of a generator. my_real_voices contains audio files, in folders of any depth, or anything
that prepare.py takes: the real files of its training split are used, with their speakers.

Writes real/ and fake/<kind>/ as FLAC of one rate and one level, and labels.csv: a corpus for
prepare.py, which puts a recording and its fakes into the same split. The first minute of a
recording is used. Each kind trains for about five minutes on one core; --steps changes that.

--command starts any vocoder that you have, once: {input} is a folder with a 16-bit mono WAV of
16 kHz for each real file, and {output} an empty folder, which it fills with audio files of the same
names, of any format and rate. Its fakes go to fake/NAME/; the kinds above are made only if --kinds
names them.

--whole also writes all other files of a corpus, to others/, each with its label and its split: the
new folder is the corpus and the fakes. --files is then the number of files that get fakes.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser, check_least
from deepfake_audio.cli.fakes import count_left_out, make_fakes, read_clips
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.corpora.known_corpora import CORPORA
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.atomic_files import atomic_folder
from deepfake_audio.vocoders.external import read_external_vocoders
from deepfake_audio.vocoders.resynthesis import (
    KINDS,
    find_voices,
    sample_clips,
    write_labels,
    write_originals,
)

MAX_SEED = 2**32 - 1


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    root = Path(args.voices)
    out = Path(args.out or Path("data", f"{root.resolve().name}-copies"))
    if os.path.lexists(out):
        raise InputError(f"{out} exists already; choose another --out, or remove it")
    clips = read_clips(root, args.corpus, args.whole)
    chosen = sample_clips(find_voices(clips, root, args.whole), args.files, args.seed)
    names = {clip.name for clip in chosen}
    rest = [clip for clip in clips if clip.name not in names] if args.whole else []
    with atomic_folder(out) as folder:
        originals, errors = write_originals(chosen, folder, "real")
        print_errors(errors)
        if not originals:
            raise InputError(
                f"none of {len(chosen):,} files can be used, for the reasons above; "
                "give other files"
            )
        fakes = make_fakes(originals, folder, args.vocoders, args.kinds, args.steps, args.seed)
        others, errors = write_originals(rest, folder, "others")
        print_errors(errors)
        write_labels([*originals, *fakes, *others], root.resolve().name, folder / "labels.csv")
    made = f"{len(originals):,} real files and {len(fakes):,} fakes"
    made += f" and {len(others):,} others" if others else ""
    print_lines(f"Made: {made} in {one_line(out)}")
    left_out = count_left_out(
        ("files", len(originals) + len(others), len(chosen) + len(rest)),
        ("fakes", len(fakes), len(originals) * (len(args.vocoders) + len(args.kinds))),
    )
    if left_out:
        print_lines(f"Left out: {left_out}, for the reasons above")
    name = shlex.quote(f"{out.name}-images")
    print_lines(one_line(f"Next: python prepare.py {shlex.quote(str(out))} --name {name}"))
    return EXIT_SOME_FAILED if left_out else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="make_fakes.py", description=__doc__)
    parser.add_argument("voices", metavar="FOLDER", help="real voices, or a corpus")
    parser.add_argument(
        "--out", metavar="FOLDER", help="folder to make (default: data/<the voices' folder>-copies)"
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS,
        help="small vocoders to train (default: all; with --command none)",
    )  # fmt: skip
    parser.add_argument(
        "--command", metavar="NAME=PROGRAM", action="append", default=[],
        help="command of another vocoder, with {input} and {output}; may be repeated",
    )  # fmt: skip
    parser.add_argument("--whole", action="store_true", help="write all other files too")
    parser.add_argument(
        "--files", metavar="N", type=int, help="number of files, chosen at random (default: all)"
    )
    parser.add_argument(
        "--steps", metavar="N", type=int, help="training steps (default: about five minutes)"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="random seed (default: 1)")
    parser.add_argument(
        "--corpus", choices=sorted(CORPORA), help="layout of the corpus (default: detected)"
    )
    args = parser.parse_args(argv)
    check_least(args, {"files": 1, "steps": 1})
    if not 0 <= args.seed <= MAX_SEED:
        raise InputError(f"--seed is {args.seed}; give a number from 0 to {MAX_SEED:,}")
    args.vocoders = read_external_vocoders(args.command, taken=KINDS)
    args.kinds = list(dict.fromkeys(args.kinds or (() if args.vocoders else KINDS)))
    return args


if __name__ == "__main__":
    sys.exit(main())
