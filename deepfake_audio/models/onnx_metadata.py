"""Write into a model file what its user must know: rate, window, classes and calibration.

The programs of this project read these facts from the run folder, and never from the model file.
"""

import json
from dataclasses import asdict
from pathlib import Path

import onnx

from deepfake_audio.config.schema import Settings
from deepfake_audio.models.onnx_session import read_model
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.vocabulary import LABELS

LICENSE = "license"
NO_LICENSE = "not stated; the terms of the training data count"


def write_metadata(path: Path, settings: Settings, record: RunRecord) -> None:
    """Replace the metadata of a model file; a licence that is there stays, as does the network."""
    model = onnx.load_model_from_string(read_model(path, settings.limits))
    before = {entry.key: entry.value for entry in model.metadata_props}
    license_text = {LICENSE: before.get(LICENSE, NO_LICENSE)}
    onnx.helper.set_model_props(model, model_facts(settings, record) | license_text)
    encoded = model.SerializeToString()
    with atomic_write(path) as partial:
        partial.write_bytes(encoded)


def model_facts(settings: Settings, record: RunRecord) -> dict[str, str]:
    """Return the facts about a model by their names; numbers are JSON."""
    facts = {
        "input": f"images {settings.image.shape}, levels 0 to 255, {settings.image.channels}",
        "output": "natural log-odds of real before calibration; higher is more real",
        "classes": json.dumps(dict(enumerate(LABELS))),
        "calibration": json.dumps(record.calibration and asdict(record.calibration)),
        "settings_fingerprint": record.settings_fingerprint or "",
        "image": settings.image.model_dump_json(),
    }
    if record.images_from_audio:
        audio = settings.audio
        facts |= {
            "sample_rate_hz": json.dumps(audio.sample_rate_hz),
            "window_seconds": json.dumps(audio.window_seconds),
            "audio": audio.model_dump_json(),
        }
    return facts
