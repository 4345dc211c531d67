import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import prepare
import train
from conftest import ROOT, TINY_SETTINGS
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.loading import load_settings, read_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import read_audio_settings
from deepfake_audio.errors import InputError
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.features.spectrogram import spectrogram_image
from helpers import ONE_PROCESS, RATE_HZ, make_audio, manifest, read_rows, sound, wait_until


def test_folders_become_a_data_folder_that_training_reads(workplace, capsys):
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    records = read_records(Path("data/mine"))
    assert {(r.split, r.label) for r in records} == {
        (split, label) for split in ("train", "val", "test") for label in ("fake", "real")
    }
    assert {r.audio for r in records} == {
        f"{label}/{file:02}.wav" for label in ("fake", "real") for file in range(8)
    }
    assert all(r.path.is_file() for r in records)
    assert read_audio_settings(Path("data/mine")) == load_settings().audio
    printed = capsys.readouterr().out
    assert "No speakers are known" in printed
    assert "Next: python train.py data.folder=data/mine" in printed
    assert Path("data/mine/report.txt").read_text().strip() in printed


@pytest.mark.slow
def test_after_the_settings_of_a_run_the_next_command_goes_on_from_it(workplace, capsys):
    run = ROOT / "models" / "pretrained"
    shutil.copyfile(run / "config.yaml", "own.yaml")  # of no run
    for config in (run / "config.yaml", Path("own.yaml")):
        command = ["mine", "--name", config.stem, "--config", str(config), *ONE_PROCESS]
        assert prepare.main(command) == 0
    printed = capsys.readouterr().out
    assert f"Next: python train.py --from {run} data.folder=data/config\n" in printed
    assert printed.endswith("Next: python train.py --config own.yaml data.folder=data/own\n")


def test_images_equal_those_of_prediction_byte_for_byte(workplace):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    audio = load_settings().audio
    for row in manifest():
        windows = dict(recording_windows(open_recording(Path("mine", row["audio"]), audio), audio))
        start = min(windows, key=lambda start: abs(start - float(row["start_seconds"])))
        expected = encode_png(spectrogram_image(windows[start], audio))
        assert Path("data/mine", row["image"]).read_bytes() == expected


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing(workplace):
    prepare.main(["mine", "--name", "one", *ONE_PROCESS])
    prepare.main(["mine", "--name", "two", "prepare.workers=2"])
    one, two = Path("data/one"), Path("data/two")
    assert manifest(one) == manifest(two)
    for row in manifest(one):
        assert (one / row["image"]).read_bytes() == (two / row["image"]).read_bytes()


@pytest.mark.slow
def test_worker_processes_follow_to_another_folder(workplace, monkeypatch):
    assert prepare.main(["mine", "--name", "here", "prepare.workers=2"]) == 0
    (workplace / "there").mkdir()
    monkeypatch.chdir(workplace / "there")
    assert prepare.main(["../mine", "--name", "new", "prepare.workers=2"]) == 0
    assert all((Path("data/new") / row["image"]).is_file() for row in manifest(Path("data/new")))


def test_a_bad_file_is_listed_with_its_reason_and_the_others_are_rendered(workplace, capsys):
    Path("mine/real/broken.wav").write_bytes(b"no audio")
    soundfile.write("mine/fake/silent.wav", np.zeros(RATE_HZ, np.float32), RATE_HZ)
    soundfile.write("mine/fake/nan.wav", np.full(RATE_HZ, np.nan, np.float32), RATE_HZ, "FLOAT")
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 1
    errors = {row["audio"]: row["error"] for row in read_rows(Path("data/mine/errors.csv"))}
    assert errors.keys() == {"real/broken.wav", "fake/silent.wav", "fake/nan.wav"}
    assert errors["fake/silent.wav"].endswith("silent.wav is silent; give a recording with sound")
    assert "a sample is infinite" in errors["fake/nan.wav"]
    assert len({row["audio"] for row in manifest()}) == 16
    assert "3 files could not be used" in capsys.readouterr().out


def test_broken_links_and_special_files_are_listed_with_their_reason(workplace):
    Path("mine/real/gone.wav").symlink_to("/nowhere/gone.wav")
    Path("mine/fake/zero.wav").symlink_to("/dev/zero")
    os.mkfifo("mine/fake/pipe.wav")
    assert prepare.main(["mine", *ONE_PROCESS]) == 1
    errors = {row["audio"]: row["error"] for row in read_rows(Path("data/mine/errors.csv"))}
    assert {name: error.rpartition("/mine/")[2] for name, error in errors.items()} == {
        "fake/pipe.wav": "fake/pipe.wav is a pipe; give a file",
        "fake/zero.wav": "fake/zero.wav is a device; give a file",
        "real/gone.wav": "real/gone.wav (No such file or directory); check the name",
    }
    assert len({row["audio"] for row in manifest()}) == 16


@pytest.mark.slow
def test_a_second_run_renders_only_new_and_changed_files(workplace):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    before = {
        row["image"]: Path("data/mine", row["image"]).stat().st_mtime_ns for row in manifest()
    }
    splits = {row["audio"]: row["split"] for row in manifest()}
    soundfile.write("mine/real/new.wav", sound(2, 77), RATE_HZ)
    soundfile.write("mine/real/00.wav", sound(2, 78), RATE_HZ)
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    redone = {
        row["audio"] for row in manifest()
        if before.get(row["image"]) != Path("data/mine", row["image"]).stat().st_mtime_ns
    }  # fmt: skip
    assert redone == {"real/new.wav", "real/00.wav"}
    assert all(splits.get(row["audio"], row["split"]) == row["split"] for row in manifest())


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"nuisances": {}},
        pytest.param({"nuisances": {"duration": 1}}, marks=pytest.mark.exhaustive),
        {"starts": [10**400]},
        pytest.param({"starts": [float("nan")]}, marks=pytest.mark.exhaustive),
        pytest.param({"starts": ["0"]}, marks=pytest.mark.exhaustive),
        {"starts": []},
    ],
)
def test_files_with_invalid_journal_entries_are_rendered_again(change, workplace):
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    journal, before = Path("data/mine/prepared.jsonl"), Path("data/mine/manifest.csv").read_bytes()
    entries = [json.loads(line) | change for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    assert Path("data/mine/manifest.csv").read_bytes() == before


@pytest.mark.slow
def test_a_killed_preparation_continues(workplace):
    make_audio(workplace / "many", files=40, seconds=10)
    command = [sys.executable, str(ROOT / "prepare.py"), "many", "--name", "many", *ONE_PROCESS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = workplace / "data/many/prepared.jsonl"
    wait_until(lambda: journal.is_file() and len(journal.read_bytes().splitlines()) > 10, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(InputError, match=r"since prepare\.py was stopped"):
        read_records(Path("data/many"))
    done = journal.read_bytes()
    journal.write_bytes(done[:-9])  # as if the kill had cut the last line
    assert prepare.main(["many", "--name", "many", *ONE_PROCESS]) == 0
    lines = journal.read_text().splitlines()
    assert 80 <= len(lines) <= 82
    assert len({row["audio"] for row in manifest(Path("data/many"))}) == 80
    drawn = {row["image"] for row in manifest(Path("data/many"))}
    assert drawn == {
        path.relative_to("data/many").as_posix() for path in Path("data/many").rglob("*.png")
    }


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_it_continues_once_there_is_space(workplace):
    command = [sys.executable, str(ROOT / "prepare.py"), "mine", "--name", "mine", *ONE_PROCESS]
    full = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *command]  # files of at most 4 KB
    result = subprocess.run(full, capture_output=True, text=True)
    error = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert error.startswith("error: cannot write ")
    assert error.endswith("free some space, or choose a folder on another disk")
    assert not list(Path("data/mine").rglob("*.png"))
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    assert all((Path("data/mine") / row["image"]).stat().st_size > 4096 for row in manifest())


@pytest.mark.slow
def test_changed_windows_and_lost_images_are_rendered_again(workplace):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    rows = manifest()
    prepare.main(["mine", "--name", "mine", "prepare.max_windows=1", *ONE_PROCESS])
    assert len(manifest()) == 16 < len(rows)
    lost = Path("data/mine", manifest()[0]["image"])
    lost.unlink()
    prepare.main(["mine", "--name", "mine", "prepare.max_windows=1", *ONE_PROCESS])
    assert lost.is_file()


@pytest.mark.slow
def test_a_repaired_file_is_used(workplace):
    path = Path("mine/real/00.wav")
    good = path.read_bytes()
    path.write_bytes(b"no audio".ljust(len(good)))
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 1
    path.write_bytes(good)
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0


@pytest.mark.slow
def test_files_of_another_folder_are_never_confused_with_these(workplace):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    before = Path("data/mine", manifest()[0]["image"]).read_bytes()
    shutil.copytree("mine", "other")
    changed = Path("other", manifest()[0]["audio"])
    times = Path("mine", manifest()[0]["audio"]).stat()
    soundfile.write(changed, sound(2, 500), RATE_HZ)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    prepare.main(["other", "--name", "mine", *ONE_PROCESS])
    assert Path("data/mine", manifest()[0]["image"]).read_bytes() != before


def test_a_data_folder_of_another_origin_is_refused(workplace, capsys):
    shutil.copytree(ROOT / "data" / "sample", "data/sample")
    before = Path("data/sample/manifest.csv").read_bytes()
    assert prepare.main(["mine", "--name", "sample", *ONE_PROCESS]) == 2
    assert "choose another --name" in capsys.readouterr().err
    assert Path("data/sample/manifest.csv").read_bytes() == before


@pytest.mark.slow
def test_odd_names_are_accepted(workplace, capsys):
    for name in (b"caf\xe9.wav", b"line\nand\rmore.wav", b"-x $5.wav"):
        shutil.copy("mine/real/00.wav", os.fsencode("mine/real/") + name)
        with Path("mine/real", os.fsdecode(name)).open("ab") as file:
            file.write(name)
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    assert len({row["audio"] for row in manifest()}) == 19
    assert len(read_records(Path("data/mine"))) == len(manifest())
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    assert "of an earlier preparation" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_data_folder_is_named_after_the_audio_folder(workplace):
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    assert manifest(Path("data/mine"))
    shutil.copytree("mine", "data/voices")
    assert prepare.main(["data/voices", *ONE_PROCESS]) == 0
    assert manifest(Path("data/voices-images"))


def test_files_that_left_the_corpus_are_reported(workplace, capsys):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    assert "of an earlier preparation" not in capsys.readouterr().out
    for number in range(4):
        Path(f"mine/real/{number:02}.wav").unlink()
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    gone = "4 files of an earlier preparation, no longer in the corpus: real/00.wav, "
    assert gone in capsys.readouterr().out


def test_the_report_names_every_file_that_is_left_out(workplace, capsys):
    for number in range(5):
        soundfile.write(f"mine/unlisted{number}.wav", sound(1.0, number), RATE_HZ)
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    printed, report = capsys.readouterr().out, Path("data/mine/report.txt").read_text()
    assert "5 files present but not listed: unlisted0.wav" in printed
    assert ("unlisted4.wav" in printed, "unlisted4.wav" in report) == (False, True)


def test_a_split_of_one_class_gives_a_warning(workplace, capsys):
    with Path("mine/labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "split"))
        for label in ("fake", "real"):
            for number in range(8):
                split = ("train", "val", "test")[number % 3] if label == "fake" else "train"
                writer.writerow((f"{label}/{number:02}.wav", label, split))
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    printed = capsys.readouterr().out
    assert "Warning: val has no real files; error rates need both." in printed
    assert "Warning: test has no real files; error rates need both." in printed
    assert "train has no" not in printed
    assert "nan" not in printed


@pytest.mark.parametrize("header", ["nonsense;class", "clip,judgement"])
def test_a_table_of_labels_with_another_header_is_an_error(header, workplace, capsys):
    Path("mine/labels.csv").write_text(f"{header}\nreal/00.wav,real\n")
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 2
    message = capsys.readouterr().err
    assert "with commas, semicolons or tabs between" in message
    assert f"is '{header}'; it needs the columns file and label" in message


def test_equal_files_are_used_once(workplace, capsys):
    shutil.copy("mine/real/00.wav", "mine/real/copy.wav")
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    assert "1 file left out, since another file has the same bytes" in capsys.readouterr().out
    assert "real/copy.wav" not in {row["audio"] for row in manifest()}


def test_speakers_given_by_a_table_keep_splits_apart(workplace):
    with Path("mine/labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "speaker", "attack"))
        for label in ("fake", "real"):
            for number in range(8):
                attack = "vocoder" if label == "fake" else ""
                writer.writerow((f"{label}/{number:02}.wav", label, f"s{number // 2}", attack))
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    splits_of = {}
    for row in manifest():
        splits_of.setdefault(row["speaker"], set()).add(row["split"])
        assert row["attack"] == ("vocoder" if row["label"] == "fake" else "")
    assert splits_of.keys() == {"s0", "s1", "s2", "s3"}
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_a_level_that_reveals_the_class_gives_a_warning(workplace, capsys):
    make_audio(workplace / "loud", files=20)
    for number in range(20):
        soundfile.write(f"loud/fake/{number:02}.wav", 0.1 * sound(2, 100 + number), RATE_HZ)
    prepare.main(["loud", "--name", "loud", *ONE_PROCESS])
    assert "Warning: in train, fake and real differ by level (AUC 1.00)" in capsys.readouterr().out


def test_a_missing_class_gives_a_warning(workplace, capsys):
    shutil.rmtree("mine/fake")
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    assert "Warning: there are no fake files." in capsys.readouterr().out


def test_max_windows_spreads_images_over_the_file(workplace):
    make_audio(workplace / "long", files=3, seconds=10)
    prepare.main(["long", "--name", "long", "prepare.max_windows=3", *ONE_PROCESS])
    rows = [row for row in manifest(Path("data/long")) if row["audio"] == "real/00.wav"]
    starts = [float(row["start_seconds"]) for row in rows]
    assert starts == pytest.approx([0, 4.224, 8.448], abs=0.01)


def test_other_settings_need_another_folder(workplace, capsys):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    capsys.readouterr()
    assert prepare.main(["mine", "--name", "mine", "audio.db_range=60", *ONE_PROCESS]) == 2
    assert "choose another --name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none"], "cannot open none: no such folder"),
        (["mine", "--name", "../x"], "--name '../x' is a path; give the name of a folder"),
        (["mine", "prepare.val_share=0.6", "prepare.test_share=0.6"], "leave nothing for training"),
        (["empty"], "no audio below empty"),
    ],
)
def test_wrong_use_is_reported_in_one_line(args, message, workplace, capsys):
    Path("empty").mkdir()
    assert prepare.main(args) == 2
    stderr = capsys.readouterr().err
    assert message in stderr
    assert stderr.count("\n") == 1


