"""The REST service: the answers of predict.py, and refusals that leave nothing behind."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import quote

import jsonschema
import numpy as np
import psutil
import pytest
import soundfile
import uvicorn
from starlette.testclient import TestClient
from uvicorn.server import ServerState

import serve
from conftest import ROOT, make_voice
from deepfake_audio.detector import Detector
from deepfake_audio.inference.timelines import Timeline
from deepfake_audio.models.run_search import open_run
from deepfake_audio.reporting.wording import SPECIAL_STEPS, STRINGS
from deepfake_audio.service import judges, server, uploads
from deepfake_audio.service.app import Options, make_app
from deepfake_audio.service.guards import HEADERS
from deepfake_audio.service.overview import MAX_COLUMNS, ROWS, Overview
from deepfake_audio.service.page import HERE, load_page
from deepfake_audio.service.refusals import RefusedError
from deepfake_audio.service.views import MAX_POINTS, curve_of
from deepfake_audio.vocabulary import VERDICTS
from helpers import is_running, running_service, wait_until

CLIPS = sorted((ROOT / "data" / "sample" / "audio").glob("*_ivrvoice*.flac"))
PREDICT = "/api/v1/predict"
HERE_URL = "http://localhost:8000"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
FILE_PART = b'Content-Disposition: form-data; name="file"; filename="a.wav"'
TWO_CHANNELS = [("channel", (None, "1")), ("channel", (None, "2"))]
CUT_FORM = b"--x\r\n" + FILE_PART + b"\r\n\r\nRIFF\r\n--x"


@pytest.fixture(autouse=True)
def uploads_in_a_folder_of_the_test(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def make_client(**options) -> TestClient:
    """Return a client of an application whose workers are not started."""
    app = make_app(open_run("models/pretrained"), Options(**options))
    return TestClient(app, base_url=HERE_URL)


@pytest.fixture
def client():
    hosts = ["Judge.example.org:8000", "::1", "https://voices.example.org:8443/page"]
    return make_client(max_megabytes=0.01, hosts=hosts)


# requests that are refused before any worker reads them


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("192.0.2.7:8000", 200),
        ("judge.example.org", 200),
        ("judge.example.org:8443", 200),
        ("voices.example.org", 200),
        ("https", 421),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("[", 421),
        ("", 421),
    ],
)
def test_a_web_site_that_points_its_name_here_is_refused(client, host, status):
    assert client.get("/api/v1/model", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({}, False),
        ({"Origin": HERE_URL, "Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": "https://judge.example.org", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": HERE_URL, "Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://["}, True),
        ({"Origin": "http://localhost:9999"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
    ],
)
def test_a_page_of_another_site_can_send_nothing(client, headers, is_refused):
    answer = client.post(PREDICT, content="{}", headers={"Content-Type": "text/json"} | headers)
    assert answer.json()["error"]["code"] == ("cross_site" if is_refused else "no_recording")


@pytest.mark.parametrize(
    ("given", "status"),
    [("Bearer secret", 200), ("bearer secret", 200), ("Bearer Secret", 401), ("Basic secret", 401),
     ("Bearer", 401), ("", 401), ("Bearer sécret", 401)],
)  # fmt: skip
def test_a_token_is_needed_if_one_is_set(tmp_path, given, status):
    client = make_client(token="secret")
    answer = client.get("/api/v1/model", headers={"Authorization": given.encode()})
    assert answer.status_code == status
    assert client.get("/api/v1/health").status_code == 200
    assert client.get("/api/v1/openapi.json").status_code == 200
    assert client.post(PREDICT, content="x").status_code == 401


@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/api/v1/model", "/nowhere", PREDICT])
def test_every_answer_has_the_headers_that_protect_it(client, path):
    answer = client.get(path)
    assert (
        HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
    )
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def pieces():
    yield from [b"x" * 6000] * 2


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        ({"content": b"x" * 10_001}, 413, "too_large"),
        ({"content": pieces()}, 413, "too_large"),
        ({"files": {"file": ("a.wav", b"x" * 10_001)}}, 413, "too_large"),
        ({"json": {"file": "a.wav"}}, 415, "no_recording"),
        ({"files": [("file", ("a.wav", b"1")), ("file", ("b.wav", b"2"))]}, 422, "bad_form"),
        ({"files": {"file": (None, "a.wav")}}, 422, "bad_form"),
        ({"files": {"chanel": (None, "1")}}, 422, "unknown_parameter"),
        ({"content": b"x", "params": {"chanel": "1"}}, 422, "unknown_parameter"),
        ({"content": b"x", "params": [("channel", 1), ("channel", 2)]}, 422, "repeated_parameter"),
        ({"files": TWO_CHANNELS}, 422, "repeated_parameter"),
        ({"files": TWO_CHANNELS[:1], "params": {"channel": "2"}}, 422, "repeated_parameter"),
        ({"content": CUT_FORM, "headers": FORM}, 422, "bad_form"),
        ({"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 415, "encoded"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "bad_form"),
        ({"content": b"x", "params": {"channel": "0"}}, 422, "no_such_part"),
        ({"content": b"x", "params": {"track": "two"}}, 422, "no_such_part"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_request_without_a_recording_is_refused_in_one_line(
    client, tmp_path, request_parts, status, code
):
    answer = client.post(PREDICT, **request_parts)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert "; " in error["text"] and error["text"].isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit the size of files")
def test_a_full_disk_is_said_in_one_line(client, tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        answer = client.post(PREDICT, content=b"x" * 9000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "no_room")
    assert not list(tmp_path.iterdir())


def test_each_recording_is_in_a_new_folder_that_only_this_user_may_enter(
    client, tmp_path, monkeypatch
):
    folders = {}

    async def refuse(body, boundary, folder, given):
        folders[folder] = folder.stat().st_mode & 0o777
        raise RefusedError(422, "bad_form", "seen")

    monkeypatch.setattr(uploads, "_from_form", refuse)
    for _ in range(2):
        client.post(PREDICT, content=CUT_FORM, headers=FORM)
    assert len(folders) == 2 and {*folders.values()} == {0o700}
    assert {folder.parent for folder in folders} == {tmp_path}
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_service_has_the_guarded_headers_too(client, monkeypatch):
    monkeypatch.setattr("deepfake_audio.service.app.received", None)  # a bug
    answer = TestClient(client.app, HERE_URL, raise_server_exceptions=False).post(
        PREDICT, content=b"x"
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "bug")
    assert (answer.headers["x-frame-options"], answer.headers["cache-control"]) == (
        "DENY",
        "no-store",
    )


def test_a_full_queue_says_when_to_come_again():
    client = make_client(workers=1, queue=1)
    with ExitStack() as places:
        for _ in range(2):
            places.enter_context(client.app.state.judges.place())
        answer = client.post(PREDICT, content=b"x")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_full")
        assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/api/v1/health").json()["waiting"] == 0


@pytest.mark.parametrize(
    ("method", "path", "headers", "words"),
    [
        ("GET", "/nowhere", {}, "there is no address /nowhere; see"),
        ("POST", f"{PREDICT}/", {}, f"there is no address {PREDICT}/; see"),
        ("GET", PREDICT, {}, "does not take GET; send POST"),
        ("GET", "/api/v1/model", {"Host": ""}, "the Host header is missing"),
        ("GET", "/api/v1/health", {"Host": "evil.example"}, "not called evil.example"),
        ("POST", PREDICT, {"Content-Type": "text/plain"}, "text/plain is no recording"),
        ("POST", "/api/v1/report", {"Content-Type": "multipart/form-data"}, "no boundary"),
    ],
)
def test_each_refusal_is_as_the_openapi_document_says(client, method, path, headers, words):
    document = client.get("/api/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    answer = client.request(method, path, headers=headers, follow_redirects=False)
    jsonschema.validate(answer.json(), schemas["Error"])
    assert words in answer.json()["error"]["text"]
    if operation := document["paths"].get(path, {}).get(method.lower()):
        assert operation["responses"].keys() & {str(answer.status_code), "default"}


def test_the_openapi_document_lists_every_address(client):
    document = client.get("/api/v1/openapi.json").json()
    assert {route.path for route in client.app.routes} == {"/", *document["paths"]}
    model = document["components"]["schemas"]["Model"]["properties"]
    assert model.keys() == client.get("/api/v1/model").json().keys()


# the page


def test_the_page_has_no_script_beside_its_own():
    html, _ = load_page()
    assert not re.findall(r"""<[^>]+\s(?:on\w+|style)=|(?:src|href)=.https?:""", html)
    assert "innerHTML" not in html and "eval(" not in html


def test_the_page_works_below_a_path_of_a_proxy():
    assert not re.findall(r"""["'`]/\w""", (HERE / "page.html").read_text(encoding="utf-8"))


