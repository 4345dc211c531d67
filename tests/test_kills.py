"""Killed at any moment: the next start goes on, and nothing half-written is ever read."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import prepare
import train
from conftest import ROOT, TINY_SETTINGS, make_data_folder
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import UserError
from deepfake_audio.models import run_folder
from deepfake_audio.system.atomic_files import new_folder, only_one, replacing
from test_prepare import make_audio

HANG_SECONDS = 120


def start(script: str, *args: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *args],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(path: Path) -> None:
    """Wait until there is a file of that name, in which an asterisk stands for anything."""
    wait_until(lambda: any(path.parent.glob(path.name)), f"{path} did not come")


def wait_for_another_image(folder: Path, before: dict[Path, int]) -> None:
    wait_until(lambda: times_of_images(folder) != before, f"no image came into {folder}")


def wait_until(happened: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not happened():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.002)


def times_of_images(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/*/[!.]*.png")}


def images_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")
    }


def test_a_preparation_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prepare, "audit", lambda *_: [])  # takes the longest, and draws nothing
    make_audio(tmp_path / "in", files=16, seconds=15)
    args = ["in", "--name", "killed", "prepare.workers=1"]
    assert prepare.main(["in", "--name", "whole", "prepare.workers=1"]) == 0
    whole, killed = Path("data/whole"), Path("data/killed")
    moments = random.Random(1)
    for _ in range(2):
        before = times_of_images(killed)
        process = start("prepare.py", *args)
        wait_for_another_image(killed, before)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
    assert prepare.main(args) == 0
    assert images_of(killed) == images_of(whole)
    assert (killed / "manifest.csv").read_bytes() == (whole / "manifest.csv").read_bytes()


def test_a_training_killed_at_random_moments_is_finished_by_resuming(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_data_folder(tmp_path / "data" / "tiny")
    args = ["--run", "killed", "data.folder=data/tiny", *TINY_SETTINGS]
    moments = random.Random(2)
    for first_file in ("run.json", "history.csv"):  # before the first epoch, and in a later one
        process = start("train.py", *args)
        wait_for(Path("runs/killed", first_file))
        time.sleep(moments.uniform(0, 1))
        process.kill()
        process.communicate()
        args = ["--resume", "--run", "killed"]
    ended = run_folder.read_record(run_folder.Run(Path("runs/killed"))).status == "finished"
    assert ended or train.main(args) == 0
    history = Path("runs/killed/history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in history] == ["epoch", *map(str, range(1, 7))]
    names = {path.name for path in Path("runs/killed").iterdir()}
    assert names == {"config.yaml", "run.json", "history.csv", "model.keras", "model.onnx"}
    assert run_folder.open_run("killed")[1].status == "finished"


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("evaluate.py", {"*scores.csv": 0, "metrics.json": 1, "*.png": 0}),
        ("predict.py", {"*verdicts.csv": 0, "verdicts.csv": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_results_are_whole_whenever_a_script_is_killed(script, files, in_workspace, tmp_path):
    """`files` are awaited, with an asterisk before they have their names; then seconds, at most."""
    make_data_folder(tmp_path / "other", images_per_class=3)
    folder = Path("runs/first/on-other") if script == "evaluate.py" else tmp_path / "verdicts"
    args = {
        "evaluate.py": ["--data", str(tmp_path / "other")],
        "predict.py": ["--csv", str(folder / "verdicts.csv"), *["data/tiny"] * 5],
    }
    moments, whole = random.Random(3), set()
    for file, seconds in files.items():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        process = start(script, "--run", "first", *args[script])
        wait_for(folder / file)
        time.sleep(moments.uniform(0, seconds))
        process.kill()
        process.communicate()
        for path in folder.glob("[!.]*"):
            check_whole(path)
            whole.add(path.name)
    assert whole >= (
        {"scores.csv", "metrics.json"} if script == "evaluate.py" else {"verdicts.csv"}
    )
    shutil.rmtree(folder)


def check_whole(path: Path) -> None:
    """Fail unless a result has its end."""
    lines = {"scores.csv": 1 + 18, "trials.txt": 18, "verdicts.csv": 1 + 360}
    ends = {".csv": b"\n", ".txt": b"\n", ".html": b"</html>\n", ".png": b"IEND\xaeB`\x82"}
    content = path.read_bytes()
    if path.suffix == ".json":
        assert json.loads(content)
    else:
        assert content.endswith(ends[path.suffix])
    assert path.name not in lines or content.count(b"\n") == lines[path.name]


def test_a_running_training_is_left_alone_and_ends_in_one_line_if_an_image_breaks(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    folder = make_data_folder(tmp_path / "data" / "tiny")
    args = [
        "--run",
        "one",
        "data.folder=data/tiny",
        *TINY_SETTINGS,
        "train.epochs=100000",
        "train.early_stopping_patience=100000",
        "feed.cache_mb=0",  # or it may hold what it has read
    ]
    first = start("train.py", *args)
    wait_for(Path("runs/one/history.csv"))
    assert train.main(args) == 2
    assert train.main(["--resume", "--run", "one"]) == 2
    taken, held = capsys.readouterr().err.splitlines()
    assert taken.startswith("error: A run is made once. Received: --run one")
    assert held.startswith("error: Training is done by one process at a time. Received: runs/one")
    (folder / "train" / "fake" / "00.png").write_bytes(b"broken")
    _, stderr = first.communicate(timeout=HANG_SECONDS)
    assert first.returncode == 2
    assert "Traceback" not in stderr
    assert len(stderr.splitlines()) == 1


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    held = tmp_path / "held"
    held.touch()
    (tmp_path / ".123.model.keras").write_bytes(b"half")
    (tmp_path / ".hidden").touch()
    with only_one(held, "Work"):
        assert {path.name for path in tmp_path.iterdir()} == {"held", ".hidden"}
        with pytest.raises(UserError, match=r"^Work is done by one process at a time"):
            only_one(held, "Work").__enter__()
    with only_one(held, "Work"):
        pass


@pytest.fixture
def ended_process() -> int:
    """Return the number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("making", ["folder", "run"])
