"""Shards: the parts of separate commands together equal the result of one command."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

import join
import predict
import prepare
from conftest import ROOT, make_voice
from deepfake_audio.cli.predict_arguments import words_of
from deepfake_audio.errors import InputError
from deepfake_audio.inference.shard_tables import ShardRecord, digest_table, write_record
from deepfake_audio.inference.table_rows import SHARD_FIELDS
from deepfake_audio.models import fingerprints
from deepfake_audio.system.name_index import NameIndex
from deepfake_audio.system.shards import all_shards, find_shards, to_shard
from helpers import ONE_PROCESS, read_rows, wait_until

JUDGE = ["--run", "heard"]
NAMES = [f"calls/{number}.wav" for number in range(1000)]
FIRST_OF_THREE = ["calls/0.wav", "calls/2.wav"]


# the division


def test_each_name_is_in_one_shard_and_the_shards_have_about_as_many():
    shards = all_shards(7)
    counts = Counter(shard.number for name in NAMES for shard in shards if shard.has(name))
    assert counts.total() == len(NAMES)
    assert min(counts.values()) > 100


def test_the_shard_of_a_name_is_the_same_in_any_version():
    """Shards of earlier versions go on only if this never changes."""
    assert [name for name in NAMES[:8] if to_shard("1/3").has(name)] == FIRST_OF_THREE


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "1", "1/0", "a/b", "1/1001", "-1/4", "1/4/2", "٣/٤"]
)
def test_a_wrong_shard_is_reported(text, capsys):
    assert predict.main(["--shard", text, "a.wav"] if text[0] != "-" else [f"--shard={text}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: --shard {text} is no")


def test_an_index_of_names_counts_like_a_counter():
    rng = random.Random(0)
    names = [f"{rng.randrange(50)}\udcff.wav" for _ in range(200)]
    index, counter = NameIndex(names), Counter(names)
    assert (len(index), index.repeated()) == (200, sum(n > 1 for n in counter.values()))
    for name in [f"{rng.randrange(60)}\udcff.wav" for _ in range(300)]:
        assert (name in index) == (counter[name] > 0)
        assert index.take(name) == (counter[name] > 0)
        counter[name] = max(0, counter[name] - 1)
    assert len(index) == counter.total()


# tables of predict.py


@pytest.fixture
def calls(in_audio_workspace, tmp_path) -> Path:
    """A folder with eight recordings and one that is none."""
    folder = tmp_path / "calls"
    folder.mkdir()
    for number in range(8):
        label = ("real", "fake")[number % 2]
        shutil.copy(f"mine/{label}/{number:02}.wav", folder / f"{number}.wav")
    (folder / "bad.wav").write_bytes(b"no audio")
    return folder


def judge_shards(table: Path, count: int, *words: str) -> None:
    for shard in all_shards(count):
        assert predict.main([*JUDGE, "--csv", str(table), "--shard", str(shard), *words]) in (0, 1)


def test_the_joined_table_equals_that_of_one_command(calls, tmp_path, capsys):
    one, table = tmp_path / "one.csv", tmp_path / "v.csv"
    (tmp_path / "list.txt").write_text(f"{calls}/3.wav\ngone.wav\n")  # one is listed twice
    words = [str(calls), "--list", str(tmp_path / "list.txt")]
    assert predict.main([*JUDGE, "--csv", str(one), *words]) == 1
    judge_shards(table, 3, *words)
    capsys.readouterr()
    assert join.main([str(table)]) == 1
    assert table.read_bytes() == one.read_bytes()
    assert capsys.readouterr().out.startswith(
        f"Written: {table}: 3 shards, 11 files: 5 FAKE, 4 REAL; 2 could not be judged; "
        "listed more than once: 1 file."
    )


def test_a_shard_names_its_table_and_the_command_that_joins(calls, tmp_path, capsys):
    table = tmp_path / "v.csv"
    predict.main([*JUDGE, "--csv", str(table), "--shard", "1/2", str(calls)])
    told = f"Written: {tmp_path}/v.1-of-2.csv\nAfter all 2 shards: python join.py {table}\n"
    assert told in capsys.readouterr().err


def test_the_choice_of_files_is_named_as_on_the_command_line():
    args = predict.parse_arguments(["mine", "--track", "2"])
    assert words_of(args) == ["--track=2", "mine"]
    assert words_of(predict.parse_arguments(["mine"])) == ["mine"]


def test_new_files_are_added_to_the_shards_and_others_are_not_judged_again(calls, tmp_path, capsys):
    table = tmp_path / "v.csv"
    (calls / "bad.wav").unlink()
    judge_shards(table, 2, str(calls))
    assert join.main([str(table)]) == 0
    shutil.copy(calls / "1.wav", calls / "5b.wav")
    (calls / "0.wav").unlink()
    capsys.readouterr()
    judge_shards(table, 2, str(calls))
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert join.main([str(table)]) == 0
    names = ["1.wav", "2.wav", "3.wav", "4.wav", "5.wav", "5b.wav", "6.wav", "7.wav"]
    assert sorted(Path(row["file"]).name for row in read_rows(table)) == names


def test_a_shard_judges_files_again_that_changed(calls, tmp_path, capsys):
    judge = [*JUDGE, "--csv", str(tmp_path / "v.csv"), "--shard", "1/1", str(calls)]
    assert predict.main(judge) == 1
    shutil.copy(calls / "1.wav", calls / "0.wav")
    capsys.readouterr()
    assert predict.main(judge) == 1
    out, err = capsys.readouterr()
    assert (out.count("\n"), "Judged already: 8 files.\n" in err) == (1, True)
    assert predict.main([*judge, "--report", str(tmp_path / "reports")]) == 1
    told = "Judged already: 8 files; --report writes nothing about them.\n"
    assert told in capsys.readouterr().err
    rows = read_rows(tmp_path / "v.1-of-1.csv")
    verdicts = {Path(row["file"]).name: row["verdict"] for row in rows}
    assert (verdicts["0.wav"], len(rows)) == ("FAKE", 9)


def without_states(table: Path, _: pytest.MonkeyPatch) -> None:
    path = table.with_name("v.1-of-1.json")
    record = json.loads(path.read_text())
    del record["states"]
    path.write_text(json.dumps(record))
    assert join.main([str(table)]) == 1  # a file of it is no audio


def other_version(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "__version__", "9.9")


@pytest.mark.parametrize("change", [without_states, other_version])
def test_a_shard_of_another_version_is_judged_anew_and_says_so(
    change, calls, tmp_path, monkeypatch, capsys
):
    table = tmp_path / "v.csv"
    judge_shards(table, 1, str(calls))
    change(table, monkeypatch)
    capsys.readouterr()
    judge_shards(table, 1, str(calls))
    out, err = capsys.readouterr()
    assert (out.count("\n"), "Judged anew: the files of" in err) == (8, True)


def test_standard_input_is_judged_each_time(in_audio_workspace, tmp_path, monkeypatch, capsys):
    for label in ("real", "fake"):
        recording = io.BytesIO(Path(f"mine/{label}/00.wav").read_bytes())
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=recording))
        assert predict.main([*JUDGE, "--csv", str(tmp_path / "v.csv"), "--shard", "1/1", "-"]) == 0
        assert capsys.readouterr().out.startswith(label.upper())
    assert [row["verdict"] for row in read_rows(tmp_path / "v.1-of-1.csv")] == ["FAKE"]


def test_a_shard_that_ran_before_others_had_new_files_is_reported(calls, tmp_path, capsys):
    table = tmp_path / "v.csv"
    for number in (1, 2):
        predict.main([*JUDGE, "--csv", str(table), "--shard", f"{number}/2", str(calls)])
        for copy in range(20):  # some of them belong to the first
            shutil.copy(calls / "1.wav", calls / f"new-{copy}.wav")
    capsys.readouterr()
    assert join.main([str(table)]) == 1
    out, err = capsys.readouterr()
    assert "in no table: " in out
    assert err.startswith("The shards were given different files")


def change_settings(table: Path) -> None:
    words = ["--set", "predict.prior_fake=0.2", "--csv", str(table), "--shard", "2/2"]
    predict.main([*JUDGE, *words, str(table.parent / "calls")])


def change_record(table: Path, name: str, value: str) -> None:
    path = table.with_name("v.2-of-2.json")
    record = json.loads(path.read_text())
    record["made_with"][name] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table: table.with_name("v.2-of-2.csv").unlink(), "v.csv lacks shard 2/2; run"),
        (lambda table: table.with_name("v.2-of-2.json").unlink(), "is not the table that"),
        (lambda table: table.with_name("v.2-of-2.json").write_text("{}"), "is not the table that"),
        (
            lambda table: table.with_name("v.2-of-2.csv").rename(table.with_name("v.1-of-2.csv")),
            "is not the table that v.1-of-2.json",
        ),
        (lambda table: table.with_name("v.1-of-3.csv").touch(), "2 and 3 parts; move"),
        (change_settings, "another choice of settings than"),
        (lambda table: change_record(table, "model", "ab12"), "another model than"),
        (lambda table: change_record(table, "version of the program", "9"), "another version"),
        (lambda table: change_record(table, "choice of files", "b"), "another choice of files"),
        (lambda table: table.write_text("mine"), "another kind of file is there"),
    ],
    ids=["missing", "no record", "other record", "renamed", "two divisions", "settings", "model",
         "version", "files", "foreign"],
)  # fmt: skip
def test_tables_that_do_not_belong_together_are_not_joined(change, reason, calls, tmp_path, capsys):
    table = tmp_path / "v.csv"
    judge_shards(table, 2, str(calls))
    change(table)
    before = table.read_bytes() if table.exists() else None
    capsys.readouterr()
    assert join.main([str(table)]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert err.count("\n") == 1
    assert (table.read_bytes() if table.exists() else None) == before


def write_shard(whole: Path, shard: str, name: str, names: str, finished_seconds: float) -> None:
    """Write the table of a shard with one row, and its record."""
    table = to_shard(shard).path(whole, ".csv")
    row = dict.fromkeys(SHARD_FIELDS, "") | {"verdict": "REAL", "file": name, "position": "1"}
    table.write_text(f"{','.join(SHARD_FIELDS)}\n{','.join(row.values())}\n")
    record = ShardRecord(
        shard=shard, identity="", made_with={}, listed=2, names=names, table=digest_table(table),
        finished_seconds=finished_seconds,
    )  # fmt: skip
    write_record(table, record)


def test_a_shard_of_an_earlier_list_of_as_many_files_is_named(tmp_path, capsys):
    """A file came and another one went, and only one shard ran again."""
    first, second = (
        next(name for name in NAMES if to_shard(shard).has(name)) for shard in ("1/2", "2/2")
    )
    write_shard(tmp_path / "v.csv", "1/2", first, "old", 1.0)
    write_shard(tmp_path / "v.csv", "2/2", second, "new", 2.0)
    assert join.main([str(tmp_path / "v.csv")]) == 1
    out, err = capsys.readouterr()
    assert out.strip().endswith("shards of an earlier list of files: 1/2.")
    assert "Run the shards 1/2 again" in err
    write_shard(tmp_path / "v.csv", "1/2", first, "new", 3.0)
    assert join.main([str(tmp_path / "v.csv")]) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"verdict,", b"mine,"), (b",1\n", b",\n"), (b",1\n", b",x\n"), (b",1\n", b"\n"),
        (b",1\n", b",1,\n"), (b"\nREAL,", b"\n,"), (b"\nREAL,", b"\n\x1b[2J,"),
        (b"\nREAL,", b"\n\xff,"),
    ],
)  # fmt: skip
def test_a_table_that_fits_its_record_and_is_malformed_is_reported(before, after, tmp_path, capsys):
    """A stranger's shard: its record has the digest of the table."""
    table = tmp_path / "v.1-of-1.csv"
    row = dict.fromkeys(SHARD_FIELDS, "") | {"verdict": "REAL", "file": "a", "position": "1"}
    content = f"{','.join(SHARD_FIELDS)}\n{','.join(row.values())}\n".encode()
    for written in (content, content.replace(before, after)):
        table.write_bytes(written)
        write_record(
            table,
            ShardRecord(
                shard="1/1", identity="", made_with={}, listed=1, names="",
                table=digest_table(table),
            ),
        )  # fmt: skip
        status = join.main([str(tmp_path / "v.csv")])
        assert status == (0 if written == content else 2)
    assert "v.1-of-1.csv is not as predict.py writes it; run" in capsys.readouterr().err


