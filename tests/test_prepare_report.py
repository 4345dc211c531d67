"""The report of prepare.py: files that were left out, and warnings about splits."""

import errno
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
import soundfile

import prepare
from deepfake_audio.dataset.provenance import FileCounts, read_origin
from helpers import ONE_PROCESS, RATE_HZ, make_audio, manifest, sound


def test_skipped_files_are_counted_by_suffix(workplace, capsys):
    for name in ("a.txt", "b.txt", "c.TXT", "d.xyz", "voice"):
        Path("mine/real", name).touch()
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    printed, report = capsys.readouterr().out, Path("data/mine/report.txt").read_text()
    line = "5 files ignored because of their suffix: 3 .txt, 1 .xyz, 1 without suffix\n"
    assert line in printed
    assert ("real/d.xyz" in printed, "real/d.xyz" in report) == (False, True)


def test_small_splits_give_a_warning(workplace, capsys):
    make_audio(workplace / "small", files=20)
    for number in range(13):
        Path(f"small/fake/{number:02}.wav").unlink()
    assert prepare.main(["small", *ONE_PROCESS]) == 0
    printed = capsys.readouterr().out
    assert (
        "Warning: validation has 1 fake and 2 real files: error rates and confidence fitted on "
        "them are a matter of luck. Add files, or set prepare.val_share=0.25 with another --name: "
        "about 2 of each class.\n"
        "Warning: test has 1 fake and 2 real files: error rates on them are a matter of luck. Add "
        "files, or set prepare.test_share=0.25 with another --name: about 2 of each class.\n"
    ) in printed
    files = {(row["split"], row["label"], row["audio"]) for row in manifest(Path("data/small"))}
    assert Counter(split for split, label, _ in files if label == "real") == {
        "train": 16, "val": 2, "test": 2,
    }  # fmt: skip


def test_no_share_is_recommended_that_gives_no_more_files(workplace, capsys):
    shutil.rmtree("mine")
    make_audio(workplace / "mine", files=5, seconds=0.5)
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    printed = capsys.readouterr().out
    assert printed.count("are a matter of luck. Add files.\n") == 2


def test_empty_splits_give_a_warning_with_a_remedy_that_helps(workplace, capsys):
    shutil.rmtree("mine")
    make_audio(workplace / "mine", files=2, seconds=0.5)
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    line = "Warning: test has no files: error rates on new files stay unknown.\n"
    assert line in capsys.readouterr().out
    line = "Warning: val has no files; train.py needs some of each class there."
    assert prepare.main(["mine", "--name", "x", "prepare.val_share=0", *ONE_PROCESS]) == 0
    remedy = "Set prepare.val_share=0.1 with another --name."
    assert f"{line} {remedy}\n" in capsys.readouterr().out
    Path("mine/labels.csv").write_text(
        "file,label,speaker\nreal/00.wav,real,a\nreal/01.wav,real,a\n"
        "fake/00.wav,fake,a\nfake/01.wav,fake,a\n"
    )
    assert prepare.main(["mine", "--name", "y", *ONE_PROCESS]) == 0
    assert f"{line} Add files of other speakers.\n" in capsys.readouterr().out


@pytest.mark.slow
def test_splits_with_enough_files_give_no_warning(workplace, capsys):
    shutil.rmtree("mine")
    make_audio(workplace / "mine", files=75, seconds=0.5)
    shares = ["prepare.val_share=0.4", "prepare.test_share=0.4"]
    assert prepare.main(["mine", *shares, *ONE_PROCESS]) == 0
    assert "a matter of luck" not in capsys.readouterr().out


@pytest.mark.slow
def test_splits_of_only_some_files_give_a_warning(workplace, capsys):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    for label in ("fake", "real"):
        for name in ("train", "valid"):
            Path("mine", label, name).mkdir()
        for number in range(7):
            file = Path("mine", label, f"{number:02}.wav")
            file.rename(file.parent / ("valid" if number == 6 else "train") / file.name)
    assert "come with a split" not in capsys.readouterr().out
    assert prepare.main(["mine", "--name", "some", *ONE_PROCESS]) == 0
    assert (
        "Warning: 14 of 16 files come with a split; prepare.py chose the split of the others, such "
        "as fake/07.wav. Give all files a split, or none.\n"
    ) in capsys.readouterr().out
    for label in ("fake", "real"):
        Path("mine", label, "07.wav").rename(Path("mine", label, "valid", "07.wav"))
    assert prepare.main(["mine", "--name", "all", *ONE_PROCESS]) == 0
    assert "come with a split" not in capsys.readouterr().out
    files = {(row["split"], row["audio"]) for row in manifest(Path("data/all"))}
    assert Counter(split for split, _ in files) == {"train": 12, "val": 4}


