"""Evaluate a run on images, or a file of scores that any system gave."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.dataset.checks import FEW_FILES, DataCheck, check_images, speaker_warnings
from deepfake_audio.dataset.manifest import (
    DATA_REMEDY,
    data_folder,
    is_condition_copy,
    is_data,
    left_out_warnings,
    read_records,
)
from deepfake_audio.dataset.provenance import read_origin
from deepfake_audio.errors import InputError, first_names, one_line, pluralize
from deepfake_audio.evaluation.detection_costs import asv_error_rates
from deepfake_audio.evaluation.result_folder import canonical_path, check_results, choose_output
from deepfake_audio.evaluation.score_matching import MAX_NAMED_FILES, read_filled_scores
from deepfake_audio.evaluation.score_reading import read_asv_scores
from deepfake_audio.evaluation.score_table import ScoreTable, make_table
from deepfake_audio.evaluation.summary import (
    ALL_SPLITS,
    SPLIT_NAMES,
    Evaluation,
    Subject,
    evaluate_scores,
)
from deepfake_audio.evaluation.text_report import one_class_line
from deepfake_audio.models import onnx_session, record_files, run_folder, run_search
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.compatibility import feature_mismatch, unfiltered_warnings
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.vocabulary import LABELS, SPLITS, UNKNOWN_SPLIT, ImageRecord

EVALUATIONS = Path("evaluations")
COPIES = "copies of training files in recording conditions"
RECORD_COLUMNS = ("split", "label", "speaker", "attack", "codec", "corpus")


def open_run_images(
    name: str | None, data: str | None, out: str | None, overrides: Sequence[str]
) -> tuple[Subject, DataCheck]:
    """Open a run, choose the folder of its results, and check the images.

    Args:
        name: of the run; None for the newest, or, with `data`, else the shipped model.
        data: a folder or a manifest; None for the images that the run was made with.
        out: the folder for the results; None for the run's own.
        overrides: settings as `section.key=value`.

    Returns:
        The run with its data, not evaluated yet, and the readable images with errors about others.

    Raises:
        InputError: the run or the data cannot be used, or a result would replace another file.
    """
    other_data = data is not None  # the training data of the shipped model is not shipped
    opened = run_search.open_run(name, False, overrides, or_pretrained=other_data)
    run, record, settings = opened
    origin = Path(data) if data else opened.data_folder("name it with --data")
    warnings = [*feature_mismatch(origin, settings, run), *left_out_warnings(origin)]
    inputs, output, notice = {"run": run.name}, run.folder, ""
    if other_data or out:
        usual = run.folder / f"on-{data_folder(origin).name}"
        output, notice = choose_output(out, usual, origin, inputs)
    else:
        check_results(output, inputs | {"data": str(origin)})
    subject = Subject(
        title=f"Run {run.name}", origin=str(origin), output=output, settings=settings,
        notice=notice, run=run, record=record, other_data=other_data, inputs=inputs,
        warnings=warnings,
    )  # fmt: skip
    return subject, check_images(read_records(origin, DATA_REMEDY), settings.image)


def evaluate_run(subject: Subject, data: DataCheck) -> Evaluation:
    """Score the images of a run and compute all figures.

    Copies of training files in recording conditions are left out: they are no further files.

    Args:
        subject, data: as `open_run_images` returns them.
    """
    run, record, settings, origin = subject.run, subject.record, subject.settings, subject.origin
    if not data.records:
        raise InputError(f"no image in {origin} is readable")
    originals = [image for image in data.records if not is_condition_copy(image)]
    copies = len(data.records) - len(originals)
    files = score_splits(run, settings, originals)
    unseen = subject.other_data and not was_trained_on(subject, data)
    if unseen and len(files) > 1:
        everything = [image for split in files.values() for image in split.records]
        scores = np.concatenate([split.scores for split in files.values()])
        files[ALL_SPLITS] = onnx_session.FileScores(everything, scores)
    tables = {split: score_table(f, record.calibration) for split, f in files.items()}
    warnings = [
        *subject.warnings,
        *([f"{pluralize(copies, 'image')} not counted: {COPIES}"] if copies else ()),
        *missing_file_warnings(Path(origin)),
        *(() if record.calibration.quality else unfiltered_warnings(Path(origin), settings)),
        *data_warnings(subject, data, unseen),
    ]
    records = {split: f.records for split, f in files.items()}
    return evaluate_tables(replace(subject, records=records, warnings=warnings), tables)


def evaluate_score_file(
    path: Path,
    keys: str | None,
    subset: str | None,
    missing: float | None,
    asv: str | None,
    out: str | None,
    overrides: Sequence[str],
    real: str | None,
) -> Evaluation:
    """Evaluate scores that any system gave.

    Args:
        path, keys, subset, missing, real: see `score_matching.read_filled_scores`.
        asv: scores of a speaker verification, for t-DCF.
        out: the folder for the results; None for one below evaluations/.
        overrides: settings as `section.key=value`.
    """
    # A key file names its subsets: a slash in such a name must not lead out of the folder.
    name = f"{path.stem}-{subset}".replace("/", "_") if subset else path.stem
    inputs = {"keys": keys, "subset": subset, "asv": asv, "real": real}
    output, notice = choose_output(out, EVALUATIONS / name, path, inputs)
    scored = read_filled_scores(path, keys and Path(keys), subset, missing, real)
    table, unscored = scored.table, scored.unscored
    inputs["missing"] = {"score": missing, "files": len(unscored)}
    warnings = list(scored.notes)
    if unscored:
        warnings.append(
            f"{len(unscored):,} of {len(table):,} files have no score and count with {missing:g} "
            f"(--missing): {first_names(unscored, MAX_NAMED_FILES)}"
        )
    verification = None
    if asv:
        scores = read_asv_scores(Path(asv))
        verification = asv_error_rates(scores["target"], scores["nontarget"], scores["spoof"])
    subject = Subject(
        title=f"Scores {name}", origin=str(path), output=output, notice=notice,
        settings=load_settings(None, overrides), asv=verification, inputs=inputs, warnings=warnings,
    )  # fmt: skip
    splits = [split for split in SPLITS if (table.split == split).any()]
    return evaluate_tables(subject, {split: table.where(table.split == split) for split in splits})


def evaluate_tables(subject: Subject, tables: Mapping[str, ScoreTable]) -> Evaluation:
    """Compute the figures of each split that has both classes; warn about the others."""
    settings, figures, warnings = subject.settings, {}, []
    for split, table in tables.items():
        if len(set(table.label.tolist())) == len(LABELS):
            figures[split] = evaluate_scores(
                table, settings.evaluate, settings.predict, subject.asv, subject.run is not None
            )
        else:
            warnings.append(one_class_line(table, SPLIT_NAMES[split], settings.predict.prior_fake))
    subject = replace(subject, warnings=[*subject.warnings, *warnings])
    return Evaluation(subject, tables, figures)


def missing_file_warnings(data: Path) -> list[str]:
    """Return a line for each split that lacks files that its corpus lists."""
    origin, names = read_origin(data), SPLIT_NAMES | {UNKNOWN_SPLIT: "unsplit"}
    return [
        f"Missing: {count.missing:,} of {pluralize(count.listed, f'listed {names[split]} file')}; "
        f"broken or silent: {count.unusable:,}. These figures leave them out."
        for split, count in (origin.counts if origin else {}).items()
        if count.missing + count.unusable
    ]


def data_warnings(subject: Subject, data: DataCheck, unseen: bool) -> list[str]:
    """Return a line for each reason to doubt figures on this data.

    Args:
        subject: the evaluated run.
        data: the images.
        unseen: whether the run was not trained on them, so that splits do not matter.
    """
    run, record = subject.run, subject.record
    warnings = [] if unseen else speaker_warnings(data.records)
    if data.repeated:
        warnings.append(
            f"{len(data.repeated):,} images are in a later split too, such as "
            f"{one_line(data.repeated[0])}; they count only there."
        )
    trained_on = Path(subject.settings.data.folder)
    known = {r.speaker for r in data.records} - {""}
    if not subject.other_data:
        if not known:
            warnings.append(
                "No speaker is known: if training and test share a voice, the error rates are too "
                "good."
            )
        if data.fingerprint == record.data_fingerprint:
            return warnings + calibration_warnings(record, data.records)
        return [*warnings, f"{trained_on} has changed since {run.name} was trained."]
    if not is_data(trained_on):
        return [*warnings, unknown_voices_line(run, trained_on)]
    learnt_from = read_records(trained_on)
    trained = {r.speaker for r in learnt_from if r.split == "train"} - {""}
    shared = sorted(trained & known)
    if shared:
        warnings.append(
            f"{len(shared):,} speakers are in the run's training data too "
            f"({', '.join(shared[:3])}): error rates on them are too good."
        )
    if not trained or not known:
        warnings.append(
            f"No speaker is known {'in training' if known else 'here'}: the run may have been "
            "trained on the same voices."
        )
    return warnings + calibration_warnings(record, learnt_from)


def unknown_voices_line(run: run_folder.Run, trained_on: Path) -> str:
    """Return the warning of a run whose training data is missing."""
    if run.folder.resolve() == run_folder.PRETRAINED.resolve():
        return (
            "The shipped model's card (models/pretrained/README.md) names its training voices: "
            "error rates on them are too good."
        )
    return f"{trained_on} is missing, so it is unknown whose voices the run was trained on."


def calibration_warnings(record: RunRecord, learnt_from: Sequence[ImageRecord]) -> list[str]:
    """Return a line if a run was calibrated on few validation files."""
    fake, real = (
        len({r.source for r in learnt_from if (r.split, r.label) == ("val", label)})
        for label in LABELS
    )
    if record.calibrated_on or not 0 < min(fake, real) < FEW_FILES:
        return []
    return [
        f"The run was calibrated on only {fake:,} fake and {real:,} real validation files, so "
        "its confidence may be off by chance."
    ]


def score_splits(
    run: run_folder.Run, settings: Settings, records: Sequence[ImageRecord]
) -> dict[str, onnx_session.FileScores]:
    """Score the files of each split with the run's exported model; empty splits are left out."""
    model = onnx_session.load_model(run.onnx_model, settings.score.threads, settings.limits)
    by_split = {split: [r for r in records if r.split == split] for split in SPLITS}
    return {
        split: onnx_session.score_files(model, chosen, settings.image, settings.score.batch_size)
        for split, chosen in by_split.items()
        if chosen
    }


def was_trained_on(subject: Subject, data: DataCheck) -> bool:
    """Return whether the run was trained or calibrated on these images, or on this folder."""
    return data.fingerprint in record_files.known_data(subject.record) or (
        canonical_path(subject.origin) == canonical_path(subject.settings.data.folder)
    )


def score_table(files: onnx_session.FileScores, calibration: Calibration) -> ScoreTable:
    """Return a split's scores as a table; files that share a recording go by their images."""
    recordings = Counter(record.audio for record in files.records)
    llr = calibration.llr(files.scores)
    return make_table(
        {
            **{name: getattr(record, name) for name in RECORD_COLUMNS},
            "file": record.audio
            if record.audio and recordings[record.audio] == 1
            else record.image,
            "score": score,
            "llr": ratio,
        }
        for record, score, ratio in zip(files.records, files.scores, llr, strict=True)
    )
