"""The layers of imports, and the largest size of files and functions."""

import ast
import re
import subprocess
import sys

import pytest

from conftest import ROOT

SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
TRAINS = {"model"}
MODULES = sorted((ROOT / "deepfake_audio").rglob("*.py"))
SOURCES = [*MODULES, *(ROOT / f"{name}.py" for name in SCRIPTS)]


def name_of(path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def imported(path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.slow
def test_packages_import_downwards():
    """The layers and the packages without TensorFlow are in pyproject.toml."""
    result = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command as"
         " lint; sys.exit(lint())"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_imports_a_script(path):
    assert not imported(path) & set(SCRIPTS)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_two_modules_import_opencv_and_matplotlib(path):
    """Their imports would let files of the working folder count."""
    roots = {name.split(".")[0] for name in imported(path)}
    assert path.parent.name == "system" or not roots & {"cv2", "matplotlib"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=name_of)
def test_no_script_imports_another(path):
    """model.py is no script: it defines the network."""
    assert not imported(path) & (set(SCRIPTS) - {"model"})


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=name_of)
def test_only_model_py_imports_tensorflow(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert path.stem in TRAINS or not roots & {"tensorflow", "keras"}


def test_model_imports_only_keras_and_its_settings():
    roots = {name.split(".")[0] for name in imported(ROOT / "model.py")}
    assert roots == {"keras", "deepfake_audio"}


@pytest.mark.slow
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


@pytest.mark.slow
def test_predicting_needs_only_its_own_requirements(audio_workspace, tmp_path):
    """requirements.txt names more packages: those must not be loaded."""
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


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_functions_have_at_most_45_lines_scripts_150_and_modules_500(path):
    text = path.read_text(encoding="utf-8")
    lengths = {
        node.name: node.end_lineno
        - node.lineno
        + 1
        - len((ast.get_docstring(node) or "").splitlines())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert max(lengths.values(), default=0) <= 45, lengths
    assert len(text.splitlines()) <= (150 if path.parent == ROOT else 500)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_importing_a_module_only_defines_names(path):
    definitions = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    definitions |= ast.AsyncFunctionDef
    settings = ast.Assign | ast.AnnAssign | ast.Expr | ast.If
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert all(isinstance(node, definitions | settings) for node in tree.body)
