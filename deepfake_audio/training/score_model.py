"""The part of a trained network that computes the score, as it is exported."""

import keras

from deepfake_audio.training.layers import LOGIT, Ensemble


def score_model(model: keras.Sequential) -> keras.Sequential:
    """Return a float32 copy of the network without the sigmoid: its output is the score.

    Log-odds computed from a float32 probability saturate at about 17; the logit does not. The
    copy's first convolution includes the rescaling: same scores, a fifth faster.
    """
    end = model.layers.index(model.get_layer(LOGIT)) + 1
    return keras.Sequential(
        [keras.Input(model.input_shape[1:]), *_float32_copy(model.layers[:end])]
    )


def member_networks(model: keras.Sequential) -> list[keras.Model]:
    """Return the networks of an ensemble, or the model itself if it is a single network."""
    logit = model.get_layer(LOGIT)
    return logit.members if isinstance(logit, Ensemble) else [model]


def _float32_copy(layers: list[keras.Layer]) -> list[keras.Layer]:
    """Copy layers in float32, and merge the rescaling into the first convolution."""
    if isinstance(layers[0], Ensemble):
        members = [keras.Sequential(_float32_copy(member.layers)) for member in layers[0].members]
        return [Ensemble(members, name=layers[0].name)]
    rescale = next(layer for layer in layers if isinstance(layer, keras.layers.Rescaling))
    originals = [layer for layer in layers if layer is not rescale]
    copies = [
        layer.__class__.from_config(layer.get_config() | {"dtype": "float32"})
        for layer in originals
    ]
    for layer, original in zip(copies, originals, strict=True):
        layer.build(original.input.shape)
        layer.set_weights(original.get_weights())
    first = next(layer for layer in copies if isinstance(layer, keras.layers.Conv2D))
    kernel, *bias = first.get_weights()
    first.set_weights([kernel * rescale.scale, *bias])
    return copies
