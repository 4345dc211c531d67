"""Join the shards that predict.py --shard or prepare.py --shard made.

    python join.py verdicts.csv        verdicts.1-of-8.csv to verdicts.8-of-8.csv
    python join.py data/mine           the folders data/mine.1-of-8 to data/mine.8-of-8

The result equals that of one command without --shard. A table has the rows in the same order. A
data folder is finished as prepare.py does, so its recordings must not have moved; its images
are hard links to those of the shards if the disk allows links, and copies otherwise. The shards
stay as they are, and can be removed afterwards. Missing and unfinished shards, and shards of other
models, settings, versions or named folders, end the command before anything is written. Tables of
shards that were given different files are joined; the exit code is then 1.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_lines, say
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.dataset.shard_folders import are_folders, join_folders
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.inference.shard_tables import join_tables


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if are_folders(args.whole):
        if args.allow_missing:
            raise InputError("--allow-missing is for tables; a data folder needs all its shards")
        report, is_complete = join_folders(args.whole)
    else:
        counts, is_complete = join_tables(args.whole, args.allow_missing, say)
        report = f"Written: {one_line(args.whole)}: {counts}"
    print_lines(report)
    return EXIT_OK if is_complete else EXIT_SOME_FAILED


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="join.py", description=__doc__)
    parser.add_argument(
        "whole", type=Path, metavar="NAME", help="the table or data folder without .K-of-N"
    )
    parser.add_argument(
        "--allow-missing", action="store_true",
        help="join the tables that are there; the exit code is 1 if some are missing",
    )  # fmt: skip
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
