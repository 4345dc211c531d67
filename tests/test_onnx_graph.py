from pathlib import Path

import numpy as np
import onnx
import pytest

from conftest import ROOT, TINY_SETTINGS
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import UserError
from deepfake_audio.models.onnx_check import check_graph
from model import build_model, score_model

# Between them every choice that changes the layers, but for views of several channels.
CHOICES = (
    ("same", "true", "average", "grayscale", 3, 1, 32, "[levels]"),
    ("valid", "false", "max", "rgb", 4, 2, 41, "[frequency_residual]"),
    ("same", "false", "flatten", "rgb", 2, 1, 33, "[levels, lower_frequency_residual]"),
    ("same", "true", "statistics", "grayscale", 3, 1, 32, "[time_residual]"),
)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice[2])
def test_every_network_that_settings_ask_for_is_taken(choice, tmp_path):
    names = (
        "model.padding", "model.batch_norm", "model.pooling", "image.color", "model.kernel_size",
        "model.convs_per_block", "image.width", "model.views",
    )  # fmt: skip
    chosen = [f"{name}={value}" for name, value in zip(names, choice, strict=True)]
    check_export(load_settings(None, [*TINY_SETTINGS, *chosen]), tmp_path)


@pytest.mark.parametrize("batch_norm", ["true", "false"])
def test_networks_of_delays_and_frame_rates_are_taken(batch_norm, tmp_path):
    small = ("model.views=[delay_residual, frame_rates]", "model.conv_filters=[4]")
    check_export(
        load_settings(ROOT / "unseen.yaml", [*small, f"model.batch_norm={batch_norm}"]), tmp_path
    )


def test_an_operator_whose_name_is_not_printable_is_told_on_one_line():
    graph = onnx.GraphProto(node=[onnx.NodeProto(op_type="Re\n\x1blu")])
    encoded = onnx.ModelProto(graph=graph).SerializeToString()
    with pytest.raises(UserError, match=r"^.*with the operator Re\\n\\x1blu\. .*$"):
        check_graph(encoded, "model.onnx")


def check_export(settings: Settings, tmp_path: Path) -> None:
    model = score_model(build_model(settings.model, settings.image))
    model.predict(np.zeros((1, *settings.image.shape), np.float32), verbose=0)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    check_graph((tmp_path / "model.onnx").read_bytes(), "an export")
