"""Files are rendered one by one, also through codecs, and leave nothing behind."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from deepfake_audio.audio.quality import measure_quality
from deepfake_audio.config.loading import load_settings
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.jobs import Job
from deepfake_audio.dataset.journal import is_complete, read_journal
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.rendering import Rendering, render_all, render_clip
from deepfake_audio.errors import InputError
from deepfake_audio.vocabulary import JOURNAL

AUDIO = load_settings().audio


def job_of(path: Path, condition: str = "", stem: str = "train/real/a") -> Job:
    return Job(Clip(path, path.name, "real", split_key=path.name), "train", stem, condition)


def write_noise(path: Path, samples: int, rate_hz: int = 44_100) -> Path:
    sound = np.random.default_rng(0).normal(0, 0.1, samples)
    soundfile.write(path, sound, rate_hz)
    return path


@pytest.fixture
def drawing(tmp_path: Path) -> Rendering:
    (tmp_path / "data" / "train" / "real").mkdir(parents=True)
    (tmp_path / "data" / JOURNAL).touch()
    return Rendering(tmp_path / "data", AUDIO, max_windows=2, audio_hours=1)


@pytest.mark.parametrize("trim_db", [0, 20, 40])
@pytest.mark.parametrize(("before", "voice", "after"), [(0, 80, 10), (65, 5, 1), (0.3, 2, 0.6)])
def test_edge_silences_are_measured_on_the_whole_recording(
    before, voice, after, trim_db, drawing, tmp_path
):
    rate_hz = AUDIO.sample_rate_hz
    hushes = [np.zeros(round(seconds * rate_hz)) for seconds in (before, after)]
    noise = np.random.default_rng(0).normal(0, 0.1, voice * rate_hz)
    noise[:rate_hz] *= 0.03  # 30 dB quieter: no silence, though trimming may cut it off
    soundfile.write(tmp_path / "a.wav", np.concatenate([hushes[0], noise, hushes[1]]), rate_hz)
    changed = replace(drawing, audio=AUDIO.model_copy(update={"trim_db": trim_db}))
    nuisances = render_clip(job_of(tmp_path / "a.wav"), changed)["nuisances"]
    assert nuisances["leading silence"] == pytest.approx(before)
    assert nuisances["trailing silence"] == pytest.approx(after)
    assert nuisances["duration"] == pytest.approx(before + voice + after)


def test_a_short_file_has_the_quality_measures_of_its_samples(drawing, tmp_path):
    sound = np.pad(np.random.default_rng(0).normal(0, 0.1, 30_007), (4_011, 7_003))
    soundfile.write(tmp_path / "a.wav", sound.astype(np.float32), AUDIO.sample_rate_hz, "FLOAT")
    nuisances = render_clip(job_of(tmp_path / "a.wav"), drawing)["nuisances"]
    expected = measure_quality(sound.astype(np.float32), AUDIO.sample_rate_hz)
    assert nuisances == expected | {"sample rate": 16_000, "format": ".wav"}


@pytest.mark.slow
@pytest.mark.parametrize("condition", ["mp3", "opus", "telephone", "chain"])
def test_a_long_recording_whose_last_block_gives_no_sample_is_changed(condition, drawing, tmp_path):
    path = write_noise(tmp_path / "long.wav", 90 * 44_100 + 10)  # less than the resampler holds
    entry = render_clip(job_of(path, condition), drawing)
    assert is_complete(entry), entry
    assert len(list((drawing.folder / "train" / "real").glob("a_*.png"))) == 2


def test_a_changed_file_is_removed(drawing, tmp_path):
    path = write_noise(tmp_path / "a.wav", 44_100)
    for stem, condition in zip("abc", ["mp3", "gsm", "noise"], strict=True):
        assert is_complete(render_clip(job_of(path, condition, f"train/real/{stem}"), drawing))
    assert not list(drawing.folder.glob(".*"))


def test_nothing_is_rendered_again_unless_an_image_is_missing(drawing, tmp_path):
    job = job_of(write_noise(tmp_path / "a.wav", 4 * 44_100))
    first = render_all([job], drawing, workers=1)
    image = drawing.folder / "train" / "real" / "a_0001.png"
    written = image.read_bytes()
    image.with_name("a_0000.png").write_bytes(b"mine")
    assert render_all([job], drawing, workers=1) == first
    assert image.with_name("a_0000.png").read_bytes() == b"mine"
    image.unlink()
    assert render_all([job], drawing, workers=1) == first
    assert image.read_bytes() == written
    assert image.with_name("a_0000.png").read_bytes() != b"mine"
    image.with_name("a_0000.png").unlink()  # though the last one is there
    assert render_all([job], drawing, workers=1) == first
    assert image.with_name("a_0000.png").is_file()


def test_a_file_without_samples_is_reported_and_the_others_are_rendered(drawing, tmp_path):
    empty = job_of(write_noise(tmp_path / "empty.wav", 0), stem="train/real/e")
    full = job_of(write_noise(tmp_path / "full.wav", 44_100), stem="train/real/f")
    entries = render_all([empty, full], drawing, workers=1)
    assert "it has no sound" in entries["train/real/e"]["error"]
    assert is_complete(entries["train/real/f"])
    assert read_journal(drawing.folder / JOURNAL) == entries


def images_of(drawing: Rendering) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in drawing.folder.rglob("*.png")}


def test_images_replaced_by_another_number_of_windows_are_rendered_again(drawing, tmp_path):
    job = job_of(write_noise(tmp_path / "a.wav", 12 * 44_100))
    first = render_all([job], drawing, workers=1)
    images = images_of(drawing)
    render_all([job], replace(drawing, max_windows=4), workers=1)
    assert images_of(drawing)["a_0001.png"] != images["a_0001.png"]
    assert render_all([job], drawing, workers=1) == first
    assert images.items() <= images_of(drawing).items()


def test_images_of_a_file_that_was_replaced_and_restored_are_rendered_again(drawing, tmp_path):
    path, aside = write_noise(tmp_path / "a.wav", 4 * 44_100), tmp_path / "aside.wav"
    render_all([job_of(path)], drawing, workers=1)
    images = images_of(drawing)
    path.rename(aside)
    write_noise(path, 5 * 44_100)
    render_all([job_of(path)], drawing, workers=1)
    aside.rename(path)  # with the time of its last change
    render_all([job_of(path)], drawing, workers=1)
    assert images_of(drawing) == images


def test_images_replaced_by_a_killed_rendering_are_rendered_again(drawing, tmp_path, monkeypatch):
    job = job_of(write_noise(tmp_path / "a.wav", 12 * 44_100))
    render_all([job], drawing, workers=1)
    images = images_of(drawing)

    def draw_and_die(*args):
        render_clip(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr("deepfake_audio.dataset.rendering.render_clip", draw_and_die)
    with pytest.raises(KeyboardInterrupt):
        render_all([job], replace(drawing, max_windows=0), workers=1)
    monkeypatch.undo()
    assert images_of(drawing)["a_0001.png"] != images["a_0001.png"]
    render_all([job], drawing, workers=1)
    assert images.items() <= images_of(drawing).items()


def test_an_older_journal_without_undone_stems_still_counts(drawing, tmp_path):
    job = job_of(write_noise(tmp_path / "a.wav", 4 * 44_100))
    older = render_all([job], replace(drawing, max_windows=1), workers=1)["train/real/a"]
    newer = render_all([job], drawing, workers=1)["train/real/a"]
    text = f"{json.dumps(older)}\n{json.dumps(newer)}\n"
    (drawing.folder / JOURNAL).write_text(text)
    assert render_all([job], drawing, workers=1) == {"train/real/a": newer}
    assert (drawing.folder / JOURNAL).read_text() == text


def test_an_unfinished_data_folder_is_refused(drawing):
    with pytest.raises(InputError, match=r"prepare\.py"):
        read_records(drawing.folder)


@pytest.mark.parametrize(
    "change",
    [
        {"starts": []}, {"starts": [True, "0"]}, {"starts": None}, {"nuisances": {}},
        {"nuisances": None}, {"starts": [1e300]},
    ],
)  # fmt: skip
def test_an_incomplete_journal_entry_is_recognised(change, drawing, tmp_path):
    entry = render_clip(job_of(write_noise(tmp_path / "a.wav", 44_100)), drawing)
    assert is_complete(entry)
    assert not is_complete(entry | change)
