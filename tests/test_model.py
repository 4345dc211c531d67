import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from conftest import FRAME_RATES, ROOT
from deepfake_audio.config.loading import load_settings
from deepfake_audio.training.layers import (
    LOGIT,
    LocalContrast,
    OneSidedEvidence,
    StatisticsPooling2D,
)
from deepfake_audio.training.score_model import score_model
from deepfake_audio.training.weights import load_weights
from deepfake_audio.vocabulary import ZERO_PROMINENCE
from model import build_model

ON_THREE_CHANNELS = (
    "audio.delay_fft_samples=512", FRAME_RATES, "image.channels=level_delay_rates",
    "augment.shear_range=0", "augment.zoom_range=0",
)  # fmt: skip
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 128, 96, 1)).astype(np.float32)
LABELS = np.array([[0], [1]] * 4, np.float32)


def build(*overrides, config=None):
    keras.utils.set_random_seed(1)
    settings = load_settings(config, overrides)
    return build_model(settings.model, settings.image)


def build_on_three_channels(*inputs):
    """Build networks that look at levels, delays and frame rates of small pictures."""
    return build(
        *ON_THREE_CHANNELS, f"model.inputs=[{', '.join(inputs)}]", "model.conv_filters=[4, 4]"
    )


def outputs_of(model, images):
    return model(images, training=False).numpy()


def test_the_network_returns_probabilities():
    outputs = outputs_of(build(), IMAGES)
    assert outputs.shape == (8, 1)
    assert ((outputs > 0) & (outputs < 1)).all()


def test_network_is_small_enough_for_a_laptop():
    assert build().count_params() < 200_000


def check_estimate(most, *overrides, config=None):
    """Compare the weights that settings say a network has at most with those that it has."""
    settings = load_settings(config, overrides)
    count = build_model(settings.model, settings.image).count_params()
    megabytes, _ = settings.model.megabytes(settings.image.shape)
    assert count <= round(megabytes * 1e6 / 4) <= most * count, overrides


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pooling", "convs", "batch_norm"),  # each pair of values is in one of these
    [
        ("average", 1, "true"),
        ("average", 2, "false"),
        ("max", 1, "false"),
        ("max", 2, "true"),
        ("statistics", 1, "true"),
        ("statistics", 2, "false"),
        ("flatten", 1, "false"),
        ("flatten", 2, "true"),
    ],
)
def test_settings_estimate_the_weights_of_a_network(pooling, convs, batch_norm):
    chosen = (
        f"model.pooling={pooling}", f"model.convs_per_block={convs}",
        f"model.batch_norm={batch_norm}", "image.height=48", "image.width=43",
        "model.conv_filters=[4, 8]", "model.dense_units=6",
    )  # fmt: skip
    check_estimate(1, *chosen)
    check_estimate(1, *chosen, "image.channels=rgb", "model.kernel_size=4")
    check_estimate(1, *chosen, "model.pool_sizes=[[2, 3], [4, 1]]")
    check_estimate(1, *chosen, "model.inputs=[levels, frequency_residual, time_residual]")
    # If rows are hidden, fewer values are flattened.
    most = 1.7 if pooling == "flatten" else 1
    check_estimate(most, *chosen, "model.padding=valid")
    lower = "model.inputs=[levels, lower_frequency_residual]"
    check_estimate(most, *chosen, lower, "model.hidden_rows=20")


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", ["true", "false"])
@pytest.mark.parametrize(
    ("inputs", "most"),
    [
        ("[frame_rates]", 1),
        ("[frame_rates, frame_rates]", 1),
        ("[group_delay, lower_delay_residual, frame_rates]", 1.1),  # each sees one of 3 channels
    ],
)
def test_settings_estimate_the_weights_of_inputs_of_several_channels(inputs, most, batch_norm):
    chosen = (*ON_THREE_CHANNELS, f"model.inputs={inputs}", f"model.batch_norm={batch_norm}")
    check_estimate(most, *chosen)
    check_estimate(most, *chosen, "model.conv_filters=[8]", "model.dense_units=200")


