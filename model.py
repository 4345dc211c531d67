"""The network: a Sequential of convolution, pooling, dense and dropout, or several that vote.

    from deepfake_audio.config import load_settings
    settings = load_settings()
    build_model(settings.model, settings.image).summary()

Pixels from 0 to 255 go in, P(real) comes out. `python train.py` prints the table of layers.
"""

import keras
from keras import layers

from deepfake_audio.config.schema import ImageSettings, ModelSettings
from deepfake_audio.vocabulary import (
    HARMONIC_COLUMNS,
    HARMONIC_ROWS,
    WITH_DELAY,
    ZERO_DELAY,
    ZERO_PROMINENCE,
)

MOMENTUM = 0.9  # small data has few steps an epoch; 0.99 would lag behind the weights
RESIDUAL_SCALE = 1 / 48  # grey levels to about unit variance, once the smooth part is subtracted
DELAY_SCALE = 1 / 64  # of the image's second channel, to about unit variance
RATES_SCALE = 1 / 32  # of its third
LOGIT = "logit"  # the layer whose output is the score: the log-odds of real


@keras.saving.register_keras_serializable("deepfake_audio")
class StatisticsPooling2D(layers.Layer):
    """Describe each channel by its average over the image and its standard deviation.

    `(batch, height, width, channels)` to `(batch, 2 * channels)`. Snyder et al., "Deep Neural
    Network Embeddings for Text-Independent Speaker Verification", 2017, over time and frequency.
    In 32-bit floats always: the root's slope near 0 is too steep for 16.
    """

    def call(self, inputs):
        exact = keras.ops.cast(inputs, "float32")
        mean, variance = keras.ops.moments(exact, axes=(1, 2))
        deviation = keras.ops.sqrt(variance + keras.config.epsilon())
        described = keras.ops.concatenate([mean, deviation], axis=-1)
        return keras.ops.cast(described, self.compute_dtype)


@keras.saving.register_keras_serializable("deepfake_audio")
class Channel(layers.Layer):
    """Take one channel of an image, so that `zero` becomes 0.

    Args:
        index: which channel.
        zero: the level that is subtracted.
    """

    def __init__(self, index: int, zero: float = 0, **named_keras_parameters):
        super().__init__(**named_keras_parameters)
        self.index, self.zero = index, zero

    def call(self, inputs):
        channel = inputs[..., self.index : self.index + 1]
        return channel - self.zero if self.zero else channel

    def get_config(self) -> dict:
        return super().get_config() | {"index": self.index, "zero": self.zero}


@keras.saving.register_keras_serializable("deepfake_audio")
class Residual(layers.Layer):
    """Leave of each level what stands out of the levels around it.

    Subtracts the mean over a window around each pixel, then the mean of each row over time: what a
    voice says, and what a room or a microphone colours, goes; the grain that a generator leaves
    stays. Linear, so a factor before it may as well stand behind it.

    Args:
        rows: of the window, odd, in pixels.
        columns: likewise.
    """

    def __init__(self, rows: int, columns: int, **named_keras_parameters):
        super().__init__(**named_keras_parameters)
        self.rows, self.columns = rows, columns

    def call(self, inputs):
        window = (self.rows, self.columns)
        residual = inputs - keras.ops.average_pool(inputs, window, strides=1, padding="same")
        return residual - keras.ops.mean(residual, axis=2, keepdims=True)

    def get_config(self) -> dict:
        return super().get_config() | {"rows": self.rows, "columns": self.columns}


@keras.saving.register_keras_serializable("deepfake_audio")
class NothingFound(layers.Layer):
    """Let a network learn from what it finds, not from fakes in which there is nothing to find.

    In training the log-odds of real `z` count as `log(sigmoid(z))`, at most 0: where nothing is
    found a label changes no weight, so the many fakes without a trace don't teach chance patterns.
    That is a mixture in which a fake may look like a voice (as in Larsen et al., "Design of robust
    neural network classifiers", 1998). Afterwards `z` counts, less what it usually is where nothing
    is found: more or less than usual still says something. Alone, such a network calls no image
    real in training, and its training and validation figures can't be compared.

    Attributes:
        momentum: of the running mean of `z` where it is above 0.
    """

    momentum = MOMENTUM

    def build(self, input_shape):
        self.usual = self.add_weight(name="usual", shape=(), trainable=False, initializer="zeros")
        super().build(input_shape)

    def call(self, inputs, training=None):
        if not training:
            return inputs - self.usual
        count = keras.ops.sum(keras.ops.cast(inputs > 0, inputs.dtype))
        excess = keras.ops.sum(keras.ops.relu(inputs)) - count * self.usual
        step = (1 - self.momentum) / keras.ops.maximum(count, 1)
        self.usual.assign(self.usual + step * excess)
        return keras.ops.log_sigmoid(inputs)


