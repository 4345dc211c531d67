"""Run every speed measurement, each in its own process, and print one table.

    python -m benchmarks                            on the shipped sample
    python -m benchmarks FOLDER [FILES]             sound from FILES clips of a folder
    python -m benchmarks --markdown table.md FOLDER     and write the table as Markdown

The module that measures a figure explains it. A ratio says how many times better ours is.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import ROOT, Row, format_markdown, print_rows

MODULES = (
    "bench_prepare", "bench_feed", "bench_network", "bench_answer", "bench_judge",
    "bench_intervals",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", nargs="*", metavar="FOLDER FILES", help="of audio; how many files")
    parser.add_argument("--markdown", metavar="FILE", help="also write the table as Markdown")
    parser.add_argument("--only", choices=MODULES, help="one of them, its rows as JSON")
    args = parser.parse_args(argv)
    if args.only:
        rows = importlib.import_module(f"benchmarks.{args.only}").measure(args.clips)
        print("\n" + json.dumps([asdict(row) for row in rows]))
        return 0
    rows = [row for module in MODULES for row in measured_apart(module, args.clips)]
    print_rows(rows)
    if args.markdown:
        Path(args.markdown).write_text(format_markdown(rows), encoding="utf-8")
    return 0


def measured_apart(module: str, clips: Sequence[str]) -> list[Row]:
    """Run one module in a process of its own: each settles for itself how many cores it has."""
    command = [sys.executable, "-P", "-m", "benchmarks", "--only", module, *clips]
    places = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=places)
    return [Row(**row) for row in json.loads(result.stdout.splitlines()[-1])]


if __name__ == "__main__":
    sys.exit(main())