@pytest.mark.slow
def test_settings_estimate_the_weights_of_the_configured_networks():
    check_estimate(1)
    check_estimate(1.01, config=ROOT / "unseen.yaml")
    check_estimate(1.2, config=ROOT / "benchmarks" / "tutorial.yaml")  # flattens what isn't padded


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model.batch_norm=false", "model.pooling=max"),
        ("model.pooling=flatten", "model.convs_per_block=2"),
        ("model.padding=valid", "model.conv_filters=[4, 4]"),
        (
            "model.pooling=statistics",
            "model.conv_filters=[4, 4]",
            "model.pool_sizes=[[4, 2], [2, 1]]",
        ),
    ],
)
def test_every_weight_learns(overrides):
    check_learning(build(*overrides), IMAGES)


@pytest.mark.slow
def test_every_weight_of_a_network_of_frame_rates_learns():
    check_learning(build_on_three_channels("frame_rates"), THREE_CHANNELS)


def check_learning(model, images):
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", run_eagerly=True)
    before = [weight.numpy() for weight in model.trainable_variables]
    model.fit(images, LABELS[: len(images)], epochs=3, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert (old != new.numpy()).any(), new.path


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "model.pooling=average",
        "model.pooling=statistics",
        "model.inputs=[frequency_residual]",
        "model.inputs=[levels, time_residual, levels]",
    ],
)
def test_score_is_the_log_odds_of_the_probability(override):
    check_score(build(override), IMAGES)


@pytest.mark.slow
def test_the_score_of_several_channels_is_the_log_odds_too():
    model = build_on_three_channels("group_delay", "time_residual", "frame_rates")
    check_score(model, THREE_CHANNELS)


def check_score(model, images):
    p_real = outputs_of(model, images).astype(np.float64)
    scores = outputs_of(score_model(model), images)
    np.testing.assert_allclose(scores, np.log(p_real / (1 - p_real)), atol=1e-5)


def test_statistics_pooling_gives_averages_and_then_standard_deviations():
    described = StatisticsPooling2D()(IMAGES / 255).numpy()
    np.testing.assert_allclose(described[:, 0], IMAGES.mean((1, 2, 3)) / 255, rtol=1e-5)
    np.testing.assert_allclose(described[:, 1], IMAGES.std((1, 2, 3)) / 255, rtol=1e-5)
    assert build("model.pooling=statistics").get_layer("pool").output.shape == (None, 256)


def test_the_residual_keeps_the_grain_without_envelope_and_channel():
    grain = np.random.default_rng(1).normal(0, 8, IMAGES.shape).astype(np.float32)
    rows, columns = np.mgrid[:128, :96][..., None].astype(np.float32)
    envelope = rows * (1 + columns / 96)  # a slope over frequency that moves with time
    channel = 20 * np.sin(rows / 3)  # stays through time
    plain = LocalContrast(31, 1)(grain).numpy()
    changed = LocalContrast(31, 1)(grain + envelope + channel).numpy()
    inside = slice(15, -15)
    np.testing.assert_allclose(changed[:, inside], plain[:, inside], atol=1e-3)
    assert np.corrcoef(plain.ravel(), grain.ravel())[0, 1] > 0.95


def test_each_input_has_its_own_residual():
    inputs = ("levels", "frequency_residual", "time_residual", "lower_frequency_residual")
    settings = ("model.conv_filters=[4, 4]", "model.residual_rows=5", "model.residual_columns=9")
    model = build(f"model.inputs=[{', '.join(inputs)}]", *settings)
    members = model.get_layer("logit").members
    windows = [
        [(layer.rows, layer.columns) for layer in member.layers if isinstance(layer, LocalContrast)]
        for member in members
    ]
    assert windows == [[], [(5, 1)], [(1, 9)], [(5, 1)]]
    assert [member.layers[0].scale for member in members] == [1 / 255, *[1 / 48] * 3]


