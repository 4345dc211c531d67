"""Measure how well only a vocoder's frame rate separates its fakes from real voices, untrained.

    python prepare.py FOLDER --name mine --config unseen.yaml
    python -m research.frame_rates data/mine

A file's figure at a rate is the prominence of the rate's multiples in dB: their sum over the root
of their number, so that chance is alike at all rates, averaged over its images. Each generator has
a line: the rate at which its mean is most standard deviations above that of the real files (so the
next figure is a little above 50% by chance), the area under the ROC curve against all real files at
that rate, and the area of the highest figure at any rate, for which the rate may be unknown.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import read_audio_settings
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_files import read_image
from deepfake_audio.features.spectrogram import image_rate_prominence_db

MIN_FILES = 5


def area(fakes: np.ndarray, real: np.ndarray) -> float:
    is_fake = np.r_[np.ones(len(fakes)), np.zeros(len(real))]
    return roc_auc_score(is_fake, np.r_[fakes, real])


def file_figures(folder: Path, audio: AudioSettings) -> dict[str, np.ndarray]:
    """Return figures of each generator's files, `(files, rates)`; those of real ones under ""."""
    size = {"height": audio.frequency_bins, "width": audio.frames, "channels": "level_delay_rates"}
    settings = load_settings().image.model_copy(update=size)
    records = read_records(folder)

    def figures_of(path: Path) -> np.ndarray:
        return image_rate_prominence_db(read_image(path, settings), audio)

    figures = Parallel(n_jobs=-1, prefer="threads")(delayed(figures_of)(r.path) for r in records)
    files = defaultdict(list)
    for record, figure in zip(records, figures, strict=True):
        kind = (record.attack or "fake") if record.label == "fake" else ""
        files[kind, record.split, record.source].append(figure)
    real = sum(not kind for kind, *_ in files)
    if real < MIN_FILES:
        raise InputError(f"{folder} has {real} real files; give a folder with at least {MIN_FILES}")
    kinds = defaultdict(list)
    for (kind, *_), windows in files.items():
        kinds[kind].append(np.mean(windows, axis=0))
    return {kind: np.array(values) for kind, values in kinds.items()}


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="-m research.frame_rates", description=__doc__)
    parser.add_argument("folder", type=Path, help="of images made with audio.frame_rates_hz")
    folder = parser.parse_args(argv).folder
    audio = read_audio_settings(folder)
    if audio is None or not audio.frame_rates_hz:
        raise InputError(
            f"the images in {folder} show no frame rates; prepare the sound with "
            "--config unseen.yaml"
        )
    kinds = file_figures(folder, audio)
    rates_hz, real = audio.frame_rates_hz, kinds.pop("")
    rows = []
    for kind, fakes in kinds.items():
        if len(fakes) >= MIN_FILES:
            above = (fakes.mean(axis=0) - real.mean(axis=0)) / real.std(axis=0)
            best = int(np.argmax(above))
            there = area(fakes[:, best], real[:, best])
            anywhere = area(fakes.max(axis=1), real.max(axis=1))
            rows.append((there, rates_hz[best], anywhere, len(fakes), kind))
    print(f"{len(real):,} real files")
    print(f"{'generator':32}{'files':>6}{'Hz':>9}{'there':>8}{'anywhere':>10}")
    for there, rate_hz, anywhere, count, kind in sorted(rows, reverse=True):
        print(f"{kind[:31]:32}{count:6}{rate_hz:9.2f}{there:8.0%}{anywhere:10.0%}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