@pytest.mark.slow
def test_missing_files_are_counted_and_change_the_exit_code(workplace, capsys):
    Path("mine/fake/01.wav").write_bytes(b"no audio")
    shutil.copy("mine/fake/02.wav", "mine/fake/03.wav")
    rows = [f"{label}/{n:02}.wav,{label},test" for label in ("fake", "real") for n in range(7)]
    rows += ["real/gone.wav,real,test", "real/07.wav,real,", "fake/gone.wav,fake,"]
    Path("mine/labels.csv").write_text("\n".join(["file,label,split", *rows]))
    assert prepare.main(["mine", *ONE_PROCESS]) == 1
    assert "2 files listed but missing: real/gone.wav, fake/" in capsys.readouterr().out
    counts = read_origin(Path("data/mine/manifest.csv")).counts
    assert counts["test"] == FileCounts(listed=15, used=12, missing=1, unusable=1, repeated=1)
    assert counts["unknown"] == FileCounts(listed=1, used=0, missing=1, unusable=0, repeated=0)
    assert sum(count.listed for count in counts.values()) == 17
    Path("mine/fake/01.wav").unlink()
    Path("mine/fake/03.wav").unlink()
    assert prepare.main(["mine", *ONE_PROCESS]) == 1  # now that nothing else is wrong
    assert read_origin(Path("data/mine")).counts["test"].missing == 3


@pytest.fixture
def barred(monkeypatch) -> set[str]:
    """The names of folders that cannot be entered: permissions do not stop root."""
    names = set()
    scandir = os.scandir

    def scandir_of_a_user(path):
        if not isinstance(path, int) and Path(path).name in names:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_of_a_user)
    return names


def test_an_unreadable_folder_is_left_out_and_the_others_are_used(workplace, barred, capsys):
    Path("mine/real/lost+found").mkdir()
    barred.add("lost+found")
    assert prepare.main(["mine", *ONE_PROCESS]) == 1
    assert len({row["audio"] for row in manifest()}) == 16
    assert (
        "1 folder could not be opened, and their files are left out: "
        "mine/real/lost+found (Permission denied)\n"
    ) in capsys.readouterr().out


def test_an_unreadable_corpus_is_an_error(workplace, barred, capsys):
    barred.update(("real", "fake"))
    assert prepare.main(["mine", *ONE_PROCESS]) == 2
    assert capsys.readouterr().err == (
        "error: cannot open the folder mine/fake (Permission denied); check its permissions\n"
    )
    barred.add("mine")
    assert prepare.main(["mine", *ONE_PROCESS]) == 2
    assert "cannot open the folder mine (Permission denied); check" in capsys.readouterr().err


@pytest.mark.parametrize(("there", "absent"), [("train", "val"), ("val", "train")])
def test_a_missing_training_or_validation_split_gives_a_warning(there, absent, workplace, capsys):
    warning = f"Warning: {absent} has no files; train.py needs some of each class there.\n"
    make_audio(workplace / "some" / there, files=2)
    for seed, label in enumerate(("fake", "real")):
        Path("some/test", label).mkdir(parents=True)
        soundfile.write(f"some/test/{label}/0.wav", sound(2.0, 400 + seed), RATE_HZ)
    assert prepare.main(["some", *ONE_PROCESS]) == 0
    printed = capsys.readouterr().out
    assert printed.count("train.py needs some") == printed.count(warning) == 1
    shutil.rmtree(f"some/{there}")
    assert prepare.main(["some", "--name", "to-judge", *ONE_PROCESS]) == 0
    assert "train.py needs some" not in capsys.readouterr().out


def test_evaluation_is_the_next_command_if_training_is_impossible(workplace, capsys):
    Path("all/test").mkdir(parents=True)
    shutil.move("mine/fake", "all/test/fake")
    shutil.move("mine/real", "all/test/real")
    assert prepare.main(["all", "--name", "an odd one", *ONE_PROCESS]) == 0
    assert capsys.readouterr().out.endswith("Next: python evaluate.py --data 'data/an odd one'\n")
    for seed, place in enumerate(("train/fake", "train/real", "val/fake", "val/real")):
        Path("all", place).mkdir(parents=True)
        soundfile.write(f"all/{place}/0.wav", sound(2.0, 400 + seed), RATE_HZ)
    assert prepare.main(["all", *ONE_PROCESS]) == 0
    assert capsys.readouterr().out.endswith("Next: python train.py data.folder=data/all\n")
