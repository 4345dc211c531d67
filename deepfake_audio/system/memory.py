"""A bound on the memory of C libraries while they read an untrusted file.

An MP4 file of a kilobyte can claim a billion samples, and FFmpeg allocates an index entry for each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATM = Path("/proc/self/statm")
DATA_FIELD = 5


def held_bytes() -> int | None:
    """Return the memory that this process has allocated; None if the system does not report it."""
    if not STATM.exists():
        return None
    import resource  # Windows has neither this module nor /proc

    return int(STATM.read_text().split()[DATA_FIELD]) * resource.getpagesize()


@contextmanager
def bounded_memory(most: int | None) -> Iterator[None]:
    """Limit the memory of the whole process, so that larger allocations fail; None sets no limit.

    No other thread should allocate memory meanwhile.
    """
    if most is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [limit for limit in (most, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def limit_process(megabytes: int) -> None:
    """Bound for good what this process may still allocate, and let it write no file.

    Only a process that does nothing but read untrusted files should call this. Without /proc there
    is no bound.
    """
    held = held_bytes()
    if held is None:
        return
    import resource

    bounds = {
        resource.RLIMIT_DATA: held + megabytes * 1_000_000,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in bounds.items():
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
