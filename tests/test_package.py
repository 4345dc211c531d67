"""The installed package: it works from any folder, and its requirements are the project's."""

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CLIP = ROOT / "data" / "sample" / "audio" / "fake_espeak-ng_it_f5.flac"


def pinned(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(.+)$", (ROOT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("listed", "file"),
    [
        (PROJECT["dependencies"], "requirements-predict.txt"),
        (PROJECT["optional-dependencies"]["train"], "requirements.txt"),
        (PROJECT["optional-dependencies"]["dev"], "requirements-dev.txt"),
        (PROJECT["optional-dependencies"]["serve"], "requirements-serve.txt"),
    ],
)
def test_the_package_requires_the_pinned_packages(listed, file):
    required = {each.name: each.specifier for each in map(Requirement, listed)}
    assert required.keys() == pinned(file).keys()
    for name, version in pinned(file).items():
        assert required[name].contains(version), name
        assert not required[name].contains("999"), name


@pytest.mark.slow
def test_an_installed_package_judges_from_another_folder(tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
         "--target", str(site), str(ROOT)],
        check=True, capture_output=True,
    )  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-P", str(site / "bin" / "deepfake-audio"), "predict", str(CLIP)],
        cwd=elsewhere, capture_output=True, text=True, env={"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("FAKE        9")
    assert str(site) in result.stderr  # the shipped model of the installed package
    assert not list(elsewhere.iterdir())
    for command in ("train", "evaluate", "prepare"):
        shown = subprocess.run(
            [sys.executable, str(site / "bin" / "deepfake-audio"), command, "--help"],
            cwd=elsewhere, capture_output=True, text=True, env={"PYTHONPATH": str(site)},
        )  # fmt: skip
        assert (shown.returncode, "usage:" in shown.stdout) == (0, True), shown.stderr
