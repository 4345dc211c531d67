"""Find a run by its name, or the newest, and check that its files belong together."""

import logging
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from deepfake_audio.config.loading import ROOT, load_settings, read_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError, first_names
from deepfake_audio.models.fingerprints import (
    fingerprint_model,
    fingerprint_run,
    fingerprint_settings,
)
from deepfake_audio.models.onnx_session import read_checked
from deepfake_audio.models.record_files import read_record
from deepfake_audio.models.run_folder import PRETRAINED, RUNS, Run
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system.regular_files import is_file, is_folder, is_of_network

LOGGER = logging.getLogger(__name__)
PRETRAINED_NAME = "models/pretrained"
SAMPLE = ROOT / "data" / "sample"
FINGERPRINT = re.compile("[0-9a-f]{8,64}")  # the first digits are enough
MAX_NAMED_RUNS = 10  # in a message


class OpenedRun(NamedTuple):
    """A run with its record and its settings."""

    run: Run
    record: RunRecord
    settings: Settings

    def data_folder(
        self, remedy: str = "map it to a drive letter, and write that path into the file"
    ) -> Path:
        """Return the data folder that the run names; see `is_of_network`.

        Args:
            remedy: for the error.

        Raises:
            InputError: it is on another machine.
        """
        folder = self.settings.data.folder
        if is_of_network(folder):
            raise InputError(
                f"{self.run.config} names data on another machine, {folder}; if you trust it, "
                f"{remedy}"
            )
        return Path(folder)


def open_run(
    name: str | None,
    resuming: bool = False,
    overrides: Sequence[str] = (),
    or_pretrained: bool = False,
    bound_memory: bool = True,
) -> OpenedRun:
    """Find a run and read its record and settings.

    Args:
        name: a folder below runs/, a path, or a fingerprint; None takes the newest, and warns of
            damaged ones.
        resuming: look for a run whose training has not ended, instead of one with a model.
        overrides: texts such as `"predict.prior_fake=0.1"`, over the run's own settings.
        or_pretrained: use the shipped run if runs/ has none that can be used, or only runs that
            were trained on the sample: these are for trying out, and chosen only by name.
        bound_memory: bound the memory of this process while the model of an older run, which has no
            fingerprint, is parsed.

    Raises:
        InputError: no such run, a run that cannot be used in this way, or damaged files.
    """
    if name is not None:
        return _open(find_run(name), resuming, overrides, bound_memory)
    for run in _newest_first(resuming):
        try:
            opened = _open(run, resuming, bound_memory=bound_memory)
        except InputError as error:
            _warn_of_damage(run, error)
        else:
            if or_pretrained and is_trained_on_sample(opened.settings):
                continue
            if overrides:
                return opened._replace(settings=read_settings(run.config, overrides))
            return opened
    if or_pretrained:
        return _open(Run(PRETRAINED), resuming, overrides, bound_memory)
    if resuming:
        raise InputError("runs/ has no interrupted training; start one with: python train.py")
    raise InputError("runs/ has no trained run; make one with: python train.py")


def find_run(name: str) -> Run:
    """Return the run of a name, a path or a fingerprint; of one that does not exist the path."""
    # The last two are the shipped run; "pretrained" is its name in results.
    places = (RUNS / name, Path(name), ROOT / name, PRETRAINED.parent / name)
    found = next(filter(is_folder, places), None)
    if found is None and FINGERPRINT.fullmatch(name):
        return next(filter(partial(_has_fingerprint, name), _all_runs()), Run(Path(name)))
    return Run(found or Path(name))


def _all_runs() -> list[Run]:
    return [*_newest_first(resuming=False), Run(PRETRAINED)]


def _has_fingerprint(digits: str, run: Run) -> bool:
    """Return whether a run's fingerprint begins with some digits."""
    try:
        return fingerprint_run(run, read_record(run), load_settings().limits).startswith(digits)
    except InputError:  # a damaged run was named by a warning
        return False


def is_trained_on_sample(settings: Settings) -> bool:
    """Return whether the data folder of a run is the shipped sample."""
    folder = settings.data.folder
    return not is_of_network(folder) and Path(folder).resolve() == SAMPLE.resolve()


def _open(
    run: Run, resuming: bool, overrides: Sequence[str] = (), bound_memory: bool = True
) -> OpenedRun:
    """Read a run's record and settings, as `open_run`."""
    if not is_file(run.record):
        raise InputError(f"no run in {run.folder}: run.json is missing; {_known_runs()}")
    record = read_record(run)
    if resuming and record.status == "finished":
        raise InputError(f"cannot resume {run.name}: its training is finished; start a new run")
    if record.parts and record.status == "training":
        raise InputError(
            f"{run.folder} is incomplete: combine.py was interrupted; remove it, and combine again"
        )
    if not resuming and record.status == "training":
        raise InputError(
            f"{run.name} has no model yet: it is training or was interrupted; continue with: "
            f"python train.py --resume --run {run.name}"
        )
    settings = read_settings(run.config, overrides)
    _check_parts(run, record, settings, not resuming, bound_memory)
    return OpenedRun(run, record, settings)


def _check_parts(
    run: Run, record: RunRecord, settings: Settings, with_model: bool, bound_memory: bool
) -> None:
    """Raise an `InputError` if the files of a run folder come from different runs."""
    if with_model and not record.model_fingerprint:
        read_checked(run.onnx_model, settings.limits, bound_memory)
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
    for run in _all_runs():
        try:
            if read_settings(run.config).image.channels in channels:
                found.append(PRETRAINED_NAME if run.folder == PRETRAINED else run.name)
        except InputError:  # a damaged run can't be recommended
            continue
    return found


def _warn_of_damage(run: Run, error: InputError) -> None:
    LOGGER.warning("skipped the run %s: %s, or delete the folder", run.folder, error)


def _known_runs() -> str:
    shown = first_names(_names(), MAX_NAMED_RUNS)
    return f"runs are: {shown}" if shown else "make one with: python train.py"


def _names() -> list[str]:
    try:
        folders = filter(is_folder, RUNS.glob("[!.]*"))
        runs = (f for f in folders if os.path.lexists(f / "run.json") or not os.access(f, os.X_OK))
        return sorted(run.name for run in runs)
    except OSError as error:
        raise InputError(f"cannot read runs/: {error.strerror}; check its permissions") from None