def test_the_shards_that_are_there_are_joined_if_allowed(calls, tmp_path, capsys):
    table, names = tmp_path / "v.csv", [str(path) for path in calls.iterdir()]
    *missing, given = sorted(all_shards(3), key=lambda shard: sum(map(shard.has, names)))
    predict.main([*JUDGE, "--csv", str(table), "--shard", str(given), str(calls)])
    capsys.readouterr()
    assert join.main(["--allow-missing", str(table)]) == 1
    told = " and ".join(sorted(map(str, missing)))
    assert capsys.readouterr().out.strip().endswith(f"missing: shards {told}.")
    shard = [row["file"] for row in read_rows(tmp_path / f"v.{given.number}-of-3.csv")]
    assert [row["file"] for row in read_rows(table)] == shard != []


def test_a_name_without_shards_is_reported(tmp_path, capsys):
    for name in (tmp_path / "v.csv", tmp_path / "nowhere" / "v.csv"):
        assert join.main([str(name)]) == 2
        assert capsys.readouterr().err.startswith(f"error: no shards of {name}; their names")


@pytest.mark.parametrize(
    "name", ["v.1-of-999999999.csv", "v.1-of-1001.csv", "v.3-of-2.csv", "v.0-of-2.csv"]
)
def test_a_name_that_no_shard_can_have_is_no_shard(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="no shards of"):
        find_shards(tmp_path / "v.csv", ".csv")


