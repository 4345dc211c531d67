"""Speed and accuracy beside what a user would pick instead; `python -m benchmarks` runs all."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FILES = 200
sys.path.insert(0, str(ROOT))


@dataclass(frozen=True)
class Row:
    """One line of the table: `ratio` is how many times better ours is than theirs."""

    what: str
    ours: float
    theirs: float
    ratio: float
    beside: str


def in_brackets(bounds: Sequence[float] | None) -> str:
    """Format the 95% interval of all files' error rate; None is a dash."""
    return "({:.1%}-{:.1%})".format(*bounds) if bounds else "-"


def stay_on_one_core() -> None:
    """Keep this process, its threads and its children on one core; call it before NumPy loads."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    if hasattr(os, "sched_setaffinity"):  # only Linux has it
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def sample_clips(args: Sequence[str]) -> list[Path]:
    """Return the clips that the command line names: a folder and how many of its files.

    Without a folder, the short clips of the shipped sample.
    """
    root = Path(args[0]) if args else ROOT / "data" / "sample" / "audio"
    count = int(args[1]) if len(args) > 1 else DEFAULT_FILES
    paths = sorted(path for path in root.rglob("*.flac") if not path.name.startswith("long"))
    return paths[:: max(1, len(paths) // count)][:count]


def least_seconds(
    work: Callable[[], object], rounds: int = 3, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the seconds of a piece of work, the least of some rounds after one for warming up."""
    work()
    spent = []
    for _ in range(rounds):
        started = clock()
        work()
        spent.append(clock() - started)
    return min(spent)


def print_rows(rows: Sequence[Row]) -> None:
    """Print a table of rows for people."""
    print(f"{'':44}{'ours':>10}{'theirs':>10}{'ratio':>8}  compared with")
    for row in rows:
        print(
            f"{row.what:44}{significant(row.ours):>10}{significant(row.theirs):>10}"
            f"{row.ratio:8.1f}  {row.beside}"
        )


def format_markdown(rows: Sequence[Row]) -> str:
    """Return the table for a README."""
    lines = [
        "| what | ours | theirs | ratio | compared with |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {row.what} | {significant(row.ours)} | {significant(row.theirs)} | {row.ratio:.1f} "
        f"| {row.beside} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def significant(value: float) -> str:
    """Return a figure with three digits that count.

    >>> significant(1234.5), significant(0.01234)
    ('1,230', '0.0123')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
