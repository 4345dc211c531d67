"""Worker processes that judge one file each at a time, and the queue before them."""

import asyncio
import json
import logging
import math
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import deepfake_audio
from deepfake_audio.errors import InputError
from deepfake_audio.service.refusals import SERVICE_FAILED, RefusedError

PACKAGE_PARENT = Path(deepfake_audio.__file__).resolve().parent.parent
WORKER = (sys.executable, "-P", "-m", "deepfake_audio.service.worker")
MAX_ANSWER_BYTES = 64_000_000
FIRST_GUESS_SECONDS = 2.0
RETRY_SECONDS = 10
OPTION = re.compile(r"--(?=(channel|track)\b)")  # of predict.py: here they are parameters

logger = logging.getLogger(__name__)


class WorkerEndedError(Exception):
    """A worker ended before it answered: the system ended it, or a decoder crashed."""


class NotStartedError(WorkerEndedError):
    """A worker ended while it started, probably for lack of memory."""


@dataclass
class Worker:
    """A process that answers one question at a time; it starts when it is needed.

    Attributes:
        start: the first line that the process receives: the run and its settings.
        process: that answers.
        ended: the one before it.
    """

    start: Mapping
    process: asyncio.subprocess.Process | None = None
    ended: asyncio.subprocess.Process | None = None

    async def ask(self, question: Mapping, say: Callable[[Mapping], object]) -> dict:
        """Ask one question; `say` receives the progress. Cancelling ends the process."""
        try:
            await self.ready()
            self._send(question)
            while True:
                answer = await self._answer()
                if answer["state"] in ("done", "failed"):
                    break
                say(answer)
        except BaseException:
            self.kill()
            raise
        if answer.get("ends"):
            self.kill()
        return answer

    async def ready(self) -> None:
        """Start the process if there is none, and wait until it has loaded the model."""
        if self.process is not None and self.process.returncode is None:
            return
        path = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
        self.process = await asyncio.create_subprocess_exec(
            *WORKER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path}, limit=MAX_ANSWER_BYTES, start_new_session=True,
        )  # fmt: skip
        try:
            self._send(self.start)
            answer = await self._answer()
        except WorkerEndedError:
            self.kill()
            raise NotStartedError from None
        except BaseException:
            self.kill()
            raise
        if "error" in answer:
            self.kill()
            raise InputError(answer["error"])

    def kill(self) -> None:
        """End the process at once; the next question starts another."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.stdin.close()
            self.ended, self.process = self.process, None

    def _send(self, content: Mapping) -> None:
        self.process.stdin.write(json.dumps(content).encode("ascii") + b"\n")

    async def _answer(self) -> dict:
        try:
            line = await self.process.stdout.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise WorkerEndedError
        return json.loads(line)


class Judges:
    """A number of workers, and a bounded queue before them.

    Attributes:
        workers: number of processes.
        queue: most requests that wait for a worker.
        timeout_seconds: longest judging of a file.
        taken: requests that are received, wait or are judged.
        judging: requests that are judged.
    """

    def __init__(
        self, run: Path, settings: list[str], workers: int, queue: int, timeout_seconds: float
    ):
        self.workers, self.queue, self.timeout_seconds = workers, queue, timeout_seconds
        self.taken, self.judging, self.is_closing = 0, 0, False
        self._mean_seconds = FIRST_GUESS_SECONDS
        self._receiving: set[asyncio.Timeout] = set()
        self._waiting: list[Callable[[Mapping], object]] = []  # receive the progress, first first
        start = {"run": str(run), "settings": settings}
        self._all = [Worker(start) for _ in range(workers)]
        self._idle: asyncio.Queue[Worker | None] = asyncio.Queue()

    async def open(self) -> None:
        """Start all workers.

        Raises:
            InputError: one ended, probably for lack of memory.
        """
        try:
            await asyncio.gather(*(worker.ready() for worker in self._all))
        except WorkerEndedError:
            raise InputError(
                "a process that judges ended while it started, probably for lack of memory; use "
                "fewer --workers"
            ) from None
        self._loop = asyncio.get_running_loop()
        for worker in self._all:
            self._idle.put_nowait(worker)

    def refuse(self) -> None:
        """Refuse requests that are new, received or waiting; go on judging. For signal handlers."""
        self.is_closing = True
        self._loop.call_soon_threadsafe(self._refuse_others)

    def _refuse_others(self) -> None:
        while self._receiving:
            self._receiving.pop().reschedule(self._loop.time())
        for _ in range(self.taken - self.judging):
            self._idle.put_nowait(None)

    async def close(self) -> None:
        """End all workers, and wait until they have ended."""
        for worker in self._all:
            worker.kill()
            if worker.ended is not None:
                await worker.ended.wait()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue.

        Raises:
            RefusedError: the queue is full, or the service is stopping.
        """
        if self.is_closing:
            raise stopping()
        if self.taken >= self.workers + self.queue:
            seconds = math.ceil(self._mean_seconds * self.taken / self.workers / 2)
            raise RefusedError(
                503, "queue_full",
                f"the queue is full ({self.queue} recordings wait); try again later",
                min(max(seconds, 1), 600),
            )  # fmt: skip
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Receive a recording, until the service stops.

        Raises:
            RefusedError: the service is stopping.
        """
        timeout = asyncio.timeout(None)
        try:
            async with timeout:
                self._receiving.add(timeout)
                try:
                    yield
                finally:
                    self._receiving.discard(timeout)
        except TimeoutError:
            raise stopping() from None

    async def judge(self, question: Mapping, say: Callable[[Mapping], object]) -> dict:
        """Judge a file when a worker is free; cancelling frees the worker.

        Args:
            question: see `worker.answer_one`.
            say: receives the progress.

        Raises:
            RefusedError: the file can't be judged, or took too long, or the service is stopping.
        """
        worker = await self._take(say)
        started = time.monotonic()
        try:
            say({"state": "reading"})
            async with asyncio.timeout(self.timeout_seconds):
                try:
                    answer = await worker.ask(question, say)
                except WorkerEndedError:  # the system may have ended it, not the file
                    answer = await worker.ask(question, say)
            self._mean_seconds += 0.1 * (time.monotonic() - started - self._mean_seconds)
        except TimeoutError:
            raise RefusedError(
                422, "limit", f"cannot judge {question['name']}: it took longer than "
                f"{self.timeout_seconds:g} s; send a part of it, or raise --timeout",
            ) from None  # fmt: skip
        except NotStartedError:
            raise RefusedError(
                503, "no_worker", "a process that judges ended while it started, probably for lack "
                "of memory; try again later", RETRY_SECONDS,
            ) from None  # fmt: skip
        except WorkerEndedError:
            raise RefusedError(
                422, "unreadable",
                f"cannot judge {question['name']}: the process that read it ended; convert it to "
                "WAV or FLAC",
            ) from None  # fmt: skip
        except InputError as error:  # a new worker can't load the model
            raise RefusedError(500, "bug", str(error)) from None
        finally:
            self.judging -= 1
            self._idle.put_nowait(worker)
        return checked(answer)

    async def _take(self, say: Callable[[Mapping], object]) -> Worker:
        """Return a free worker, and count its recording; `say` receives the place in the queue."""
        if self._idle.empty():
            say({"state": "waiting", "ahead": self.judging + len(self._waiting)})
        self._waiting.append(say)
        try:
            worker = await self._idle.get()
            if worker is None:
                raise stopping()
            self.judging += 1
            return worker
        finally:
            self._waiting.remove(say)
            for place, other in enumerate(self._waiting):
                other({"state": "waiting", "ahead": self.judging + place})


def stopping() -> RefusedError:
    return RefusedError(503, "stopping", "the service is stopping; try again later", RETRY_SECONDS)


def checked(answer: Mapping) -> dict:
    """Return an answer that has a verdict.

    Raises:
        RefusedError: the file can't be judged, or the worker has a bug.
    """
    if "bug" in answer:
        logger.error("a worker failed:\n%s", answer["bug"])
        raise RefusedError(500, "bug", SERVICE_FAILED)
    if error := answer["row"]["error"]:
        error["text"] = OPTION.sub("", error["text"])
        raise RefusedError(422, error["code"], error["text"], found=answer["row"])
    return dict(answer)
