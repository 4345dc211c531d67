"""The limit of address space, which some batch systems set."""

import os
import sys

# Measured with predict.py: NumPy, SciPy and OpenCV each have an OpenBLAS of their own.
BASE_MEGABYTES, THREAD_MEGABYTES = 400, 200
MOST_THREADS = 64  # of these builds of OpenBLAS


def check_address_space() -> None:
    """End the process with one line if the limit is too low for the imports that follow.

    OpenBLAS reserves memory for each thread when it is imported. Without room it tries forever, or
    crashes.
    """
    if not hasattr(os, "sched_getaffinity"):  # other systems have no such limit, or ignore it
        return
    import resource

    asked = os.environ.get("OPENBLAS_NUM_THREADS", "")
    most = (asked.isdecimal() and int(asked)) or MOST_THREADS
    threads = min(len(os.sched_getaffinity(0)), most)
    needed = BASE_MEGABYTES + THREAD_MEGABYTES * threads
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= needed * 1_000_000:
        return
    remedy = "set OPENBLAS_NUM_THREADS=1, or " * (threads > 1)
    sys.stderr.write(
        f"error: the limit of address space, {limit // 1_000_000:,} MB, is too low; {remedy}"
        f"raise it to {needed:,} MB (ulimit -v)\n"
    )
    sys.exit(2)
