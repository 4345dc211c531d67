"""The network: convolutions from a spectrogram image to P(real), or an ensemble of such networks.

    python model.py        the layers of the network of config.yaml

Shapes in the margin are those of config.yaml: images of 128 x 96 pixels, one network.
"""

import keras
from keras import layers

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.network_sections import ImageSettings, ModelSettings
from deepfake_audio.training.layers import (
    LOGIT,
    MOMENTUM,
    Channel,
    Ensemble,
    LocalContrast,
    OneSidedEvidence,
    StatisticsPooling2D,
)
from deepfake_audio.vocabulary import (
    HARMONIC_COLUMNS,
    HARMONIC_ROWS,
    WITH_DELAY,
    ZERO_DELAY,
    ZERO_PROMINENCE,
)


# fmt: off
def convolutional_layers(s: ModelSettings, image: ImageSettings, name: str) -> list[keras.Layer]:
    """Return the layers from the image to the log-odds of real; `name` is its input."""
    weights = {"use_bias": not s.batch_norm, "kernel_initializer": "he_normal"}
    network = input_layers(s, image, name)                                  # (128, 96, 1)
    pool_sizes = s.pool_sizes or [[2, 2]] * len(s.conv_filters)
    for filters, pool_size in zip(s.conv_filters, pool_sizes, strict=True):
        for number in range(1, s.convs_per_block + 1):
            last = number == s.convs_per_block
            network += [                                                    # first of five blocks:
                layers.Conv2D(filters, s.kernel_size, padding=s.padding, **weights),  # (128, 96, 8)
                layers.MaxPooling2D(pool_size) if last else None,           # (64, 48, 8)
                layers.BatchNormalization(momentum=MOMENTUM) if s.batch_norm else None,
                layers.ReLU(),                                              # the fifth: (4, 3, 128)
            ]
    network += [
        POOLING[s.pooling](name="pool"),                                    # (128,)
        layers.Dense(s.dense_units, activation="relu", name="dense"),       # (64,)
        layers.Dropout(s.dropout, name="dropout"),                          # (64,)
        layers.Dense(1, name=LOGIT, dtype="float32"),                       # (1,) log-odds of real
    ]
    return [layer for layer in network if layer]


def build_model(settings: ModelSettings, image: ImageSettings) -> keras.Sequential:
    """Build the network, not compiled.

    Args:
        settings: filters of each block, the layers between and after them, the input of each
            network.
        image: its size and channels.

    Returns:
        A model from float `(batch, height, width, channels)` in 0...255 to P(real) `(batch, 1)`.

    Raises:
        ValueError: the image is too small for the number of blocks.
    """
    networks = []
    for name in settings.inputs:
        build_layers = frame_rate_layers if name == "frame_rates" else convolutional_layers
        networks.append(build_layers(settings, image, name))
    if len(networks) > 1:
        members = [keras.Sequential(each, name=f"member_{n}") for n, each in enumerate(networks, 1)]
        networks = [[Ensemble(members, name=LOGIT, dtype="float32")]]
    return keras.Sequential([
        keras.Input(image.shape),                                           # (128, 96, 1), 0...255
        *networks[0],                                                       # (1,) log-odds of real
        layers.Activation("sigmoid", name="p_real", dtype="float32"),       # (1,) P(real)
    ])
# fmt: on


POOLING = {
    "average": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
    "statistics": StatisticsPooling2D,
    "flatten": layers.Flatten,
}
CONTRAST_SCALE = 1 / 48  # grey levels to about unit variance, after the local mean is subtracted
DELAY_SCALE = 1 / 64  # of the image's second channel, to about unit variance
RATES_SCALE = 1 / 32  # of its third


def input_layers(s: ModelSettings, image: ImageSettings, name: str) -> list[keras.Layer]:
    """Return the layers from the image to a network's input, of about unit variance."""
    windows = {
        "frequency_residual": (s.residual_rows, 1),
        "delay_residual": (s.residual_rows, 1),
        "time_residual": (1, s.residual_columns),
    }
    whole_name = name.removeprefix("lower_")
    if "delay" in name:
        channel, scale = Channel(1, zero=ZERO_DELAY, name="delay"), DELAY_SCALE
    else:
        channel = Channel(0, name="level") if image.channels in WITH_DELAY else None
        scale = 1 / 255 if whole_name == "levels" else CONTRAST_SCALE
    lower = contrast = None
    if name != whole_name:
        lower = layers.Cropping2D(((s.hidden_rows, 0), (0, 0)), name="lower")
    if whole_name in windows:
        contrast = LocalContrast(*windows[whole_name], name="residual")
    return [channel, layers.Rescaling(scale, name="rescale"), lower, contrast]


def frame_rate_layers(s: ModelSettings, image: ImageSettings, name: str) -> list[keras.Layer]:
    """Return the layers of a network that takes the strength of each frame rate.

    The same filters apply to every rate, so that the network finds a vocoder also at a rate that no
    training file has.
    """
    first, last = s.rate_filters
    columns = (1, HARMONIC_COLUMNS)
    weights = {"use_bias": not s.batch_norm, "kernel_initializer": "he_normal"}

    def convolution(filters: int, size: tuple[int, int], **strides) -> list[keras.Layer]:
        norm = layers.BatchNormalization(momentum=MOMENTUM) if s.batch_norm else None
        return [layers.Conv2D(filters, size, **weights, **strides), norm, layers.ReLU()]

    # fmt: off
    network = [                                                             # as in unseen.yaml:
        Channel(2, zero=ZERO_PROMINENCE, name="rates"),                     # (256, 96, 1)
        layers.Rescaling(RATES_SCALE, name="rescale"),                      # (256, 96, 1)
        layers.AveragePooling2D((image.height // HARMONIC_ROWS, 1)),        # (16, 96, 1)
        *convolution(first, columns, strides=columns),                      # (16, 12, 16), 12 rates
        *convolution(last, (HARMONIC_ROWS, 1)),                             # (1, 12, 32)
        *convolution(last, (1, 1)),                                         # (1, 12, 32)
        POOLING["max"](name="pool"),                                        # (32,)
        layers.Dense(s.dense_units, activation="relu", name="dense"),       # (64,)
        layers.Dropout(s.dropout, name="dropout"),                          # (64,)
        layers.Dense(1, name="lines", dtype="float32"),                     # (1,)
        OneSidedEvidence(name=LOGIT, dtype="float32"),                      # (1,) log-odds of real
    ]
    # fmt: on
    return [layer for layer in network if layer]


if __name__ == "__main__":
    defaults = load_settings()
    build_model(defaults.model, defaults.image).summary()
