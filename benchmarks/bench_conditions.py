"""Measure verdicts through recording conditions: noise, rooms, echoes, codecs, telephones.

    python -m benchmarks.bench_conditions FOLDER                 your newest run, or the shipped one
    python -m benchmarks.bench_conditions FOLDER --run NAME --split val
    python -m benchmarks.bench_conditions FOLDER --only "opus 24"      may be repeated

FOLDER holds audio with a table that names label and split, or a public corpus; without splits, all
files are used. The run must not have been trained on it. A row has the number of files, the EER of
the log-likelihood ratios with its 95% interval over speakers, the expected calibration error (ECE),
the shares of real and of fake files that are called REAL, UNCERTAIN and FAKE at even odds, and how
many of the verdicts with at least 90% confidence are right. Files that cannot be judged are
reported and left out; a condition without any real or any fake file has no row.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import in_brackets
from deepfake_audio.audio.conditions import CONDITIONS
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.conditions.fitting import (
    HEADER,
    Scores,
    format_condition,
    score_conditions,
)
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_table import make_table
from deepfake_audio.evaluation.summary import evaluate_scores
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.run_search import open_run


def eer_interval(files: Scores, llr: np.ndarray, evaluate, predict) -> str:
    """Return the 95% interval of the EER over speakers."""
    table = make_table(
        {
            "file": clip.name, "split": "test", "label": clip.label, "speaker": clip.speaker,
            "attack": clip.attack, "codec": "", "corpus": clip.corpus, "score": value, "llr": value,
        }
        for clip, value in zip(files.clips, llr, strict=True)
    )  # fmt: skip
    return in_brackets(evaluate_scores(table, evaluate, predict)["intervals"].get("eer"))


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="-m benchmarks.bench_conditions", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--run", metavar="NAME", help="as predict.py takes it")
    parser.add_argument("--split", default="test", help="which files (default: test)")
    parser.add_argument("--only", action="append", choices=list(CONDITIONS), metavar="CONDITION")
    args = parser.parse_args(argv)
    clips = [c for c in read_corpus(args.folder).clips if c.split in ("", args.split)]
    if {clip.label for clip in clips} != {"real", "fake"}:
        raise InputError(
            f"{args.folder} lacks real or fake files in the split {args.split}; name another"
        )
    run, record, settings = open_run(args.run, or_pretrained=True)
    names, errors = args.only or list(CONDITIONS), []
    progress = partial(tqdm, total=len(clips) * len(names), unit=" files")
    conditions = score_conditions(clips, run, names, (), errors.append, progress)
    print_errors(errors)
    calibration: Calibration = record.calibration
    lines = [HEADER]
    for name, files in conditions.items():
        row = format_condition(name, files, calibration, settings.predict.min_confidence)
        llr = calibration.llr(files.scores, files.degraded)
        lines.append(f"{row}  {eer_interval(files, llr, settings.evaluate, settings.predict)}")
    print_lines("\n".join(lines))
    return EXIT_SOME_FAILED if errors else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
