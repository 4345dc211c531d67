"""Download recordings that a name such as `https://host/call.wav` or `s3://bucket/call.wav` gives.

This needs the extra `remote`, and only names that the user gave are fetched.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from deepfake_audio.config.schema import LimitSettings
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.temporary_files import temporary_file

REMOTE = re.compile(r"(https?|s3|gs|gcs)://[^/]+/?.*", re.DOTALL | re.IGNORECASE)
MAX_REDIRECTS = 5
CONNECT_SECONDS = 30
PIECE_BYTES = 1_000_000


def is_remote(name: str) -> bool:
    """Return whether a name is one of another machine.

    >>> is_remote("HTTPS://host/a.wav"), is_remote("calls/a.wav"), is_remote("file:///a.wav")
    (True, False, False)
    """
    return REMOTE.fullmatch(name) is not None


@contextmanager
def downloaded(name: str, limits: LimitSettings) -> Iterator[Path]:
    """Yield a temporary copy of one remote file, with the suffix of its name.

    Raises:
        InputError: the extra is not installed, or the file can't be fetched within the limits.
    """
    suffix = PurePosixPath(re.split("[?#]", name)[0]).suffix
    if not suffix.isascii() or len(suffix) > 10:
        suffix = ""
    with temporary_file(name, suffix) as (copy, path):
        try:
            _copy(name, copy, limits)
        except InputError:
            raise
        except ImportError:
            raise InputError(
                f"cannot read {name}: it is on another machine; download it first, or install the "
                "extra: pip install '.[remote]'"
            ) from None
        except TimeoutError:
            raise _too_slow(name, limits) from None
        except Exception as error:  # each store raises errors of its own package
            raise InputError(
                f"cannot download {name}: {_reason(error, name)}; check the name, or download it "
                "first"
            ) from None
        yield path


def _copy(name: str, copy: BinaryIO, limits: LimitSettings) -> None:
    """Copy a remote file piece by piece, or raise the store's own error."""
    import fsspec

    protocol = name.partition("://")[0].lower()
    ends = time.monotonic() + limits.remote_seconds
    system = fsspec.filesystem(protocol, **_options(protocol, limits.remote_seconds))
    # One request without ranges. A known size, which has no other meaning here, saves another one.
    stream = {"block_size": 0, "size": 1} if protocol.startswith("http") else {}
    with system.open(protocol + name[len(protocol) :], "rb", **stream) as file:
        status = getattr(getattr(file, "r", None), "status", HTTPStatus.OK)
        if status != HTTPStatus.OK:
            raise OSError(f"the server answered with status {status}")
        copied_bytes = 0
        while piece := file.read(PIECE_BYTES):
            copied_bytes += len(piece)
            if copied_bytes > limits.stdin_megabytes * 1_000_000:
                raise InputError(
                    f"cannot download {name}: it has more than limits.stdin_megabytes="
                    f"{limits.stdin_megabytes:,}; raise it, or download the file first"
                )
            if time.monotonic() > ends:
                raise _too_slow(name, limits)
            copy.write(piece)
    copy.flush()


def _too_slow(name: str, limits: LimitSettings) -> InputError:
    return InputError(
        f"cannot download {name}: it takes longer than limits.remote_seconds="
        f"{limits.remote_seconds:g}; raise it, or download the file first"
    )


def _reason(error: Exception, name: str) -> str:
    """Return the reason in an error of a store: some have only the name, or no text."""
    text = "; ".join(str(error).split("\n"))
    match type(error).__name__:  # the packages of the stores are optional
        case "FileNotFoundError":
            return "no such file"
        case "ClientResponseError":
            return (
                f"the server answered with status {error.status} ({one_line(error.message)[:100]})"
            )
        case "ClientConnectorDNSError" | "ClientConnectorError":
            return f"no connection to the host ({error.os_error.strerror or 'no answer'})"
        case "ClientConnectorSSLError" | "ClientConnectorCertificateError":
            return "the host has no valid TLS"
        case "TooManyRedirects":
            return f"the server redirects more than {MAX_REDIRECTS} times"
        case "NonHttpUrlRedirectClientError":
            return f"the server redirects to {text}"
        case kind:
            return text if text not in ("", name) else kind


def _options(protocol: str, seconds: float) -> dict[str, Any]:
    """Return the options of a store that bound the time and the redirects."""
    connect_seconds = min(CONNECT_SECONDS, seconds)
    if protocol.startswith("http"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=seconds, sock_connect=connect_seconds)
        return {"client_kwargs": {"timeout": timeout}, "max_redirects": MAX_REDIRECTS}
    if protocol == "s3":
        return {"config_kwargs": {"connect_timeout": connect_seconds, "read_timeout": seconds}}
    return {"requests_timeout": seconds}
