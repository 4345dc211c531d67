"""Check, before loading it, that a model file is a network as train.py exports it.

ONNX files can read other files, nest programs, and contain operators that fill any memory or take
hours. Only fields and operators that an export contains are accepted. Fields that this version of
ONNX does not know are removed from the bytes, since a newer ONNX Runtime may act on them.
"""

import math
from collections.abc import Collection, Mapping

import onnx
from google.protobuf.message import DecodeError, EncodeError, Message
from onnx.shape_inference import InferenceError, infer_shapes

from deepfake_audio.config.network_sections import MULTIPLICATIONS_A_VALUE
from deepfake_audio.config.schema import MAX_BATCH, LimitSettings
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.memory import bounded_memory, held_bytes

OPERATORS = frozenset({
    "Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Conv", "DequantizeLinear",
    "Flatten", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Identity", "MatMul",
    "MaxPool", "Mul", "QuantizeLinear", "ReduceMax", "ReduceMean", "Relu", "Reshape", "Shape",
    "Sigmoid", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze",
})  # fmt: skip
TEXT = onnx.TensorProto.STRING  # a conversion takes as long as thousands of multiplications
OF_INTEGERS = ("DequantizeLinear", "QuantizeLinear")
STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
MAX_PARTS = 200_000  # nodes with their inputs, outputs and attributes, and weights
MAX_RANK = 64  # numbers of a shape
VALUES_A_NODE = 1000  # a node that does nothing takes as long
PARSED_SIZES = 4  # memory to parse a file, as a multiple of the largest size
# The fields of onnx.proto that an export contains.
MODEL = {
    "ir_version", "opset_import", "producer_name", "producer_version", "domain", "model_version",
    "doc_string", "graph", "metadata_props",
}  # fmt: skip
GRAPH = {"node", "name", "initializer", "doc_string", "input", "output", "value_info"}
NODE = {"input", "output", "name", "op_type", "domain", "attribute", "doc_string"}
ATTRIBUTE = {"name", "doc_string", "type", "f", "i", "s", "floats", "ints", "strings"}
TENSOR = {
    "dims", "data_type", "float_data", "int32_data", "int64_data", "name", "doc_string",
    "raw_data", "double_data", "uint64_data", "data_location",
}  # fmt: skip
NAMED = {
    "training_info": "functions of its own",
    "functions": "functions of its own",
    "g": "a graph within the graph",
    "graphs": "a graph within the graph",
    "external_data": "weights in another file",
    "sparse_initializer": "sparse weights",
}


def check_graph(
    encoded: bytes, origin: str, limits: LimitSettings, bound_memory: bool = True
) -> bytes:
    """Raise an `InputError` unless a model file contains only layers that model.py builds.

    Args:
        encoded: the bytes of an ONNX file.
        origin: name of the file, for the message.
        limits: on the file's size and on the work for one image.
        bound_memory: bound the memory of this process while the file is parsed.

    Returns:
        The bytes of the same network, without unknown fields.
    """
    held = held_bytes() if bound_memory else None
    most = None if held is None else held + PARSED_SIZES * limits.model_megabytes * 1_000_000
    try:
        with bounded_memory(most):
            model = onnx.load_model_from_string(encoded)
            model.DiscardUnknownFields()
            found = _foreign(model) or _too_long(model, limits)
            known = b"" if found else model.SerializeToString()
    except (DecodeError, EncodeError, MemoryError, UnicodeDecodeError, ValueError):
        found = "bytes that are no ONNX"
    if found:
        raise InputError(
            f"cannot use {origin}: a model with {found}; use a run that you trained, or train again"
        )
    return known


