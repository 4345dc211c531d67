import csv
from collections import Counter
from pathlib import Path

import pytest
import soundfile

import predict
from benchmarks.bench_conditions import main
from conftest import ROOT, make_voice
from deepfake_audio.vocabulary import VERDICTS
from helpers import read_rows

SHIPPED = ["--run", str(ROOT / "models" / "pretrained")]


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four real and six fake clips, and one of training, with a table."""
    monkeypatch.chdir(tmp_path)
    rows = [["file", "label", "split"]]
    (tmp_path / "clips").mkdir()
    for number, label in enumerate(["real"] * 4 + ["fake"] * 6 + ["real"]):
        rows.append([f"{number}.wav", label, "test" if number < 10 else "train"])
        soundfile.write(tmp_path / "clips" / f"{number}.wav", make_voice(label, number, 1.6), 16000)
    with (tmp_path / "clips" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "clips"


def cells(printed: str, condition: str) -> list[str]:
    (line,) = [line for line in printed.splitlines() if line.startswith(condition)]
    return line.removeprefix(condition).split()


def shares_of(folder: Path) -> list[str]:
    """Return the shares of verdicts on the real and the fake files that predict.py gives."""
    files = [str(folder / f"{number}.wav") for number in range(10)]
    assert predict.main([*files, *SHIPPED, "--csv", "said.csv"]) == 0
    said = [row["verdict"] for row in read_rows(Path("said.csv"))]
    counts = (Counter(said[:4]), 4), (Counter(said[4:]), 6)
    return [f"{count[verdict] / of:.1%}" for count, of in counts for verdict in VERDICTS[::-1]]


@pytest.mark.slow
def test_files_get_the_verdicts_of_predict_in_each_condition(clips, capsys):
    only = ["--only", "as they are", "--only", "pink noise 15", "--only", "gsm"]
    assert main(["clips", *SHIPPED, *only]) == 0
    printed = capsys.readouterr().out
    assert cells(printed, "as they are")[:1] == ["10"]
    assert cells(printed, "as they are")[3:9] == shares_of(clips)
    for name in ("pink noise 15", "gsm"):
        assert cells(printed, name)[3:9] != cells(printed, "as they are")[3:9]


@pytest.mark.slow
def test_a_file_that_can_t_be_read_is_reported_and_left_out(clips, capfd):
    (clips / "2.wav").write_bytes(b"RIFF")
    assert main(["clips", *SHIPPED, "--only", "as they are", "--only", "g.711"]) == 1
    printed = capfd.readouterr()
    assert printed.err.count("error: 2.wav") == 2
    assert cells(printed.out, "g.711")[0] == "9"


def test_a_split_without_both_classes_is_an_error(clips, capsys):
    assert main(["clips", "--split", "train"]) == 2
    assert (
        "clips lacks real or fake files in the split train; name another" in capsys.readouterr().err
    )