@keras.saving.register_keras_serializable("deepfake_audio")
class Committee(layers.Layer):
    """Average the log-odds of networks that look at the same image: `(batch, 1)`.

    Each member learns as if it were alone (Lakshminarayanan et al., "Simple and Scalable Predictive
    Uncertainty Estimation using Deep Ensembles", 2017): to the cross-entropy of the average, which
    is `softplus(average) - label * average`, training adds what is missing to the members' mean
    cross-entropy, and that difference doesn't depend on the label. Class weights reach only the
    first of the two.

    Args:
        members: networks from the layer's input to a float32 `(batch, 1)`.
    """

    def __init__(self, members: list[keras.Sequential], **named_keras_parameters):
        super().__init__(**named_keras_parameters)
        self.members = members

    def call(self, inputs, training=None):
        votes = keras.ops.concatenate([m(inputs, training=training) for m in self.members], axis=-1)
        average = keras.ops.mean(votes, axis=-1, keepdims=True)
        if training:
            apart = keras.ops.softplus(votes)
            self.add_loss(keras.ops.mean(apart - keras.ops.softplus(average)))
        return average

    def get_config(self) -> dict:
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return super().get_config() | {"members": members}

    @classmethod
    def from_config(cls, config: dict) -> "Committee":
        members = [keras.saving.deserialize_keras_object(each) for each in config.pop("members")]
        return cls(members, **config)


def build_model(settings: ModelSettings, image: ImageSettings) -> keras.Sequential:
    """Build the network, not compiled.

    Args:
        settings: number of filters of each block, what stands between and after the blocks, and
            what each of the networks that vote looks at.
        image: its size, and what its channels show.

    Returns:
        A model from float `(batch, height, width, channels)` in 0...255 to P(real) `(batch, 1)`.

    Raises:
        ValueError: the image is too small for that many blocks.
    """
    members = [_member(view, settings, image) for view in settings.views]
    if len(members) > 1:
        networks = [keras.Sequential(each, name=f"member_{n}") for n, each in enumerate(members, 1)]
        members = [[Committee(networks, name=LOGIT, dtype="float32")]]
    p_real = layers.Activation("sigmoid", name="p_real", dtype="float32")
    return keras.Sequential([keras.Input(image.shape), *members[0], p_real])


def score_model(model: keras.Sequential) -> keras.Sequential:
    """Return the part of the network that ends before the sigmoid: its output is the score.

    Log-odds taken back from a float32 probability saturate at about 17; the logit does not.
    Rescaling goes into the weights of the first convolution, and everything is float32: the same
    scores, a fifth sooner.
    """
    upto = model.layers.index(model.get_layer(LOGIT)) + 1
    return keras.Sequential([keras.Input(model.input_shape[1:]), *_plain(model.layers[:upto])])


def members(model: keras.Sequential) -> list[keras.Model]:
    """Return the networks that vote; the model itself, where there is one."""
    whole = model.get_layer(LOGIT)
    return whole.members if isinstance(whole, Committee) else [model]


def _plain(stack: list[keras.Layer]) -> list[keras.Layer]:
    """Return new layers in float32 that do the same, the first convolution with the rescaling."""
    if isinstance(stack[0], Committee):
        members = [keras.Sequential(_plain(member.layers)) for member in stack[0].members]
        return [Committee(members, name=stack[0].name)]
    rescale = next(layer for layer in stack if isinstance(layer, layers.Rescaling))
    trained = [layer for layer in stack if layer is not rescale]
    plain = [layer.__class__.from_config(_in_float32(layer)) for layer in trained]
    for layer, original in zip(plain, trained, strict=True):
        layer.build(original.input.shape)
        layer.set_weights(original.get_weights())
    first = next(layer for layer in plain if isinstance(layer, layers.Conv2D))
    kernel, *bias = first.get_weights()
    first.set_weights([kernel * rescale.scale, *bias])
    return plain


def _in_float32(layer: keras.Layer) -> dict:
    return layer.get_config() | {"dtype": "float32"}


