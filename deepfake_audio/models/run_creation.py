"""Create runs: a new one, or a copy of another run's network."""

import importlib.metadata
import itertools
import os
import platform
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from deepfake_audio import __version__
from deepfake_audio.config.loading import read_settings, write_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError, OutputError, one_line
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.fingerprints import fingerprint_model, fingerprint_settings
from deepfake_audio.models.onnx_metadata import write_metadata
from deepfake_audio.models.quantization import quantize
from deepfake_audio.models.record_files import write_record
from deepfake_audio.models.run_folder import RUNS, Run
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system.atomic_files import atomic_folder
from deepfake_audio.system.regular_files import copy_file, is_file, is_folder

TRAINING_PACKAGES = frozenset(  # that the result of a training may depend on
    {"keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime"}
)


def create_run(
    name: str | None,
    settings: Settings,
    data_fingerprint: str,
    images_from_audio: bool,
    parts: Sequence[str] = (),
    start: Run | None = None,
    learnt: Sequence[str] = (),
) -> Run:
    """Create a run folder with its settings and its record.

    Args:
        name: see `new_run`.
        settings: in effect.
        data_fingerprint: of the images.
        images_from_audio: whether the data folder says how its images were made.
        parts: names of the runs that are combined in it.
        start: the run whose weights it begins with.
        learnt: fingerprints of other data that its network has learnt from.

    Raises:
        InputError: a run of that name exists, or the name is not one folder's.
    """
    run = new_run(name, Path(settings.data.folder), resumable=not parts)
    with _made_whole(run, resumable=not parts) as unfinished:
        write_settings(settings, unfinished.config)
        record = new_record(settings, data_fingerprint, images_from_audio)
        record = record.model_copy(
            update={
                "parts": list(parts),
                "start": start and one_line(start.name),
                "learnt": sorted(set(learnt)),
            }
        )
        if start:
            copy_file(start.keras_model, unfinished.start_weights, "A file of weights")
        write_record(unfinished, record)
    return run


def recalibrated_run(
    source: Run,
    record: RunRecord,
    calibration: Calibration,
    data: Path,
    name: str | None,
    learnt: Sequence[str],
) -> Run:
    """Create a run with the network of another and a new calibration.

    Args:
        source, record: a run that has ended.
        calibration: of the new run.
        data: the data folder of the calibration.
        name: see `new_run`.
        learnt: fingerprints of the data that the new run has learnt from.

    Raises:
        InputError: a run of that name exists, or the name is not one folder's.
    """
    changes = {
        "status": "finished",
        "created": datetime.now(UTC),
        "calibration": calibration,
        "calibrated_on": one_line(data.name),
        "learnt": list(learnt),
    }
    record = record.model_copy(update=changes)
    run = new_run(name, data)
    with _made_whole(run) as unfinished:
        _copy_parts(source, unfinished)
        settings = read_settings(unfinished.config)
        write_metadata(unfinished.onnx_model, settings, record)
        _write_with_fingerprint(unfinished, record, settings)
    return run


@contextmanager
def quantized_run(source: Run, record: RunRecord, images: Sequence[np.ndarray]) -> Iterator[Run]:
    """Make a run for a while that is a copy of another, and computes in integers."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / source.name)
        run.folder.mkdir()
        _copy_parts(source, run)
        settings = read_settings(run.config)
        quantize(source.onnx_model, run.onnx_model, images, settings.limits)
        _write_with_fingerprint(run, record, settings)
        yield run


def _copy_parts(source: Run, target: Run) -> None:
    for path in (source.config, source.keras_model, source.onnx_model, source.history):
        if is_file(path):
            copy_file(path, target.folder / path.name, "A part of a run")


def _write_with_fingerprint(run: Run, record: RunRecord, settings: Settings) -> None:
    fingerprint = fingerprint_model(run.onnx_model, settings.limits)
    write_record(run, record.model_copy(update={"model_fingerprint": fingerprint}))


def new_run(name: str | None, data: Path, resumable: bool = False) -> Run:
    """Return a run that does not exist yet, without creating it.

    Args:
        name: of the folder below runs/; None takes the data folder's name and the next free number.
        data: a data folder.
        resumable: whether the script can resume an existing run.

    Raises:
        InputError: a run of that name exists, or the name is not one folder's.
    """
    run = Run(RUNS / name) if name else _next_free(data.resolve().name.lstrip(".") or "data")
    if run.folder.parent != RUNS or run.name in ("", "..") or run.name.startswith("."):
        raise InputError(
            f"{name!r} is not a name for a run; use one without a slash, and without a dot at the "
            "start"
        )
    if os.path.lexists(run.folder):
        raise _name_taken(run, resumable)
    return run


@contextmanager
def _made_whole(run: Run, resumable: bool = False) -> Iterator[Run]:
    """Yield a hidden folder to fill, and rename it: a run folder is always complete."""
    try:
        with atomic_folder(run.folder) as unfinished:
            yield Run(unfinished)
    except OutputError:
        if os.path.lexists(run.folder):
            raise _name_taken(run, resumable) from None
        raise


def _name_taken(run: Run, resumable: bool) -> InputError:
    resume = ", resume it with --resume" if resumable else ""
    return InputError(
        f"--name {run.name}: {run.folder} exists already; choose another --name{resume}, or "
        "delete the folder"
    )


def new_record(settings: Settings, data_fingerprint: str, images_from_audio: bool) -> RunRecord:
    """Return the record of a run whose training begins."""
    return RunRecord(
        status="training",
        created=datetime.now(UTC),
        data_fingerprint=data_fingerprint,
        images_from_audio=images_from_audio,
        seed=settings.train.seed,
        versions=installed_versions(),
        settings_fingerprint=fingerprint_settings(settings),
    )


def _next_free(data_name: str) -> Run:
    taken = {path.name for path in RUNS.iterdir()} if is_folder(RUNS) else set()
    names = (f"{data_name}-{number}" for number in itertools.count(1))
    return Run(RUNS / next(name for name in names if name not in taken))


def installed_versions(packages: Collection[str] = TRAINING_PACKAGES) -> dict[str, str]:
    """Return the versions of the program, of Python and of those packages that are installed."""
    installed = ((package.name, package.version) for package in importlib.metadata.distributions())
    versions = {name: version for name, version in sorted(installed) if name in packages}
    return {"deepfake-audio": __version__, "python": platform.python_version(), **versions}
