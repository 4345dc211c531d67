"""Readers never wait for a pipe, even if it replaces a file."""

import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile

from conftest import ROOT, make_data_folder, make_voice
from deepfake_audio.audio.decoding import read_blocks
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.yaml_files import read_yaml
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.corpora.splits import find_repeated, mark_of
from deepfake_audio.dataset.journal import read_journal
from deepfake_audio.dataset.manifest import read_manifest
from deepfake_audio.dataset.provenance import read_origin
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.result_folder import read_metrics
from deepfake_audio.features.image_files import is_image, read_image
from deepfake_audio.inference.earlier_tables import check_table, set_aside
from deepfake_audio.models import run_folder
from deepfake_audio.models.history import read_history
from deepfake_audio.models.onnx_session import read_model
from deepfake_audio.models.record_files import read_record
from deepfake_audio.system.regular_files import open_regular
from deepfake_audio.training.weights import load_weights
from helpers import read_scores
from model import build_model

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
SETTINGS = load_settings()
SHIPPED = ROOT / "models" / "pretrained"
COLUMNS = ("image", "label", "split")
OPENS = 400
MAX_SWAPS = 20_000  # during one read, which takes a few


def network():
    settings = load_settings(None, ["image.height=32", "image.width=32"])
    return build_model(settings.model, settings.image)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "an image": ("x.png", lambda path: read_image(path, SETTINGS.image)),
    "its kind": ("x", is_image),
    "sound": ("x.wav", lambda path: list(read_blocks(path, 16000))),
    "sound for FFmpeg": ("x.flac", lambda path: list(read_blocks(path, 16000))),
    "equal sounds": (
        "x.wav",
        lambda path: find_repeated([Clip(path, name, "real") for name in ("a", "b")]),
    ),
    "a mark": ("x.wav", mark_of),
    "a model": ("model.onnx", lambda path: read_model(path, SETTINGS.limits)),
    "settings": ("config.yaml", read_yaml),
    "a record": ("run.json", lambda path: read_record(run_folder.Run(path.parent))),
    "a history": ("history.csv", lambda path: read_history(run_folder.Run(path.parent))),
    "a manifest": ("manifest.csv", read_manifest),
    "an origin": ("corpus.json", lambda path: read_origin(path.parent)),
    "a journal": ("prepared.jsonl", read_journal),
    "scores": ("scores.csv", lambda path: read_scores(path, None, None)),
    "figures": ("metrics.json", lambda path: read_metrics(path.parent)),
    "verdicts": ("v.csv", check_table),
    "verdicts on files": ("v.csv", lambda path: set_aside(path, path, COLUMNS, COLUMNS)),
}


def make_content(kind: str, path: Path) -> None:
    """Write a file that a reader reads to its end."""
    if path.suffix in (".wav", ".flac"):
        soundfile.write(path, make_voice("real", 1), 16000)
    elif kind == "an image":
        shown = make_data_folder(path.parent / "tiny", images_per_class=1) / "test/fake/00.png"
        path.write_bytes(shown.read_bytes())
    elif (SHIPPED / path.name).is_file():
        path.write_bytes((SHIPPED / path.name).read_bytes())
    else:
        path.write_text(f"{','.join(COLUMNS)}\n")


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_is_swapped_for_a_pipe_is_never_waited_for(kind, tmp_path):
    """A link leads to a file and to a pipe by turns, while it is read again and again."""
    name, read = READERS[kind]
    file, pipe, link = tmp_path / f"file-{name}", tmp_path / "pipe", tmp_path / name
    make_content(kind, tmp_path / name)
    link.rename(file)
    os.mkfifo(pipe)
    link.symlink_to(file)
    reads = []

    def read_often() -> None:
        for _ in range(OPENS):
            with suppress(InputError, OSError):
                read(link)
            reads.append(None)

    reading = threading.Thread(target=read_often, daemon=True)
    reading.start()
    swaps = Counter()  # by the number of reads before them
    for number in itertools.count():
        waiting = tmp_path / f".link-{number % 2}"
        waiting.symlink_to((file, pipe)[number % 2])
        waiting.replace(link)
        swaps[len(reads)] += 1
        assert swaps[len(reads)] < MAX_SWAPS, "a read waits for the pipe"
        if not reading.is_alive():
            break
    assert len(reads) == OPENS


def test_weights_are_read_from_a_copy_and_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "model.keras")
    with pytest.raises(InputError, match="a pipe"):
        load_weights(network(), tmp_path / "model.keras", SETTINGS.limits)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a pipe"),
        (os.mkdir, "a folder"),
        (lambda path: Path(path).symlink_to(os.devnull), "a device"),
        (lambda path: Path(path).touch(), "is empty"),
        (lambda path: Path(path).symlink_to("nowhere"), "No such file"),
    ],
    ids=["pipe", "folder", "device", "empty", "dangling link"],
)
def test_only_a_regular_file_that_is_not_empty_is_opened(make, reason, tmp_path):
    make(tmp_path / "it")
    with pytest.raises(InputError, match=reason):
        open_regular(tmp_path / "it", "A file")
