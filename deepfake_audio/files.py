"""Files that are either the old or the new one, never half of it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from deepfake_audio.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename what was written there into place.

    Args:
        path: the file to write; its folder is made if it is missing.

    Yields:
        The path to write to; it ends as `path` does, since some libraries look at the suffix.

    Raises:
        OutputError: the disk is full, or the folder can't be written to.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        partial.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error that says why a result could not be written."""
    return OutputError(
        f"A result must be written. Received: {path}: {error.strerror or error}. "
        "Free some space, or choose a folder that you may write to."
    )


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON, in one step."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def open_table(path: Path) -> TextIO:
    """Open a CSV file to write; bytes of file names that are no UTF-8 are written escaped."""
    return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
