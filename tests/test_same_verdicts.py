"""The shipped model's verdicts and the rendered images stay the same."""

import csv
import hashlib
import os
from pathlib import Path

import pytest

import predict
from conftest import ROOT
from deepfake_audio.audio.windows import open_recording, recording_windows
from deepfake_audio.config.loading import load_settings, read_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.features.spectrogram import spectrogram_image

GOLDEN = ROOT / "tests" / "golden"
FIGURES = ("confidence", "p_real", "score", "llr", "frame_rate_hz")
BENCH = os.environ.get("DEEPFAKE_AUDIO_BENCH", "")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_verdicts(golden: Path, folder: Path, table: Path) -> None:
    """Judge the files of a golden table with the shipped model, and compare."""
    expected = read_rows(golden)
    paths = [str(folder / row["file"]) for row in expected]
    assert predict.main(["--run", "models/pretrained", "--csv", str(table), *paths]) == 0
    rows = read_rows(table)
    assert [row["file"] for row in rows] == paths
    largest = 0.0
    for known, row in zip(expected, rows, strict=True):
        for column in ("verdict", "windows", "windows_left_out"):
            assert row[column] == known[column], row["file"]
        for column in FIGURES:
            assert bool(row[column]) == bool(known[column]), row["file"]
            if known[column]:
                largest = max(largest, abs(float(row[column]) - float(known[column])))
    print(f"largest difference of a figure: {largest:g}")
    assert largest <= 1e-3  # processors round differently


def test_the_sample_gets_the_same_verdicts(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    check_verdicts(GOLDEN / "sample_verdicts.csv", ROOT, tmp_path / "verdicts.csv")


@pytest.mark.slow
@pytest.mark.skipif(not BENCH, reason="DEEPFAKE_AUDIO_BENCH does not name the folder of the clips")
def test_the_bench_gets_the_same_verdicts(tmp_path):
    check_verdicts(GOLDEN / "bench_verdicts.csv", Path(BENCH), tmp_path / "verdicts.csv")


@pytest.mark.parametrize(
    ("settings", "digest"),
    [
        (
            load_settings(),
            "f689d7f9c9061101dc92fb95237e897f5ead93ef56fbcc56605c5e6d782069ce",
        ),
        (
            read_settings(ROOT / "models" / "pretrained" / "config.yaml"),
            "7097849a416488d1e84b20692c5c83e9fd0e8b26a604a03cfdbea4841bcddd46",
        ),
    ],
    ids=["config.yaml", "pretrained"],
)
def test_the_sample_renders_to_the_same_bytes(settings: Settings, digest: str):
    images, count = hashlib.sha256(), 0
    for path in sorted((ROOT / "data" / "sample" / "audio").glob("*.flac")):
        recording = open_recording(path, settings.audio)
        for _, window in recording_windows(recording, settings.audio):
            images.update(spectrogram_image(window, settings.audio).tobytes())
            count += 1
    assert (count, images.hexdigest()) == (96, digest)
