"""Measure detection of fakes with unknown speakers, beside the usual networks.

    python -m benchmarks.bench_accuracy FOLDER                              the default settings
    python -m benchmarks.bench_accuracy FOLDER model.conv_filters=[16,32]   others
    python -m benchmarks.bench_accuracy FOLDER train.seed=2 train.epochs=15
    python -m benchmarks.bench_accuracy FOLDER --config unseen.yaml         a settings file
    python -m benchmarks.bench_accuracy FOLDER --leave-out vocos            an unknown generator

FOLDER holds audio with a table that names label, split, attack and corpus, or a public corpus.
Trains on the same clips: the network of the settings, the tutorials' network with their shear, zoom
and flip (as many images), and a Gaussian mixture over LFCC. Prints for validation and test the EER
of all files with its 95% interval, and the mean over corpora, which differences between the
channels of corpora cannot improve; then each generator and each corpus.

With --leave-out, which may be repeated, all fake files of a generator move to the test split: its
line in the table of attacks is the error rate of networks that were not trained on it. These fakes
may have the voices of training files. The error rate of all test files includes them, so it cannot
be compared with that of a run without --leave-out.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import evaluate
import prepare
import train
from benchmarks import ROOT, in_brackets
from benchmarks.lfcc_gmm import lfcc_gmm_scores
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import MANIFEST_FIELDS, read_records
from deepfake_audio.dataset.preparation import write_table
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.run_evaluation import score_table
from deepfake_audio.evaluation.summary import evaluate_scores
from deepfake_audio.evaluation.text_report import format_groups, with_interval
from deepfake_audio.models.calibration import Calibration, fit_calibration
from deepfake_audio.models.onnx_session import FileScores
from deepfake_audio.models.run_folder import RUNS
from deepfake_audio.vocabulary import SPLITS, WITH_DELAY

TUTORIAL = ROOT / "benchmarks" / "tutorial.yaml"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="-m benchmarks.bench_accuracy", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("settings", nargs="*", metavar="section.key=value")
    parser.add_argument("--config", metavar="FILE", help="a YAML file with settings that differ")
    parser.add_argument(
        "--leave-out", metavar="ATTACK", action="append", default=[],
        help="a generator whose fakes are kept from training, as the table names it",
    )  # fmt: skip
    return parser.parse_intermixed_args(argv)


def free_name(stem: str) -> str:
    """Return a name for a run that none has."""
    number = 1
    while (RUNS / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"


def run_script(main: Callable[..., int], args: Sequence[str]) -> int:
    """Return a script's exit code; if it can't go on, end as it ends, since its line says why."""
    code = main(args)
    if code not in (EXIT_OK, EXIT_SOME_FAILED):
        sys.exit(code)
    return code


def without(data: Path, attacks: Sequence[str]) -> Path:
    """Write a manifest in which all fakes of some generators are test's; return its path."""
    records = read_records(data)
    known = sorted({record.attack for record in records} - {""})
    unknown = [attack for attack in attacks if attack not in known]
    if unknown:
        raise InputError(
            f"--leave-out {unknown[0]!r} is not a generator of the table; it has "
            f"{', '.join(known) or 'none'}"
        )
    moved = [replace(r, split="test") if r.attack in attacks else r for r in records]
    if {r.split for r in moved if r.label == "fake"} != set(SPLITS):
        raise InputError(
            f"without {', '.join(attacks)}, training or validation has no fakes; --leave-out fewer"
        )
    digest = hashlib.sha256("\0".join(sorted(set(attacks))).encode()).hexdigest()[:10]
    path = data / f"without_{digest}.csv"
    rows = ([getattr(record, field) for field in MANIFEST_FIELDS] for record in moved)
    write_table(path, MANIFEST_FIELDS, rows)
    return path


def trained(stem: str, args: Sequence[str]) -> tuple[dict, float]:
    """Train and evaluate a network; return each split's figures, and the seconds of training."""
    name = free_name(stem)
    started = time.perf_counter()
    run_script(train.main, ["--run", name, *args])
    seconds = time.perf_counter() - started
    run_script(evaluate.main, ["--run", name])
    return json.loads((RUNS / name / "metrics.json").read_text())["splits"], seconds


def mixture(audio: Path, data: Path, seed: int) -> tuple[dict, float]:
    """Train and evaluate the mixture on the audio of the same files."""
    files = list({record.audio: record for record in read_records(data)}.values())
    training = [record for record in files if record.split == "train"]
    others = [record for record in files if record.split != "train"]
    started = time.perf_counter()
    scores = lfcc_gmm_scores(
        [audio / record.audio for record in training],
        np.array([record.class_index for record in training]),
        [audio / record.audio for record in others],
        seed,
    )
    seconds = time.perf_counter() - started
    by_split = {
        split: FileScores(
            [record for record in others if record.split == split],
            scores[[record.split == split for record in others]],
        )
        for split in ("val", "test")
    }
    calibration = Calibration(*fit_calibration(by_split["val"].is_real, by_split["val"].scores))
    settings = load_settings()
    return {
        split: evaluate_scores(score_table(files, calibration), settings.evaluate, settings.predict)
        for split, files in by_split.items()
    }, seconds


def format_line(name: str, figures: Mapping[str, Mapping], seconds: float) -> str:
    cells = []
    for split in ("val", "test"):
        interval = in_brackets(figures[split]["intervals"].get("eer"))
        corpora = figures[split]["groups"].get("corpus", {"rated": 0})
        mean = with_interval(corpora) if corpora["rated"] else "-"
        cells.append(f"{figures[split]['eer']:8.1%} {interval:16}{mean:>20}")
    return f"{name:20}{''.join(cells)}{seconds:10.0f}"


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    audio, config = Path(args.folder), ["--config", args.config] if args.config else []
    made_for = Path(args.config).stem if args.config else "accuracy"
    data = Path("data") / f"{audio.resolve().name}-{made_for}"
    code = run_script(prepare.main, [str(audio), "--name", data.name, *config])
    if args.leave_out:
        data = without(data, args.leave_out)
    given = [f"data.folder={data}"]
    settings = load_settings(args.config, args.settings)
    ours = settings.train
    same = [f"train.epochs={ours.epochs}", f"train.seed={ours.seed}"]
    same += [f"train.epoch_images={ours.epoch_images}"]
    if settings.image.channels in WITH_DELAY:  # of these, the tutorials' network sees the levels
        same += [f"image.channels={settings.image.channels}"]
    results = {
        "these settings": trained("accuracy", [*config, *given, *args.settings]),
        "tutorial network": trained("tutorial", ["--config", str(TUTORIAL), *given, *same]),
        "LFCC-GMM": mixture(audio, data, ours.seed),
    }
    titles = (f"{f'{split} EER (95%)':>25}{'mean of corpora':>20}" for split in ("val", "test"))
    print(f"\n{'':20}{''.join(titles)}{'training s':>11}")
    for name, (figures, seconds) in results.items():
        print(format_line(name, figures, seconds))
    head, _ = results["these settings"]
    for split in ("val", "test"):
        groups, pooled = head[split]["groups"], head[split]["eer"]
        for grouping in [name for name in ("attack", "corpus") if name in groups]:
            print(f"\n{split}\n{format_groups(grouping, groups[grouping], pooled)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
