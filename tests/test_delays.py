"""Group delay and frame rates end to end: one picture for training and prediction."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import evaluate
import predict
import prepare
import train
from conftest import FRAME_RATES, ROOT, TINY_SETTINGS, make_once
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.training import trainer
from deepfake_audio.vocabulary import ZERO_DELAY
from helpers import read_rows

DRAWN = (
    "audio.delay_fft_samples=512", FRAME_RATES,
    "image.channels=level_delay_rates",
)  # fmt: skip
AS_DRAWN = ("augment.shear_range=0", "augment.zoom_range=0", "image.height=128", "image.width=96")
TRAINED = (*TINY_SETTINGS, *AS_DRAWN, "train.epochs=2", "image.channels=level_delay_rates")


@pytest.fixture(scope="module")
def delay_workspace(audio_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/delays, rendered from the voices of `audio_workspace`, and runs/delays."""

    def make() -> None:
        voices = str(audio_workspace / "mine")
        assert prepare.main([voices, "--name", "delays", "prepare.workers=1", *DRAWN]) == 0
        inputs = "model.inputs=[group_delay, frequency_residual, frame_rates]"
        assert train.main(["--run", "delays", "data.folder=data/delays", inputs, *TRAINED]) == 0

    return make_once(tmp_path_factory, "delays", make)


def scores_of(*inputs: str) -> dict[str, float]:
    assert predict.main([*inputs, "--run", "delays", "--csv", "scores.csv"]) == 0
    return {Path(row["file"]).stem: float(row["score"]) for row in read_rows(Path("scores.csv"))}


@pytest.mark.slow
def test_a_recording_and_its_images_have_the_same_score(
    delay_workspace, audio_workspace, monkeypatch
):
    monkeypatch.chdir(delay_workspace)
    rows = [row for row in read_rows(Path("data/delays/manifest.csv")) if row["split"] == "test"]
    for audio in {row["audio"] for row in rows}:
        images = [f"data/delays/{row['image']}" for row in rows if row["audio"] == audio]
        heard = scores_of(str(audio_workspace / "mine" / audio))
        seen = scores_of(*images)
        assert len(seen) == len(images) > 1
        np.testing.assert_allclose(np.mean(list(seen.values())), *heard.values(), atol=1e-4)


@pytest.mark.slow
def test_noise_in_training_changes_delays_and_not_frame_rates(delay_workspace, monkeypatch):
    monkeypatch.chdir(delay_workspace)
    records = [replace(r, split="train") for r in read_records(Path("data/delays"))]
    validation = [replace(r, split="val") for r in records]
    plain, noisy = (
        trainer.make_feeds(
            load_settings(None, [*DRAWN, *AS_DRAWN, "augment.horizontal_flip=false", noise]),
            [*records, *validation],
        )[0][0][0]
        for noise in ("distort.noise_floor_db=0", "distort.noise_floor_db=60")
    )
    level, delay, rates = np.moveaxis(noisy - plain, -1, 0)
    assert level.mean() > 1
    assert (delay != 0).mean() > 0.05
    assert noisy[..., 1].mean() == pytest.approx(ZERO_DELAY, abs=3)
    assert not rates.any()


@pytest.mark.slow
def test_the_frame_rate_of_a_recording_is_reported(delay_workspace, monkeypatch, capsys):
    monkeypatch.chdir(delay_workspace)
    rng, times = np.random.default_rng(1), np.arange(3 * 16000) / 16000
    places = np.floor(times * 80 % 1 * 200).astype(int)
    gains = rng.uniform(0.3, 1.7, 200)
    soundfile.write("made.wav", rng.normal(size=len(times)) * gains[places] / 10, 16000)
    soundfile.write("noise.wav", rng.normal(size=len(times)) / 10, 16000)
    assert predict.main(["--run", "delays", "made.wav", "noise.wav"]) == 0
    made, noise = capsys.readouterr().out.splitlines()
    assert "  made.wav  (something repeats 80 times a second" in made
    assert noise.endswith("  noise.wav")
    assert predict.main(["--run", "delays", "--json", "made.wav", "noise.wav"]) == 0
    said = [json.loads(line)["frame_rate_hz"] for line in capsys.readouterr().out.splitlines()]
    assert said == [80, None]


