"""Measure a trained run, or any scores: error rates with intervals, and a report to read.

    python evaluate.py                          the newest run, on the images it was made with
    python evaluate.py --run first              runs/first
    python evaluate.py --data data/mine         on other images: a folder, or a manifest.csv
    python evaluate.py --scores S --keys K      another system's scores: docs/evaluating.md
    python evaluate.py --scores S --keys K --missing 0             files without a score count as 0
    python evaluate.py --scores S --keys K --asv A                 with t-DCF
    python evaluate.py --compare runs/first runs/second            is one better, or is it noise?
    python evaluate.py predict.prior_fake=0.1 evaluate.bootstrap=0     settings for this time

Scores of one recording's windows are averaged, and it counts once. Intervals hold 95% of samples
drawn over the speakers, or over the files where nobody knows them. The equal error rate (EER) is
taken at the nearest point, equal scores together. Images that the run was not trained on count
together too, as all, whatever their splits. Writes into the run folder, or to evaluations/,
or where --out says; a folder that has the results of other files is left alone, and the next gets
a number:

    report.html     everything, to read    metrics.json     every figure
    scores.csv      the score of each file trials.txt       the last split's, as ASVspoof has them
    curves.png, roc.png, det.png, scores.png, reliability.png, confusion.png
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfake_audio.cli.arguments import Parser, add_settings_arguments
from deepfake_audio.cli.messages import print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.loading import USE_SECTIONS, load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.manifest import (
    DATA_REMEDY,
    DataCheck,
    check_images,
    data_folder,
    read_origin,
    read_records,
)
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.evaluation import metrics
from deepfake_audio.evaluation.html_report import report_content, write_report
from deepfake_audio.evaluation.result_folder import (
    METRICS,
    REPORT,
    RESULTS,
    SCORES,
    TRIALS,
    check_results,
    choose_output,
    place_of,
    read_metrics,
)
from deepfake_audio.evaluation.score_formats import (
    NAMED,
    ScoreTable,
    join_tables,
    make_table,
    read_asv_scores,
    read_filled_scores,
    read_scores,
    trial_names,
    write_scores,
    write_trials,
)
from deepfake_audio.evaluation.summary import (
    Subject,
    compare_tables,
    data_warnings,
    evaluate_scores,
)
from deepfake_audio.evaluation.text_report import (
    ALL,
    NAMES,
    files_of,
    format_comparison,
    format_results,
    one_class_line,
)
from deepfake_audio.models import onnx_session, run_folder
from deepfake_audio.models.calibration import Calibration, probability
from deepfake_audio.models.compatibility import feature_mismatch, unfiltered_warnings
from deepfake_audio.models.history import read_history
from deepfake_audio.system.atomic_files import is_file, write_json
from deepfake_audio.system.csv_files import to_number
from deepfake_audio.vocabulary import LABELS, SPLITS, UNKNOWN_SPLIT, ImageRecord

EVALUATIONS = Path("evaluations")
KNOWN = ("split", "label", "speaker", "attack", "codec", "corpus")


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.compare:
        return compare(*args.compare, args.settings)
    if args.scores:
        return evaluate_score_file(args)
    return evaluate_run(args)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="evaluate.py", description=__doc__)
    add_settings_arguments(parser, help="settings of predict, evaluate and score")
    parser.add_argument(
        "--run",
        metavar="NAME",
        help="a folder below runs/, or a path (default: the newest run; with --data, or else "
        "models/pretrained)",
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="other images (default: those that the run was made with)"
    )
    parser.add_argument("--scores", metavar="FILE", help="scores of any system, instead of a run")
    parser.add_argument("--keys", metavar="FILE", help="what the scored files are")
    parser.add_argument("--subset", help="of ASVspoof 2021's keys: eval, progress, hidden or all")
    parser.add_argument(
        "--missing", metavar="SCORE", type=to_number, help="of files without one (default: refused)"
    )
    parser.add_argument("--asv", metavar="FILE", help="speaker verification scores, for t-DCF")
    parser.add_argument(
        "--out", metavar="FOLDER", help="of the results (default: in the run, or evaluations/)"
    )
    parser.add_argument(
        "--compare", nargs=2, metavar="RUN", help="two evaluated runs, or two scores.csv"
    )
    args = parser.parse_intermixed_args(argv)
    for option in ("keys", "subset", "asv", "missing"):
        if getattr(args, option) is not None and not args.scores:
            raise InputError(f"--{option} goes with --scores. Received: no --scores.")
    if not math.isfinite(args.missing or 0):
        raise InputError(f"A score is a finite number. Received: --missing {args.missing}.")
    if args.out and args.compare:
        raise InputError(
            "--out is for results that are written. Received: --compare, which prints."
        )
    if sum(map(bool, (args.scores, args.compare, args.run or args.data))) > 1:
        raise InputError(
            "A run, a score file or a comparison is evaluated at a time. Received: several."
        )
    return args


def evaluate_run(args: argparse.Namespace) -> int:
    """Score a run's images, or others, and write everything into the run folder."""
    elsewhere = args.data is not None  # what the shipped model was trained on is not shipped
    run, record, settings = run_folder.open_run(
        args.run, False, args.settings, or_pretrained=elsewhere
    )
    origin = Path(args.data or settings.data.folder)
    doubts = feature_mismatch(origin, settings, run)
    inputs, output, stays = {"run": run.name}, run.folder, ""
    if elsewhere or args.out:
        usual = run.folder / f"on-{data_folder(origin).name}"
        output, stays = choose_output(args.out, usual, origin, inputs)
    check_results(output, inputs | {"data": str(origin)})
    data = check_images(read_records(origin, DATA_REMEDY), settings.image)
    print_errors(data.unreadable)
    if not data.records:
        raise InputError(f"At least one image must be readable. Received: none in {origin}.")
    files = score_splits(run, settings, data.records)
    unseen = elsewhere and not was_learnt_from(origin, data, record, settings)
    if unseen and len(files) > 1:
        files[ALL] = pool_splits(files)
    doubts += gap_lines(origin) + unfiltered_warnings(origin, settings)
    tables = {split: score_table(f, record.calibration) for split, f in files.items()}
    subject = Subject(
        title=f"Run {run.name}",
        origin=str(origin),
        output=output,
        stays=stays,
        settings=settings,
        run=run,
        record=record,
        records={split: f.records for split, f in files.items()},
        inputs=inputs,
        warnings=[*doubts, *data_warnings(run, record, settings, data, elsewhere, unseen)],
    )
    evaluate_tables(subject, tables)
    return EXIT_SOME_FAILED if data.unreadable else EXIT_OK


