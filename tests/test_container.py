"""The container: its recipe, and hostile files judged under the restrictions that it has."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import hostile_inputs as hostile
from conftest import ROOT

WORDS = ("FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "CMD")
PLACE = Path("/media")  # any folder of the system: a file system in memory covers it
# Root is read-only, the network has no device, and the user may do nothing but compute.
RESTRICTED = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=300m,mode=755 none "$1"
mkdir -m 1777 "$1/tmp"
cp -r "$2" "$1/app"
cp -r "$3" "$1/work"
chmod -R a+rX "$1/app" "$1/work"
mount -o remount,bind,ro /
ulimit -t 300
ulimit -v 8000000
cd "$1/work"
shift 3
exec setpriv $SETPRIV --bounding-set=-all --no-new-privs "$@"
"""
PROBE = """
import os, socket
from pathlib import Path
found = []
for place in ("/", "..", "../app", "."):
    try:
        Path(place, "probe").touch()
        found.append(place)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", 9), 1)
except OSError as error:
    found.append(error.strerror)
print(found, [name for _, name in socket.if_nameindex()])
"""


def steps(stage: str) -> list[tuple[str, str]]:
    """Return the instructions of a stage of the Dockerfile, without those that it builds on."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    found, current = [], ""
    for line in filter(None, lines):
        word, rest = line.split(maxsplit=1)
        assert word in WORDS, line
        current = rest.split(" AS ")[-1] if word == "FROM" else current
        found += [(word, rest)] if current == stage else []
    return found


def rest_of(word: str, stage: str) -> list[str]:
    return [rest for found, rest in steps(stage) if found == word]


@pytest.mark.parametrize("stage", ["judge", "page"])
def test_an_image_runs_as_a_user_without_rights_and_has_no_tensorflow(stage):
    assert rest_of("USER", stage)[-1] == "10001:10001"
    installed = re.findall(r"-r (\S+)", " ".join(rest_of("RUN", stage)))
    assert installed == [
        {"judge": "requirements-predict.txt", "page": "requirements-serve.txt"}[stage]
    ]
    for name in installed:
        assert "tensorflow" not in (ROOT / name).read_text(encoding="utf-8")
    entry = json.loads(rest_of("ENTRYPOINT", stage)[0])
    assert entry[-2:] == ["--run", "/app/models/pretrained"]


def test_the_page_is_published_on_this_machine_only():
    page = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["page"]
    assert page["ports"] == ["127.0.0.1:8000:8000"]
    assert (page["read_only"], page["cap_drop"]) == (True, ["ALL"])
    assert page["security_opt"] == ["no-new-privileges:true"]


def namespace() -> list[str]:
    """Return the command that starts another in its namespaces; skip the test without it."""
    if not all(map(shutil.which, ("unshare", "setpriv", "mount"))) or not PLACE.is_dir():
        pytest.skip("no namespaces: unshare, setpriv, mount or /media is missing")
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *user, "--mount", "--net", "--pid", "--fork"]
    if subprocess.run([*command, "mount", "--make-rprivate", "/"], capture_output=True).returncode:
        pytest.skip("no namespaces: this system does not let this user make them")
    return command


def copy_image(app: Path) -> None:
    """Follow the COPY steps of the image for judging."""
    for rest in rest_of("COPY", "judge"):
        *sources, target = rest.split()
        for source in sources:
            place = app / target / ("" if source.endswith("/") else source)
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, place, ignore=ignored)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)


@pytest.mark.slow
def test_hostile_files_are_judged_without_network_rights_or_a_writable_disk(tmp_path):
    command, app, files = namespace(), tmp_path / "app", tmp_path / "files"
    files.mkdir()
    copy_image(app)
    good = hostile.sound(hostile.noise())
    contents = {"good.wav": good, "cut.wav": good[:60], "empty.mp3": b"", "text.flac": b"a" * 999}
    contents |= {f"flipped{seed}.wav": hostile.flipped(good, seed) for seed in range(3)}
    contents |= {"cut.png": hostile.picture(".png")[:80]}
    for name, content in contents.items():
        (files / name).write_bytes(content)
    root = os.geteuid() == 0
    user = "--reuid=65534 --regid=65534 --clear-groups" if root else ""
    environment = {"PATH": os.environ["PATH"], "SETPRIV": user, "TMPDIR": str(PLACE / "tmp"),
                   "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    restricted = [*command, "sh", "-c", RESTRICTED, "sh", str(PLACE), str(app), str(files)]

    probed = subprocess.run(
        [*restricted, sys.executable, "-c", PROBE],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert probed.stdout == "['Network is unreachable'] ['lo']\n", probed.stdout + probed.stderr
    numpy = [*restricted, sys.executable, "-c", "import numpy"]
    if subprocess.run(numpy, env=environment, capture_output=True).returncode:
        pytest.skip("another user cannot read the installed packages here")
    entry = json.loads(rest_of("ENTRYPOINT", "judge")[0])
    entry = [sys.executable, *(part.replace("/app", f"{PLACE}/app") for part in entry[1:])]
    ended = subprocess.run(
        [*restricted, *entry, "--json", *contents], env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 1, ended.stderr
    objects = [json.loads(line) for line in ended.stdout.splitlines()]
    assert sorted(each["file"] for each in objects) == sorted(contents), ended.stderr
    judged = {each["file"] for each in objects if each["verdict"]}
    refused = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "good.wav" in judged
    assert len(judged) + len(refused) == len(contents)
    assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in files.iterdir()) == sorted(contents)