@pytest.mark.slow
def test_a_run_with_delays_is_evaluated_and_plotted(delay_workspace, monkeypatch):
    monkeypatch.chdir(delay_workspace)
    assert evaluate.main(["--run", "delays", "evaluate.bootstrap=0"]) == 0
    assert "data:image/png" in Path("runs/delays/report.html").read_text()


@pytest.mark.slow
def test_a_run_with_delays_refuses_a_grey_image(
    delay_workspace, audio_workspace, monkeypatch, capsys
):
    monkeypatch.chdir(delay_workspace)
    grey = next((audio_workspace / "data/mine/test/fake").glob("*.png"))
    assert predict.main([str(grey), "--run", "delays"]) == 1
    assert "give the recording, or choose a run for grey images" in capsys.readouterr().err


@pytest.mark.slow
def test_a_grey_run_refuses_an_image_with_delays(
    delay_workspace, audio_workspace, monkeypatch, capsys
):
    monkeypatch.chdir(delay_workspace)
    rendered = next(Path("data/delays/test/fake").glob("*.png"))
    assert predict.main([str(rendered), "--run", str(audio_workspace / "runs/heard")]) == 1
    assert "a run with image.channels=level_delay or level_delay_rates" in capsys.readouterr().err


@pytest.mark.slow
def test_training_on_grey_refuses_images_with_delays(delay_workspace, monkeypatch, capsys):
    monkeypatch.chdir(delay_workspace)
    assert train.main(["data.folder=data/delays", *TINY_SETTINGS]) == 2
    assert "set image.channels=level_delay_rates and inputs" in capsys.readouterr().err


@pytest.mark.slow
def test_evaluating_a_grey_run_refuses_images_with_delays(
    delay_workspace, audio_workspace, monkeypatch, capsys
):
    monkeypatch.chdir(delay_workspace)
    grey = str(audio_workspace / "runs/heard")
    assert evaluate.main(["--run", grey, "--data", "data/delays"]) == 2
    assert "audio.delay_fft_samples is 512 in data/delays, and 0 in heard" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_run_with_frame_rates_refuses_images_without_them(
    delay_workspace, audio_workspace, monkeypatch, capsys
):
    monkeypatch.chdir(delay_workspace)
    voices, with_delay = str(audio_workspace / "mine"), ("audio.delay_fft_samples=512",)
    channels = "image.channels=level_delay"
    words = ("--name", "ratesless", "prepare.workers=1", *with_delay, channels)
    assert prepare.main([voices, *words]) == 0
    assert train.main(["data.folder=data/ratesless", *TRAINED]) == 2
    assert "the images in data/ratesless have no frame rates; prepare the sound again" in (
        capsys.readouterr().err
    )
    assert evaluate.main(["--run", "delays", "--data", "data/ratesless"]) == 2
    assert "audio.frame_rates_hz is [] in data/ratesless, and [46.875, " in (
        capsys.readouterr().err
    )
    picture = next(Path("data/ratesless/test/fake").glob("*.png"))
    assert predict.main([str(picture), "--run", "delays"]) == 1
    assert "it lacks the frame rates in blue" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_with_delays_refuses_images_without_them(audio_workspace, monkeypatch, capsys):
    monkeypatch.chdir(audio_workspace)
    config = ["--config", str(ROOT / "unseen.yaml")]
    assert train.main([*config, "data.folder=data/mine"]) == 2
    assert "the images in data/mine have no" in capsys.readouterr().err


@pytest.mark.slow
def test_prepare_names_the_command_that_trains(
    delay_workspace, audio_workspace, monkeypatch, capsys
):
    monkeypatch.chdir(delay_workspace)
    voices = str(audio_workspace / "mine")
    assert prepare.main([voices, "--name", "delays", "prepare.workers=1", *DRAWN]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Next: python train.py image.channels=level_delay_rates data.folder=data/delays"
    )
