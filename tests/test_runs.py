import json
import os
import shutil
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from deepfake_audio.cli import script  # noqa: F401 - prints the warnings of the package
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError
from deepfake_audio.models import (
    fingerprints,
    history,
    record_files,
    run_creation,
    run_folder,
    run_search,
)
from deepfake_audio.models.calibration import Calibration

MODEL = helper.make_model(
    helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "a network that only needs to be read",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
    )
).SerializeToString()


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_run(name: str | None = None, status: str = "finished", **changes) -> run_folder.Run:
    run = run_creation.create_run(name, load_settings(), "data-fingerprint", images_from_audio=True)
    run.onnx_model.write_bytes(MODEL)
    changes = {"status": status, "best_epoch": 1, "calibration": Calibration(2.0, 0.5)} | changes
    record_files.write_record(run, record_files.read_record(run).model_copy(update=changes))
    return run


def error_of(call, *args, **kwargs) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_a_run_reads_back_what_was_written():
    make_run("first")
    run, record, settings = run_search.open_run("first")
    assert record.calibration == Calibration(2.0, 0.5)
    assert record.classes == ("fake", "real")
    assert settings == load_settings()
    assert json.loads(run.record.read_text())["versions"].keys() >= {
        "deepfake-audio",
        "numpy",
        "keras",
    }


def test_a_run_with_the_old_names_of_settings_opens_as_before():
    run = make_run("old")
    text = run.config.read_text()
    for new, old in (("  channels: ", "  color: "), ("  inputs: ", "  views: ")):
        assert text.count(new) == 1
        text = text.replace(new, old)
    run.config.write_text(text)
    assert run_search.open_run("old")[2] == load_settings()


def test_a_run_with_old_names_of_settings_keeps_its_fingerprint():
    shutil.copytree(run_folder.PRETRAINED, "old")
    config = Path("old", "config.yaml")
    text = config.read_text()
    for name, old in (("channels: level", "color: level"), ("  inputs: [", "  views: [")):
        assert name in text
        text = text.replace(name, old)
    config.write_text(text)
    _, record, settings = run_search.open_run("old")
    assert record.settings_fingerprint == fingerprints.fingerprint_settings(settings)


def test_runs_without_a_name_are_numbered_after_the_data():
    assert [make_run().name, make_run().name] == ["sample-1", "sample-2"]


@pytest.mark.parametrize(
    ("data", "name"), [("data/.hid", "hid-1"), ("..x.y", "x.y-1"), ("data/...", "data-1")]
)
def test_the_run_of_a_hidden_data_folder_is_not_hidden(data, name):
    settings = load_settings(None, [f"data.folder={data}"])
    run = run_creation.create_run(None, settings, "data-fingerprint", images_from_audio=True)
    assert run.name == name and run.record.is_file()


def test_a_run_can_be_named_by_its_path(tmp_path):
    run = make_run("first")
    moved = run.folder.rename(tmp_path / "elsewhere")
    assert run_search.open_run(str(moved))[0].folder == moved


def test_without_a_name_the_newest_usable_run_is_taken():
    make_run("zzz")
    make_run("aaa", status="interrupted")
    make_run("cut-off", status="training")
    assert run_search.open_run(None)[0].name == "aaa"
    assert run_search.open_run(None, resuming=True)[0].name == "cut-off"


def cut_off(run: run_folder.Run) -> None:
    run.record.write_text(run.record.read_text()[:-20])


def folder_for_record(run: run_folder.Run) -> None:
    run.record.unlink()
    run.record.mkdir()


def unreadable(run: run_folder.Run) -> None:
    run.record.chmod(0)


def no_entry(run: run_folder.Run) -> None:
    run.folder.chmod(0)


def changed(**values):
    def change(run: run_folder.Run) -> None:
        run.record.write_text(json.dumps(json.loads(run.record.read_text()) | values))

    return change


