"""Silence for the C libraries that decode: what they print says nothing to a user."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
_lock = threading.Lock()
_silenced = {"by": 0, "kept": -1, "nowhere": -1}
_kept_alive: list = []


@contextmanager
def suppress_native_stderr() -> Iterator[None]:
    """Send what C code writes to standard error nowhere; any number of threads may be inside.

    The error that a decoder returns becomes one line of ours. `keep_python_heard` lets Python's own
    messages through meanwhile.
    """
    with _lock:
        if not _silenced["by"]:
            _silenced["kept"] = _silence()
        _silenced["by"] += 1
    try:
        yield
    finally:
        with _lock:
            _silenced["by"] -= 1
            if not _silenced["by"] and _silenced["kept"] >= 0:
                os.dup2(_silenced["kept"], STDERR)
                os.close(_silenced["kept"])


def _silence() -> int:
    try:
        kept = os.dup(STDERR)
    except OSError:  # the script was started without a standard error
        return -1
    if _silenced["nowhere"] < 0:
        _silenced["nowhere"] = os.open(os.devnull, os.O_WRONLY)
    os.dup2(_silenced["nowhere"], STDERR)
    return kept


def keep_python_stderr() -> None:
    """Let `sys.stderr` write to where standard error leads now, whatever becomes of its number.

    Of a script that was started without standard output or error, each is opened on nothing:
    `print` takes standard output if `sys.stderr` is None.
    """
    for number in range(STDERR + 1):
        try:
            os.fstat(number)
        except OSError:  # else the next file opened would have its number, and be silenced
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    try:
        if sys.stderr.fileno() != STDERR:
            return
    except OSError:  # no file behind it, as in a test
        return
    _kept_alive.append(sys.stderr)  # when it goes it closes its number
    sys.stderr = os.fdopen(
        os.dup(STDERR), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )
