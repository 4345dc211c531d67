"""Write the report of an evaluation: one HTML file that needs no other file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.evaluation.summary import (
    ALL_SPLITS,
    SPLIT_NAMES,
    Evaluation,
    Subject,
    mistakes,
    verdict_masks,
)
from deepfake_audio.evaluation.text_report import (
    BY_SCORE,
    FEW_SPEAKERS,
    SCORE_FIGURES,
    VERDICT_FIGURES,
    format_or_dash,
    has_mean,
    one_class_groups,
    row_interval,
    rows_to_show,
    with_interval,
)
from deepfake_audio.features.image_files import read_image
from deepfake_audio.features.pixel_format import encode_png, picture_url
from deepfake_audio.models.calibration import decision_threshold, probability
from deepfake_audio.models.history import kept_epoch, read_history
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.pages import load_template
from deepfake_audio.vocabulary import LABELS, ImageRecord

TEMPLATE = Path(__file__).resolve().with_name("report.html")
GROUPS_SHOWN = 30
INTERVALS = ("eer", "balanced_accuracy", "roc_auc", "min_dcf", "act_dcf", "cllr")
NO_VERDICTS = (
    "The scores are not calibrated, so no verdict follows from them: the threshold 0 means nothing "
    "for them. Results may be worse for other voices, recordings and generators."
)
NOTES = {
    "attack": "The fake files of each generator against all real files.",
    "codec": "The real and fake files of each codec.",
    "corpus": "The real and fake files of each corpus: recordings of one corpus sound alike.",
    "speaker": "Each speaker's real files against fake files of the same voice.",
}


def write_report(path: Path, evaluation: Evaluation, pictures: Mapping[str, Path]) -> None:
    """Write the report.

    Args:
        path: of the HTML file.
        evaluation: with the figures of at least one split.
        pictures: PNG files by name.
    """
    filters = {"percent": percent, "number": number, "interval": interval}
    template = load_template(TEMPLATE, **filters, row_interval=row_interval)
    page = template.render(report_content(path.parent, evaluation, pictures))
    with atomic_write(path) as partial:
        partial.write_text(page, encoding="utf-8")


def report_content(folder: Path, evaluation: Evaluation, pictures: Mapping[str, Path]) -> dict:
    """Gather the variables of `report.html`, which escapes every text.

    Args:
        folder: of the report, where its links begin.
        evaluation, pictures: see `write_report`.
    """
    subject, tables, figures = evaluation.subject, evaluation.tables, evaluation.figures
    settings, head_name = subject.settings, list(figures)[-1]
    head = figures[head_name]
    return {
        "title": subject.title,
        "subtitle": f"on {subject.origin}",
        "verdict": NO_VERDICTS
        if head["confusion"] is None
        else summary(tables[head_name], SPLIT_NAMES[head_name], settings.predict),
        "head": {"intervals_over": ""}
        | head
        | {"intervals": dict.fromkeys(INTERVALS) | head["intervals"]},
        "head_name": f"{SPLIT_NAMES[head_name]} files",
        "evaluate": settings.evaluate,
        "predict": settings.predict,
        "warnings": [
            *subject.warnings,
            *(f"{SPLIT_NAMES[s]}: {line}" for s, f in figures.items() for line in f["warnings"]),
        ],
        # Test comes first, since that is what a phone shows.
        "splits": [SPLIT_NAMES[split] for split in reversed(figures)],
        "figure_rows": figure_rows(dict(reversed(figures.items()))),
        "few_speakers": FEW_SPEAKERS,
        "verdicts": head.get("verdicts"),
        "by_score": BY_SCORE,
        "groupings": [grouping_content(*grouping) for grouping in head["groups"].items()],
        "mistakes": mistake_pictures(folder, subject, tables[head_name], head_name),
        "training": training_content(subject),
        "pictures": {name: picture_url(path.read_bytes()) for name, path in pictures.items()},
    }


def grouping_content(name: str, content: Mapping) -> dict:
    """Gather the report's table of attacks, codecs, corpora or speakers."""
    rows = rows_to_show(name, content)
    shown = rows[:GROUPS_SHOWN]
    return {
        "name": name,
        "note": NOTES[name],
        "mean": with_interval(content) if has_mean(name, content) else None,
        "any_rated": content["rated"] > 0,
        "rated": f"{content['rated']:,} of {len(content['groups']):,}",
        "rows": shown,
        "intervals": any(row["interval"] for row in shown),
        "few_speakers": any(row["few_speakers"] for row in shown),
        "left_out": len(rows) - len(shown),
        "unrated": one_class_groups(name, content) if len(rows) < len(content["groups"]) else "",
    }


