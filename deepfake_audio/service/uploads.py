"""Request bodies to temporary files, piece by piece; each file is removed with its request."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from deepfake_audio.errors import DISK_FULL
from deepfake_audio.service.refusals import UNNAMED, RefusedError

STALL_SECONDS = 60  # without a byte of the body
MAX_NAME = 200
MAX_FIELD_BYTES = 1000  # of a form, beside the file
MULTIPART = b"multipart/form-data"
NO_RECORDINGS = (b"application/json", b"application/xml", b"text/")
PARAMETERS = ("channel", "track", "name")


@dataclass
class Upload:
    """A recording that was received.

    Attributes:
        path: of its temporary file.
        name: that the client gave, for messages.
        parameters: `channel`, `track` and `name`, as the client gave them.
    """

    path: Path
    name: str = UNNAMED
    parameters: dict[str, str] = field(default_factory=dict)

    def number(self, key: str) -> int | None:
        """Return a parameter that is a whole number from 1; None if it is missing.

        Raises:
            RefusedError: it is something else.
        """
        text = self.parameters.get(key, "")
        if not text:
            return None
        if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
            raise RefusedError(
                422, "no_such_part", f"{key}={text[:40]} is no {key}; give a whole number from 1"
            )
        return int(text)


@asynccontextmanager
async def received(request: Request, max_bytes: int) -> AsyncIterator[Upload]:
    """Write the recording of a request to a file, and remove it afterwards.

    Args:
        request: its body is the recording, or a form with the part `file`.
        max_bytes: largest body.

    Raises:
        RefusedError: the body is too large, too slow, encoded, or no recording, a parameter is
            unknown or repeated, or the disk is full.
        ClientDisconnect: the client went away.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise RefusedError(
            415, "encoded", f"the content encoding {encoding[:40]} is not supported; send the file "
            "as it is",
        )  # fmt: skip
    if kind.startswith(NO_RECORDINGS):
        raise RefusedError(
            415, "no_recording", f"the content type {kind.decode('latin-1')} is no recording; "
            "send the file itself, or a form with the part file",
        )  # fmt: skip
    parameters: dict[str, str] = {}
    for key, value in request.query_params.multi_items():
        check_parameter(key, parameters)
        parameters[key] = value
    body = _limited(request, max_bytes)
    # Only this user may enter it, and nobody else can make one of its name in its place.
    with tempfile.TemporaryDirectory(prefix="deepfake-audio-") as own:
        place = Path(own)
        try:
            if kind == MULTIPART:
                boundary = options.get(b"boundary", b"")
                upload = await _from_form(body, boundary, place, parameters)
            else:
                upload = await _from_body(body, place, parameters.get("name", UNNAMED))
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise RefusedError(
                507, "no_room", "the service has no room for the file; send a part of it, or try "
                "again later",
            ) from None  # fmt: skip
        upload.parameters = upload.parameters | parameters
        upload.name = clean_name(upload.parameters.get("name") or upload.name)
        yield upload


def check_parameter(key: str, given: Collection[str]) -> None:
    """Raise a `RefusedError` unless a parameter or a field of a form is known, and new."""
    if key not in PARAMETERS:
        raise RefusedError(
            422, "unknown_parameter", f"{key[:40]} is no parameter; give channel, track or name"
        )
    if key in given:
        raise RefusedError(422, "repeated_parameter", f"{key} is given twice; give it once")


