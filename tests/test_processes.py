"""Work in several processes: signals, and a process that the system ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import psutil
import pytest

from conftest import ROOT
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError
from deepfake_audio.inference import pipeline
from deepfake_audio.inference.inputs import Reading
from deepfake_audio.system import workers
from deepfake_audio.system.signals import interrupts_raised
from deepfake_audio.system.workers import count_cores, in_processes, in_threads, usable_threads
from helpers import is_running, wait_until

pytestmark = pytest.mark.usefixtures("own_signals")


def hears(name: str) -> bool:
    try:
        os.kill(os.getpid(), getattr(signal, name))
    except KeyboardInterrupt:
        return True
    return False


def end_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_only_the_parent_process_handles_termination(name):
    with interrupts_raised():
        assert hears(name)
    assert list(in_processes(hears, [(name,)] * 8, 2, "works")) == [False] * 8


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_ctrl_c_reaches_the_parent_process():
    with interrupts_raised(), pytest.raises(KeyboardInterrupt):
        for _ in in_processes(pow, [(number, 2) for number in range(500)], 2, "works"):
            os.kill(os.getpid(), signal.SIGINT)
    assert list(in_processes(pow, [(3, 2)], 2, "works")) == [9]


@pytest.mark.slow
def test_a_worker_killed_by_the_system_is_reported():
    with pytest.raises(InputError, match="the system ended a process that works"):
        list(in_processes(end_oneself, [()] * 2, 2, "works"))
    assert list(in_processes(pow, [(3, 2)], 2, "works")) == [9]


def judge_or_end(*args) -> list[str]:
    """Take the place of `_score_batch`: end at one of the files, as for lack of memory."""
    names = args[2]
    if "7" in names:
        end_oneself()
    return list(names)


@pytest.mark.slow
def test_a_file_that_ends_its_process_fails_and_the_others_are_judged(monkeypatch):
    monkeypatch.setattr(pipeline, "_score_batch", judge_or_end)
    reading = Reading(load_settings(), images_from_audio=True)
    names = [str(number) for number in range(30)]
    found = list(pipeline.score_in_processes(Path("model.onnx"), reading, names, 2, None))
    assert [each for each in found if each != found[7]] == [*names[:7], *names[8:]]
    assert found[7].error == "cannot judge 7: the process ended at it; leave it out"


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_calls_unless_any_will_do(workers):
    calls = [(number, 2) for number in range(50)]
    squares = [number**2 for number in range(50)]
    assert list(in_processes(pow, calls, workers, "works")) == squares
    assert sorted(in_processes(pow, calls, workers, "works", in_order=False)) == squares


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_give_results_in_order_and_raise_at_the_place_of_an_error(threads):
    def invert(number: int) -> float:
        return 1 / number

    results = in_threads(invert, [4, 2, 0, 1], threads)
    assert [next(results), next(results)] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_take_some_items_at_a_time():
    taken = []
    results = in_threads(str, (taken.append(n) or n for n in range(10_000)), 2)
    assert next(results) == "0"
    assert len(taken) < 100
    results.close()


ENDLESS = """
import time
from deepfake_audio.system.workers import in_processes
list(in_processes(time.sleep, [(3600,)] * 4, 2, "sleeps"))
"""


@pytest.mark.slow
def test_no_worker_is_left_if_the_parent_is_killed():
    first = subprocess.Popen([sys.executable, "-c", ENDLESS], cwd=ROOT)
    watched = psutil.Process(first.pid)
    wait_until(lambda: len(watched.children()) >= 4, first)
    started = watched.children(recursive=True)
    first.kill()  # it is no more than a zombie until it is waited for, and has to count as ended
    wait_until(lambda: not any(map(is_running, started)))
    first.wait()


def test_the_count_of_cores_equals_that_of_joblib():
    assert count_cores() == joblib.cpu_count()


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("100000 100000\n", 1), ("max 100000\n", 64), ("-1 100000", 64), ("", 64)],
)
def test_the_quota_of_a_container_bounds_processes_and_threads(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    monkeypatch.setattr(workers, "QUOTA_FILES", [[tmp_path / "cpu.max"]])
    (tmp_path / "cpu.max").write_text(quota)
    assert count_cores() == cores
    assert usable_threads(0) == min(cores, 8)
