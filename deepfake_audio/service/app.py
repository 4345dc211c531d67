"""The application: addresses of the page and the REST service."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from deepfake_audio import __version__
from deepfake_audio.models.fingerprints import fingerprint_run
from deepfake_audio.models.run_search import OpenedRun
from deepfake_audio.service.guards import HEADERS, Guard
from deepfake_audio.service.judges import Judges
from deepfake_audio.service.page import load_page
from deepfake_audio.service.refusals import SERVICE_FAILED, UNNAMED, RefusedError, json_response
from deepfake_audio.service.uploads import Upload, received
from deepfake_audio.system.json_text import to_json

REPORT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
LINES = "application/x-ndjson"
OPENAPI, SCHEMA = "openapi.json", "verdict.schema.json"


@dataclass(frozen=True)
class Options:
    """How the service runs.

    Attributes:
        overrides: settings such as `"predict.prior_fake=0.1"`.
        workers: processes that judge.
        queue: most recordings that wait.
        timeout_seconds: longest judging of a recording.
        max_megabytes: largest recording.
        hosts: names that the service is called by, beside localhost and IP addresses.
        token: that requests must carry; empty for none.
    """

    overrides: Sequence[str] = ()
    workers: int = 1
    queue: int = 32
    timeout_seconds: float = 3600
    max_megabytes: float = 2000
    hosts: Sequence[str] = ()
    token: str = ""


def make_app(opened: OpenedRun, options: Options) -> Starlette:
    """Return the application; `app.state.judges` has its workers, which `running` starts."""
    judges = Judges(
        opened.run.folder.absolute(), list(options.overrides), options.workers, options.queue,
        options.timeout_seconds,
    )  # fmt: skip
    html, policy = load_page()
    about = describe_model(opened, options)
    openapi = load_openapi()

    async def show_page(request: Request) -> Response:
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    async def show_health(request: Request) -> Response:
        status = "stopping" if judges.is_closing else "ok"
        counts = {"judging": judges.judging, "waiting": judges.taken - judges.judging}
        return json_response(
            {"status": status, "version": __version__, "workers": judges.workers, **counts},
            503 if judges.is_closing else 200,
        )

    async def show_model(request: Request) -> Response:
        return json_response(about)

    async def show_openapi(request: Request) -> Response:
        return json_response(openapi)

    app = Starlette(
        routes=[
            Route("/", show_page),
            Route("/api/v1/health", show_health),
            Route("/api/v1/model", show_model),
            Route("/api/v1/openapi.json", show_openapi),
            Route("/api/v1/predict", Predict(judges, options), methods=["POST"]),
            Route("/api/v1/report", Report(judges, options), methods=["POST"]),
        ],
        middleware=[Middleware(Guard, hosts=options.hosts, token=options.token)],
        exception_handlers={HTTPException: show_error, Exception: show_bug},
    )
    app.router.redirect_slashes = False  # behind a proxy, it would name the wrong address
    app.state.judges = judges
    return app


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """Start the workers, and end them afterwards.

    Raises:
        InputError: a worker can't start.
        FileNotFoundError: there is no folder for the files of requests.
    """
    tempfile.gettempdir()
    try:
        await app.state.judges.open()
        yield
    finally:
        await app.state.judges.close()


def load_openapi() -> dict:
    """Return the description of all requests and answers, with the schema of a verdict."""
    text = (files("deepfake_audio.service") / OPENAPI).read_text(encoding="utf-8")
    document = json.loads(text.replace("@VERSION@", __version__))
    schema = (files("deepfake_audio") / SCHEMA).read_text(encoding="utf-8")
    document["components"]["schemas"]["Verdict"] = json.loads(schema)
    return document


def describe_model(opened: OpenedRun, options: Options) -> dict:
    """Return facts about the run that judges, and the limits of the service."""
    run, record, settings = opened
    return {
        "run": run.name,
        "version": __version__,
        "created": record.created.isoformat(),
        "fingerprint": fingerprint_run(run, record, settings.limits),
        "judges_audio": record.images_from_audio,
        "sample_rate_hz": settings.audio.sample_rate_hz,
        "window_seconds": settings.audio.window_seconds,
        "prior_fake": settings.predict.prior_fake,
        "min_confidence": settings.predict.min_confidence,
        "max_megabytes": options.max_megabytes,
        "max_hours": settings.limits.audio_hours,
    }


async def show_error(request: Request, error: HTTPException) -> Response:
    """Return an error of the framework, such as 404, in the form of the service."""
    path, headers = request.url.path[:100], error.headers or {}
    texts = {
        404: f"there is no address {path}; see /api/v1/openapi.json",
        405: f"{path} does not take {request.method}; send {headers.get('Allow')}",
    }
    refused = RefusedError(error.status_code, "http", texts.get(error.status_code, error.detail))
    return json_response(refused.content(UNNAMED), refused.status, headers)


async def show_bug(request: Request, error: Exception) -> Response:
    """Return an error of this program, whose traceback is in the log, in the same form."""
    response = RefusedError(500, "bug", SERVICE_FAILED).response(UNNAMED)
    response.headers.update(HEADERS)  # Starlette answers this outside of the guard
    return response


class Predict:
    """The address that judges a recording."""

    def __init__(self, judges: Judges, options: Options):
        self.judges, self.max_bytes = judges, int(options.max_megabytes * 1_000_000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, name = Request(scope, receive), None
        try:
            with self.judges.place():
                async with AsyncExitStack() as files:
                    async with self.judges.receiving():
                        receiving = received(request, self.max_bytes)
                        upload = await files.enter_async_context(receiving)
                    name = upload.name
                    wants_lines = LINES in request.headers.get("accept", "")
                    answer = self.send_lines if wants_lines else self.send_json
                    await while_connected(receive, answer(upload, scope, receive, send))
        except RefusedError as refused:
            await refused.response(name or UNNAMED)(scope, receive, send)
        except ClientDisconnect:
            pass

    async def send_json(self, upload: Upload, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a recording and send its verdict, as predict.py --json prints it."""
        answer = await self.judges.judge(question_about(upload), lambda progress: None)
        await json_response(answer["row"])(scope, receive, send)

    async def send_lines(self, upload: Upload, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a recording and send its progress line by line; the last line has the verdict."""
        question = question_about(upload) | {"view": True}
        lines: asyncio.Queue[dict | None] = asyncio.Queue()

        async def judge() -> None:
            try:
                lines.put_nowait(await self.judges.judge(question, lines.put_nowait))
            except RefusedError as refused:
                content = {"state": "failed", "status": refused.status}
                lines.put_nowait(content | refused.content(upload.name))
            finally:
                lines.put_nowait(None)

        headers = [(b"content-type", LINES.encode()), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(judge())
            while (line := await lines.get()) is not None:
                body = to_json(line).encode() + b"\n"
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Report(Predict):
    """The address that makes the report on a recording, as predict.py --report does."""

    async def send_json(self, upload: Upload, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a recording and send its report, a page without scripts."""
        question = question_about(upload) | {"report": True}
        answer = await self.judges.judge(question, lambda progress: None)
        headers = {"Content-Security-Policy": REPORT_POLICY}
        await HTMLResponse(answer["report"], headers=headers)(scope, receive, send)

    send_lines = send_json  # a report has no progress


def question_about(upload: Upload) -> dict:
    """Return the question to a worker."""
    return {
        "path": str(upload.path), "name": upload.name, "view": False, "report": False,
        "channel": upload.number("channel"), "track": upload.number("track"),
    }  # fmt: skip


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do work, and cancel it when the client goes away.

    Raises:
        ClientDisconnect: the client went away.
    """

    async def wait_for_end() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    job, gone = asyncio.ensure_future(work), asyncio.ensure_future(wait_for_end())
    try:
        await asyncio.wait({job, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            job.cancel()
            await asyncio.wait({job})
            raise ClientDisconnect
        job.result()
    finally:
        job.cancel()
        gone.cancel()
