"""JSON that is written: any parser accepts it."""

import json
import os
from pathlib import Path

import pytest

from deepfake_audio.dataset.journal import append_entries
from deepfake_audio.system.atomic_files import write_json
from deepfake_audio.system.json_text import to_json

ODD = os.fsdecode(b"b\xff.wav") if os.name != "nt" else "b\udcff.wav"


def test_bytes_that_are_no_utf_8_are_escaped_at_any_depth(tmp_path):
    content = {ODD: [ODD, {"error": f"{ODD} é \U0001f600"}], "number": 1.5, "none": None}
    known = {"b\\udcff.wav": ["b\\udcff.wav", {"error": "b\\udcff.wav é \U0001f600"}]}
    write_json(tmp_path / "a.json", content)
    with Path(tmp_path, "a.jsonl").open("w", encoding="utf-8") as journal:
        append_entries(journal, [content])
    for path in tmp_path.iterdir():
        assert json.loads(path.read_text("utf-8")) == known | {"number": 1.5, "none": None}


def test_non_finite_numbers_are_not_written():
    with pytest.raises(ValueError):
        to_json({"level": float("nan")})
