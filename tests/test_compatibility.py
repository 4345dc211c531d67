"""Settings, images and weights that fit one another, and those that don't."""

from pathlib import Path

import pytest

from conftest import ROOT
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.provenance import write_audio_settings
from deepfake_audio.errors import InputError
from deepfake_audio.models import run_folder
from deepfake_audio.models.compatibility import choose_settings, feature_mismatch

UNSEEN = str(ROOT / "unseen.yaml")


@pytest.fixture
def prepared(tmp_path, monkeypatch) -> Path:
    """A data folder whose images were rendered with unseen.yaml."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/mine")
    folder.mkdir(parents=True)
    write_audio_settings(folder, load_settings(UNSEEN).audio)
    return folder


def test_training_takes_the_audio_settings_of_the_images(prepared):
    settings, from_audio = choose_settings(UNSEEN, [f"data.folder={prepared}"])
    assert from_audio
    assert settings.audio == load_settings(UNSEEN).audio


@pytest.mark.parametrize("place", ["file", "command line"])
def test_other_audio_settings_are_refused_in_a_file_and_on_the_command_line(prepared, place):
    Path("mine.yaml").write_text("audio:\n  db_range: 40\n")
    file, asked = ("mine.yaml", []) if place == "file" else (None, ["audio.db_range=40"])
    given = [f"data.folder={prepared}", *asked]
    with pytest.raises(
        InputError, match=r"audio\.db_range=40(\.0)? differs from .* in data/mine/audio\.yaml"
    ):
        choose_settings(file, given)


def test_images_with_other_audio_settings_than_the_run_give_a_warning_or_an_error(prepared):
    mine = run_folder.Run(Path("runs/mine"))
    ours = load_settings(UNSEEN)
    assert feature_mismatch(prepared, ours, mine) == []
    audio = ours.audio.model_copy(update={"db_range": 30.0, "window_overlap": 0.25})
    write_audio_settings(prepared, audio)
    (warning,) = feature_mismatch(prepared, ours, mine)
    assert "audio.db_range is 30.0 in data/mine, and 80.0 in mine" in warning
    assert "window_overlap" not in warning
    write_audio_settings(prepared, load_settings().audio)
    with pytest.raises(InputError, match=r"delay_fft_samples is 0 in data/mine, and 1024 in mine"):
        feature_mismatch(prepared, ours, mine)
