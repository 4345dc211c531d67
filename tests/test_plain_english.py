"""The texts of the project stay in plain English: few idioms, in code and in documents."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

# A reader from another country stumbles over these; each has a plain word.
IDIOMS = re.compile(
    r"""
    (^|[.;:,(]\s?|\b(of|by|for|to|and|or|than|with|from|as|in|on)\s)what\s(?!to\b|if\b|is\swrong)
    | \bwhere\s(it|one|none|no|there|nothing|they|that|nobody)\b      # if
    | \bstands?\b(?!\sfor)                                            # is
    | \b(is|are|was|were)\s(said|told|asked|heard)\b                  # reports, requests
    | \bsays?\s(of|so|nothing)\b | \btells?\sof\b
    | \balone\b                                                       # only
    | \b(nobody|somebody|whom)\b
    | \bso\s(many|much|it\sis)\b | \blikewise\b
    | (^|\.\s)Of\s(a|an|the|each|all|these|those)\b
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
CODE = [*ROOT.glob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
CODE += (ROOT / "deepfake_audio").rglob("*.py")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data/sample").glob("*.md")]
PAGES += (ROOT / "models/pretrained").glob("*.md")
SETTINGS = [*ROOT.glob("*.yaml")]
MAX_SHARES = {"code": 0.03, "settings": 0.03, "documents": 0.05}


def code_texts(path: Path) -> Iterator[str]:
    """Yield the docstrings, comments, help texts and errors of a module."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.Call):
            given = [keyword.value for keyword in node.keywords if keyword.arg == "help"]
            if ast.unparse(node.func) in ("InputError", "OutputError", "ValueError"):
                given += node.args
            for value in given:
                parts = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))
                yield " ".join(part for part in parts if isinstance(part, str))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")


def page_texts(path: Path) -> Iterator[str]:
    """Yield the sentences of a page, without its headings, tables and commands."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = [line for line in text.splitlines() if not line.startswith(("    ", "|", "#"))]
    yield from re.split(r"(?<=[.!?:])\s+", " ".join(prose))


def settings_texts(path: Path) -> Iterator[str]:
    yield from re.findall(r"# (.+)", path.read_text(encoding="utf-8"))


def with_idioms(texts: Iterator[str]) -> tuple[list[str], int]:
    """Return the texts that contain an idiom, and the number of all texts."""
    sentences = [text for text in texts if len(text.split()) > 3]
    return [text for text in sentences if IDIOMS.search(text)], len(sentences)


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("Return what the file says of it.", False),
        ("Where there is none, the defaults alone count.", False),
        ("Of each file, take the first window.", False),
        ("Take the first window of each file.", True),
        ("UNCERTAIN: background noise hides the traces.", True),
        ("ASV stands for automatic speaker verification.", True),
    ],
)
def test_idioms_are_found(text, is_plain):
    assert bool(IDIOMS.search(text)) != is_plain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "paths", "texts_of"),
    [
        ("code", CODE, code_texts),
        ("settings", SETTINGS, settings_texts),
        ("documents", PAGES, page_texts),
    ],
    ids=["code", "settings", "documents"],
)
def test_few_texts_contain_idioms(group, paths, texts_of):
    found, texts = [], 0
    for path in paths:
        idioms, number = with_idioms(texts_of(path))
        found += [f"{path.relative_to(ROOT)}: {text}" for text in idioms]
        texts += number
    assert texts > 20
    share = len(found) / texts
    assert share <= MAX_SHARES[group], f"{share:.1%} of {texts}:\n" + "\n".join(found)
