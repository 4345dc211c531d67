from pathlib import Path

import numpy as np
import onnx
import pytest

from conftest import ROOT, TINY_SETTINGS
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError
from deepfake_audio.models.onnx_check import check_graph
from deepfake_audio.training.score_model import score_model
from model import build_model

# Between them every choice that changes the layers, but for inputs of several channels.
CHOICES = (
    ("same", "true", "average", "grayscale", 3, 1, 32, "[levels]"),
    ("valid", "false", "max", "rgb", 4, 2, 41, "[frequency_residual]"),
    ("same", "false", "flatten", "rgb", 2, 1, 33, "[levels, lower_frequency_residual]"),
    ("same", "true", "statistics", "grayscale", 3, 1, 32, "[time_residual]"),
)


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice[2])
def test_every_network_of_the_settings_is_accepted(choice, tmp_path):
    names = (
        "model.padding", "model.batch_norm", "model.pooling", "image.channels", "model.kernel_size",
        "model.convs_per_block", "image.width", "model.inputs",
    )  # fmt: skip
    chosen = [f"{name}={value}" for name, value in zip(names, choice, strict=True)]
    check_export(load_settings(None, [*TINY_SETTINGS, *chosen]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", ["true", "false"])
def test_networks_of_delays_and_frame_rates_are_accepted(batch_norm, tmp_path):
    small = ("model.inputs=[delay_residual, frame_rates]", "model.conv_filters=[4]")
    check_export(
        load_settings(ROOT / "unseen.yaml", [*small, f"model.batch_norm={batch_norm}"]), tmp_path
    )


def test_an_operator_with_an_unprintable_name_is_reported_on_one_line():
    graph = onnx.GraphProto(node=[onnx.NodeProto(op_type="Re\n\x1blu")])
    encoded = onnx.ModelProto(graph=graph).SerializeToString()
    with pytest.raises(InputError, match=r"^.*with the operator Re\\n\\x1blu; .*$"):
        check_graph(encoded, "model.onnx", load_settings().limits)


def counted(encoded: bytes, limits, billions: float) -> bool:
    """Return whether a model is accepted with this limit."""
    limits = limits.model_copy(update={"model_gigamultiplications": billions})
    try:
        return bool(check_graph(encoded, "model.onnx", limits))
    except InputError as error:
        assert f"limits.model_gigamultiplications={billions:g}" in str(error)
        return False


def test_multiplications_of_a_layer_follow_from_its_shapes():
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    weights = [
        onnx.numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in (("k", (40, 10, 5, 5)), ("d", (40 * 96 * 96, 2)))
    ]
    graph = onnx.helper.make_graph(
        [
            node("Conv", ["x", "k"], ["c"], group=2), node("Flatten", ["c"], ["f"]),
            node("MatMul", ["f", "d"], ["y"]),
        ],
        "g",
        [info("x", onnx.TensorProto.FLOAT, [None, 20, 100, 100])],
        [info("y", onnx.TensorProto.FLOAT, [None, 1])],  # which is not true
        weights,
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 15)]
    encoded = onnx.helper.make_model(graph, opset_imports=opset).SerializeToString()
    values = 40 * 96 * 96
    touched = 20 * 100 * 100 + 10_000 + 4 * values + 2 * values + 2 + 3 * 1000
    exact = (values * 10 * 25 + values * 2 + 10 * touched) / 1e9
    limits = load_settings().limits
    assert counted(encoded, limits, exact * 1.0001)
    assert not counted(encoded, limits, exact * 0.9999)


def test_unknown_fields_of_a_model_are_removed():
    shipped = (ROOT / "models" / "pretrained" / "model.onnx").read_bytes()
    unknown = b"\x98\x3f\x01"  # a number under the field 1011
    assert check_graph(shipped + unknown, "model.onnx", load_settings().limits) == shipped


def test_the_multiplications_of_the_shipped_network_are_counted():
    shipped = (ROOT / "models" / "pretrained" / "model.onnx").read_bytes()
    limits = load_settings().limits
    assert not counted(shipped, limits, 0.1)
    assert counted(shipped, limits, 0.6)


def check_export(settings: Settings, tmp_path: Path) -> None:
    model = score_model(build_model(settings.model, settings.image))
    model.predict(np.zeros((1, *settings.image.shape), np.float32), verbose=0)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    encoded = (tmp_path / "model.onnx").read_bytes()
    # The check must accept the export of every network that the settings can train.
    assert counted(
        encoded, settings.limits, settings.model.gigamultiplications(settings.image.shape)
    )
