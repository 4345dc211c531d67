"""A table of results continues after an interruption, and keeps its rows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
import soundfile

import predict
from conftest import ROOT, make_voice
from deepfake_audio.errors import InputError
from deepfake_audio.inference import results_table
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.results_table import other_partials, partial_path, resumable_table
from deepfake_audio.inference.table_rows import FIELDS, name_in_table
from helpers import read_rows


def lines_in(path: Path) -> int:
    """Count the lines of a table that grows, whose first may not be whole."""
    return path.read_bytes().count(b"\n")


def cut_off(path: Path, *files: str) -> Path:
    """Write the rows of some files as a killed process does; return the partial table's path."""
    with pytest.raises(KeyboardInterrupt), resumable_table(path, "abc") as (_, add):
        for file in files:
            add({"verdict": "REAL", "file": file})
        raise KeyboardInterrupt
    return partial_path(path, "abc")


def test_a_table_gets_its_name_once_it_is_complete(tmp_path):
    table = tmp_path / "new" / "v.csv"
    with resumable_table(table, "abc") as (done, add):
        assert not done
        add({"verdict": "REAL", "score": 1.5, "file": "a,\n.wav"})
        assert not table.exists()
    assert read_rows(table) == [
        dict.fromkeys(FIELDS, "") | {"verdict": "REAL", "score": "1.5", "file": "a,\n.wav"}
    ]
    assert [path.name for path in table.parent.iterdir()] == ["v.csv"]


@pytest.mark.parametrize("bytes_lost", [0, 1, 5, 9])
def test_an_interrupted_table_continues_after_its_last_complete_row(tmp_path, bytes_lost):
    table, odd = tmp_path / "v.csv", os.fsdecode(b"b\xff.wav")
    partial = cut_off(table, "a.wav", odd, "c.wav")
    assert not table.exists()
    if bytes_lost:
        partial.write_bytes(partial.read_bytes()[:-bytes_lost])
    with resumable_table(table, "abc") as (done, add):
        assert len(done) == (2 if bytes_lost else 3)
        assert done.take("a.wav") and done.take(odd)
        for file in ("c.wav", "d.wav"):
            if done.take(file):
                continue
            add({"verdict": "FAKE", "file": file})
    assert [row["file"] for row in read_rows(table)][:2] == ["a.wav", name_in_table(odd)]
    assert {row["file"] for row in read_rows(table)} == {
        "a.wav",
        name_in_table(odd),
        "c.wav",
        "d.wav",
    }
    assert not partial.exists()


def test_other_settings_begin_a_new_table(tmp_path):
    partial = cut_off(tmp_path / "v.csv", "a.wav")
    with resumable_table(tmp_path / "v.csv", "def") as (done, add):
        assert not done
        add({"file": "b.wav"})
    assert partial.exists()
    assert [row["file"] for row in read_rows(tmp_path / "v.csv")] == ["b.wav"]


def test_unfinished_tables_of_other_identities_are_named_unless_there_is_an_own_one(tmp_path):
    other, table = "0123abcd", tmp_path / "v[1].csv"
    partial_path(table, other).touch()
    partial_path(tmp_path / "w.csv", other).touch()
    assert other_partials(table, "abc") == [partial_path(table, other)]
    assert other_partials(table, other) == []


def test_a_complete_table_is_not_replaced_by_a_part(tmp_path):
    with resumable_table(tmp_path / "v.csv", "abc") as (_, add):
        add({"file": "a.wav"})
    before = (tmp_path / "v.csv").read_bytes()
    cut_off(tmp_path / "v.csv", "b.wav")
    assert (tmp_path / "v.csv").read_bytes() == before


