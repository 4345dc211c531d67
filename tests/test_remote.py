"""Names of other machines: fetched only with the extra, within the limits, from loopback here."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import ROOT
from deepfake_audio.config.loading import load_settings
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.inference.remote import downloaded, is_remote
from deepfake_audio.system.temporary_files import OPEN_FILES

asked: list[str] = []  # the methods of all requests to the server
CLIP = ROOT / "data" / "sample" / "audio" / "fake_espeak-ng_it_f5.flac"


class Handler(BaseHTTPRequestHandler):
    """Serve a clip at /clip.flac, and the faults of a bad server at other names."""

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        asked.append(self.command)
        name = self.path.partition("?")[0]
        if name in ("/once.flac", "/loop.flac"):
            self.send_response(302)
            self.send_header("Location", "/clip.flac" if name == "/once.flac" else name)
            self.end_headers()
        elif name == "/elsewhere.flac":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif name == "/part.flac":
            self.send_response(206)
            self.end_headers()
            self.send_body(name)
        elif name == "/hanging.flac":
            self.server.is_over.wait()
        elif name in ("/clip.flac", "/endless.flac", "/slow.flac"):
            self.send_response(200)
            self.end_headers()
            if with_body:
                self.send_body(name)
        else:
            self.send_error(404)

    def send_body(self, name: str) -> None:
        content = CLIP.read_bytes()
        self.wfile.write(content)
        while name == "/endless.flac":  # until the reader goes
            self.wfile.write(bytes(100_000))
        if name == "/slow.flac":
            self.wfile.flush()
            self.server.is_over.wait()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """The address of a server on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *args: None  # a reader that goes is no error here
    server.is_over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.is_over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.pretrained()


@pytest.mark.parametrize("name", ["clip.flac", "once.flac", "clip.flac?token=a"])
def test_a_remote_file_has_the_verdict_of_the_local_one(name, host, detector):
    pytest.importorskip("fsspec")
    result, local = detector.predict(f"{host}/{name}"), detector.predict(CLIP)
    assert (result.name, result.score) == (f"{host}/{name}", local.score)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.flac", "cannot download .*/gone.flac: no such file; check the name"),
        ("loop.flac", "cannot download .*/loop.flac: the server redirects more than 5 times;"),
        ("elsewhere.flac", "the server redirects to file:///etc/passwd; check"),
        ("part.flac", "the server answered with status 206; check"),
        ("hanging.flac", "it takes longer than limits.remote_seconds=2; raise it"),
        ("endless.flac", "more than limits.stdin_megabytes=1;"),
        (
            "slow.flac",
            "cannot download .*/slow.flac: it takes longer than limits.remote_seconds=2;",
        ),
    ],
)
def test_a_server_without_a_file_to_give_is_one_error(name, reason, host):
    pytest.importorskip("fsspec")
    limits = load_settings(None, ["limits.stdin_megabytes=1", "limits.remote_seconds=2"]).limits
    if name == "endless.flac":
        limits = limits.model_copy(update={"remote_seconds": 600})
    with pytest.raises(InputError, match=reason), downloaded(f"{host}/{name}", limits):
        pass


def test_a_file_takes_one_request_which_bounds_the_time(host):
    pytest.importorskip("fsspec")
    asked.clear()
    with downloaded(f"{host}/clip.flac", load_settings().limits) as copy:
        assert copy.read_bytes() == CLIP.read_bytes()
    assert asked == ["GET"]


def test_an_object_of_a_store_is_copied_and_the_copy_is_removed(monkeypatch):
    """The store is fsspec's own one in memory, under the name of another."""
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    class Store(MemoryFileSystem):
        protocol = "s3"

    fsspec.register_implementation("s3", Store, clobber=True)
    try:
        Store().pipe_file("s3://bucket/calls/a.flac", b"content")
        with downloaded("s3://bucket/calls/a.flac", load_settings().limits) as copy:
            assert (copy.read_bytes(), copy.suffix) == (b"content", ".flac")
            assert copy.is_symlink() or not OPEN_FILES.is_dir()  # a kill leaves no content
        assert not copy.exists()
    finally:
        fsspec.register_implementation("s3", "s3fs.S3FileSystem", clobber=True)


def test_without_the_extra_the_error_gives_the_remedy(monkeypatch, detector):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError, match="download it first, or install the extra: pip install"):
        detector.predict("https://example.org/a.wav")


@pytest.mark.parametrize("name", ["file:///a.wav", "https:/a.wav", "memory://a", "a::https://b"])
def test_only_known_stores_are_remote(name):
    assert not is_remote(name)
    assert is_remote("https://host/a.wav::file:///etc/passwd")  # one name: no chain is followed


def test_a_list_may_name_remote_files(host, tmp_path, monkeypatch, capsys):
    pytest.importorskip("fsspec")
    import predict

    monkeypatch.chdir(tmp_path)
    malformed = ["http://[x/a.wav", "http://exa\u2100mple/x.wav"]
    names = [f"{host}/gone.flac", *malformed, f"{host}/clip.flac".replace("http", "HTTP")]
    Path("names.txt").write_text("\n".join(names), encoding="utf-8")
    words = ["--run", str(ROOT / "models/pretrained"), "--list", "names.txt"]
    assert predict.main(words) == 1
    out, err = capsys.readouterr()
    assert out.split()[::2] == ["FAKE", names[-1]]
    *lines, total = err.splitlines()
    for name, line in zip(names[:-1], lines, strict=True):
        assert line.startswith(f"error: cannot download {name}: ")
    assert total == "3 files could not be judged."
