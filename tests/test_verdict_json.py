"""The objects of predict.py --json: the schema describes each kind of file."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
import soundfile

import predict
from conftest import ROOT, draw_image
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.inference.reasons import Reason
from deepfake_audio.models import fingerprints
from test_tracks import write_tracks

SCHEMA = json.loads((ROOT / "deepfake_audio" / "verdict.schema.json").read_text("utf-8"))
JUDGED, FAILED = SCHEMA["oneOf"]
SAMPLE = ROOT / "data" / "sample" / "audio"
FAKE = next(SAMPLE.glob("fake_griffin-lim*"))
UNSURE = next(SAMPLE.glob("real_*confbridge*"))


def judge(capsys: pytest.CaptureFixture, *args: str | Path, failed: bool = False) -> list[dict]:
    """Return the objects of `predict.py --json`, checked against the schema."""
    exit_code = predict.main(["--json", *map(str, args)])
    assert exit_code == failed
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for found in objects:
        jsonschema.validate(found, SCHEMA)
        assert found.keys() <= (FAILED if found["error"] else JUDGED)["properties"].keys()
    return objects


@pytest.fixture
def shipped(workplace) -> tuple[str, str]:
    return "--run", "models/pretrained"


def test_recordings_have_their_properties_and_reasons(shipped, capsys):
    sure, unsure = judge(capsys, *shipped, FAKE, UNSURE)
    assert (sure["verdict"], sure["reasons"], sure["error"]) == ("FAKE", [], None)
    assert (sure["kind"], sure["codec"], sure["sample_rate_hz"]) == ("recording", "flac", 16_000)
    assert sure["duration_seconds"] == pytest.approx(soundfile.info(FAKE).duration, abs=1e-3)
    assert unsure["verdict"] == "UNCERTAIN"
    assert unsure["reasons"][0]["code"] == "low_confidence"
    assert unsure["note"].startswith(unsure["reasons"][0]["text"])  # the table has no reasons
    assert "passages" not in sure


@pytest.mark.slow
def test_only_a_timeline_adds_passages(shipped, capsys):
    (found,) = judge(capsys, *shipped, "--timeline", SAMPLE / "long_recording.flac")
    assert [passage["verdict"] for passage in found["passages"]] == [
        "UNCERTAIN", "FAKE", "UNCERTAIN",
    ]  # fmt: skip


def test_failed_files_are_objects_with_their_error(shipped, capsys):
    Path("empty").mkdir()
    Path("notes.txt").write_text("no sound\n" * 99, encoding="utf-8")
    files = ["none.wav", "empty", "notes.txt", FAKE]
    *failed, judged = judge(capsys, *shipped, *files, failed=True)
    codes = {found["file"]: found["error"]["code"] for found in failed}
    assert codes == {"none.wav": "not_found", "empty": "no_files", "notes.txt": "no_sound"}
    assert judged["verdict"] == "FAKE"


@pytest.mark.slow
def test_channels_and_tracks_are_counted(shipped, capsys):
    voice, _ = soundfile.read(FAKE, dtype="float32")
    rising = voice * np.linspace(0, 1, len(voice), dtype=np.float32)
    soundfile.write("two.wav", np.stack([voice, rising[::-1]], axis=1), 16_000)
    write_tracks(Path("two.mkv"), voice, rising)
    stereo, film = judge(capsys, *shipped, "two.wav", "two.mkv")
    assert (stereo["channels"], stereo["tracks"], stereo["codec"]) == (2, 1, "pcm_s16le")
    assert (film["channels"], film["tracks"], film["codec"]) == (1, 2, "flac")
    assert "channels_differ" in {reason["code"] for reason in stereo["reasons"]}


def test_silence_has_no_confidence(shipped, capsys):
    soundfile.write("silence.wav", np.zeros(32_000), 16_000)
    (found,) = judge(capsys, *shipped, "--timeline", "silence.wav")
    assert (found["confidence"], found["passages"]) == (None, [])
    assert found["reasons"][0]["code"] == "silent"


def test_an_image_has_no_properties_of_a_recording(in_workspace, capsys):
    Path("a.png").write_bytes(encode_png(draw_image("fake", 1)))
    (found,) = judge(capsys, "--run", "first", "--timeline", "a.png")
    assert (found["kind"], found["codec"], found["sample_rate_hz"]) == ("image", None, None)
    assert found["passages"] == []


@pytest.mark.slow
def test_the_model_of_a_result_is_a_run_to_name(shipped, capsys):
    (found,) = judge(capsys, *shipped, FAKE)
    model = found["model"]
    for name in (model["name"], model["fingerprint"], model["fingerprint"][:8]):
        assert judge(capsys, "--run", name, FAKE) == [found]
    assert predict.main(["--run", "0" * 64, str(FAKE)]) == 2


def test_a_fingerprint_changes_with_the_calibration():
    detector = Detector.pretrained()
    calibration = detector.record.calibration
    moved = SimpleNamespace(**vars(calibration) | {"intercept": calibration.intercept + 1})
    record = detector.record.model_copy(update={"calibration": moved})
    limits = detector.settings.limits
    assert fingerprints.fingerprint_run(detector.run, record, limits) != detector.fingerprint


def test_the_schema_and_the_documentation_have_all_codes():
    errors = FAILED["properties"]["error"]["properties"]["code"]["enum"]
    reasons = JUDGED["properties"]["reasons"]["items"]["properties"]["code"]["enum"]
    assert tuple(errors) == InputError.CODES
    assert {*re.findall(r"`(\w+)`", Reason.__doc__)} - {"code"} == {*reasons}
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    assert [code for code in errors + reasons if f"`{code}`" not in page] == []
    keys = [*JUDGED["properties"], *FAILED["properties"]]
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_objects_are_in_the_order_of_the_files_with_a_folder_without_files_between(
    tmp_path, capsys
):
    (tmp_path / "empty").mkdir()
    given = [str(FAKE), str(tmp_path / "empty"), str(UNSURE)]
    assert [found["file"] for found in judge(capsys, *given, failed=True)] == given
