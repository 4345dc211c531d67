import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import combine
import export
from deepfake_audio.config.loading import read_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.training import litert


@pytest.mark.slow
def test_exports_give_kerass_scores(in_workspace, capsys):
    assert export.main(["--run", "first"]) == 0
    printed = capsys.readouterr().out
    rows = {line[:14].strip(): line.split() for line in printed.splitlines() if "e-0" in line}
    assert float(rows["ONNX"][-1]) < 1e-5 and float(rows["LiteRT"][-1]) < 1e-5
    run = run_folder.Run(in_workspace / "runs" / "first")
    settings = read_settings(run.config)
    records = [r for r in read_records(in_workspace / "data" / "tiny") if r.split == "test"]
    images = np.concatenate(list(litert.image_batches(records, settings, 5)))
    assert len(images) == len(records)
    expected = onnx_session.score_images(onnx_session.load_model(run.onnx_model, 1), images)
    exact = litert.score_litert(litert.load_litert(run.folder / "model.tflite"), images)
    np.testing.assert_allclose(exact, expected, atol=1e-3)
    rounded = litert.score_litert(litert.load_litert(run.folder / "model-int8.tflite"), images)
    assert np.corrcoef(rounded, expected)[0, 1] > 0.99


@pytest.mark.slow
def test_without_a_run_there_is_nothing_to_export(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert export.main([]) == 2
    assert "runs/ has no trained run" in capsys.readouterr().err


@pytest.mark.slow
def test_other_images_need_both_classes(in_workspace, tmp_path, capsys):
    (tmp_path / "train" / "fake").mkdir(parents=True)
    assert export.main(["--run", "first", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: no images in")


@pytest.mark.slow
def test_unreadable_images_are_named_and_change_the_exit_code(in_workspace, tmp_path, capsys):
    shutil.copytree("data/tiny", tmp_path / "tiny")
    (tmp_path / "tiny" / "val" / "real" / "00.png").write_bytes(b"no image")
    assert export.main(["--run", "first", "--data", str(tmp_path / "tiny")]) == 1
    captured = capsys.readouterr()
    assert "val/real/00.png" in captured.err
    assert ", 23 validation images" in captured.out


@pytest.mark.parametrize("script", [export, combine])
def test_a_network_that_does_not_fit_the_image_of_its_run_is_an_error(
    script, in_workspace, tmp_path, monkeypatch, capsys
):
    for name in ("one", "two"):
        shutil.copytree("runs/first", tmp_path / "runs" / name)
        config = tmp_path / "runs" / name / "config.yaml"
        text = config.read_text()
        deep = text.replace("conv_filters: [4, 8]", "conv_filters: [4, 4, 4, 4, 4, 4, 4, 4]")
        assert deep != text
        config.write_text(deep)
        record = tmp_path / "runs" / name / "run.json"
        record.write_text(
            json.dumps(json.loads(record.read_text()) | {"settings_fingerprint": None})
        )
    shutil.copytree("data/tiny", tmp_path / "data" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert script.main(["--run", "one"] if script is export else ["one", "two"]) == 2
    assert "error: the network does not fit the image: 8 blocks" in capsys.readouterr().err
    assert {path.name for path in Path("runs").iterdir()} == {"one", "two"}
