"""Cells of tables are read back as written, and a spreadsheet evaluates none."""

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from deepfake_audio.cli.messages import MAX_PRINTED_ERRORS, print_errors, print_lines
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.jobs import make_job
from deepfake_audio.dataset.manifest import read_manifest
from deepfake_audio.dataset.preparation import manifest_rows
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_reading import read_asv_scores
from deepfake_audio.evaluation.score_table import make_table, write_scores
from deepfake_audio.inference.results_table import partial_path, resumable_table
from deepfake_audio.inference.table_rows import FIELDS, name_in_table
from deepfake_audio.models.history import read_history
from deepfake_audio.models.run_folder import Run
from deepfake_audio.system.csv_files import (
    guarded,
    printable_name,
    read_cells,
    to_number,
    unguarded,
    write_rows,
)
from deepfake_audio.system.folder_walk import find_files
from helpers import read_scores

FORMULAS = ("=1+1", "+1+1", "-a", "@a", "\t=a", "\ra", " =a", '"=a', "'=a", "a;=1", "a\n@b", "＝1")
NASTY = st.text(alphabet="'\"=+-@;\t\r\n ax1.,\\n＝")


@pytest.mark.parametrize("text", FORMULAS)
def test_text_like_a_formula_gets_an_apostrophe_and_is_read_back(text):
    assert "'" in guarded(text) and guarded(text) != text
    assert unguarded(guarded(text)) == text


@given(NASTY)
def test_any_cell_is_read_back_as_it_was_written(text):
    file = io.StringIO(newline="")
    write_rows(file, [[text, "end"]])
    file.seek(0)
    assert [row for _, row in read_cells(file)] == [[text, "end"]]


@given(NASTY, NASTY)
def test_no_two_names_are_escaped_to_one(one, other):
    for escape in (printable_name, name_in_table):
        assert (escape(one) == escape(other)) == (one == other)
        assert escape(one).strip() == escape(one)


@pytest.mark.parametrize("number", [-0.53, 1e-9, "-0.53", "1e-09", "+2", 7, None])
def test_numbers_stay_numbers(number):
    file = io.StringIO(newline="")
    write_rows(file, [[number, "x"]])
    assert file.getvalue() == f"{'' if number is None else number},x\n"


@pytest.mark.parametrize(
    "text", ["1_0", "٣", "1.５", "0x1p3", "nan", "inf", "-inf", "1,5", "", "1 0", "e5", "1\n"]
)
def test_only_a_plain_number_is_a_score(text, tmp_path):
    with pytest.raises(ValueError, match="not a number"):
        to_number(text)
    table = tmp_path / "s.csv"
    table.write_text(f'file,label,score\na,real,1\nb,fake,"{text}x"\n', encoding="utf-8")
    with pytest.raises(InputError, match="finite number"):
        read_scores(table, None, None)


def test_a_table_of_scores_has_formulas_guarded_and_is_read_back(tmp_path):
    rows = [
        {"file": f"{sign}x{n}.wav", "label": label, "split": "test", "speaker": f"{sign}s"}
        | {"attack": f"{sign}a", "codec": sign, "corpus": sign, "score": -0.5, "llr": -0.25}
        for sign in "=+-@"
        for n, label in enumerate(("real", "fake"))
    ]
    table = make_table(rows)
    write_scores(tmp_path / "scores.csv", table, np.full(len(rows), 0.5))
    text = (tmp_path / "scores.csv").read_text()
    assert "'=x0.wav,test,real,'=s,'=a,'=,'=,-0.5,-0.25,0.5\n" in text
    again = read_scores(tmp_path / "scores.csv", None, None)
    assert again.file.tolist() == table.file.tolist()
    assert again.speaker.tolist() == table.speaker.tolist()


def test_names_like_formulas_are_found_by_keys(tmp_path):
    with resumable_table(tmp_path / "v.csv", "abc") as (_, add):
        for name, score in (("=x.wav", 1.5), ("b.wav", -2.0)):
            add({"verdict": "REAL", "file": name, "score": score})
    assert "'=x.wav" in (tmp_path / "v.csv").read_text()
    (tmp_path / "keys.csv").write_text("\ufefffile,label\n=x.wav,real\nb.wav,fake\n", "utf-8")
    found = read_scores(tmp_path / "v.csv", tmp_path / "keys.csv", None)
    assert dict(zip(found.file, found.score, strict=True)) == {"=x.wav": 1.5, "b.wav": -2.0}


def test_a_manifest_names_its_images_with_and_without_an_apostrophe(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "\ufeffimage,label,split\n'=a.png,real,test\n=b.png,fake,test\n", encoding="utf-8"
    )
    records = read_manifest(tmp_path / "manifest.csv")
    assert [record.path.name for record in records] == ["=a.png", "=b.png"]


@pytest.mark.parametrize("name", ["image", "label", "audio", "note"])
def test_a_repeated_column_is_refused_in_a_manifest(name, tmp_path):
    table = tmp_path / "manifest.csv"
    table.write_text(f"image,label,split,audio,note,{name}\na.png,real,test,a,b,c\n")
    with pytest.raises(InputError, match=f"the column {name} twice"):
        read_manifest(table)


