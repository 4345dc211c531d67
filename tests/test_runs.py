import json

import pytest

from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import UserError
from deepfake_audio.models import history, run_folder
from deepfake_audio.models.calibration import Calibration


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_run(name: str | None = None, status: str = "finished", **changes) -> run_folder.Run:
    run = run_folder.create_run(name, load_settings(), "data-fingerprint", images_from_audio=True)
    changes = {"status": status, "best_epoch": 1, "calibration": Calibration(2.0, 0.5)} | changes
    run_folder.write_record(run, run_folder.read_record(run).model_copy(update=changes))
    return run


def error_of(call, *args, **kwargs) -> str:
    with pytest.raises(UserError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_a_run_reads_back_what_was_written():
    make_run("first")
    run, record, settings = run_folder.open_run("first")
    assert record.calibration == Calibration(2.0, 0.5)
    assert record.classes == ("fake", "real")
    assert settings == load_settings()
    assert json.loads(run.record.read_text())["versions"].keys() >= {"python", "numpy", "keras"}


def test_runs_without_a_name_are_numbered_after_the_data():
    assert [make_run().name, make_run().name] == ["sample-1", "sample-2"]


@pytest.mark.parametrize(
    ("data", "name"), [("data/.hid", "hid-1"), ("..x.y", "x.y-1"), ("data/...", "data-1")]
)
def test_the_run_of_a_hidden_data_folder_is_not_hidden(data, name):
    settings = load_settings(None, [f"data.folder={data}"])
    run = run_folder.create_run(None, settings, "data-fingerprint", images_from_audio=True)
    assert run.name == name and run.record.is_file()


def test_a_run_can_be_named_by_its_path(tmp_path):
    run = make_run("first")
    moved = run.folder.rename(tmp_path / "elsewhere")
    assert run_folder.open_run(str(moved))[0].folder == moved


def test_without_a_name_the_newest_usable_run_is_taken():
    make_run("zzz")
    make_run("aaa", status="interrupted")
    make_run("cut-off", status="training")
    assert run_folder.open_run(None)[0].name == "aaa"
    assert run_folder.open_run(None, resuming=True)[0].name == "cut-off"


def test_a_name_is_taken_once():
    make_run("first")
    assert error_of(make_run, "first") == (
        "A run is made once. Received: --run first, which exists in runs/first. Choose another "
        "--run, go on with it by --resume, or delete the folder."
    )


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", "/tmp/x"])
def test_a_run_stays_below_its_folder(name):
    assert "a folder's name without a slash" in error_of(make_run, name)


def test_without_a_run_the_remedy_is_named():
    message = "A trained run is needed. Received: none in runs/. Make one with: python train.py"
    assert error_of(run_folder.open_run, None) == message


def test_an_unknown_name_lists_the_known_ones():
    make_run("first")
    assert error_of(run_folder.open_run, "second").endswith("Received: second. There are: first.")


def test_a_run_that_was_cut_off_is_resumed_and_not_used():
    make_run("first", status="training")
    assert error_of(run_folder.open_run, "first").endswith("python train.py --resume --run first")
    assert run_folder.open_run("first", resuming=True)[1].status == "training"


def test_a_finished_run_is_not_resumed():
    make_run("first")
    assert "Received: first, finished" in error_of(run_folder.open_run, "first", resuming=True)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"status": "finished"}', '{"classes": ["real", "fake"]}']
)
def test_a_damaged_record_is_told(content):
    run = make_run("first")
    run.record.write_text(content)
    assert error_of(run_folder.open_run, "first").startswith(
        "run.json must be as train.py wrote it."
    )


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
def test_a_history_that_can_not_be_drawn_is_told(text):
    run = make_run("first")
    run.history.write_text(text)
    assert error_of(history.read_history, run).startswith("A run keeps its history.")


@pytest.mark.parametrize(
    "changes",
    [{"created": "2026-01-01T00:00:00"}, {"best_epoch": 10**400}, {"best_epoch": 0}, {"seed": -1}],
)
def test_records_whose_numbers_and_times_can_not_be_compared_are_told(changes):
    make_run("first")
    other = make_run("other")
    other.record.write_text(json.dumps(json.loads(other.record.read_text()) | changes))
    error = error_of(run_folder.open_run, None, resuming=True)
    assert error.startswith("run.json must be as train.py wrote it. Received: runs/other")
