"""The shipped model's verdicts and the rendered images stay the same."""

import os
from pathlib import Path

import numpy as np
import pytest

import predict
from conftest import ROOT
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.loading import load_settings, read_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.features.spectrogram import spectrogram_image
from helpers import read_rows

GOLDEN = ROOT / "tests" / "golden"
FIGURES = ("confidence", "p_real", "score", "llr", "frame_rate_hz")
BENCH = os.environ.get("DEEPFAKE_AUDIO_BENCH", "")


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
    assert largest <= 1e-2  # processors round differently: 0.0066 between two of them


@pytest.mark.slow
def test_the_sample_gets_the_same_verdicts(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    check_verdicts(GOLDEN / "sample_verdicts.csv", ROOT, tmp_path / "verdicts.csv")


@pytest.mark.slow
@pytest.mark.skipif(not BENCH, reason="DEEPFAKE_AUDIO_BENCH does not name the folder of the clips")
def test_the_bench_gets_the_same_verdicts(tmp_path):
    check_verdicts(GOLDEN / "bench_verdicts.csv", Path(BENCH), tmp_path / "verdicts.csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "means"),
    [
        (load_settings(), [92.344]),
        (read_settings(ROOT / "models" / "pretrained" / "config.yaml"), [84.792, 127.004, 128.268]),
    ],
    ids=["config.yaml", "pretrained"],
)
def test_the_sample_renders_to_the_same_images(settings: Settings, means: list[float]):
    sums, count = 0.0, 0
    for path in sorted((ROOT / "data" / "sample" / "audio").glob("*.flac")):
        recording = open_recording(path, settings.audio)
        for _, window in recording_windows(recording, settings.audio):
            image = spectrogram_image(window, settings.audio)
            # Each row and column counts differently, so that no two may be exchanged.
            weights = np.outer(*(np.linspace(0.5, 1.5, size) for size in image.shape[:2]))
            sums = sums + np.einsum("ij,ijk->k", weights, np.atleast_3d(image)) / weights.sum()
            count += 1
    assert count == 102
    np.testing.assert_allclose(sums / count, means, atol=0.01)  # processors round differently
