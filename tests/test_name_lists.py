"""Lists of names for predict.py: one a line, from a file, a pipe or standard input."""

import csv
import io
import os
import subprocess
import sys

import pytest

import predict
from conftest import ROOT
from deepfake_audio.errors import InputError
from deepfake_audio.inference import name_lists
from deepfake_audio.inference.name_lists import read_names
from deepfake_audio.system.csv_files import printable_name
from helpers import read_rows

JUDGE = ["--run", "heard", "--csv"]


def names_in(content: bytes) -> list[str]:
    return list(read_names(io.BytesIO(content), "names.txt"))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.wav\nb.wav", ["a.wav", "b.wav"]),
        (b"\xef\xbb\xbfa.wav\r\nb.wav\r\n", ["a.wav", "b.wav"]),
        (b"\n# all calls\n \na.wav\n", ["a.wav"]),
        (b" a b.wav \n#1.wav\n./#1.wav\n", [" a b.wav ", "./#1.wav"]),
        (b"a\xff.wav\n", [os.fsdecode(b"a\xff.wav")]),
        (b"a.wav\0b\nc.wav\0#d.wav\0", ["a.wav", "b\nc.wav", "#d.wav"]),
        ("\ufeffä.wav\r\nb.wav\r\n".encode("utf-16-le"), ["ä.wav", "b.wav"]),
        ("\ufeffä.wav\r\n".encode("utf-16-be"), ["ä.wav"]),
    ],
)  # fmt: skip
def test_a_list_has_one_name_a_line_or_names_that_end_in_nul(content, names, monkeypatch):
    assert names_in(content) == names
    monkeypatch.setattr(name_lists, "PIECE_BYTES", 3)  # as a slow pipe gives them
    assert names_in(content) == names


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no names in the list names.txt"),
        (b"# none\n\n", "no names in the list names.txt"),
        (b"a.wav\n" + bytes([1]) * 200_000, "a name has more than 4,096 bytes"),
        (b"\xff" * 5000 + b"\nb.wav", "a name has more than 4,096 bytes"),
        (b"\xff\xfea\0\n", "give a text file"),
    ],
)
def test_a_malformed_list_is_reported(content, reason):
    with pytest.raises(InputError, match=reason):
        names_in(content)


def test_a_line_that_begins_with_a_hash_is_a_name_if_there_is_such_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "#1.wav").touch()
    assert names_in(b"# calls\n#1.wav\n#2.wav\n2.wav\n") == ["#1.wav", "2.wav"]


def test_the_longest_name_of_a_list_fits_a_cell_of_a_table():
    (name,) = names_in(b"\xff" * name_lists.MAX_NAME_BYTES)
    assert 2 * len(printable_name(name)) < csv.field_size_limit()  # an error repeats it


def test_a_list_is_read_as_far_as_it_is_used():
    class Endless(io.RawIOBase):
        def read1(self, size: int) -> bytes:
            return b"a.wav\n" * (size // 6)

    names = read_names(Endless(), "names.txt")
    assert [next(names) for _ in range(100_000)] == ["a.wav"] * 100_000


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_files_of_a_list_are_judged_like_files_of_the_command(
    workers, in_audio_workspace, tmp_path, capsys
):
    (tmp_path / "names.txt").write_text("mine/fake/01.wav\ngone.wav\n-\nmine/real\n")
    table = tmp_path / "v.csv"
    words = ["--workers", workers, "--list", str(tmp_path / "names.txt"), "mine/fake/00.wav"]
    assert predict.main([*JUDGE, str(table), *words]) == 1
    rows = read_rows(table)
    real = [f"mine/real/{number:02}.wav" for number in range(12)]
    judged = ["mine/fake/00.wav", "mine/fake/01.wav", *real]
    assert [row["file"] for row in rows] == [*judged, "gone.wav", "./-"]
    assert [bool(row["error"]) for row in rows] == [False] * 14 + [True] * 2
    assert capsys.readouterr().err.splitlines()[-1] == "2 files could not be judged."


@pytest.mark.slow
def test_a_list_comes_from_standard_input(audio_workspace, tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), "--run", str(audio_workspace / "runs/heard"),
         "--list", "-"],
        input=f"{audio_workspace}/mine/fake/00.wav\n",
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (result.returncode, result.stdout.split()[0]) == (0, "FAKE"), result.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--list", "gone.txt"], "cannot open the list gone.txt: No such file or directory"),
        (["--list", "mine"], "cannot open the list mine: Is a directory"),
        (["--list", "-", "-"], "standard input can't be a list and a recording"),
        (
            ["-", "mine", "-"],
            "standard input can be read only once; leave out a -",
        ),
    ],
)
def test_a_list_that_cannot_be_opened_is_reported(words, reason, in_audio_workspace, capsys):
    assert predict.main(words) == 2
    assert capsys.readouterr().err.startswith(f"error: {reason}")


def test_a_list_that_breaks_off_ends_the_command_with_any_workers(
    in_audio_workspace, tmp_path, capsys
):
    broken = b"mine/fake/00.wav\n" * 3 + bytes([1]) * 200_000
    (tmp_path / "names.txt").write_bytes(broken)
    for workers in ("1", "2"):
        words = ["--workers", workers, "--list", str(tmp_path / "names.txt")]
        assert predict.main(["--run", "heard", *words]) == 2
        assert "has more than 4,096 bytes" in capsys.readouterr().err