def leaves(strings: dict, above: str = "") -> set[str]:
    """Return the names of all texts, such as `drop.hint`."""
    names = set()
    for name, value in strings.items():
        names |= leaves(value, f"{above}{name}.") if isinstance(value, dict) else {above + name}
    return names


def test_each_text_is_in_the_file_of_strings_and_used():
    html = (HERE / "page.html").read_text(encoding="utf-8")
    reporting = ROOT / "deepfake_audio" / "reporting"
    files = [*reporting.glob("*.py"), reporting / "report.html"]
    source = html + "".join(path.read_text(encoding="utf-8") for path in files)
    names = leaves(STRINGS)
    asked = set(
        re.findall(
            r"""(?:(?<![.\w])text\(|data-(?:text|label)=)\s*["']([a-z]\w*(?:\.\w+)*)["']""", source
        )
    )
    assert len(asked) > 80 and asked <= names
    computed = set(re.findall(r"""(?<![.\w])text\((?:`|f?")(\w+)\.(?:\$?\{|" ~)""", source))
    quoted = {f"report.{key}" for key in re.findall(r'"(\w+)"', source)}
    steps = {f"next.{key}" for key in (*SPECIAL_STEPS.values(), *VERDICTS)}
    measures = tuple(f"quality.{key}." for key in re.findall(r'_measure\("(\w+)"', source))
    direct = set(re.findall(r"STRINGS\.([\w.]+)", html.replace(".map(", " ")))
    direct |= {".".join(keys) for keys in re.findall(r'STRINGS\["(\w+)"\]\["(\w+)"\]', source)}
    direct |= {name.lower() for name in re.findall(r"@(\w+)@", html)}
    unused = names - asked - direct - quoted - steps
    unused = {name for name in unused if not name.startswith(measures)}
    assert {name for name in unused if name.partition(".")[0] not in computed - {"report"}} == set()


