"""Read and write the record of a run."""

from pathlib import Path

from pydantic import ValidationError

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError, shortened
from deepfake_audio.models.fingerprints import fingerprint_model
from deepfake_audio.models.onnx_metadata import write_metadata
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system.atomic_files import write_error, write_json
from deepfake_audio.system.regular_files import is_file, open_regular

MAX_RECORD_BYTES = 1_000_000


def known_data(record: RunRecord) -> list[str]:
    """Return the fingerprints of all data that a run has learnt from, or was calibrated on."""
    return [record.data_fingerprint, *record.learnt]


def commit_model(run: Run, record: RunRecord, settings: Settings) -> None:
    """Make `next_model` the run's model and `record` its record.

    Two files cannot be renamed at once. After a kill between the two, `read_record` finds the
    record that belongs to the model.
    """
    write_metadata(run.next_model, settings, record)
    fingerprint = fingerprint_model(run.next_model, settings.limits)
    record = record.model_copy(update={"model_fingerprint": fingerprint})
    write_json(run.next_record, record.model_dump(mode="json"))
    try:
        run.next_model.replace(run.onnx_model)
        run.next_record.replace(run.record)
    except OSError as error:
        raise write_error(run.onnx_model, error) from None


def read_record(run: Run) -> RunRecord:
    """Read `run.json`, or raise a `InputError` that says what is wrong with it."""
    if is_file(run.next_record) and is_file(run.onnx_model):
        waiting = _read_record(run.next_record)
        limits = load_settings().limits
        if waiting.model_fingerprint == fingerprint_model(run.onnx_model, limits):
            return waiting
    return _read_record(run.record)


def _read_record(path: Path) -> RunRecord:
    try:
        with open_regular(path, "run.json") as file:
            encoded = file.read(MAX_RECORD_BYTES + 1)
        if len(encoded) > MAX_RECORD_BYTES:
            raise InputError(f"{path} has more than {MAX_RECORD_BYTES:,} bytes")
        return RunRecord.model_validate_json(encoded)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key}: {first['msg']}" if key else first["msg"]
    except (OSError, InputError) as error:
        reason = str(error)
    raise InputError(
        f"cannot read {path}: {shortened(reason)}; train again, or name another run with --run"
    )


def write_record(run: Run, record: RunRecord) -> None:
    """Write `run.json` in one step."""
    write_json(run.record, record.model_dump(mode="json"))