def _member(view: str, settings: ModelSettings, image: ImageSettings) -> list[keras.Layer]:
    """Return the layers from the image to the log-odds, of a network that looks at one view."""
    of_rates = view == "frame_rates"
    return [
        *_seen(view, settings, image),
        *(_each_rate(settings, image) if of_rates else _blocks(settings)),
        layers.Dense(settings.dense_units, activation="relu", name="dense"),
        layers.Dropout(settings.dropout, name="dropout"),
        layers.Dense(1, name="lines" if of_rates else LOGIT, dtype="float32"),
        *([NothingFound(name=LOGIT, dtype="float32")] if of_rates else []),
    ]


def _seen(view: str, settings: ModelSettings, image: ImageSettings) -> list[keras.Layer]:
    """Return the layers from the image to what a network sees of it, of about unit variance."""
    windows = {
        "frequency_residual": (settings.residual_rows, 1),
        "delay_residual": (settings.residual_rows, 1),
        "time_residual": (1, settings.residual_columns),
    }
    part = view.removeprefix("lower_")
    hidden = ((settings.hidden_rows, 0), (0, 0))
    if view == "frame_rates":
        taken, scale = [Channel(2, zero=ZERO_PROMINENCE, name="rates")], RATES_SCALE
    elif "delay" in part:
        taken, scale = [Channel(1, zero=ZERO_DELAY, name="delay")], DELAY_SCALE
    else:
        taken = [Channel(0, name="level")] if image.color in WITH_DELAY else []
        scale = 1 / 255 if part == "levels" else RESIDUAL_SCALE
    return [
        *taken,
        layers.Rescaling(scale, name="rescale"),
        *([layers.Cropping2D(hidden, name="lower")] if part != view else []),
        *([Residual(*windows[part], name="residual")] if part in windows else []),
    ]


def _blocks(settings: ModelSettings) -> list[keras.Layer]:
    """Return the blocks of convolution, and what describes the whole image by their numbers."""
    pool_sizes = settings.pool_sizes or [[2, 2]] * len(settings.conv_filters)
    blocks = zip(settings.conv_filters, pool_sizes, strict=True)
    described = [layer for filters, size in blocks for layer in _block(filters, size, settings)]
    return [*described, _pooling(settings.pooling)]


def _each_rate(settings: ModelSettings, image: ImageSettings) -> list[keras.Layer]:
    """Describe what stands out at each frame rate by the same filters: one place a rate.

    Whichever rate it is, it is looked at in the same way, so that a vocoder is found at a rate that
    no fake of the training had.
    """
    first, last = settings.rate_filters
    return [
        layers.AveragePooling2D((image.height // HARMONIC_ROWS, 1)),
        *_convolution(first, (1, HARMONIC_COLUMNS), settings, strides=(1, HARMONIC_COLUMNS)),
        *_convolution(last, (HARMONIC_ROWS, 1), settings),
        *_convolution(last, (1, 1), settings),
        _pooling("max"),
    ]


def _block(filters: int, pool_size: list[int], settings: ModelSettings) -> list[keras.Layer]:
    """Divide the image's sides by `pool_size` and describe each place by `filters` numbers.

    Pooling comes before normalisation and ReLU, which then have fewer places to do.
    """
    stack = []
    for number in range(1, settings.convs_per_block + 1):
        last = number == settings.convs_per_block
        pooled = (layers.MaxPooling2D(pool_size),) if last else ()
        stack += _convolution(
            filters, settings.kernel_size, settings, pooled, padding=settings.padding
        )
    return stack


def _convolution(
    filters: int,
    size: int | tuple[int, int],
    settings: ModelSettings,
    pooled: tuple[keras.Layer, ...] = (),
    **named_keras_parameters,
) -> list[keras.Layer]:
    """Return a convolution, what pools it, normalisation and ReLU."""
    convolution = layers.Conv2D(
        filters,
        size,
        use_bias=not settings.batch_norm,
        kernel_initializer="he_normal",
        **named_keras_parameters,
    )
    return [
        convolution,
        *pooled,
        *([layers.BatchNormalization(momentum=MOMENTUM)] if settings.batch_norm else []),
        layers.ReLU(),
    ]


def _pooling(name: str) -> keras.Layer:
    kinds = {
        "average": layers.GlobalAveragePooling2D,
        "max": layers.GlobalMaxPooling2D,
        "statistics": StatisticsPooling2D,
        "flatten": layers.Flatten,
    }
    return kinds[name](name="pool")
