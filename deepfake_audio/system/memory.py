"""A bound on what C libraries allocate while they read a stranger's file.

A kilobyte of MP4 can claim a billion samples, and FFmpeg would make room for notes on each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATM = Path("/proc/self/statm")
DATA_FIELD = 5


def held_bytes() -> int | None:
    """Return how much memory this process has asked for; None where the system does not say."""
    if not STATM.exists():
        return None
    import resource  # where /proc is; Windows has neither

    return int(STATM.read_text().split()[DATA_FIELD]) * resource.getpagesize()


@contextmanager
def bounded_memory(most: int | None) -> Iterator[None]:
    """Let what asks for more memory than this fail, in the whole process; None bounds nothing.

    Nothing else should be at work in the process meanwhile.
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
