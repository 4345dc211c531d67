"""Feed changed files to the readers until the time is up, and print what they could not stand.

    python -m tests.fuzz                    one minute
    python -m tests.fuzz 600 --seed 2       ten minutes, other changes

Images, sound, protocols, lists, tables of scores and verdicts, settings, models, weights and the
records of runs, shards and data folders take turns. A reader may return something finite, the same
each time, or raise a InputError of one line. Anything else is a finding: another exception, a
number that is none, two answers for one file, more than 2 GB of memory or more than 20 seconds of
the processor (not of the clock: a busy machine is no finding). The files are tried in child
processes, in batches, so that a crash of a decoder is found too; the file is then kept in
fuzz-findings/.
"""

import argparse
import itertools
import json
import multiprocessing
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from deepfake_audio.errors import InputError
from deepfake_audio.system.atomic_files import atomic_write

from .targets import BESIDE, TARGETS

BATCH, SECONDS_A_FILE = 200, 20
OF_TENSORFLOW, ROUNDS_A_TURN = ("weights", "hdf5"), 8  # its import takes as long as other batches
SECONDS_WITHOUT_ANY = 300  # a file that waits for something takes no time of the processor
MOST_KILOBYTES = 2_000_000
FINDINGS = Path("fuzz-findings")
HEADER_BYTES = 300
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def change(content: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, more often near the beginning; at times cut, repeat or insert."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        end = min(HEADER_BYTES, len(changed)) if rng.random() < 0.6 else len(changed)
        place, kind = int(rng.integers(0, max(1, end))), rng.integers(0, 8)
        if kind < 4 and changed:
            wild = rng.random() < 0.5
            changed[place] = INTERESTING[rng.integers(5)] if wild else rng.integers(256)
        elif kind == 4:
            changed[place : place + 4] = rng.bytes(4)
        elif kind == 5:
            changed[place:place] = rng.bytes(rng.integers(1, 12))
        elif kind == 6:
            length = int(rng.integers(1, 40))
            changed[place:place] = changed[place : place + length] * int(rng.integers(1, 6))
        elif rng.random() < 0.3:
            del changed[max(1, place) :]
    return bytes(changed)


def try_file(target: str, path: Path) -> str:
    """Read a file twice; return what is wrong, empty if nothing is."""
    read = TARGETS[target][0]
    answers = []
    for _ in range(2):
        try:
            answers.append(read(path))
        except InputError as error:
            answers.append(str(error))
            if "\n" in str(error).replace(str(path), ""):
                return f"more than one line: {error!r}"
        except Exception as error:  # what is looked for, and printed
            return f"{type(error).__name__}: {str(error)[:200]}"
        np.frombuffer(np.random.default_rng(len(answers)).bytes(1 << 20), np.uint8).copy()
    if answers[0] != answers[1]:
        return "two answers for one file"
    return "a number that is none" if "nan" in str(answers[0])[:200].lower().split() else ""


def run_batch(target: str, seed: int, folder: str, tried) -> None:
    """Try a batch of changed files; `tried` tells the parent which one a crash came from."""
    rng = np.random.default_rng(seed)
    seeds = TARGETS[target][1]
    for number in range(BATCH):
        name, content = seeds[rng.integers(len(seeds))]
        path = write_files(Path(folder, "fuzzed"), target, name, change(content, rng))
        tried.value = number + 1
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE * 2)  # what never ends is ended then
        finding = try_file(target, path)
        if time.process_time() - started > SECONDS_A_FILE:
            finding = finding or "longer than 20 seconds"
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MOST_KILOBYTES:
            finding = finding or "more than 2 GB of memory"
        if finding:
            write_finding(Path(folder, "findings", f"{number:03}_{path.name}"), finding, path)


def write_files(place: Path, target: str, name: str, content: bytes) -> Path:
    """Write a changed file, alone but for the files that its reader needs; return its path."""
    shutil.rmtree(place, ignore_errors=True)
    for other, needed in (BESIDE.get(target, {}) | {name: content}).items():
        (place / other).parent.mkdir(parents=True, exist_ok=True)
        (place / other).write_bytes(needed)
    return place / name


def write_finding(place: Path, finding: str, path: Path) -> None:
    """Write what was found and the file it was found in, so that a crash or a kill loses neither.

    Not through a pipe: one that is full holds up the child, and its parent where half is in it.
    """
    with atomic_write(place) as partial:
        partial.write_bytes(json.dumps(finding).encode() + b"\n" + path.read_bytes())


def take_findings(target: str, folder: str) -> list[tuple[str, str, str, bytes]]:
    """Return what a batch has found, and take it away."""
    findings = []
    for path in sorted(Path(folder, "findings").glob("[0-9]*")):
        finding, _, content = path.read_bytes().partition(b"\n")
        findings.append((target, json.loads(finding), path.name.partition("_")[2], content))
        path.unlink()
    return findings


def changed_file(target: str, folder: str) -> Path:
    place, names = Path(folder, "fuzzed"), {name for name, _ in TARGETS[target][1]}
    return next(place / name for name in names if (place / name).exists())


def wait_for(batch: multiprocessing.Process, tried) -> None:
    """Wait until a batch has ended, or has gone on with no file for long."""
    last = -1
    while batch.is_alive() and tried.value != last:
        last, ends = tried.value, time.monotonic() + SECONDS_WITHOUT_ANY
        while batch.is_alive() and tried.value == last and time.monotonic() < ends:
            batch.join(0.2)


def fuzz(seconds: float, seed: int) -> int:
    """Let the targets take turns until the time is up; return the number of findings."""
    context = multiprocessing.get_context("fork")
    executions, findings = Counter(), []
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        for turn in itertools.takewhile(lambda _: time.monotonic() < ends, itertools.count()):
            for target in TARGETS:
                if target in OF_TENSORFLOW and turn % ROUNDS_A_TURN:
                    continue
                seed += 1
                tried = context.Value("i", 0)
                batch = context.Process(target=run_batch, args=(target, seed, folder, tried))
                batch.start()
                wait_for(batch, tried)
                executions[target] += tried.value
                if batch.exitcode is None:
                    batch.kill()
                    batch.join()
                findings += take_findings(target, folder)
                if batch.exitcode:
                    path = changed_file(target, folder)
                    finding = f"the process ended with {batch.exitcode}"
                    findings.append((target, finding, path.name, path.read_bytes()))
    print_results(executions, findings)
    return len(findings)


def print_results(executions: Counter, findings: list[tuple[str, str, str, bytes]]) -> None:
    for target in TARGETS:
        count = sum(finding[0] == target for finding in findings)
        print(f"{target:12}{executions[target]:10,} executions{count:8,} findings")
    print(f"{'all':12}{executions.total():10,} executions{len(findings):8,} findings")
    for number, (target, finding, name, content) in enumerate(findings[:50]):
        FINDINGS.mkdir(exist_ok=True)
        path = FINDINGS / f"{target}_{number}_{name}"
        path.write_bytes(content)
        print(json.dumps({"finding": finding, "file": str(path)}))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    return 1 if fuzz(args.seconds, args.seed * 1_000_000) else 0


if __name__ == "__main__":
    sys.exit(main())
