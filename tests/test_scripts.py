"""The scripts end to end, as a user runs them, on a tiny corpus."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import soundfile
import soxr

import evaluate
import predict
import train
from conftest import ROOT, TINY_SETTINGS, make_data_folder, make_voice
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import read_audio_settings
from deepfake_audio.evaluation.detection_costs import llr_cost
from deepfake_audio.models import calibration
from deepfake_audio.models.compatibility import choose_settings
from deepfake_audio.training import export as training_export
from deepfake_audio.training import trainer
from helpers import read_rows, wait_until

QUICK = "evaluate.bootstrap=0"


def run_script(name: str, *args: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / name), *args],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


def start_training(folder: Path, *args: str) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "train.py"), "data.folder=data/tiny", *TINY_SETTINGS]
    with (folder / "printed.txt").open("w") as printed:
        return subprocess.Popen(
            [*command, *args], cwd=folder, stdout=printed, stderr=subprocess.PIPE, text=True
        )


def wait_for_epochs(training: subprocess.Popen, run: Path, epochs: int) -> None:
    history = run / "history.csv"
    wait_until(
        lambda: history.is_file() and len(history.read_text().splitlines()) > epochs, training
    )


# train


@pytest.mark.slow
def test_training_writes_a_run_folder_and_prints_the_next_command(tmp_path):
    make_data_folder(tmp_path / "data" / "tiny")
    result = run_script(
        "train.py", "data.folder=data/tiny", *TINY_SETTINGS, "train.epochs=2",
        "train.tensorboard=true", folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "train fake        12         2  vocoder" in result.stdout
    assert "Epoch 2/2" in result.stdout
    assert result.stdout.splitlines()[-1] == (
        "Kept in runs/tiny-1/. Next: python evaluate.py --run tiny-1"
    )
    files = {path.name for path in (tmp_path / "runs" / "tiny-1").iterdir()}
    assert files == {
        "config.yaml", "run.json", "history.csv", "model.keras", "model.onnx", "tensorboard",
    }  # fmt: skip
    assert list((tmp_path / "runs/tiny-1/tensorboard").rglob("events.*"))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_same_seed_gives_the_same_history_with_any_workers(in_workspace):
    args = ["data.folder=data/tiny", *TINY_SETTINGS, "feed.workers=2"]
    assert train.main(["--run", "again", *args]) == 0
    assert train.main(["--run", "other-seed", *args, "train.seed=2"]) == 0
    first, again, other = (
        Path("runs", name, "history.csv").read_text() for name in ("first", "again", "other-seed")
    )
    assert again == first
    assert other != first


@pytest.mark.slow
def test_a_killed_training_continues_at_its_last_epoch(tmp_path, monkeypatch):
    make_data_folder(tmp_path / "data" / "tiny")
    training = start_training(tmp_path, "--run", "first", "train.epochs=8")
    wait_for_epochs(training, tmp_path / "runs" / "first", 3)
    training.kill()
    training.communicate()
    before = (tmp_path / "runs/first/history.csv").read_text().splitlines()

    monkeypatch.chdir(tmp_path)
    assert train.main(["--resume"]) == 0
    after = (tmp_path / "runs/first/history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in after[1:]] == [str(epoch) for epoch in range(1, 9)]
    assert after[:3] == before[:3]
    assert train.main(["--resume"]) == 2


@pytest.mark.slow
def test_a_training_killed_while_it_exports_is_finished_by_resuming(tmp_path, monkeypatch):
    make_data_folder(tmp_path / "data" / "tiny")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as killed:
        killed.setattr(
            training_export, "export_onnx", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        args = ["--run", "first", "data.folder=data/tiny", *TINY_SETTINGS, "train.epochs=2"]
        assert train.main(args) == 130
    before = Path("runs/first/history.csv").read_text()
    assert train.main(["--resume", "--run", "first"]) == 0
    assert Path("runs/first/history.csv").read_text() == before
    assert Path("runs/first/model.onnx").is_file()
    assert not Path("runs/first/backup").exists()


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_model_so_far(tmp_path, monkeypatch):
    make_data_folder(tmp_path / "data" / "tiny")
    training = start_training(
        tmp_path, "--run", "first", "train.epochs=100000", "train.early_stopping_patience=100000"
    )
    wait_for_epochs(training, tmp_path / "runs" / "first", 2)
    training.send_signal(signal.SIGINT)
    _, stderr = training.communicate()
    assert training.returncode == 130, stderr
    assert "Traceback" not in stderr
    printed = (tmp_path / "printed.txt").read_text()
    assert re.search(r"^Stopped in epoch \d+ of 100000\. Continue with: ", printed, re.M)
    monkeypatch.chdir(tmp_path)
    assert predict.main(["data/tiny/test/fake/00.png"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epochs", "said"), [(9, "Stopped in epoch 2 of 9."), (1, "error: Interrupted.")]
)
def test_a_ctrl_c_that_keras_swallows_still_ends_the_training(
    epochs, said, tmp_path, monkeypatch, own_signals, capsys
):
    class Swallowing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with suppress(KeyboardInterrupt):  # as the bare `except` of Keras's model files
                signal.raise_signal(signal.SIGINT)

    make_data_folder(tmp_path / "data" / "tiny")
    monkeypatch.chdir(tmp_path)
    usual = trainer.make_callbacks
    monkeypatch.setattr(trainer, "make_callbacks", lambda *args: [*usual(*args), Swallowing()])
    assert train.main(["data.folder=data/tiny", *TINY_SETTINGS, f"train.epochs={epochs}"]) == 130
    assert said in "".join(capsys.readouterr())
    monkeypatch.setattr(trainer, "make_callbacks", usual)
    assert train.main(["--resume"]) == 0


@pytest.mark.slow
def test_unreadable_images_are_named_left_out_and_change_the_exit_code(
    tmp_path, monkeypatch, capsys
):
    folder = make_data_folder(tmp_path / "data" / "tiny")
    (folder / "train/fake/00.png").write_bytes(b"broken")
    monkeypatch.chdir(tmp_path)
    assert train.main(["data.folder=data/tiny", *TINY_SETTINGS, "train.epochs=1"]) == 1
    captured = capsys.readouterr()
    assert "Left out: 1 images that can't be read" in captured.out
    assert captured.err.count("error: cannot read data/tiny/train") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["data.folder=none"],
            "error: no data folder none; give one with data.folder=PATH (it",
        ),
        (["train.epoch=3"], "did you mean train.epochs?"),
        (["--resume"], "runs/ has no interrupted training"),
        (["--resume", "train.epochs=3"], "--resume takes no other settings"),
        (["model.conv_filters=[4, 4, 4, 4, 4, 4, 4]"], "use fewer model.conv_filters, smaller"),
        (["audio.db_range=10"], "with which the images were made"),
    ],
)
def test_wrong_use_of_train_is_reported_in_one_line(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    assert train.main(args) == 2
    stderr = capsys.readouterr().err
    assert message in stderr
    assert stderr.count("\n") == 1


def test_audio_settings_are_found_beside_a_folder_or_its_manifest(tmp_path):
    sample = ROOT / "data" / "sample"
    for data in (sample, sample / "manifest.csv"):
        settings, known = choose_settings(None, [f"data.folder={data}"])
        assert (settings.audio, known) == (read_audio_settings(sample), True)
    _, known = choose_settings(None, [f"data.folder={tmp_path}"])
    assert not known


def test_class_weights_make_both_classes_count_the_same(data_folder):
    records = [r for r in read_records(data_folder) if r.split == "train"]
    unequal = [r for r in records if r.label == "fake"] + records[-4:]
    labels = [record.class_index for record in unequal]
    assert trainer.class_weights(labels) == {0: 16 / 24, 1: 2.0}


# evaluate


@pytest.mark.slow
def test_evaluation_prints_and_saves_figures_and_plots(in_workspace, capsys):
    assert evaluate.main(["--run", "first"]) == 0
    printed = capsys.readouterr().out
    for name in ("training", "validation", "test", "minDCF", "called fake"):
        assert name in printed
    run = Path("runs/first")
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["splits"].keys() == {"train", "val", "test"}
    test = figures["splits"]["test"]
    assert (test["files"], test["real"], test["fake"]) == (24, 12, 12)
    assert sum(map(sum, test["confusion"])) == 24
    assert test["eer"] < 0.2  # the two kinds of drawing are easy to tell apart
    low, high = test["intervals"]["eer"]
    assert low <= test["eer"] <= high
    assert "attack" not in test["groups"]  # there is only one
    rows = read_rows(run / "scores.csv")
    assert len(rows) == 72
    called_real = sum(float(row["p_real"]) >= 0.5 for row in rows if row["split"] == "test")
    assert called_real == test["confusion"][0][1] + test["confusion"][1][1]
    for picture in ("curves", "roc", "det", "confusion", "scores", "reliability"):
        assert cv2.imread(str(run / f"{picture}.png")).std() > 5


@pytest.mark.slow
def test_the_report_is_complete_in_one_file(in_workspace, capsys):
    assert evaluate.main(["--run", "first"]) == 0
    page = Path("runs/first/report.html").read_text()
    figures = json.loads(Path("runs/first/metrics.json").read_text())["splits"]["test"]
    assert f"<b>{figures['eer']:.1%}</b>" in page
    for text in (
        "Run first",
        "model.dropout",
        "tensorflow",
        "test files",
        "valid for other voices",
    ):
        assert text in page
    assert page.count("data:image/png;base64,") >= 6
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import", page)


@pytest.mark.slow
def test_trials_are_scored_again_with_the_same_result(in_workspace, tmp_path, monkeypatch, capsys):
    assert evaluate.main(["--run", "first", QUICK]) == 0
    test = json.loads(Path("runs/first/metrics.json").read_text())["splits"]["test"]
    rows = [row for row in read_rows(Path("runs/first/scores.csv")) if row["split"] == "test"]
    keys = [
        f"{row['file'].removesuffix('.png')} {'bonafide' if row['label'] == 'real' else 'spoof'}"
        for row in rows
    ]
    (tmp_path / "keys.tsv").write_text("\n".join(["filename cm-label", *keys]))
    trials = str(Path("runs/first/trials.txt").absolute())
    monkeypatch.chdir(tmp_path)
    assert evaluate.main(["--scores", trials, "--keys", "keys.tsv"]) == 0
    again = json.loads(Path("evaluations/trials/metrics.json").read_text())["splits"]["test"]
    for figure in ("eer", "min_dcf", "act_dcf", "cllr", "min_cllr", "accuracy"):
        assert again[figure] == pytest.approx(test[figure], abs=1e-6)


@pytest.mark.slow
def test_files_of_one_class_have_scores_but_no_error_rate(in_workspace, tmp_path, capsys):
    make_data_folder(tmp_path / "fakes", images_per_class=2)
    shutil.rmtree(tmp_path / "fakes/test/real")
    manifest = tmp_path / "fakes" / "manifest.csv"
    rows = [line for line in manifest.read_text().splitlines() if "test/real" not in line]
    manifest.write_text("\n".join(rows))
    assert evaluate.main(["--run", "first", "--data", str(tmp_path / "fakes"), QUICK]) == 0
    printed = capsys.readouterr().out
    assert "\nWarning: all 2 test files are fake; 2 of them were called fake." in printed
    output = Path("runs/first/on-fakes")
    figures = json.loads((output / "metrics.json").read_text())
    assert figures["splits"].keys() == {"train", "val", "all"}
    assert len(read_rows(output / "scores.csv")) == 10


@pytest.mark.slow
def test_a_file_of_an_unknown_recording_is_named_by_its_image(in_workspace, tmp_path):
    data = make_data_folder(tmp_path / "part", images_per_class=2)
    lines = (data / "manifest.csv").read_text().splitlines()
    heard = [line.replace(",test,,", f",test,{n}.wav,") for n, line in enumerate(lines[:-1])]
    (data / "manifest.csv").write_text("\n".join([*heard, lines[-1]]) + "\n")
    assert evaluate.main(["--run", "first", "--data", str(data), QUICK]) == 0
    names = {row["file"] for row in read_rows(Path("runs/first/on-part/scores.csv"))}
    assert "test/real/01.png" in names and "" not in names


@pytest.mark.slow
def test_comparing_a_run_with_itself_finds_no_difference(in_workspace, tmp_path, capsys):
    assert evaluate.main(["--run", "first", QUICK]) == 0
    capsys.readouterr()
    assert evaluate.main(["--compare", "first", "runs/first/scores.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "24 test files, matched by name"
    assert all(line.endswith(" equal") for line in lines[3:10])
    assert lines[-1].startswith("Warning: One class has 1 speaker: ")
    other = tmp_path / "other.csv"
    other.write_text(Path("runs/first/scores.csv").read_text().replace("test/fake", "test/other"))
    assert evaluate.main(["--compare", "first", str(other)]) == 2
    assert "12 of them in both; evaluate both systems on the same data" in capsys.readouterr().err


@pytest.mark.slow
def test_without_bootstrap_there_are_no_intervals(in_workspace, capsys):
    assert evaluate.main(["--run", "first", QUICK]) == 0
    figures = json.loads(Path("runs/first/metrics.json").read_text())
    assert figures["splits"]["test"]["intervals"] == {}
    assert figures["settings"]["evaluate"]["bootstrap"] == 0
    assert " to " not in re.search(r"<header>.*?</header>", report_of("first"), re.DOTALL)[0]
    assert evaluate.main(["--compare", "first", "first", QUICK]) == 0
    assert "differs" not in capsys.readouterr().out


def report_of(run: str) -> str:
    return Path("runs", run, "report.html").read_text()


def test_a_manifest_and_plain_folders_are_data_too(in_workspace, tmp_path, capsys):
    assert evaluate.main(["--run", "first", "--data", "data/tiny/manifest.csv", QUICK]) == 0
    assert json.loads(Path("runs/first/on-tiny/metrics.json").read_text())["splits"].keys() == {
        "train", "val", "test",
    }  # fmt: skip
    assert "speakers are in the run" in report_of("first/on-tiny")
    shutil.copytree("data/tiny/test", tmp_path / "plain")
    assert evaluate.main(["--run", "first", "--data", str(tmp_path / "plain"), QUICK]) == 0
    plain = json.loads(Path("runs/first/on-plain/metrics.json").read_text())["splits"]
    assert plain.keys() == {"test"} and plain["test"]["files"] == 24


def test_an_outdated_report_is_removed(in_workspace, tmp_path, capsys):
    shutil.copytree("data/tiny/test", tmp_path / "half")
    command = ["--run", "first", "--data", str(tmp_path / "half"), QUICK]
    assert evaluate.main(command) == 0
    shutil.rmtree(tmp_path / "half" / "real")
    assert evaluate.main(command) == 0
    assert not Path("runs/first/on-half/report.html").exists()
    assert not Path("runs/first/on-half/roc.png").exists()
    kept = json.loads(Path("runs/first/on-half/metrics.json").read_text())
    assert kept["splits"] == {} and "all 12 test files are fake" in kept["warnings"][-1]


def test_a_run_older_than_a_setting_of_prediction_is_still_used(in_workspace, tmp_path, capsys):
    run = tmp_path / "old"
    shutil.copytree("runs/first", run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub(r"\n *(prior_fake|bootstrap):[^\n]*", "", config))
    assert evaluate.main(["--run", str(run), QUICK]) == 0
    (run / "config.yaml").write_text(re.sub(r"\n *dropout:[^\n]*", "", config))
    assert evaluate.main(["--run", str(run)]) == 2
    assert "config.yaml has no model.dropout; write" in capsys.readouterr().err


def test_a_run_that_was_not_evaluated_is_not_compared(in_workspace, tmp_path, capsys):
    assert evaluate.main(["--run", "first", QUICK]) == 0
    run = tmp_path / "fresh"
    ignored = shutil.ignore_patterns("scores.csv")
    shutil.copytree("runs/first", run, ignore=ignored)
    assert evaluate.main(["--compare", "first", str(run)]) == 2
    assert "make it with: python evaluate.py --run fresh" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mine.csv", "evaluations"])
def test_comparing_names_without_scores_advises_no_training(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("evaluations").mkdir()
    assert evaluate.main(["--compare", name, "b.csv"]) == 2
    message = f"cannot compare {name}: it is no run, folder of results or file of scores"
    assert capsys.readouterr().err == f"error: {message}; check the name\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--keys", "keys.txt"], "--keys works only with --scores"),
        (["--scores", "a", "--run", "first"], "cannot evaluate several things at a time"),
        (["train.epochs=2"], "cannot set 'train.epochs=2' for a trained run"),
        (["evaluate.dcf_prior_fake=1.5"], "evaluate.dcf_prior_fake is 1.5; it should be"),
    ],
)
def test_contradictory_evaluation_options_are_refused(in_workspace, capsys, args, message):
    assert evaluate.main(args) == 2
    assert message in capsys.readouterr().err


def test_evaluating_other_images_leaves_the_runs_own_figures(in_workspace, tmp_path):
    assert evaluate.main(["--run", "first", QUICK]) == 0
    own = Path("runs/first/metrics.json").read_text()
    make_data_folder(tmp_path / "other", images_per_class=3)
    assert evaluate.main(["--run", "first", "--data", str(tmp_path / "other"), QUICK]) == 0
    assert Path("runs/first/metrics.json").read_text() == own
    other = json.loads(Path("runs/first/on-other/metrics.json").read_text())
    assert other["splits"]["test"]["files"] == 6


def test_evaluating_without_a_run_names_the_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert evaluate.main([]) == 2
    assert capsys.readouterr().err == (
        "error: runs/ has no trained run; make one with: python train.py\n"
    )


def test_a_run_that_separates_nothing_gives_a_warning(in_workspace, tmp_path, capsys):
    run = tmp_path / "blind"
    shutil.copytree("runs/first", run)
    record = json.loads((run / "run.json").read_text())
    record["calibration"] = {"slope": 0.0, "intercept": 0.0}
    (run / "run.json").write_text(json.dumps(record))
    assert predict.main(["--run", str(run), "data/tiny/test/fake/00.png"]) == 0
    assert capsys.readouterr().out.startswith("UNCERTAIN")
    assert evaluate.main(["--run", str(run), QUICK]) == 0
    figures = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert evaluate.main(["--run", "first", QUICK]) == 0
    own = json.loads(Path("runs/first/metrics.json").read_text())["splits"]["test"]
    assert (figures["roc_auc"], figures["eer"]) == (own["roc_auc"], own["eer"])


# predict


def test_prediction_prints_one_line_a_file(in_workspace, capsys):
    files = ["data/tiny/test/fake/00.png", "data/tiny/test/real/00.png"]
    assert predict.main(["--run", "first", *files]) == 0
    fake, real = capsys.readouterr().out.splitlines()
    assert fake.split()[0] == "FAKE"
    assert real.split()[0] == "REAL"
    assert fake.endswith("%  data/tiny/test/fake/00.png")


def test_a_folder_has_the_same_verdicts_in_json_and_csv(in_workspace, tmp_path, capsys):
    table = tmp_path / "verdicts.csv"
    assert predict.main(["--run", "first", "--json", "--csv", str(table), "data/tiny/test"]) == 0
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(verdicts) == 24
    for verdict in verdicts:
        p_real = verdict["p_real"]
        assert verdict["confidence"] == pytest.approx(max(p_real, 1 - p_real))
        assert verdict["verdict"] == calibration.verdict(p_real, 0.6)
    rows = read_rows(table)
    assert [row["file"] for row in rows] == [verdict["file"] for verdict in verdicts]


def test_prediction_agrees_with_evaluation(in_workspace, capsys):
    assert evaluate.main(["--run", "first", QUICK]) == 0
    capsys.readouterr()
    assert predict.main(["--run", "first", "--json", "data/tiny/test"]) == 0
    predicted = {
        verdict["file"].removeprefix("data/tiny/"): verdict["p_real"]
        for verdict in map(json.loads, capsys.readouterr().out.splitlines())
    }
    for row in read_rows(Path("runs/first/scores.csv")):
        if row["split"] == "test":
            assert predicted[row["file"]] == pytest.approx(float(row["p_real"]), abs=2e-6)


def test_prior_and_confidence_can_be_set_for_one_prediction(in_workspace, capsys):
    image = "data/tiny/test/fake/00.png"
    _, rare = (
        json.loads(capsys.readouterr().out)
        for value in ("0.5", "0.001")
        if predict.main(["--run", "first", "--json", "--set", f"predict.prior_fake={value}", image])
        == 0
    )
    assert rare["p_real"] > 0.9
    surest = ["--set", "predict.min_confidence=0.9999"]
    assert predict.main(["--run", "first", *surest, image]) == 0
    assert capsys.readouterr().out.startswith("UNCERTAIN")
    assert predict.main(["--run", "first", "--set", "model.dropout=0", image]) == 2
    assert "train a new run with it" in capsys.readouterr().err
    assert predict.main(["--set", "prior_fake=0.1", "mine/fake/00.wav"]) == 2
    assert "did you mean predict.prior_fake?" in capsys.readouterr().err


def test_a_bad_file_does_not_stop_the_others(in_workspace, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"broken")
    (tmp_path / "empty").mkdir()
    bad = [str(tmp_path / "broken.png"), str(tmp_path / "none.png"), str(tmp_path / "empty")]
    assert predict.main(["--run", "first", *bad, "data/tiny/test/fake/00.png"]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert captured.err.count("error: ") == 3
    assert captured.err.endswith("3 files could not be judged.\n")


def test_a_large_colour_jpeg_is_judged(in_workspace, tmp_path, capsys):
    image = cv2.imread("data/tiny/test/fake/00.png")
    cv2.imwrite(str(tmp_path / "large.jpg"), cv2.resize(image, (640, 480)))
    assert predict.main(["--run", "first", str(tmp_path / "large.jpg")]) == 0


# predict from audio


def judged(capsys, *args: str) -> list[dict]:
    capsys.readouterr()
    predict.main(["--json", *args])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_audio_is_judged_as_its_prepared_images_are(in_audio_workspace, capsys):
    rows = read_rows(Path("data/mine/manifest.csv"))
    images = {verdict["file"]: verdict["score"] for verdict in judged(capsys, "data/mine/train")}
    for label in ("fake", "real"):
        audio = next(
            row["audio"] for row in rows if (row["split"], row["label"]) == ("train", label)
        )
        windows = [row for row in rows if row["audio"] == audio]
        (verdict,) = judged(capsys, f"mine/{audio}")
        scores = [images[f"data/mine/{row['image']}"] for row in windows]
        assert verdict["windows"] == len(windows) > 1
        assert verdict["score"] == pytest.approx(sum(scores) / len(scores), abs=1e-4)


def test_unseen_voices_are_separated(in_audio_workspace, tmp_path, capsys):
    for label in ("fake", "real"):
        soundfile.write(tmp_path / f"{label}.flac", make_voice(label, 99), 16000)
    verdicts = judged(capsys, str(tmp_path))
    assert [verdict["verdict"] for verdict in verdicts] == ["FAKE", "REAL"]


@pytest.mark.slow
def test_standard_input_is_judged_like_a_file(in_audio_workspace, capsys):
    (verdict,) = judged(capsys, "mine/fake/00.wav")
    with Path("mine/fake/00.wav").open("rb") as sound:
        result = subprocess.run(
            [sys.executable, str(ROOT / "predict.py"), "--json", "-"],
            stdin=sound, capture_output=True, text=True,
        )  # fmt: skip
    assert json.loads(result.stdout) == verdict | {"file": "-"}


def test_without_a_temporary_folder_standard_input_is_judged_from_memory(
    in_audio_workspace, monkeypatch, capsys
):
    (verdict,) = judged(capsys, "mine/fake/00.wav")

    def no_folder():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", no_folder)
    with Path("mine/fake/00.wav").open() as sound:
        monkeypatch.setattr(sys, "stdin", sound)
        if hasattr(os, "memfd_create"):
            assert judged(capsys, "-") == [verdict | {"file": "-"}]
        else:
            assert predict.main(["-"]) == 1
            assert "cannot copy standard input: no temporary" in capsys.readouterr().err


def test_a_name_that_is_no_utf_8_is_written_alike_to_json_and_table(in_workspace, tmp_path, capsys):
    odd = tmp_path / os.fsdecode(b"a\xff.png")
    try:
        shutil.copy("data/tiny/test/fake/00.png", odd)
    except OSError:
        pytest.skip("such a name can't be given here")
    (verdict,) = judged(capsys, str(odd), "--csv", str(tmp_path / "v.csv"))
    assert verdict["file"] == read_rows(tmp_path / "v.csv")[0]["file"] == f"{tmp_path}/a\\udcff.png"


@pytest.mark.parametrize(
    ("name", "samples", "warning"),
    [
        (
            "short",
            make_voice("real", 1, 0.2),
            "0.20 s of sound, at least 0.5 are needed: ask for a longer recording",
        ),
        ("silent", np.zeros(32000, np.float32), "no sound in it: check that it is the right file"),
        (
            "clipped",
            np.sign(make_voice("real", 1)),
            "100% of it is clipped: ask for the original file",
        ),
        (
            "uneven",
            np.sign(make_voice("real", 1) - 0.01),
            "100% of it is clipped: ask for the original file",
        ),
    ],
)
def test_sound_that_cannot_be_judged_is_uncertain(
    name, samples, warning, in_audio_workspace, tmp_path, capsys
):
    soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
    (verdict,) = judged(capsys, str(tmp_path / f"{name}.wav"))
    assert (verdict["verdict"], verdict["confidence"]) == ("UNCERTAIN", None)
    assert verdict["warning"] == warning
    assert predict.main([str(tmp_path / f"{name}.wav")]) == 0
    assert capsys.readouterr().out.endswith(f"{name}.wav  ({warning})\n")


def test_telephone_audio_is_uncertain_if_a_bandwidth_is_required(
    in_audio_workspace, tmp_path, capsys
):
    low = soxr.resample(make_voice("real", 1), 16000, 8000)
    soundfile.write(tmp_path / "call.wav", low, 8000)
    soundfile.write(tmp_path / "wide.wav", make_voice("real", 1), 16000)
    names = [str(tmp_path / name) for name in ("call.wav", "wide.wav")]
    call, wide = judged(capsys, "--set", "predict.min_bandwidth_hz=4200", *names)
    assert (call["verdict"], call["confidence"]) == ("UNCERTAIN", None)
    assert re.fullmatch(
        r"nothing above (3,9|4,0)\d\d Hz, as over a telephone: ask for the original file",
        call["warning"],
    )
    assert not wide["warning"]
    assert not any(verdict["warning"] for verdict in judged(capsys, *names))


def test_an_echo_is_uncertain_if_the_setting_limits_it(in_audio_workspace, tmp_path, capsys):
    voices = {"plain": make_voice("real", 1, seconds=4), "short": make_voice("real", 2, 0.4)}
    for label in ("real", "fake"):
        noise = np.random.default_rng(5).normal(
            0, 1e-3, 64000
        )  # without noise, the buzz seems to have echoes
        voices[label] = make_voice(label, 1, seconds=4) + noise
        voices[label][1600:] += 0.4 * voices[label][:-1600].copy()
    for name, voice in voices.items():
        soundfile.write(tmp_path / f"{name}.wav", voice, 16000)
    some = ["--set", "predict.min_seconds=0.1", *(str(tmp_path / f"{v}.wav") for v in voices)]
    plain, short, real, fake = judged(capsys, "--set", "predict.max_echo=0.15", *some)
    for verdict in (plain, short):  # a short sound is not repeated
        assert (verdict["warning"], verdict["note"]) == ("", "")
    assert (real["verdict"], real["note"]) == ("REAL", "an echo after 100 ms")
    assert (fake["verdict"], fake["confidence"]) == ("UNCERTAIN", None)
    assert (
        fake["warning"] == "an echo after 100 ms may look like synthesis: ask for the original file"
    )
    verdicts = judged(capsys, *some)
    assert [v["verdict"] for v in verdicts if "short" not in v["file"]] == ["REAL", "REAL", "FAKE"]
    assert not any(v["warning"] or v["note"] for v in verdicts)


def test_only_the_telephone_half_of_a_recording_is_left_out(
    in_audio_workspace, tmp_path, monkeypatch, capsys
):
    wide = make_voice("real", 1, 20.0)
    narrow = soxr.resample(soxr.resample(make_voice("fake", 2, 20.0), 16000, 8000), 8000, 16000)
    soundfile.write(tmp_path / "wide.wav", wide, 16000)
    soundfile.write(tmp_path / "both.wav", np.concatenate([narrow, wide]), 16000)
    run = ["--run", str(Path("runs/heard").resolve())]
    monkeypatch.chdir(tmp_path)
    asked = [*run, "--set", "predict.min_bandwidth_hz=4200"]
    alone, both = judged(capsys, *asked, "wide.wav", "both.wav")
    assert (alone["windows_left_out"], both["warning"]) == (0, "")
    assert both["windows_left_out"] == pytest.approx(both["windows"], abs=4)
    assert both["verdict"] == alone["verdict"] == "REAL"
    assert both["score"] == pytest.approx(alone["score"], rel=0.2)
    assert predict.main([*asked, "--timeline", "both.wav"]) == 0
    windows = both["windows"] + both["windows_left_out"]
    assert f"({both['windows_left_out']} of {windows} windows left out" in capsys.readouterr().out
    uncertain, *_, real = read_rows(Path("timelines/both.wav.csv"))  # one may lie across
    assert (uncertain["verdict"], uncertain["confidence"]) == ("UNCERTAIN", "")
    assert real["verdict"] == "REAL"
    assert float(real["start_seconds"]) == pytest.approx(20, abs=3)


@pytest.mark.parametrize("why", ["telephone", "clipped"])
def test_sound_that_cannot_be_judged_has_no_judged_passage(
    why, in_audio_workspace, tmp_path, monkeypatch, capsys
):
    voice = make_voice("fake", 1, 12.0)
    sound = soxr.resample(voice, 16000, 8000) if why == "telephone" else np.sign(voice)
    soundfile.write(tmp_path / "call.wav", sound, 8000 if why == "telephone" else 16000)
    run = str(Path("runs/heard").resolve())
    monkeypatch.chdir(tmp_path)
    asked = ["--run", run, "--set", "predict.min_bandwidth_hz=4200", "--timeline"]
    assert predict.main([*asked, "call.wav"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("UNCERTAIN       -  call.wav  (")
    assert printed[2].split()[2:] == ["UNCERTAIN", "-"]
    (passage,) = read_rows(Path("timelines/call.wav.csv"))
    assert (passage["verdict"], passage["confidence"]) == ("UNCERTAIN", "")
    assert cv2.imread("timelines/call.wav.png").std() > 5


def test_bad_audio_does_not_stop_the_others_nor_change_their_order(
    in_audio_workspace, tmp_path, capsys
):
    (tmp_path / "b.wav").write_bytes(b"no audio")
    soundfile.write(tmp_path / "a.wav", np.zeros(16000, np.float32), 16000)
    soundfile.write(tmp_path / "c.wav", make_voice("fake", 50), 16000)
    (tmp_path / "d.png").write_bytes(Path("data/mine").rglob("*.png").__next__().read_bytes())
    assert predict.main(["--json", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    files = [Path(json.loads(line)["file"]).name for line in captured.out.splitlines()]
    assert sorted(files) == ["a.wav", "b.wav", "c.wav"]
    assert captured.err.count("error: ") == 1
    assert "Passed over for their names: 1 .png. Name a file to judge it." in captured.err
    assert predict.main(["--json", str(tmp_path / "d.png")]) == 0


def test_the_table_lists_failed_files_too(in_audio_workspace, tmp_path, capsys):
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    table = tmp_path / "new" / "verdicts.csv"
    assert predict.main(["mine/fake/00.wav", str(tmp_path / "bad.wav"), "--csv", str(table)]) == 1
    good, bad = read_rows(table)
    assert (good["file"], good["error"]) == ("mine/fake/00.wav", "")
    assert (bad["file"], bad["verdict"], bad["score"]) == (str(tmp_path / "bad.wav"), "", "")
    assert bad["error"].startswith("cannot read ")


def test_a_table_that_cannot_be_written_is_an_error_before_any_verdict(
    in_audio_workspace, tmp_path, capsys
):
    (tmp_path / "file").write_bytes(b"")
    assert predict.main(["mine/fake/00.wav", "--csv", str(tmp_path / "file" / "v.csv")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error: cannot write " in captured.err


def test_channels_of_two_voices_are_judged_and_reported_separately(
    in_audio_workspace, tmp_path, capsys
):
    real, fake = make_voice("real", 71), make_voice("fake", 72)
    path, one = tmp_path / "two.wav", tmp_path / "one.wav"
    soundfile.write(path, np.stack([real, 3 * fake], axis=1), 16000)
    soundfile.write(one, np.stack([real, 0.7 * real], axis=1), 16000)
    (both,) = judged(capsys, str(path))
    assert both["note"] == "2 channels that differ: --channel 1 judges one"
    assert (both["verdict"], both["confidence"]) == ("UNCERTAIN", None)
    answers = [(one["channel"], one["track"], one["verdict"]) for one in both["parts"]]
    assert answers == [(1, None, "REAL"), (2, None, "FAKE")]
    real_share, fake_share = (f"{one['confidence']:.1%}" for one in both["parts"])
    named = f"channel 1 is REAL {real_share}, channel 2 is FAKE {fake_share}"
    assert both["warning"] == f"{named}: judge each with --channel"
    scores, windows = [], []
    for channel, samples in (("1", real), ("2", 3 * fake)):
        soundfile.write(tmp_path / "alone.wav", samples, 16000)
        (alone,) = judged(capsys, str(tmp_path / "alone.wav"))
        (taken,) = judged(capsys, "--channel", channel, str(path))
        assert (taken["score"], taken["note"]) == (alone["score"], f"only channel {channel} of 2")
        assert (taken["channel"], alone["channel"], taken["track"]) == (int(channel), None, None)
        scores.append(alone["score"])
        windows.append(alone["windows"])
    assert both["windows"] == sum(windows)
    assert both["score"] == pytest.approx(np.average(scores, weights=windows), abs=1e-5)
    assert judged(capsys, str(one))[0]["note"] == ""
    assert predict.main(["--channel", "3", str(path)]) == 1
    assert "cannot judge channel 3 of " in capsys.readouterr().err


def test_channels_of_one_kind_of_voice_have_its_verdict_and_a_timeline(
    in_audio_workspace, tmp_path, monkeypatch, capsys
):
    voices = [make_voice("fake", number, seconds=2) for number in (73, 74)]
    voices[1][:4000] = 0  # so that its windows begin elsewhere
    soundfile.write(tmp_path / "two.wav", np.stack(voices, axis=1), 16000)
    run = str(in_audio_workspace / "runs" / "heard")
    monkeypatch.chdir(tmp_path)
    assert predict.main(["--run", run, "--timeline", "two.wav"]) == 0
    verdict, _, *passages, written = capsys.readouterr().out.splitlines()
    assert verdict.startswith("FAKE ") and "2 channels that differ" in verdict
    named = [line.split(maxsplit=4) for line in passages]
    assert [(one[2], one[4]) for one in named] == [("FAKE", "channel 1"), ("FAKE", "channel 2")]
    table = read_rows(Path("timelines/two.wav.csv"))
    assert [(row["verdict"], row["channel"]) for row in table] == [("FAKE", "1"), ("FAKE", "2")]
    assert "%, channel 2\n" in Path("timelines/two.wav.txt").read_text()
    names = ", ".join(f"timelines/two.wav.{suffix}" for suffix in ("csv", "png", "txt"))
    assert written == f"Written: {names}"


def test_a_table_of_verdicts_is_evaluated_as_the_run_is(in_audio_workspace, tmp_path, capsys):
    split = "data/mine/test"
    table, keys = tmp_path / "v.csv", tmp_path / "keys.tsv"
    assert predict.main(["--run", "heard", split, "--csv", str(table)]) == 0
    names = [Path(row["file"]) for row in read_rows(table)]
    keyed = {"real": "bonafide", "fake": "spoof"}
    lines = [f"{name.stem}\t{keyed[name.parent.name]}" for name in names]
    keys.write_text("filename\tcm-label\n" + "\n".join(lines) + "\n")
    given = ["--scores", str(table), "--keys", str(keys), QUICK]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert evaluate.main(given) == 0
    figures = json.loads((tmp_path / "evaluations/v/metrics.json").read_text())["splits"]["test"]
    called_real = sum(float(row["p_real"]) > 0.5 for row in read_rows(table))
    assert sum(row[1] for row in figures["confusion"]) == called_real
    rows = read_rows(table)
    llr = np.array([float(row["llr"]) for row in rows])
    is_real = np.array([Path(row["file"]).parent.name == "real" for row in rows])
    assert figures["cllr"] == pytest.approx(llr_cost(is_real, llr), abs=1e-6)


def test_the_model_is_named_if_the_user_chose_none(in_audio_workspace, capsys):
    assert predict.main(["mine/fake/00.wav"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"Judged by runs/[a-z]+; --run names another\.", line)
    assert predict.main(["--run", "heard", "mine/fake/00.wav"]) == 0
    assert capsys.readouterr().err == ""


def test_verdicts_are_counted_if_there_are_several(in_audio_workspace, capsys):
    files = [*["mine/fake/00.wav"] * 2, "mine/real/00.wav"]
    assert predict.main(["--run", "heard", *files, "gone.wav"]) == 1
    counts, failed = capsys.readouterr().err.splitlines()[-2:]
    assert (counts, failed) == ("3 files: 2 FAKE, 1 REAL.", "1 file could not be judged.")
    assert predict.main(["--run", "heard", "--json", *files]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("verdicts_on_it", [False, True])
def test_progress_is_shown_on_a_terminal_without_verdicts(audio_workspace, verdicts_on_it):
    pty = pytest.importorskip("pty", reason="a terminal of Unix")
    termios = pytest.importorskip("termios")
    ours, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = [sys.executable, str(ROOT / "predict.py"), "--run", "heard", "mine/fake"]
    out = terminal if verdicts_on_it else subprocess.DEVNULL
    ended = subprocess.run(command, cwd=audio_workspace, stdout=out, stderr=terminal)
    assert ended.returncode == 0
    os.close(terminal)
    told = os.read(ours, 100_000).decode()
    os.close(ours)
    assert ("Judging: 12 files" in told) != verdicts_on_it
    assert "12 files: 12 FAKE." in told


def test_a_run_trained_on_the_sample_judges_only_if_it_is_named(
    in_audio_workspace, tmp_path, monkeypatch, capsys
):
    shutil.copytree("runs/heard", tmp_path / "runs" / "toy")
    config = tmp_path / "runs/toy/config.yaml"
    sample = f"folder: {ROOT / 'data' / 'sample'}"
    config.write_text(config.read_text().replace("folder: data/mine", sample))
    clip = str(Path("mine/fake/00.wav").resolve())
    monkeypatch.chdir(tmp_path)
    (by_default,) = judged(capsys, clip)
    assert by_default["run"] == "pretrained"
    (named,) = judged(capsys, "--run", "toy", clip)
    assert named["run"] == "toy"
    assert predict.main([clip]) == 0
    assert "only if they are named" in capsys.readouterr().err


def test_a_setting_without_its_flag_is_an_error(in_audio_workspace, capsys):
    assert predict.main(["predict.prior_fake=0.1", "mine/fake/00.wav"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "write --set predict.prior_fake=0.1" in captured.err


def test_timelines_in_a_folder_are_not_judged(in_audio_workspace, tmp_path, monkeypatch, capsys):
    soundfile.write(tmp_path / "a.wav", make_voice("fake", 60), 16000)
    run = ["--run", str(Path("runs/heard").resolve())]
    monkeypatch.chdir(tmp_path)
    assert predict.main([*run, "--timeline", "a.wav"]) == 0
    assert [verdict["file"] for verdict in judged(capsys, *run, ".")] == ["a.wav"]


def test_clipping_is_measured_after_the_first_minute_too(in_audio_workspace, tmp_path, capsys):
    loud = np.sign(make_voice("fake", 60, 30.0))
    sound = np.concatenate([make_voice("fake", 61, 70.0) * 0.5, loud])
    soundfile.write(tmp_path / "late.wav", sound, 16000)
    (verdict,) = judged(capsys, str(tmp_path / "late.wav"))
    assert verdict["verdict"] == "UNCERTAIN"
    assert re.fullmatch(r"(2|3)\d% of it is clipped: ask for the original file", verdict["warning"])


def test_a_timeline_finds_the_fake_passage(in_audio_workspace, tmp_path, monkeypatch, capsys):
    run = Path("runs/heard").resolve()
    monkeypatch.chdir(tmp_path)
    pieces = [make_voice(label, 60, 12.0) for label in ("real", "fake", "real")]
    levels = [piece / np.std(piece) * 0.05 for piece in pieces]
    soundfile.write("call.wav", np.concatenate(levels), 16000)
    assert predict.main(["--run", str(run), "--timeline", "call.wav"]) == 0
    passages = read_rows(Path("timelines/call.wav.csv"))
    assert [passage["verdict"] for passage in passages] == ["REAL", "FAKE", "REAL"]
    assert float(passages[1]["start_seconds"]) == pytest.approx(12, abs=1.5)
    assert float(passages[1]["end_seconds"]) == pytest.approx(24, abs=1.5)
    assert cv2.imread("timelines/call.wav.png").std() > 5
    assert "0:00.0" in capsys.readouterr().out


def test_a_run_trained_on_other_images_does_not_judge_audio(in_workspace, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", make_voice("real", 1), 16000)
    assert predict.main(["--run", "first", str(tmp_path / "a.wav")]) == 1
    assert "images only; choose a run that was trained on images by" in capsys.readouterr().err
