"""Measure a trained run: error rates, curves, and pictures of both.

    python evaluate.py                     the newest run, on the images that it was made with
    python evaluate.py --run first         runs/first
    python evaluate.py --data data/mine    on other images

Prints accuracy, precision, recall and F1 of finding fakes, ROC-AUC and the equal error rate (EER)
for training, validation and test images, and by generator. Where several images come from one
recording, their scores are averaged and they count once. Writes into the run folder:

    metrics.json    every figure           scores.csv       the score of each file
    curves.png      loss and accuracy      roc.png          confusion.png
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from deepfake_audio import metrics, plots, runs, scoring
from deepfake_audio.arguments import Parser
from deepfake_audio.config import Settings
from deepfake_audio.dataset import (
    LABELS,
    SPLITS,
    ImageRecord,
    check_classes,
    check_images,
    read_records,
    speaker_warnings,
)
from deepfake_audio.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, report, script
from deepfake_audio.files import open_table, replacing, write_json
from deepfake_audio.scoring import Calibration, FileScores

NAMES = {"train": "training", "val": "validation", "test": "test"}
FIGURES = (
    ("files", "files", ",d"), ("accuracy", "accuracy", ".1%"), ("precision", "precision", ".1%"),
    ("recall", "recall", ".1%"), ("f1", "F1", ".1%"), ("roc_auc", "ROC-AUC", ".3f"),
    ("eer", "EER", ".1%"),
)  # fmt: skip
PICTURE_DPI = 150


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    run, record, settings = runs.open_run(args.run)
    folder = Path(args.data or settings.data.folder)
    data = check_images(read_records(folder), settings.image)
    for message in data.unreadable:
        report(message)
    if not data.records:
        raise UserError(f"At least one image must be readable. Received: none in {folder}.")
    splits = [split for split in SPLITS if any(r.split == split for r in data.records)]
    check_classes(data.records, splits, folder)
    for warning in speaker_warnings(data.records):
        print(warning, file=sys.stderr)
    if args.data is None and data.fingerprint != record.data_fingerprint:
        print(f"Note: {folder} has changed since {run.name} was trained.", file=sys.stderr)

    files = score_splits(run, settings, data.records, splits)
    figures = {
        split: metrics.classification_report(
            files[split].is_real,
            files[split].scores,
            record.calibration.log_odds(files[split].scores) > 0,
        )
        for split in splits
    }
    last = splits[-1]
    generators = by_generator(files[last])

    output = run.folder if args.data is None else run.folder / f"on-{folder.resolve().name}"
    print(f"Run {run.name}, epoch {record.best_epoch}, on {folder}\n\n{format_figures(figures)}")
    print(f"\n{format_confusion(figures[last]['confusion'], NAMES[last])}")
    if generators:
        print(f"\n{format_generators(generators, NAMES[last])}")
    write_json(
        output / "metrics.json",
        {"data": str(folder), "splits": figures, "generators": {"split": last, "eer": generators}},
    )
    write_scores(output / "scores.csv", files, record.calibration)
    draw_pictures(run, output, files, figures, record.best_epoch)
    print(f"\nWritten to {output}: metrics.json, scores.csv, curves.png, roc.png, confusion.png")
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="evaluate.py", description=__doc__)
    parser.add_argument(
        "--run", metavar="NAME", help="a folder below runs/, or a path (default: the newest run)"
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="a data folder (default: the one that the run was trained on)",
    )
    return parser.parse_args(argv)


def score_splits(
    run: runs.Run, settings: Settings, records: Sequence[ImageRecord], splits: Sequence[str]
) -> dict[str, FileScores]:
    """Score each split's files with the run's exported model."""
    model = scoring.load_model(run.onnx_model, settings.score.threads)
    return {
        split: scoring.score_files(
            model,
            [r for r in records if r.split == split],
            settings.image,
            settings.score.batch_size,
        )
        for split in splits
    }


def by_generator(files: FileScores) -> dict[str, dict[str, float]]:
    """Return files and EER of each generator's fakes against all real files, hardest first."""
    attacks = np.array([record.attack for record in files.records])
    rates = {}
    for attack in sorted(set(attacks[files.is_real == 0]) - {""}):
        chosen = (files.is_real == 1) | (attacks == attack)
        eer = metrics.equal_error_rate(files.is_real[chosen], files.scores[chosen])
        rates[attack] = {"files": int((attacks == attack).sum()), "eer": eer.rate}
    return dict(sorted(rates.items(), key=lambda item: -item[1]["eer"]))


