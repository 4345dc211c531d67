"""The table of verdicts for a public board."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import predict
from conftest import ROOT
from deepfake_audio.errors import InputError
from deepfake_audio.inference.board_table import board_table, name_on_board, timed
from deepfake_audio.inference.inputs import Failure
from deepfake_audio.vocabulary import Verdict

PRETRAINED = ["--run", str(ROOT / "models" / "pretrained")]


BAD = Failure("3.wav", "no sound")


def result(name: str, verdict: Verdict, seconds: float | None) -> SimpleNamespace:
    """A result with what the table needs; an image has no duration."""
    quality = None if seconds is None else SimpleNamespace(duration_seconds=seconds)
    return SimpleNamespace(name=name, verdict=verdict, quality=quality)


def write_board(path: Path, *rows: tuple) -> list[str]:
    """Write a table, and return the remarks."""
    said = []
    with board_table(path, [], said.append) as add:
        for row in rows:
            add(*row)
    return said


def test_each_verdict_has_the_word_of_the_board(tmp_path):
    write_board(
        tmp_path / "out.csv",
        (result("0.flac", Verdict.REAL, 1.5325), 247.0912),
        (result("1.png", Verdict.FAKE, None), 493.5),
        (result("2.mp3", Verdict.UNCERTAIN, 3), 1),
        (BAD, 7.0),
    )
    assert (tmp_path / "out.csv").read_text() == (
        "filename,label,latency_ms,audio_duration_sec\n"
        "0.flac,real,247.09,1.5325\n1.png,fake,493.50,\n2.mp3,NOT_APPLICABLE,1.00,3.0000\n"
        "3.wav,error,,\n"
    )


def test_a_table_is_replaced_only_by_a_complete_one_and_another_file_never(tmp_path):
    path = tmp_path / "out.csv"
    write_board(path, (BAD, 1))
    before = path.read_text()
    with pytest.raises(KeyboardInterrupt), board_table(path, [], print) as add:
        add(result("b.wav", Verdict.REAL, 1), 1)
        raise KeyboardInterrupt
    assert path.read_text() == before
    path.write_text("my notes")
    with pytest.raises(InputError, match="another kind of file is there"):
        write_board(path)
    assert path.read_text() == "my notes"


def test_a_table_of_other_files_is_kept_and_one_with_other_times_is_not(tmp_path):
    path, said = tmp_path / "out.csv", []
    for name, latency_ms in (("a.wav", 1), ("a.wav", 2), ("b.wav", 3)):
        before = path.read_text() if path.exists() else ""
        said += write_board(path, (result(name, Verdict.REAL, 1.5), latency_ms))
    kept = tmp_path / "out-2.csv"
    assert (len(said), kept.read_text()) == (1, before)
    assert f"it is {kept} now" in said[0]
    assert {each.name for each in tmp_path.iterdir()} == {"out.csv", "out-2.csv"}


def test_files_are_judged_one_after_another():
    events = []

    def judge(name: str) -> list[str]:
        events.append(name)
        return [] if name == "bad" else [f"verdict on {name}"]

    found = []
    for result, milliseconds in timed(judge, ["a", "bad", "b"]):
        events.append(result)
        found.append(result)
        assert milliseconds >= 0
    assert found == ["verdict on a", "verdict on b"]
    assert events == ["a", "verdict on a", "bad", "b", "verdict on b"]


def test_names_are_relative_to_the_folder_asked_for():
    asked = ["dataset", "more/x.wav"]
    assert name_on_board("dataset/0.flac", asked) == "0.flac"
    assert name_on_board("dataset/sub/0.flac", asked) == "sub/0.flac"
    assert name_on_board("more/x.wav", asked) == "x.wav"


def test_predict_writes_the_table_of_a_folder_only_in_one_process(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    soundfile.write("data/silent.wav", np.zeros(24_000), 16_000)
    Path("data/broken.wav").write_text("no sound")
    assert predict.main([*PRETRAINED, "--board", "out.csv", "data"]) == 1
    header, *rows = Path("out.csv").read_text().splitlines()
    assert header == "filename,label,latency_ms,audio_duration_sec"
    cells = {name: rest for name, *rest in (row.split(",") for row in sorted(rows))}
    assert cells["broken.wav"] == ["error", "", ""]
    label, latency_ms, seconds = cells["silent.wav"]
    assert (label, seconds) == ("NOT_APPLICABLE", "1.5000") and float(latency_ms) > 0
    for options in (["--workers", "2"], ["--csv", "v.csv"], ["--shard", "1/2"]):
        assert predict.main([*PRETRAINED, "--board", "out.csv", *options, "data"]) == 2
        assert "--board measures one file after another" in capsys.readouterr().err
