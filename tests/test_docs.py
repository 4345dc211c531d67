"""The documents name only commands, settings, files and modules that exist."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

import calibrate
import combine
import evaluate
import export
import join
import make_fakes
import predict
import prepare
import serve
import train
from conftest import ROOT
from deepfake_audio.config.loading import load_settings

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
GUIDES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
GUIDE_TEXT = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in GUIDES)
SCRIPTS = {
    "calibrate.py": calibrate,
    "combine.py": combine,
    "export.py": export,
    "make_fakes.py": make_fakes,
    "prepare.py": prepare,
    "join.py": join,
    "serve.py": serve,
    "train.py": train,
    "evaluate.py": evaluate,
    "predict.py": predict,
}
OTHERS = ("CONTRIBUTING.md", "SECURITY.md", "data/sample/README.md", "models/pretrained/README.md")
DOCUMENTS = (*GUIDES, *OTHERS, "research/accuracy-log.md")  # the log names commands of its time
OTHER_TEXTS = [(ROOT / name).read_text(encoding="utf-8") for name in OTHERS]
PAGES = [GUIDE_TEXT, *OTHER_TEXTS, *(module.__doc__ for module in SCRIPTS.values())]
SHELL_CALL = re.compile(r"\$\(\w+ (\w+)\)")  # of a function of a shell, and its argument


def commands(text: str) -> list[tuple[str, list[str]]]:
    text = re.sub(r"\\\n\s+", "", text)  # a command of several lines
    lines = re.findall(r"^ +(?:\.venv/bin/)?python (\w+\.py)(.*)$", text, re.MULTILINE)
    lines = [(name, re.sub(r"\$\w+", "1", rest)) for name, rest in lines]  # variables of a shell
    lines = [(name, SHELL_CALL.sub(r"\1=cp {input} {output}", rest)) for name, rest in lines]
    return [(name, shlex.split(re.split(r"\s{2,}|#", rest)[0])) for name, rest in lines]


def test_the_documents_contain_commands():
    assert {name for name, _ in commands("\n".join(PAGES))} >= set(SCRIPTS)


@pytest.mark.parametrize(
    ("name", "args"),
    [(name, args) for page in PAGES for name, args in commands(page)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_commands_in_the_documents_parse(name, args):
    assert (ROOT / name).is_file()
    parsed = SCRIPTS[name].parse_arguments(args)
    if name == "train.py":
        load_settings(parsed.config and ROOT / parsed.config, parsed.settings)


def test_blocks_of_the_guides_can_follow_one_another():
    """A data folder keeps the settings that it was made with, and a run's name is taken once."""
    made_with, calibrated = {}, []
    for name, args in commands(GUIDE_TEXT):
        parsed = SCRIPTS[name].parse_arguments(args)
        if name == "prepare.py" and parsed.name:
            asked = (parsed.audio, parsed.config, *parsed.settings)
            assert made_with.setdefault(parsed.name, asked) == asked
        elif name == "calibrate.py":
            calibrated.append(parsed.name)
            assert Path(parsed.data).name in made_with
    assert calibrated and len({*calibrated}) == len(calibrated)


def benchmarks_of(page: str) -> set[str]:
    """Return the modules that a page runs, also if a line ends within the command."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return set(re.findall(r"\bpython\s+-m\s+((?:benchmarks|research|tests|tools)\b[\w.]*)", text))


def test_the_documents_contain_benchmark_commands():
    named = set().union(*map(benchmarks_of, DOCUMENTS))
    assert named >= {"benchmarks.bench_accuracy", "research.frame_rates", "tests.fuzz"}


@pytest.mark.parametrize("page", DOCUMENTS)
def test_benchmarks_named_in_the_documents_exist(page):
    for name in benchmarks_of(page):
        spec = find_spec(f"{name}.__main__" if name in ("benchmarks", "tests.fuzz") else name)
        assert spec, name
        assert Path(spec.origin).is_relative_to(ROOT), name


@pytest.mark.parametrize("page", DOCUMENTS)
def test_local_links_and_pictures_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, heading = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not heading or heading in anchors(path.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """Return what links to the headings of a page end in."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def test_the_readme_is_short_and_links_every_guide():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    assert len(readme.split()) <= 1300
    assert all(f"({name})" in readme for name in GUIDES if name != "README.md")


def test_settings_named_in_the_guides_exist():
    known = load_settings().model_dump()
    for section, key in re.findall(r"`(\w+)\.(\w+)`", GUIDE_TEXT):
        if section in known and key not in ("py", "yaml"):
            assert key in known[section], f"{section}.{key}"


def test_files_named_in_the_layout_exist():
    named = re.findall(r"^\| (`[\w./]+`(?:, `[\w./]+`)*) \|", CONTRIBUTING, re.MULTILINE)
    named = [path.strip("`") for names in named for path in names.split(", ")]
    assert len(named) > 10
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_package_is_in_the_layout():
    package = ROOT / "deepfake_audio"
    parts = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    parts += [path.name for path in package.glob("[a-z]*.py")]
    scripts = [path.name for path in ROOT.glob("*.py")]
    for name in [*scripts, *(f"deepfake_audio/{part}" for part in parts)]:
        assert f"`{name}`" in CONTRIBUTING, name