# the picture of a recording


def test_the_overview_shows_a_tone_at_its_time_and_frequency():
    rate_hz, overview = 16000, Overview()
    sound = np.zeros(4 * rate_hz, np.float32)
    tone = np.sin(2 * np.pi * 2970 * np.arange(rate_hz) / rate_hz)
    sound[2 * rate_hz : 3 * rate_hz] = 0.5 * tone
    for block in np.array_split(sound, 7):
        overview.add(block)
    overview.finish()
    row, column = np.unravel_index(overview.levels().argmax(), overview.levels().shape)
    seconds = np.arange(len(overview.peaks)) * overview.step / rate_hz
    assert row == int(2970 / 8000 * ROWS)
    assert 2 <= seconds[column] <= 3
    loud = seconds[overview.peaks > 0.4]
    assert (loud[0], loud[-1]) == (pytest.approx(2, abs=0.01), pytest.approx(3, abs=0.01))


@pytest.mark.parametrize("samples", [0, 1, 31, 513, 70_000, 700_001])
def test_the_overview_covers_recordings_of_any_length_with_few_columns(samples):
    overview = Overview()
    sound = np.ones(samples, np.float32)
    for first in range(0, samples, 50_000):
        overview.add(sound[first : first + 50_000])
    overview.finish()
    assert len(overview.peaks) == -(-samples // overview.step) <= MAX_COLUMNS
    assert np.all(overview.peaks == 1) and overview.levels().shape == (ROWS, len(overview.peaks))


def test_the_curve_of_a_long_recording_keeps_its_short_fakes():
    p_fake = np.full(3 * MAX_POINTS, 0.1)
    p_fake[[4, 3000, 3001, 3002]] = 0.9, np.nan, np.nan, np.nan
    curve = curve_of(Timeline(np.arange(6000), np.arange(6001.0), p_fake, 1.0, []))
    assert curve["edges"][:3] == [0, 3, 6] and len(curve["p_fake"]) == MAX_POINTS
    assert (curve["p_fake"][1], curve["p_fake"][1000], curve["p_fake"][2]) == (0.9, None, 0.1)


# a worker


def test_a_worker_can_take_little_memory_and_write_no_file(tmp_path):
    code = (
        "import pathlib, numpy as np\n"
        "from deepfake_audio.system.memory import limit_process\n"
        "limit_process(100)\n"
        "np.ones(5_000_000)\n"
        "for work in (lambda: np.ones(50_000_000), lambda: pathlib.Path('left').write_text('x')):\n"
        "    try:\n"
        "        work()\n"
        "    except (MemoryError, OSError) as error:\n"
        "        print(type(error).__name__)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.stdout.split() == ["MemoryError", "OSError"], ended.stderr


STARTING = 'import sys; sys.stdin.readline(); print(\'{"state": "ready"}\', flush=True); '


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (STARTING + "sys.stdin.readline()", 422, "the process that read it ended; convert it"),
        ("", 503, "ended while it started, probably for lack of memory; try again"),
    ],
    ids=["a_decoder_crashes", "no_memory"],
)
def test_a_worker_that_ends_twice_fails_its_file_only(tmp_path, monkeypatch, code, status, words):
    monkeypatch.setattr(judges, "WORKER", (sys.executable, "-c", code))
    its = judges.Judges(tmp_path, [], workers=1, queue=1, timeout_seconds=60)
    its._idle.put_nowait(its._all[0])

    async def judge() -> None:
        try:
            await its.judge({"name": "a.wav"}, print)
        finally:
            await its.close()

    with pytest.raises(RefusedError, match=words) as refused:
        asyncio.run(judge())
    assert (refused.value.status, its.judging, its._idle.qsize()) == (status, 0, 1)
    assert (refused.value.retry_seconds is not None) == (status == 503)