def summary(table: ScoreTable, name: str, predict: PredictSettings) -> str:
    """Describe how often verdicts are wrong if half of the files are fake."""
    unsure, wrong = verdict_masks(table, predict)
    forced = (table.llr > decision_threshold(predict.prior_fake)) != (table.is_real == 1)
    uncertain, called, forced = (
        100 * np.mean([chosen[table.is_real == label].mean() for label in (0, 1)])
        for chosen in (unsure, wrong, forced)
    )
    leave, without = "predict.py would leave", "without UNCERTAIN"
    if table.has_verdicts:
        leave, without = "the table's verdicts leave", "by score only, without UNCERTAIN"
    kind = "" if name == SPLIT_NAMES[ALL_SPLITS] else f"{name} "
    return (
        f"Of a hundred {kind}files, half of them fake, {leave} about {uncertain:.0f} UNCERTAIN and "
        f"give about {called:.0f} the wrong verdict; {without}, {forced:.0f}. Results may be "
        "worse for other voices, recordings and generators."
    )


def figure_rows(figures: Mapping[str, Mapping]) -> list[tuple[str, list[str]]]:
    """Return every figure's name and its value in each split."""
    columns = [column for column in (*SCORE_FIGURES, *VERDICT_FIGURES) if column[2]]
    columns += [(f"min_tdcf_{year}", f"min t-DCF ({year})", ".4f") for year in (2019, 2021)]
    rows = [
        (title, [format_or_dash(values[key], form) for values in figures.values() if key in values])
        for key, title, form in columns
    ]
    return [row for row in rows if row[1]]


def mistake_pictures(folder: Path, subject: Subject, table: ScoreTable, split: str) -> list[dict]:
    """Return the most confident mistakes with their spectrograms; none without images."""
    if not subject.records:
        return []
    settings = subject.settings
    threshold = decision_threshold(settings.predict.prior_fake)
    shown = mistakes(table, threshold, settings.evaluate.mistakes)
    p_real = probability(table.llr[shown], settings.predict.prior_fake)
    records = [subject.records[split][position] for position in shown]
    return [
        {
            "file": table.file[position],
            "link": relative_link(record.path, folder),
            "label": table.label[position],
            "attack": table.attack[position],
            "verdict": LABELS[int(p > 0.5)],
            "confidence": max(p, 1 - p),
            # as the network receives it
            "picture": picture_url(encode_png(read_image(record.path, settings.image))),
        }
        for position, record, p in zip(shown, records, p_real.tolist(), strict=True)
    ]


def relative_link(path: Path, folder: Path) -> str:
    """Return the address of a file for a page in a folder.

    >>> relative_link(Path("data/a b#1.png"), Path("runs/first"))
    '../../data/a%20b%231.png'
    """
    try:
        relative = Path(os.path.relpath(path, folder))
    except ValueError:  # on another drive of Windows
        return path.resolve().as_uri()
    return quote(os.fsencode(relative.as_posix()))


def training_content(subject: Subject) -> dict | None:
    """Gather the facts about the training; None for scores of another system."""
    if subject.run is None:
        return None
    record, settings = subject.record, subject.settings
    if record.parts:
        parts = ", ".join(record.parts)
        text = f"The score is the mean of {parts}; calibrated on {settings.data.folder}."
    else:
        lowest = kept_epoch(read_history(subject.run), "plateau")
        kept = "had the lowest validation loss" if record.best_epoch == lowest else "was the last"
        text = (
            f"Trained on {settings.data.folder} with seed {record.seed}; epoch "
            f"{record.best_epoch} {kept} and was kept."
        )
    return {
        "text": text,
        "data": [
            data_row(split, label, [r for r in records if r.label == label])
            for split, records in subject.records.items()
            if split != ALL_SPLITS
            for label in LABELS
        ],
        "settings": [
            (f"{section}.{name}", value)
            for section, values in settings.model_dump().items()
            for name, value in values.items()
        ],
        "versions": record.versions,
    }


def data_row(split: str, label: str, records: Sequence[ImageRecord]) -> dict:
    """Return how many files, voices and generators a class of a split has."""
    attacks = sorted({record.attack for record in records} - {""})
    return {
        "split": SPLIT_NAMES[split],
        "label": label,
        "files": len(records),
        "speakers": len({record.speaker for record in records} - {""}) or "unknown",
        "attacks": ", ".join(attacks),
    }


def percent(share: float | None) -> str:
    """Format a share; None is a dash.

    >>> percent(0.1234), percent(None)
    ('12.3%', '-')
    """
    return "-" if share is None else f"{share:.1%}"


def number(value: float | None) -> str:
    """Format a number; None is a dash.

    >>> number(0.12345), number(1234), number(None)
    ('0.123', '1,234', '-')
    """
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def interval(bounds: Sequence[float] | None, form: str = ".1%") -> str:
    """Format an interval; None is empty.

    >>> interval((0.1, 0.25)), interval(None)
    ('10.0% to 25.0%', '')
    """
    return f"{bounds[0]:{form}} to {bounds[1]:{form}}" if bounds else ""
