"""A tiny corpus of drawn images and one run trained on it, shared by the tests."""

import csv
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import soundfile

from deepfake_audio.corpora import shortcut_audit
from deepfake_audio.dataset.manifest import MANIFEST_FIELDS
from deepfake_audio.evaluation import figures
from deepfake_audio.system.atomic_files import lock
from deepfake_audio.system.signals import TERMINATION_SIGNALS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def leave_uncompiled(*args, **options):
    """Decorate a function as numba's decorators do, and return it as it is."""
    return args[0] if args and callable(args[0]) else lambda function: function


# librosa would compile 17 seconds for the few calls of the tests.
uncompiling = ModuleType("numba")
for name in ("guvectorize", "jit", "stencil", "vectorize"):
    setattr(uncompiling, name, leave_uncompiled)
sys.modules.setdefault("numba", uncompiling)


def stop_the_tests(number: int, frame: object) -> None:
    """End pytest at once; a script that runs inside a test would take Ctrl-C for its own."""
    pytest.exit(f"{signal.Signals(number).name} received", returncode=130)


# A process started in the background of a shell ignores these signals, and so do its children. A
# worker of pytest-xdist ends without a word, also within a long computation.
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        in_worker = "PYTEST_XDIST_WORKER" in os.environ
        signal.signal(getattr(signal, name), signal.SIG_DFL if in_worker else stop_the_tests)


@pytest.fixture
def own_signals():
    """Give the test Python's usual signal handlers, since it sends signals to itself."""
    usual = {signal.SIGINT: signal.default_int_handler}
    usual |= dict.fromkeys(TERMINATION_SIGNALS, signal.SIG_DFL)
    outer = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in outer.items():
        signal.signal(number, handler)


ROOT = Path(__file__).resolve().parent.parent
TINY_SETTINGS = (
    "image.height=32",
    "image.width=32",
    "model.conv_filters=[4, 8]",
    "model.dense_units=8",
    "train.epochs=6",
    "train.batch_size=16",
    "train.learning_rate=0.01",
    "feed.workers=1",
    "score.threads=1",
)
FRAME_RATES = (
    "audio.frame_rates_hz=[46.875, 50, 62.5, 73.5, 75, 80, 80.18, 86.13, 93.75, 100, 110.25, 125]"
)
SPEAKERS = {"train": ("ann", "bob"), "val": ("cem",), "test": ("dee",)}


def draw_image(label: str, seed: int, size: int = 32) -> np.ndarray:
    """Draw noise for real, and noise that is smooth along time for fake: uint8 `(size, size)`."""
    noise = np.random.default_rng(seed).normal(120, 50, (size, size))
    if label == "fake":
        noise = cv2.blur(noise, (7, 1)) * 1.5 - 60
    return np.clip(noise, 0, 255).astype(np.uint8)


def make_data_folder(folder: Path, images_per_class: int = 12, manifest: bool = True) -> Path:
    """Fill `folder` with `{train,val,test}/{fake,real}/` images of different speakers."""
    rows, seed = [], 0
    for split, speakers in SPEAKERS.items():
        for label in ("fake", "real"):
            (folder / split / label).mkdir(parents=True)
            for number in range(images_per_class):
                seed += 1
                name = f"{split}/{label}/{number:02}.png"
                cv2.imwrite(str(folder / name), draw_image(label, seed))
                row = dict.fromkeys(MANIFEST_FIELDS, "")
                row |= {"image": name, "label": label, "split": split}
                row |= {"speaker": speakers[number % len(speakers)]}
                row |= {"attack": "vocoder" if label == "fake" else ""}
                rows.append(row)
    if manifest:
        with (folder / "manifest.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, MANIFEST_FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    return make_data_folder(tmp_path / "data" / "tiny")


def make_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[], None], below: Path | None = None
) -> Path:
    """Return an own copy of a folder that only one of the test processes makes.

    Args:
        factory: of temporary folders.
        name: of the folder, different for each kind.
        make: fills the working folder.
        below: a folder that is copied first.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("ab") as held:
        while not lock(held):
            time.sleep(0.02)
        if not (shared / "made").exists():
            shutil.copytree(below, shared / "here") if below else (shared / "here").mkdir()
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(shared / "here")
                make()
            (shared / "made").touch()
    return shutil.copytree(shared / "here", factory.mktemp(name) / "here")


@pytest.fixture(autouse=True, scope="session")
def small_reports():
    """Let an audit grow few trees and plots have few pixels: they take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortcut_audit, "TREES", 10)
        patch.setattr(figures, "PICTURE_DPI", 50)
        yield


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/tiny and a finished runs/first; do not change what is in it."""

    def make() -> None:
        import train

        make_data_folder(Path("data/tiny"))
        assert train.main(["--run", "first", "data.folder=data/tiny", *TINY_SETTINGS]) == 0

    return make_once(tmp_path_factory, "workspace", make)


def make_voice(label: str, seed: int, seconds: float = 2.5) -> np.ndarray:
    """Make noise in bursts for real, and a buzz in bursts for fake: float32 at 16 kHz."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * 16000)) / 16000
    sound = rng.normal(0, 0.1, len(times))
    if label == "fake":
        pitch_hz = rng.uniform(90, 220)
        sound = 0.02 * sound + 0.02 * np.sign(np.sin(2 * np.pi * pitch_hz * times))
    return (sound * (0.3 + np.abs(np.sin(2 * np.pi * 2 * times)))).astype(np.float32)


@pytest.fixture(scope="session")
def audio_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with audio, data/mine made from it, and runs/heard; do not change what is in it."""

    def make() -> None:
        import prepare
        import train

        for label in ("fake", "real"):
            Path("mine", label).mkdir(parents=True)
            for number in range(12):
                path = Path("mine", label, f"{number:02}.wav")
                soundfile.write(path, make_voice(label, number), 16000)
        assert prepare.main(["mine", "--name", "mine", "prepare.workers=1"]) == 0
        assert train.main(["--run", "heard", "data.folder=data/mine", *TINY_SETTINGS]) == 0

    return make_once(tmp_path_factory, "audio-workspace", make)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with recordings in mine/fake and mine/real."""
    from helpers import make_audio

    monkeypatch.chdir(tmp_path)
    make_audio(tmp_path / "mine")
    return tmp_path


@pytest.fixture
def in_audio_workspace(audio_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(audio_workspace)
    return audio_workspace


@pytest.fixture
def in_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workspace)
    return workspace


def draw_scores(files: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return which of some files are real, every other one, and their scores."""
    is_real = np.arange(files) % 2
    return is_real, np.random.default_rng(seed).normal(2 * is_real - 1, 1.3)
