"""Evaluation of images that the run was not trained on, and the folders of results."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

import evaluate
from conftest import ROOT, draw_image, make_data_folder
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.checks import DataCheck, check_images
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import FileCounts, Origin, write_audio_settings, write_origin
from deepfake_audio.evaluation.figures import history_plot, score_plots
from deepfake_audio.evaluation.html_report import mistake_pictures, summary
from deepfake_audio.evaluation.run_evaluation import data_warnings, evaluate_tables
from deepfake_audio.evaluation.score_table import make_table
from deepfake_audio.evaluation.summary import Subject, evaluate_scores
from deepfake_audio.models import run_search
from deepfake_audio.models.run_folder import Run
from deepfake_audio.vocabulary import ImageRecord

QUICK = "evaluate.bootstrap=0"


@pytest.fixture
def run(workspace, tmp_path, monkeypatch) -> Path:
    """A folder with a copy of runs/first and the data/tiny that it was trained on."""
    for name in ("runs/first", "data/tiny"):
        shutil.copytree(workspace / name, tmp_path / name)
    for folder in tmp_path.glob("runs/first/on-*"):
        shutil.rmtree(folder)
    monkeypatch.chdir(tmp_path)
    return Path("runs/first")


def metrics_in(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


# where results go


@pytest.mark.slow
def test_results_of_other_images_with_the_same_name_are_kept(run, capsys):
    for place in ("a", "b"):
        make_data_folder(Path(place, "x"), images_per_class=2)
        assert evaluate.main(["--run", "first", "--data", f"{place}/x", QUICK]) == 0
    printed = capsys.readouterr().out
    assert (
        "runs/first/on-x has the results of a/x, which are kept; these results go to "
        "runs/first/on-x-2.\n" in printed
    )
    assert "Written to runs/first/on-x-2: report.html" in printed
    assert metrics_in(run / "on-x")["data"] == "a/x"
    assert metrics_in(run / "on-x-2")["data"] == "b/x"
    for again in ("a/x", "b/x", str(Path("b/x").absolute()), "b/x/manifest.csv"):
        assert evaluate.main(["--run", "first", "--data", again, QUICK]) == 0
    assert sorted(path.name for path in run.glob("on-*")) == ["on-x", "on-x-2"]


@pytest.mark.slow
def test_results_of_other_scores_with_the_same_name_are_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for place, best in (("a", 2), ("b", 3)):
        Path(place).mkdir()
        Path(place, "s.csv").write_text(f"file,label,score\nx,real,{best}\ny,fake,-1\n")
        assert evaluate.main(["--scores", f"{place}/s.csv", QUICK]) == 0
    assert "evaluations/s has the results of a/s.csv, which are kept" in capsys.readouterr().out
    names = {folder: metrics_in(Path("evaluations", folder))["data"] for folder in ("s", "s-2")}
    assert names == {"s": "a/s.csv", "s-2": "b/s.csv"}
    Path("c").mkdir()
    Path("c/s.csv").write_text("file,score\nx,2\ny,-1\n")
    assert evaluate.main(["--scores", "c/s.csv"]) == 2  # without keys nothing goes anywhere
    assert capsys.readouterr().out == ""
    Path("scores.txt").write_text("a 1\nb 0\n")
    for keys in ("first.txt", "second.txt"):
        Path(keys).write_text("filename cm-label\na bonafide\nb spoof\n")
        assert evaluate.main(["--scores", "scores.txt", "--keys", keys, QUICK]) == 0
    assert metrics_in(Path("evaluations/scores-2"))["keys"] == "second.txt"


@pytest.mark.slow
@pytest.mark.parametrize("left", ["", "[" * 100_000, "[]", '{"data": 3}', '{"data": "\\u0000"}'])
def test_results_in_an_unknown_format_are_kept(tmp_path, monkeypatch, left):
    monkeypatch.chdir(tmp_path)
    Path("evaluations/s").mkdir(parents=True)
    Path("evaluations/s/metrics.json").write_text(left)
    Path("s.csv").write_text("file,label,score\nx,real,2\ny,fake,-1\n")
    assert evaluate.main(["--scores", "s.csv", QUICK]) == 0
    assert Path("evaluations/s/metrics.json").read_text() == left
    assert metrics_in(Path("evaluations/s-2"))["data"] == "s.csv"


@pytest.mark.slow
def test_results_are_written_to_the_given_folder(run, capsys):
    make_data_folder(Path("x"), images_per_class=2)
    others = ["--run", "first", "--data", "x", "--out", "results/others", QUICK]
    assert evaluate.main(others) == evaluate.main(others) == 0
    assert (Path("results/others/report.html")).is_file() and not (run / "on-x").exists()
    assert evaluate.main(["--run", "first", "--out", "results/own", QUICK]) == 0
    assert metrics_in(Path("results/own"))["run"] == "first"
    Path("s.csv").write_text("file,label,score\nx,real,2\ny,fake,-1\n")
    assert evaluate.main(["--scores", "s.csv", "--out", "results/s", QUICK]) == 0
    assert metrics_in(Path("results/s"))["data"] == "s.csv"
    assert not Path("evaluations").exists()


@pytest.mark.slow
def test_results_are_not_written_over_others(run, capsys):
    make_data_folder(Path("x"), images_per_class=2)
    assert evaluate.main(["--run", "first", "--data", "x", "--out", "out", QUICK]) == 0
    before = Path("out/metrics.json").read_text()
    shutil.copytree(run, "runs/second")
    Path("s.csv").write_text("file,label,score\nx,real,2\ny,fake,-1\n")
    capsys.readouterr()
    for args, received in (
        (
            ["--scores", "s.csv", "--out", "out"],
            "cannot write results to out: it has the results of x;",
        ),
        (
            ["--run", "second", "--data", "x", "--out", "out"],
            "cannot write results to out: it has the results of x;",
        ),
        (
            ["--scores", "s.csv", "--out", "s.csv"],
            "cannot write results to s.csv: it is not a folder;",
        ),
        (
            ["--compare", "first", "second", "--out", "out"],
            "--compare writes no results; leave out --out",
        ),
    ):
        assert evaluate.main(args) == 2
        assert capsys.readouterr().err.startswith(f"error: {received}")
    (Path("runs/second/metrics.json")).unlink(missing_ok=True)
    assert evaluate.main(["--scores", "s.csv", "--out", "runs/second"]) == 2
    assert "it is a run; name another folder" in capsys.readouterr().err
    assert Path("out/metrics.json").read_text() == before


# images that the run was not trained on


def make_wild(folder: Path) -> Path:
    """Make images whose fakes are of one generator in each split."""
    make_data_folder(folder, images_per_class=6)
    manifest = (folder / "manifest.csv").read_text()
    for split in ("train", "val", "test"):
        manifest = re.sub(rf"^({split}/fake.*),vocoder,", rf"\1,of-{split},", manifest, flags=re.M)
    (folder / "manifest.csv").write_text(manifest)
    return folder


@pytest.mark.slow
def test_all_splits_of_unknown_images_are_evaluated_together(run, capsys):
    wild = make_wild(Path("wild"))
    assert evaluate.main(["--run", "first", "--data", str(wild), "evaluate.bootstrap=20"]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^(training|validation|test|all) +(\S+)", printed, re.M)
    assert rows[:4] == [("training", "12"), ("validation", "12"), ("test", "12"), ("all", "36")]
    confusion = re.search(r"all files .*\nis fake +(\d+) +(\d+)\nis real +(\d+) +(\d+)", printed)
    assert sum(map(int, confusion.groups())) == 36
    assert set(re.findall(r"^of-\w+ +6 +18 ", printed, re.M)) and "test files" not in printed
    output = run / "on-wild"
    splits = metrics_in(output)["splits"]
    assert list(splits) == ["train", "val", "test", "all"]
    assert np.array_equal(
        splits["all"]["confusion"], np.reshape(confusion.groups(), (2, 2)).astype(int)
    )
    assert (
        splits["all"]["intervals"]["eer"] and len(splits["all"]["groups"]["attack"]["groups"]) == 3
    )
    page = (output / "report.html").read_text()
    assert page.endswith("</html>\n")
    assert (
        "<tr><th></th><th>all</th><th>test</th>" in page and "18 real, 18 fake, all files" in page
    )
    assert len((output / "trials.txt").read_text().splitlines()) == 36
    assert len((output / "scores.csv").read_text().splitlines()) == 37
    assert evaluate.main(["--compare", str(output), str(output), QUICK]) == 0
    assert capsys.readouterr().out.startswith("36 files, matched by name\n")


@pytest.mark.slow
def test_copies_of_training_files_in_recording_conditions_are_no_files(run, capsys):
    folder = make_data_folder(Path("wild"), images_per_class=3)
    rows = (folder / "manifest.csv").read_text().splitlines()
    for label in ("fake", "real"):
        copy = f"train/{label}/00_mp3_0000.png"
        cv2.imwrite(str(folder / copy), draw_image(label, 99))
        rows.append(f"{copy},{label},train,{label}.wav,0,ann,,mp3,")
    (folder / "manifest.csv").write_text("\n".join(rows))
    assert evaluate.main(["--run", "first", "--data", "wild", QUICK]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^(?:training|all) +(\d+) ", printed, re.M)[:2] == ["6", "18"]
    assert "2 images not counted: copies of training files in recording conditions" in printed
    assert "codec" not in printed


def warnings_of(*args: str) -> list[str]:
    assert evaluate.main(["--run", "first", *args, "--out", "told", QUICK]) == 0
    told = metrics_in(Path("told"))
    page = html.unescape(Path("told/report.html").read_text())
    shutil.rmtree("told")
    assert all(f"<li>{line}</li>" in page for line in told["warnings"])
    return told["warnings"] + told["splits"]["test"]["warnings"]


def test_the_warning_about_training_voices_refers_to_the_card_of_the_shipped_model():
    run, record, settings = run_search.open_run("models/pretrained")
    subject = Subject("", "", Path(), settings, run=run, record=record, other_data=True)
    told = data_warnings(subject, DataCheck([], [], [], ""), unseen=True)
    assert "card (models/pretrained/README.md) names its training voices" in told[0]


@pytest.mark.parametrize(("files", "is_told"), [(3, False), (40, True)])
def test_a_calibration_is_doubted_only_with_enough_files(files, is_told):
    rows = [
        {"file": f"{label}-{number}", "label": label, "score": score, "llr": 5 + score}
        for label, score in (("real", 3.0), ("fake", -3.0))
        for number in range(files)
    ]
    settings = load_settings(None, [QUICK])
    lines = evaluate_scores(make_table(rows), settings.evaluate, settings.predict)["warnings"]
    assert any("calibration does not fit" in line for line in lines) == is_told


@pytest.mark.parametrize("of_run", [True, False])
def test_scores_near_chance_ask_for_training_only_if_a_run_gave_them(of_run, tmp_path):
    rows = [
        {"file": n, "label": ("fake", "real")[n % 2], "score": n % 7, "llr": n % 7}
        for n in range(80)
    ]
    run = Run(Path("runs/first")) if of_run else None
    subject = Subject("title", "origin", tmp_path, load_settings(None, [QUICK]), run=run)
    (figures,) = evaluate_tables(subject, {"test": make_table(rows)}).figures.values()
    (near_chance,) = (line for line in figures["warnings"] if "near chance" in line)
    assert near_chance.endswith("50% is chance.") != of_run
    assert ("Train on more files" in near_chance) == of_run


def forget_speakers(data: str) -> None:
    manifest = Path(data, "manifest.csv")
    manifest.write_text(re.sub(r",(ann|bob|cem|dee),", ",,", manifest.read_text()))


@pytest.mark.slow
def test_few_files_give_a_warning(run):
    of_calibration = (
        "The run was calibrated on only 12 fake and 12 real validation files, so its confidence "
        "may be off by chance."
    )
    own = warnings_of()
    assert own[0] == of_calibration
    few = "The figures rest on 12 fake files and 12 real files: a single one is 8.3% of its class."
    assert own[1] == few
    make_data_folder(Path("wild"), images_per_class=30)
    forget_speakers("wild")
    assert of_calibration in warnings_of("--data", "wild")
    assert not any("rest on" in line for line in warnings_of("--data", "wild"))


def test_a_single_file_of_each_class_is_no_plural():
    rows = [{"file": n, "label": ("fake", "real")[n], "score": n, "llr": n} for n in range(2)]
    settings = load_settings(None, [QUICK])
    warnings = evaluate_scores(make_table(rows), settings.evaluate, settings.predict)["warnings"]
    few = "The figures rest on 1 fake file and 1 real file: a single one is 100.0% of its class."
    assert warnings[0] == few


@pytest.mark.slow
def test_listed_files_that_could_not_be_prepared_are_reported(run):
    told = [
        "Missing: 3 of 54 listed test files; broken or silent: 1. These figures leave them out.",
        "Missing: 1 of 1 listed unsplit file; broken or silent: 0. These figures leave them out.",
    ]
    whole = FileCounts(listed=24, used=24, missing=0, unusable=0, repeated=0)
    part = FileCounts(listed=54, used=24, missing=3, unusable=1, repeated=26)
    origin = Origin(
        corpus="folders", subset="", folder="x", marks={}, val_share=0.1, test_share=0.1
    )
    write_origin(Path("data/tiny"), origin.model_copy(update={"counts": {"test": whole}}))
    assert not any("listed" in line for line in warnings_of())
    gone = FileCounts(listed=1, used=0, missing=1, unusable=0, repeated=0)
    counts = {"val": whole, "test": part, "unknown": gone}
    write_origin(Path("data/tiny"), origin.model_copy(update={"counts": counts}))
    assert [line for line in warnings_of() if "listed" in line] == told
    assert set(told) < set(warnings_of("--data", "data/tiny/manifest.csv"))


@pytest.mark.slow
def test_the_bandwidth_that_predict_would_leave_out_is_reported(run):
    told = (
        "predict.py would leave out windows with nothing above 4,200 Hz, such as telephone audio; "
        "these figures include them."
    )
    asked = "predict.min_bandwidth_hz=4200"
    assert told not in warnings_of(asked)  # images of unknown origin
    write_audio_settings(Path("data/tiny"), run_search.open_run("first")[2].audio)
    assert told in warnings_of(asked)
    assert told in warnings_of(asked, "--data", "data/tiny/manifest.csv")
    assert not any("leave out" in line for line in warnings_of())


@pytest.mark.slow
def test_unknown_speakers_give_a_warning(run):
    wild = make_data_folder(Path("wild"), images_per_class=4)
    assert not any("No speaker is known" in line for line in warnings_of("--data", str(wild)))
    forget_speakers("wild")
    assert "No speaker is known here: the run may have been trained on the same voices." in (
        warnings_of("--data", "wild")
    )
    forget_speakers("data/tiny")
    assert any(
        line.startswith("No speaker is known: if training and test share") for line in warnings_of()
    )
    make_data_folder(Path("other"), images_per_class=5)
    assert "No speaker is known in training: the run may have been trained on the same voices." in (
        warnings_of("--data", "other")
    )
    shutil.rmtree("data/tiny")
    told = warnings_of("--data", "wild")
    assert "data/tiny is missing, so it is unknown whose voices the run was trained on." in told
    assert not any("No speaker is known" in line for line in told)


@pytest.mark.slow
def test_speakers_in_two_splits_do_not_matter_if_no_split_was_trained_on(run):
    wild = make_data_folder(Path("wild"), images_per_class=4)
    manifest = (wild / "manifest.csv").read_text()
    (wild / "manifest.csv").write_text(re.sub(r",(ann|bob|cem|dee),", ",eve,", manifest))
    assert not any("more than one split" in line for line in warnings_of("--data", "wild"))


@pytest.mark.slow
def test_splits_of_the_training_images_are_not_evaluated_together(run, capsys):
    shutil.copytree("data/tiny", "copy")
    shutil.copytree(run, "runs/fitted")
    record = json.loads(Path("runs/fitted/run.json").read_text())
    make_wild(Path("wild"))
    known = check_images(
        read_records(Path("wild")), run_search.open_run("first")[2].image
    ).fingerprint
    Path("runs/fitted/run.json").write_text(json.dumps(record | {"learnt": [known]}))
    cv2.imwrite("data/tiny/test/real/00.png", draw_image("real", 999))
    for name, data in (("first", "data/tiny"), ("first", "copy"), ("fitted", "wild")):
        assert evaluate.main(["--run", name, "--data", data, QUICK]) == 0
        assert list(metrics_in(Path(f"runs/{name}/on-{Path(data).name}"))["splits"]) == [
            "train", "val", "test",
        ]  # fmt: skip


def test_unknown_images_of_one_class_have_no_error_rate(run, capsys):
    wild = make_wild(Path("wild"))
    rows = (wild / "manifest.csv").read_text().splitlines()
    (wild / "manifest.csv").write_text("\n".join(row for row in rows if "/real/" not in row))
    assert evaluate.main(["--run", "first", "--data", str(wild), QUICK]) == 0
    assert "\nWarning: all 18 files are fake; " in capsys.readouterr().out


# the report


@pytest.mark.parametrize(("name", "files"), [("test", "test files"), ("all", "files")])
def test_the_report_begins_with_the_verdicts_of_the_files(name, files):
    called = {"real": [9, 9, 9, 0.1, -0.1, -9, -9, -9, -9, -9], "fake": [-9, -9, -9, 9, 0.1] * 4}
    rows = [
        {"file": f"{label}{number}", "label": label, "score": llr, "llr": llr}
        for label, llrs in called.items()
        for number, llr in enumerate(llrs)
    ]
    # Real: 3 right, 2 unsure, of which 1 wrong, 5 wrong; fake: 60% right, 20% unsure, 20% wrong.
    assert summary(make_table(rows), name, load_settings().predict) == (
        f"Of a hundred {files}, half of them fake, predict.py would leave about 20 UNCERTAIN and "
        "give about 35 the wrong verdict; without UNCERTAIN, 50. Results may be worse for other "
        "voices, recordings and generators."
    )


def test_a_legend_covers_no_curve():
    is_real = np.arange(60) % 2
    scores = np.random.default_rng(0).normal(-1.5 * (2 * is_real - 1))  # inverted: into corners
    rows = [
        {"file": number, "label": ("fake", "real")[real], "score": score, "llr": score}
        for number, (real, score) in enumerate(zip(is_real, scores, strict=True))
    ]
    table, settings = make_table(rows), load_settings(None, [QUICK])
    figures = {"test": evaluate_scores(table, settings.evaluate, settings.predict)}
    plots = score_plots({"test": table}, figures, 0.5)
    for name in ("roc", "det", "scores", "reliability"):
        plots[name].draw_without_rendering()
        (ax,), (legend,) = plots[name].axes, plots[name].legends
        assert ax.get_legend() is None
        assert not legend.get_window_extent().overlaps(ax.get_tightbbox()), name


def test_legends_of_the_epochs_have_fixed_places():
    """A search for the best place warns on slow machines."""
    rows = [{"epoch": n, "loss": 1 / n, "val_loss": 1, "accuracy": 1 - 1 / n, "val_accuracy": 0.5}
            for n in range(1, 9)]  # fmt: skip
    figure = history_plot(rows, best_epoch=4)
    figure.draw_without_rendering()
    places = []
    for ax in figure.axes:
        box, axes = ax.get_legend().get_window_extent(), ax.get_window_extent()
        places.append((box.x0 > (axes.x0 + axes.x1) / 2 - 50, box.y0 > (axes.y0 + axes.y1) / 2))
    assert places == [(True, True), (True, False)]


def test_each_figure_at_the_top_of_the_report_has_its_own_card(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{n},{('fake', 'real')[n % 2]},{(n % 2) * 3 + n % 5}" for n in range(40)]
    Path("s.csv").write_text("\n".join(["file,label,score", *rows]))
    assert evaluate.main(["--scores", "s.csv", "evaluate.bootstrap=20"]) == 0
    cards = re.findall(
        r'<div class="card"><small>(.*?)</small><b>(.*?)</b><small>(.*?)</small>',
        Path("evaluations/s/report.html").read_text(),
    )
    assert [title for title, _, _ in cards[3:7]] == [
        "minDCF",
        "actDCF",
        "Cllr (bits)",
        "minCllr (bits)",
    ]
    assert all(re.fullmatch(r"\d\.\d{3}", value) for _, value, _ in cards[3:7])
    assert all(re.fullmatch(r"\d\.\d{3} to \d\.\d{3}", low_high) for *_, low_high in cards[3:6])


def test_mistakes_link_to_their_images(tmp_path):
    """An odd name must not end the address."""
    (tmp_path / "data/a #1?").mkdir(parents=True)
    path = tmp_path / "data/a #1?/x.png"
    cv2.imwrite(str(path), draw_image("real", 1))
    record = ImageRecord(path, "x.png", "fake", "test")
    subject = SimpleNamespace(records={"test": [record]}, settings=load_settings())
    table = make_table([{"file": "x.png", "label": "fake", "score": 3.0, "llr": 3.0}])
    (mistake,) = mistake_pictures(tmp_path / "runs/first", subject, table, "test")
    assert (tmp_path / "runs/first" / unquote(mistake["link"])).resolve() == path.resolve()
    assert not set("#? ") & set(mistake["link"])


@pytest.mark.slow
def test_a_name_with_letters_missing_in_the_font_gives_no_warning(tmp_path):
    rows = "".join(f"{n}.wav,{('fake', 'real')[n % 2]},{n}\n" for n in range(12))
    (tmp_path / "录\x1b音.csv").write_text(f"file,label,score\n{rows}")
    result = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "--scores", "录\x1b音.csv"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
