"""A second preparation keeps the files of a data folder, adds new ones, or refuses."""

import shutil
from pathlib import Path

import pytest
import soundfile

import prepare
from deepfake_audio.dataset import preparation_report
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import read_origin
from helpers import ONE_PROCESS, RATE_HZ, make_audio, manifest, put_text, sound


def of_other_voices(folder: Path) -> Path:
    """Make audio with the same names and lengths as that of `make_audio`, but other sound."""
    for number, label in enumerate(("fake", "real")):
        (folder / label).mkdir(parents=True)
        for file in range(8):
            samples = sound(2.0, 300 + 100 * number + file)
            soundfile.write(folder / label / f"{file:02}.wav", samples, RATE_HZ)
    return folder


def test_another_corpus_never_replaces_that_of_a_data_folder(workplace, capsys):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    before = Path("data/mine/manifest.csv").read_bytes()
    of_other_voices(workplace / "other")
    capsys.readouterr()
    assert prepare.main(["other", "--name", "mine", *ONE_PROCESS]) == 2
    assert capsys.readouterr().err == (
        f"error: data/mine was made of folders in {workplace}/mine, not of folders in "
        f"{workplace}/other; choose another --name\n"
    )
    assert Path("data/mine/manifest.csv").read_bytes() == before


@pytest.mark.slow
def test_a_data_folder_without_an_origin_continues_with_its_own_files(workplace, capsys):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    before = manifest()
    Path("data/mine/corpus.json").unlink()
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    assert manifest() == before
    Path("data/mine/corpus.json").unlink()
    (workplace / "above").mkdir()
    shutil.move("mine", "above/mine")
    assert prepare.main(["above", "--name", "mine", *ONE_PROCESS]) == 2
    assert "was made of files with other names, not of folders in" in capsys.readouterr().err


@pytest.mark.slow
def test_a_moved_or_changed_corpus_is_recognised(workplace):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    before = {row["audio"]: row["split"] for row in manifest()}
    shutil.copytree("mine", "moved", copy_function=shutil.copyfile)
    shutil.rmtree("mine")
    Path("moved/real/00.wav").unlink()
    soundfile.write("moved/real/new.wav", sound(2.0, 50), RATE_HZ)
    assert prepare.main(["moved", "--name", "mine", *ONE_PROCESS]) == 0
    after = {row["audio"]: row["split"] for row in manifest()}
    assert before.keys() ^ after.keys() == {"real/00.wav", "real/new.wav"}
    assert all(after[name] == before[name] for name in before.keys() & after.keys())
    assert read_origin(Path("data/mine")).folder == str(workplace / "moved")


@pytest.mark.slow
def test_a_copy_never_moves_a_recording_to_another_split(workplace):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    before = manifest()
    for row in before:  # names that sort before all others, and most of which fall into train
        shutil.copy(Path("mine", row["audio"]), Path("mine", row["label"], f"+{row['split']}.wav"))
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    assert manifest() == before


@pytest.mark.slow
def test_a_file_of_an_odd_name_stays_in_its_split(workplace):
    odd = Path("mine/real/line\nbreak.wav")
    soundfile.write("mine/real/odd.wav", sound(2.0, 60), RATE_HZ)
    Path("mine/real/odd.wav").rename(odd)
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    path = Path("data/mine/manifest.csv")
    rows = [row for row in manifest() if "break" in row["audio"]]
    other = "test" if rows[0]["split"] != "test" else "train"
    text = path.read_text()
    for row in rows:  # as if it had been moved there, to fill a split that was empty
        line = f"{row['image']},real,{row['split']},"
        assert line in text
        text = text.replace(line, f"{row['image']},real,{other},")
    path.write_text(text)
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    assert {row["split"] for row in manifest() if "break" in row["audio"]} == {other}


def test_an_empty_data_folder_accepts_another_corpus(workplace):
    for path in Path("mine").rglob("*.wav"):
        path.write_bytes(f"no audio {path}".encode())
    assert prepare.main(["mine", *ONE_PROCESS]) == 2
    make_audio(workplace / "other")
    assert prepare.main(["other", "--name", "mine", *ONE_PROCESS]) == 0


@pytest.mark.slow
def test_a_run_without_usable_files_keeps_the_earlier_images(workplace, capsys):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    written = ("manifest.csv", "corpus.json", "audio.yaml", "report.txt")
    before = {name: Path("data/mine", name).read_bytes() for name in written}
    Path("mine").rename("aside")
    for path in Path("aside").rglob("*.wav"):  # as a drive whose files are fetched on demand
        Path("mine", path.parent.name).mkdir(parents=True, exist_ok=True)
        Path("mine", path.parent.name, path.name).write_bytes(f"no audio {path}".encode())
    capsys.readouterr()
    assert prepare.main(["mine", *ONE_PROCESS]) == 2
    assert capsys.readouterr().err.endswith(
        "error: none of 16 files can be used; data/mine/errors.csv gives the reasons\n"
    )
    assert Path("data/mine/errors.csv").read_text().count("\n") == 17
    assert {name: Path("data/mine", name).read_bytes() for name in written} == before
    shutil.rmtree("mine")
    Path("aside").rename("mine")
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    assert Path("data/mine/manifest.csv").read_bytes() == before["manifest.csv"]


@pytest.mark.slow
def test_a_corpus_in_the_working_directory_does_not_include_its_own_images(
    workplace, monkeypatch, capsys
):
    monkeypatch.chdir("mine")
    assert prepare.main([".", *ONE_PROCESS]) == 0
    report = Path("data/mine/report.txt").read_text()
    assert prepare.main([".", *ONE_PROCESS]) == 0
    assert Path("data/mine/report.txt").read_text() == report
    assert "ignored" not in capsys.readouterr().out
    assert prepare.main(["data/mine", "--name", "of-images", *ONE_PROCESS]) == 2
    assert "no audio below data/mine" in capsys.readouterr().err


