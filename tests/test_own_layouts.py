"""Folders, tables and images as people have them: names of classes, splits, left-out files."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

import prepare
import train
from deepfake_audio.corpora.reading import Clip, read_corpus
from deepfake_audio.corpora.shortcut_audit import conclude
from deepfake_audio.dataset.image_copies import group_images
from deepfake_audio.dataset.image_folders import describe_left_out, find_images
from deepfake_audio.dataset.manifest import left_out_warnings, read_records
from deepfake_audio.dataset.pictures import find_margins
from deepfake_audio.errors import InputError
from deepfake_audio.tables.class_names import label_of
from helpers import put_audio, put_text

PAIRS = (
    ("human", "ai"), ("Human", "AI"), ("original", "synthetic"), ("real_voices", "fake_voices"),
    ("genuine", "deepfake"), ("Echt", "Falsch"), ("bonafide", "spoof"), ("bona-fide", "Spoofed"),
    ("natural", "generated"), ("REALS", "FAKES"), ("real-1", "fake-1"), ("01_real", "02_fake"),
    ("RealAudio", "FakeAudio"), ("Real Speech", "Deep Fake Speech"), ("originals", "clones"),
    ("authentic", "ai_generated"), ("vrai", "faux"), ("reale", "falso"), ("human_voice", "TTS"),
    ("class_real", "class_fake"), ("real (wav)", "fake (wav)"), ("real", "fake_vits"),
    ("real_studio", "fake_phone"), ("orig", "synth"), ("auténticas", "falsas"),
    ("authentiques", "générées"), ("reais", "falsos"), ("真人", "合成"), ("真实语音", "AI生成"),
    ("진짜", "가짜"), ("Bona Fide", "AI-generated"),
)  # fmt: skip


def labels(root: Path) -> dict[str, str]:
    return {clip.name: clip.label for clip in read_corpus(root).clips}


def put_images(root: Path, *names: str, size: tuple[int, int] = (24, 32)) -> None:
    """Write images of noise, each with pixels of its own."""
    random = np.random.default_rng(0)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = cv2.imencode(".png", random.integers(0, 200, size, np.uint8))[1]
        path.write_bytes(encoded.tobytes())


@pytest.mark.parametrize(("real", "fake"), PAIRS)
def test_class_folders_have_the_names_that_people_use(tmp_path, real, fake):
    put_audio(tmp_path, f"{real}/a.wav", f"{fake}/b.wav")
    assert labels(tmp_path) == {f"{real}/a.wav": "real", f"{fake}/b.wav": "fake"}


@pytest.mark.parametrize(("real", "fake"), [*PAIRS[:3], ("Echt", "Falsch"), ("real", "fake_vits")])
def test_images_have_the_same_class_folders_as_audio(tmp_path, real, fake):
    put_images(tmp_path, *(f"{s}/{c}/1.png" for s in ("Training", "valid") for c in (real, fake)))
    records = read_records(tmp_path)
    assert [(record.split, record.label) for record in records] == [
        ("train", "fake"), ("train", "real"), ("val", "fake"), ("val", "real"),
    ]  # fmt: skip


def test_one_folder_may_name_a_class_and_a_split(tmp_path):
    put_audio(tmp_path, "real_train/a.wav", "test-fake/b.wav", "Valid/Human/c.wav", "ai/dev/d.wav")
    splits = {clip.name: (clip.split, clip.label) for clip in read_corpus(tmp_path).clips}
    assert splits == {
        "real_train/a.wav": ("train", "real"), "test-fake/b.wav": ("test", "fake"),
        "Valid/Human/c.wav": ("val", "real"), "ai/dev/d.wav": ("val", "fake"),
    }  # fmt: skip


def test_the_error_asks_to_rename_an_unknown_folder_to_the_missing_class(tmp_path):
    put_audio(tmp_path, "genuine/a.wav", "vits/b.wav")
    with pytest.raises(InputError, match=r"^rename vits/ in .* to fake, or label its files"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("other", ["real_vs_fake", "0", "noise", "not_real", "elevenlabs"])
def test_a_folder_without_a_class_beside_one_with_a_class_is_named(tmp_path, other):
    put_audio(tmp_path, "fake/a.wav", f"{other}/b.wav")
    with pytest.raises(InputError, match=rf"^rename {other}/ in .* to real, or label its files"):
        read_corpus(tmp_path)


def test_a_folder_without_a_class_beside_both_classes_is_counted(tmp_path):
    put_audio(tmp_path, "fake/a.wav", "real/b.wav", "noise/c.wav", "noise/d/e.wav")
    assert read_corpus(tmp_path).unknown_folders == {"noise/": 2}


def test_the_generator_is_the_rest_of_the_name_of_a_class_folder(tmp_path):
    put_audio(tmp_path, "fake_vits/a.wav", "fake_hifi_gan/b.wav", "real/c.wav")
    attacks = {clip.name: clip.attack for clip in read_corpus(tmp_path).clips}
    assert attacks == {
        "fake_vits/a.wav": "vits",
        "fake_hifi_gan/b.wav": "hifi_gan",
        "real/c.wav": "",
    }


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_found_in_either_unicode_form(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    name = unicodedata.normalize(form, "Übung_é.wav")
    put_audio(tmp_path, name, "b.wav")
    put_text(tmp_path, "labels.csv", "file,label", f"{unicodedata.normalize(other, name)},real",
             "b.wav,fake")  # fmt: skip
    assert labels(tmp_path) == {name: "real", "b.wav": "fake"}


TABLES = {
    "semicolons": "file;label\na.wav;real\nb.wav;fake\n",
    "tabs": "file\tlabel\na.wav\treal\nb.wav\tfake\n",
    "bars": 'file|label|text\na.wav|real|"Oh\nb.wav|fake|said "he"\n',
    "separator line": "sep=;\nfile;label\na.wav;real\nb.wav;fake\n",
    "empty rows": "file,label,speaker\na.wav,real,x\n,,\n\nb.wav,fake,y\n,,\n",
    "empty columns": "file,label,,\na.wav,real,,\nb.wav,fake,,\n",
    "names without suffix": "file,label\na,real\nb,fake\n",
    "names of another suffix": "file,label\na.mp3,real\nb.MP3,fake\n",
    "names without folder": "file,label\nd.wav,real\na.wav,fake\n",
    "names in another case": "file,label\nSUB/D.WAV,real\nA,fake\n",
    "backslashes": "file,label\nsub\\d.wav,real\na.wav,fake\n",
    "other headers": "Filename;Class\na.wav;bona-fide\nb.wav;spoof\n",
    "words": "path,label\na.wav,Human\nb.wav,AI-generated\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("table", sorted(TABLES))
def test_tables_of_spreadsheets_are_read(tmp_path, table, encoding):
    put_audio(tmp_path, "a.wav", "b.wav", "sub/d.wav")
    (tmp_path / "labels.csv").write_text(TABLES[table], encoding=encoding)
    assert Counter(labels(tmp_path).values()) == {"real": 1, "fake": 1}


def test_a_name_in_two_other_cases_is_not_guessed(tmp_path):
    put_audio(tmp_path, "AA.wav", "aa.wav", "b.wav")
    put_text(tmp_path, "labels.csv", "file,label", "aA.wav,real", "aa.wav,real", "b.wav,fake")
    assert labels(tmp_path) == {"aa.wav": "real", "b.wav": "fake"}
    assert read_corpus(tmp_path).missing == ["aA.wav"]


def test_the_file_of_another_row_is_not_taken_in_another_case(tmp_path):
    put_audio(tmp_path, "a.wav", "b.wav")
    put_text(tmp_path, "labels.csv", "file,label", "A.wav,real", "a.wav,fake", "b.wav,real")
    assert labels(tmp_path) == {"a.wav": "fake", "b.wav": "real"}
    assert read_corpus(tmp_path).missing == ["A.wav"]


def test_a_workbook_called_labels_csv_is_named(tmp_path):
    put_audio(tmp_path, "a.wav", "b.wav")
    put_text(tmp_path, "labels.csv", "PK\x03\x04")
    with pytest.raises(InputError, match=r"labels\.csv: it is a workbook or an archive; save the"):
        read_corpus(tmp_path)


def test_a_quote_that_is_not_closed_is_an_error(tmp_path):
    put_audio(tmp_path, "a.wav", "b.wav", "c.wav")
    put_text(tmp_path, "labels.csv", "file,label,text", 'a.wav,real,"Oh', "b.wav,fake,no",
             'c.wav,fake,she said"')  # fmt: skip
    with pytest.raises(
        InputError, match=r"a quote character before line 4 .* is not closed, and 'b"
    ):
        read_corpus(tmp_path)


def test_a_cell_of_several_lines_is_no_error(tmp_path):
    put_audio(tmp_path, "a.wav", "b.wav")
    put_text(tmp_path, "labels.csv", "file,label,text", 'a.wav,real,"Oh', 'yes, he said, no"',
             "b.wav,fake,no")  # fmt: skip
    assert labels(tmp_path) == {"a.wav": "real", "b.wav": "fake"}


def test_a_manifest_may_come_from_windows(tmp_path):
    put_images(tmp_path, "train/real/1.png", "train/fake/2.png")
    rows = "image;label;split\r\ntrain\\real\\1.png;Real;Training\r\n;;\r\n"
    rows += "train\\fake\\2.png;FAKE;train\r\n"
    (tmp_path / "manifest.csv").write_text(rows, encoding="utf-8-sig", newline="")
    records = read_records(tmp_path)
    assert [(r.path.is_file(), r.label, r.split) for r in records] == [
        (True, "real", "train"), (True, "fake", "train"),
    ]  # fmt: skip


def test_files_and_folders_that_are_left_out_are_reported(tmp_path):
    put_images(tmp_path, "train/real/1.png", "val/fake/1.png", "val/other/2.png", "fake/3.png")
    put_text(tmp_path, "train/real/a.gif", "GIF89a")
    put_text(tmp_path, "train/real/b.webm", "sound")
    (tmp_path / "train" / "again").symlink_to(tmp_path / "train" / "real")
    lines = list(describe_left_out(find_images(tmp_path)))
    assert lines == [
        "1 file of other kinds left out: 1 .gif; save images as PNG to use them.",
        "1 image left out, in folders whose names mean no class: val/other/; rename these to real "
        "or fake.",
        "1 image left out, in class folders outside train, val and test; move them into one of "
        "these.",
        "1 linked folder not entered, since they lead to a parent folder or to one that was read "
        "already: train/again.",
    ]  # fmt: skip


def grouped(*names: str, grouping: str = "auto") -> tuple[dict[str, str], str]:
    clips = [Clip(Path(name), name, label_of(name.split("/")[0]), split_key=name) for name in names]
    found, line = group_images(clips, grouping)
    return {clip.name: clip.split_key for clip in found}, line


def test_images_of_one_folder_are_in_one_split():
    real = [f"real/spk{n:02}/{part:03}.png" for n in range(12) for part in range(3)]
    fake = [f"fake/{name}/{n:03}.png" for name in ("tacotron", "vits") for n in range(20)]
    keys, line = grouped(*real, *fake)
    assert {keys[name] for name in real} == {f"spk{n:02}" for n in range(12)}
    assert len({keys[name] for name in fake}) == 20
    assert line.startswith("Real images are in 12 groups by folder, such as spk00 (3 images);")
    assert "Fake images are split one by one" in line
    assert "prepare.image_groups=folder keeps each folder together" in line
    keys, line = grouped(*real, *fake, grouping="folder")
    assert {keys[name] for name in fake} == {"tacotron", "vits"}
    both = [f"{label}/spk{n}/{part}.png" for label in ("real", "fake") for n in range(10)
            for part in "ab"]  # fmt: skip
    keys, line = grouped(*both)
    assert keys["real/spk3/a.png"] == keys["fake/spk3/b.png"] == "spk3"
    assert line.startswith("Images are in 10 groups by folder")


@pytest.mark.parametrize("grouping", ["auto", "file"])
def test_images_of_one_name_in_many_folders_are_split_one_by_one(grouping):
    names = [f"{label}/clip{n // 3}/{n % 3}.png" for label in ("real", "fake") for n in range(24)]
    keys, line = grouped(*names, grouping=grouping)
    assert len(set(keys.values())) == 24
    assert keys["real/clip5/1.png"] == keys["fake/clip5/1.png"]
    assert "split one by one" in line


def test_the_settings_allow_every_way_to_group_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    put_images(
        tmp_path / "pngs",
        *(f"{c}/s{n}/{i}.png" for c in ("real", "fake") for n in range(4) for i in range(3)),
    )
    for how in ("folder", "name", "file"):
        command = ["pngs", "--name", how, f"prepare.image_groups={how}"]
        assert prepare.main(command) in (0, 1), capsys.readouterr().err
        assert Path("data", how, "manifest.csv").is_file()


def test_evaluate_names_the_kinds_of_images_that_it_leaves_out(tmp_path):
    put_images(tmp_path, "train/real/1.png", "train/fake/1.png")
    put_text(tmp_path, "train/real/a.gif", "GIF89a")
    assert left_out_warnings(tmp_path) == [
        "1 file of other kinds left out: 1 .gif; save images as PNG to use them."
    ]
    put_text(tmp_path, "manifest.csv", "image,label,split", "train/real/1.png,real,train")
    assert left_out_warnings(tmp_path) == []


@pytest.mark.slow
def test_images_without_splits_are_copied_into_splits(workplace, capsys):
    names = [f"spk{n}_{part}.png" for n in range(20) for part in range(2)]
    put_images(Path("pngs"), *(f"{label}/{name}" for label in ("Real", "FAKE") for name in names))
    before = {path: path.read_bytes() for path in Path("pngs").rglob("*.png")}
    assert train.main(["data.folder=pngs"]) == 2
    assert capsys.readouterr().err == (
        "error: pngs is not split into train, val and test; split it with: python prepare.py pngs\n"
    )
    assert prepare.main(["pngs"]) == 0
    printed = capsys.readouterr().out
    assert "Images are in 20 groups by the name without its last number" in printed
    assert printed.endswith("Next: python train.py data.folder=data/pngs\n")
    assert before == {path: path.read_bytes() for path in Path("pngs").rglob("*.png")}
    records = read_records(Path("data/pngs"))
    assert Counter((r.split, r.label) for r in records) == {
        (split, label): count
        for split, count in (("train", 32), ("val", 4), ("test", 4))
        for label in ("fake", "real")
    }
    splits_of = {re.search(r"spk\d+", r.image)[0]: set() for r in records}
    for record in records:
        splits_of[re.search(r"spk\d+", record.image)[0]].add(record.split)
        assert record.path.read_bytes() == before[Path("pngs", record.audio)]
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert not Path("data/pngs/audio.yaml").exists()
    put_images(Path("pngs"), "Real/new.png", size=(9, 9))
    assert prepare.main(["pngs", "prepare.seed=3"]) == 0
    after = {record.image: record.split for record in read_records(Path("data/pngs"))}
    assert {record.image: record.split for record in records}.items() <= after.items()
    assert prepare.main(["pngs", "--name", "other", "prepare.seed=3"]) == 0
    other = {record.image for record in read_records(Path("data/other"))}
    assert other != after.keys()


def test_a_folder_of_the_user_is_not_filled_with_images(workplace, capsys):
    put_images(Path("data/pngs"), "real/1.png", "fake/1.png")
    put_images(Path("pngs"), "real/1.png", "fake/2.png")
    assert prepare.main(["pngs"]) == 2
    assert (
        "cannot write into data/pngs: prepare.py did not make its files" in capsys.readouterr().err
    )


def test_plots_with_margins_and_squeezed_images_give_warnings(workplace, capsys):
    random = np.random.default_rng(0)
    for label in ("real", "fake"):
        for number in range(3):
            figure = np.full((288, 432), 255, np.uint8)
            figure[40:250, 60:400] = random.integers(0, 200, (210, 340))
            figure[260:275, 80:390:4] = 0
            path = Path("plots", label, f"{label}{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), figure)
    assert prepare.main(["plots"]) in (0, 1)
    printed = capsys.readouterr().out
    assert "images have white margins with axes, ticks or labels" in printed
    assert "432 x 288 pixels to image.width=96 and image.height=128. Train with" in printed


def test_a_spectrogram_with_white_silence_has_no_margins():
    picture = np.full((64, 64), 255, np.uint8)
    picture[20:, 10:50] = 40
    assert find_margins(picture) == (False, False)
    picture[:] = 255
    assert find_margins(picture) == (False, False)


def audit_sentence(files: int, **shifts: float) -> str:
    """Conclude about random properties, of which some are shifted for real files."""
    random, is_real = np.random.default_rng(3), [number % 2 == 1 for number in range(files)]
    rows = [
        {name: float(random.normal(shift * real)) for name, shift in shifts.items()}
        for real in is_real
    ]
    return conclude(rows, is_real)


def test_an_audit_ends_in_a_sentence_that_knows_chance():
    assert audit_sentence(400, level=0, duration=0) == "Audit: no shortcut found."
    assert audit_sentence(400, level=0, duration=2).startswith(
        "Audit: shortcut found: duration separates 9"
    )
    by_chance = audit_sentence(6, level=1.0, duration=0, bandwidth=0)
    assert re.fullmatch(
        r"Audit: \w+ separates \d+% of the pairs of a real and a fake file; with 6 files "
        r"that may be chance \(p = [\d.]+\)\.",
        by_chance,
    )


@pytest.mark.slow
def test_an_audit_seldom_finds_a_shortcut_in_noise():
    random, is_real = np.random.default_rng(0), [number % 2 == 1 for number in range(16)]
    found = 0
    for _ in range(200):
        rows = [
            {"level": float(random.normal()), "format": str(random.choice(["wav", "mp3"]))}
            for _ in is_real
        ]
        found += conclude(rows, is_real).startswith("Audit: shortcut found")
    assert found <= 20  # 5% of 200, and chance
