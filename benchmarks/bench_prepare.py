"""How fast sound becomes images, beside the usual recipes and beside the floor.

    python -m benchmarks.bench_prepare                  on the shipped sample's clips
    python -m benchmarks.bench_prepare FOLDER [FILES]   on FILES clips of a folder (default 200)

Everything runs in one process on one core, on the same files, best of five rounds; the last row
compares two processes with one, and the last line has the memory of the process over 10,000 files.
Images go to a folder in TMPDIR: in memory (TMPDIR=/dev/shm), the disk's time for making files is
left out.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import itertools
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import librosa
import matplotlib.pyplot as plt
import numpy as np
import soundfile
import soxr
from scipy import fft

from benchmarks import Row, print_rows, sample_clips
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.loading import load_settings
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.jobs import Job
from deepfake_audio.dataset.rendering import Rendering, render_all, render_clip, write_png
from deepfake_audio.features.pixel_format import PNG_PARAMETERS
from deepfake_audio.features.spectrogram import spectrogram_image

SETTINGS = load_settings()
AUDIO = SETTINGS.audio
ROUNDS = 5
STARTING_FILES = 128


def ours(path: Path, folder: Path) -> int:
    """Do what prepare.py does to a file, less the shortcut audit's measurements."""
    count = 0
    for _, window in recording_windows(open_recording(path, AUDIO), AUDIO):
        write_png(folder / f"{path.stem}_{count}.png", spectrogram_image(window, AUDIO))
        count += 1
    return count


def prepare_clip(path: Path, folder: Path) -> int:
    """Do all that prepare.py does to a file."""
    return len(render_clip(job_of(path, path.stem), rendering_to(folder))["starts"])


def job_of(path: Path, stem: str) -> Job:
    return Job(Clip(path, path.name, "real", split_key=path.name), "train", stem)


def rendering_to(folder: Path) -> Rendering:
    return Rendering(folder, AUDIO, SETTINGS.prepare.max_windows, SETTINGS.limits.audio_hours)


def usual_recipe(path: Path, folder: Path) -> int:
    """Load, mel spectrogram and savefig as the example in melspectrogram's documentation does."""
    samples, rate_hz = librosa.load(path)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate_hz)
    figure, ax = plt.subplots()
    level = librosa.power_to_db(mel, ref=np.max)
    mesh = librosa.display.specshow(
        level, x_axis="time", y_axis="mel", sr=rate_hz, fmax=8000, ax=ax
    )
    figure.colorbar(mesh, ax=ax, format="%+2.0f dB")
    ax.set(title="Mel-frequency spectrogram")
    figure.savefig(folder / f"{path.stem}.png")
    plt.close(figure)
    return 1


def bare_recipe(path: Path, folder: Path) -> int:
    """Do the same without axes, title and colour bar, at our rate."""
    samples, rate_hz = librosa.load(path, sr=AUDIO.sample_rate_hz)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate_hz, n_mels=AUDIO.frequency_bins)
    figure, ax = plt.subplots()
    librosa.display.specshow(librosa.power_to_db(mel, ref=np.max), sr=rate_hz, ax=ax)
    ax.axis("off")
    figure.savefig(folder / f"{path.stem}.png", bbox_inches="tight", pad_inches=0)
    plt.close(figure)
    return 1


