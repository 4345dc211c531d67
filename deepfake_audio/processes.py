"""Work in several processes: what to say where the system ends one."""

from collections.abc import Iterator
from typing import TypeVar

from joblib.externals.loky.process_executor import TerminatedWorkerError

from deepfake_audio.errors import UserError

Result = TypeVar("Result")


def alive(results: Iterator[Result], work: str) -> Iterator[Result]:
    """Yield what processes have done.

    Args:
        results: as they come.
        work: what a process does, such as "draws".

    Raises:
        UserError: the system ended one of them.
    """
    try:
        yield from results
    except TerminatedWorkerError:
        raise UserError(
            f"A process that {work} must be left alone. Received: the system ended one, as it does "
            "where memory runs out. Run this again, with fewer workers."
        ) from None
