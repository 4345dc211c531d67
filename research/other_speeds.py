"""Measure what becomes of fakes that are played a little faster or slower.

    python -m research.other_speeds BENCH

Takes the files of BENCH's validation and test. The neural fakes that are FAKE as they are, and all
real files, are judged at each speed. "Speed" counts the files that are UNCERTAIN because something
repeats at an unknown rate.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import soxr

from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.detector import Detector
from deepfake_audio.vocabulary import LABELS, Verdict

SPEEDS = (0.98, 1.005, 1.02)
CLASSICAL = {"espeak", "flite", "griffin_lim", "mel_griffin_lim", "world", "festival"}


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="other_speeds", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="BENCH", help="a corpus")
    parser.add_argument("--run", default="models/pretrained", metavar="NAME")
    args = parser.parse_args(argv)
    detector = Detector.load(args.run)
    rate_hz = detector.settings.audio.sample_rate_hz
    counts = {(label, speed): Counter() for label in LABELS for speed in SPEEDS}
    for clip in read_corpus(args.folder).clips:
        if clip.split == "train" or clip.attack in CLASSICAL:
            continue
        sound = read_audio(clip.path, rate_hz)
        verdict = detector.predict((sound, rate_hz)).verdict
        if clip.label == "fake" and verdict != Verdict.FAKE:
            continue
        for speed in SPEEDS:
            played = soxr.resample(sound, rate_hz * speed, rate_hz)
            result = detector.predict((played, rate_hz))
            is_doubted = result.doubt is not None and result.doubt.code == "speed"
            counts[clip.label, speed].update([result.verdict, *["speed"] * is_doubted])
    print_lines(f"{'class':6}{'speed':>7}{'FAKE':>6}{'UNCERTAIN':>11}{'REAL':>6}{'speed':>7}")
    for (label, speed), found in counts.items():
        fake, unsure, real = (found[v] for v in (Verdict.FAKE, Verdict.UNCERTAIN, Verdict.REAL))
        print_lines(f"{label:6}{speed:7}{fake:6}{unsure:11}{real:6}{found['speed']:7}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
