"""Requests that are refused: the status, one line of error, and when to try again."""

from collections.abc import Mapping

from starlette.responses import Response

from deepfake_audio.errors import one_line
from deepfake_audio.system.atomic_files import to_json


class RefusedError(Exception):
    """A request that gets an error.

    Attributes:
        status: of HTTP.
        retry_seconds: when to try again; None for never.
    """

    def __init__(self, status: int, message: str, retry_seconds: int | None = None):
        super().__init__(one_line(message))
        self.status, self.retry_seconds = status, retry_seconds

    def content(self, name: str | None = None) -> dict:
        """Return the error as JSON has it, with the name of the file as predict.py does."""
        return ({} if name is None else {"file": name}) | {"error": str(self)}

    def response(self, name: str | None = None) -> Response:
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
