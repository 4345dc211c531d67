"""The shipped corpus is what its README says."""

import cv2
import numpy as np
import pytest
import soundfile
from scipy.stats import rankdata

from conftest import ROOT
from deepfake_audio.audio.quality import measure_quality
from deepfake_audio.config.loading import load_settings
from deepfake_audio.corpora import shortcut_audit
from deepfake_audio.corpora.shortcut_audit import (
    ALL_TOGETHER,
    TREES,
    WARN_AUC,
    Shortcut,
    audit_shortcuts,
    format_warnings,
)
from deepfake_audio.dataset.checks import check_images
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import read_audio_settings
from helpers import read_rows

SAMPLE = ROOT / "data" / "sample"
RECORDS = read_records(SAMPLE)  # refuses speakers and recordings in two splits
AUDIO_FILES = sorted((SAMPLE / "audio").glob("*.flac"))


@pytest.fixture(autouse=True)
def all_trees(monkeypatch):
    monkeypatch.setattr(shortcut_audit, "TREES", TREES)


def of(split: str, label: str | None = None) -> list:
    return [r for r in RECORDS if r.split == split and label in (None, r.label)]


def test_the_sample_is_small():
    assert 600 <= len(RECORDS) <= 1000
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 8_000_000


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_classes_are_balanced(split):
    assert len(of(split, "fake")) == len(of(split, "real"))


def test_test_split_has_speakers_and_a_generator_that_training_never_saw():
    seen = {r.speaker for r in of("train") + of("val")}
    assert not seen & {r.speaker for r in of("test")}
    assert len({r.speaker for r in of("test", "real")}) >= 2
    unseen = {r.attack for r in of("test")} - {r.attack for r in of("train") + of("val")}
    assert unseen == {"festival"}
    assert len({r.attack for r in RECORDS}) - 1 >= 5


def test_every_image_is_readable_and_unique():
    settings = load_settings()
    check = check_images(RECORDS, settings.image)
    assert (check.unreadable, check.repeated) == ([], [])
    assert len(check.records) == len(RECORDS)


def test_images_have_the_shape_of_the_defaults():
    audio = read_audio_settings(SAMPLE)
    assert audio == load_settings().audio
    for record in RECORDS[::50]:
        image = cv2.imread(str(record.path), cv2.IMREAD_UNCHANGED)
        assert image.shape == (audio.frequency_bins, audio.frames)
        assert image.dtype == np.uint8
        assert image.max() == 255


def test_the_clips_and_the_long_recording_exist():
    assert 8 <= len(AUDIO_FILES) - 1 <= 14
    assert {path.name.split("_")[0] for path in AUDIO_FILES} == {"real", "fake", "long"}
    for path in AUDIO_FILES:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.format) == (16000, 1, "FLAC")
    passages = read_rows(SAMPLE / "audio" / "long_recording.csv")
    assert [row["label"] for row in passages] == ["real", "fake", "real"]
    seconds = soundfile.info(SAMPLE / "audio" / "long_recording.flac").duration
    assert float(passages[-1]["end_seconds"]) == pytest.approx(seconds, abs=0.01)
    assert 35 <= seconds <= 45


def test_neural_fakes_are_judged_but_not_trained_on_and_have_a_licence():
    classical = {"WORLD", "Griffin-Lim", "espeak-ng", "flite", "festival"}
    assert {r.attack for r in RECORDS} == {"", *classical}
    names = [path.name for path in AUDIO_FILES if path.name.startswith("fake")]
    known = tuple(f"fake_{generator.lower()}_" for generator in classical)
    neural = [name for name in names if not name.startswith(known)]
    assert [name.split("_")[1] for name in neural] == ["hibari", "hifi-gan", "kokoro"]
    notes = (SAMPLE / "README.md").read_text(encoding="utf-8").splitlines()
    for name in neural:
        (row,) = [line for line in notes if f"`{name}`" in line]
        assert row.split(" | ")[-1].startswith(("MIT", "Apache-2.0"))


def test_all_clips_have_the_same_level():
    levels = [
        measure_quality(soundfile.read(path)[0], 16000)["level"]
        for path in AUDIO_FILES
        if not path.name.startswith("long")
    ]
    assert max(levels) - min(levels) < 0.3


def nuisance_rows(gap_db: float) -> tuple[list, list, list, list]:
    rng = np.random.default_rng(0)
    is_real = [number % 2 == 0 for number in range(120)]
    rows = [
        {"level": rng.normal(-26 + gap_db * real, 1), "duration": rng.normal()} for real in is_real
    ]
    splits = ["train" if number < 80 else "test" for number in range(120)]
    return rows, is_real, splits, [f"speaker {number // 8}" for number in range(120)]


@pytest.mark.slow
def test_the_audit_finds_a_level_that_reveals_the_class_and_nothing_else():
    telling = {(s.split, s.measure): s.auc for s in audit_shortcuts(*nuisance_rows(gap_db=6))}
    silent = {(s.split, s.measure): s.auc for s in audit_shortcuts(*nuisance_rows(gap_db=0))}
    for split in ("train", "test"):
        assert telling[split, "level"] > 0.98
        assert telling[split, "all together"] > 0.95
        assert telling[split, "duration"] < 0.65
        assert 0.3 < silent[split, "all together"] < 0.7


