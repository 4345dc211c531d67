"""Work in several processes, of which the first one alone is asked to end."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import resource_tracker
from typing import Any

import psutil
from joblib import Parallel
from joblib.externals.loky.process_executor import TerminatedWorkerError

from deepfake_audio.errors import InputError
from deepfake_audio.system.signals import ENDING_SIGNALS

GONE = "ignore:resource_tracker"  # what joblib's own process says of a folder that it has removed
WATCH_SECONDS = 0.5
UNUSED = r"\d+ tasks (have been successfully executed|which were still being processed)"


def in_processes(
    calls: Iterable[tuple], workers: int, work: str, *, in_order: bool = True
) -> Iterator[Any]:
    """Yield what calls return, as they are done.

    Args:
        calls: `joblib.delayed` ones; they are taken from the iterable as processes get free.
        workers: processes; 0 for one per core.
        work: what a process does, such as "draws".
        in_order: yield in the order of the calls.

    Raises:
        InputError: the system ended a process.
    """
    warnings.filterwarnings("ignore", UNUSED, UserWarning)  # as whoever ends this knows
    kind = "generator" if in_order else "generator_unordered"
    with nullcontext() if workers == 1 else _undisturbed():  # one is this process
        results = Parallel(
            n_jobs=workers or -1, return_as=kind, max_nbytes=None, temp_folder=os.curdir,
            initializer=end_with, initargs=(os.getpid(),),
        )(calls)  # fmt: skip
    try:
        yield from results
    except TerminatedWorkerError:
        raise InputError(
            f"A process that {work} must be left alone. Received: the system ended one, as it does "
            "where memory runs out. Run this again, with fewer workers."
        ) from None


def end_with(parent: int) -> None:
    """End this process soon after its parent, which ends nothing itself if it is killed.

    Args:
        parent: the number of the process that started this one.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    # Windows keeps the number of a parent that ended; elsewhere another process takes its place.
    while psutil.pid_exists(parent) and (os.name == "nt" or os.getppid() == parent):
        time.sleep(WATCH_SECONDS)
    os._exit(1)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep what asks to end from the processes that start in here; this one hears it afterwards.

    A terminal or a batch system sends it to all of them. One that has no call just then would print
    a traceback, and of one that ends while it hands over a result the rest is waited for: the first
    process ends them, when it ends. A thread's mask is handed on to the processes and threads that
    it starts, and so to those which take the place of one that ended.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    warned = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{warned},{GONE}" if warned else GONE
    resource_tracker.ensure_running()  # Python 3.11 unblocks signals where it starts this
    outer = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, outer)
        os.environ.pop("PYTHONWARNINGS")
        if warned is not None:
            os.environ["PYTHONWARNINGS"] = warned