def test_verdicts_on_other_files_are_kept(in_audio_workspace, tmp_path, capsys):
    table, aside = tmp_path / "v.csv", tmp_path / "v-2.csv"
    for files in (["mine/fake/00.wav"], ["mine/fake/00.wav"], ["mine/fake"]):  # nothing is lost
        assert predict.main(["--run", "heard", *files, "--csv", str(table)]) == 0
        assert "other verdicts" not in capsys.readouterr().err
    before = table.read_bytes()
    assert predict.main(["--run", "heard", "mine/fake/01.wav", "--csv", str(table)]) == 0
    told = f"The earlier {table} has other verdicts or columns; it is {aside} now."
    assert told in capsys.readouterr().err.splitlines()
    assert aside.read_bytes() == before
    assert [row["file"] for row in read_rows(table)] == ["mine/fake/01.wav"]
    assert predict.main(["--run", "heard", "mine/real/01.wav", "--csv", str(table)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"v.csv", "v-2.csv", "v-3.csv"}


ROW = {"verdict": "FAKE", "score": -2.5, "run": "first", "file": "call.flac"}


def write_table(path: Path, *rows: dict) -> list[str]:
    said = []
    with resumable_table(path, "abc", said.append) as (_, add):
        for row in rows:
            add(row)
    return said


@pytest.mark.parametrize("change", [{"score": -2.4}, {"verdict": "UNCERTAIN"}, {"run": "second"}])
def test_a_table_of_other_recordings_or_runs_with_the_same_names_is_kept(change, tmp_path):
    table = tmp_path / "v.csv"
    write_table(table, ROW, {"file": "bad.wav", "error": "no audio"})
    before = table.read_bytes()
    assert f"it is {tmp_path / 'v-2.csv'} now." in write_table(table, ROW | change)[0]
    assert (tmp_path / "v-2.csv").read_bytes() == before


def test_a_table_of_the_same_verdicts_is_replaced(tmp_path):
    table = tmp_path / "v.csv"
    for score in (-2.494999, -2.495001):  # other numbers of files at a time
        assert write_table(table, ROW | {"score": score}, {"file": "b", "verdict": "REAL"}) == []


def test_a_table_with_a_column_of_the_user_is_kept(tmp_path):
    table = tmp_path / "v.csv"
    write_table(table, ROW)
    commented = table.read_text().replace("error\n", "error,comment\n").replace(",\n", ",,mine\n")
    table.write_text(commented)
    assert len(write_table(table, ROW)) == 1
    assert (tmp_path / "v-2.csv").read_text() == commented


def test_two_processes_do_not_write_one_table(tmp_path):
    table = tmp_path / "v.csv"
    with (
        resumable_table(table, "abc"),
        pytest.raises(InputError, match="another process writes it"),
        resumable_table(table, "abc"),
    ):
        pass


@pytest.mark.parametrize(
    ("before", "after"), [(b",", b";"), (b"verdict,", b"verdict,mine,"), (b",state", b"")]
)
def test_an_unfinished_table_that_another_program_changed_is_kept(before, after, tmp_path):
    table, said = tmp_path / "v.csv", []
    partial = cut_off(table, "a.wav")
    changed = partial.read_bytes().replace(before, after)
    partial.write_bytes(changed)
    with resumable_table(table, "abc", said.append) as (done, add):
        assert not done
        add({"verdict": "REAL", "file": "a.wav"})
    kept = tmp_path / "v.csv.abc-2.partial"
    assert kept.read_bytes() == changed
    assert said == [
        f"{partial} was changed by another program and can't be continued; it is {kept} now."
    ]


def test_an_unfinished_table_with_a_byte_order_mark_and_returns_is_continued(tmp_path):
    table = tmp_path / "v.csv"
    partial = cut_off(table, "a.wav", "b.wav")
    partial.write_bytes(b"\xef\xbb\xbf" + partial.read_bytes().replace(b"\n", b"\r\n"))
    with resumable_table(table, "abc") as (done, _):
        assert done.take("a.wav") and done.take("b.wav")
    assert table.read_text().startswith("verdict,")
    assert [row["file"] for row in read_rows(table)] == ["a.wav", "b.wav"]


def test_a_table_is_locked_until_it_has_its_name(tmp_path):
    """The same command again, which a batch system starts while the first one ends."""
    table = tmp_path / "v.csv"

    def start_again(complete: Path, states: str) -> None:
        with (
            pytest.raises(InputError, match="another process writes it"),
            resumable_table(table, "abc"),
        ):
            pass

    with resumable_table(table, "abc", on_complete=start_again) as (_, add):
        add({"verdict": "REAL", "file": "a.wav"})
    assert [row["file"] for row in read_rows(table)] == ["a.wav"]


def test_a_table_that_another_process_has_just_finished_is_begun_again(tmp_path, monkeypatch):
    table = tmp_path / "v.csv"
    partial = partial_path(table, "abc")

    def locked_late(file: TextIO) -> bool:
        """Lock the file after another process has finished the table and removed it."""
        monkeypatch.undo()
        partial.unlink()
        return results_table.lock(file)

    monkeypatch.setattr(results_table, "lock", locked_late)
    with resumable_table(table, "abc") as (_, add):
        add({"verdict": "REAL", "file": "a.wav"})
        assert partial.exists()
    assert [row["file"] for row in read_rows(table)] == ["a.wav"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "SIGKILL",
        "SIGINT",
        pytest.param("SIGTERM", marks=pytest.mark.exhaustive),
        pytest.param("SIGHUP", marks=pytest.mark.exhaustive),
    ],
)
def test_an_interrupted_prediction_continues(audio_workspace, tmp_path, name):
    (tmp_path / "calls").mkdir()
    soundfile.write(tmp_path / "call.wav", make_voice("real", 1), 16000)
    for number in range(6000):  # which take many seconds
        os.link(tmp_path / "call.wav", tmp_path / "calls" / f"{number:04}.wav")
    command = [
        sys.executable,
        str(ROOT / "predict.py"),
        "--run",
        str(audio_workspace / "runs/heard"),
    ]
    command += ["calls", "--csv", "v.csv"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not (partial := list(tmp_path.glob("v.csv.*.partial"))) or lines_in(partial[0]) < 4:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(getattr(signal, name))
    told = process.communicate()[1]
    assert process.returncode == (-signal.SIGKILL if name == "SIGKILL" else 130)
    assert name == "SIGKILL" or "the same command continues." in told
    kept = read_rows(partial[0])
    for row in kept:
        row.pop("state")  # the finished table has no use for it
    assert 3 <= len(kept) < 6000
    for number in range(len(kept) + 40, 6000):  # enough is left to go on with
        (tmp_path / "calls" / f"{number:04}.wav").unlink()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Judged already: " in again.stderr
    rows = read_rows(tmp_path / "v.csv")
    names = [f"{number:04}.wav" for number in range(len(kept) + 40)]
    assert [Path(row["file"]).name for row in rows] == names
    assert rows[: len(kept) - 1] == kept[:-1]  # the last may be cut


def test_several_processes_give_the_verdicts_of_one(in_audio_workspace, tmp_path, capsys):
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    files = [f"mine/{label}/{n:02}.wav" for n in range(12) for label in ("real", "fake")]
    files = [
        *files[:5],
        str(tmp_path / "bad.wav"),
        *files[5:],
    ] * 2  # more than one process is given
    said = []
    for workers in ("1", "2"):
        table = str(tmp_path / f"{workers}.csv")
        assert predict.main(["--workers", workers, "--csv", table, *files]) == 1
        captured = capsys.readouterr()
        said.append((captured.out, captured.err.replace(table, "TABLE"), read_rows(Path(table))))
    assert said[0][0] == said[1][0]
    assert sorted(said[0][1].splitlines()) == sorted(said[1][1].splitlines())
    for ours, theirs in zip(said[0][2], said[1][2], strict=True):
        assert float(ours.pop("score") or 0) == pytest.approx(
            float(theirs.pop("score") or 0), abs=1e-5
        )
        assert (ours["file"], ours["verdict"]) == (theirs["file"], theirs["verdict"])


def test_the_log_likelihood_ratio_of_the_table_is_that_of_its_verdict(in_audio_workspace, tmp_path):
    table = tmp_path / "v.csv"
    prior = ["--set", "predict.prior_fake=0.2"]
    assert predict.main([*prior, "mine/real", "mine/fake", "--csv", str(table)]) == 0
    for row in read_rows(table):
        odds = np.exp(float(row["llr"])) * 0.8 / 0.2
        assert float(row["p_real"]) == pytest.approx(odds / (1 + odds), abs=1e-5)


def test_a_row_that_failed_is_tried_again_and_a_carriage_return_is_escaped(tmp_path):
    table = tmp_path / "v.csv"
    with pytest.raises(KeyboardInterrupt), resumable_table(table, "abc") as (_, add):
        add({"verdict": "REAL", "file": "a\rb.wav"})
        add({"file": "gone.wav", "error": "cannot read gone.wav"})
        raise KeyboardInterrupt
    with resumable_table(table, "abc") as (done, add):
        assert len(done) == 1 and done.take("a\rb.wav")
        add({"verdict": "REAL", "file": "gone.wav"})
    assert [row["file"] for row in read_rows(table)] == [r"a\rb.wav", "gone.wav"]
    assert read_rows(table)[1]["error"] == ""


def test_an_interrupted_table_judges_files_again_that_changed(
    in_audio_workspace, tmp_path, monkeypatch, capsys
):
    given = [str(tmp_path / f"{number}.wav") for number in range(3)]
    for name in given:
        shutil.copy("mine/real/00.wav", name)
    words, printed = ["--csv", str(tmp_path / "v.csv"), *given], predict.format_verdict

    def interrupted(result: Result, has_timeline: bool) -> str:
        if result.name == given[2]:
            raise KeyboardInterrupt
        return printed(result)

    with monkeypatch.context() as patch:
        patch.setattr(predict, "format_verdict", interrupted)
        assert predict.main(words) == 130
    shutil.copy("mine/fake/00.wav", given[0])
    assert predict.main(words) == 0
    rows = {row["file"]: row["verdict"] for row in read_rows(tmp_path / "v.csv")}
    assert rows == dict(zip(given, ["FAKE", "REAL", "REAL"], strict=True))
    assert list(read_rows(tmp_path / "v.csv")[0]) == list(FIELDS)
    assert "Left out: 1 row of files that changed" in capsys.readouterr().err


def test_another_channel_and_other_files_do_not_count_as_judged(
    in_audio_workspace, tmp_path, monkeypatch
):
    for number in range(3):
        pair = np.stack([make_voice("real", number), make_voice("fake", number)], axis=1)
        soundfile.write(tmp_path / f"{number}.wav", pair, 16000)
    printed = predict.format_verdict

    def interrupted(result: Result, has_timeline: bool) -> str:
        if result.name.endswith("2.wav"):
            raise KeyboardInterrupt
        return printed(result)

    given = [str(tmp_path / f"{number}.wav") for number in range(3)]
    table = tmp_path / "v.csv"
    with monkeypatch.context() as patch:
        patch.setattr(predict, "format_verdict", interrupted)
        assert predict.main(["--channel", "1", "--csv", str(table), *given]) == 130
    assert predict.main(["--channel", "2", "--csv", str(table), *given]) == 0
    assert {row["verdict"] for row in read_rows(table)} == {"FAKE"}
    assert predict.main(["--channel", "1", "--csv", str(table), given[2]]) == 0
    assert [row["file"] for row in read_rows(table)] == [given[2]]
    assert predict.main(["--channel", "1", "--csv", str(table), *given]) == 0
    assert [row["verdict"] for row in read_rows(table)] == ["REAL"] * 3


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_to_the_whole_group_ends_all_processes(audio_workspace, tmp_path, name):
    files = [str(audio_workspace / "mine" / "real" / "00.wav")] * 6000
    command = [sys.executable, str(ROOT / "predict.py"), "--workers", "2", "--csv", "v.csv"]
    command += ["--run", str(audio_workspace / "runs/heard"), *files]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    while not (partial := list(tmp_path.glob("v.csv.*.partial"))) or lines_in(partial[0]) < 10:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, getattr(signal, name))
    told = process.communicate()[1]
    assert process.returncode == 130
    assert not re.search("Traceback|Warning|Exception", told)
