"""Worker processes and threads.

Of processes only the parent handles termination signals, and the others end with it.
"""

import itertools
import math
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from deepfake_audio.errors import InputError
from deepfake_audio.system.signals import ENDING_SIGNALS

GONE = "ignore:resource_tracker"  # a warning of joblib's tracker about a folder that it has removed
# A new Python must not import modules from the working folder, which may be a stranger's.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
WATCH_SECONDS = 0.5
AT_ONCE = 8  # calls of each thread
MAX_THREADS = 8  # more wait for one another: a network of this size has little to divide
# Time that a container's processes may run, and the period, in microseconds: cgroups 2 and 1.
QUOTA_FILES = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)
UNUSED = r"\d+ tasks (have been successfully executed|which were still being processed)"

Item = TypeVar("Item")
Made = TypeVar("Made")


class LostProcessError(InputError):
    """The system ended a worker process."""


def count_cores() -> int:
    """Return the number of cores that this process may use, by its affinity and its quota.

    joblib counts them too, but importing it takes as long as importing NumPy and ONNX Runtime.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _quota() or cores)


def _quota() -> int | None:
    """Return the number of cores that a container's quota is worth; None without a quota."""
    for files in QUOTA_FILES:
        try:
            quota, period = map(int, " ".join(Path(file).read_text() for file in files).split())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if quota > 0:
            return math.ceil(quota / period)
    return None


def in_processes(
    function: Callable,
    calls: Iterable[tuple],
    workers: int,
    work: str,
    *,
    in_order: bool = True,
) -> Iterator[Any]:
    """Call a function in processes, and yield its results.

    Args:
        function: at the top of its module.
        calls: the arguments of each call; a process that is free takes the next one.
        workers: number of processes; 0 for one per core, 1 for this process.
        work: the task in one verb, such as "renders", for the error.

    Raises:
        LostProcessError: the system ended a process.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from joblib.parallel import LokyBackend

    class Backend(LokyBackend):
        def _prepare_worker_env(self, n_jobs: int) -> dict[str, str]:  # also of later processes
            return super()._prepare_worker_env(n_jobs) | SAFE_PATH

    warnings.filterwarnings("ignore", UNUSED, UserWarning)  # the caller ended early on purpose
    workers = workers or count_cores()
    kind = "generator" if in_order else "generator_unordered"
    with nullcontext() if workers == 1 else _undisturbed():  # one is this process
        results = Parallel(
            n_jobs=workers, backend=Backend(), return_as=kind, max_nbytes=None,
            temp_folder=os.curdir, initializer=end_with, initargs=(os.getpid(),),
        )(delayed(function)(*each) for each in calls)  # fmt: skip
    try:
        yield from results
    except TerminatedWorkerError:
        raise LostProcessError(
            f"the system ended a process that {work}, probably for lack of memory; run this again "
            "with fewer workers"
        ) from None


def usable_threads(threads: int) -> int:
    """Return how many of some threads have a core; of 0, as many as one recording can use."""
    return min(threads or MAX_THREADS, count_cores())


def in_threads(
    function: Callable[[Item], Made], items: Iterable[Item], threads: int
) -> Iterator[Made]:
    """Call a function for each item in threads, and yield the results in order.

    Some items are taken at a time, while no thread works: a decoder that gives them may bound the
    memory of the process.
    """
    if threads == 1:
        yield from map(function, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        while some := list(itertools.islice(items, AT_ONCE * threads)):
            yield from pool.map(function, some)


def end_with(parent: int) -> None:
    """End this process soon after its parent ends: a killed parent can't end its workers."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    import psutil  # slow to import

    # Windows keeps the id of a parent that ended; other systems give the worker another parent.
    while psutil.pid_exists(parent) and (os.name == "nt" or os.getppid() == parent):
        time.sleep(WATCH_SECONDS)
    os._exit(1)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Block termination signals while workers start, so that only the parent handles them.

    A terminal or a batch system sends a signal to all processes. A worker without a call would
    print a traceback, and if a worker ended while it handed over a result, the parent would wait
    forever. Workers inherit the signal mask of the thread that starts them. The parent receives
    the blocked signals afterwards, and ends its workers when it ends.
    """
    from multiprocessing import resource_tracker

    warned = os.environ.get("PYTHONWARNINGS")
    warnings_too = {"PYTHONWARNINGS": f"{warned},{GONE}" if warned else GONE}
    with _environment(SAFE_PATH | warnings_too):
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        # Python 3.11 unblocks signals when it starts the tracker.
        resource_tracker.ensure_running()
        outer = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, outer)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Change environment variables for the processes that start meanwhile."""
    kept = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
