import keras
import numpy as np
import pytest

from conftest import ROOT
from deepfake_audio.config import load_settings
from model import build_model, score_model

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 128, 96, 1)).astype(np.float32)
LABELS = np.array([[0], [1]] * 4, np.float32)


def build(*overrides, shape=(128, 96, 1), config=None):
    keras.utils.set_random_seed(1)
    return build_model(load_settings(config, overrides).model, shape)


def test_probabilities_come_out():
    outputs = build().predict(IMAGES, verbose=0)
    assert outputs.shape == (8, 1)
    assert ((outputs > 0) & (outputs < 1)).all()


def test_network_is_small_enough_for_a_laptop():
    assert build().count_params() < 200_000


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model.batch_norm=false", "model.pooling=max"),
        ("model.pooling=flatten", "model.convs_per_block=2"),
        ("model.padding=valid", "model.conv_filters=[4, 4]"),
    ],
)
def test_every_weight_learns(overrides):
    model = build(*overrides)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="binary_crossentropy")
    before = [weight.numpy() for weight in model.trainable_variables]
    model.fit(IMAGES, LABELS, epochs=3, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert (old != new.numpy()).any(), new.path


def test_score_is_the_log_odds_of_the_probability():
    model = build()
    p_real = model.predict(IMAGES, verbose=0).astype(np.float64)
    scores = score_model(model).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(scores, np.log(p_real / (1 - p_real)), atol=1e-5)


def test_tutorial_network_has_the_tutorials_shape():
    settings = load_settings(ROOT / "benchmarks" / "tutorial.yaml")
    model = build_model(settings.model, settings.image.shape)
    assert model.input_shape == (None, 150, 150, 3)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D", "ReLU"]  # the tutorials' other order gives the same values
    end = ["Flatten", "Dense", "Dropout", "Dense", "Activation"]
    assert kinds == ["Rescaling", *block * 3, *end]
    filters = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [32, 32, 64]
    assert model.get_layer("dense").units == 64
    assert model.get_layer("dropout").rate == 0.5


def test_too_many_blocks_for_the_image_is_a_value_error():
    with pytest.raises(ValueError):
        build("model.conv_filters=[4, 4, 4, 4, 4]", shape=(16, 16, 1))
