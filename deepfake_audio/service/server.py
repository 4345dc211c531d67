"""Run the application: its socket, and an end after the work in flight."""

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from deepfake_audio.errors import InputError
from deepfake_audio.service.app import running

BACKLOG = 256
MAX_CONNECTIONS = 500
SILENCE_SECONDS = 10  # of a connection that has sent nothing yet


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        InputError: the address is in use, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # the address again
        raise InputError(
            f"cannot listen on {host}:{port}: {reason.lower()}; give another --port or --host"
        ) from None


def address_of(listening: socket.socket) -> str:
    """Return the address that a browser on this machine opens."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Connection(H11Protocol):
    """A connection of a client; it ends if no data comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for data, as between two requests."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            SILENCE_SECONDS, self.timeout_keep_alive_handler
        )


class Server(uvicorn.Server):
    """A server that only ends after the recordings that are judged, and refuses the others."""

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        """Begin to end; a second signal ends at once."""
        if self.should_exit:
            self.force_exit = True
        self.config.app.state.judges.refuse()
        super().handle_exit(number, frame)


def serve(app: Starlette, listening: socket.socket, announce: Callable[[], object]) -> None:
    """Answer requests until a signal ends the service; `announce` is called when it is ready."""
    # The errors of the parser of forms are in the answers.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, server_header=False,
        date_header=False, proxy_headers=False, lifespan="off", ws="none", http=Connection,
        limit_concurrency=MAX_CONNECTIONS,
    )  # fmt: skip

    async def run() -> None:
        async with running(app):
            announce()
            await Server(config).serve(sockets=[listening])

    asyncio.run(run())
