"""The record of a run: what `run.json` contains."""

from dataclasses import astuple
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from deepfake_audio.config.network_sections import MAX_INPUTS
from deepfake_audio.config.schema import MAX_EPOCHS
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.vocabulary import LABELS

MAX_LEARNT = 1000  # data folders
MAX_NUMBER = 1e30  # scores are below 4e38, and their product must be a number


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a name can be printed")
    return name


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]


class RunRecord(BaseModel):
    """The contents of `run.json`.

    Attributes:
        status: `training` until it ends or is killed; an interrupted run can be used and resumed.
        classes: the class of index 0 and of index 1.
        data_fingerprint: changes with any image, label or split of the data folder.
        images_from_audio: the images were made with the run's audio settings.
        parts: names of the runs that were combined; of no training of its own.
        start: name of the run whose weights the training began with.
        calibration: fitted on the scores of the validation files.
        calibrated_on: the data folder of other files that it was fitted on instead.
        learnt: fingerprints of the other data that its parts, its start or its calibration used.
        settings_fingerprint: of the audio, image and model settings that the weights were made for.
        model_fingerprint: of `model.onnx`, for which the calibration holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    status: Literal["training", "interrupted", "finished"]
    created: AwareDatetime
    classes: tuple[Literal["fake"], Literal["real"]] = LABELS
    data_fingerprint: str
    images_from_audio: bool
    seed: int = Field(ge=0, lt=2**31)
    versions: dict[str, str]
    best_epoch: int | None = Field(default=None, ge=1, le=MAX_EPOCHS)
    parts: list[Name] = Field(default=[], max_length=MAX_INPUTS)
    start: Name | None = None
    calibration: Calibration | None = None
    calibrated_on: Name | None = None
    learnt: list[Name] = Field(default=[], max_length=MAX_LEARNT)
    settings_fingerprint: str | None = None
    model_fingerprint: str | None = None

    @model_validator(mode="after")
    def _an_ended_run_is_complete(self) -> "RunRecord":
        if self.status != "training" and not (self.calibration and (self.best_epoch or self.parts)):
            raise ValueError("a run that has ended has a best_epoch and a calibration")
        if self.calibration and not max(map(abs, numbers_of(self.calibration))) < MAX_NUMBER:
            raise ValueError("a calibration is of numbers that a score can be multiplied with")
        return self


def numbers_of(calibration: Calibration) -> list[float]:
    """Return all numbers of a calibration."""
    line, quality = [calibration.slope, calibration.intercept], calibration.quality
    return line if quality is None else [*line, *np.hstack(astuple(quality)).tolist()]