def test_a_journal_entry_has_only_these_fields(workplace):
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    entry = json.loads(Path("data/mine/prepared.jsonl").read_text().splitlines()[0])
    assert entry.keys() == {"key", "stem", "starts", "nuisances"}


CODED = "prepare.conditions=[mp3,aac,opus,telephone,noise]"


@pytest.mark.slow
def test_each_training_file_is_rendered_once_more_in_a_condition(workplace, capsys):
    assert prepare.main(["mine", "--name", "plain", *ONE_PROCESS]) == 0
    assert prepare.main(["mine", "--name", "mine", CODED, *ONE_PROCESS]) == 0
    plain = [row for row in manifest() if not row["codec"]]
    assert plain == manifest(Path("data/plain"))
    coded = [row for row in manifest() if row["codec"]]
    training = [row for row in plain if row["split"] == "train"]
    assert {row["audio"] for row in coded} == {row["audio"] for row in training}
    assert {row["split"] for row in coded} == {"train"}
    assert len({row["codec"] for row in coded}) > 1
    images = {Path("data/mine", row["image"]).read_bytes() for row in training}
    assert not images & {Path("data/mine", row["image"]).read_bytes() for row in coded}
    printed = capsys.readouterr().out
    assert printed.count("Corpus: folders: 16 files") == 2  # a copy is no new file
    count = len({row["audio"] for row in training})
    copies = f", and {count} more copies of training files in recording conditions\n"
    assert copies in printed