def evaluate_score_file(args: argparse.Namespace) -> int:
    """Evaluate scores that some system gave, and write everything to evaluations/."""
    path = Path(args.scores)
    # The keys name their subsets: a slash in one must not lead out of the folder.
    name = f"{path.stem}-{args.subset}".replace("/", "_") if args.subset else path.stem
    inputs = {"keys": args.keys, "subset": args.subset, "asv": args.asv}
    output, stays = choose_output(args.out, EVALUATIONS / name, path, inputs)
    check_results(output, inputs | {"data": str(path)})
    keys = args.keys and Path(args.keys)
    table, without = read_filled_scores(path, keys, args.subset, args.missing)
    inputs["missing"] = {"score": args.missing, "files": len(without)}
    asv = None
    if args.asv:
        scores = read_asv_scores(Path(args.asv))
        asv = metrics.asv_error_rates(scores["target"], scores["nontarget"], scores["spoof"])
    settings = load_settings(None, args.settings)
    warnings = [missing_line(without, len(table), args.missing)] if without else []
    subject = Subject(
        title=f"Scores {name}",
        origin=str(path),
        output=output,
        stays=stays,
        settings=settings,
        asv=asv,
        inputs=inputs,
        warnings=warnings,
    )
    splits = [split for split in SPLITS if (table.split == split).any()]
    evaluate_tables(subject, {split: table.where(table.split == split) for split in splits})
    return EXIT_OK


