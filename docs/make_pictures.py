"""Plot the pictures of the documents from the sample and from a run trained on it.

    python train.py && python evaluate.py
    python predict.py --run models/pretrained --timeline data/sample/audio/long_recording.flac
    python docs/make_pictures.py runs/sample-1

train.py prints the run's name. The picture of the report needs Chromium; without it the script
makes the others. Needs requirements-dev.txt.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import librosa
import matplotlib.pyplot as plt
import numpy as np
import soundfile

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.dataset.provenance import read_audio_settings
from deepfake_audio.features.spectrogram import row_frequencies_hz
from deepfake_audio.training.augmentation import WHITE, make_distortion
from deepfake_audio.training.generator import SpectrogramGenerator

SENTENCE = ROOT / "data" / "sample" / "audio" / "real_ivrvoice.ru_vm-nonumber.flac"
SPAN_SECONDS, BAND_KHZ = (1.55, 2.05), (0.8, 5.2)
VOICE = "en_US_f_Allison"  # of the image that is distorted
SEED = 8  # its effects are strong enough to be seen, and none is extreme
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
    plot_pair()
    plot_distortions()
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


def plot_pair() -> None:
    """Plot half a second of a sentence as it was spoken and as Griffin-Lim resynthesises it."""
    spoken, rate_hz = soundfile.read(SENTENCE, dtype="float32")
    mel = librosa.feature.melspectrogram(
        y=spoken, sr=rate_hz, n_fft=1024, hop_length=256, n_mels=80
    )
    magnitude = librosa.feature.inverse.mel_to_stft(mel, sr=rate_hz, n_fft=1024)
    copy = librosa.griffinlim(
        magnitude, n_iter=32, hop_length=256, random_state=0, length=len(spoken)
    )
    panels = (
        ("real: a person speaks", spoken, "harmonics are smooth lines"),
        (
            "fake: the same words, resynthesised",
            copy,
            "the same harmonics, broken up",
        ),
    )
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
    for ax, (title, samples, caption) in zip(axes, panels, strict=True):
        level_db = 20 * np.log10(frame_magnitudes(samples) + 1e-5)
        extent = (0, len(samples) / rate_hz, 0, rate_hz / 2000)
        image = ax.imshow(
            level_db - level_db.max(), cmap="magma", vmin=-70, vmax=-15,
            origin="lower", aspect="auto", extent=extent,
        )  # fmt: skip
        ax.set(xlim=SPAN_SECONDS, ylim=BAND_KHZ, xlabel="time (s)", title=title)
        ax.annotate(
            caption, xy=(1.95, 2.9), xytext=(1.84, 4.75), color="white", fontsize=12, ha="center",
            bbox={"color": "black", "alpha": 0.7},
            arrowprops={"arrowstyle": "->", "color": "white", "linewidth": 2},
        )  # fmt: skip
    axes[0].set_ylabel("frequency (kHz)")
    figure.colorbar(image, ax=axes, label="level (dB below the loudest point)")
    figure.savefig(DOCS / "real_and_fake.png", dpi=90)
    plt.close(figure)


def frame_magnitudes(samples: np.ndarray) -> np.ndarray:
    """Compute the magnitudes of Hann windows of 40 ms, 1 ms apart, `(bins, frames)`."""
    return np.abs(librosa.stft(samples, n_fft=2048, win_length=640, hop_length=16))


def plot_distortions() -> None:
    """Plot one image after each distortion."""
    sample = ROOT / "data" / "sample"
    audio = read_audio_settings(sample)
    record = next(
        r for r in read_records(sample) if r.audio.startswith(VOICE) and r.label == "real"
    )
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
        extent = (0, audio.window_seconds, 0, audio.sample_rate_hz / 2000)
        ax.imshow(changed, cmap="magma", aspect="auto", extent=extent, vmin=0, vmax=255)
        ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
        ax.set_title(name, fontsize=10)
        ax.set_xticks((0, 0.5, 1, 1.5))
        ax.label_outer()
    figure.savefig(DOCS / "augmentations.png", dpi=95)
    plt.close(figure)


if __name__ == "__main__":
    main()
