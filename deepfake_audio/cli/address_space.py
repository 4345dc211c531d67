"""The limit of address space, which some batch systems set."""

import os
import sys

# Measured with predict.py: NumPy, SciPy and OpenCV each have an OpenBLAS of their own.
BASE_MEGABYTES, THREAD_MEGABYTES = 400, 200
MOST_THREADS = 64  # of these builds of OpenBLAS
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")  # in its order


def address_limit() -> int | None:
    """Return the limit of address space in bytes; None if there is none."""
    if not hasattr(os, "sched_getaffinity"):  # other systems have no such limit, or ignore it
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def check_address_space() -> None:
    """End the process with one line if the limit is too low for the imports that follow.

    OpenBLAS reserves memory for each thread when it is imported. Without room it tries forever, or
    crashes.
    """
    limit = address_limit()
    if limit is None:
        return
    asked = [os.environ.get(name, "") for name in THREAD_VARIABLES]
    most = next((int(each) for each in asked if each.isdecimal() and int(each)), MOST_THREADS)
    threads = min(len(os.sched_getaffinity(0)), most)
    needed = BASE_MEGABYTES + THREAD_MEGABYTES * threads
    if limit >= needed * 1_000_000:
        return
    helps = limit >= (BASE_MEGABYTES + THREAD_MEGABYTES) * 1_000_000
    remedy = "set OPENBLAS_NUM_THREADS=1, or " * helps
    sys.stderr.write(
        f"error: the limit of address space, {limit // 1_000_000:,} MB, is too low; {remedy}"
        f"raise it to {needed:,} MB: ulimit -v {-(-needed * 1_000_000 // 1024)}\n"
    )
    sys.exit(2)