def missing_line(without: Sequence[str], files: int, score: float) -> str:
    """Say which files have no score, and what they count as."""
    shown = ", ".join(map(one_line, without[:NAMED])) + (", ..." if len(without) > NAMED else "")
    return (
        f"{len(without):,} of {files:,} files have no score and count with {score:g} (--missing): "
        f"{shown}"
    )


def gap_lines(data: Path) -> list[str]:
    """Say which splits lack files that their corpus lists."""
    origin, names = read_origin(data), NAMES | {UNKNOWN_SPLIT: "unsplit"}
    return [
        f"Missing: {count.missing:,} of {pluralize(count.listed, f'listed {names[split]} file')}; "
        f"broken or silent: {count.unusable:,}. Nobody knows how they would be judged."
        for split, count in (origin.counts if origin else {}).items()
        if count.missing + count.unusable
    ]


def score_splits(
    run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord]
) -> dict[str, onnx_session.FileScores]:
    """Score the files of each split that has any with the run's exported model."""
    model = onnx_session.load_model(run.onnx_model, settings.score.threads, settings.limits)
    by_split = {split: [r for r in records if r.split == split] for split in SPLITS}
    return {
        split: onnx_session.score_files(model, chosen, settings.image, settings.score.batch_size)
        for split, chosen in by_split.items()
        if chosen
    }


def was_learnt_from(
    origin: Path, data: DataCheck, record: run_folder.RunRecord, settings: Settings
) -> bool:
    """Return whether a run was trained, or calibrated, on images of this folder."""
    return data.fingerprint in run_folder.known_data(record) or (
        place_of(str(origin)) == place_of(settings.data.folder)
    )


def pool_splits(files: Mapping[str, onnx_session.FileScores]) -> onnx_session.FileScores:
    """Return the files of all splits together."""
    records = [record for split in files.values() for record in split.records]
    return onnx_session.FileScores(records, np.concatenate([f.scores for f in files.values()]))


def score_table(files: onnx_session.FileScores, calibration: Calibration) -> ScoreTable:
    """Return a split's scores as a table; where files share a recording, images name them."""
    recordings = Counter(record.audio for record in files.records)
    llr = calibration.llr(files.scores)
    return make_table(
        {
            **{name: getattr(record, name) for name in KNOWN},
            "file": record.audio
            if record.audio and recordings[record.audio] == 1
            else record.image,
            "score": score,
            "llr": ratio,
        }
        for record, score, ratio in zip(files.records, files.scores, llr, strict=True)
    )


def evaluate_tables(subject: Subject, tables: Mapping[str, ScoreTable]) -> None:
    """Print the figures of each split and write every result."""
    settings = subject.settings
    both = {split: t for split, t in tables.items() if len(set(t.label.tolist())) == len(LABELS)}
    figures = {
        split: evaluate_scores(table, settings.evaluate, settings.predict, subject.asv)
        for split, table in both.items()
    }
    print_lines(one_line(f"{subject.title}{made_of(subject.record)}, on {subject.origin}"))
    if figures:
        print_lines(f"\n{format_results(figures)}")
    single = [
        one_class_line(table, NAMES[split], settings.predict.prior_fake)
        for split, table in tables.items()
        if split not in both
    ]
    subject = replace(subject, warnings=[*subject.warnings, *single])
    for warning in subject.warnings:
        print_lines(f"\nWarning: {one_line(warning)}")
    written = write_results(subject, tables, figures)
    if subject.stays:
        print_lines(f"\n{one_line(subject.stays)}")
    print_lines(f"\nWritten to {one_line(subject.output)}: {', '.join(written)}")


def made_of(record: run_folder.RunRecord | None) -> str:
    """Return what of a run is evaluated, to follow its title."""
    if record is None:
        return ""
    made = f" of {', '.join(record.parts)}" if record.parts else f", epoch {record.best_epoch}"
    made += f", begun from {record.start}" if record.start else ""
    return made + (f", calibrated on {record.calibrated_on}" if record.calibrated_on else "")


