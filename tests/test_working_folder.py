"""No file of the working folder, which may be a stranger's, runs or changes a setting."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from conftest import ROOT
from deepfake_audio.system import workers

IMPORTED = ("random", "tempfile", "signal", "selectors", "psutil", "joblib", "argparse", "cv2")
WORK = """
from deepfake_audio.system.workers import in_processes
assert list(in_processes(pow, [(2, 3)] * 4, 2, "works")) == [8] * 4
"""
RESTORED = """
import os
kept = dict(os.environ)
import {module}
print(*[name for name in kept | os.environ if kept.get(name) != os.environ.get(name)])
"""
SETTINGS = """
import {module}
from matplotlib import get_backend, rcParams
assert not rcParams["text.usetex"]
assert "stranger" not in get_backend()
"""
SETTINGS_FILE = b"text.usetex: True\nbackend: module://stranger\nfont.family: \xff\n"
# Keras imports OpenCV and Matplotlib too.
WITH_KERAS = ["deepfake_audio.training.layers", "deepfake_audio.vocoders.networks"]


def run_in(folder: Path, code: str, **variables: str) -> str:
    """Run a script of another folder in a folder; return what it prints."""
    script = folder.parent / "script.py"
    script.write_text(code)
    kept = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    result = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=120,
        env=kept | {"PYTHONPATH": str(ROOT)} | variables,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.mark.slow
def test_worker_processes_import_no_module_of_it(folder):
    for name in IMPORTED:
        (folder / f"{name}.py").write_text(f"open('ran', 'a').write('{name} ')\n")
    run_in(folder, WORK)
    assert not (folder / "ran").exists()


@pytest.mark.slow
def test_a_worker_that_starts_later_is_safe_too(monkeypatch):
    monkeypatch.setattr(workers, "_undisturbed", nullcontext)  # it ends before that worker starts
    calls = [("PYTHONSAFEPATH",)] * 4
    assert list(workers.in_processes(os.getenv, calls, 2, "works")) == ["1"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("module", ["deepfake_audio.features.image_files", *WITH_KERAS])
def test_children_load_no_library_of_it(folder, module):
    changed = run_in(folder, RESTORED.format(module=module)).split()
    assert "LD_LIBRARY_PATH" not in changed
    own = {"LD_LIBRARY_PATH": "/opt/lib"}
    assert "LD_LIBRARY_PATH" not in run_in(folder, RESTORED.format(module=module), **own).split()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["deepfake_audio.plotting", *WITH_KERAS])
def test_plots_obey_no_settings_file_of_it(folder, module):
    (folder / "matplotlibrc").write_bytes(SETTINGS_FILE)
    run_in(folder, SETTINGS.format(module=module))


def commands_of(source: str) -> Iterator[list[str]]:
    """Yield the words of each command of a source file that starts another Python."""
    for node in ast.walk(ast.parse(source)):
        words = [ast.unparse(each) for each in getattr(node, "elts", ())]
        if words[:1] == ["sys.executable"]:
            yield words


def test_every_new_python_has_its_module_path_without_it():
    """A script has its own folder there, but `-m` and `-c` have the working folder."""
    folders = ("benchmarks", "data/sample", "deepfake_audio", "docs", "research", "tools")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = [words for path in sources for words in commands_of(path.read_text(encoding="utf-8"))]
    first = [words[1].strip("'") for words in found]
    assert len(first) > 5
    assert [word for word in first if word.startswith("-") and word not in ("-P", "-I")] == []
