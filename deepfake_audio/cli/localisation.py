"""Judge recordings with known passages, and report how well fake passages are found."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.localisation import (
    Localisation,
    Span,
    format_localisation,
    localisation_figures,
    read_passages,
)
from deepfake_audio.evaluation.result_folder import METRICS, choose_output
from deepfake_audio.inference.passages import most_fake
from deepfake_audio.inference.result import Result
from deepfake_audio.system.atomic_files import write_json
from deepfake_audio.system.regular_files import is_folder
from deepfake_audio.vocabulary import Verdict


def evaluate_passages(name: str, run: str | None, out: str | None, overrides: Sequence[str]) -> int:
    """Judge the recordings of a table of passages; print and write the figures.

    Args:
        name: of the table, or of a folder with `passages.csv`.
        run: see `Detector.load`.
        out: the folder for the results; None for one in the run.

    Returns:
        The exit code.
    """
    path = Path(name)
    truth = read_passages(path)
    folder = path if is_folder(path) else path.parent
    detector = Detector.load(run, overrides, bound_memory=True)
    inputs = {"run": detector.run.name}
    usual = detector.run.folder / f"passages-{folder.absolute().name}"
    output, notice = choose_output(out, usual, path, inputs)
    failures, recordings, places = [], [], {str(folder / file): file for file in truth}
    for result in detector.predict_many(places, on_error=failures.append):
        recordings.append(compare(result, truth[places[result.name]]))
    print_errors([failure.error for failure in failures])
    if not recordings:
        raise InputError(f"no recording of {name} is readable")
    figures = localisation_figures(recordings)
    print_lines(format_localisation(figures))
    settings = {"predict": detector.settings.predict.model_dump()}
    content = {"data": name, **inputs, "settings": settings, "splits": {}, "passages": figures}
    write_json(output / METRICS, content | {"files": [METRICS]})
    if notice:
        print_lines(f"\n{one_line(notice)}")
    print_lines(f"\nWritten to {one_line(output)}: {METRICS}")
    return EXIT_SOME_FAILED if failures else EXIT_OK


def compare(result: Result, truth: Mapping[str, Sequence[Span]]) -> Localisation:
    """Return the true and the detected passages of a judged recording."""
    line = result.timeline()
    if line is None:  # silent
        return Localisation(truth["fake"], truth["real"], [], np.zeros(2), np.full(1, np.nan))
    called = [
        Span(passage.start_seconds, passage.end_seconds)
        for passage in most_fake(line.passages)
        if passage.verdict == Verdict.FAKE
    ]
    return Localisation(truth["fake"], truth["real"], called, line.edges, line.p_fake)
