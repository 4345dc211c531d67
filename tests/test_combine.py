"""Several runs to one whose networks vote."""

import csv
import json
import re
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import combine
import evaluate
import predict
import train
from conftest import TINY_SETTINGS, make_once
from deepfake_audio.cli.training import warn_of_leaks
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.errors import InputError
from deepfake_audio.models import onnx_session, run_search
from deepfake_audio.training import export
from deepfake_audio.training.score_model import score_model
from deepfake_audio.training.weights import load_weights
from helpers import read_rows
from model import build_model


@pytest.fixture(scope="module")
def combined(workspace, tmp_path_factory) -> Path:
    """A folder with runs/first, runs/second and runs/both; do not change what is in it."""

    def make() -> None:
        inputs = "model.inputs=[time_residual, levels]"
        given = ["data.folder=data/tiny", *TINY_SETTINGS, inputs, "train.seed=2"]
        assert train.main(["--run", "second", *given]) == 0
        assert combine.main(["runs/first", "second", "--run", "both"]) == 0

    return make_once(tmp_path_factory, "combined", make, below=workspace)


@pytest.fixture
def in_copy(combined, tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(combined, folder)
    monkeypatch.chdir(folder)
    return folder


def network_scores(name: str) -> np.ndarray:
    run, _, settings = run_search.open_run(name)
    model = onnx_session.load_model(run.onnx_model, 1, settings.limits)
    records = read_records(Path("data/tiny"))
    return onnx_session.score_files(model, records, settings.image, 8).scores


@pytest.mark.slow
def test_score_is_the_mean_of_all_networks(combined, monkeypatch):
    monkeypatch.chdir(combined)
    first, second, both = (network_scores(name) for name in ("first", "second", "both"))
    np.testing.assert_allclose(both, (first + 2 * second) / 3, atol=1e-5)
    record, settings = run_search.open_run("both")[1:]
    assert record.parts == ["first", "second"]
    parts = (run_search.open_run(name)[1] for name in record.parts)
    assert record.learnt == sorted({part.data_fingerprint for part in parts})
    assert settings.model.inputs == ["levels", "time_residual", "levels"]


@pytest.mark.slow
def test_weights_are_kept_compressed_and_read_back(in_copy):
    path = Path("runs/both/model.keras")
    with zipfile.ZipFile(path) as archive:
        assert path.stat().st_size < sum(member.file_size for member in archive.infolist())
    run, _, settings = run_search.open_run("both")
    network = build_model(settings.model, settings.image)
    load_weights(network, path, settings.limits)
    images = np.random.default_rng(0).integers(0, 256, (4, *settings.image.shape), np.uint8)
    exported = onnx_session.load_model(run.onnx_model, 1, settings.limits)
    scores = score_model(network).predict(images.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(onnx_session.score_images(exported, images), scores, atol=1e-5)


@pytest.mark.slow
def test_damaged_weights_are_refused_without_a_traceback(in_copy):
    path = Path("runs/both/model.keras")
    settings = run_search.open_run("both")[2]
    network = build_model(settings.model, settings.image)
    whole, refused = path.read_bytes(), 0
    for place in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            load_weights(network, path, settings.limits)
        except InputError as error:
            refused += str(error).startswith("cannot load the weights in")
    assert refused > 40


@pytest.mark.slow
def test_a_combined_run_is_used_like_any_other(in_copy, capsys):
    assert predict.main(["--run", "both", "data/tiny/test/fake"]) == 0
    assert evaluate.main(["--run", "both", "evaluate.bootstrap=0"]) == 0
    assert "Run both of first, second, on data/tiny" in capsys.readouterr().out
    report = Path("runs/both/report.html").read_text(encoding="utf-8")
    assert "The score is the mean of first, second; calibrated on data/tiny." in report
    assert not Path("runs/both/curves.png").exists()
    assert "Loss and accuracy over the epochs" not in report


@pytest.mark.slow
def test_combined_runs_can_be_combined(in_copy):
    assert combine.main(["both", "first", "--run", "more"]) == 0
    expected = (network_scores("both") * 3 + network_scores("first")) / 4
    np.testing.assert_allclose(network_scores("more"), expected, atol=1e-5)


@pytest.mark.slow
def test_networks_of_other_settings_are_refused_in_one_line(in_copy, capsys):
    other = [*TINY_SETTINGS, "model.dense_units=5", "train.epochs=1", "data.folder=data/tiny"]
    assert train.main(["--run", "other", *other]) == 0
    capsys.readouterr()
    assert combine.main(["first", "other", "--run", "mixed"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "cannot combine other and first: they differ in model.dense_units" in message
    assert not Path("runs/mixed").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["first"], "an ensemble of one run, first; name at least two"),
        (["first", "none"], "no run in none"),
        (["first", "runs/first"], "first is named twice"),
        (
            ["first", "second", "--run", "both"],
            "--name both: runs/both exists already; choose another --name, or delete the folder",
        ),
    ],
)
def test_runs_that_cannot_be_combined_are_refused_in_one_line(in_copy, args, told, capsys):
    assert combine.main(args) == 2
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_a_part_without_weights_leaves_no_run(in_copy, capsys):
    Path("runs/second/model.keras").write_bytes(b"none")
    assert combine.main(["first", "second", "--run", "broken"]) == 2
    assert "cannot load the weights in" in capsys.readouterr().err
    assert not Path("runs/broken").exists()


@pytest.mark.slow
def test_of_many_training_images_some_are_judged_at_the_end(in_copy, monkeypatch, capsys):
    monkeypatch.setattr(export, "MAX_TRAINING_IMAGES", 6)
    assert combine.main(["first", "second", "--run", "few"]) == 0
    files = dict(re.findall(r"^  (\w+) .* files (\d+)$", capsys.readouterr().out, re.MULTILINE))
    assert int(files["train"]) <= 6 < int(files["val"])


def test_the_judged_training_images_have_both_classes_in_any_order(monkeypatch):
    monkeypatch.setattr(export, "MAX_TRAINING_IMAGES", 10)
    labels = ["fake", "real"] * 10
    some = export._some([SimpleNamespace(label=label) for label in labels])
    assert Counter(each.label for each in some) == {"fake": 5, "real": 5}
    assert len(export._some([SimpleNamespace(label="real")] * 10)) == 10


@pytest.mark.slow
def test_a_failure_while_combining_leaves_no_run(in_copy, monkeypatch):
    def cut_off(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "export_and_calibrate", cut_off)
    assert combine.main(["first", "second", "--run", "broken"]) == 130
    assert not Path("runs/broken").exists()


@pytest.mark.slow
def test_an_ensemble_that_was_killed_is_neither_trained_nor_used(in_copy, capsys):
    record = Path("runs/both/run.json")
    values = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps(values | {"status": "training"}), encoding="utf-8")
    assert predict.main(["--run", "both", "data/tiny/test/fake"]) == 2
    assert "remove it, and combine again" in capsys.readouterr().err
    assert train.main(["--resume", "--run", "both"]) == 2
    assert train.main(["--resume"]) == 2
    assert "runs/ has no interrupted training" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [{"parts": ["\x1b[31mred"]}, {"start": "\x1b[31mred"}, {"calibrated_on": "a\nb"}]
)
def test_unprintable_names_in_a_record_are_refused(in_copy, names, capsys):
    record = Path("runs/both/run.json")
    values = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps(values | names), encoding="utf-8")
    assert evaluate.main(["--run", "both"]) == 2
    captured = capsys.readouterr()
    assert "a name can be printed" in captured.err
    assert "\x1b" not in captured.out + captured.err


