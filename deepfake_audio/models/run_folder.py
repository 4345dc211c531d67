"""The run folder: the names of its files."""

from dataclasses import dataclass
from pathlib import Path

from deepfake_audio.config.loading import ROOT

RUNS = Path("runs")
PRETRAINED = ROOT / "models" / "pretrained"


def _part(name: str) -> property:
    """Make the property of a run that is the path of a file or folder in it."""
    return property(lambda run: run.folder / name)


@dataclass(frozen=True)
class Run:
    """The paths of one run."""

    folder: Path

    config = _part("config.yaml")
    record = _part("run.json")
    keras_model = _part("model.keras")
    onnx_model = _part("model.onnx")
    next_record = _part("run.next.json")  # that belongs to `next_model`
    next_model = _part("model.next.onnx")
    history = _part("history.csv")
    start_weights = _part("start.keras")  # of another run, that the training starts from
    backup = _part("backup")
    tensorboard = _part("tensorboard")

    @property
    def name(self) -> str:
        return self.folder.name
