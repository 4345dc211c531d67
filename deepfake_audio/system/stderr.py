"""Discard what C libraries print: the errors that decoders return become messages of our own."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


class _OptionalStream(io.RawIOBase):
    """Write to a stream; ignore a full disk and a reader that has closed it."""

    def __init__(self, stream: io.RawIOBase):
        self.stream = stream
        self.fileno, self.isatty, self.writable = stream.fileno, stream.isatty, stream.writable

    def write(self, text: bytes) -> int | None:
        try:
            return self.stream.write(text)
        except OSError:
            return len(text)

    def close(self) -> None:
        self.stream.close()
        super().close()


@contextmanager
def suppress_native_stderr() -> Iterator[None]:
    """Discard what C code prints to standard error; `sys.stderr` still reaches the user.

    This redirects file descriptor 2 of the whole process: a script does it, the package does not.
    """
    _open_missing_streams()
    outer, kept = sys.stderr, os.dup(STDERR)
    if _descriptor_of(outer) == STDERR:
        stream = _OptionalStream(os.fdopen(os.dup(STDERR), "wb", buffering=0))
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(stream), outer.encoding, "backslashreplace", line_buffering=True
        )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR)
    os.close(nowhere)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, STDERR)
        os.close(kept)
        sys.stderr = outer


def _open_missing_streams() -> None:
    """Open standard streams on nothing if the script was started without them.

    Without this, the next file that is opened would take the number of a missing stream, and
    `print` would write errors to standard output.
    """
    for number in range(STDERR + 1):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def _descriptor_of(stream: object) -> int | None:
    try:
        return stream.fileno()
    except OSError:  # a test captures the stream
        return None
