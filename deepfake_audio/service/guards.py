"""Refuse requests of other web sites and without the token; add headers that protect the page."""

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_audio.service.refusals import UNNAMED, RefusedError

SAFE_METHODS = {"GET", "HEAD"}
OPEN_PATHS = {"/", "/api/v1/health", "/api/v1/openapi.json"}  # the page asks for the token itself
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"  # the policy of an answer that is no page


class Guard:
    """A layer around the application that every request passes.

    Args:
        app: the application.
        hosts: names or addresses (URLs) that the service is called by, beside localhost and IP
            addresses.
        token: that a request must carry; empty for none.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), token: str = ""):
        self.app, self.token = app, token
        self.hosts = {"localhost", *(host_name(host.rpartition("//")[2]) for host in hosts)} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", NO_CONTENT)
            await send(message)

        try:
            self.check(scope["method"], scope["path"], Headers(scope=scope))
        except RefusedError as refused:
            await refused.response(UNNAMED)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raise a `RefusedError` unless a request may pass."""
        host = headers.get("host", "")
        if not is_known(host, self.hosts):
            text = f"the service is not called {host[:100]}; start it with --allow-host NAME"
            raise RefusedError(
                421, "wrong_host", text if host else "the Host header is missing; send one"
            )
        if method not in SAFE_METHODS and is_cross_site(headers):
            raise RefusedError(
                403, "cross_site", "a page of another web site can't send recordings here"
            )
        if self.token and path not in OPEN_PATHS and not self._has_token(headers):
            raise RefusedError(
                401, "no_token", "the token is missing or wrong; send Authorization: Bearer TOKEN"
            )

    def _has_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_equal = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return is_equal and kind.lower() == "bearer"


def is_known(host: str, names: Collection[str]) -> bool:
    """Return whether a Host header names this service: an IP address or one of the names.

    A web site can let its own name point to 127.0.0.1 (DNS rebinding), but no IP address.

    >>> [is_known(host, {"localhost"}) for host in ("127.0.0.1:8000", "[::1]:8000", "localhost")]
    [True, True, True]
    >>> [is_known(host, {"localhost"}) for host in ("evil.example:8000", "", "127.0.0.1.evil.org")]
    [False, False, False]
    """
    name = host_name(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def host_name(host: str) -> str:
    """Return the name of a host in small letters, without a port; empty if it has none.

    >>> host_name("Judge.example.org:8000"), host_name("[::1]:8000"), host_name("[")
    ('judge.example.org', '::1', '')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_cross_site(headers: Headers) -> bool:
    """Return whether a browser sent a request for a page of another web site."""
    site = headers.get("sec-fetch-site", "none")
    if site != "none":  # only browsers set it; a server in front may have changed Host
        return site != "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != headers.get("host")
    except ValueError:  # no URL
        return True