@pytest.mark.slow
def test_the_condition_of_a_file_does_not_depend_on_other_files(workplace):
    prepare.main(["mine", "--name", "mine", CODED, *ONE_PROCESS])
    before = {row["image"]: row["audio"] for row in manifest() if row["codec"]}
    drawn = {image: Path("data/mine", image).read_bytes() for image in before}
    soundfile.write(workplace / "mine" / "fake" / "+.wav", sound(2.0, 77), RATE_HZ)  # comes first
    (workplace / "mine" / "real" / "+.wav").write_bytes(b"RIFF")
    shutil.rmtree("data")
    prepare.main(["mine", "--name", "mine", CODED, "prepare.workers=2"])
    training = {row["audio"] for row in manifest() if row["split"] == "train"}
    shared = [image for image, audio in before.items() if audio in training]
    assert len(shared) > 4
    assert all(Path("data/mine", image).read_bytes() == drawn[image] for image in shared)


@pytest.mark.slow
def test_removed_conditions_are_removed_from_the_manifest(workplace):
    prepare.main(["mine", "--name", "mine", CODED, *ONE_PROCESS])
    prepare.main(["mine", "--name", "mine", *ONE_PROCESS])
    assert not [row for row in manifest() if row["codec"]]


@pytest.mark.slow
def test_a_run_records_the_conditions_of_its_images_and_refuses_others(workplace, capsys):
    prepare.main(["mine", "--name", "coded", CODED, *ONE_PROCESS])
    prepare.main(["mine", "--name", "plain", *ONE_PROCESS])
    drawn = {row["codec"] for row in manifest(Path("data/coded"))} - {""}
    short = [*TINY_SETTINGS, "train.epochs=1"]
    assert train.main(["--run", "coded", "data.folder=data/coded", *short]) == 0
    assert set(read_settings(Path("runs/coded/config.yaml")).prepare.conditions) == drawn
    capsys.readouterr()
    for asked, folder in (("[mp3]", "plain"), ("[telephone]", "coded")):
        ask = [f"data.folder=data/{folder}", f"prepare.conditions={asked}"]
        assert (train.main([*ask, *short]), len(drawn) > 1) == (2, True)
        assert "prepare the sound again, or leave the setting out" in capsys.readouterr().err
    assert [path.name for path in Path("runs").iterdir()] == ["coded"]


