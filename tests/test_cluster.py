"""An existing Dask cluster judges: the verdicts of one process, and an error before a wait."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

import predict
from conftest import ROOT
from deepfake_audio.errors import InputError
from deepfake_audio.system import cluster
from helpers import read_rows, wait_until

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
JUDGE = ["--run", "heard", "--csv"]
DASK = [sys.executable, "-c", "from dask.__main__ import main; main()"]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler without workers."""
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as running:
        yield running.scheduler_address


@pytest.fixture
def start_worker(scheduler, tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """A function that starts a worker process and waits until the scheduler knows it."""
    with ExitStack() as stack:
        client = stack.enter_context(distributed.Client(scheduler, set_as_default=False))

        def start(*options: str, path: str = str(ROOT)) -> subprocess.Popen:
            known = len(client.nthreads())
            command = [*DASK, "worker", scheduler, "--no-dashboard", "--no-nanny", *options]
            process = subprocess.Popen(
                [*command, "--local-directory", str(tmp_path)], cwd=tmp_path,
                stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
            wait_until(lambda: len(client.nthreads()) > known, process)
            return process

        yield start
    with distributed.Client(scheduler, set_as_default=False) as client:
        wait_until(lambda: not client.nthreads())


def test_a_cluster_that_loses_a_worker_gives_the_verdicts_of_one_process(
    scheduler, start_worker, in_audio_workspace, tmp_path, capsys
):
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    files = [f"mine/{label}/{n:02}.wav" for n in range(12) for label in ("real", "fake")]
    files = [*files * 4, str(tmp_path / "bad.wav"), *files * 4]
    one, table = tmp_path / "one.csv", tmp_path / "v.csv"
    assert predict.main([*JUDGE, str(one), *files]) == 1
    workers = [start_worker("--nthreads", "1") for _ in range(2)]

    def kill_one() -> None:
        wait_until(lambda: any(tmp_path.glob("v.csv.*.partial")))
        partial = next(tmp_path.glob("v.csv.*.partial"))
        wait_until(lambda: not partial.exists() or partial.read_bytes().count(b"\n") > 3)
        workers[0].kill()

    killing = threading.Thread(target=kill_one)
    killing.start()
    assert predict.main([*JUDGE, str(table), "--cluster", scheduler, *files]) == 1
    killing.join()
    assert (workers[0].wait(), workers[1].poll()) == (-9, None)
    for ours, theirs in zip(read_rows(table), read_rows(one), strict=True):
        assert (ours["file"], ours["verdict"]) == (theirs["file"], theirs["verdict"])
        assert float(ours["score"] or 0) == pytest.approx(float(theirs["score"] or 0), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "path", "reason"),
    [
        ([], str(ROOT), "threads; start it with --nthreads 1"),
        (["--nthreads", "1"], "", "cannot import deepfake_audio (No module named"),
    ],
    ids=["threads", "no package"],
)
def test_a_worker_that_cannot_work_is_named_in_one_line(
    options, path, reason, scheduler, start_worker, in_audio_workspace, capsys
):
    start_worker(*(options or ["--nthreads", "3"]), path=path)
    assert predict.main(["--cluster", scheduler, "--run", "heard", "mine"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: the worker tcp://127.0.0.1:")
    assert reason in err
    assert err.count("\n") == 1


class LateCluster:
    """A client of a cluster whose second worker joins after the first check."""

    def __init__(self, version: object, answer: Callable[[], str]):
        self.workers, self.versions = {"tcp://first": 1}, {"tcp://first": cluster.__version__}
        self.version, self.answer, self.asked = version, answer, []

    def nthreads(self) -> dict[str, int]:
        return dict(self.workers)

    def run(self, function, *args, workers: list[str], **options) -> dict[str, object]:
        self.asked += workers
        return {worker: self.versions[worker] for worker in workers}

    def submit(self, function, *args, pure: bool):
        self.workers["tcp://late"], self.versions["tcp://late"] = 1, self.version
        return SimpleNamespace(result=lambda timeout: self.answer())


def unreadable() -> str:
    raise RuntimeError("Error during deserialization")


@pytest.mark.parametrize("answer", [lambda: "rows with wrong errors", unreadable])
def test_a_worker_that_joins_later_and_cannot_work_gives_no_results(answer):
    client = LateCluster(ModuleNotFoundError("No module named 'deepfake_audio'"), answer)
    machines = cluster.Cluster(client, {})
    machines.check()
    with pytest.raises(InputError, match="the worker tcp://late cannot import deepfake_audio"):
        list(machines.run_calls(pow, [(2, 3)]))


def test_a_worker_that_joins_later_and_can_work_is_checked_once():
    client = LateCluster(cluster.__version__, lambda: "rows")
    machines = cluster.Cluster(client, {})
    machines.check()
    found = list(machines.run_calls(pow, [(2, 3)] * 3))
    assert found == [((2, 3), "rows")] * 3
    assert client.asked == ["tcp://first", "tcp://late"]


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc")
def test_a_worker_that_sees_other_files_is_named(
    scheduler, start_worker, in_audio_workspace, capsys
):
    """The working folder of another process is another one, as a folder of another machine is."""
    start_worker("--nthreads", "1")
    call = "/proc/self/cwd/mine/real/00.wav"
    assert predict.main(["--cluster", scheduler, "--run", "heard", call]) == 2
    assert f"cannot see {call} as it is here (No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("localhost:8786", "--cluster localhost:8786 is no address; give tcp://HOST:PORT"),
        ("tcp://127.0.0.1:1", "cannot reach a scheduler at tcp://127.0.0.1:1: "),
        (None, "no workers at "),
    ],
    ids=["malformed", "unreachable", "no workers"],
)
def test_a_cluster_that_cannot_be_used_is_reported_at_once(
    address, reason, scheduler, in_audio_workspace, monkeypatch, capsys
):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    assert predict.main(["--cluster", address or scheduler, "--run", "heard", "mine"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith(f"error: {reason}")


def test_only_empty_folders_need_no_cluster(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert predict.main(["--cluster", "tcp://127.0.0.1:1", "empty"]) == 1
    assert "cannot judge empty: " in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--workers", "2", "a.wav"], ["-"]])
def test_a_cluster_shares_neither_processes_nor_standard_input(words, capsys):
    assert predict.main(["--cluster", "tcp://127.0.0.1:1", *words]) == 2
    assert "leave out --" in capsys.readouterr().err
