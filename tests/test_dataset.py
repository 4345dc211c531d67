import csv
import shutil
import tracemalloc
from pathlib import Path

import pytest

from conftest import make_data_folder
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset import manifest
from deepfake_audio.dataset.checks import check_classes, check_images, speaker_warnings
from deepfake_audio.dataset.manifest import read_manifest, read_records, summarise
from deepfake_audio.dataset.provenance import read_audio_settings, write_audio_settings
from deepfake_audio.errors import InputError
from deepfake_audio.vocabulary import ImageRecord
from helpers import read_rows

IMAGE = load_settings(None, ["image.height=32", "image.width=32"]).image


def edit_manifest(folder, change):
    path = folder / "manifest.csv"
    rows = read_rows(path)
    change(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def error_of(folder) -> str:
    with pytest.raises(InputError) as caught:
        read_records(folder)
    return str(caught.value)


def test_a_manifest_names_the_speakers(data_folder):
    records = read_records(data_folder)
    assert len(records) == 72
    assert records[0].path == data_folder / "train/fake/00.png"
    assert (records[0].label, records[0].split) == ("fake", "train")
    assert (records[0].speaker, records[0].attack) == ("ann", "vocoder")


def test_a_folder_without_a_manifest_works_too(tmp_path):
    folder = make_data_folder(tmp_path / "bare", manifest=False)
    (folder / "train" / "real" / "deeper").mkdir()
    shutil.copy(folder / "train/real/00.png", folder / "train/real/deeper/x.PNG")
    (folder / "train" / "real" / "notes.txt").write_text("no image")
    (folder / "train" / "real" / "._00.png").write_bytes(b"a hidden file of another system")
    records = read_records(folder)
    assert len(records) == 73
    assert records[12].image == "train/real/00.png"
    assert all(record.speaker == "" for record in records)


def test_class_index_is_fake_0_real_1(data_folder):
    for record in read_records(data_folder):
        assert record.class_index == (1 if "/real/" in record.image else 0)


def test_missing_and_empty_folders_are_errors(tmp_path):
    missing = tmp_path / "none"
    assert error_of(missing).startswith(f"no data folder {missing}; name an existing one (it")
    assert error_of(tmp_path) == (
        f"no images in {tmp_path}; put them into train/fake, train/real, val/fake and so on"
    )


def test_a_folder_of_audio_gets_the_advice_to_run_prepare(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.M4A").touch()
    assert error_of(tmp_path).endswith(
        f"; prepare.py makes images of audio, such as {tmp_path / 'real' / 'a.M4A'}"
    )


def test_speakers_in_two_splits_give_a_warning(data_folder):
    assert speaker_warnings(read_records(data_folder)) == []
    edit_manifest(data_folder, lambda rows: rows[-1].update(speaker="ann"))
    assert speaker_warnings(read_records(data_folder)) == [
        "1 speakers are in more than one split (ann): error rates on them are too good."
    ]


def test_a_recording_in_two_splits_is_refused(data_folder):
    def change(rows):
        rows[0]["audio"] = rows[-1]["audio"] = "call.wav"
        rows[0]["attack"] = rows[-1]["attack"]

    edit_manifest(data_folder, change)
    assert "so error rates would be too good; move" in error_of(data_folder)


@pytest.mark.parametrize(
    "image",
    [
        "../outside.png", "/etc/x.png", "train/../../x.png", "", "C:\\x.png", "C:x.png",
        "..\\x.png", r"\\host\share\x.png", "//host/share/\xe9.png",
    ],
)  # fmt: skip
def test_paths_in_a_manifest_never_leave_the_folder(data_folder, image, monkeypatch):
    """No such file is looked for: on Windows that can send a password to another machine."""
    looked = []
    monkeypatch.setattr(manifest, "is_file", lambda path: looked.append(path) or path.is_file())
    edit_manifest(data_folder, lambda rows: rows[3].update(image=image))
    assert error_of(data_folder) == (
        f"{image!r} is not an image below the manifest's folder (line 5 of "
        f"{data_folder / 'manifest.csv'}); give its path from that folder"
    )
    assert {path.name for path in looked} <= {"tiny", "manifest.csv", "prepared.jsonl"}


@pytest.mark.parametrize(("column", "value"), [("label", "1"), ("split", "later")])
def test_unknown_labels_and_splits_are_reported_with_their_line(data_folder, column, value):
    edit_manifest(data_folder, lambda rows: rows[1].update({column: value}))
    assert f"{value!r} is not a {column} (line 3 of" in error_of(data_folder)


def test_names_in_a_manifest_are_made_printable(data_folder):
    table = data_folder / "manifest.csv"
    table.write_text(table.read_text().replace("vocoder", '"\x1b]0;owned\x07x\ny"'))
    attacks = {record.attack for record in read_records(data_folder)}
    assert attacks == {"", r"\x1b]0;owned\x07x\ny"}


def test_a_raw_line_feed_and_a_written_one_do_not_merge_two_files(data_folder):
    def name_two(rows):
        rows[0]["audio"], rows[1]["audio"] = "a\nb.wav", r"a\nb.wav"

    edit_manifest(data_folder, name_two)
    assert error_of(data_folder) == (
        f"two names in the column audio of {data_folder / 'manifest.csv'} are both shown as "
        r"a\nb.wav; rename one"
    )
    edit_manifest(data_folder, lambda rows: rows[1].update(audio="c.wav", attack=r"a\nb.wav"))
    assert [record.audio for record in read_records(data_folder)][:2] == [r"a\nb.wav", "c.wav"]


def test_a_manifest_without_a_required_column_is_an_error(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("file,label\na.png,fake\n")
    with pytest.raises(InputError, match="has no column image; a manifest needs"):
        read_manifest(path)


def test_a_missing_class_is_an_error(data_folder):
    records = [r for r in read_records(data_folder) if (r.split, r.label) != ("val", "real")]
    with pytest.raises(InputError) as caught:
        check_classes(records, ("train", "val"), data_folder)
    assert str(caught.value) == (
        f"no images in {data_folder / 'val' / 'real'}; put real images there, since each split "
        "needs both classes"
    )


def test_unreadable_images_are_left_out_and_named(data_folder):
    (data_folder / "train/fake/03.png").write_bytes(b"broken")
    (data_folder / "val/real/01.png").unlink()
    check = check_images(read_records(data_folder), IMAGE)
    assert len(check.records) == 70
    assert check.unreadable == [
        f"cannot read {data_folder}/train/fake/03.png: it is damaged, or no PNG, JPEG, BMP, WebP "
        "or TIFF file of 8 or 16 bits; save it as PNG",
        f"cannot read an image: {data_folder}/val/real/01.png (No such file or directory); check "
        "the name",
    ]


def test_the_same_bytes_in_two_splits_stay_in_the_later_one(data_folder):
    shutil.copy(data_folder / "test/fake/00.png", data_folder / "train/fake/00.png")
    shutil.copy(data_folder / "train/real/00.png", data_folder / "train/real/01.png")
    check = check_images(read_records(data_folder), IMAGE)
    assert check.repeated == ["train/fake/00.png"]
    assert len(check.records) == 71


def test_fingerprint_changes_with_any_image_or_label(data_folder):
    before = check_images(read_records(data_folder), IMAGE).fingerprint
    assert check_images(read_records(data_folder), IMAGE).fingerprint == before
    edit_manifest(data_folder, lambda rows: rows[0].update(label="real"))
    relabelled = check_images(read_records(data_folder), IMAGE).fingerprint
    shutil.copy(data_folder / "val/real/00.png", data_folder / "val/real/01.png")
    replaced = check_images(read_records(data_folder), IMAGE).fingerprint
    assert len({before, relabelled, replaced}) == 3


def test_summary_counts_images_speakers_and_generators(data_folder):
    assert summarise(read_records(data_folder)).splitlines()[:3] == [
        "split class   images  speakers  generators",
        "train fake        12         2  vocoder",
        "train real        12         2  -",
    ]


def test_audio_settings_of_a_folder_read_back(tmp_path):
    assert read_audio_settings(tmp_path) is None
    settings = load_settings(None, ["audio.window_seconds=2", "audio.db_range=60"]).audio
    write_audio_settings(tmp_path, settings)
    assert read_audio_settings(tmp_path) == settings


def test_missing_images_take_little_memory():
    images = [ImageRecord(Path(f"{n}.png"), f"{n}.png", "fake", "test") for n in range(3000)]
    tracemalloc.start()
    try:
        assert len(check_images(images, IMAGE).unreadable) == 3000
        assert tracemalloc.get_traced_memory()[1] < 1000 * len(images)
    finally:
        tracemalloc.stop()