def _foreign(model: onnx.ModelProto) -> str:
    """Name the first part of a model that no export contains; empty if there is none."""
    graph = model.graph
    if found := _unknown(model, MODEL) or _unknown(graph, GRAPH):
        return found
    stored = {tensor.name for tensor in graph.initializer}
    parts = len(graph.initializer) + len(graph.value_info) + len(graph.input) + len(graph.node)
    if parts > MAX_PARTS:
        return f"more than {MAX_PARTS:,} parts"
    for node in graph.node:
        parts += len(node.input) + len(node.output) + len(node.attribute)
        if parts > MAX_PARTS:
            return f"more than {MAX_PARTS:,} parts"
        if node.op_type not in OPERATORS:
            return f"the operator {one_line(node.op_type[:40])}"
        if node.domain not in STANDARD_DOMAINS:
            return "operators of its own"
        if node.op_type in OF_INTEGERS and not _has_stored_ranges(node, stored):
            return f"a {node.op_type} whose range is not stored"
        if node.op_type == "Cast" and any(made.i == TEXT for made in node.attribute):
            return "numbers as text"
        unknown = (_unknown(attribute, ATTRIBUTE) for attribute in node.attribute)
        if found := _unknown(node, NODE) or next(filter(None, unknown), ""):
            return found
    for tensor in graph.initializer:
        if found := _unknown(tensor, TENSOR):
            return found
        if tensor.data_location != onnx.TensorProto.DEFAULT:
            return NAMED["external_data"]
    return ""


def _has_stored_ranges(node: onnx.NodeProto, stored: Collection[str]) -> bool:
    """Return whether scale and zero of a conversion are stored, as those of `quantize` are."""
    is_plain = all(attribute.name == "axis" for attribute in node.attribute)
    return is_plain and all(name in stored for name in node.input[1:])


def _unknown(message: Message, known: Collection[str]) -> str:
    """Name the first field of a message that no export contains; empty if there is none."""
    others = [field.name for field, _ in message.ListFields() if field.name not in known]
    return NAMED.get(others[0], f"the field {others[0]}") if others else ""


def _too_long(model: onnx.ModelProto, limits: LimitSettings) -> str:
    """Return why scoring an image may take too long; empty if it does not.

    Costs are computed for one image and for the largest batch, as they are proportional to the
    number of images.
    """
    most = limits.model_gigamultiplications
    for batch in (1, MAX_BATCH):
        try:
            shapes = _shapes(model, batch)
            images = sum(_multiplications(node, shapes) for node in model.graph.node) / batch
        except (InferenceError, KeyError, IndexError, ValueError, RuntimeError):
            return "shapes that are not known beforehand"
        if images > most * 1e9:
            return (
                f"{images / 1e9:,.0f} billion multiplications an image, above "
                f"limits.model_gigamultiplications={most:g} of config.yaml"
            )
    return ""


def _shapes(model: onnx.ModelProto, batch: int) -> dict[str, tuple[int, ...]]:
    """Infer the shapes of all values, by their names, for a batch of images.

    Shapes in the file are ignored, except those of weights and of the image.
    """
    plain = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph, weights = plain.graph, {}
    for tensor in model.graph.initializer:
        weights[tensor.name] = tuple(tensor.dims)
        if math.prod(tensor.dims) <= MAX_RANK:  # it may be a part of a shape
            graph.initializer.add().CopyFrom(tensor)
        else:
            graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    for given in graph.input:
        if given.name not in weights:
            given.type.tensor_type.shape.dim[0].dim_value = batch
    inferred = infer_shapes(plain, strict_mode=True, data_prop=True).graph
    shapes = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    shapes |= weights
    if any(dim < 0 for shape in shapes.values() for dim in shape):
        raise ValueError("a shape below 0")
    return shapes


def _multiplications(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return an upper bound of a node's multiplications; reading a value counts as several."""
    given, made = ([shapes[name] for name in names if name] for names in (node.input, node.output))
    attributes = {attribute.name: attribute for attribute in node.attribute}
    each = 0
    if node.op_type == "Conv":
        each = math.prod(given[1][1:])
    elif node.op_type == "MatMul":
        each = given[0][-1]
    elif node.op_type == "Gemm":
        each = given[0][0 if "transA" in attributes and attributes["transA"].i else 1]
    elif node.op_type in ("AveragePool", "MaxPool"):
        each = math.prod(attributes["kernel_shape"].ints)
    values = sum(map(math.prod, made))
    touched = values + sum(map(math.prod, given)) + VALUES_A_NODE
    return each * values + MULTIPLICATIONS_A_VALUE * touched