def format_figures(figures: Mapping[str, Mapping]) -> str:
    lines = ["".join([f"{'':12}", *(f"{title:>11}" for _, title, _ in FIGURES)])]
    for split, report_of_split in figures.items():
        cells = (f"{format(report_of_split[key], form):>11}" for key, _, form in FIGURES)
        lines.append("".join([f"{NAMES[split]:12}", *cells]))
    return "\n".join(lines)


def format_confusion(confusion: Sequence[Sequence[int]], name: str) -> str:
    lines = [f"{name + ' files':12}{'called fake':>14}{'called real':>14}"]
    lines += [
        f"{'is ' + label:12}{row[0]:14,}{row[1]:14,}"
        for label, row in zip(LABELS, confusion, strict=True)
    ]
    return "\n".join(lines)


def format_generators(generators: Mapping[str, Mapping[str, float]], name: str) -> str:
    lines = [
        f"{'generator':24}{'fakes':>8}{'EER':>8}   its {name} fakes against all real {name} files"
    ]
    lines += [
        f"{attack:24}{row['files']:8,}{row['eer']:8.1%}" for attack, row in generators.items()
    ]
    return "\n".join(lines)


def write_scores(path: Path, files: Mapping[str, FileScores], calibration: Calibration) -> None:
    """Write one row a file: where it comes from, its score, and what the verdict rests on."""
    with replacing(path) as partial, open_table(partial) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "split", "label", "speaker", "attack", "score", "p_real"))
        for split, scored in files.items():
            probabilities = calibration.probability_real(scored.scores)
            for record, score, p_real in zip(
                scored.records, scored.scores, probabilities, strict=True
            ):
                name = record.audio or record.image
                writer.writerow(
                    (
                        name,
                        split,
                        record.label,
                        record.speaker,
                        record.attack,
                        f"{score:.6f}",
                        f"{p_real:.6f}",
                    )
                )


def draw_pictures(
    run: runs.Run,
    output: Path,
    files: Mapping[str, FileScores],
    figures: Mapping[str, Mapping],
    best_epoch: int,
) -> None:
    """Draw learning curves, ROC curves and the confusion matrix of the last split."""
    history = runs.read_history(run)
    epochs = [int(row["epoch"]) for row in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for ax, quantity in ((left, "loss"), (right, "accuracy")):
        training, validation = (
            [row[prefix + quantity] for row in history] for prefix in ("", "val_")
        )
        plots.plot_history(ax, epochs, training, validation, best_epoch).set_ylabel(quantity)
    save_picture(
        figure, f"Run {run.name}: loss and accuracy over the epochs", output / "curves.png"
    )

    figure, ax = plt.subplots(figsize=(5.6, 5.6), layout="constrained")
    curves = [
        (NAMES[split], *metrics.roc(scored.is_real, scored.scores)[:2], figures[split]["eer"])
        for split, scored in files.items()
    ]
    plots.plot_roc(ax, curves)
    save_picture(figure, f"Run {run.name}: ROC", output / "roc.png")

    last = list(files)[-1]
    figure, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
    plots.plot_confusion(ax, figures[last]["confusion"], LABELS)
    save_picture(
        figure,
        f"Run {run.name}: {figures[last]['files']:,} {NAMES[last]} files",
        output / "confusion.png",
    )


def save_picture(figure: plt.Figure, title: str, path: Path) -> None:
    figure.suptitle(title, parse_math=False)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=PICTURE_DPI)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
