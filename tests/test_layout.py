"""The shape of the project: who may import whom, and how large things may grow."""

import ast
import re
import subprocess
import sys

import pytest

from conftest import ROOT

ORDER = (
    "vocabulary", "quiet", "interrupts", "errors", "processes", "arguments", "files", "memory", "yaml_files",
    "frame_rates", "settings", "config", "decoding", "audio", "codecs", "image_headers",
    "images", "seeds", "warps", "distortions", "nuisances", "journal", "corpus_files",
    "corpus_layouts", "corpora", "splits", "dataset", "drawing", "draws", "feed", "vocoders",
    "programs", "onnx_graph", "calibration", "scoring", "runs", "history", "compatibility",
    "metrics", "intervals", "shortcuts", "plots", "timelines", "verdict_table", "sources",
    "callbacks", "score_files", "groups", "evaluation", "tables", "pictures", "report",
)  # fmt: skip
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
TRAINS = {"train", "model", "feed", "callbacks", "export", "vocoders"}
MODULES = sorted((ROOT / "deepfake_audio").glob("[a-z]*.py"))
SOURCES = [*MODULES, *(ROOT / f"{name}.py" for name in SCRIPTS)]


def imported(path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_import_downwards_and_no_script(path):
    names = imported(path)
    assert not names & set(SCRIPTS)
    used = {name.split(".")[1] for name in names if name.startswith("deepfake_audio.")}
    assert all(ORDER.index(name) < ORDER.index(path.stem) for name in used), used


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_only_what_trains_imports_tensorflow(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert path.stem in TRAINS or not roots & {"tensorflow", "keras"}


def test_model_imports_only_keras_and_its_settings():
    roots = {name.split(".")[0] for name in imported(ROOT / "model.py")}
    assert roots == {"keras", "deepfake_audio"}


def test_predicting_loads_no_tensorflow(in_workspace):
    code = (
        "import sys, predict\n"
        "exit_code = predict.main(['data/tiny/test/fake'])\n"
        "slow = {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {slow}' if slow else exit_code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    who_judges, counts = result.stderr.splitlines()
    assert (result.returncode, counts) == (0, "12 files: 12 FAKE.")
    assert who_judges.startswith("Judged by ")


def test_judging_needs_nothing_but_its_own_requirements(audio_workspace, tmp_path):
    """Its list is a part of requirements.txt; what only the rest names must not be loaded."""
    code = (
        "import sys, predict\n"
        "from importlib.metadata import packages_distributions\n"
        "code = predict.main(['--timeline', '--csv', 'verdicts.csv', *sys.argv[1:]])\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "known = packages_distributions()\n"
        "print(*{dist for root in roots for dist in known.get(root, ())}, sep='\\n')\n"
        "sys.exit(code)\n"
    )
    args = ["--run", "runs/heard", "mine/fake/00.wav", "data/mine/test"]
    paths = [arg if arg.startswith("-") else str(audio_workspace / arg) for arg in args]
    result = subprocess.run(
        [sys.executable, "-c", code, *paths],
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path,
    )  # fmt: skip
    loaded = {name.lower() for name in result.stdout.splitlines()}
    rest = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.M))
    assert (result.returncode, "onnxruntime" in loaded, "tensorflow" in rest) == (0, True, True)
    assert not loaded & rest


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_files_and_functions_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    lengths = {
        node.name: node.end_lineno
        - node.lineno
        + 1
        - len((ast.get_docstring(node) or "").splitlines())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
    }
    assert max(lengths.values(), default=0) <= 45, lengths
    assert len(text.splitlines()) <= 500


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_happens_on_import_but_definitions(path):
    definitions = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    settings = ast.Assign | ast.AnnAssign | ast.Expr | ast.If
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert all(isinstance(node, definitions | settings) for node in tree.body)
