"""Temporary files whose content is lost with this process, even if the process is killed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from deepfake_audio.errors import InputError

OPEN_FILES = Path("/proc/self/fd")  # only on Linux: a path to a file that has no name


@contextmanager
def temporary_file(what: str, suffix: str = "") -> Iterator[tuple[BinaryIO, Path]]:
    """Open a temporary file; give it and a path by which this process can read it.

    On Linux the file has no name, so that nothing of it is left if the process is killed. Without a
    folder for temporary files it is in memory.

    Args:
        what: the content, for the error.
        suffix: of the path; a link in a temporary folder then leads to the file.

    Raises:
        InputError: there is neither a temporary folder nor a file in memory.
    """
    if not _has_temporary_folder():
        if not hasattr(os, "memfd_create"):
            raise InputError(
                f"cannot copy {what}: no temporary folder can be written to; set TMPDIR to one"
            )
        with os.fdopen(os.memfd_create("temporary"), "w+b") as memory:
            yield memory, OPEN_FILES / str(memory.fileno())
    elif not OPEN_FILES.is_dir():
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            yield file, Path(file.name)
    else:
        with tempfile.TemporaryFile() as file:
            path = OPEN_FILES / str(file.fileno())
            if not suffix:
                yield file, path
                return
            with tempfile.TemporaryDirectory() as folder:
                link = Path(folder, f"copy{suffix}")
                link.symlink_to(path)
                yield file, link


def _has_temporary_folder() -> bool:
    """Return whether there is a folder for temporary files that can be written to."""
    try:
        return bool(tempfile.gettempdir())
    except FileNotFoundError:
        return False
