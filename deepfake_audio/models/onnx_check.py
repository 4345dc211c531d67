"""Whether a model file is a network such as train.py exports, found out before it is loaded.

ONNX can name other files to read, nest programs, and ask for operators that fill any memory. Only
the wire format of protocol buffers is read here, field by field, with no structure built up:
whatever stands in the file is looked at, even where a reader would let a later value win.
"""

from collections.abc import Iterator

from deepfake_audio.errors import UserError, one_line

OPERATORS = frozenset({
    "Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Conv", "Flatten", "Gather",
    "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Identity", "MatMul", "MaxPool", "Mul",
    "ReduceMax", "ReduceMean", "Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Sqrt", "Squeeze",
    "Sub", "Transpose", "Unsqueeze",
})  # fmt: skip
STANDARD_DOMAINS = frozenset({b"", b"ai.onnx"})
# Field numbers of onnx.proto.
MODEL_GRAPH, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 20, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_OPERATOR, NODE_ATTRIBUTE, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = (5, 10), (6, 11)
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14


def check_graph(encoded: bytes, origin: str) -> None:
    """Raise a `UserError` unless a model file holds nothing but the layers that we build.

    Args:
        encoded: the bytes of an ONNX file.
        origin: where it comes from, for the message.
    """
    try:
        found = next(_foreign(memoryview(encoded)), "")
    except (IndexError, ValueError):
        found = "bytes that are no ONNX"
    if found:
        raise UserError(
            "A run's model holds the layers that train.py builds, and nothing else. "
            f"Received: {origin} with {found}. Use a run that you trained, or train again."
        )


def _foreign(model: memoryview) -> Iterator[str]:
    """Yield what is in a model that train.py would not have put there."""
    for number, graph in _fields(model):
        if number in (MODEL_TRAINING, MODEL_FUNCTIONS):
            yield "functions of its own"
        if number != MODEL_GRAPH:
            continue
        for part, content in _fields(_message(graph)):
            if part == GRAPH_NODE:
                yield from _foreign_in_node(_message(content))
            elif part == GRAPH_INITIALIZER:
                yield from _foreign_in_tensor(_message(content))
            elif part == GRAPH_SPARSE:
                yield "sparse weights"


def _foreign_in_node(node: memoryview) -> Iterator[str]:
    for number, content in _fields(node):
        if number == NODE_OPERATOR:
            operator = bytes(_message(content)).decode("utf-8")
            if operator not in OPERATORS:
                yield f"the operator {one_line(operator[:40])}"
        elif number == NODE_DOMAIN and bytes(_message(content)) not in STANDARD_DOMAINS:
            yield "operators of its own"
        elif number == NODE_ATTRIBUTE:
            for part, value in _fields(_message(content)):
                if part in ATTRIBUTE_GRAPHS:
                    yield "a graph within the graph"
                elif part in ATTRIBUTE_TENSORS:
                    yield from _foreign_in_tensor(_message(value))


def _foreign_in_tensor(tensor: memoryview) -> Iterator[str]:
    for number, content in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and content):
            yield "weights in another file"


def _message(content: memoryview | int) -> memoryview:
    if isinstance(content, int):
        raise ValueError("a number stands where a message belongs")
    return content


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield each field's number and its content: a number, or the bytes of anything else."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if position + length > len(message):
            raise ValueError("a field passes the end")
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number without an end")
