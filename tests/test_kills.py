"""After a kill at any moment, the next start continues, and reads no file that is half written."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import prepare
import train
from conftest import ROOT, TINY_SETTINGS, make_data_folder
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset import preparation_report
from deepfake_audio.errors import InputError
from deepfake_audio.models import record_files, run_creation, run_folder, run_search
from deepfake_audio.system.atomic_files import atomic_folder, atomic_write, folder_lock
from helpers import check_same, make_audio, wait_until


def start(script: str, *args: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *args],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def times_of_images(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*/[!.]*/[!.]*.png")}


def images_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")
    }


@pytest.mark.slow
def test_a_preparation_killed_at_random_moments_ends_like_an_uninterrupted_one(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        preparation_report, "audit", lambda *_: []
    )  # takes the longest, and draws nothing
    make_audio(tmp_path / "in", files=16, seconds=15)
    args = ["in", "--name", "killed", "prepare.workers=1"]
    assert prepare.main(["in", "--name", "whole", "prepare.workers=1"]) == 0
    whole, killed = Path("data/whole"), Path("data/killed")
    moments = random.Random(1)
    for _ in range(2):
        before = times_of_images(killed)
        process = start("prepare.py", *args)
        wait_until(lambda before=before: times_of_images(killed) != before, process)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
    assert prepare.main(args) == 0
    assert images_of(killed) == images_of(whole)
    assert (killed / "manifest.csv").read_bytes() == (whole / "manifest.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_training_killed_at_random_moments_ends_like_an_uninterrupted_one(
    tmp_path, monkeypatch, workspace
):
    monkeypatch.chdir(tmp_path)
    make_data_folder(tmp_path / "data" / "tiny")
    args = ["--run", "killed", "data.folder=data/tiny", *TINY_SETTINGS]
    moments = random.Random(2)
    for first_file in ("run.json", "history.csv"):  # before the first epoch, and in a later one
        process = start("train.py", *args)
        wait_until(Path("runs/killed", first_file).exists, process)
        time.sleep(moments.uniform(0, 1))
        process.kill()
        process.communicate()
        args = ["--resume", "--run", "killed"]
    ended = record_files.read_record(run_folder.Run(Path("runs/killed"))).status == "finished"
    assert ended or train.main(args) == 0
    check_same(run_folder.Run(Path("runs/killed")), run_folder.Run(workspace / "runs" / "first"))
    names = {path.name for path in Path("runs/killed").iterdir()}
    assert names == {"config.yaml", "run.json", "history.csv", "model.keras", "model.onnx"}
    assert run_search.open_run("killed")[1].status == "finished"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("evaluate.py", {"scores.csv": 0, "metrics.json": 1, "*.png": 0}),
        ("predict.py", {"verdicts.csv.*": 0, "verdicts.csv": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_results_are_complete_after_a_kill_at_any_moment(script, files, in_workspace, tmp_path):
    """`files` are awaited; then seconds, at most."""
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
        wait_until(lambda pattern=file: any(folder.glob(pattern)), process)
        time.sleep(moments.uniform(0, seconds))
        process.kill()
        process.communicate()
        for path in set(folder.glob("[!.]*")) - set(folder.glob("*.partial")):
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


@pytest.mark.slow
def test_a_running_training_is_locked_and_ends_in_one_line_if_an_image_breaks(
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
    wait_until(Path("runs/one/history.csv").exists, first)
    assert train.main(args) == 2
    assert train.main(["--resume", "--run", "one"]) == 2
    taken, held = capsys.readouterr().err.splitlines()
    assert taken.startswith("error: --name one: runs/one exists already")
    assert held.startswith("error: Training in runs/one is already done by another process")
    (folder / "train" / "fake" / "00.png").write_bytes(b"broken")
    _, stderr = first.communicate()
    assert first.returncode == 2
    assert "Traceback" not in stderr
    assert len(stderr.splitlines()) == 1


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path):
    held = tmp_path / "held"
    held.touch()
    for left in (".partial-abcd_123", "sub/.partial-abcd_124"):
        (tmp_path / left).mkdir(parents=True)
        (tmp_path / left / "model.keras").write_bytes(b"half")
    (tmp_path / ".hidden").touch()
    (tmp_path / ".partial-mine").mkdir()
    kept = {"held", ".hidden", ".partial-mine", "sub"}
    with folder_lock(held, "Work"):
        assert {path.name for path in tmp_path.rglob("*")} == kept
        with pytest.raises(InputError, match=r"^Work in .* is already done by another process"):
            folder_lock(held, "Work").__enter__()
    with folder_lock(held, "Work"):
        pass


FILLING = """
import os, sys
from pathlib import Path
from deepfake_audio.system.atomic_files import atomic_folder
with atomic_folder(Path("runs", sys.argv[1])) as partial:
    (partial / "big").write_bytes(b"half")
    print(flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def start_filling(name: str) -> subprocess.Popen:
    """Start a process that fills a folder, and waits; when its input ends it dies as if killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", FILLING, name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    process.stdout.readline()
    return process


@pytest.mark.slow
@pytest.mark.parametrize("making", ["folder", "run"])
def test_folders_of_killed_processes_are_removed_by_the_next_process(making, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "lock").write_bytes(b"held")
    killed, living = start_filling("a[b]"), start_filling("c")
    killed.communicate()
    of_others = [".partial-mine", ".partial-other123", ".123.a[b]"]  # nothing says that they ended
    for name in of_others:
        (tmp_path / "runs" / name).mkdir()
    (tmp_path / "runs" / ".partial-linked_1").symlink_to(tmp_path / "mine")
    if making == "run":
        run_creation.create_run("a[b]", load_settings(), "data-fingerprint", images_from_audio=True)
    else:
        with atomic_folder(Path("runs", "a[b]")) as partial:
            (partial / "whole").touch()
    left = [path for path in Path("runs").glob(".partial-*/*") if path.name in ("a[b]", "c")]
    assert [path.name for path in left] == ["c"]
    assert (left[0] / "big").read_bytes() == b"half"
    assert all(Path("runs", name).is_dir() for name in of_others)
    assert (tmp_path / "mine" / "lock").exists()
    assert Path("runs", "a[b]").is_dir()
    living.communicate()


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "result"
    path.write_text("old")
    with (
        pytest.raises(InputError, match=r"^cannot write "),
        atomic_write(path) as partial,
    ):
        partial.write_text("half")
        raise OSError(28, os.strerror(28))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_removes_only_old_plain_folders_of_killed_writes(tmp_path):
    folder = tmp_path / "timelines"
    left = {name: folder / f".partial-{name:_>8}" for name in ("old", "new", "inner", "locked")}
    left["renamed"] = folder / ".partial-mine"
    for path in left.values():
        path.mkdir(parents=True)
        (path / "a.csv").write_text("half")
    (left["inner"] / "folder").mkdir()
    (left["locked"] / "lock").touch()
    (tmp_path / "elsewhere").mkdir()
    linked = folder / ".partial-linked00"
    linked.symlink_to(tmp_path / "elsewhere")
    for name in left.keys() - {"new"}:
        os.utime(left[name], (0, 0))
    with atomic_write(folder / "b.csv") as partial:
        partial.touch()
    assert {path.name for path in folder.iterdir()} == {
        "b.csv", linked.name, *(left[n].name for n in ("new", "inner", "locked", "renamed")),
    }  # fmt: skip