def write_results(
    subject: Subject, tables: Mapping[str, ScoreTable], figures: Mapping[str, Mapping]
) -> list[str]:
    """Write tables, pictures and report; return the names of the files."""
    # It looks for a folder for Matplotlib's list of fonts, and `script` reports if there is none.
    from deepfake_audio.evaluation.figures import (
        save_history_figure,
        save_picture,
        save_score_figures,
    )

    output, prior_fake = subject.output, subject.settings.predict.prior_fake
    everything = tables[ALL] if ALL in tables else join_tables(tables.values())
    p_real = probability(everything.llr, prior_fake)
    last = list(tables)[-1]
    drawn = {}
    if figures:
        drawn = save_score_figures({split: tables[split] for split in figures}, figures, prior_fake)
        if subject.run and not subject.record.parts:
            history = read_history(subject.run)
            drawn["curves"] = save_history_figure(history, subject.record.best_epoch)
    written = [SCORES, METRICS, *([TRIALS] if trial_names(tables[last]) else [])]
    written = [*([REPORT] if figures else []), *written, *(f"{name}.png" for name in drawn)]
    for name in RESULTS[RESULTS.index(METRICS) + 1 :]:
        (output / name).unlink(missing_ok=True)  # of an evaluation before, which listed them
    settings = {name: getattr(subject.settings, name).model_dump() for name in USE_SECTIONS}
    content = {"data": subject.origin, **subject.inputs, "settings": settings}
    content |= {"warnings": list(subject.warnings), "splits": figures, "files": written}
    write_json(output / METRICS, content)  # first: it says that the others may be replaced
    write_scores(output / SCORES, everything, p_real)
    write_trials(output / TRIALS, tables[last])
    pictures = {name: save_picture(figure, subject.title, output / f"{name}.png")
                for name, figure in drawn.items()}  # fmt: skip
    if figures:
        write_report(output / REPORT, **report_content(subject, tables, figures, pictures))
    return written


def compare(ours: str, theirs: str, overrides: Sequence[str]) -> int:
    """Print the figures of two systems on the same test files, and whether they differ."""
    tables, settings = zip(*(evaluated_scores(name, overrides) for name in (ours, theirs)),
                           strict=True)  # fmt: skip
    if settings[0].predict.prior_fake != settings[1].predict.prior_fake:
        raise InputError(
            "Systems are compared with one prior. Received: runs with two. "
            "Choose one: predict.prior_fake=0.5"
        )
    result, doubt, matched = compare_tables(*tables, settings[0].evaluate, settings[0].predict)
    split = ALL if len(set(tables[0].split.tolist())) > 1 else tables[0].split[0]
    print_lines(f"{files_of(len(tables[0]), NAMES[split])}, matched by {matched}\n")
    print_lines(format_comparison(result))
    if doubt:
        print_lines(f"\nWarning: {doubt}")
    return EXIT_OK


def evaluated_scores(name: str, overrides: Sequence[str]) -> tuple[ScoreTable, Settings]:
    """Return what counts of a run's scores.csv, or of a file like it, and the settings.

    That is the last split, or all of them where they were evaluated together.
    """
    path, settings = Path(name), load_settings(None, overrides)
    if is_file(path / SCORES) and not is_file(path / "run.json"):  # an evaluation without a run
        path /= SCORES
    if not is_file(path):
        run, _, settings = run_folder.open_run(name, overrides=overrides)
        path = run.folder / SCORES
        if not is_file(path):
            raise InputError(
                f"A run is compared by its scores. Received: {run.name}, without {SCORES}. "
                f"Make it with: python evaluate.py --run {run.name}"
            )
    table = read_scores(path, None, None)
    evaluated = read_metrics(path.parent).get("splits") if path.name == SCORES else None
    if isinstance(evaluated, dict) and ALL in evaluated:
        return table, settings
    last = next(split for split in reversed(SPLITS) if (table.split == split).any())
    return table.where(table.split == last), settings


if __name__ == "__main__":
    sys.exit(main())
