"""Format the tables that an evaluation prints."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from deepfake_audio.errors import one_line
from deepfake_audio.evaluation.comparison import Comparison
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.evaluation.summary import ALL_SPLITS, SPLIT_NAMES, Evaluation
from deepfake_audio.models.calibration import decision_threshold
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.vocabulary import LABELS, VERDICTS

SCORE_FIGURES = (
    ("files", "files", ",d"), ("eer", "EER", ".1%"), ("interval", "95% interval", ""),
    ("roc_auc", "ROC-AUC", ".3f"), ("min_dcf", "minDCF", ".3f"), ("act_dcf", "actDCF", ".3f"),
    ("cllr", "Cllr", ".3f"), ("min_cllr", "minCllr", ".3f"),
)  # fmt: skip
VERDICT_FIGURES = (
    ("accuracy", "accuracy", ".1%"), ("balanced_accuracy", "balanced", ".1%"),
    ("precision", "precision", ".1%"), ("recall", "recall", ".1%"), ("f1", "F1", ".1%"),
    ("brier", "Brier", ".3f"), ("ece", "ECE", ".1%"), ("uncertain", "uncertain", ".1%"),
)  # fmt: skip
PLURALS = {
    "attack": "attacks", "codec": "codecs", "corpus": "corpora", "speaker": "speakers",
}  # fmt: skip
COMPARED = (
    ("eer", "EER", ".2%"), ("roc_auc", "ROC-AUC", ".4f"), ("min_dcf", "minDCF", ".4f"),
    ("act_dcf", "actDCF", ".4f"), ("cllr", "Cllr", ".4f"), ("accuracy", "accuracy", ".2%"),
    ("balanced_accuracy", "balanced", ".2%"),
)  # fmt: skip
GROUPS_SHOWN = 20
MIN_SPEAKERS = 5  # with files of both classes, that a mean is printed of
BY_SCORE = "called fake or real, accuracy and the like use only the score"
FEW_SPEAKERS = (
    "fewer than 10 known speakers: the interval is over files or too narrow, not valid for other "
    "voices"
)


def one_class_line(table: ScoreTable, name: str, prior_fake: float) -> str:
    """Describe the verdicts on files of one class, which have no error rate."""
    called_fake = int((table.llr <= decision_threshold(prior_fake)).sum())
    if table.has_verdicts:
        counts = ((word, int((table.verdict == word).sum())) for word in VERDICTS)
        text = ", ".join(f"{count:,} {word}" for word, count in counts if count)
        text = f"{files_of(len(table), name)}, all of them {table.label[0]}: {text}"
    elif len(table) == 1:
        text = f"the only {name} file is {table.label[0]}; it was called {LABELS[not called_fake]}"
    else:
        were = "was" if called_fake == 1 else "were"
        text = f"all {files_of(len(table), name)} are {table.label[0]}; {called_fake:,} of them "
        text += f"{were} called fake"
    return f"{text}. Error rates need both classes."


def files_of(count: int, name: str) -> str:
    """Format the number of files of a split.

    >>> files_of(1200, "test"), files_of(3, "all")
    ('1,200 test files', '3 files')
    """
    return f"{count:,} files" if name == SPLIT_NAMES[ALL_SPLITS] else f"{count:,} {name} files"


def format_evaluation(evaluation: Evaluation) -> str:
    """Return the text that is printed: title, tables, warnings."""
    subject = evaluation.subject
    parts = [one_line(f"{subject.title}{describe_run(subject.record)}, on {subject.origin}")]
    parts += [format_results(evaluation.figures)] if evaluation.figures else []
    parts += [f"Warning: {one_line(warning)}" for warning in subject.warnings]
    return "\n\n".join(parts)


def describe_run(record: RunRecord | None) -> str:
    """Return members or epoch, start and calibration of a run, to follow its name."""
    if record is None:
        return ""
    text = f" of {', '.join(record.parts)}" if record.parts else f", epoch {record.best_epoch}"
    text += f", begun from {record.start}" if record.start else ""
    return text + (f", calibrated on {record.calibrated_on}" if record.calibrated_on else "")


def format_results(figures: Mapping[str, Mapping]) -> str:
    """Format the figures of all splits, and the verdicts and groups of the last."""
    last = list(figures)[-1]
    head = figures[last]
    parts = [format_figures(figures, SCORE_FIGURES), format_figures(figures, VERDICT_FIGURES)]
    if head.get("intervals_over") == "speakers and attacks":
        parts[0] += "\nintervals over speakers and attacks: for other voices and other generators"
    if head["confusion"]:
        parts.append(
            format_counts(SPLIT_NAMES[last], ("called fake", "called real"), head["confusion"])
        )
    if "verdicts" in head:
        verdicts = [head["verdicts"][label] for label in LABELS]
        table = format_counts(
            SPLIT_NAMES[last], verdicts[0], [counts.values() for counts in verdicts]
        )
        parts.append(f"{table}\nverdicts as the table has them; {BY_SCORE}")
    if "min_tdcf_2021" in head:
        costs = ((year, head[f"min_tdcf_{year}"]) for year in (2019, 2021))
        shown = (f"{format_or_dash(cost, '.4f')} ({year})" for year, cost in costs)
        parts.append(f"min t-DCF  {'  '.join(shown)}")
    parts += [
        format_groups(grouping, content, head["eer"])
        for grouping, content in head["groups"].items()
    ]
    lines = [
        f"Warning: {SPLIT_NAMES[s]}: {line}" for s, f in figures.items() for line in f["warnings"]
    ]
    return "\n\n".join([*parts, *(["\n".join(lines)] if lines else [])])


def format_or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def format_figures(figures: Mapping[str, Mapping], columns: Sequence[tuple]) -> str:
    widths = [max(11, len(title) + 4) for _, title, _ in columns]
    titles = (f"{title:>{w}}" for (_, title, _), w in zip(columns, widths, strict=True))
    lines = ["".join([f"{'':10}", *titles])]
    for split, values in figures.items():
        low, high = values["intervals"].get("eer", (np.nan, np.nan))
        values = values | {"interval": "-" if np.isnan(low) else f"{low:.1%}-{high:.1%}"}
        cells = (
            f"{format_or_dash(values[key], form):>{w}}"
            for (key, _, form), w in zip(columns, widths, strict=True)
        )
        lines.append("".join([f"{SPLIT_NAMES[split]:10}", *cells]))
    return "\n".join(lines)


def format_counts(name: str, titles: Iterable[str], counts: Iterable[Iterable[int]]) -> str:
    """Format a table of counts with a row of fake and one of real files."""
    lines = [f"{name + ' files':12}" + "".join(f"{title:>14}" for title in titles)]
    for label, row in zip(LABELS, counts, strict=True):
        lines.append(f"{'is ' + label:12}" + "".join(f"{count:14,}" for count in row))
    return "\n".join(lines)


def format_groups(grouping: str, content: Mapping, pooled: float) -> str:
    """Format a table of groups, hardest first, with the pooled and the mean error rate."""
    rows = rows_to_show(grouping, content)
    shown = rows[:GROUPS_SHOWN]
    intervals = [row_interval(row) for row in shown]
    titles = f"   {'95% interval':14}" if any(intervals) else ""
    head = f"{grouping:24}{'fake files':>12}{'real files':>12}{'EER':>8}{titles}{'found':>8}"
    lines = [head] if rows else []
    for row, interval in zip(shown, intervals, strict=True):
        rate, found = (f"{format_or_dash(row[key], '.1%'):>8}" for key in ("eer", "found"))
        counts = f"{one_line(row['name'])[:23]:24}{row['fake']:12,}{row['real']:12,}"
        lines.append(f"{counts}{rate}{f'   {interval:14}' if titles else ''}{found}")
    left_out = len(rows) - GROUPS_SHOWN
    lines += [f"and {left_out:,} more in metrics.json"] if left_out > 0 else []
    lines += [one_class_groups(grouping, content)] if len(rows) < len(content["groups"]) else []
    if any(row["few_speakers"] for row in shown):
        lines.append(f"* {FEW_SPEAKERS}")
    if has_mean(grouping, content):
        of_all = f"{content['rated']:,} of {len(content['groups']):,}"
        lines.append(
            f"all files pooled: EER {pooled:.1%}; "
            f"mean over {of_all} {PLURALS[grouping]}: {with_interval(content)}"
        )
    return "\n".join(lines)


def rows_to_show(grouping: str, content: Mapping) -> Sequence[Mapping]:
    """Return the groups to list: all groups, but only speakers with an error rate."""
    if grouping != "speaker":
        return content["groups"]
    return [row for row in content["groups"] if row["eer"] is not None]


def one_class_groups(grouping: str, content: Mapping) -> str:
    """Count the groups that `rows_to_show` leaves out."""
    count = f"{len(content['groups']) - content['rated']:,} of {len(content['groups']):,}"
    return f"{count} {PLURALS[grouping]} have files of only one class: no EER; see metrics.json"


def has_mean(grouping: str, content: Mapping) -> bool:
    """Return whether there are enough groups for a mean error rate."""
    return content["rated"] >= (MIN_SPEAKERS if grouping == "speaker" else 1)


def row_interval(content: Mapping) -> str:
    """Format a 95% interval, empty if there is none; a star marks few known speakers."""
    if content["interval"] is None:
        return ""
    low, high = content["interval"]
    return f"{low:.1%}-{high:.1%}{'*' if content['few_speakers'] else ''}"


def with_interval(content: Mapping) -> str:
    """Format the mean error rate of groups and its 95% interval, if any."""
    interval = row_interval(content)
    return f"{content['mean_eer']:.1%}" + (f" ({interval})" if interval else "")


def format_comparison(comparison: Comparison) -> str:
    """Return two systems side by side, and whether chance explains their differences."""
    compared = files_of(comparison.files, SPLIT_NAMES[comparison.split])
    lines = [
        f"{compared}, matched by {comparison.matched}",
        "",
        f"{'':12}{'first':>10}{'second':>10}{'difference':>12}  95% interval of the difference",
    ]
    lines += [
        f"{title:12}{format_difference(comparison.figures[key], form)}"
        for key, title, form in COMPARED
        if key in comparison.figures
    ]
    for warning in comparison.warnings:
        lines += ["", f"Warning: {warning}"]
    return "\n".join(lines)


def format_difference(row: Mapping, form: str) -> str:
    """Return one figure of two systems, its difference, and whether chance explains it."""
    low, high = row["interval"] or (np.nan, np.nan)
    values = (f"{format(row[name], form):>10}" for name in ("ours", "theirs"))
    bounds = f"{low:+{form}} to {high:+{form}}" if row["interval"] else "-"
    if high > low:
        answer = "could be chance" if low <= 0 <= high else "differs"
    else:  # no interval, or of no width
        answer = "equal" if high == row["difference"] == 0 else "unknown"
    difference = format(row["difference"], "+" + form)
    return f"{''.join(values)}{difference:>12}  {bounds:22} {answer}"