def test_folders_that_killed_processes_left_are_cleared_by_the_next_of_that_name(
    making, tmp_path, monkeypatch, ended_process
):
    monkeypatch.chdir(tmp_path)
    living = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    left = [f".{ended_process}.a[b]", f".{os.getpid()}.a[b]"]
    kept = [
        f".{living.pid}.a[b]", f".{os.getppid()}.a[b]", f".{ended_process}.a[b]-1",
        f".{ended_process}.b", f".{ended_process}a[b]", f"{ended_process}.a[b]",
        ".0.a[b]", f".{10**30}.a[b]", ".x.a[b]", f".{ended_process}.1.a[b]",
    ]  # fmt: skip
    for name in [*left, *kept]:
        (tmp_path / "runs" / name / "sub").mkdir(parents=True)
        (tmp_path / "runs" / name / "sub" / "big").write_bytes(b"half")
    if making == "run":
        run_folder.create_run("a[b]", load_settings(), "data-fingerprint", images_from_audio=True)
    else:
        with new_folder(Path("runs", "a[b]")) as partial:
            (partial / "whole").touch()
    living.communicate()
    assert {path.name for path in Path("runs").iterdir()} == {"a[b]", *kept}
    assert all(Path("runs", name, "sub", "big").is_file() for name in kept)
    assert Path("runs", "a[b]").is_dir() and not Path("runs", "a[b]", "sub").exists()


def test_a_link_to_a_folder_is_never_taken_for_one_that_was_left(tmp_path, ended_process):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    (tmp_path / f".{ended_process}.made").symlink_to(tmp_path / "mine")
    with new_folder(tmp_path / "made"):
        pass
    assert (tmp_path / "mine" / "file").exists()


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "result"
    path.write_text("old")
    with pytest.raises(UserError, match=r"^A result must be written"), replacing(path) as partial:
        partial.write_text("half")
        raise OSError(28, os.strerror(28))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
