"""Compute the convolutions of an exported network in integers of 8 bits: half the time.

Weights have 7 bits, so that no processor saturates and all give the same scores. Convolutions of
fewer than 16 channels stay in float32, because integers save nothing there.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx

from deepfake_audio.config.schema import LimitSettings
from deepfake_audio.errors import InputError
from deepfake_audio.models.onnx_check import OF_INTEGERS
from deepfake_audio.models.onnx_session import read_checked
from deepfake_audio.system.atomic_files import atomic_write

MIN_CHANNELS = 16
NO_SHAPE = (0, 0)  # of weights that are not stored


def quantize(
    source: Path, target: Path, images: Sequence[np.ndarray], limits: LimitSettings
) -> None:
    """Write a network whose convolutions compute in integers.

    Args:
        source: `model.onnx` in float32.
        target: the new file.
        images: uint8 `(height, width, channels)`, from whose activations the ranges are taken.
        limits: on the size of a model.

    Raises:
        InputError: the network computes in integers already, or there is no image.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.load_model_from_string(read_checked(source, limits))
    if any(node.op_type in OF_INTEGERS for node in model.graph.node):
        raise InputError(f"{source} computes in integers already; leave out --int8")
    if not len(images):
        raise InputError("no clip can be read for --int8; give other recordings")
    shapes = {weights.name: weights.dims for weights in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    narrow = [
        node.name
        for node in convolutions
        if (shapes.get(node.input[1]) or NO_SHAPE)[1] < MIN_CHANNELS
    ]
    name = model.graph.input[0].name
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        with _without_remarks():
            quantize_static(
                model, made, _Images(name, images), quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"], nodes_to_exclude=narrow, per_channel=True,
                reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
        encoded = made.read_bytes()
    with atomic_write(target) as partial:
        partial.write_bytes(encoded)


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Drop what is logged without a logger's name: advice on graphs that changes no score."""

    def refuse(record: logging.LogRecord) -> bool:
        return False

    logging.root.addFilter(refuse)
    try:
        yield
    finally:
        logging.root.removeFilter(refuse)


class _Images:
    """Gives one image after another, in the form that ONNX Runtime asks for."""

    def __init__(self, name: str, images: Sequence[np.ndarray]):
        self._batches: Iterator[dict] = ({name: image[None].astype(np.float32)} for image in images)

    def get_next(self) -> dict | None:
        return next(self._batches, None)
