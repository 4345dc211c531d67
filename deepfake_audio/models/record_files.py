"""Read and write the record of a run."""

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.models.fingerprints import fingerprint_model
from deepfake_audio.models.onnx_metadata import write_metadata
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system import json_records
from deepfake_audio.system.atomic_files import write_error, write_json
from deepfake_audio.system.regular_files import is_file

REMEDY = "train again, or name another run with --run"


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
        waiting = json_records.read_record(run.next_record, RunRecord, REMEDY)
        limits = load_settings().limits
        if waiting.model_fingerprint == fingerprint_model(run.onnx_model, limits):
            return waiting
    return json_records.read_record(run.record, RunRecord, REMEDY)


def write_record(run: Run, record: RunRecord) -> None:
    """Write `run.json` in one step."""
    write_json(run.record, record.model_dump(mode="json"))