def librosa_images(path: Path) -> Iterator[np.ndarray]:
    """Make the same images as ours with librosa: uint8 `(frequency_bins, frames)` each."""
    samples, _ = librosa.load(path, sr=AUDIO.sample_rate_hz)
    samples, _ = librosa.effects.trim(samples, top_db=AUDIO.trim_db)
    length = AUDIO.window_samples
    if len(samples) < length:
        samples = np.resize(samples, length)
    starts = [*range(0, len(samples) - length, length // 2), len(samples) - length]
    hop = (length - AUDIO.fft_samples) // (AUDIO.frames - 1)
    for start in starts:
        power = np.abs(
            librosa.stft(
                samples[start : start + length],
                n_fft=AUDIO.fft_samples,
                hop_length=hop,
                center=False,
            )
        )
        bands = np.square(power)[1:].reshape(AUDIO.frequency_bins, -1, AUDIO.frames).mean(axis=1)
        level = librosa.power_to_db(bands, ref=np.max, top_db=AUDIO.db_range)
        yield ((level / AUDIO.db_range + 1) * 255).round().astype(np.uint8)[::-1]


def librosa_and_opencv(path: Path, folder: Path) -> int:
    """Make the same images as ours with librosa and cv2.imwrite."""
    count = 0
    for pixels in librosa_images(path):
        cv2.imwrite(str(folder / f"{path.stem}_{count}.png"), pixels)
        count += 1
    return count


def floor(path: Path, folder: Path) -> int:
    """Decode, resample, transform and encode the same amount, and nothing else."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != AUDIO.sample_rate_hz:
        samples = soxr.resample(samples, rate_hz, AUDIO.sample_rate_hz)
    hann = np.hanning(AUDIO.fft_samples).astype(np.float32)
    length = AUDIO.window_samples
    samples = np.resize(samples, max(length, len(samples)))
    starts = [*range(0, len(samples) - length, length // 2), len(samples) - length]
    for count, start in enumerate(starts):
        frames = np.lib.stride_tricks.sliding_window_view(
            samples[start : start + length], AUDIO.fft_samples
        )[:: (length - AUDIO.fft_samples) // (AUDIO.frames - 1)]
        power = np.abs(fft.rfft(frames * hann, axis=1)[:, 1 : AUDIO.frequency_bins + 1])
        pixels = (power * (255 / power.max())).astype(np.uint8).T
        (folder / f"{path.stem}_{count}.png").write_bytes(
            cv2.imencode(".png", pixels, PNG_PARAMETERS)[1]
        )
    return len(starts)


def seconds_per_file(works: Sequence[Callable], paths: Sequence[Path]) -> list[float]:
    """Return each work's best of some rounds, which are mixed: noise hits all works alike.

    Each round fills an empty folder, as preparing does: replacing files takes longer.
    """
    best = [np.inf] * len(works)
    for _ in range(ROUNDS):
        for number, work in enumerate(works):
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                for path in paths:
                    work(path, Path(folder))
                seconds = time.perf_counter() - started
            best[number] = min(best[number], seconds / len(paths))
    return best


def processes_ratio(paths: Sequence[Path], files: int = 6000) -> float:
    """Return how many times faster prepare.py's rendering is with two processes than with one."""
    seconds = []
    many = itertools.islice(itertools.cycle(paths), files)
    jobs = [job_of(path, f"{number}_{path.stem}") for number, path in enumerate(many)]
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            rendering = rendering_to(Path(folder))
            render_all(jobs[:STARTING_FILES], rendering, workers)  # starts the processes
            started = time.perf_counter()
            render_all(jobs[STARTING_FILES:], rendering, workers)
            seconds.append(time.perf_counter() - started)
    return seconds[0] / seconds[1]


def memory_growth_mb(paths: Sequence[Path], folder: Path) -> tuple[float, float]:
    """Return the peak memory of this process after 1,000 and after 10,000 files."""
    peaks = []
    for number, path in enumerate(itertools.islice(itertools.cycle(paths), 10_000), start=1):
        ours(path, folder)
        if number in (1000, 10_000):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return peaks[0], peaks[1]


def measured(paths: Sequence[Path]) -> dict[str, float]:
    """Return the seconds a file of each way, ours first."""
    with tempfile.TemporaryDirectory() as name:
        librosa.load(paths[0], sr=AUDIO.sample_rate_hz)  # compiles and imports before the clock
        usual_recipe(paths[0], Path(name))
    works = {
        "ours": ours,
        "ours with the shortcut audit's measurements": prepare_clip,
        "the usual recipe: librosa + matplotlib savefig": usual_recipe,
        "the same, nothing but the bare picture": bare_recipe,
        "librosa + cv2.imwrite, the same images": librosa_and_opencv,
        "floor: decode, resample, FFT, PNG alone": floor,
    }
    return dict(zip(works, seconds_per_file(list(works.values()), paths), strict=True))


def measure(args: Sequence[str]) -> list[Row]:
    """Return the rows of this benchmark."""
    paths = sample_clips(args)
    ratio = processes_ratio(paths)
    (_, mine), *others = measured(paths).items()
    return [
        *(Row("sound to images (ms a file)", 1000 * mine, 1000 * seconds, seconds / mine, what)
          for what, seconds in others),
        Row("sound to images, two processes (relative)", ratio, 1, ratio, "one process"),
    ]  # fmt: skip


def main() -> None:
    args = sys.argv[1:]
    print_rows(measure(args))
    with tempfile.TemporaryDirectory() as name:
        first, last = memory_growth_mb(sample_clips(args), Path(name))
    print(f"peak memory after 1,000 files {first:.0f} MB, after 10,000 files {last:.0f} MB")


if __name__ == "__main__":
    main()