def test_another_spelling_of_a_number_hides_no_shard(tmp_path):
    names = ["v.1-of-2.csv", "v.01-of-2.csv", "v.1-of-02.csv"]
    for name in names:
        (tmp_path / name).touch()
    assert list(find_shards(tmp_path / "v.csv", ".csv").values()) == [tmp_path / names[0]]


@pytest.mark.slow
def test_a_killed_shard_continues_and_no_file_is_lost_or_double(audio_workspace, tmp_path):
    """The recipe of docs/scale.md: two processes, of which one is killed at once."""
    (tmp_path / "calls").mkdir()
    soundfile.write(tmp_path / "call.wav", make_voice("real", 1), 16000)
    for number in range(200):
        os.link(tmp_path / "call.wav", tmp_path / "calls" / f"{number:03}.wav")
    run = str(audio_workspace / "runs/heard")
    command = [sys.executable, str(ROOT / "predict.py"), "--run", run, "calls", "--csv"]
    shard = [[*command, "v.csv", "--shard", f"{number}/2"] for number in (1, 2)]
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(words, **quiet) for words in shard]

    def has_rows() -> bool:
        found = list(tmp_path.glob("v.1-of-2.csv.*.partial"))
        return bool(found) and found[0].read_bytes().count(b"\n") > 4

    wait_until(has_rows, processes[0])
    processes[0].kill()
    assert [process.wait() for process in processes] == [-9, 0]
    joined = [sys.executable, str(ROOT / "join.py"), "v.csv"]
    early = subprocess.run(joined, cwd=tmp_path, capture_output=True, text=True)
    assert (early.returncode, "v.csv lacks shard 1/2" in early.stderr) == (2, True)
    subprocess.run(shard[0], check=True, **quiet)
    subprocess.run([*command, "one.csv"], check=True, **quiet)
    subprocess.run(joined, check=True, **quiet)
    assert (tmp_path / "v.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


# data folders of prepare.py


def prepare_shards(count: int) -> None:
    for shard in all_shards(count):
        words = ["mine", "--name", "mine", "--shard", str(shard), *ONE_PROCESS]
        assert prepare.main([*words, 'prepare.codecs=["mp3"]']) in (0, 1)


def files_in(folder: Path) -> dict[str, bytes]:
    kept = (path for path in folder.rglob("*") if path.suffix in (".png", ".csv", ".yaml"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


@pytest.fixture
def recordings(workplace) -> Path:
    (workplace / "mine" / "real" / "bad.wav").write_bytes(b"no audio")
    return workplace


@pytest.mark.slow
def test_the_joined_data_folder_equals_that_of_one_command(recordings, capsys):
    assert prepare.main(["mine", "--name", "one", *ONE_PROCESS, 'prepare.codecs=["mp3"]']) == 1
    report = capsys.readouterr().out
    prepare_shards(3)
    capsys.readouterr()
    assert join.main(["data/mine"]) == 1
    assert files_in(Path("data/mine")) == files_in(Path("data/one"))
    assert capsys.readouterr().out.strip() in report.replace("data/one", "data/mine")
    image = next(Path("data/mine").rglob("*.png")).relative_to("data/mine")
    assert any((Path(f"data/mine.{n}-of-3") / image).is_file() for n in (1, 2, 3))


@pytest.mark.slow
def test_new_recordings_need_the_shards_again_and_keep_the_splits(recordings, capsys):
    prepare_shards(2)
    assert join.main(["data/mine"]) == 1
    before = files_in(Path("data/mine"))
    soundfile.write("mine/real/new.wav", make_voice("real", 99), 16000)
    capsys.readouterr()
    assert join.main(["data/mine"]) == 2
    assert "lacks 1 new or changed file, such as real/new.wav" in capsys.readouterr().err
    prepare_shards(2)
    assert join.main(["data/mine"]) == 1
    after = files_in(Path("data/mine"))
    images = {name for name in before if name.endswith(".png")}
    assert images < after.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: shutil.rmtree("data/mine.2-of-2"), "data/mine lacks shard 2/2"),
        (lambda: Path("data/mine.2-of-2/shard.json").unlink(), "data/mine.2-of-2 is unfinished"),
        (lambda: Path("data/mine.2-of-2/shard.json").write_text("[]"), "2-of-2/shard.json: Input"),
        (
            lambda: next(Path("data/mine.2-of-2").rglob("*.png")).unlink(),
            "is missing; run prepare.py for that shard again",
        ),
        (
            lambda: prepare.main(["mine", "--name", "mine", "--shard", "2/2", *ONE_PROCESS,
                                  "prepare.max_windows=1"]),
            "another prepare.max_windows than",
        ),
    ],
    ids=["missing", "unfinished", "other record", "no image", "settings"],
)  # fmt: skip
def test_folders_that_do_not_belong_together_are_not_joined(change, reason, recordings, capsys):
    prepare_shards(2)
    change()
    capsys.readouterr()
    assert join.main(["data/mine"]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_preparation_of_a_shard_continues(workplace):
    for number in range(100):
        soundfile.write(f"mine/real/{number:03}.wav", make_voice("real", number), 16000)
    words = [sys.executable, str(ROOT / "prepare.py"), "mine", *ONE_PROCESS, "--name"]
    shard = [[*words, "mine", "--shard", f"{number}/2"] for number in (1, 2)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, **quiet) for command in shard]
    journal = Path("data/mine.1-of-2/prepared.jsonl")
    wait_until(lambda: journal.is_file() and journal.stat().st_size > 0, processes[0])
    processes[0].kill()
    assert [process.wait() for process in processes] == [-9, 0]
    for command in (shard[0], [*words, "one"]):
        subprocess.run(command, check=True, **quiet)
    assert join.main(["data/mine"]) == 0
    assert files_in(Path("data/mine")) == files_in(Path("data/one"))


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_place_without_a_name_has_no_shards(name, capsys):
    assert join.main([name]) == 2
    assert capsys.readouterr().err == f"error: {Path(name)} has no name; give a table or a folder\n"
