"""The run folder: the names of its files."""

from dataclasses import dataclass
from pathlib import Path

from deepfake_audio.config.loading import ROOT

RUNS = Path("runs")
PRETRAINED = ROOT / "models" / "pretrained"


@dataclass(frozen=True)
class Run:
    """The paths of one run."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def record(self) -> Path:
        return self.folder / "run.json"

    @property
    def keras_model(self) -> Path:
        return self.folder / "model.keras"

    @property
    def onnx_model(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def next_record(self) -> Path:
        """Return the path of the record that belongs to `next_model`."""
        return self.folder / "run.next.json"

    @property
    def next_model(self) -> Path:
        return self.folder / "model.next.onnx"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def start_weights(self) -> Path:
        """Return the path of the weights of another run that the training starts from."""
        return self.folder / "start.keras"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    @property
    def tensorboard(self) -> Path:
        return self.folder / "tensorboard"