@pytest.mark.slow
def test_a_lower_input_hides_the_highest_frequencies():
    inputs = "model.inputs=[lower_frequency_residual, frequency_residual]"
    lower, whole = build(inputs, "model.hidden_rows=20").get_layer("logit").members
    changed = IMAGES.copy()
    changed[:, :20] = 0
    np.testing.assert_array_equal(lower(changed), lower(IMAGES))
    assert np.abs(whole(changed) - whole(IMAGES)).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_each_member_of_an_ensemble_learns_independently(smoothing):
    settings = ("model.inputs=[levels, levels]", "model.dropout=0", "model.conv_filters=[4, 4]")
    model = build(*settings)
    alone = build(*settings)
    for number, member in enumerate(alone.get_layer("logit").members):
        both = keras.Sequential([keras.Input(IMAGES.shape[1:]), member])
        logits = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        both.compile(keras.optimizers.SGD(0.5), logits, run_eagerly=True)
        both.fit(IMAGES, LABELS, epochs=3, batch_size=8, verbose=0)
        assert number < 2
    sigmoid = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    model.compile(keras.optimizers.SGD(1.0), sigmoid, run_eagerly=True)  # the mean of two losses
    model.fit(IMAGES, LABELS, epochs=3, batch_size=8, verbose=0)
    np.testing.assert_allclose(outputs_of(model, IMAGES), outputs_of(alone, IMAGES), atol=1e-4)


@pytest.mark.slow
def test_members_of_an_ensemble_differ_and_their_mean_is_the_score():
    model = build("model.inputs=[levels, levels, levels]", "model.conv_filters=[4, 4]")
    votes = [outputs_of(member, IMAGES) for member in model.get_layer("logit").members]
    assert all(np.abs(votes[0] - other).max() > 1e-3 for other in votes[1:])
    mean = np.mean(votes, axis=0)
    np.testing.assert_allclose(outputs_of(model, IMAGES), 1 / (1 + np.exp(-mean)), atol=1e-6)


def test_each_block_pools_by_its_own_size_and_by_two_without_one():
    def shapes(*overrides):
        layers = build("model.conv_filters=[4, 8, 16]", *overrides).layers
        return [each.output.shape[1:] for each in layers if "pooling2d" in each.name]

    assert shapes() == [(64, 48, 4), (32, 24, 8), (16, 12, 16)]
    sizes = "model.pool_sizes=[[2, 2], [4, 1], [1, 3]]"
    assert shapes(sizes) == [(64, 48, 4), (16, 48, 8), (16, 16, 16)]


def test_tutorial_network_has_the_tutorials_shape():
    settings = load_settings(ROOT / "benchmarks" / "tutorial.yaml")
    model = build_model(settings.model, settings.image)
    assert model.input_shape == (None, 150, 150, 3)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D", "ReLU"]  # the tutorials' other order gives the same values
    end = ["Flatten", "Dense", "Dropout", "Dense", "Activation"]
    assert kinds == ["Rescaling", *block * 3, *end]
    filters = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [32, 32, 64]
    assert model.get_layer("dense").units == 64
    assert model.get_layer("dropout").rate == 0.5


@pytest.mark.parametrize(
    "overrides",
    [
        ("model.conv_filters=[4, 4, 4, 4, 4]",),
        ("model.conv_filters=[4, 4]", "model.pool_sizes=[[2, 2], [16, 1]]"),
    ],
)
def test_more_pooling_than_the_image_has_pixels_is_a_value_error(overrides):
    with pytest.raises(ValueError):
        build(*overrides, "image.height=16", "image.width=16")


THREE_CHANNELS = np.random.default_rng(2).integers(0, 256, (4, 128, 96, 3)).astype(np.float32)
THREE_CHANNELS *= np.float32([0.25, 0.5, 0.75, 1])[:, None, None, None]


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("levels", 0),
        ("frequency_residual", 0),
        ("group_delay", 1),
        ("lower_group_delay", 1),
        ("delay_residual", 1),
        ("lower_delay_residual", 1),
        ("frame_rates", 2),
    ],
)
def test_an_input_depends_only_on_its_own_channel(name, channel):
    model = build_on_three_channels(name)
    for changed in (0, 1, 2):
        images = THREE_CHANNELS.copy()
        images[..., changed] = images[::-1, ..., changed]
        moved = np.abs(model(images) - model(THREE_CHANNELS)).max()
        assert (moved > 1e-4) == (changed == channel)


def test_every_frame_rate_is_processed_in_the_same_way():
    model = build_on_three_channels("frame_rates")
    images = THREE_CHANNELS.copy()
    by_rate = images[..., 2].reshape(4, 128, 12, 8)
    images[..., 2] = by_rate[:, :, np.roll([3, 5, 0, 2, 1, 4, 6, 8, 7, 11, 10, 9], 4)].reshape(
        4, 128, 96
    )
    assert np.abs(images - THREE_CHANNELS).max() > 100
    np.testing.assert_allclose(model(images), model(THREE_CHANNELS), atol=1e-5)


