"""A training that begins with the weights of another run."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import evaluate
import train
from conftest import TINY_SETTINGS, make_data_folder, make_once
from deepfake_audio.cli.training import create_run, learning_warnings
from deepfake_audio.models import run_search
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.training import trainer
from deepfake_audio.training.export import SplitResult
from deepfake_audio.training.weights import load_network
from model import build_model

MORE = ("data.folder=data/more", "train.epochs=1", "train.learning_rate=1e-9")


@pytest.fixture(scope="module")
def taught(workspace, tmp_path_factory) -> Path:
    """A folder with runs/first and runs/second, which began with it and hardly learnt; keep it."""

    def make() -> None:
        make_data_folder(Path("data/more"), images_per_class=8)
        assert train.main(["--run", "second", "--from", "runs/first", *MORE]) == 0

    return make_once(tmp_path_factory, "taught", make, below=workspace)


@pytest.fixture
def in_copy(taught, tmp_path, monkeypatch) -> Path:
    shutil.copytree(taught, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def weights_of(name: str) -> list[np.ndarray]:
    run, _, settings = run_search.open_run(name)
    return [
        values.numpy()
        for values in load_network(build_model, run.keras_model, settings).trainable_weights
    ]


@pytest.mark.slow
def test_training_from_a_run_begins_with_its_weights_and_settings(in_copy, capsys):
    for ours, theirs in zip(weights_of("second"), weights_of("first"), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    _, record, settings = run_search.open_run("second")
    first = run_search.open_run("first")[2]
    assert record.start == "first"
    assert record.learnt == [run_search.open_run("first")[1].data_fingerprint]
    assert settings.train.batch_size == first.train.batch_size == 16  # config.yaml has another
    assert settings.train.epochs == 1
    assert not Path("runs/second/start.keras").exists()
    assert evaluate.main(["--run", "second", "evaluate.bootstrap=0"]) == 0
    assert "Run second, epoch 1, begun from first, on data/more" in capsys.readouterr().out


@pytest.mark.slow
def test_training_without_a_start_takes_over_nothing(in_copy):
    assert train.main(["--run", "anew", *TINY_SETTINGS, *MORE]) == 0
    pairs = zip(weights_of("anew"), weights_of("first"), strict=True)
    assert max(np.abs(ours - theirs).max() for ours, theirs in pairs) > 0.01


@pytest.mark.slow
def test_a_training_cut_off_in_its_first_epoch_still_begins_with_those_weights(
    in_copy, monkeypatch
):
    class CutOffError(Exception):
        pass

    def cut_off(*_):
        raise CutOffError

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "make_callbacks", cut_off)
        with pytest.raises(CutOffError):
            train.main(["--run", "third", "--from", "first", *MORE])
    shutil.rmtree("runs/first")  # its own folder has all that it needs
    assert train.main(["--resume", "--run", "third"]) == 0
    for ours, theirs in zip(weights_of("third"), weights_of("second"), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("model.dropout=0.1",), "model.dropout=0.1 differs from 0.3 in first"),
        (("image.height=64",), "image.height=64 differs from 32 in first"),
        (("--resume",), "--resume takes no other settings"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_refused(in_copy, args, told, capsys):
    assert train.main(["--run", "third", "--from", "first", *MORE, *args]) == 2
    assert told in (err := capsys.readouterr().err)
    assert len(err.splitlines()) == 1
    assert not Path("runs/third").exists()


@pytest.mark.slow
def test_damaged_weights_leave_no_run(in_copy, capsys):
    Path("runs/first/model.keras").write_bytes(b"no weights")
    assert train.main(["--run", "third", "--from", "first", *MORE]) == 2
    assert "cannot load the weights in" in capsys.readouterr().err
    assert not Path("runs/third").exists()


@pytest.mark.slow
def test_files_that_the_run_was_trained_on_give_a_warning(in_copy, capsys):
    for split, folder in (("train", "tiny"), ("val", "more")):
        manifest = Path("data", folder, "manifest.csv")
        lines = manifest.read_text().splitlines()
        lines = [line.replace(f",{split},,", f",{split},heard.wav,") for line in lines]
        manifest.write_text("\n".join(lines) + "\n")
    assert train.main(["--run", "third", "--from", "first", *MORE]) == 0
    warned = "first was trained on 2 files that are kept for validation or test here"
    assert warned in capsys.readouterr().err


@pytest.mark.slow
def test_training_from_a_run_takes_few_epochs_at_a_low_rate_unless_told(in_copy):
    args = train.parse_arguments(["--run", "fifth", "--from", "first", "data.folder=data/more"])
    _, settings, _ = create_run(args, build_model)
    assert (settings.train.epochs, settings.train.learning_rate) == (5, 0.0003)
    args = train.parse_arguments(["--run", "sixth", "--from", "first", *MORE])
    _, settings, _ = create_run(args, build_model)
    assert (settings.train.epochs, settings.train.learning_rate) == (1, 1e-9)


@pytest.mark.parametrize(
    ("slope", "eer", "uncertain", "warning"),
    [
        (0.0, 0.5, 1.0, "the run can't tell the real validation files from the fake ones"),
        (1.0, 0.42, 0.9, "the run is near chance: EER 42% on validation, and 50% is chance"),
        (1.0, 0.2, 0.93, "the run would answer UNCERTAIN to 93% of the validation files"),
        (1.0, 0.1, 0.2, None),
    ],
)
def test_a_run_of_little_use_gives_a_warning_with_a_remedy(slope, eer, uncertain, warning):
    splits = [SplitResult("train", 9, 1.0, 0.0, 0.0), SplitResult("val", 9, 0.5, eer, uncertain)]
    warnings = learning_warnings(Calibration(slope, 0.0), splits)
    assert len(warnings) == (warning is not None)
    for line in warnings:
        assert line.startswith(warning)
        assert "python train.py --from models/pretrained" in line
