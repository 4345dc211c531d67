"""Requests that are refused: the status, one line of error, and when to try again."""

from collections.abc import Mapping

from starlette.responses import Response

from deepfake_audio.errors import one_line
from deepfake_audio.system.json_text import to_json

UNNAMED = "recording"
SERVICE_FAILED = "the service failed on this file; its log has the details"


class RefusedError(Exception):
    """A request that gets an error.

    Attributes:
        status: of HTTP.
        code: stable, for programs.
        retry_seconds: when to try again; None for never.
        found: object of the file that a worker could not judge; None if no worker tried.
    """

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        retry_seconds: int | None = None,
        found: Mapping | None = None,
    ):
        super().__init__(one_line(text))
        self.status, self.code, self.retry_seconds = status, code, retry_seconds
        self.found = found

    def content(self, name: str) -> dict:
        """Return the error of a file as an object for JSON, as predict.py writes one."""
        error = {"code": self.code, "text": str(self)}
        return dict(
            self.found or {"file": name, "verdict": None, "confidence": None, "error": error}
        )

    def response(self, name: str) -> Response:
        """Return the answer to the request."""
        headers = {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return json_response(self.content(name), self.status, headers)


def json_response(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON as predict.py writes it."""
    text = to_json(content) + "\n"
    return Response(text, status, headers, media_type="application/json")
