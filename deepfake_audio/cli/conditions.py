"""Calibrate a run to recordings in many conditions, and print the error rates of each."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from tqdm import tqdm

from deepfake_audio.audio.conditions import CONDITIONS
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED
from deepfake_audio.conditions.fitting import (
    ALL_WINDOWS,
    HEADER,
    clips_to_learn_from,
    fit_quality,
    format_condition,
    score_conditions,
)
from deepfake_audio.conditions.images import images_in_conditions
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.manifest import data_folder
from deepfake_audio.errors import one_line
from deepfake_audio.models import run_creation
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_record import RunRecord

IMAGES = 100  # whose activations give the ranges of the integers


def fit_recordings(
    folder: Path, name: str | None, run: Run, record: RunRecord, settings: Settings, int8: bool
) -> int:
    """Fit a calibration that knows the quality of recordings, and print it by condition.

    With `int8` the new run computes in integers of 8 bits. Return the exit code.
    """
    errors = []
    clips = clips_to_learn_from(folder)
    total = len(clips) * len(CONDITIONS)
    progress = partial(tqdm, total=total, desc="Judging", unit=" files")
    judging = nullcontext(run)
    if int8:
        images = images_in_conditions(clips, settings, IMAGES)
        judging = run_creation.quantized_run(run, record, images)
    with judging as run:
        conditions = score_conditions(clips, run, CONDITIONS, ALL_WINDOWS, errors.append, progress)
        print_errors(errors)
        calibration = fit_quality(conditions)
        new = run_creation.recalibrated_run(
            run, record, calibration, data_folder(folder), name, record.learnt
        )
    print_lines(f"{len(clips):,} files of {one_line(folder)}\n")
    print_lines(HEADER)
    for condition, files in conditions.items():
        least = settings.predict.min_confidence
        print_lines(format_condition(condition, files, calibration, least))
    print_lines("\n" + one_line(f"Kept in {new.folder}."))
    return EXIT_SOME_FAILED if errors else EXIT_OK
