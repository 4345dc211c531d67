"""Measure the memory of lists and tables of a million names.

    python -m benchmarks.bench_names              a million names
    python -m benchmarks.bench_names 10000000     ten million

Each stage runs in a process of its own, for a tenth of the names and for all: reading a list and
taking a shard of it, writing a table, continuing a table, and joining the tables of four shards.
The difference is the memory that grows with the number of names.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.name_lists import read_names
from deepfake_audio.inference.results_table import resumable_table
from deepfake_audio.inference.shard_tables import join_tables, record_of, write_record
from deepfake_audio.inference.table_rows import SHARD_FIELDS, Judged
from deepfake_audio.system.shards import all_shards, to_shard

STAGES = ("list", "table", "resume", "join")
IDENTITY, TABLE = "benchmark", Path("v.csv")


def names(count: int) -> Iterator[str]:
    return (f"calls/2026-11-29/{number:08}.wav" for number in range(count))


def read_list(count: int) -> None:
    """Write a list, and take a shard of it."""
    path = Path("names.txt")
    with path.open("w") as file:
        file.writelines(f"{name}\n" for name in names(count))
    listed = FileList(True, Judged(), print, to_shard("1/4"))
    listed.is_kept = True
    with path.open("rb") as file:
        for name in listed.expand(read_names(file, path.name)):
            listed.facts(name)


def write_table(count: int) -> None:
    with resumable_table(TABLE, IDENTITY) as (_, add):
        for name in names(count):
            add({"verdict": "REAL", "file": name})


def resume_table(count: int) -> None:
    """Continue the table that `write_table` wrote as far as its end."""
    rows, partial = TABLE.read_text().splitlines(), Path(f"{TABLE}.{IDENTITY}.partial")
    partial.write_text("".join(f"{row},{'state' * (not n)}\n" for n, row in enumerate(rows)))
    with resumable_table(TABLE, IDENTITY) as (done, _):
        for name in names(count):
            done.take(name)


def join_shards(count: int) -> None:
    for shard in all_shards(4):
        path = shard.path(TABLE, ".csv")
        listed = FileList(True, Judged(), print, shard)
        listed.is_kept = True

        def record(
            complete: Path, states: str, path: Path = path, listed: FileList = listed
        ) -> None:
            write_record(path, record_of(listed, IDENTITY, {}, complete, states))

        with resumable_table(path, IDENTITY, fields=SHARD_FIELDS, on_complete=record) as (_, add):
            for name in listed.expand(names(count)):
                add({"verdict": "REAL", "file": name, **listed.facts(name)})
    join_tables(TABLE, allow_missing=False)


WORK = dict(zip(STAGES, (read_list, write_table, resume_table, join_shards), strict=True))


def measure(stage: str, count: int, folder: str) -> tuple[float, float]:
    """Run a stage in a process; return its peak memory in MB and its time in seconds."""
    began = time.monotonic()
    command = [sys.executable, "-P", "-m", "benchmarks.bench_names", str(count), stage]
    root = str(Path(__file__).resolve().parent.parent)
    printed = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE,
        text=True, check=True,
    ).stdout  # fmt: skip
    return float(printed), time.monotonic() - began


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        WORK[sys.argv[2]](count)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print(f"{'stage':8}{'names':>12}{'peak MB':>9}{'s':>8}{'MB per million more names':>28}")
    for stage in STAGES:
        before = None
        for some in (count // 10, count):
            with tempfile.TemporaryDirectory() as folder:
                if stage == "resume":
                    measure("table", some, folder)
                peak, seconds = measure(stage, some, folder)
            growth = ""
            if before is not None:
                growth = f"{(peak - before) / (count - count // 10) * 1e6:.1f}"
            before = peak
            print(f"{stage:8}{some:12,}{peak:9.0f}{seconds:8.1f}{growth:>28}", flush=True)


if __name__ == "__main__":
    main()
