"""Draw the README's pictures from the sample and from a run trained on it.

    python train.py && python evaluate.py
    python predict.py --timeline data/sample/audio/long_recording.flac
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

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from deepfake_audio.dataset import read_audio_settings, read_records  # noqa: E402
from deepfake_audio.plots import plot_spectrogram  # noqa: E402

PAIR = "en_US_f_Allison"


def main() -> None:
    draw_pair()
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


if __name__ == "__main__":
    main()
