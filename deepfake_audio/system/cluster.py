"""Use an existing Dask cluster: connect, check it before any work, and run calls in order.

joblib's Dask backend is not used: it waits forever for a call whose worker was lost for good.
"""

import logging
import os
import pkgutil
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_audio import __version__
from deepfake_audio.errors import InputError, pluralize

if TYPE_CHECKING:
    from distributed import Client, Future

ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:[0-9]{1,5}")
CONNECT_SECONDS = 15
CHECK_SECONDS = 60  # a worker that imports the package for the first time takes seconds
WATCH_SECONDS = 10
CALLS_PER_WORKER = 8  # given to the cluster at a time, so that no worker waits for the next one

logger = logging.getLogger("deepfake_audio")


class LostCallError(Exception):
    """The workers that ran a call ended, one after the other."""


@contextmanager
def connected(address: str, paths: Iterable[Path]) -> Iterator["Cluster"]:
    """Connect to a cluster, and check that its workers can work.

    Args:
        address: of the scheduler, as `tcp://HOST:PORT`.
        paths: files and folders that the workers must see with the same content as here.

    Raises:
        InputError: the package distributed is missing, the scheduler can't be reached, or a worker
            can't import this version of this package, can't see a path, or has several threads.
    """
    if not ADDRESS.fullmatch(address):
        raise InputError(f"--cluster {address} is no address; give tcp://HOST:PORT")
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise InputError(
            f"--cluster needs the package {error.name}; install it with: pip install '.[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot reach a scheduler at {address}: {reason}; check the address, and that dask "
            "scheduler runs there"
        ) from None
    with client:
        if not client.nthreads():
            raise InputError(
                f"no workers at {address}; start some with: dask worker {address} --nthreads 1"
            )
        cluster = Cluster(client, {str(path): _look(str(path)) for path in paths})
        cluster.check()
        yield cluster


class Cluster:
    """A cluster that is connected; each worker is checked once, also one that joins later."""

    def __init__(self, client: "Client", expected: dict[str, str]):
        """Args: client: connected. expected: what `_look` returns here for each path."""
        self._client, self._expected = client, expected
        self._checked: set[str] = set()

    def run_calls(
        self, function: Callable, arguments: Iterable[tuple]
    ) -> Iterator[tuple[tuple, Any]]:
        """Call a function on the workers; yield the arguments and the result of each, in order.

        The arguments are read as workers become free. A call of a lost worker runs on another one.
        The workers that joined meanwhile are checked before a result is yielded.

        Yields:
            A `LostCallError` in place of the result if the workers of a call ended again and again.

        Raises:
            InputError: the scheduler was lost, or a worker that joined can't work.
        """
        waiting: deque[tuple[tuple, Future]] = deque()
        most = CALLS_PER_WORKER * len(self._client.nthreads())
        for args in arguments:
            waiting.append((args, self._client.submit(function, *args, pure=False)))
            if len(waiting) >= most:
                args, future = waiting.popleft()
                yield args, self._checked_result(future)
        while waiting:
            args, future = waiting.popleft()
            yield args, self._checked_result(future)

    def check(self) -> None:
        """Check the new workers; raise an `InputError` that names the first one that can't work."""
        present = self._client.nthreads()
        new = [worker for worker in present if worker not in self._checked]
        if not new:
            return
        for worker in new:
            if present[worker] > 1:
                raise InputError(
                    f"the worker {worker} has {present[worker]} threads; start it with --nthreads "
                    "1, and with --nworkers for several processes"
                )
        for worker, version in self._ask(new, pkgutil.resolve_name, "deepfake_audio:__version__"):
            if version != __version__:
                problem = f"has deepfake-audio {version}, not {__version__}"
                if isinstance(version, Exception):
                    problem = f"cannot import deepfake_audio ({version})"
                raise InputError(f"the worker {worker} {problem}; install this version there")
        for path, content in self._expected.items():
            for worker, found in self._ask(new, _look, path):
                if found != content:
                    raise InputError(
                        f"the worker {worker} cannot see {path} as it is here "
                        f"({found or 'missing'}); give all machines the same folders under the "
                        "same names"
                    )
        self._checked.update(new)

    def _ask(
        self, workers: list[str], function: Callable, *args: object
    ) -> Iterator[tuple[str, Any]]:
        """Call a function on workers; yield the result or exception of those that still exist."""
        try:
            answers = self._client.run(
                function, *args, workers=workers, on_error="return", callback_timeout=CHECK_SECONDS
            )
        except (OSError, TimeoutError):
            raise InputError(
                f"a worker of {self._client.scheduler.address} does not answer within "
                f"{CHECK_SECONDS} s; start the workers again"
            ) from None
        present = self._client.nthreads()
        yield from ((worker, answer) for worker, answer in answers.items() if worker in present)

    def _checked_result(self, future: "Future") -> Any:
        """Return a result after all workers are checked, or the reason why a new one can't work."""
        try:
            result = self._result(future)
        except InputError:
            raise
        except Exception:  # of the call: a worker without the package can't even read it
            self.check()
            raise
        self.check()
        return result

    def _result(self, future: "Future") -> Any:
        """Wait for a result; warn if the cluster has lost all its workers."""
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        is_warned = False
        while True:
            try:
                return future.result(timeout=WATCH_SECONDS)
            except TimeoutError:
                if not is_warned and not self._has_workers():
                    is_warned = True
                    logger.warning("the cluster has no worker; waiting for one (Ctrl-C ends this)")
            except KilledWorker as error:
                return LostCallError(pluralize(error.allowed_failures + 1, "worker"))
            except (FutureCancelledError, CommClosedError):
                raise InputError(
                    "the connection to the scheduler was lost; start it again, and run this again"
                ) from None

    def _has_workers(self) -> bool:
        try:
            return self._client.status == "running" and bool(self._client.nthreads())
        except OSError:  # the connection was lost meanwhile
            return False


def _look(path: str) -> str:
    """Describe what is at a path: the digest of a small file, the size of others; empty if none."""
    if Path(path).is_dir():
        return "folder"
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = file_digest(file, "sha256").hexdigest()[:16] if size < 2**28 else ""
            return f"{size} bytes {digest}".strip()
    except OSError as error:
        return error.strerror or str(error)