def test_recordings_that_wait_learn_how_many_are_before_them(tmp_path, monkeypatch):
    async def judge_four() -> list[list[int]]:
        its = judges.Judges(tmp_path, [], workers=1, queue=9, timeout_seconds=60)
        its._idle.put_nowait(its._all[0])
        said = [[] for _ in range(4)]
        await asyncio.gather(*(its.judge({}, lines.append) for lines in said))
        return [[line["ahead"] for line in lines if "ahead" in line] for lines in said]

    async def answer(worker, question, say):
        await asyncio.sleep(0)
        return {"row": {"error": None}}

    monkeypatch.setattr(judges.Worker, "ask", answer)
    assert asyncio.run(judge_four()) == [[], [1], [2, 1], [3, 2, 1]]


def test_a_connection_that_stays_silent_is_closed(monkeypatch):
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0)

    async def listen() -> bytes:
        config = uvicorn.Config(lambda: None, log_config=None)
        listening = await asyncio.get_running_loop().create_server(
            lambda: server.Connection(config, ServerState(), {}), "127.0.0.1", 0
        )
        async with listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            received = await reader.read()
            writer.close()
        return received

    assert asyncio.run(listen()) == b""


# a running service


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("service"), "--run", "models/pretrained") as it:
        yield it


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory) -> bytes:
    """Five minutes of noise, which take seconds to judge."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, make_voice("real", 1, seconds=300), 16000)
    return path.read_bytes()


@pytest.mark.slow
def test_each_of_many_clients_gets_the_answer_of_predict_for_its_own_file(service):
    detector = Detector.load("models/pretrained")
    expected = [
        detector.as_dict(detector.predict(clip), with_passages=True) | {"file": clip.name}
        for clip in CLIPS
    ]

    def ask(clip):
        return service.ask("POST", f"{PREDICT}?name={clip.name}", clip.read_bytes())

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(ask, CLIPS))
    assert answers == [(200, row) for row in expected]
    wait_until(lambda: not service.leftovers())


@pytest.mark.slow
def test_a_form_and_a_body_give_the_same_verdict(service):
    clip = CLIPS[0]
    form = (
        '--x\r\nContent-Disposition: form-data; name="channel"\r\n\r\n1\r\n--x\r\n'
        'Content-Disposition: form-data; name="file"; '
        f'filename="C:\\\\calls\\\\{clip.name}"\r\n\r\n'
    )
    body = form.encode() + clip.read_bytes() + b"\r\n--x--\r\n"
    in_form = service.ask("POST", PREDICT, body, **FORM)
    as_body = service.ask("POST", f"{PREDICT}?name={clip.name}&channel=1", clip.read_bytes())
    assert in_form == as_body


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.wav", b""),
        ("text.mp3", b"This is no music.\n" * 100),
        ("<b>bold</b>\n.flac", b"fLaC"),
        ("x" * 5000 + ".ogg", b"OggS" * 100),
        ("picture.gif", b"GIF89a"),
        ("../../etc/passwd", b"#EXTM3U\n/etc/passwd\n"),
    ],
    ids=["empty", "text", "markup", "long", "gif", "path"],
)
def test_a_file_that_is_no_recording_gets_one_line_with_its_name(service, name, content):
    status, answer = service.ask("POST", f"{PREDICT}?name={quote(name, safe='')}", content)
    assert (status, answer["verdict"]) == (422, None)
    assert answer["error"]["text"].isprintable() and len(answer["error"]["text"]) < 500
    assert str(service.temporary) not in answer["error"]["text"]
    wait_until(lambda: not service.leftovers())


@pytest.mark.slow
def test_a_client_that_goes_away_frees_its_place(service, long_recording):
    connection, lines = service.begin(long_recording)
    assert [next(lines)["state"], next(lines)["state"]] == ["reading", "judging"]
    connection.sock.close()
    connection.close()
    idle = {"judging": 0, "waiting": 0}
    wait_until(lambda: idle.items() <= service.ask("GET", "/api/v1/health")[1].items())
    wait_until(lambda: not service.leftovers())
    assert service.ask("POST", PREDICT, CLIPS[0].read_bytes())[0] == 200


@pytest.mark.slow
def test_a_file_is_judged_again_if_the_system_ends_its_worker(service):
    (worker,) = psutil.Process(service.process.pid).children()
    worker.kill()
    assert service.ask("POST", PREDICT, CLIPS[0].read_bytes())[0] == 200


@pytest.mark.slow
def test_a_part_that_is_missing_is_refused_without_options_of_the_command_line(service):
    status, answer = service.ask("POST", f"{PREDICT}?channel=9", CLIPS[0].read_bytes())
    assert (status, answer["error"]["code"]) == (422, "no_such_part")
    assert answer["error"]["text"].endswith("; leave out channel")


@pytest.mark.slow
def test_sigterm_ends_after_the_recording_that_is_judged(tmp_path):
    soundfile.write(tmp_path / "minute.wav", make_voice("real", 1, seconds=60), 16000)
    recording = (tmp_path / "minute.wav").read_bytes()
    arguments = ("--run", "models/pretrained", "--queue", "2")
    with running_service(tmp_path, *arguments) as service:
        (worker,) = psutil.Process(service.process.pid).children()
        _, lines = service.begin(recording)
        assert [next(lines)["state"], next(lines)["state"]] == ["reading", "judging"]
        _, waiting = service.begin(recording)
        assert next(waiting) == {"state": "waiting", "ahead": 1}
        sending = service.connect()
        sending.putrequest("POST", PREDICT)
        sending.putheader("Content-Length", "1000")
        sending.endheaders(b"RIFF")
        wait_until(lambda: service.ask("GET", "/api/v1/health")[1]["waiting"] == 2)
        service.process.send_signal(signal.SIGTERM)
        assert json.load(sending.getresponse())["error"]["code"] == "stopping"
        assert list(waiting)[-1]["error"]["code"] == "stopping"
        assert list(lines)[-1]["row"]["verdict"] in ("REAL", "FAKE", "UNCERTAIN")
        assert service.process.wait() == 0
    assert not is_running(worker)
    assert not list(service.temporary.iterdir())
    assert (tmp_path / "service.log").read_text() == ""


@pytest.mark.slow
def test_judging_ends_at_its_time_limit(tmp_path, long_recording):
    with running_service(tmp_path, "--run", "models/pretrained", "--timeout", "1") as service:
        status, answer = service.ask("POST", PREDICT, long_recording)
        assert (status, answer["error"]["code"]) == (422, "limit")
        assert service.ask("GET", "/api/v1/health")[1]["judging"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "{port}"], ": address already in use; give another"),
        (["--port", "70000"], "--port 70000 is no port"),
        (["--host", "192.0.2.1", "--port", "0"], "cannot listen on 192.0.2.1:0"),
        (["--workers", "-1"], "--workers -1 is too small"),
        (["--token", ""], "--token or DEEPFAKE_AUDIO_TOKEN is empty"),
        (["--run", "missing"], "missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_option_is_one_line_and_exit_code_2(service, capsys, arguments, words):
    given = [argument.format(port=service.port) for argument in arguments]
    assert serve.main(given) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
