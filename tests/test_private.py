"""Nothing leaves the machine, and nothing is left outside the working folder."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import ROOT, TINY_SETTINGS
from helpers import wait_until

# Python's own sockets and files; files of C code are found in the folders afterwards.
GUARD = """
import os, sys
HERE = tuple(os.path.realpath(os.environ.get(name, ".")) for name in ("PWD", "TMPDIR", "FONTS"))
HERE += (os.devnull, "/proc/self/", "/dev/shm/")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
def guard(event, args):
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        wrong = isinstance(args[1], tuple) and args[1][0] not in LOOPBACK
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        wrong = args[0] not in LOOPBACK
    elif event == "open" and isinstance(args[0], (str, bytes)):
        writes = args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        wrong = writes and not os.path.realpath(os.fsdecode(args[0])).startswith(HERE)
    else:
        return
    if wrong:
        os.write(2, f"GUARD {event} {args}".encode())
        os._exit(99)
sys.addaudithook(guard)
"""
FOLDERS = {"HOME": "home", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "TMPDIR": "tmp"}
PREDICT = ("predict.py", "--run", "first", "--workers", "2", "--json", "data/tiny")
TRAIN = ("train.py", "--run", "again", "data.folder=data/tiny", *TINY_SETTINGS, "train.epochs=1")

SERVE = """
import http.client, pathlib, re, subprocess, sys
script, run, clip = sys.argv[1:]
command = [sys.executable, script, "--port", "0", "--run", run]
service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
port = re.search(r":([0-9]+)/", service.stdout.readline())[1]
connection = http.client.HTTPConnection("127.0.0.1", port)
recording = pathlib.Path(clip).read_bytes()
for request in (("GET", "/"), ("POST", "/api/v1/predict", recording)):
    connection.request(*request)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
service.terminate()
sys.exit(service.wait())
"""


def guarded(folder: Path, cwd: Path, *args: str) -> tuple[subprocess.CompletedProcess, list[str]]:
    """Run Python where every folder for caches is new; return what was left in these."""
    places = {name: str(folder / place) for name, place in FOLDERS.items()}
    for place in [*places.values(), str(folder / "guard")]:
        Path(place).mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    places |= {"PWD": str(cwd), "FONTS": str(folder / "cache" / "matplotlib")}
    places |= {"PYTHONPATH": f"{folder / 'guard'}{os.pathsep}{ROOT}"}
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    kept.pop("KERAS_HOME", None)
    result = subprocess.run(
        [sys.executable, "-B", *args], cwd=cwd, capture_output=True, text=True,
        env=kept | places | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    left = [path for place in FOLDERS.values() for path in (folder / place).rglob("*")]
    return result, sorted(path.name for path in left if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("words", [PREDICT, TRAIN], ids=["predict", "train"])
def test_nothing_is_sent_or_written_elsewhere(words, workspace, tmp_path):
    shutil.copytree(workspace, tmp_path / "here")
    script, *args = words
    result, left = guarded(tmp_path, tmp_path / "here", str(ROOT / script), *args)
    assert result.returncode == 0, result.stderr
    assert [name for name in left if not name.startswith("fontlist-")] == []
    assert script == "train.py" or not left


@pytest.mark.slow
def test_the_service_sends_nothing_and_leaves_nothing(tmp_path):
    (tmp_path / "here").mkdir()
    clip = ROOT / "data" / "sample" / "audio" / "fake_espeak-ng_it_f5.flac"
    words = (str(ROOT / "serve.py"), "models/pretrained", str(clip))
    result, left = guarded(tmp_path, tmp_path / "here", "-c", SERVE, *words)
    left = [name for name in left if not name.startswith("fontlist-")]  # Matplotlib's own
    assert (result.returncode, left) == (0, []), result.stderr
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.getaddrinfo('example.org', 443)",
        "import socket; socket.create_connection(('192.0.2.1', 443), 1)",
        "import pathlib; pathlib.Path.home().joinpath('left').touch()",
    ],
)
def test_the_guard_of_this_test_stops_network_and_file_access(code, tmp_path):
    (tmp_path / "here").mkdir()
    assert guarded(tmp_path, tmp_path / "here", "-c", code)[0].returncode == 99


def holds(process: subprocess.Popen, folder: Path) -> bool:
    """Return whether a process has a file of a folder open."""
    with suppress(OSError):  # some files are just being closed
        files = Path(f"/proc/{process.pid}/fd").iterdir()
        return any(str(file.readlink()).startswith(str(folder)) for file in files)
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="a file must have a name here")
def test_nothing_of_standard_input_is_left_if_the_process_is_killed(tmp_path):
    command = [sys.executable, str(ROOT / "predict.py"), "-"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    wait_until(lambda: holds(process, tmp_path), process)
    process.kill()
    process.communicate()
    assert not list(tmp_path.iterdir())
