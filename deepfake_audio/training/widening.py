"""Networks with more filters or units, which begin as a smaller network computes."""

import keras
import numpy as np

from deepfake_audio.training.layers import StatisticsPooling2D
from deepfake_audio.training.score_model import member_networks

NOISE = 0.1  # on copied weights, in standard deviations of the layer's kernel


def widen(narrow: keras.Sequential, wide: keras.Sequential, seed: int) -> None:
    """Make a network compute nearly what one with fewer filters or units computes.

    Further filters and units are copies of random others, and the weights of their outputs are
    divided among the copies: Net2WiderNet of Chen et al., "Net2Net: Accelerating Learning via
    Knowledge Transfer", 2016. A little noise lets the copies learn different things.

    Args:
        narrow: the network whose weights are taken.
        wide: a network of the same layers; it has at least as many filters and units in each.
        seed: of the random copies and the noise.
    """
    rng = np.random.default_rng(seed)
    pairs = zip(member_networks(narrow), member_networks(wide), strict=True)
    for narrow_member, wide_member in pairs:
        _widen_member(narrow_member, wide_member, rng)


def _widen_member(narrow: keras.Model, wide: keras.Model, rng: np.random.Generator) -> None:
    channels = None  # for each input channel of the wide layer, that of the narrow one; None: equal
    for source, target in zip(narrow.layers, wide.layers, strict=True):
        weights = source.get_weights()
        if isinstance(source, keras.layers.Conv2D | keras.layers.Dense):
            kernel, bias = weights[0], weights[1:]
            chosen = _chosen_units(kernel.shape[-1], target.get_weights()[0].shape[-1], rng)
            kernel = _divided_inputs(kernel, channels)[..., chosen]
            copied = np.bincount(chosen)[chosen] > 1
            noise = rng.normal(scale=NOISE * kernel.std(), size=kernel.shape)
            target.set_weights([kernel + noise * copied, *(each[chosen] for each in bias)])
            channels = chosen
        elif isinstance(source, keras.layers.BatchNormalization):
            target.set_weights([each[channels] for each in weights])
        elif weights:
            target.set_weights(weights)
        else:
            channels = _channels_after(source, channels)


def _chosen_units(narrow: int, wide: int, rng: np.random.Generator) -> np.ndarray:
    """Return the unit of the narrow layer that each unit of the wide one copies, `(wide,)`."""
    return np.concatenate([np.arange(narrow), rng.integers(narrow, size=wide - narrow)])


def _divided_inputs(kernel: np.ndarray, channels: np.ndarray | None) -> np.ndarray:
    if channels is None:
        return kernel
    copies = np.bincount(channels)[channels]
    return kernel[..., channels, :] / copies[:, None]


def _channels_after(layer: keras.Layer, channels: np.ndarray | None) -> np.ndarray | None:
    """Return the channels after a layer without weights, of which two kinds rearrange them."""
    if channels is None:
        return None
    narrow = channels.max() + 1
    if isinstance(layer, StatisticsPooling2D):  # means, then standard deviations
        return np.concatenate([channels, narrow + channels])
    if isinstance(layer, keras.layers.Flatten):  # the channels of one pixel after another
        pixels = layer.output.shape[-1] // narrow
        return (narrow * np.arange(pixels)[:, None] + channels).ravel()
    return channels
