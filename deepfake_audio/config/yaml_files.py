"""YAML as settings use it: plain values in a few levels, nothing that builds or explodes."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.scanner import Scanner

from deepfake_audio.errors import InputError, shortened
from deepfake_audio.system.csv_files import NUMBER, WHOLE_NUMBER
from deepfake_audio.system.regular_files import open_regular

MAX_FILE_BYTES = 100_000
MAX_DEPTH = 20


class NotPlainError(YAMLError):
    """YAML that settings do not need."""


class PlainScanner(Scanner):
    """Refuses aliases, of which a few stand for more than memory holds, tags and deep nesting."""

    def fetch_alias(self) -> None:
        self._refuse("aliases (*name)")

    def fetch_tag(self) -> None:
        self._refuse("tags (!name)")

    def fetch_directive(self) -> None:
        self._refuse("directives (%NAME)")

    def _refuse(self, part: str) -> None:
        raise NotPlainError(f"uses YAML {part}, which settings cannot have; write the value itself")

    def fetch_more_tokens(self) -> None:
        super().fetch_more_tokens()
        if len(self.indents) + self.flow_level > MAX_DEPTH:
            raise NotPlainError(
                f"nests more than {MAX_DEPTH} levels deep; write sections of key: value lines"
            )


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
    try:
        return deepcopy(_parse(text))
    except NotPlainError as error:
        raise InputError(f"{origin} {error}") from None
    except (YAMLError, ValueError) as error:
        raise InputError(
            f"{origin} is not valid YAML: {shortened(error)}; write it as in config.yaml"
        ) from None


@lru_cache(maxsize=64)  # of overrides too
def _parse(text: str) -> object:
    """Parse a file's text; the defaults are needed several times, and take 20 ms."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Constructor = PlainScanner, PlainConstructor
    return yaml.load(text)