def audit_formats(is_real: list[bool], formats: list[str], one_voice: bool = False) -> list:
    files = len(is_real)
    return audit_shortcuts(
        [{"format": name} for name in formats],
        is_real,
        ["test" if number % 3 == 2 else "train" for number in range(files)],
        ["ann" if one_voice else f"speaker {number}" for number in range(files)],
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_formats_are_scored_without_the_tested_files(seed):
    rng = np.random.default_rng(seed)
    is_real = rng.permutation(np.arange(120) % 2 == 0).tolist()
    shortcuts = audit_formats(is_real, [f".{number}" for number in rng.integers(40, size=120)])
    assert {s.measure for s in shortcuts} == {"format", ALL_TOGETHER}
    assert max(s.auc for s in shortcuts) < 0.7 < WARN_AUC
    assert min(s.auc for s in shortcuts if s.measure == "format") >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("files", "reals"), [(120, 60), (120, 12)])
def test_a_format_that_reveals_the_class_gives_a_warning(files, reals):
    is_real = [number < reals for number in range(files)]
    formats = [".wav" if real else [".mp3", ".ogg"][k % 2] for k, real in enumerate(is_real)]
    for one_voice in (False, True):
        shortcuts = audit_formats(is_real, formats, one_voice)
        warnings = format_warnings(shortcuts)
        assert [s.auc for s in shortcuts if s.measure == "format"] == [1.0, 1.0]
        for split, warning in zip(("train", "test"), warnings, strict=True):
            assert warning.startswith(
                f"Warning: in {split}, fake and real differ by format (AUC 1.00)"
            )


@pytest.mark.slow
def test_a_single_format_and_a_single_file_of_a_class_give_no_warning():
    is_real = [number % 2 == 0 for number in range(60)]
    assert {s.auc for s in audit_formats(is_real, [".wav"] * 60)} == {0.5}
    is_real = [True, *[False] * 59]
    shortcuts = audit_formats(is_real, [".wav", *[".mp3"] * 59])
    assert np.isnan([s.auc for s in shortcuts]).all()
    rows = [{"duration": float(number)} for number in range(60)]
    longest = audit_shortcuts(rows, is_real, ["test"] * 60, [""] * 60)
    assert np.isnan([s.auc for s in longest]).all()


@pytest.mark.parametrize(
    ("reals", "fakes"), [(2, 18), (18, 2), (10, 10), (5, 50), (9, 100), (15, 15), (30, 30)]
)
def test_random_measures_rarely_give_a_warning_even_with_few_files(reals, fakes):
    files = reals + fakes
    ranks = rankdata(np.random.default_rng(0).normal(size=(1000, files)), axis=1)
    aucs = (ranks[:, :reals].sum(axis=1) - reals * (reals + 1) / 2) / (reals * fakes)
    found = [Shortcut("val", "level", max(auc, 1 - auc), reals, fakes) for auc in aucs]
    assert sum(bool(format_warnings([shortcut])) for shortcut in found) <= 6


@pytest.mark.parametrize(
    ("reals", "fakes", "auc"),
    [(8, 8, 1.0), (10, 10, 0.9), (4, 36, 1.0), (12, 108, 0.8), (400, 400, 0.75)],
)
def test_a_measure_that_reveals_the_class_gives_a_warning_if_files_are_enough(reals, fakes, auc):
    warnings = format_warnings([Shortcut("val", "level", auc, reals, fakes)])
    assert [line.split(". ")[0] for line in warnings] == [
        f"Warning: in val, fake and real differ by level (AUC {auc:.2f})"
    ]


@pytest.mark.parametrize("silence_seconds", [0.0, 0.3])
def test_the_measures_of_a_known_signal_are_right(silence_seconds):
    rate_hz = 16000
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)
    hush = np.zeros(round(silence_seconds * rate_hz))
    measured = measure_quality(np.concatenate([hush, tone, hush, hush]), rate_hz)
    assert measured["duration"] == pytest.approx(1 + 3 * silence_seconds)
    assert measured["leading silence"] == pytest.approx(silence_seconds, abs=0.011)
    assert measured["trailing silence"] == pytest.approx(2 * silence_seconds, abs=0.011)
    expected_db = -23.0 - 10 * np.log10(1 + 3 * silence_seconds)
    assert measured["level"] == pytest.approx(expected_db, abs=0.1)
    assert measured["clipping"] == 0


def test_bandwidth_and_clipping_of_a_known_signal_are_measured():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert measure_quality(tone, 16000)["bandwidth"] == pytest.approx(1000, abs=150)
    assert measure_quality(np.clip(4 * tone, -1, 1), 16000)["clipping"] > 0.5


def test_resampling_residue_at_half_the_rate_does_not_count_as_bandwidth():
    time = np.arange(16000) / 16000
    sound = 0.5 * np.sin(2 * np.pi * 1000 * time) + 0.003 * (-1.0) ** np.arange(16000)
    assert measure_quality(sound, 16000)["bandwidth"] == pytest.approx(1000, abs=150)


def test_an_offset_or_a_hum_does_not_reduce_the_bandwidth():
    time = np.arange(16000) / 16000
    tones = np.sin(2 * np.pi * 1000 * time) + 0.01 * np.sin(2 * np.pi * 6000 * time)
    for loud in (np.full(16000, 0.5), 0.5 * np.sin(2 * np.pi * 50 * time)):
        sound = 0.005 * tones + loud
        assert measure_quality(sound, 16000)["bandwidth"] == pytest.approx(6000, abs=150)
