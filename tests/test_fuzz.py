"""What the fuzzer finds comes out of it, however its child process ends."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from deepfake_audio.errors import InputError
from fuzz import __main__ as fuzz

LARGE = bytes(5000)  # a batch of such files is more than a pipe holds


@pytest.fixture(autouse=True)
def at_once(tmp_path, monkeypatch):
    """Work in an empty folder, and fail what waits for ever."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "SECONDS_WITHOUT_ANY", 3)

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def fuzz_alone(monkeypatch, read, content=LARGE) -> int:
    """Try a batch of changes of one file with a reader; return the number of findings.

    The reader takes 0.2 seconds a batch, or there is time for another one.
    """
    monkeypatch.setattr(fuzz, "TARGETS", {"some": (read, [("some.bin", content)])})
    return fuzz.fuzz(0.2, seed=1)


def test_more_findings_than_a_pipe_holds_are_all_reported(monkeypatch, capsys):
    def fail(path: Path):
        time.sleep(0.002)
        raise ValueError(f"of {path.name}")

    assert fuzz_alone(monkeypatch, fail) == fuzz.BATCH
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()[2:]]
    assert {each["finding"] for each in told} == {"ValueError: of some.bin"}
    kept = [Path(each["file"]).read_bytes() for each in told]
    random = np.random.default_rng(2)  # of the first batch
    assert kept == [fuzz.change([LARGE][random.integers(1)], random) for _ in range(50)]


def test_a_crash_is_a_finding_and_keeps_the_earlier_ones(monkeypatch, capsys):
    tried = []

    def crash_at_the_third(path: Path):
        tried.append(path)
        time.sleep(0.1)
        if len(tried) < 3:
            raise ValueError("one of two")
        os.kill(os.getpid(), signal.SIGKILL)

    assert fuzz_alone(monkeypatch, crash_at_the_third) == 3
    told = [json.loads(line)["finding"] for line in capsys.readouterr().out.splitlines()[2:]]
    assert told == ["ValueError: one of two"] * 2 + ["the process ended with -9"]


@pytest.mark.parametrize(
    ("message", "is_found"),
    [
        ("cannot read {path}; give another", False),
        ("cannot read {path}.\nAnd more.", True),
        ("cannot read.\nNothing.", True),
    ],
)
def test_an_error_of_two_lines_is_a_finding_with_any_name(message, is_found, monkeypatch):
    def refuse(path: Path):
        raise InputError(message.format(path=path))

    monkeypatch.setattr(fuzz, "TARGETS", {"some": (refuse, [])})
    found = fuzz.try_file("some", Path("some.bin"))
    assert found.startswith("more than one line") == is_found


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_each_reader_takes_the_files_that_are_changed(target, tmp_path):
    read, seeds = fuzz.TARGETS[target]
    for number, (name, content) in enumerate(seeds):
        read(fuzz.write_files(tmp_path / str(number), target, name, content))
