"""The last layers of a network: their inputs, and a fit that changes nothing else."""

from collections.abc import Sequence

import keras
import numpy as np
from scipy import optimize

from deepfake_audio.training.layers import OneSidedEvidence
from deepfake_audio.training.score_model import member_networks

MIN_DEVIATION = 1e-6  # an input that never changes


class LastLayers:
    """The last dense layer of each network of an ensemble, or of a single network.

    The score is linear in their inputs: the mean over the networks of `inputs @ kernel + bias`,
    less the running mean of a `OneSidedEvidence` that follows.
    """

    def __init__(self, network: keras.Sequential):
        members = member_networks(network)
        self._layers = [
            [layer for layer in member.layers if isinstance(layer, keras.layers.Dense)][-1]
            for member in members
        ]
        self._shifts = [
            sum(
                float(layer.running_mean.numpy())
                for layer in member.layers
                if isinstance(layer, OneSidedEvidence)
            )
            for member in members
        ]
        image = keras.Input(network.input_shape[1:])
        parts = [
            keras.Model(member.inputs, layer.input)(image)
            for member, layer in zip(members, self._layers, strict=True)
        ]
        joined = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        self._model = keras.Model(image, joined)

    def inputs_of(self, files: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute the inputs of the last layers, averaged over the windows of each file.

        Args:
            files: of each, its images `(windows, height, width, channels)`.

        Returns:
            Of each file float32 `(inputs,)`.
        """
        if not files:
            return []
        of_windows = self._model.predict_on_batch(np.concatenate(files).astype(np.float32))
        ends = np.cumsum([len(images) for images in files])[:-1]
        return [part.mean(axis=0) for part in np.split(np.asarray(of_windows), ends)]

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Return the log-odds of real, float64 `(files,)`, for inputs `(files, inputs)`."""
        weights, bias = self._linear()
        return inputs @ weights + bias

    def replace(self, weights: np.ndarray, bias: float) -> None:
        """Set the kernels and biases so that the score is `inputs @ weights + bias`."""
        count, first = len(self._layers), 0
        for layer, shift in zip(self._layers, self._shifts, strict=True):
            kernel, _ = layer.get_weights()
            own = weights[first : first + len(kernel)]
            layer.set_weights([count * own[:, None], np.array([bias + shift])])
            first += len(kernel)

    def _linear(self) -> tuple[np.ndarray, float]:
        """Return the weights `(inputs,)` and the bias of the score."""
        kernels, biases = zip(*(layer.get_weights() for layer in self._layers), strict=True)
        count = len(kernels)
        weights = np.concatenate(kernels)[:, 0].astype(np.float64) / count
        return weights, float(np.concatenate(biases).sum() - sum(self._shifts)) / count

    def fit(
        self, inputs: np.ndarray, is_real: np.ndarray, weights: np.ndarray, penalty: float
    ) -> None:
        """Fit the layers by logistic regression, near their present weights.

        The new score is `a * score + b + change @ standardised inputs`, and
        `penalty / 2 * change @ change` is added to the mean cross-entropy.

        Args:
            inputs: `(files, inputs)`.
            is_real: 1 real, 0 fake `(files,)`.
            weights: of the files; their sum does not matter.
            penalty: above 0; a high one only scales and shifts the score.
        """
        mean, deviation = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), MIN_DEVIATION)
        standard = (inputs - mean) / deviation
        before, share = self.scores(inputs), weights / weights.sum()

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            factor, shift, change = parameters[0], parameters[1], parameters[2:]
            score = factor * before + shift + standard @ change
            entropy = np.logaddexp(0, np.where(is_real == 1, -score, score))
            error = share * (1 / (1 + np.exp(-score)) - is_real)
            slopes = [error @ before, error.sum(), *(standard.T @ error + penalty * change)]
            return float(share @ entropy + penalty / 2 * change @ change), np.array(slopes)

        start = np.concatenate([[1.0, 0.0], np.zeros(inputs.shape[1])])
        found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x
        old_weights, old_bias = self._linear()
        change = found[2:] / deviation
        self.replace(
            found[0] * old_weights + change, found[0] * old_bias + found[1] - mean @ change
        )