def test_a_bad_file_is_listed_once_with_conditions_too(workplace):
    for label in ("real", "fake"):
        (workplace / "mine" / label / "broken.wav").write_bytes(f"RIFF {label}".encode())
    assert prepare.main(["mine", "--name", "mine", CODED, "prepare.val_share=0.01", *ONE_PROCESS])
    assert [row["audio"] for row in read_rows(Path("data/mine/errors.csv"))] == [
        "fake/broken.wav", "real/broken.wav",
    ]  # fmt: skip


def test_a_file_that_a_telephone_silences_is_named_with_it(workplace, capsys):
    times = np.arange(2 * RATE_HZ) / RATE_HZ
    for number in range(8):
        high = 0.001 * np.sin(2 * np.pi * (6000 + number) * times)  # above what a telephone takes
        path = workplace / "mine" / "real" / f"high{number}.wav"
        soundfile.write(path, high, RATE_HZ, subtype="FLOAT")
    assert prepare.main(["mine", "--name", "mine", "prepare.codecs=[telephone]", *ONE_PROCESS]) == 1
    errors = {row["audio"]: row["error"] for row in read_rows(Path("data/mine/errors.csv"))}
    training = {row["audio"] for row in manifest() if row["split"] == "train"}
    assert errors.keys() == {name for name in training if "high" in name}
    assert (
        f"{len(errors):,} files could not be used in a recording condition: "
        in capsys.readouterr().out
    )
    for name, error in errors.items():
        path = workplace / "mine" / name
        assert error == (f"{path} after telephone is silent; give a recording with sound")
