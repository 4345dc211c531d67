"""Write the results of an evaluation: tables, figures, plots and the report."""

from deepfake_audio.config.loading import USE_SECTIONS
from deepfake_audio.evaluation.html_report import write_report
from deepfake_audio.evaluation.result_folder import METRICS, REPORT, RESULTS, SCORES, TRIALS
from deepfake_audio.evaluation.score_table import (
    stack_tables,
    trial_names,
    write_scores,
    write_trials,
)
from deepfake_audio.evaluation.summary import ALL_SPLITS, Evaluation
from deepfake_audio.models.calibration import probability
from deepfake_audio.models.history import read_history
from deepfake_audio.system.atomic_files import write_error, write_json


def write_results(evaluation: Evaluation) -> list[str]:
    """Write all results into the subject's folder, and return the names of the files."""
    # Matplotlib needs a folder for its list of fonts; a script reports an error of its import.
    from deepfake_audio.evaluation import figures as plots

    subject, tables, figures = evaluation.subject, evaluation.tables, evaluation.figures
    output, prior_fake = subject.output, subject.settings.predict.prior_fake
    last = tables[list(tables)[-1]]
    plotted = {}
    if figures:
        plotted = plots.score_plots({split: tables[split] for split in figures}, figures,
                                    prior_fake)  # fmt: skip
        if subject.run and not subject.record.parts:
            history = read_history(subject.run)
            plotted["curves"] = plots.history_plot(history, subject.record.best_epoch)
    names = [SCORES, METRICS, *([TRIALS] if trial_names(last) is not None else [])]
    names = [*([REPORT] if figures else []), *names, *(f"{name}.png" for name in plotted)]
    try:
        for name in RESULTS[RESULTS.index(METRICS) + 1 :]:
            (output / name).unlink(missing_ok=True)  # of an earlier evaluation, which listed them
    except OSError as error:
        raise write_error(output / name, error) from None
    # metrics.json comes first: it lists the files that a later evaluation may replace.
    write_json(output / METRICS, metrics_content(evaluation, names))
    everything = tables[ALL_SPLITS] if ALL_SPLITS in tables else stack_tables(tables.values())
    write_scores(output / SCORES, everything, probability(everything.llr, prior_fake))
    write_trials(output / TRIALS, last)
    pictures = {
        name: plots.write_plot(figure, subject.title, output / f"{name}.png")
        for name, figure in plotted.items()
    }
    if figures:
        write_report(output / REPORT, evaluation, pictures)
    return names


def metrics_content(evaluation: Evaluation, names: list[str]) -> dict:
    """Return the content of metrics.json."""
    subject = evaluation.subject
    settings = {name: getattr(subject.settings, name).model_dump() for name in USE_SECTIONS}
    return {
        "data": subject.origin,
        **subject.inputs,
        "settings": settings,
        "warnings": list(subject.warnings),
        "splits": evaluation.figures,
        "files": names,
    }