async def _limited(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the pieces of a body; refuse one that is too large or too slow."""
    pieces, total = aiter(request.stream()), 0
    while True:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedError(408, "slow", f"no data came for {STALL_SECONDS} s") from None
        total += len(piece)
        if total > max_bytes:
            raise _too_large(max_bytes)
        yield piece


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(
        413, "too_large", f"the file has more than {max_bytes / 1e6:,g} MB; send a part "
        "of it, or start the service with a higher --max-megabytes",
    )  # fmt: skip


async def _from_body(body: AsyncIterator[bytes], folder: Path, name: str) -> Upload:
    """Write a body that is the recording itself."""
    path = folder / f"recording{suffix_of(name)}"
    with path.open("xb") as file:
        async for piece in body:
            file.write(piece)
    return Upload(path, name)


async def _from_form(
    body: AsyncIterator[bytes], boundary: bytes, folder: Path, given: Collection[str]
) -> Upload:
    """Write the only file of a form; `given` are parameters of the query."""
    if not boundary:
        raise RefusedError(
            422, "bad_form", "the content type of the form has no boundary; send the file itself, "
            "or curl -F file=@clip.wav",
        )  # fmt: skip
    form = _Form(folder, given)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in body:
            parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise RefusedError(
            422, "bad_form", f"the form can't be read: {error}; send the file itself"
        ) from None
    finally:
        form.close()
    if not form.is_complete:
        raise RefusedError(
            422, "bad_form", "the form ends before its closing boundary; send it again"
        )
    if form.upload is None:
        raise RefusedError(
            422, "bad_form", "the form has no file; send one, such as curl -F file=@clip.wav"
        )
    for key, value in form.fields.items():
        form.upload.parameters[key] = value.decode("utf-8", "replace")
    return form.upload


class _Form:
    """Receives the parts of a form: fields into memory, the file into a folder.

    The form parser of the library would keep a field of any size in memory.
    """

    def __init__(self, folder: Path, given: Collection[str]):
        self.given = given
        self.folder, self.upload, self.file, self.is_complete = folder, None, None, False
        self.fields: dict[str, bytearray] = {}
        self.header, self.headers, self.field = [b"", b""], {}, bytearray()

    def callbacks(self) -> dict:
        return {
            "on_part_begin": self.headers.clear,
            "on_header_field": lambda data, start, end: self._add_header(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._add_header(1, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": lambda data, start, end: self._add_content(data[start:end]),
            "on_part_end": self.close,
            "on_end": self._end,
        }

    def _end(self) -> None:
        self.is_complete = True

    def close(self) -> None:
        if self.file:
            self.file.close()
        self.file = None

    def _add_header(self, place: int, piece: bytes) -> None:
        self.header[place] += piece

    def _end_header(self) -> None:
        name, value = self.header
        self.headers[name.lower()] = value
        self.header = [b"", b""]

    def _begin_content(self) -> None:
        disposition = self.headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        self.field, name = bytearray(), file_name_of(disposition, options)
        if name is None:
            key = options.get(b"name", b"").decode("utf-8", "replace")
            if key != "file":  # a file without a name is no file
                check_parameter(key, [*self.given, *self.fields])
            self.fields[key] = self.field
            return
        if self.upload is not None:
            raise RefusedError(
                422, "bad_form", "the form has several files; send one file in each request"
            )
        self.upload = Upload(self.folder / f"recording{suffix_of(name)}", name)
        self.file = self.upload.path.open("xb")

    def _add_content(self, piece: bytes) -> None:
        if self.file:
            self.file.write(piece)
        else:
            self.field += piece[: MAX_FIELD_BYTES - len(self.field)]


def file_name_of(disposition: bytes, options: Mapping[bytes, bytes]) -> str | None:
    r"""Return the name of the file in a part of a form; None if it is no file.

    Browsers escape quotes and line breaks. Some clients send only `filename*` (RFC 5987).

    >>> file_name_of(b"", {b"filename": b"50%22%25.wav"})
    '50"%25.wav'
    >>> file_name_of(b"form-data; name=file; filename*=UTF-8''a%20%C3%A9.wav", {})
    'a é.wav'
    """
    if (plain := options.get(b"filename")) is not None:
        name = plain.decode("utf-8", "replace")
        return re.sub("%(?:22|0A|0D)", lambda escaped: unquote(escaped[0]), name)
    found = re.search(rb"(?i);\s*filename\*=(utf-8|iso-8859-1)'[^']*'([^;\s]+)", disposition)
    return unquote(found[2].decode("latin-1"), found[1].decode("ascii")) if found else None


def clean_name(name: str) -> str:
    r"""Return the last part of a name, shortened at its beginning.

    >>> clean_name("C:\\calls\\a.wav"), clean_name("../../b.wav"), clean_name("/")
    ('a.wav', 'b.wav', 'recording')
    """
    return re.split(r"[\\/]", name.strip())[-1][-MAX_NAME:] or UNNAMED


def suffix_of(name: str) -> str:
    """Return the suffix of a name: decoders use it if the content is ambiguous.

    >>> suffix_of("a.MP3"), suffix_of("a.b/c"), suffix_of("a.mp3;x")
    ('.mp3', '', '')
    """
    found = re.search(r"\.[a-z0-9]{1,8}\Z", name.lower())
    return found[0] if found else ""