@pytest.mark.parametrize("name", ["file", "label", "score", "llr"])
def test_a_repeated_column_is_refused_in_scores(name, tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text(f"file,label,score,llr,{name}\na,real,1,1,1\nb,fake,2,2,2\n")
    with pytest.raises(InputError, match=f"the column {name} twice"):
        read_scores(table, None, None)


def test_a_history_has_plain_numbers_and_each_column_once(tmp_path):
    head = "epoch,loss,accuracy,val_loss,val_accuracy"
    for text, reason in (
        (f"{head}\n1,0_1,1,1,1\n", "not a number"),
        (f"{head},loss\n1,1,1,1,1,1\n", "twice"),
        (f"{head}\n1,1,1,1\n", "shorter"),
    ):
        (tmp_path / "history.csv").write_text(text)
        with pytest.raises(InputError, match=reason):
            read_history(Run(tmp_path))
    (tmp_path / "history.csv").write_text(f"\ufeff{head}\n1,nan,1,nan,1\n", encoding="utf-8")
    assert read_history(Run(tmp_path))[0]["epoch"] == 1


def test_a_nul_is_refused_in_every_table(tmp_path):
    for reader, text in (
        (read_manifest, "image,label,split\na\0.png,real,test\n"),
        (lambda path: read_scores(path, None, None), "file,label,score\na\0,real,1\n"),
        (lambda path: read_scores(path, None, None), "a\0 1\n"),
        (read_asv_scores, "A\0 target 1\n"),
    ):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(InputError, match="NUL"):
            reader(tmp_path / "t.csv")


def cut_off(path: Path, rows: list[dict]) -> Path:
    with pytest.raises(KeyboardInterrupt), resumable_table(path, "abc") as (_, add):
        for row in rows:
            add({"verdict": "REAL"} | row)
        raise KeyboardInterrupt
    return partial_path(path, "abc")


def files_in(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as file:
        return [row[FIELDS.index("file")] for _, row in read_cells(file)]


def test_a_table_without_its_header_is_begun_again(tmp_path):
    partial = cut_off(tmp_path / "v.csv", [{"file": "a.wav"}])
    partial.write_bytes(partial.read_bytes().partition(b"\n")[2])
    with resumable_table(tmp_path / "v.csv", "abc") as (done, add):
        assert not done
        add({"verdict": "REAL", "file": "a.wav"})
    assert files_in(tmp_path / "v.csv") == ["file", "a.wav"]


def test_a_table_goes_on_before_a_row_that_is_no_utf_8(tmp_path):
    partial = cut_off(tmp_path / "v.csv", [{"file": f"{name}.wav"} for name in "abc"])
    partial.write_bytes(partial.read_bytes().replace(b"b.wav", b"\xff.wav"))
    with resumable_table(tmp_path / "v.csv", "abc") as (done, add):
        assert len(done) == 1
        add({"verdict": "REAL", "file": "b.wav"})
    assert files_in(tmp_path / "v.csv") == ["file", "b.wav"]


def test_a_file_given_twice_has_two_rows_after_an_interruption(tmp_path):
    cut_off(tmp_path / "v.csv", [{"file": "=a.wav"}])
    with resumable_table(tmp_path / "v.csv", "abc") as (done, add):
        assert [done.take("=a.wav"), done.take("=a.wav")] == [True, False]
        add({"verdict": "REAL", "file": "=a.wav"})
    assert files_in(tmp_path / "v.csv") == ["file", "=a.wav", "=a.wav"]


def test_rows_of_files_that_are_not_given_are_left_out(tmp_path):
    cut_off(tmp_path / "v.csv", [{"file": "a.wav"}, {"file": "file"}, {"file": "b.wav"}])
    remarks = []
    with resumable_table(tmp_path / "v.csv", "abc", remarks.append) as (done, _):
        assert done.take("b.wav")
    assert files_in(tmp_path / "v.csv") == ["file", "b.wav"]
    assert "Left out: 2 rows" in remarks[0]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on a file's size")
def test_a_full_disk_is_reported_with_the_table_and_a_remedy(tmp_path):
    code = (
        "import resource, sys\n"
        "from deepfake_audio.cli.script import script\n"
        "from deepfake_audio.inference.results_table import resumable_table\n"
        "from pathlib import Path\n"
        "def main(argv):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "    with resumable_table(Path('v.csv'), 'abc') as (_, add):\n"
        "        for number in range(1000):\n"
        "            add({'verdict': 'REAL', 'file': 'x' * 50})\n"
        "sys.exit(script(main)())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert "v.csv: File too large; free some space" in ended.stderr


def test_a_terminal_gets_no_control_characters_and_no_reversed_text(capsys):
    print_lines("a\x1b[2Jb\u202ec\nd")
    assert capsys.readouterr().out == "a\\x1b[2Jb\\u202ec\nd\n"


def test_a_long_list_of_errors_is_summarised_and_kept_in_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    print_errors([f"image {number}" for number in range(MAX_PRINTED_ERRORS + 5)])
    lines = capsys.readouterr().err.splitlines()
    (whole,) = tmp_path.iterdir()
    assert len(lines) == MAX_PRINTED_ERRORS + 1
    assert lines[-1] == f"error: 5 more errors; {whole} has all of them."
    assert len(whole.read_text().splitlines()) == MAX_PRINTED_ERRORS + 5


def test_files_are_listed_by_path_as_they_are_found(tmp_path):
    names = ["a.wav", "a/z.wav", "a/b/c.wav", "a-b.wav", "A.wav", "b/1.wav", "ab/x.wav"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "note.txt").touch()
    others = Counter()
    listed = find_files(tmp_path, {".wav"}, others)
    first = next(listed)
    assert not others
    assert [first, *listed] == sorted(tmp_path / name for name in names)
    assert others == {".txt": 1}


def test_a_line_feed_and_its_written_escape_are_two_names_in_a_manifest():
    jobs = [
        make_job(Clip(Path(name), name, "real", speaker=name), "train")
        for name in ("real/a\nb.wav", r"real/a\nb.wav")
    ]
    rows = list(manifest_rows(jobs, {job.stem: {"starts": [0.0]} for job in jobs}))
    assert [row[3] for row in rows] == [r"real/a\nb.wav", r"real/a\x5cnb.wav"]
    assert [row[5] for row in rows] == [row[3] for row in rows]
