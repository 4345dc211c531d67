"""Networks that compute in integers: nearly the same scores, and accepted like any other."""

import numpy as np
import onnx
import pytest

import calibrate
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError
from deepfake_audio.models import onnx_session
from deepfake_audio.models.onnx_check import check_graph
from deepfake_audio.models.quantization import quantize
from deepfake_audio.training.score_model import score_model
from model import build_model

SETTINGS = load_settings(None, ["model.conv_filters=[16, 32, 32]", "image.height=64"])


@pytest.mark.slow
def test_integers_give_nearly_the_same_scores(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (24, *SETTINGS.image.shape), np.uint8)
    images = images // np.linspace(1, 8, 24, dtype=np.uint8)[:, None, None, None]
    network = score_model(build_model(SETTINGS.model, SETTINGS.image))
    network.predict(images[:1].astype(np.float32), verbose=0)
    source, target = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    network.export(source, format="onnx", verbose=False)
    quantize(source, target, images[::2], SETTINGS.limits)
    exact, close = (
        onnx_session.score_images(onnx_session.load_model(path, 1, SETTINGS.limits), images)
        for path in (source, target)
    )
    assert (close != exact).all()
    assert np.corrcoef(close, exact)[0, 1] > 0.99
    assert target.stat().st_size < 0.6 * source.stat().st_size
    weights = [each.data_type for each in onnx.load(target).graph.initializer]
    assert onnx.TensorProto.INT8 in weights
    with pytest.raises(InputError, match="computes in integers already; leave out --int8"):
        quantize(target, tmp_path / "again.onnx", images[::2], SETTINGS.limits)


@pytest.mark.parametrize("part", ["scale", "attribute"])
def test_integers_of_a_computed_range_are_refused(part):
    scale = "x" if part == "scale" else "stored"
    extra = {"block_size": 2} if part == "attribute" else {}
    node = onnx.helper.make_node("QuantizeLinear", ["x", scale], ["y"], **extra)
    stored = onnx.numpy_helper.from_array(np.ones(1, np.float32), "stored")
    graph = onnx.helper.make_graph([node], "g", [], [], [stored])
    with pytest.raises(InputError, match="a QuantizeLinear whose range is not stored"):
        check_graph(onnx.helper.make_model(graph).SerializeToString(), "m", SETTINGS.limits)


def test_integers_need_recordings(capsys):
    assert calibrate.main(["--data", "data/dark", "--int8"]) == 2
    assert "--int8 works only with --recordings" in capsys.readouterr().err
