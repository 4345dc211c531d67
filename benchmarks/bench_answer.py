"""How soon predict.py answers, and how many recordings it judges, beside a script that loads Keras.

    python -m benchmarks.bench_answer                   on the shipped sample's clips
    python -m benchmarks.bench_answer FOLDER [FILES]    on FILES clips of a folder (default 200)

Both have a network of the default settings, just made: how well it tells fakes takes no time. From
the start of the process to one image's answer, processor seconds; in bulk from audio files to
verdicts, images a second on one core.
"""

import os

from benchmarks import ROOT, Row, least_seconds, print_rows, sample_clips, stay_on_one_core

stay_on_one_core()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import contextlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

COLD_ROUNDS = 3
KERAS_SCRIPT = """
import sys, cv2, keras
model = keras.models.load_model(sys.argv[1])
image = cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE)
p_real = float(model.predict(image[None, ..., None].astype("float32"), verbose=0)[0, 0])
print("REAL" if p_real > 0.5 else "FAKE", p_real)
"""


def processor_seconds(command: Sequence[str], folder: Path) -> float:
    """Return the processor seconds of a command, the least of some rounds."""
    least = np.inf
    for _ in range(COLD_ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least = min(least, spent)
    return least


def make_run(folder: Path):
    """Train for one epoch on the sample in `folder`, and return the run."""
    import train
    from deepfake_audio.models.run_folder import Run

    here = Path.cwd()
    os.chdir(folder)
    try:
        with (folder / "log").open("w") as log, contextlib.redirect_stdout(log):
            train.main(["--run", "timed", f"data.folder={ROOT / 'data' / 'sample'}",
                        "train.epochs=1"])  # fmt: skip
    finally:
        os.chdir(here)
    return Run(folder / "runs" / "timed")


def images_of(paths: Sequence[Path], settings) -> np.ndarray:
    """Return all windows of some recordings as images, uint8 `(images, height, width, 1)`."""
    from deepfake_audio.conditions.images import window_images

    return np.concatenate([window_images(path, settings) for path in paths])


def measure(args: Sequence[str]) -> list[Row]:
    """Return the rows of this benchmark."""
    import keras

    from deepfake_audio.config.loading import load_settings
    from deepfake_audio.models import onnx_session

    settings, paths = load_settings(), sample_clips(args)
    image = next((ROOT / "data" / "sample" / "test" / "real").glob("*.png"))
    with tempfile.TemporaryDirectory() as name:
        run = make_run(Path(name))
        own = [sys.executable, str(ROOT / "predict.py"), "--run", "timed", str(image)]
        with_keras = [sys.executable, "-P", "-c", KERAS_SCRIPT]
        with_keras += [str(run.keras_model), str(image)]
        cold, cold_keras = (processor_seconds(c, Path(name)) for c in (own, with_keras))
        session = onnx_session.load_model(run.onnx_model, threads=1)
        model = keras.models.load_model(run.keras_model)
    batch_size = settings.score.batch_size
    count = len(images_of(paths, settings))

    def ours() -> list:
        stream = ((None, image) for image in images_of(paths, settings))
        return list(onnx_session.score_stream(session, stream, batch_size))

    def theirs(make_images: Callable[[], np.ndarray]) -> np.ndarray:
        images = make_images().astype(np.float32)
        return model.predict(images, batch_size=batch_size, verbose=0)

    def with_librosa() -> np.ndarray:
        from benchmarks.bench_prepare import librosa_images

        return np.stack([image for path in paths for image in librosa_images(path)])[..., None]

    bulk, bulk_keras, bulk_librosa = (
        count / least_seconds(work)
        for work in (
            ours,
            lambda: theirs(lambda: images_of(paths, settings)),
            lambda: theirs(with_librosa),
        )
    )
    return [
        Row("first answer, one image (processor s)", cold, cold_keras, cold_keras / cold,
            "script that loads model.keras"),
        Row("recordings to verdicts (images/s)", bulk, bulk_librosa, bulk / bulk_librosa,
            "librosa, then keras predict"),
        Row("recordings to verdicts (images/s)", bulk, bulk_keras, bulk / bulk_keras,
            "our images, then keras predict"),
    ]  # fmt: skip


if __name__ == "__main__":
    print_rows(measure(sys.argv[1:]))
