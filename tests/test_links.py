"""Links that a stranger laid in a run or a data folder: nothing is written through them."""

import os
import shutil
from pathlib import Path

import pytest
import soundfile

import evaluate
import predict
import prepare
from conftest import ROOT, make_voice
from deepfake_audio.errors import OutputError
from deepfake_audio.evaluation.result_folder import RESULTS
from deepfake_audio.inference.results_table import partial_path, resumable_table
from deepfake_audio.system.atomic_files import atomic_folder, atomic_write, folder_lock
from deepfake_audio.system.regular_files import open_table

SECRET = "alias ls=ls\n"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a file outside of all folders that are written to."""
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / ".bashrc"
    path.write_text(SECRET)
    return path


def is_untouched(victim: Path) -> bool:
    return victim.read_text() == SECRET and list(victim.parent.iterdir()) == [victim]


@pytest.fixture
def stranger(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of a run, in which a test may lay links."""
    shutil.copytree(workspace / "data", tmp_path / "data")
    shutil.copytree(workspace / "runs" / "first", tmp_path / "runs" / "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "first"


@pytest.mark.slow
def test_an_evaluation_does_not_write_through_a_link_in_a_run(stranger, victim):
    for name in RESULTS:
        (stranger / name).unlink(missing_ok=True)
        (stranger / f".{os.getpid()}.{name}").symlink_to(victim)
    assert evaluate.main(["--run", "first", "evaluate.bootstrap=0"]) == 0
    assert is_untouched(victim)
    assert "real" in (stranger / "scores.csv").read_text()


def test_results_of_other_data_are_not_written_into_a_linked_folder(stranger, victim, capsys):
    (stranger / "on-tiny").symlink_to(victim.parent)
    assert evaluate.main(["--run", "first", "--data", "data/tiny"]) == 2
    assert "runs/first/on-tiny: it is a link" in capsys.readouterr().err
    assert is_untouched(victim)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["prepared.jsonl", "train", "test/fake"])
def test_a_preparation_does_not_continue_in_a_folder_with_links(
    place, audio_workspace, tmp_path, monkeypatch, victim, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").symlink_to(audio_workspace / "mine")
    shutil.copytree(audio_workspace / "data" / "mine", tmp_path / "data" / "mine")
    laid = tmp_path / "data" / "mine" / place
    shutil.rmtree(laid) if laid.is_dir() else laid.unlink()
    laid.symlink_to(victim if laid.suffix else victim.parent)
    assert prepare.main(["mine", "--name", "mine", "prepare.workers=1"]) == 2
    assert "it is a link" in capsys.readouterr().err
    assert is_untouched(victim)


@pytest.mark.parametrize("place", ["tensorboard", "backup/000001.keras", "a/b/c", "held"])
def test_a_folder_with_links_is_not_locked(place, tmp_path, victim):
    held = tmp_path / "run" / "held"
    held.parent.mkdir()
    held.touch()
    laid = held.parent / place
    laid.parent.mkdir(parents=True, exist_ok=True)
    laid.unlink(missing_ok=True)
    laid.symlink_to(victim.parent if place == "tensorboard" else victim)
    with pytest.raises(OutputError, match="it is a link"), folder_lock(held, "Work"):
        pass
    assert is_untouched(victim)


@pytest.mark.slow
def test_a_preparation_does_not_continue_a_journal_with_another_name(
    audio_workspace, tmp_path, monkeypatch, victim, capsys
):
    """A stranger's archive has hard links too, and so has a copy by cp -al."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "prepared.jsonl").hardlink_to(victim)
    args = [str(audio_workspace / "mine"), "--name", "mine", "prepare.workers=1"]
    assert prepare.main(args) == 2
    assert "it has another name (a hard link)" in capsys.readouterr().err
    assert is_untouched(victim)


@pytest.mark.parametrize(
    "lay", [Path.symlink_to, Path.hardlink_to, lambda path, _: os.mkfifo(path)]
)
def test_a_table_of_verdicts_is_not_written_to_a_link_or_a_pipe(lay, tmp_path, victim):
    lay(partial_path(tmp_path / "v.csv", "abc"), victim)
    with (
        pytest.raises(OutputError, match=r"it is a link|it has another name|it is no regular"),
        resumable_table(tmp_path / "v.csv", "abc"),
    ):
        pass
    assert is_untouched(victim)


def test_a_link_in_the_place_of_a_result_is_replaced(tmp_path, victim):
    (tmp_path / "scores.csv").symlink_to(victim)
    with atomic_write(tmp_path / "scores.csv") as partial, open_table(partial) as file:
        file.write("new")
    assert (tmp_path / "scores.csv").read_text() == "new"
    assert not (tmp_path / "scores.csv").is_symlink()
    assert is_untouched(victim)


def test_unfinished_files_are_in_a_folder_that_only_this_user_may_enter(tmp_path):
    with atomic_write(tmp_path / "a.csv") as one, atomic_folder(tmp_path / "b") as two:
        for partial in (one, two):
            assert partial.parent.parent == tmp_path
            assert os.name == "nt" or partial.parent.stat().st_mode & 0o77 == 0
        one.touch()
    before = os.umask(0)
    os.umask(before)
    assert os.name == "nt" or (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o666 & ~before


def test_timelines_are_not_written_through_a_link(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Path("timelines").symlink_to(elsewhere)
    soundfile.write("a.wav", make_voice("fake", 0), 16000)
    assert predict.main(["--run", str(ROOT / "models/pretrained"), "--timeline", "a.wav"]) == 2
    assert "cannot write to timelines: it is a link" in capsys.readouterr().err
    assert not list(elsewhere.iterdir())
