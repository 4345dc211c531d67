import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

import predict
from benchmarks.bench_codecs import VERDICTS, main
from conftest import ROOT, make_voice

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


def cells(printed: str, codec: str) -> list[str]:
    (line,) = [line for line in printed.splitlines() if line.startswith(codec)]
    return line.split()[-6:]


def shares_of(folder: Path) -> list[str]:
    """Return the shares of verdicts on the real and the fake files that predict.py gives."""
    files = [str(folder / f"{number}.wav") for number in range(10)]
    assert predict.main([*files, *SHIPPED, "--csv", "said.csv"]) == 0
    with Path("said.csv").open(newline="") as file:
        said = [row["verdict"] for row in csv.DictReader(file)]
    counts = (Counter(said[:4]), 4), (Counter(said[4:]), 6)
    return [f"{count[verdict] / of:.0%}" for count, of in counts for verdict in VERDICTS]


@pytest.mark.slow
def test_files_are_judged_unchanged_and_after_each_codec(clips, capsys):
    only = ["--only", "none", "--only", "opus-12", "--only", "telephone"]
    assert main(["clips", *SHIPPED, *only]) == 0
    printed = capsys.readouterr().out
    assert cells(printed, "none") == shares_of(clips)
    assert cells(printed, "opus-12")[-1].endswith("%")
    assert cells(printed, "telephone") == ["0%", "100%", "0%"] * 2  # its bandwidth is too low


@pytest.mark.slow
def test_files_are_judged_with_an_echo(clips, capsys):
    assert main(["clips", *SHIPPED, "--only", "echo-120"]) == 0
    shown = cells(capsys.readouterr().out, "echo-120")
    for number in range(10):
        voice, _ = soundfile.read(clips / f"{number}.wav")
        later = np.zeros(1920)
        echoed = np.concatenate([voice, later]) + 0.3 * np.concatenate([later, voice])
        assert np.abs(echoed).max() < 1
        soundfile.write(clips / f"{number}.wav", echoed, 16000)
    assert shown == shares_of(clips)


@pytest.mark.slow
def test_a_file_that_can_t_be_read_is_counted(clips, capfd):
    (clips / "2.wav").write_bytes(b"RIFF")
    assert main(["clips", *SHIPPED, "--only", "none", "--only", "telephone"]) == 1
    printed = capfd.readouterr()
    assert printed.err.count("clips/2.wav") == 2
    assert len(cells(printed.out, "telephone")) == 6


def test_a_file_without_a_score_is_named(clips, capfd):
    soundfile.write(clips / "2.wav", np.zeros(16000), 16000)
    soundfile.write(clips / "5.wav", np.full(8, 0.1), 16000)
    soundfile.write(clips / "6.wav", np.zeros(0), 16000)
    assert main(["clips", *SHIPPED, "--only", "mp3-64"]) == 1
    errors = [line for line in capfd.readouterr().err.splitlines() if "error: " in line]
    assert len(errors) == 3
    told = {
        2: "clips/2.wav: silent",
        5: "clips/5.wav after mp3-64",
        6: "clips/6.wav: it has no sound",
    }
    assert all(sum(text in line for line in errors) == 1 for text in told.values()), errors


def test_a_codec_without_any_judged_file_has_no_row(clips, capsys):
    for file in clips.glob("*.wav"):
        file.write_bytes(b"RIFF")
    assert main(["clips", *SHIPPED, "--only", "none"]) == 1
    assert "none" not in capsys.readouterr().out


def test_a_split_without_both_classes_is_an_error(clips, capsys):
    assert main(["clips", "--split", "train"]) == 2
    assert (
        "clips lacks real or fake files in the split train; name another" in capsys.readouterr().err
    )
