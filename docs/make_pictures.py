"""Draw the README's pictures from the sample and from a run trained on it.

    python train.py && python evaluate.py
    python predict.py --run models/pretrained --timeline data/sample/audio/long_recording.flac
    python docs/make_pictures.py runs/sample-1

The run's name is what train.py printed. The report's picture is taken by Chromium, without which
the others are still made.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import read_audio_settings, read_records
from deepfake_audio.features.spectrogram import row_frequencies_hz
from deepfake_audio.plotting import plot_spectrogram
from deepfake_audio.training.augmentation import WHITE, make_distortion
from deepfake_audio.training.generator import SpectrogramGenerator

PAIR = "en_US_f_Allison"
SEED = 8  # its draws are strong enough to be seen, and none is extreme
DISTORTIONS = (  # name, Keras's parameters or settings, strong enough to be seen
    ("as it is", {}),
    ("shear", {"shear": 12}),
    ("zoom", {"zx": 0.8, "zy": 0.7}),
    ("rotation", {"theta": 8}),
    ("shift", {"tx": 15, "ty": -15}),
    ("horizontal flip", {"flip_horizontal": True}),
    ("vertical flip", {"flip_vertical": True}),
    ("brightness", {"brightness": 1.4}),
    ("time roll", ["time_roll_share=0.5"]),
    ("gain", ["gain_db=40"]),
    ("channel colour", ["color_db=25"]),
    ("noise floor", ["noise_floor_db=40"]),
    ("band limit", ["band_limit_hz=3000"]),
    ("time masks", ["time_masks=2", "time_mask_share=0.2"]),
    ("frequency masks", ["frequency_masks=2", "frequency_mask_hz=1500"]),
)


def main() -> None:
    draw_pair()
    draw_distortions()
    shutil.copyfile(Path(sys.argv[1], "curves.png"), DOCS / "curves.png")
    shutil.copyfile(ROOT / "timelines" / "long_recording.flac.png", DOCS / "timeline.png")
    if shutil.which("chromium"):
        photograph(Path(sys.argv[1], "report.html").resolve())


def photograph(page: Path) -> None:
    """Take a picture of the first page of a report."""
    picture = DOCS / "report.png"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--window-size=1160,1440", f"--screenshot={picture}", page.as_uri()]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    small = cv2.resize(cv2.imread(str(picture)), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(picture), small, (cv2.IMWRITE_PNG_COMPRESSION, 9))


def draw_pair() -> None:
    """Draw one sentence as it was spoken, and as two vocoders give it back."""
    sample = ROOT / "data" / "sample"
    audio = read_audio_settings(sample)
    records = [record for record in read_records(sample) if record.audio.startswith(PAIR)]
    spoken_again = {record.audio: record for record in records if record.attack == "WORLD"}
    real = next(r for r in records if r.label == "real" and r.audio in spoken_again)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    for ax, record in zip(axes, (real, spoken_again[real.audio]), strict=True):
        image = cv2.imread(str(record.path), cv2.IMREAD_GRAYSCALE)
        plot_spectrogram(ax, image, audio.window_seconds, audio.sample_rate_hz / 2)
        fake = f"fake: the same words by {record.attack}"
        ax.set_title(fake if record.attack else "real")
    axes[1].set_ylabel("")
    figure.savefig(DOCS / "real_and_fake.png", dpi=100)


def draw_distortions() -> None:
    """Draw one image as each distortion changes it."""
    sample = ROOT / "data" / "sample"
    audio = read_audio_settings(sample)
    record = next(r for r in read_records(sample) if r.audio.startswith(PAIR) and r.label == "real")
    image = cv2.imread(str(record.path), cv2.IMREAD_GRAYSCALE)[..., None]
    row_hz = row_frequencies_hz(audio, len(image))
    generator = SpectrogramGenerator(**load_settings().augment.model_dump())
    figure, axes = plt.subplots(
        3, 5, figsize=(9, 5.6), layout="constrained", sharex=True, sharey=True
    )
    for ax, (name, how) in zip(axes.flat, DISTORTIONS, strict=True):
        changed = generator.apply_transform(image, how if isinstance(how, dict) else {})
        if isinstance(how, list):
            settings = load_settings(None, [f"distort.{override}" for override in how])
            distort = make_distortion(settings.distort, row_hz, WHITE / audio.db_range)
            distort(changed, np.random.default_rng(SEED))
        plot_spectrogram(ax, changed, audio.window_seconds, audio.sample_rate_hz / 2)
        ax.set_title(name, fontsize=10)
        ax.set_xticks((0, 0.5, 1, 1.5))
        ax.label_outer()
    figure.savefig(DOCS / "augmentations.png", dpi=95)
    plt.close(figure)


if __name__ == "__main__":
    main()
