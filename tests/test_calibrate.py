"""A trained run fitted to recordings of another kind."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import calibrate
import evaluate
import predict
from conftest import draw_image, make_data_folder, make_voice
from deepfake_audio.audio.conditions import CONDITIONS
from deepfake_audio.cli import conditions
from deepfake_audio.conditions import fitting
from deepfake_audio.dataset.checks import check_images
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.models import onnx_session, run_folder, run_search
from deepfake_audio.vocabulary import VERDICTS
from helpers import read_rows


@pytest.fixture
def elsewhere(workspace, tmp_path, monkeypatch) -> Path:
    """A folder with runs/first and data/dark: other speakers' images, all of them darker."""
    for name in ("data/tiny", "runs/first"):
        shutil.copytree(workspace / name, tmp_path / "here" / name)
    monkeypatch.chdir(tmp_path / "here")
    folder = make_data_folder(Path("data/dark"), images_per_class=30)
    rows = read_rows(folder / "manifest.csv")
    for seed, row in enumerate(rows, start=1000):
        row["speaker"] = f"other-{row['speaker']}"
        darker = (draw_image(row["label"], seed) * 0.6).astype(np.uint8)
        (folder / row["image"]).write_bytes(encode_png(darker))
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def figures_of_test(run: str, data: Path) -> dict:
    assert evaluate.main(["--run", run, "--data", str(data), "evaluate.bootstrap=0"]) == 0
    written = Path("runs", run, f"on-{data.name}", "metrics.json")
    return json.loads(written.read_text())["splits"]["test"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.slow
def test_probabilities_fit_and_the_order_stays(elsewhere, capsys):
    before = figures_of_test("first", elsewhere)
    assert calibrate.main(["--data", "data/dark", "--run", "first", "--name", "dark"]) == 0
    after = figures_of_test("dark", elsewhere)
    assert after["cllr"] < before["cllr"] - 0.05
    assert after["eer"] == before["eer"]
    assert after["roc_auc"] == before["roc_auc"]
    known = check_images(read_records(elsewhere), run_search.open_run("dark")[2].image).fingerprint
    assert run_search.open_run("dark")[1].learnt == [known]
    assert "Run dark, epoch" in (told := capsys.readouterr().out) and "calibrated on dark" in told


@pytest.mark.slow
def test_the_printed_figures_are_those_of_the_fitted_run(elsewhere, capsys):
    assert calibrate.main(["--data", "data/dark", "--run", "first", "--name", "dark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "120 files of data/dark"
    titles = [line[:22].strip() for line in lines[3:12]]
    called = [f"{label} called {v}" for label in ("real", "fake") for v in VERDICTS]
    assert titles == [*called, "Cllr", "ECE", "EER"]
    before, after = (float(value) for value in lines[9].split()[1:])
    assert after < before
    for shares in zip(*(map(share, line.split()[3:]) for line in lines[3:6]), strict=True):
        assert sum(shares) == pytest.approx(1, abs=2e-3)


def share(text: str) -> float:
    return float(text.removesuffix("%")) / 100


@pytest.mark.parametrize("alone", [True, False])
def test_with_only_real_files_few_of_them_are_called_fake(elsewhere, alone, capsys):
    manifest = elsewhere / "manifest.csv"
    if not alone:
        lines = manifest.read_text().splitlines()
        manifest.write_text("\n".join(line for line in lines if ",fake," not in line) + "\n")
    given = ["--data", "data/dark", "--run", "first", "--name", "dark", "--false-alarms", "0.1"]
    assert calibrate.main(given) == 0  # --false-alarms uses only real files
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "60 files of data/dark"
    assert [line[:22].strip() for line in lines[3:6]] == [f"real called {v}" for v in VERDICTS]
    old, new = (run_search.open_run(name)[1].calibration for name in ("first", "dark"))
    assert new.slope == old.slope and new.intercept >= old.intercept
    records = [r for r in read_records(elsewhere) if r.label == "real" and r.split != "test"]
    run, _, settings = run_search.open_run("dark")
    model = onnx_session.load_model(run.onnx_model, 1, settings.limits)
    llr = new.llr(onnx_session.score_files(model, records, settings.image, 8).scores)
    assert np.mean(llr <= 0) <= 0.1  # as evaluate.py counts
    if new.intercept > old.intercept:  # and no further
        assert np.mean(llr - 2e-6 <= 0) > 0.1 - 1 / 60
    assert lines[-1].endswith("Next: python evaluate.py --run dark --data data/dark")


def test_files_for_test_are_not_fitted_on(elsewhere):
    assert calibrate.main(["--data", "data/dark", "--run", "first", "--name", "whole"]) == 0
    shutil.rmtree(elsewhere / "test")
    rows = (elsewhere / "manifest.csv").read_text().splitlines(keepends=True)
    (elsewhere / "manifest.csv").write_text("".join(row for row in rows if ",test," not in row))
    assert calibrate.main(["--data", "data/dark", "--run", "first", "--name", "less"]) == 0
    whole, less = (run_search.open_run(name)[1].calibration for name in ("whole", "less"))
    assert whole == less


def test_on_the_images_of_its_training_only_validation_is_used(elsewhere, capsys):
    ours = run_search.open_run("first")[1].calibration
    assert calibrate.main(["--data", "data/tiny", "--run", "first", "--name", "again"]) == 0
    assert capsys.readouterr().out.startswith("24 files of data/tiny\n")
    again = run_search.open_run("again")[1].calibration
    assert (again.slope, again.intercept) == pytest.approx((ours.slope, ours.intercept))


def test_the_new_run_judges_and_the_old_one_is_as_it_was(elsewhere, capsys):
    files = {
        path.name: path.read_bytes() for path in Path("runs/first").iterdir() if path.is_file()
    }
    assert calibrate.main(["--data", "data/dark", "--run", "first"]) == 0
    after = {
        path.name: path.read_bytes() for path in Path("runs/first").iterdir() if path.is_file()
    }
    assert after == files
    capsys.readouterr()
    assert predict.main(["--json", "data/dark/test/real/00.png"]) == 0  # the newest run
    judged = json.loads(capsys.readouterr().out)
    assert judged["run"] == "dark-1"
    record = run_search.open_run("dark-1")[1]
    assert judged["p_real"] == pytest.approx(
        float(record.calibration.probability_real(judged["score"], 0.5)), abs=1e-5
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("few", "has 4 real files for training and validation, too few for a calibration"),
        (
            "swapped",
            "cannot calibrate: the scores do not separate real from fake (EER ",
        ),
        ("test", "has 0 real files for training and validation, too few for a calibration"),
    ],
)
def test_a_failed_calibration_leaves_no_run(elsewhere, capsys, change, told):
    manifest = elsewhere / "manifest.csv"
    rows = read_rows(manifest)
    if change == "few":
        real = [row for row in rows if row["label"] == "real" and row["split"] != "test"]
        rows = [row for row in rows if row not in real[4:]]
    elif change == "swapped":
        for row in rows:
            row["label"] = "fake" if row["label"] == "real" else "real"
    else:
        rows = [row for row in rows if row["split"] == "test"]
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert calibrate.main(["--data", "data/dark", "--run", "first"]) == 2
    assert told in (err := capsys.readouterr().err)
    assert len(err.splitlines()) == 1
    assert sorted(path.name for path in Path("runs").iterdir()) == ["first"]


def test_few_files_give_a_warning(elsewhere, capsys):
    data = make_data_folder(Path("data/few"), images_per_class=6)
    assert calibrate.main(["--data", str(data), "--run", "first"]) == 0
    assert "Warning: 12 fake files are few" in capsys.readouterr().err


def test_an_existing_name_is_refused(elsewhere, capsys):
    (elsewhere / "val/real/00.png").write_bytes(b"broken")  # would be told once it is read
    assert calibrate.main(["--data", "data/dark", "--run", "first", "--name", "first"]) == 2
    assert capsys.readouterr().err == (
        "error: --name first: runs/first exists already; choose "
        "another --name, or delete the folder\n"
    )


@pytest.fixture
def recordings(tmp_path, monkeypatch) -> Path:
    """A folder of twelve real and twelve fake recordings, and one of each for testing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fitting, "MIN_CLIPS", 10)
    chosen = {name: CONDITIONS[name] for name in ("as they are", "white noise 15", "g.711")}
    monkeypatch.setattr(conditions, "CONDITIONS", chosen)
    rows = [["file", "label", "split"]]
    (tmp_path / "known").mkdir()
    for number in range(26):
        label = "real" if number % 2 else "fake"
        rows.append([f"{number}.wav", label, "test" if number > 23 else "val"])
        voice = make_voice(label, number, 1.6)
        soundfile.write(tmp_path / "known" / f"{number}.wav", voice, 16000)
    with (tmp_path / "known" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "known"


@pytest.mark.slow
def test_a_run_learns_how_the_quality_of_recordings_changes_its_scores(recordings, capsys):
    shipped = str(run_folder.PRETRAINED)
    assert calibrate.main(["--recordings", "known", "--run", shipped, "--name", "wise"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "24 files of known"
    assert [line.split("  ")[0] for line in lines[4:7]] == [
        "as they are",
        "white noise 15",
        "g.711",
    ]
    calibration = run_search.open_run("wise")[1].calibration
    assert (calibration.slope, calibration.intercept) == (1, 0)
    assert calibration.quality.fake_slope > 0
    assert predict.main(["--run", "wise", "known/0.wav"]) == 0


@pytest.mark.slow
def test_a_run_in_integers_is_calibrated_and_judges(recordings, capsys):
    shipped = str(run_folder.PRETRAINED)
    made = ["--recordings", "known", "--int8", "--run"]
    assert calibrate.main([*made, shipped, "--name", "fast"]) == 0
    sizes = [
        (folder / "model.onnx").stat().st_size
        for folder in (run_folder.PRETRAINED, Path("runs/fast"))
    ]
    assert sizes[1] < sizes[0] / 2
    assert run_search.open_run("fast")[1].calibration.quality
    assert predict.main(["--run", "fast", "known/0.wav"]) == 0
    assert calibrate.main([*made, "fast", "--name", "again"]) == 2
    assert "computes in integers already; leave out --int8" in capsys.readouterr().err
    assert not Path("runs/again").exists()


def test_few_recordings_are_an_error_and_leave_no_run(recordings, capsys):
    for path in recordings.glob("1?.wav"):
        path.unlink()
    assert calibrate.main(["--recordings", "known", "--name", "wise"]) == 2
    assert "too few to learn from; add some, at least 10 are needed" in capsys.readouterr().err
    assert not Path("runs").exists()