def test_each_subset_has_its_own_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = []
    for number in range(4):
        key = ("A07 spoof", "bonafide bonafide")[number % 2]
        subset = ("eval", "progress")[number // 2]
        lines.append(f"LA_0009 LA_E_{number} alaw ita_tx {key} notrim {subset}")
        Path("LA/flac").mkdir(parents=True, exist_ok=True)
        soundfile.write(f"LA/flac/LA_E_{number}.flac", sound(2.0, number), RATE_HZ)
    put_text(tmp_path, "LA/keys/LA/CM/trial_metadata.txt", *lines)
    for subset in ("eval", "progress"):
        assert prepare.main(["LA", "--subset", subset, *ONE_PROCESS]) == 0
        records = read_records(Path(f"data/asvspoof2021-la-{subset}"))
        assert len({record.audio for record in records}) == 2
    named = ["--name", "asvspoof2021-la-eval", *ONE_PROCESS]
    capsys.readouterr()
    for subset in ("progress", "all"):
        assert prepare.main(["LA", "--subset", subset, *named]) == 2
        assert f", not of asvspoof2021-la, subset {subset}, in " in capsys.readouterr().err


def test_an_unreadable_origin_file_is_an_error_with_a_remedy(workplace, capsys):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    path = Path("data/mine/corpus.json")
    advice = "; remove it, and run prepare.py again with the same arguments"
    for content, fact in (
        ("", f"cannot read corpus.json: {path} is empty{advice}"),
        ("[]", f"cannot read {path}: Input should be an object{advice}"),
        ('{"corpus": "folders"}', f"cannot read {path}: subset: Field required{advice}"),
        ("\0", f"cannot read {path}: Invalid JSON: expected value at line 1 column 1{advice}"),
        (" " * 2_000_000, f"cannot read {path}: it has more than 1,000,000 bytes{advice}"),
    ):
        path.write_text(content)
        capsys.readouterr()
        assert prepare.main(["mine", *ONE_PROCESS]) == 2
        assert capsys.readouterr().err == f"error: {fact}\n"


@pytest.mark.slow
def test_changed_shares_give_a_warning_that_they_apply_only_to_new_files(workplace, capsys):
    warning = (
        "Warning: prepare.val_share=0.3 and prepare.test_share=0.2 apply to new files only; "
        "earlier files keep their splits, which were made with 0.1 and 0.1. Choose another --name "
        "to split all files again.\n"
    )
    shares = ["prepare.val_share=0.3", "prepare.test_share=0.2"]
    assert prepare.main(["mine", "--name", "other", *shares, *ONE_PROCESS]) == 0
    assert prepare.main(["mine", "--name", "other", *shares, *ONE_PROCESS]) == 0
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    before = manifest()
    assert "apply to new files only" not in capsys.readouterr().out
    for _ in range(2):  # it stays the same with the same command
        assert prepare.main(["mine", *shares, *ONE_PROCESS]) == 0
        assert warning in capsys.readouterr().out
    assert manifest() == before
    Path("data/mine/corpus.json").unlink()
    assert prepare.main(["mine", *shares, *ONE_PROCESS]) == 0
    assert warning in capsys.readouterr().out


def test_shares_give_no_warning_if_the_corpus_ships_its_splits(workplace, capsys):
    Path("mine").rename("train")
    make_audio(workplace / "val", files=4)
    Path("shipped").mkdir()
    for split in ("train", "val"):
        shutil.move(split, f"shipped/{split}")
    for share in ("0.1", "0.2"):
        assert prepare.main(["shipped", f"prepare.val_share={share}", *ONE_PROCESS]) == 0
    assert "apply to new files only" not in capsys.readouterr().out


def test_files_whose_short_image_names_are_equal_get_long_ones(tmp_path, monkeypatch, capsys):
    """The names of these two have a SHA-256 with the same first 40 bits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preparation_report, "audit", lambda *_: [])
    make_audio(tmp_path / "mine")
    first, second = ("15681/x.wav", "1251787/x.wav")
    for number, name in enumerate((first, second)):
        (tmp_path / "mine" / "real" / name).parent.mkdir()
        soundfile.write(tmp_path / "mine" / "real" / name, sound(2.0, 900 + number), RATE_HZ)
    (tmp_path / "mine" / "real" / second).rename(tmp_path / "later.wav")
    args = ["mine", "--name", "mine", "prepare.max_windows=1", *ONE_PROCESS]
    assert prepare.main(args) == 0
    before = {row["audio"]: row["image"] for row in manifest()}
    assert before[f"real/{first}"].endswith("/x_f96940688f_0000.png")
    (tmp_path / "later.wav").rename(tmp_path / "mine" / "real" / second)
    (tmp_path / "mine" / "labels.csv").write_text(
        "file,label,split\n" + "".join(f"{audio},{audio[:4]},train\n" for audio in before)
        + f"real/{second},real,train\n"
    )  # fmt: skip
    capsys.readouterr()
    assert prepare.main(args) == 0
    after = {row["audio"]: row["image"] for row in manifest()}
    assert len(after[f"real/{first}"].split("_")[1]) == len(after[f"real/{second}"].split("_")[1])
    assert after[f"real/{first}"] != after[f"real/{second}"]
    images = {path.name for path in Path("data/mine/train").rglob("x_*.png")}
    assert images == {Path(after[f"real/{name}"]).name for name in (first, second)}
    assert "2 files named by a whole digest" in capsys.readouterr().out
