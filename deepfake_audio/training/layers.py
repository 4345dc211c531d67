"""The layers that Keras does not have; model.py builds the network with them."""

import keras

MOMENTUM = 0.9  # small data has few steps an epoch; 0.99 would lag behind the weights
LOGIT = "logit"  # the name of the layer whose output is the score: the log-odds of real


@keras.saving.register_keras_serializable("deepfake_audio")
class StatisticsPooling2D(keras.layers.Layer):
    """Return each channel's mean and standard deviation over the image.

    `(batch, height, width, channels)` becomes `(batch, 2 * channels)`. Snyder et al., "Deep Neural
    Network Embeddings for Text-Independent Speaker Verification", 2017, over time and frequency.
    Computes in 32-bit floats: near 0, the slope of the square root is too steep for 16.
    """

    def call(self, inputs):
        exact = keras.ops.cast(inputs, "float32")
        mean, variance = keras.ops.moments(exact, axes=(1, 2))
        deviation = keras.ops.sqrt(variance + keras.config.epsilon())
        statistics = keras.ops.concatenate([mean, deviation], axis=-1)
        return keras.ops.cast(statistics, self.compute_dtype)


@keras.saving.register_keras_serializable("deepfake_audio")
class Channel(keras.layers.Layer):
    """Select one channel of an image: `(batch, height, width, 1)`.

    Args:
        index: of the channel.
        zero: the level that becomes 0.
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
class LocalContrast(keras.layers.Layer):
    """Subtract from each level the mean of the levels around it.

    Subtracts the mean over a window around each pixel, then the mean of each row over time. This
    removes the words, the room and the microphone, and keeps the grain that a generator leaves.
    The layer is linear: a factor before it equals the same factor after it.

    Args:
        rows: height of the window, odd, in pixels.
        columns: width of the window, odd, in pixels.
    """

    def __init__(self, rows: int, columns: int, **named_keras_parameters):
        super().__init__(**named_keras_parameters)
        self.rows, self.columns = rows, columns

    def call(self, inputs):
        window = (self.rows, self.columns)
        contrast = inputs - keras.ops.average_pool(inputs, window, strides=1, padding="same")
        return contrast - keras.ops.mean(contrast, axis=2, keepdims=True)

    def get_config(self) -> dict:
        return super().get_config() | {"rows": self.rows, "columns": self.columns}


@keras.saving.register_keras_serializable("deepfake_audio")
class OneSidedEvidence(keras.layers.Layer):
    """Learn only from traces that are found; fakes without a trace teach nothing.

    In training, log-odds of real `z` count as `log(sigmoid(z))`, which is at most 0. An image
    without a trace has a high `z`, and then its label changes no weight, so that the many fakes
    without a trace do not teach chance patterns. This is a mixture in which a fake may look like a
    voice (as in Larsen et al., "Design of robust neural network classifiers", 1998). In inference
    the layer returns `z` minus the running mean of the `z` above 0. Without other networks beside
    it, such a network calls no image real in training, and its training and validation figures
    cannot be compared.

    Attributes:
        momentum: of the running mean of `z` above 0.
    """

    momentum = MOMENTUM

    def build(self, input_shape):
        self.running_mean = self.add_weight(
            name="running_mean", shape=(), trainable=False, initializer="zeros"
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        if not training:
            return inputs - self.running_mean
        count = keras.ops.sum(keras.ops.cast(inputs > 0, inputs.dtype))
        excess = keras.ops.sum(keras.ops.relu(inputs)) - count * self.running_mean
        step = (1 - self.momentum) / keras.ops.maximum(count, 1)
        self.running_mean.assign(self.running_mean + step * excess)
        return keras.ops.log_sigmoid(inputs)


@keras.saving.register_keras_serializable("deepfake_audio")
class Ensemble(keras.layers.Layer):
    """Average the log-odds of several networks that take the same image: `(batch, 1)`.

    Each member learns as if it were trained without the others (Lakshminarayanan et al., "Simple
    and Scalable Predictive Uncertainty Estimation using Deep Ensembles", 2017). The model's loss is
    the cross-entropy of the average, `softplus(average) - label * average`. Training adds the
    difference to the members' mean cross-entropy, which does not depend on the label. Class weights
    apply only to the first of the two.

    Args:
        members: networks from the layer's input to a float32 `(batch, 1)`.
    """

    def __init__(self, members: list[keras.Sequential], **named_keras_parameters):
        super().__init__(**named_keras_parameters)
        self.members = members

    def call(self, inputs, training=None):
        scores = [member(inputs, training=training) for member in self.members]
        scores = keras.ops.concatenate(scores, axis=-1)  # (batch, members)
        average = keras.ops.mean(scores, axis=-1, keepdims=True)
        if training:
            of_members = keras.ops.softplus(scores)
            self.add_loss(keras.ops.mean(of_members - keras.ops.softplus(average)))
        return average

    def get_config(self) -> dict:
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return super().get_config() | {"members": members}

    @classmethod
    def from_config(cls, config: dict) -> "Ensemble":
        members = [keras.saving.deserialize_keras_object(each) for each in config.pop("members")]
        return cls(members, **config)
