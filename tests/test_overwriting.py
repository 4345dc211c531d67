"""Results replace results: no input, and no file of another program."""

import shutil
from pathlib import Path

import pytest
import soundfile

import evaluate
import export
import predict
import prepare
from conftest import make_voice
from deepfake_audio.errors import InputError
from deepfake_audio.inference.earlier_tables import check_table
from deepfake_audio.inference.results_table import resumable_table

SCORES = "file,label,score\n" + "".join(
    f"{n}.wav,{('fake', 'real')[n % 2]},{n % 2 + n / 100}\n" for n in range(12)
)
TRIALS = "".join(f"{n} {n % 2}\n" for n in range(12))
KEYS = "".join(f"s {n} - {('A1 spoof', '- bonafide')[n % 2]}\n" for n in range(12))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("files", "args"),
    [
        ({"scores.csv": SCORES}, ["--scores", "mine/scores.csv"]),
        ({"s.txt": TRIALS, "trials.txt": KEYS}, ["--scores", "mine/s.txt", "--keys",
                                                "mine/trials.txt"]),
        ({"s.csv": SCORES, "report.html": "my own"}, ["--scores", "mine/s.csv"]),
        ({"s.csv": SCORES, "metrics.json": '{"data": "mine/s.csv"}'}, ["--scores", "mine/s.csv"]),
        ({"s.csv": SCORES, "metrics.json": '{"data": "mine/s.csv", "settings": {}, "splits": {}, '
          '"files": 5}'}, ["--scores", "mine/s.csv"]),
    ],
    ids=["scores", "keys", "report", "figures", "list"],
)  # fmt: skip
def test_an_evaluation_replaces_no_foreign_file(files, args, folder, capsys):
    for name, text in files.items():
        (folder / name).write_text(text)
    before = contents(folder)
    assert evaluate.main([*args, "--out", "mine", "evaluate.bootstrap=0"]) == 2
    assert "error: cannot write results to mine: " in capsys.readouterr().err
    assert contents(folder) == before


@pytest.mark.slow
def test_an_evaluation_replaces_its_own_results_and_keeps_newer_files(folder, capsys):
    (folder / "s.csv").write_text(SCORES)
    args = ["--scores", "mine/s.csv", "--out", "out", "evaluate.bootstrap=0"]
    assert evaluate.main(args) == 0
    assert evaluate.main(args) == 0
    Path("out", "curves.png").write_text("my own")  # an evaluation of scores writes no such file
    assert evaluate.main(args) == 2
    assert "no evaluation wrote its curves.png" in capsys.readouterr().err
    assert Path("out", "curves.png").read_text() == "my own"


def test_an_input_is_kept_though_an_evaluation_wrote_it(folder, capsys):
    (folder / "s.csv").write_text(SCORES)
    args = ["--scores", "mine/s.csv", "--out", "mine", "evaluate.bootstrap=0"]
    assert evaluate.main(args) == 0
    before = contents(folder)
    assert evaluate.main(["--scores", "mine/scores.csv", *args[2:]]) == 2
    assert "its scores.csv is an input" in capsys.readouterr().err
    assert contents(folder) == before


def test_an_earlier_result_that_cannot_be_removed_is_reported_in_one_line(folder, capsys):
    (folder / "s.csv").write_text(SCORES)
    args = ["--scores", "mine/s.csv", "--out", "out", "evaluate.bootstrap=0"]
    assert evaluate.main(args) == 0
    Path("out", "roc.png").unlink()
    Path("out", "roc.png").mkdir()
    capsys.readouterr()
    assert evaluate.main(args) == 2
    assert capsys.readouterr().err.startswith("error: cannot write out/roc.png: ")


@pytest.mark.slow
def test_results_are_written_beside_a_folder_with_a_foreign_file(folder):
    (folder / "s.csv").write_text(SCORES)
    Path("evaluations", "s").mkdir(parents=True)
    Path("evaluations", "s", "report.html").write_text("my own")
    assert evaluate.main(["--scores", "mine/s.csv", "evaluate.bootstrap=0"]) == 0
    assert Path("evaluations", "s", "report.html").read_text() == "my own"
    assert Path("evaluations", "s-2", "report.html").is_file()


@pytest.mark.slow
def test_timelines_of_recordings_with_one_name_are_all_kept(audio_workspace, folder, capsys):
    for place, label in (("a", "real"), ("b", "fake")):
        (folder / place).mkdir()
        soundfile.write(folder / place / "x.wav", make_voice(label, 1), 16000)
    args = ["--run", str(audio_workspace / "runs" / "heard"), "--timeline"]
    for place in ("a", "b", "a", "b"):
        assert predict.main([*args, f"mine/{place}/x.wav"]) == 0
    written = [line for line in capsys.readouterr().out.splitlines() if "Written" in line]
    tables = [line.split()[1] for line in written]
    assert tables == ["timelines/x.wav.csv,", "timelines/x.wav-2.csv,"] * 2


def test_a_preparation_replaces_no_foreign_report(audio_workspace, folder, capsys):
    shutil.copytree(audio_workspace / "data" / "mine", "data/mine")
    Path("data", "mine", "report.txt").write_text("my own")
    args = [str(audio_workspace / "mine"), "--name", "mine", "prepare.workers=1"]
    assert prepare.main(args) == 2
    assert "cannot replace data/mine/report.txt" in capsys.readouterr().err
    assert Path("data", "mine", "report.txt").read_text() == "my own"


@pytest.mark.slow
def test_an_export_replaces_no_foreign_model(workspace, folder, capsys):
    shutil.copytree(workspace / "data", "data")
    shutil.copytree(workspace / "runs" / "first", "runs/first")
    Path("runs", "first", "model.tflite").write_text("my own")
    assert export.main(["--run", "first"]) == 2
    assert "cannot replace runs/first/model.tflite" in capsys.readouterr().err
    assert Path("runs", "first", "model.tflite").read_text() == "my own"


def test_a_table_of_verdicts_replaces_an_empty_file(folder):
    (folder / "v.csv").touch()
    with resumable_table(folder / "v.csv", "abc") as (_, add):
        add({"verdict": "REAL", "file": "a.wav"})
    assert [path.name for path in folder.iterdir()] == ["v.csv"]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices")
def test_a_table_of_verdicts_replaces_no_device():
    with pytest.raises(
        InputError, match=r"^cannot replace --csv /dev/null: another kind of file is"
    ):
        check_table(Path("/dev/null"))


def test_a_table_of_verdicts_replaces_no_file_created_in_the_meantime(folder):
    with (
        pytest.raises(InputError, match="another kind of file is there"),
        resumable_table(folder / "v.csv", "abc") as (_, add),
    ):
        add({"verdict": "REAL", "file": "a.wav"})
        (folder / "v.csv").write_text("my own")
    assert (folder / "v.csv").read_text() == "my own"
