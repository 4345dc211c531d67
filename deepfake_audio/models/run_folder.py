"""The run folder: names of its files, creating, finding and reading runs."""

import hashlib
import importlib.metadata
import itertools
import json
import logging
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import (
    ValidationError,
)

from deepfake_audio import __version__
from deepfake_audio.config.loading import (
    LEGACY_DEFAULTS,
    RENAMED_KEYS,
    ROOT,
    load_settings,
    read_settings,
    write_settings,
)
from deepfake_audio.config.schema import LimitSettings, Settings
from deepfake_audio.config.yaml_files import shortened
from deepfake_audio.errors import InputError, OutputError, one_line
from deepfake_audio.models.onnx_metadata import write_metadata
from deepfake_audio.models.onnx_session import read_checked, read_model
from deepfake_audio.models.run_record import RunRecord, numbers_of
from deepfake_audio.system.atomic_files import (
    atomic_folder,
    copy_file,
    is_file,
    is_folder,
    open_regular,
    write_error,
    write_json,
)

LOGGER = logging.getLogger(__name__)
RUNS = Path("runs")
PRETRAINED = ROOT / "models" / "pretrained"
PRETRAINED_NAME = "models/pretrained"
SAMPLE = ROOT / "data" / "sample"
MAX_RECORD_BYTES = 1_000_000
MAX_NAMED_RUNS = 10  # in a message
REPORTED_PACKAGES = frozenset(
    {"keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime"}
)


@dataclass(frozen=True)
class Run:
    """The paths of one run."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def record(self) -> Path:
        return self.folder / "run.json"

    @property
    def keras_model(self) -> Path:
        return self.folder / "model.keras"

    @property
    def onnx_model(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def next_record(self) -> Path:
        """Return the path of the record that belongs to `next_model`."""
        return self.folder / "run.next.json"

    @property
    def next_model(self) -> Path:
        return self.folder / "model.next.onnx"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def start_weights(self) -> Path:
        """Return the path of the weights of another run that the training starts from."""
        return self.folder / "start.keras"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    @property
    def tensorboard(self) -> Path:
        return self.folder / "tensorboard"


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
        name: of the folder below runs/; None takes the data folder's name and the next free number.
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


def known_data(record: RunRecord) -> list[str]:
    """Return the fingerprints of all data that a run has learnt from, or was calibrated on."""
    return [record.data_fingerprint, *record.learnt]


def copy_run(source: Run, name: str | None, data: Path, record: RunRecord) -> Run:
    """Create a run folder with another run's network and settings.

    Args:
        source: which has ended.
        name: of the folder below runs/; None takes the data folder's name and the next free number.
        data: a data folder.
        record: of the new run.

    Raises:
        InputError: a run of that name exists, or the name is not one folder's.
    """
    run = new_run(name, data, "--name")
    with _made_whole(run, "--name") as unfinished:
        for path in (source.config, source.keras_model, source.onnx_model, source.history):
            if is_file(path):
                copy_file(path, unfinished.folder / path.name, "A part of a run")
        settings = read_settings(unfinished.config)
        write_metadata(unfinished.onnx_model, settings, record)
        fingerprint = fingerprint_model(unfinished.onnx_model, settings.limits)
        write_record(unfinished, record.model_copy(update={"model_fingerprint": fingerprint}))
    return run


def new_run(name: str | None, data: Path, option: str = "--run", resumable: bool = False) -> Run:
    """Return a run that does not exist yet, without creating it.

    Args:
        name: of the folder below runs/; None takes the data folder's name and the next free number.
        data: a data folder.
        option: of the script, for the message.
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
        raise _name_taken(run, option, resumable)
    return run


@contextmanager
def _made_whole(run: Run, option: str = "--run", resumable: bool = False) -> Iterator[Run]:
    """Yield a hidden folder to fill, and rename it: a run folder is always complete."""
    try:
        with atomic_folder(run.folder) as unfinished:
            yield Run(unfinished)
    except OutputError:
        if os.path.lexists(run.folder):
            raise _name_taken(run, option, resumable) from None
        raise