def test_a_line_at_one_frame_rate_changes_the_score():
    model = build_on_three_channels("frame_rates")
    quiet = np.full((1, 128, 96, 3), ZERO_PROMINENCE, np.float32)
    moved = []
    for rate in range(12):
        lines = quiet.copy()
        lines[:, :, rate * 8, 2] = 255
        moved.append(float(model(lines)[0, 0] - model(quiet)[0, 0]))
    assert abs(moved[0]) > 1e-3
    np.testing.assert_allclose(moved, moved[0], atol=1e-5)


def test_without_evidence_a_label_teaches_nothing():
    layer = OneSidedEvidence()
    scores = keras.ops.convert_to_tensor([[9.0], [12.0], [-3.0]])
    in_training = keras.ops.convert_to_numpy(layer(scores, training=True))
    np.testing.assert_allclose(in_training[:2], 0, atol=1e-3)
    assert in_training[2] == pytest.approx(-3, abs=0.1)
    for _ in range(60):
        layer(scores, training=True)
    np.testing.assert_allclose(layer(scores), [[-1.5], [1.5], [-13.5]], atol=0.1)
    before = float(layer.running_mean)
    layer(scores[2:], training=True)  # nothing in it that counts
    assert float(layer.running_mean) == before


@pytest.mark.slow
def test_the_mean_score_without_evidence_is_stored_with_the_weights(tmp_path):
    model = build_on_three_channels("frame_rates")
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    model.fit(THREE_CHANNELS, LABELS[:4], epochs=2, verbose=0)
    assert float(model.get_layer(LOGIT).running_mean) != 0
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(THREE_CHANNELS), model(THREE_CHANNELS))
    np.testing.assert_allclose(
        keras.ops.sigmoid(score_model(model)(THREE_CHANNELS)), model(THREE_CHANNELS), atol=1e-6
    )


def test_a_residual_of_delays_is_the_difference_from_the_rows_around():
    member = build_on_three_channels("delay_residual")
    seen = keras.Model(member.inputs[0], member.get_layer("residual").output)
    later = THREE_CHANNELS.copy()
    later[..., 1] += 20  # all frequencies alike
    np.testing.assert_allclose(seen(later), seen(THREE_CHANNELS), atol=1e-4)
    assert np.abs(seen(THREE_CHANNELS)).max() > 0.5


def test_no_delay_is_zero_to_the_network():
    member = build_on_three_channels("group_delay")
    seen = keras.Model(member.inputs[0], member.get_layer("rescale").output)
    np.testing.assert_array_equal(seen(np.full((1, 128, 96, 3), 128, np.float32)), 0)


OLD_LAYERS = {
    "local_contrast": "residual", "one_sided_evidence": "nothing_found", "ensemble": "committee",
}  # fmt: skip


@pytest.mark.slow
def test_weights_under_the_old_names_of_layers_are_loaded(tmp_path):
    inputs = ("frequency_residual", "frame_rates", "frame_rates")
    model = build_on_three_channels(*inputs)
    for number, values in enumerate(model.weights):
        values.assign(keras.ops.full(values.shape, number))
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extractall(tmp_path / "unpacked")
    renamed = rename_layers(tmp_path / "unpacked" / "model.weights.h5")
    assert {name.rpartition("/")[2] for name in renamed} == {*OLD_LAYERS.values()}
    with zipfile.ZipFile(tmp_path / "old.keras", "w") as archive:
        for path in (tmp_path / "unpacked").iterdir():
            archive.write(path, path.name)
    loaded = build_on_three_channels(*inputs)
    load_weights(loaded, tmp_path / "old.keras", load_settings().limits)
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def rename_layers(weights):
    """Give layers the names that their classes had in older runs; return the new names."""
    names, renamed = [], []
    with h5py.File(weights, "r+") as file:
        file.visit(names.append)
        for name in sorted(names, key=len, reverse=True):
            parent, _, last = name.rpartition("/")
            if last in OLD_LAYERS:
                renamed.append(f"{parent}/{OLD_LAYERS[last]}")
                file.move(name, renamed[-1])
    return renamed


@pytest.mark.slow
def test_the_script_prints_the_layers():
    command = [sys.executable, str(ROOT / "model.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Conv2D" in printed and "Trainable params" in printed
