"""A model file says what it takes and gives; the programs do not depend on it."""

import json
from pathlib import Path

import onnx
import onnxruntime

from deepfake_audio.models import run_creation, run_search
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.onnx_metadata import LICENSE, NO_LICENSE, model_facts, write_metadata


def facts_of(path: Path) -> dict[str, str]:
    return onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map


def test_the_shipped_model_is_described():
    run, record, settings = run_search.open_run("models/pretrained")
    assert facts_of(run.onnx_model) == model_facts(settings, record) | {LICENSE: "MIT"}


def test_a_trained_model_and_its_new_calibration_are_described(
    audio_workspace, tmp_path, monkeypatch
):
    heard = audio_workspace / "runs/heard"
    facts = facts_of(heard / "model.onnx")
    record = json.loads((heard / "run.json").read_text())
    assert json.loads(facts["classes"]) == {"0": "fake", "1": "real"}
    assert json.loads(facts["calibration"]) == record["calibration"]
    assert facts["settings_fingerprint"] == record["settings_fingerprint"]
    assert (facts["sample_rate_hz"], facts[LICENSE]) == ("16000", NO_LICENSE)

    monkeypatch.chdir(tmp_path)
    run, before, settings = run_search.open_run(str(heard))
    new = run_creation.recalibrated_run(
        run, before, Calibration(2.0, 0.5), Path("data"), "moved", before.learnt
    )
    _, opened, _ = run_search.open_run("moved")
    assert opened.model_fingerprint != before.model_fingerprint
    moved = facts_of(new.onnx_model)
    assert json.loads(moved["calibration"]) == {"slope": 2.0, "intercept": 0.5, "quality": None}

    model = onnx.load(new.onnx_model)
    next(e for e in model.metadata_props if e.key == LICENSE).value = "CC0"
    onnx.save(model, new.onnx_model)
    write_metadata(new.onnx_model, settings, opened)
    assert facts_of(new.onnx_model)[LICENSE] == "CC0"
    assert onnx.load(new.onnx_model).graph == onnx.load(run.onnx_model).graph
