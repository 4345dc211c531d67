"""YAML as settings use it: plain values in a few levels, nothing that builds or explodes."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.tokens import (
    AliasToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    DirectiveToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    TagToken,
)

from deepfake_audio.errors import InputError
from deepfake_audio.system.atomic_files import open_regular
from deepfake_audio.system.csv_files import NUMBER, WHOLE_NUMBER

MAX_FILE_BYTES = 100_000
MAX_DEPTH = 20
SHOWN_CHARACTERS = 200
OPENING = (
    BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken,
)  # fmt: skip
CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
REFUSED = {
    AliasToken: "aliases (*name)",  # a few lines of them stand for more values than memory holds
    TagToken: "tags (!name)",
    DirectiveToken: "directives (%NAME)",
}


class PlainConstructor(SafeConstructor):
    """Builds plain values; numbers that are not in plain digits stay text."""

    def construct_yaml_int(self, node: ScalarNode) -> int | str:
        is_plain = WHOLE_NUMBER.fullmatch(node.value)
        return super().construct_yaml_int(node) if is_plain else node.value

    def construct_yaml_float(self, node: ScalarNode) -> float | str:
        is_plain = NUMBER.fullmatch(node.value) or node.value.lstrip("+-.").isalpha()  # .inf, .nan
        return super().construct_yaml_float(node) if is_plain else node.value


PlainConstructor.add_constructor("tag:yaml.org,2002:int", PlainConstructor.construct_yaml_int)
PlainConstructor.add_constructor("tag:yaml.org,2002:float", PlainConstructor.construct_yaml_float)


def read_yaml(path: Path) -> dict:
    """Read a YAML 1.2 mapping (`1e-3` is a number, `no` is text, a repeated key is an error).

    Raises:
        InputError: the file is missing, too large, no UTF-8, or no plain YAML mapping.
    """
    with open_regular(path, "A settings file") as file:
        encoded = file.read(MAX_FILE_BYTES + 1)
    if len(encoded) > MAX_FILE_BYTES:
        raise InputError(f"{path} has more than {MAX_FILE_BYTES:,} bytes; give a settings file")
    try:
        values = parse_yaml(encoded.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: {error}; give a settings file in UTF-8") from None
    if not isinstance(values, dict):
        raise InputError(
            f"{path} has no sections of key: value lines; write them as in config.yaml"
        )
    return values


def parse_yaml(text: str, origin: str) -> object:
    """Parse plain YAML 1.2, or raise a `InputError` that says what is wrong and where.

    A number has digits only: YAML's other spellings, such as `1_0` and `0x1F`, are text.

    >>> parse_yaml("[1e-3, no, 010, 1_0]", "an example")
    [0.001, 'no', 10, '1_0']
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = PlainConstructor
    try:
        _check_plain(yaml, text, origin)
        return yaml.load(text)
    except (YAMLError, ValueError) as error:
        raise InputError(
            f"{origin} is not valid YAML: {shortened(error)}; write it as in config.yaml"
        ) from None


def _check_plain(yaml: YAML, text: str, origin: str) -> None:
    depth = 0
    for token in yaml.scan(text):
        if type(token) in REFUSED:
            raise InputError(
                f"{origin} uses YAML {REFUSED[type(token)]}, which settings cannot have; "
                "write the value itself"
            )
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > MAX_DEPTH:
            raise InputError(
                f"{origin} nests more than {MAX_DEPTH} levels deep; "
                "write sections of key: value lines"
            )


def shortened(value: object) -> str:
    """Return a value as text that fits a line.

    >>> shortened(" a\\n   b")
    'a b'
    """
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
