"""Scripts with only the packages of requirements-predict.txt: their help, and their errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, make_data_folder
from deepfake_audio import __version__
from helpers import make_audio, write_voices

pytestmark = pytest.mark.slow
ALL = (
    "calibrate", "combine", "evaluate", "export", "join", "make_fakes", "predict", "prepare",
    "serve", "train",
)  # fmt: skip
ONLY_TRAINING = ("h5py", "keras", "sklearn", "tensorboard", "tensorflow", "tf2onnx")
RUN = """
import importlib, sys
_, name, blocked, *args = sys.argv
sys.modules |= dict.fromkeys(blocked.split())
sys.argv = [f"{name}.py", *args]
try:
    code = importlib.import_module(name).main()
except SystemExit as end:
    code = end.code
sys.exit(code)
"""
VERSION_AND_HELP = """
import importlib, sys
name = sys.argv[1]
for option in ("--version", "--help"):
    sys.argv = [f"{name}.py", option]
    try:
        importlib.import_module(name).main()
    except SystemExit as end:
        assert end.code == 0
print(*{each.split(".")[0] for each in sys.modules})
"""


def run(name: str, *args: str, blocked: tuple[str, ...] = (), folder: Path = ROOT):
    """Run a script in its own process, in which some packages can't be imported."""
    return subprocess.run(
        [sys.executable, "-c", RUN, name, " ".join(blocked), *args],
        cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_version_and_help_load_no_package_of_training(name):
    ended = subprocess.run(
        [sys.executable, "-c", VERSION_AND_HELP, name],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    version, usage, *help_lines, loaded = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert version == f"{name}.py {__version__}"
    assert usage.startswith(f"usage: {name}.py")
    assert any(f"python {name}.py" in line for line in help_lines)
    assert not {*loaded.split()} & {*ONLY_TRAINING}


@pytest.mark.parametrize(
    ("name", "args", "package"),
    [
        ("train", ["data.folder=data/tiny"], "keras"),
        ("export", ["--run", "first"], "keras"),
        ("combine", ["first", "heard"], "keras"),
        ("make_fakes", ["voices", "--out", "out"], "keras"),
        ("prepare", ["mine", "--name", "mine", "prepare.workers=1"], "scikit-learn"),
        ("evaluate", ["--run", "first"], "scikit-learn"),
        ("calibrate", ["--run", "first", "--data", "data/tiny"], "scikit-learn"),
    ],
)
def test_a_missing_package_is_named_with_its_requirements_file(
    name, args, package, workspace, audio_workspace, tmp_path
):
    make_data_folder(tmp_path / "data" / "tiny")
    write_voices(tmp_path / "voices", [f"{number}.wav" for number in range(4)])
    make_audio(tmp_path / "mine")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(workspace / "runs" / "first")
    (tmp_path / "runs" / "heard").symlink_to(audio_workspace / "runs" / "heard")
    ended = run(name, *args, blocked=ONLY_TRAINING, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith(
        f"error: {name}.py needs the package {package}; "
        "install it with: pip install -r requirements.txt"
    ), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("package", ["keras", "sklearn", "tensorboard", "tf2onnx"])
def test_training_without_a_package_creates_no_run(package, tmp_path):
    make_data_folder(tmp_path / "data" / "tiny")
    args = ("data.folder=data/tiny", "train.tensorboard=true")
    ended = run("train", *args, blocked=(package,), folder=tmp_path)
    assert (ended.returncode, "train.py needs the package" in ended.stderr) == (2, True)
    assert not (tmp_path / "runs").exists()
