"""Fingerprints of settings, models, runs and verdicts."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio import __version__
from deepfake_audio.config.loading import (
    LEGACY_DEFAULTS,
    RENAMED_KEYS,
)
from deepfake_audio.config.schema import LimitSettings, Settings
from deepfake_audio.models.onnx_session import read_model
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_record import RunRecord, numbers_of


def fingerprint_settings(settings: Settings) -> str:
    """Return a hash of the settings that the weights depend on: audio, image and model.

    A setting that an earlier version did not have counts only if it differs from the behaviour of
    that version. A renamed setting counts under its first name.
    """
    parts = settings.model_dump(include={"audio", "image", "model"})
    del parts["image"]["max_megapixels"]
    for section in parts.keys() & LEGACY_DEFAULTS.keys():
        for key, value in LEGACY_DEFAULTS[section].items():
            if parts[section][key] == value:
                del parts[section][key]
    for old, new in RENAMED_KEYS.items():
        (section, key), (new_section, new_key) = old.split("."), new.split(".")
        if new_key in parts.get(new_section, {}):
            parts[section][key] = parts[new_section].pop(new_key)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def fingerprint_model(path: Path, limits: LimitSettings) -> str:
    """Return the SHA-256 of a model file."""
    return hashlib.sha256(read_model(path, limits)).hexdigest()


def fingerprint_verdicts(
    run: Run, record: RunRecord, settings: Settings, asked: Sequence[str]
) -> str:
    """Return 8 hexadecimal digits that identify this version, a run, its settings and inputs."""
    parts = [__version__, run.name, record.model_fingerprint, tuple(numbers_of(record.calibration))]
    parts += [record.settings_fingerprint, settings.predict.model_dump(), list(asked)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


def fingerprint_run(run: Run, record: RunRecord, limits: LimitSettings) -> str:
    """Return 64 hexadecimal digits that identify a run's network, calibration and settings.

    Copies of a run under another name have the same. `calibrate.py` keeps the network, so that its
    fingerprint would not show which calibration judges.
    """
    model = record.model_fingerprint or fingerprint_model(run.onnx_model, limits)
    parts = [model, record.settings_fingerprint]
    parts.append(numbers_of(record.calibration) if record.calibration else [])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
