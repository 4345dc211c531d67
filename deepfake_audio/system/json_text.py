"""Write anything as JSON text, names of files that are no UTF-8 included."""

import json
from collections.abc import Mapping


def to_json(content: object, indent: int | None = None) -> str:
    """Return `content` as JSON that any parser accepts; see `escape_non_utf8`."""
    return json.dumps(_escape_below(content), indent=indent, allow_nan=False)


def _escape_below(content: object) -> object:
    match content:
        case str():
            return escape_non_utf8(content)
        case Mapping():
            return {_escape_below(name): _escape_below(value) for name, value in content.items()}
        case list() | tuple():
            return [_escape_below(value) for value in content]
    return content


def escape_non_utf8(text: str) -> str:
    """Return `text` with a backslash before each byte of a file name that is no UTF-8.

    >>> import os
    >>> escape_non_utf8(os.fsdecode(b"\\xff.wav"))
    '\\\\udcff.wav'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
