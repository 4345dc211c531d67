"""The package as a library: three lines judge a recording, and the process stays as it was."""

import io
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import scipy.io.wavfile
import soundfile

import deepfake_audio
import predict
from conftest import ROOT
from deepfake_audio.audio.codecs import CODECS, encode
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.sounds import read_file_object
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.cli.standard_input import copy_standard_input
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.system import cluster

CLIPS = sorted((ROOT / "data" / "sample" / "audio").glob("*.flac"))
FAKE_CLIP = next(clip for clip in CLIPS if "espeak" in clip.name)


@pytest.fixture(scope="module")
def detector() -> deepfake_audio.Detector:
    return deepfake_audio.Detector.pretrained()


@pytest.mark.slow
def test_any_number_of_threads_gives_the_same_scores(monkeypatch):
    monkeypatch.setattr("deepfake_audio.detector.usable_threads", int)
    sound = np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in CLIPS[:8]])
    one, several = (
        deepfake_audio.Detector.pretrained([f"score.threads={threads}"]).predict((sound, 16_000))
        for threads in (1, 3)
    )
    assert len(one.windows) > 20
    assert [window.score for window in one.windows] == [window.score for window in several.windows]
    assert [window.start_seconds for window in one.windows] == sorted(
        window.start_seconds for window in several.windows
    )


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
    assert detector.as_dict(result) == json.loads(capsys.readouterr().out)
    assert result.verdict is deepfake_audio.Verdict.FAKE
    assert result.p_fake == result.confidence > 0.75
    assert result.quality.sample_rate_hz > 0
    assert result.timeline().passages[0].verdict == "FAKE"


