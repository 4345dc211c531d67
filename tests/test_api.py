"""The package as a library: three lines judge a recording, and the process stays as it was."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest

import deepfake_audio
import predict
from conftest import ROOT

CLIPS = sorted((ROOT / "data" / "sample" / "audio").glob("*.flac"))
FAKE_CLIP = next(clip for clip in CLIPS if "espeak" in clip.name)


@pytest.fixture(scope="module")
def detector() -> deepfake_audio.Detector:
    return deepfake_audio.Detector.pretrained()


@pytest.mark.slow
def test_importing_the_package_loads_nothing_else():
    code = (
        "import sys, deepfake_audio\n"
        "dir(deepfake_audio)\n"
        "print({'numpy', 'onnxruntime', 'keras', 'joblib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout == "set()\n"


def test_a_result_has_what_the_command_line_prints(detector, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = detector.predict(FAKE_CLIP)
    assert predict.main(["--json", "--run", "models/pretrained", str(FAKE_CLIP)]) == 0
    assert predict.as_row(result) == json.loads(capsys.readouterr().out)
    assert result.verdict is deepfake_audio.Verdict.FAKE
    assert result.p_fake == result.confidence > 0.9
    assert result.quality.sample_rate_hz > 0
    assert result.timeline().passages[0].verdict == "FAKE"


def test_reasons_have_stable_codes(detector):
    clip = next(clip for clip in CLIPS if "dir-nomatch" in clip.name)
    codes = [reason.code for reason in detector.predict(clip).reasons]
    assert codes == ["low_confidence", "windows_ignored"]


def test_a_missing_file_is_an_input_error(detector):
    with pytest.raises(deepfake_audio.InputError, match=r"gone\.wav"):
        detector.predict("gone.wav")


def test_bad_files_of_many_are_handed_over(detector):
    failures = []
    paths = ["gone.wav", FAKE_CLIP]
    results = list(detector.predict_many(paths, on_error=failures.append))
    assert [result.name for result in results] == [str(FAKE_CLIP)]
    assert [failure.name for failure in failures] == ["gone.wav"]


def process_state() -> dict:
    state = {
        "folder": Path.cwd(),
        "threads": cv2.getNumThreads(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "environment": dict(os.environ),
        "streams": (sys.stdout, sys.stderr),
    }
    if os.name == "posix":
        import resource

        state["limits"] = resource.getrlimit(resource.RLIMIT_DATA)
        state["descriptors"] = [os.fstat(number)[:3] for number in range(3)]
    return state


def test_judging_prints_nothing_and_leaves_the_process_as_it_was(detector, capfd):
    before = process_state()
    assert list(detector.predict_many(CLIPS[:2]))
    assert process_state() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_two_threads_get_the_answers_that_one_gets(detector):
    clips = CLIPS[:4] * 2
    expected = [predict.as_row(detector.predict(clip)) for clip in clips]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda clip: predict.as_row(detector.predict(clip)), clips))
    assert rows == expected
