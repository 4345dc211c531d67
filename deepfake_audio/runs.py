"""The run folder: what its files are called, how a run starts, is found and read back."""

import csv
import importlib.metadata
import itertools
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deepfake_audio.config import Settings, read_settings, write_settings
from deepfake_audio.dataset import LABELS
from deepfake_audio.errors import UserError
from deepfake_audio.files import is_file, is_folder, open_table, replacing, write_json
from deepfake_audio.scoring import Calibration

RUNS = Path("runs")
REPORTED_PACKAGES = frozenset(
    {"keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime"}
)


class RunRecord(BaseModel):
    """What `run.json` says of a run.

    Attributes:
        status: `training` until it ends or is killed; an interrupted run can be used and resumed.
        classes: the class of index 0 and of index 1.
        data_fingerprint: changes with any image, label or split of the data folder.
        images_from_audio: the images were made with the run's audio settings.
        calibration: fitted on the scores of the validation files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    status: Literal["training", "interrupted", "finished"]
    created: datetime
    classes: tuple[Literal["fake"], Literal["real"]] = LABELS
    data_fingerprint: str
    images_from_audio: bool
    seed: int
    versions: dict[str, str]
    best_epoch: int | None = None
    calibration: Calibration | None = None


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
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    @property
    def tensorboard(self) -> Path:
        return self.folder / "tensorboard"


def create_run(
    name: str | None, settings: Settings, data_fingerprint: str, images_from_audio: bool
) -> Run:
    """Make a new run folder with its settings and its record.

    Args:
        name: of the folder below runs/; None takes the data folder's name and the next free number.
        settings: in effect.
        data_fingerprint: of the images.
        images_from_audio: whether the data folder says how its images were made.

    Raises:
        UserError: a run of that name exists, or the name is not one folder's.
    """
    run = Run(RUNS / name) if name else _next_free(Path(settings.data.folder).resolve().name)
    if run.folder.parent != RUNS or run.name in ("", ".", ".."):
        raise UserError(f"A run's name is a folder's name without a slash. Received: {name!r}.")
    try:
        run.folder.mkdir(parents=True)
    except FileExistsError:
        raise UserError(
            f"A run is trained once. Received: --run {name}, which exists in {run.folder}. "
            "Choose another name, go on with it by --resume, or delete the folder."
        ) from None
    except OSError as error:
        raise UserError(
            f"A run folder must be made. Received: {run.folder}: {error.strerror}."
        ) from None
    with replacing(run.config) as partial:
        write_settings(settings, partial)
    record = RunRecord(
        status="training",
        created=datetime.now(UTC),
        data_fingerprint=data_fingerprint,
        images_from_audio=images_from_audio,
        seed=settings.train.seed,
        versions=installed_versions(),
    )
    write_record(run, record)
    return run


def _next_free(data_name: str) -> Run:
    taken = {path.name for path in RUNS.iterdir()} if is_folder(RUNS) else set()
    names = (f"{data_name}-{number}" for number in itertools.count(1))
    return Run(RUNS / next(name for name in names if name not in taken))


def installed_versions() -> dict[str, str]:
    """Return the versions that a run's result may depend on."""
    installed = ((package.name, package.version) for package in importlib.metadata.distributions())
    packages = {name: version for name, version in sorted(installed) if name in REPORTED_PACKAGES}
    return {"python": platform.python_version(), **packages}


def open_run(name: str | None, resuming: bool = False) -> tuple[Run, RunRecord, Settings]:
    """Find a run and read its record and settings.

    Args:
        name: a folder below runs/, or a path; None takes the newest that can be used.
        resuming: ask for one whose training has not ended, instead of one with a model.

    Raises:
        UserError: there is no such run, it can't be used that way, or its files are damaged.
    """
    if name is None:
        run = _newest(resuming)
    else:
        run = Run(RUNS / name) if is_folder(RUNS / name) else Run(Path(name))
    if not is_file(run.record):
        raise UserError(f"A run folder holds run.json. Received: {run.folder}. {_known_runs()}")
    record = read_record(run)
    if resuming and record.status == "finished":
        raise UserError(
            f"Only a training that has not ended can be resumed. Received: {run.name}, finished."
        )
    if not resuming and record.status == "training":
        raise UserError(
            f"A run must have ended once. Received: {run.name}, which was cut off or is training. "
            f"Go on with: python train.py --resume --run {run.name}"
        )
    return run, record, read_settings(run.config)


def _newest(resuming: bool) -> Run:
    wanted = ("training", "interrupted") if resuming else ("interrupted", "finished")
    runs = [Run(path.parent) for path in RUNS.glob("*/run.json")]
    dated = [
        (record.created, run.name, run)
        for run in runs
        if (record := read_record(run)).status in wanted
    ]
    if not dated:
        if resuming:
            raise UserError(
                "Only a training that was cut off can be resumed. Received: none in runs/."
            )
        raise UserError(
            "A trained run is needed. Received: none in runs/. Make one with: python train.py"
        )
    return max(dated)[2]


def _known_runs() -> str:
    names = sorted(path.parent.name for path in RUNS.glob("*/run.json"))
    return f"There are: {', '.join(names)}." if names else "Make one with: python train.py"


def read_record(run: Run) -> RunRecord:
    """Read `run.json`, or raise a `UserError` that says what is wrong with it."""
    try:
        return RunRecord.model_validate_json(run.record.read_bytes())
    except (OSError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise UserError(
            f"run.json must be as train.py wrote it. Received: {run.record}: {first}. Train again."
        ) from None


def write_record(run: Run, record: RunRecord) -> None:
    """Write `run.json` in one step."""
    write_json(run.record, record.model_dump(mode="json"))


def best_epoch(rows: Sequence[Mapping[str, float]]) -> int:
    """Return the first epoch, counted from 1, with the lowest validation loss."""
    return min(rows, key=lambda row: row["val_loss"])["epoch"]


def read_history(run: Run) -> list[dict[str, float]]:
    """Read `history.csv`: one mapping an epoch."""
    try:
        with run.history.open(newline="") as file:
            return [_read_epoch(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"A run keeps its history. Received: {run.history} ({error}). Train again."
        ) from None


def _read_epoch(row: Mapping[str, str]) -> dict[str, float]:
    return {name: int(text) if name == "epoch" else float(text) for name, text in row.items()}


def write_history(run: Run, rows: Sequence[Mapping[str, float]]) -> None:
    """Write `history.csv` in one step."""
    with replacing(run.history) as partial, open_table(partial) as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
