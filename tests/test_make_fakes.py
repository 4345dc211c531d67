"""Real voices to a corpus of them and their copies, and on to images."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import make_fakes
import prepare
from conftest import ROOT, make_voice
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.vocoders import networks, training
from deepfake_audio.vocoders.resynthesis import decode
from helpers import make_tiny, read_table, wait_until, without_graphs, write_voices

TRACED = networks.tf.function
TWO = ["--kinds", "istft", "codec", "--steps", "2"]


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with voices/, where every vocoder is tiny."""
    make_tiny(monkeypatch)
    without_graphs(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_voices(tmp_path / "voices", [f"{person}/{n}.wav" for person in "ab" for n in range(4)])
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_voices_become_a_corpus_that_prepare_and_training_read(workplace, capsys):
    assert make_fakes.main(["voices", *TWO]) == 0
    out = Path("data/voices-copies")
    printed = capsys.readouterr().out
    assert "Made: 8 real files and 16 fakes in data/voices-copies" in printed
    assert printed.splitlines()[-1] == (
        "Next: python prepare.py data/voices-copies --name voices-copies-images"
    )
    args = ["data/voices-copies", "--name", "voices-copies-images", "prepare.workers=1"]
    assert prepare.main(args) == 0
    records = read_records(Path("data/voices-copies-images"))
    assert {(r.split, r.label) for r in records} == {
        (split, label) for split in ("train", "val", "test") for label in ("fake", "real")
    }
    assert {r.attack for r in records} == {"", "istft", "codec"}
    split_of = {}
    for record in records:
        sentence = Path(record.audio).name
        assert split_of.setdefault(sentence, record.split) == record.split
    assert len(split_of) == 8
    assert len(read_corpus(out).clips) == len(read_table(out)) == 24


@pytest.mark.slow
def test_real_and_fake_files_differ_only_in_the_vocoder(workplace):
    assert make_fakes.main(["voices", "--out", "out", "--kinds", "codec", "--steps", "1"]) == 0
    for row in read_table(Path("out")):
        sound, rate_hz = soundfile.read(Path("out", row["file"]))
        original, _ = soundfile.read(Path("out", row["sentence"]))
        info = soundfile.info(Path("out", row["file"]))
        assert (rate_hz, info.format, info.subtype) == (16_000, "FLAC", "PCM_16")
        assert len(sound) == len(original)
        peaked = np.abs(sound).max() > 0.94
        assert peaked or np.sqrt(np.mean(sound**2)) == pytest.approx(0.08, rel=0.01)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_only_the_same_seed_gives_the_same_bytes(workplace, monkeypatch):
    monkeypatch.setattr(networks.tf, "function", TRACED)
    for out, seed in (("one", "1"), ("again", "1"), ("other", "2")):
        args = ["--kinds", "upsampling", "--steps", "2", "--files", "3", "--seed", seed]
        assert make_fakes.main(["voices", "--out", out, *args]) == 0
    assert contents(Path("one")) == contents(Path("again"))
    assert contents(Path("one")).keys() != contents(Path("other")).keys()
    assert len(contents(Path("one"))) == 1 + 3 * 2


@pytest.mark.slow
def test_the_real_training_files_of_a_table_are_taken_with_their_speakers(workplace):
    write_voices(workplace / "mine", ["a.wav", "b.wav", "c.wav", "d.wav"])
    (workplace / "mine" / "list.csv").write_text(
        "file,label,split,speaker,corpus\n"
        "a.wav,real,train,ann,first\nb.wav,fake,train,ann,first\nc.wav,real,test,bob,first\n"
        "d.wav,real,train,dee,second\n"
    )
    assert make_fakes.main(["mine", "--out", "out", "--kinds", "istft", "--steps", "1"]) == 0
    facts = {
        (row["sentence"], row["label"], row["split"], row["speaker"], row["attack"], row["corpus"])
        for row in read_table(Path("out"))
    }
    assert facts == {
        (f"real/{name}.flac", label, "train", speaker, attack, corpus)
        for name, speaker, corpus in (("000000_a", "ann", "first"), ("000001_d", "dee", "second"))
        for label, attack in (("real", ""), ("fake", "istft"))
    }


def prepared_files(folder: str) -> dict[str, tuple[str, ...]]:
    """Prepare a corpus, and return what is known of each file that isn't a copy, by its stem."""
    assert prepare.main([folder, "--name", folder, "prepare.workers=1"]) == 0
    return {
        Path(r.audio).stem.split("_")[-1]: (r.label, r.split, r.speaker, r.attack, r.codec)
        for r in read_records(Path("data", folder))
        if not r.audio.startswith("fake/")
    }


def copies_in(folder: str) -> list[tuple[str, ...]]:
    return [
        (Path(r.audio).stem.split("_")[-1], r.split, r.speaker, r.attack, r.corpus)
        for r in read_records(Path("data", folder))
        if r.audio.startswith("fake/")
    ]


@pytest.mark.slow
def test_a_whole_corpus_gets_copies_of_some_real_training_files(workplace, capsys):
    write_voices(workplace / "mine", [f"{name}.wav" for name in "abcdefghi"])
    (workplace / "mine" / "labels.csv").write_text(
        "file,label,split,speaker,attack,codec,corpus\n"
        "a.wav,real,train,ann,,,page\nb.wav,real,train,ann,,,page\nc.wav,real,train,bob,,mp3,page\n"
        "d.wav,fake,train,ann,tts,,page\ne.wav,fake,val,cem,,,page\nf.wav,real,val,cem,,,page\n"
        "g.wav,real,test,dee,,,other\nh.wav,fake,test,dee,vits,opus,other\ni.wav,real,,eve,,,page\n"
    )
    args = ["--whole", "--files", "2", "--kinds", "istft", "--steps", "1"]
    assert make_fakes.main(["mine", "--out", "whole", *args]) == 0
    assert "Made: 2 real files and 2 fakes and 7 others in whole" in capsys.readouterr().out
    corpora = {Path(row["file"]).stem[-1]: row["corpus"] for row in read_table(Path("whole"))}
    assert corpora == dict.fromkeys("abcdefi", "page") | dict.fromkeys("gh", "other")
    original = prepared_files("mine")
    assert prepared_files("whole") == original and len(original) == 9
    copies = copies_in("whole")
    assert len(copies) == len({stem for stem, *_ in copies}) == 2
    for stem, split, speaker, attack, corpus in copies:
        assert original[stem][:3] == ("real", "train", speaker)
        assert (split, attack, corpus) == ("train", "istft", "page")


@pytest.mark.slow
def test_a_whole_corpus_without_splits_is_split_as_before(workplace):
    names = [f"{label}{sentence}.wav" for label in ("real", "fake") for sentence in range(9)]
    write_voices(workplace / "said", names)
    rows = "".join(f"{name},{name[:4]},sentence {name[4]}\n" for name in names)
    (workplace / "said" / "labels.csv").write_text(f"file,label,sentence\n{rows}")
    args = ["--whole", "--kinds", "istft", "--steps", "1"]
    assert make_fakes.main(["said", "--out", "whole", *args]) == 0
    original = prepared_files("said")
    assert prepared_files("whole") == original and len(original) == 18
    copies = copies_in("whole")
    assert len(copies) == 9
    assert all(original[stem][1] == split for stem, split, *_ in copies)


@pytest.mark.slow
def test_bad_files_are_named_counted_and_change_the_exit_code(workplace, capsys):
    Path("voices/broken.wav").write_bytes(b"no sound")
    write_voices(workplace / "voices", ["short.wav"], seconds=0.2)
    soundfile.write("voices/silent.flac", np.zeros(16_000), 16_000)
    args = ["voices", "--out", "out", "--kinds", "istft", "--steps", "1"]
    assert make_fakes.main(args) == 1
    captured = capsys.readouterr()
    assert "Left out: 3 of 11 files, for the reasons above" in captured.out
    for name, reason in (
        ("broken.wav", "cannot read "),
        ("short.wav", "it lasts 0.15 s; give a file of at least 0.5 s"),
        ("silent.flac", "it is silent"),
    ):
        lines = [line for line in captured.err.splitlines() if name in line]
        assert len(lines) == 1 and lines[0].startswith("error: ") and reason in lines[0]
    assert len(read_table(Path("out"))) == 2 * 8


def test_the_first_minute_of_a_long_recording_is_used(workplace):
    soundfile.write("long.wav", make_voice("real", 1, 95), 16_000)
    assert len(decode(Path("long.wav"))) == 60 * 16_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none"], "error: cannot open none: no such folder"),
        (["voices", "--out", "there"], "there exists already; choose another --out, or"),
        (["voices", "--kinds", "wavenet"], "invalid choice: 'wavenet'"),
        (["voices", "--steps", "0"], "--steps 0 is too small; give 1 or more"),
        (["voices", "--files", "-3"], "--files -3 is too small; give 1 or more"),
        (["voices", "--seed", "-1"], "--seed is -1; give a number from 0 to 4,294,967,295"),
        (["fakes"], "none of 1 files of fakes is a real file of the training split; give"),
        (["bad"], "error: none of 1 files can be used, for the reasons above; give"),
        (["voices", "--whole"], "--whole needs labels, and voices has none; leave --whole out"),
        (["fakes", "--whole"], "none of 1 files of fakes is a real file of the training split"),
    ],
)
def test_wrong_use_is_reported_in_one_line_and_leaves_no_files(args, message, workplace, capsys):
    Path("there").mkdir()
    write_voices(workplace, ["fakes/fake/a.wav"])
    Path("bad").mkdir()
    Path("bad/a.wav").write_bytes(b"no sound")
    before = set(Path().rglob("*"))
    assert make_fakes.main(args) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert message in last
    assert set(Path().rglob("*")) - before <= {Path("data")}


@pytest.mark.slow
def test_the_files_of_a_failed_training_are_removed(workplace, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_vocoder", interrupted)
    assert make_fakes.main(["voices", "--out", "out", *TWO]) == 130
    assert "error: Interrupted." in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"voices"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_ctrl_c_leaves_no_incomplete_corpus(workplace):
    making = subprocess.Popen(
        [sys.executable, str(ROOT / "make_fakes.py"), "voices", "--out", "out"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: any(Path().glob(".*/out/real/*.flac")), making)
    making.send_signal(signal.SIGINT)
    _, stderr = making.communicate()
    assert (making.returncode, "Traceback" in stderr) == (130, False), stderr
    assert {path.name for path in Path().iterdir()} == {"voices"}


@pytest.mark.slow
def test_wrong_use_needs_no_tensorflow(tmp_path):
    code = "import sys, make_fakes; make_fakes.main(['x']); sys.exit('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