def _name_taken(run: Run, option: str, resumable: bool) -> InputError:
    resume = ", resume it with --resume" if resumable else ""
    return InputError(
        f"{option} {run.name}: {run.folder} exists already; choose another {option}{resume}, or "
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


def _next_free(data_name: str) -> Run:
    taken = {path.name for path in RUNS.iterdir()} if is_folder(RUNS) else set()
    names = (f"{data_name}-{number}" for number in itertools.count(1))
    return Run(RUNS / next(name for name in names if name not in taken))


def installed_versions() -> dict[str, str]:
    """Return the versions that a run's result may depend on."""
    installed = ((package.name, package.version) for package in importlib.metadata.distributions())
    packages = {name: version for name, version in sorted(installed) if name in REPORTED_PACKAGES}
    return {"deepfake-audio": __version__, "python": platform.python_version(), **packages}


def open_run(
    name: str | None,
    resuming: bool = False,
    overrides: Sequence[str] = (),
    or_pretrained: bool = False,
) -> tuple[Run, RunRecord, Settings]:
    """Find a run and read its record and settings.

    Args:
        name: a folder below runs/, or a path; None takes the newest, and warns of damaged ones.
        resuming: look for a run whose training has not ended, instead of one with a model.
        overrides: texts such as `"predict.prior_fake=0.1"`, over the run's own settings.
        or_pretrained: use the shipped run if runs/ has none that can be used, or only runs that
            were trained on the sample: these are for trying out, and chosen only by name.

    Raises:
        InputError: no such run, a run that cannot be used in this way, or damaged files.
    """
    if name is not None:
        places = (RUNS / name, Path(name), ROOT / name)  # the last for the shipped one
        return _open(Run(next(filter(is_folder, places), Path(name))), resuming, overrides)
    for run in _newest_first(resuming):
        try:
            opened = _open(run, resuming)
        except InputError as error:
            _warn_of_damage(run, error)
        else:
            if or_pretrained and is_trained_on_sample(opened[2]):
                continue
            return (*opened[:2], read_settings(run.config, overrides)) if overrides else opened
    if or_pretrained:
        return _open(Run(PRETRAINED), resuming, overrides)
    raise _none_usable(resuming)


def is_trained_on_sample(settings: Settings) -> bool:
    """Return whether the data folder of a run is the shipped sample."""
    return Path(settings.data.folder).resolve() == SAMPLE.resolve()


def _open(
    run: Run, resuming: bool, overrides: Sequence[str] = ()
) -> tuple[Run, RunRecord, Settings]:
    """Read a run's record and settings, as `open_run`."""
    if not is_file(run.record):
        raise InputError(f"no run in {run.folder}: run.json is missing; {_known_runs()}")
    record = read_record(run)
    if resuming and record.status == "finished":
        raise InputError(f"cannot resume {run.name}: its training is finished; start a new run")
    if record.parts and record.status == "training":
        raise InputError(
            f"{run.folder} is incomplete: combine.py was cut off; remove it, and combine again"
        )
    if not resuming and record.status == "training":
        raise InputError(
            f"{run.name} has no model yet: it is training or was cut off; go on with: python "
            f"train.py --resume --run {run.name}"
        )
    settings = read_settings(run.config, overrides)
    _check_parts(run, record, settings, with_model=not resuming)
    return run, record, settings


def _check_parts(run: Run, record: RunRecord, settings: Settings, with_model: bool) -> None:
    """Raise an `InputError` if the files of a run folder come from different runs."""
    if with_model and not record.model_fingerprint:
        read_checked(run.onnx_model, settings.limits)
    if record.settings_fingerprint not in (None, fingerprint_settings(settings)):
        other = "config.yaml has other audio, image or model settings than it was trained with"
    elif (
        with_model
        and record.model_fingerprint
        and record.model_fingerprint != fingerprint_model(run.onnx_model, settings.limits)
    ):
        other = "model.onnx is not the one that its calibration was fitted for"
    else:
        return
    raise InputError(
        f"files of different runs in {run.folder}: {other}; copy the whole run folder, or train "
        "again"
    )


def fingerprint_model(path: Path, limits: LimitSettings) -> str:
    """Return the SHA-256 of a model file."""
    return hashlib.sha256(read_model(path, limits)).hexdigest()


def fingerprint_verdicts(
    run: Run, record: RunRecord, settings: Settings, asked: Sequence[str]
) -> str:
    """Return 8 hexadecimal digits that identify a run's model, settings and inputs."""
    parts = [run.name, record.model_fingerprint, tuple(numbers_of(record.calibration))]
    parts += [record.settings_fingerprint, settings.predict.model_dump(), list(asked)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


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


def _newest_first(resuming: bool) -> list[Run]:
    """Return the runs whose record can be read and says that they can be used, newest first."""
    wanted = ("training", "interrupted") if resuming else ("interrupted", "finished")
    dated = []
    for run in (Run(RUNS / name) for name in _names()):
        try:
            record = read_record(run)
        except InputError as error:
            _warn_of_damage(run, error)
            continue
        if record.status in wanted and not (resuming and record.parts):
            dated.append((record.created, run.name, run))
    return [run for *_, run in sorted(dated, reverse=True)]


def names_with_channels(channels: Sequence[str]) -> list[str]:
    """Return the runs, newest first, whose images have one of some `image.channels`."""
    found = []
    for run in (*_newest_first(resuming=False), Run(PRETRAINED)):
        try:
            if read_settings(run.config).image.channels in channels:
                found.append(PRETRAINED_NAME if run.folder == PRETRAINED else run.name)
        except InputError:  # a damaged run can't be recommended
            continue
    return found


def _warn_of_damage(run: Run, error: InputError) -> None:
    LOGGER.warning("skipped the run %s: %s, or delete the folder", run.folder, error)


def _none_usable(resuming: bool) -> InputError:
    if resuming:
        return InputError("runs/ has no training that was cut off; start one with: python train.py")
    return InputError("runs/ has no trained run; make one with: python train.py")


def _known_runs() -> str:
    names = _names()
    shown = ", ".join(names[:MAX_NAMED_RUNS]) + (", ..." if len(names) > MAX_NAMED_RUNS else "")
    return f"runs are: {shown}" if names else "make one with: python train.py"


def _names() -> list[str]:
    try:
        folders = filter(is_folder, RUNS.glob("[!.]*"))
        runs = (f for f in folders if os.path.lexists(f / "run.json") or not os.access(f, os.X_OK))
        return sorted(run.name for run in runs)
    except OSError as error:
        raise InputError(f"cannot read runs/: {error.strerror}; check its permissions") from None


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
