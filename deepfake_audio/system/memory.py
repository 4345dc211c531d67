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