DAMAGES = {
    "cut_off": cut_off,
    "empty": lambda run: run.record.write_text(""),
    "folder": folder_for_record,
    "link_to_nothing": lambda run: (run.record.unlink(), run.record.symlink_to("gone")),
    "unreadable": unreadable,
    "no_entry": no_entry,
    "binary": lambda run: run.record.write_bytes(bytes(range(256))),
    "future_format": changed(format=2),
    "no_number_for_a_date": changed(created=float("nan")),
    "first_date": changed(created="0001-01-01T00:00:00+23:59", status="finished", seed=-1),
    "no_model": lambda run: run.onnx_model.unlink(),
    "model_cut_off": lambda run: run.onnx_model.write_bytes(MODEL[:-9]),
    "model_of_another_run": changed(model_fingerprint="0" * 64),
    "no_settings": lambda run: run.config.unlink(),
    "settings_cut_off": lambda run: run.config.write_text(run.config.read_text()[:900]),
    "settings_of_the_future": lambda run: run.config.write_text("later: {new: 1}\n"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_name_damaged_runs_are_skipped_with_one_line_each(damage, capsys):
    if os.name != "posix" or (os.geteuid() == 0 and damage in ("unreadable", "no_entry")):
        pytest.skip("permissions bind only other users")
    make_run("good")
    run = make_run("bad")
    DAMAGES[damage](run)
    Path("runs/notes.txt").touch()
    Path("runs/empty").mkdir()
    try:
        assert run_search.open_run(None, overrides=["predict.prior_fake=0.1"])[0].name == "good"
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("Warning: skipped the run runs/bad: ")
        error_of(run_search.open_run, "bad")
        assert not capsys.readouterr().err
    finally:
        run.folder.chmod(0o700)


def test_if_every_run_is_damaged_the_shipped_one_or_a_remedy_is_offered(capsys):
    for name in ("one", "two"):
        cut_off(make_run(name))
    assert error_of(run_search.open_run, None).startswith("runs/ has no trained run")
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert run_search.open_run(None, or_pretrained=True)[0].folder == run_folder.PRETRAINED


def test_a_wrong_override_is_not_reported_as_a_damaged_run(capsys):
    make_run("good")
    assert "predict.prior_fake" in error_of(
        run_search.open_run, None, overrides=["predict.prior_fake=9"]
    )
    assert not capsys.readouterr().err


def test_an_existing_name_is_refused():
    make_run("first")
    assert error_of(make_run, "first") == (
        "--name first: runs/first exists already; choose another --name, resume it with "
        "--resume, or delete the folder"
    )


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", "/tmp/x"])
def test_a_run_stays_below_its_folder(name):
    assert "is not a name for a run; use one without a slash" in error_of(make_run, name)


def test_without_a_run_the_remedy_is_named():
    message = "runs/ has no trained run; make one with: python train.py"
    assert error_of(run_search.open_run, None) == message


def test_an_unknown_name_lists_the_known_ones():
    make_run("first")
    assert error_of(run_search.open_run, "second").endswith(
        "second: run.json is missing; runs are: first"
    )


def test_a_run_that_was_cut_off_is_resumed_and_not_used():
    make_run("first", status="training")
    assert error_of(run_search.open_run, "first").endswith("python train.py --resume --run first")
    assert run_search.open_run("first", resuming=True)[1].status == "training"


def test_a_finished_run_is_not_resumed():
    make_run("first")
    assert "cannot resume first: its training is finished" in error_of(
        run_search.open_run, "first", resuming=True
    )


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"status": "finished"}', '{"classes": ["real", "fake"]}']
)
def test_a_damaged_record_is_an_error(content):
    run = make_run("first")
    run.record.write_text(content)
    assert error_of(run_search.open_run, "first").startswith("cannot read ")


def test_history_reads_back_and_names_the_epoch_to_keep():
    run = make_run("first")
    rows = [
        {"epoch": 1, "loss": 0.7, "val_loss": 0.6, "accuracy": 0.5, "val_accuracy": 0.5},
        {"epoch": 2, "loss": 0.5, "val_loss": 0.25, "accuracy": 0.7, "val_accuracy": 0.6},
    ]
    history.write_history(run, rows)
    assert history.read_history(run) == rows
    assert history.kept_epoch(rows, "plateau") == 2
    rows.append(rows[0] | {"epoch": 3})
    assert history.kept_epoch(rows, "plateau") == 2
    assert history.kept_epoch(rows, "cosine") == 3
    diverged = [*rows, rows[0] | {"epoch": 4, "val_loss": float("nan")}]
    assert [history.kept_epoch(diverged, name) for name in ("plateau", "cosine")] == [2, 3]
    assert history.kept_epoch(diverged[3:], "cosine") == 4


COLUMNS = "epoch,loss,accuracy,val_loss,val_accuracy"


@pytest.mark.parametrize(
    "text",
    [
        "epoch,loss\n1,0.5\n",
        f"{COLUMNS}\n",
        f"{COLUMNS}\n2,1,1,1,1\n",
        f"{COLUMNS}\n1,1,1,1,1\n1,1,1,1,1\n",
        f"{COLUMNS}\n1,one,1,1,1\n",
        f"{COLUMNS}\n1,1,1,1e308,1\n",
        f"{COLUMNS}\n1,-inf,1,1,1\n",
        f"{COLUMNS}\n1,1,1,1\n",
        f"{COLUMNS}\n1,1,1,1,1,1\n",
        f"{COLUMNS}{',x' * 30}\n1{',1' * 34}\n",
    ],
)
def test_a_history_that_cannot_be_plotted_is_an_error(text):
    run = make_run("first")
    run.history.write_text(text)
    assert error_of(history.read_history, run).startswith("cannot read ")


@pytest.mark.parametrize(
    "changes",
    [{"created": "2026-01-01T00:00:00"}, {"best_epoch": 10**400}, {"best_epoch": 0}, {"seed": -1}],
)
def test_records_with_incomparable_numbers_or_times_are_errors(changes):
    make_run("first")
    other = make_run("other")
    other.record.write_text(json.dumps(json.loads(other.record.read_text()) | changes))
    error = error_of(run_search.open_run, "other", resuming=True)
    assert error.startswith("cannot read runs/other")