@pytest.mark.slow
def test_images_that_changed_are_refused(in_copy, capsys):
    next(Path("data/tiny/val/fake").glob("*.png")).unlink()
    Path("data/tiny/manifest.csv").unlink(missing_ok=True)
    assert combine.main(["first", "second"]) == 2
    assert "images in data/tiny changed since first was trained" in capsys.readouterr().err


@pytest.mark.slow
def test_a_missing_data_folder_is_an_error_with_a_remedy(in_copy, capsys):
    shutil.rmtree("data/tiny")
    assert combine.main(["first", "second"]) == 2
    assert "no data folder data/tiny; put it back (it contains" in capsys.readouterr().err


@pytest.mark.slow
def test_a_part_trained_on_the_validation_files_gives_a_warning(in_copy, capsys):
    table = Path("data/tiny/manifest.csv")
    rows = read_rows(table)
    for row in rows:
        row["audio"] = row["image"].replace(".png", ".wav")
    write_table(table, rows)
    shutil.copytree("data/tiny", "data/leaky")
    others = {"train": "val", "val": "train", "test": "test"}
    seen = [
        row | {"audio": row["audio"].replace(row["split"], others[row["split"]])} for row in rows
    ]
    write_table(Path("data/leaky/manifest.csv"), seen)
    second = run_search.open_run("second")
    leaky = "data/leaky"
    for folder, told in (
        ("data/tiny", False), ("data/gone", False), (leaky, True), (f"{leaky}/manifest.csv", True),
    ):  # fmt: skip
        data = second.settings.data.model_copy(update={"folder": folder})
        part = second._replace(settings=second.settings.model_copy(update={"data": data}))
        warn_of_leaks(part.run, part.settings, read_records(Path("data/tiny")))
        error = capsys.readouterr().err
        assert ("Warning: second was trained on 24 files that are kept for" in error) == told


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
