"""Small corpora, processes and comparisons that several test files share."""

import csv
import http.client
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import soundfile

from conftest import ROOT, make_voice
from deepfake_audio.audio.codecs import can_encode
from deepfake_audio.evaluation.score_matching import read_filled_scores
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.models.run_folder import Run

RATE_HZ = 16000
ONE_PROCESS = ["prepare.workers=1"]

needs_amr = pytest.mark.skipif(not can_encode("libopencore_amrnb"), reason="no encoder of AMR")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_scores(
    path: Path, keys: Path | None, subset: str | None, real: str | None = None
) -> ScoreTable:
    return read_filled_scores(path, keys, subset, real=real).table


# processes


def wait_until(condition: Callable[[], bool], process: subprocess.Popen | None = None) -> None:
    """Wait until a condition holds; fail only if the process that brings it about has ended."""
    while not condition():
        ended = process is not None and process.poll() is not None
        if ended and not condition():  # it may have ended right after the last look
            error = process.stderr.read() if process.stderr else ""
            raise AssertionError(f"the process ended with {process.returncode}: {error}")
        time.sleep(0.005)


def is_running(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# corpora


def put_audio(root: Path, *names: str) -> None:
    """Make empty audio files: the corpus readers never open them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def put_text(root: Path, name: str, *lines: str) -> Path:
    """Write lines to a file below a folder and return its path."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def sound(seconds: float, seed: int) -> np.ndarray:
    """Make a sine and noise; the seed sets the pitch: float32 at 16 kHz."""
    rng = np.random.default_rng(seed)
    pitch = np.sin(2 * np.pi * (100 + 20 * seed) * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    return (0.2 * pitch + 0.05 * rng.normal(size=len(pitch))).astype(np.float32)


def make_audio(folder: Path, files: int = 8, seconds: float = 2.0) -> Path:
    """Write `fake/` and `real/` with recordings of different pitches."""
    for number, label in enumerate(("fake", "real")):
        (folder / label).mkdir(parents=True)
        for file in range(files):
            samples = sound(seconds, 100 * number + file)
            soundfile.write(folder / label / f"{file:02}.wav", samples, RATE_HZ)
    return folder


def write_voices(folder: Path, names: list[str], seconds: float = 1.0) -> None:
    """Write voice-like recordings at 22,050 Hz."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, make_voice("real", number, seconds), 22_050)


# results


def manifest(folder: Path = Path("data/mine")) -> list[dict[str, str]]:
    """Read the manifest of a data folder."""
    return read_rows(folder / "manifest.csv")


def read_table(folder: Path) -> list[dict[str, str]]:
    """Read the labels of a corpus that make_fakes.py made."""
    return read_rows(folder / "labels.csv")


def weights_of(run: Run) -> dict[str, bytes]:
    """Return the bytes of each array of the kept weights and of the optimizer's state."""
    arrays = {}
    with zipfile.ZipFile(run.keras_model) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()].tobytes()})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return arrays


def check_same(run: Run, other: Run) -> None:
    """Fail unless two runs have the same history and the same weights."""
    assert run.history.read_text() == other.history.read_text()
    assert weights_of(run) == weights_of(other)


# vocoders


def make_tiny(monkeypatch) -> None:
    """Replace each kind of vocoder by a network that a test has time to train."""
    from deepfake_audio.vocoders import networks, training

    monkeypatch.setattr(training, "BATCH", 2)
    for kind, build in tiny_networks().items():
        recipe = networks.RECIPES[kind]
        small = {"build": build, "segment_samples": 2560}
        monkeypatch.setitem(networks.RECIPES, kind, networks.Recipe(**vars(recipe) | small))


def without_graphs(monkeypatch) -> None:
    """Let vocoders train step by step: tracing takes longer than the one or two steps of a test."""
    from deepfake_audio.vocoders import networks

    traced = networks.tf.function

    def as_it_is(function=None, **options):
        return traced(function, **options) if options else function  # Keras has options

    monkeypatch.setattr(networks.tf, "function", as_it_is)


def tiny_networks() -> dict[str, Callable]:
    """Return a function that builds a small network, for each kind of vocoder."""
    from deepfake_audio.vocoders import networks

    return {
        "istft": partial(networks.istft_network, 16, blocks=1),
        "istft_adversarial": partial(networks.istft_network, 16, blocks=1),
        "upsampling": partial(networks.upsampling_network, 16),
        "codec": partial(networks.codec_network, 24),
    }


# the service


@dataclass
class Service:
    """A running serve.py: its process, its address, and its folder for temporary files."""

    process: subprocess.Popen
    port: int
    temporary: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port)

    def ask(self, method: str, path: str, body=None, **headers: str) -> tuple[int, dict]:
        """Send one request; return the status and the JSON of the answer."""
        connection = self.connect()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        return answer.status, content

    def begin(self, recording: bytes) -> tuple[http.client.HTTPConnection, Iterator[dict]]:
        """Send a recording; return the connection, and the lines of the answer as they come."""
        connection = self.connect()
        headers = {"Accept": "application/x-ndjson"}
        connection.request("POST", "/api/v1/predict?name=long.wav", recording, headers)
        return connection, map(json.loads, connection.getresponse())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the processes that judge, so that their recordings stay in work."""
        workers = psutil.Process(self.process.pid).children()
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in filter(is_running, workers):
                worker.resume()

    def leftovers(self) -> list[Path]:
        return [path for path in self.temporary.rglob("*") if path.is_file()]


@contextmanager
def running_service(folder: Path, *args: str) -> Iterator[Service]:
    """Start serve.py on a free port in a folder, and end it."""
    temporary = folder / "tmp"
    temporary.mkdir()
    with (folder / "service.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "serve.py"), "--port", "0", *args], cwd=folder,
            stdout=subprocess.PIPE, stderr=log, text=True,
            env=os.environ | {"TMPDIR": str(temporary)},
        )  # fmt: skip
    try:
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert found, f"{said}{(folder / 'service.log').read_text()}"
        yield Service(process, int(found[1]), temporary)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
