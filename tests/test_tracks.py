"""Each audio track of a file is judged, or named as left out."""

import json
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import deepfake_audio
import predict
import prepare
from conftest import ROOT
from deepfake_audio.detector import judge
from deepfake_audio.inference.inputs import Input, Window
from deepfake_audio.models.calibration import Calibration
from helpers import ONE_PROCESS

SAMPLE = ROOT / "data" / "sample" / "audio"
FAKE = next(SAMPLE.glob("fake_griffin-lim*"))
REAL = next(SAMPLE.glob("real_*vm-nonumber*"))
CONTAINERS = {
    "mp4": "alac", "mkv": "flac", "mov": "alac", "webm": "libopus", "mka": "pcm_s16le",
    "ogg": "libopus",
}  # fmt: skip
RATE_HZ = 16_000


def voice(path: Path) -> np.ndarray:
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ
    return samples


def write_tracks(path: Path, *tracks: np.ndarray) -> Path:
    """Write tracks of one sound each: `(samples,)` or `(channels, samples)`."""
    codec = CONTAINERS[path.suffix[1:]]
    rate_hz = 48_000 if codec == "libopus" else RATE_HZ
    with av.open(str(path), "w") as container:
        streams, packets = [], []
        for samples in tracks:
            layout = "mono" if samples.ndim == 1 else "stereo"
            stream = container.add_stream(codec, rate=rate_hz, layout=layout)
            stream.codec_context.open()
            streams.append((stream, layout, np.atleast_2d(samples)))
        for stream, layout, samples in streams:
            frame = av.AudioFrame.from_ndarray(samples, "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            resampler = av.AudioResampler(
                stream.format, layout, rate_hz, stream.codec_context.frame_size or 1024
            )
            for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
                packets += stream.encode(piece)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def detector() -> deepfake_audio.Detector:
    return deepfake_audio.Detector.pretrained(["predict.min_confidence=0.6"])


def codes(result: deepfake_audio.Result) -> list[str]:
    return [reason.code for reason in result.reasons]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_tracks_that_disagree_are_uncertain(detector, tmp_path, suffix):
    path = write_tracks(tmp_path / f"a.{suffix}", voice(REAL), voice(FAKE))
    result = detector.predict(path)
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "tracks_disagree")
    text = r"track 1 is REAL \d\d\.\d%, track 2 is FAKE \d\d\.\d%: judge each with --track"
    assert re.fullmatch(text, result.doubt.text)
    assert {window.track for window in result.windows} == {1, 2}
    assert result.quality.tracks == 2
    for track, verdict in ((1, "REAL"), (2, "FAKE")):
        one = detector.predict(path, track=track)
        assert one.verdict == verdict
        assert one.reasons[-1].text == f"only track {track} of 2"


def test_one_track_gets_the_score_of_a_file_with_only_this_track(detector, tmp_path):
    path = write_tracks(tmp_path / "a.mkv", voice(REAL), voice(FAKE))
    alone = detector.predict(write_tracks(tmp_path / "b.mkv", voice(FAKE)))
    assert detector.predict(path, track=2).score == alone.score
    assert "tracks" not in codes(alone)


def test_a_silent_first_track_hides_no_fake(detector, tmp_path):
    path = write_tracks(tmp_path / "a.mka", np.zeros(RATE_HZ, np.float32), voice(FAKE))
    result = detector.predict(path)
    assert result.verdict == "FAKE"
    texts = {reason.code: reason.text for reason in result.reasons}
    assert texts["left_out"] == "left out: track 1 (silent)"
    assert texts["tracks"] == "2 tracks: --track 1 judges one"
    assert result.score == detector.predict(FAKE).score


def test_a_file_of_silent_tracks_has_no_verdict(detector, tmp_path):
    silence = np.zeros(RATE_HZ, np.float32)
    result = detector.predict(write_tracks(tmp_path / "a.mka", silence, silence[:-100]))
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "silent")