def test_the_example_of_the_readme_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.+?)```", readme, re.DOTALL)[1]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("FAKE 0.9")


def test_an_uncertain_clip_has_the_code_of_its_reason(detector):
    clip = next(clip for clip in CLIPS if "dir-nomatch" in clip.name)
    codes = [reason.code for reason in detector.predict(clip).reasons]
    assert codes == ["low_confidence"]


def test_what_is_said_of_the_sound_does_not_depend_on_the_expected_share_of_fakes():
    clip = next(clip for clip in CLIPS if "kokoro" in clip.name)
    rare = deepfake_audio.Detector.pretrained(["predict.prior_fake=0.003"]).predict(clip)
    texts = {reason.code: reason.text for reason in rare.reasons}
    assert rare.verdict == "UNCERTAIN"
    assert "(predict.prior_fake) lowers the confidence" in texts["low_confidence"]
    assert "regular traces of a neural vocoder" in texts["frame_rate"]


def test_a_missing_file_is_an_input_error(detector):
    with pytest.raises(deepfake_audio.InputError, match=r"gone\.wav"):
        detector.predict("gone.wav")


def test_bad_files_of_a_batch_are_reported_to_the_caller(detector):
    failures = []
    paths = ["gone.wav", FAKE_CLIP]
    results = list(detector.predict_many(paths, on_error=failures.append))
    assert [result.name for result in results] == [str(FAKE_CLIP)]
    assert [failure.name for failure in failures] == ["gone.wav"]


@pytest.fixture(scope="module")
def fake_bytes() -> bytes:
    return FAKE_CLIP.read_bytes()


def answer(result: deepfake_audio.Result) -> tuple:
    return result.verdict, result.confidence, result.score, result.llr, result.quality


@pytest.mark.slow
def test_a_path_its_bytes_and_a_file_object_get_the_same_answer(detector, fake_bytes):
    known = answer(detector.predict(FAKE_CLIP))
    with FAKE_CLIP.open("rb") as file:
        given = [fake_bytes, bytearray(fake_bytes), io.BytesIO(fake_bytes), file, str(FAKE_CLIP)]
        assert [answer(detector.predict(recording)) for recording in given] == [known] * 5


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100])
@pytest.mark.parametrize(
    ("subtype", "dtype"),
    [("PCM_16", "int16"), ("PCM_32", "int32"), ("PCM_U8", "uint8"), ("FLOAT", "float32"),
     ("DOUBLE", "float64")],
)  # fmt: skip
def test_samples_get_the_score_of_a_wav_file_with_them(detector, tmp_path, rate_hz, subtype, dtype):
    samples, _ = soundfile.read(FAKE_CLIP, dtype="int16")
    both = np.stack([samples, samples // 2], axis=1)
    path = tmp_path / "a.wav"
    soundfile.write(path, both, rate_hz, subtype)
    if dtype == "uint8":
        _, values = scipy.io.wavfile.read(path)
    else:
        values, _ = soundfile.read(path, dtype=dtype)
    assert values.dtype == dtype
    expected = detector.predict(path)
    from_bytes = detector.predict(path.read_bytes())
    from_samples = detector.predict((values, rate_hz))
    assert answer(from_bytes) == answer(expected)
    assert from_samples.score == pytest.approx(expected.score, abs=1e-6)
    assert from_samples.quality.sample_rate_hz == rate_hz


def test_an_image_is_judged_from_its_bytes(detector, tmp_path):
    audio = detector.settings.audio
    _, window = next(recording_windows(open_recording(FAKE_CLIP, audio), audio))
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(spectrogram_image(window, audio)))
    assert detector.predict(path).score == detector.predict(path.read_bytes()).score


NOISE = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        (b"", "cannot read the given bytes as sound: "),
        (b"no sound at all" * 99, "cannot read the given bytes as sound: "),
        (b"\x89PNG\r\n\x1a\n broken", "cannot read the given bytes: it is damaged, or no PNG"),
        (io.StringIO("text"), "cannot read the given file: open it in binary mode"),
        ((NOISE * np.nan, 16_000), "cannot read the given samples: a sample is infinite, not a"),
        ((NOISE.astype(np.float64) * 1e300, 16_000), "a sample is infinite, not a number"),
        ((NOISE.astype(np.int64), 16_000), "they are int64; give one of float16, float32"),
        ((NOISE > 0, 16_000), "they are bool; give"),
        ((["a"], 16_000), "cannot read the given samples: they are "),
        (([NOISE, NOISE], 16_000), r"their shape is \(2, 32000\); give \(samples,\)"),
        ((np.float32(0.5), 16_000), r"their shape is \(\);"),
        ((NOISE[:0], 16_000), "cannot read the given samples: it has no sound"),
        ((NOISE, 0), "its sample rate is 0 Hz"),
        ((NOISE, 16_000.5), "16000.5 is no sample rate"),
        ((NOISE, None), "None is no sample rate"),
        ((NOISE, float("nan")), "nan is no sample rate"),
        ((NOISE, "16000"), "'16000' is no sample rate"),
    ],
)
def test_unreadable_input_is_an_input_error(detector, recording, message):
    with pytest.raises(deepfake_audio.InputError, match=message):
        detector.predict(recording)


def test_a_file_object_above_the_limit_is_an_input_error():
    with pytest.raises(deepfake_audio.InputError, match="megabytes=1; give its path"):
        read_file_object(io.BytesIO(bytes(9_000_000)), 1)


def test_other_machines_do_not_report_windows(detector, monkeypatch):
    class Machines:
        def run_calls(self, function, calls):
            for args in calls:
                yield args, function(*pickle.loads(pickle.dumps(args)))

    monkeypatch.setattr(cluster, "connected", lambda address, paths: nullcontext(Machines()))
    judged = detector.predict_many(
        [str(FAKE_CLIP)], cluster="tcp://host:1", on_window=lambda found, window: None
    )
    assert [result.name for result in judged] == [str(FAKE_CLIP)]


@pytest.mark.parametrize(("size", "is_refused"), [(1_000_000, False), (1_000_001, True)])
def test_standard_input_may_have_its_limit_and_no_more(size, is_refused, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(bytes(size))))
    refused = pytest.raises(deepfake_audio.InputError, match="megabytes=1; give a file")
    with refused if is_refused else nullcontext():
        copy_standard_input(io.BytesIO(), 1)


def test_a_channel_that_samples_lack_is_an_input_error(detector):
    with pytest.raises(deepfake_audio.InputError, match="channel 2 of the given samples: it has 1"):
        detector.predict((NOISE, 16_000), channel=2)


def test_input_of_another_type_is_a_type_error(detector):
    with pytest.raises(TypeError, match="cannot judge a int; give a path"):
        detector.predict(3)


def test_the_quality_reports_whether_channels_differ(detector):
    both = np.stack([NOISE, NOISE[::-1]], axis=1)
    known = [detector.predict((given, 16_000)).quality for given in (both, both[:, :1])]
    assert [(q.channels, q.channels_differ) for q in known] == [(2, True), (1, False)]


def test_silence_in_memory_has_no_verdict(detector):
    result = detector.predict((np.zeros(32_000, np.int16), 16_000))
    assert (result.verdict, result.reasons[0].code) == ("UNCERTAIN", "silent")
    assert result.name == "the given samples"


def test_many_recordings_of_every_kind_get_the_answers_of_predict(detector, fake_bytes):
    sound = soundfile.read(FAKE_CLIP, dtype="int16")
    result = detector.predict(FAKE_CLIP)
    for workers in (1, 2):
        given = [FAKE_CLIP, fake_bytes, io.BytesIO(fake_bytes), sound]
        found = list(detector.predict_many(given, workers))
        assert [each.verdict for each in found] == [result.verdict] * 4
        assert [each.score for each in found] == pytest.approx([result.score] * 4, abs=1e-4)


def test_recordings_of_a_batch_that_cannot_be_read_are_reported(detector):
    given, failures = [io.StringIO("text"), (NOISE, 0), b"", FAKE_CLIP], []
    results = list(detector.predict_many(given, on_error=failures.append))
    assert [result.name for result in results] == [str(FAKE_CLIP)]
    assert sorted(failure.name for failure in failures) == [
        "the given bytes", "the given file", "the given samples",
    ]  # fmt: skip


@pytest.mark.parametrize("recordings", ["call.wav", b"RIFF", Path("call.wav"), io.BytesIO(b"RIFF")])
def test_one_recording_instead_of_a_list_is_a_type_error(detector, recordings):
    with pytest.raises(
        TypeError, match=r"^recordings must be a list, not .*; use predict for one of them$"
    ):
        next(detector.predict_many(recordings))


def test_results_are_short_in_a_console_and_can_be_keys(detector):
    result = detector.predict(CLIPS[0])
    assert len(repr(result)) < 2000
    assert {result: 1}[result] == 1
    assert result == result and result != detector.predict(CLIPS[0])
    assert repr(detector) == f"Detector(run={str(detector.run.folder)!r})"


def test_every_public_name_can_be_imported():
    assert all(getattr(deepfake_audio, name) for name in deepfake_audio.__all__)


@pytest.mark.slow
def test_the_example_of_the_page_on_python_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    exec(compile(re.search(r"```python\n(.+?)```", page, re.DOTALL)[1], "python.md", "exec"), {})
    assert "['not_found', 'no_sound']" in capsys.readouterr().out


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


@pytest.mark.skipif(os.name != "posix", reason="other systems have no limits to set")
def test_loading_a_run_without_a_fingerprint_sets_no_limit(tmp_path, monkeypatch):
    import resource

    run, calls, setrlimit = tmp_path / "older", [], resource.setrlimit
    shutil.copytree(ROOT / "models/pretrained", run)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"model_fingerprint": None}))
    monkeypatch.setattr(resource, "setrlimit", lambda *args: calls.append(setrlimit(*args)))
    assert deepfake_audio.Detector.load(run).predict(CLIPS[0]).verdict
    assert calls == []
    deepfake_audio.Detector.load(run, bound_memory=True)
    assert len(calls) == 4 * (sys.platform == "linux")


@pytest.mark.slow
def test_the_process_stays_as_it_is_while_a_file_is_judged(tmp_path):
    """FFmpeg reads the M4A, libsndfile the FLAC, and OpenCV the damaged image."""
    image, coded = tmp_path / "a.png", tmp_path / "a.m4a"
    image.write_bytes(cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes()[:-30])
    samples, rate_hz = soundfile.read(FAKE_CLIP, dtype="float32")
    coded.write_bytes(encode(samples, rate_hz, CODECS["aac"], 16_000, 64))
    before, states, ended = process_state(), [], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            states.append(process_state())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        detector = deepfake_audio.Detector.pretrained()
        results = list(detector.predict_many([coded, FAKE_CLIP, image], on_error=lambda _: None))
    finally:
        ended.set()
        watcher.join()
    assert len(results) == 2
    assert len(states) > 10
    assert [state for state in states if state != before] == []


@pytest.mark.slow
def test_two_threads_get_the_answers_that_one_gets(detector):
    clips = CLIPS[:4] * 2
    expected = [predict.as_row(detector.predict(clip)) for clip in clips]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda clip: predict.as_row(detector.predict(clip)), clips))
    assert rows == expected