def test_tracks_of_the_same_sound_are_judged_once(detector, tmp_path):
    path = write_tracks(tmp_path / "a.mka", voice(FAKE), voice(FAKE), voice(REAL))
    result = detector.predict(path)
    assert [(one.part.name, one.verdict) for one in result.parts] == [
        ("track 1", "FAKE"), ("track 3", "REAL"),
    ]  # fmt: skip
    texts = {reason.code: reason.text for reason in result.reasons}
    assert texts["left_out"] == "left out: track 2 (same sound as track 1)"


def test_channels_of_a_track_are_named_with_it(detector, tmp_path):
    length = min(len(voice(REAL)), len(voice(FAKE)))
    both = np.stack([voice(REAL)[:length], voice(FAKE)[:length]])
    path = write_tracks(tmp_path / "a.mka", both, voice(REAL))
    result = detector.predict(path)
    assert {(window.track, window.channel) for window in result.windows} == {(1, 1), (1, 2), (2, 0)}
    assert "channel 2 of track 1 is FAKE" in result.doubt.text
    assert "track 2 is REAL" in result.doubt.text


def test_a_track_that_can_not_be_decoded_is_named(detector, tmp_path):
    path = write_tracks(tmp_path / "a.mka", voice(FAKE), voice(REAL))
    content = path.read_bytes()
    place = content.rindex(b"A_PCM/INT/LIT")
    path.write_bytes(content[:place] + b"A_XYZ/INT/LIT" + content[place + 13 :])
    result = detector.predict(path)
    assert result.verdict == "FAKE"
    texts = [reason.text for reason in result.reasons]
    assert "left out: track 2 (cannot be decoded)" in texts


@pytest.mark.parametrize("suffix", ["mka", "wav"])
def test_a_track_that_a_file_lacks_is_an_input_error(detector, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "wav":
        soundfile.write(path, voice(REAL), RATE_HZ)
    else:
        write_tracks(path, voice(REAL))
    with pytest.raises(deepfake_audio.InputError, match="it has 1 track; leave out --track"):
        detector.predict(path, track=2)


def test_more_tracks_than_a_recording_has_are_refused(detector, tmp_path):
    path = write_tracks(tmp_path / "a.mka", *[voice(FAKE)[:2000]] * 33)
    with pytest.raises(deepfake_audio.InputError, match="it has 33 tracks, more than 32; judge"):
        detector.predict(path)


@pytest.mark.slow
def test_the_command_line_judges_each_track_or_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_tracks(tmp_path / "a.mka", voice(REAL), voice(FAKE))
    model = str(ROOT / "models" / "pretrained")
    assert predict.main(["--json", "--run", model, "a.mka"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["reasons"][0]["code"] == "tracks_disagree"
    assert row["note"] == "2 tracks: --track 1 judges one"
    assert predict.main(["--run", model, "--track", "2", "--timeline", "a.mka"]) == 0
    assert capsys.readouterr().out.startswith("FAKE")
    assert predict.main(["--track", "0", "a.mka"]) == 2
    assert "--track 0 is too small; give 1 or more" in capsys.readouterr().err


def test_a_silent_channel_is_named():
    """Of three channels that differ one may be silent."""
    found = Input("a.wav", windows=[Window(score=3.0, channel=1), Window(score=3.0, channel=2)])
    found.left_out.append((1, 3, "silent"))
    found.sound_seconds = 3.0
    settings = deepfake_audio.Detector.pretrained().settings
    settings = settings.model_copy(
        update={"predict": settings.predict.model_copy(update={"min_bandwidth_hz": 0})}
    )
    result = judge(found, Calibration(1.0, 0.0), settings, "mine")
    assert "left out: channel 3 (silent)" in [reason.text for reason in result.reasons]


@pytest.mark.slow
def test_prepare_names_files_whose_other_tracks_are_not_used(workplace, capsys):
    for label in ("real", "fake"):
        write_tracks(Path("mine", label, "a.mka"), voice(REAL), voice(FAKE))
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    printed = capsys.readouterr().out
    assert "2 files with several audio tracks, of which the first is used: " in printed
