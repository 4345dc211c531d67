"""Times are those that a player shows, also after a pause without packets."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import deepfake_audio
from deepfake_audio.audio.findings import Findings
from deepfake_audio.audio.packets import MAX_SHIFTS, Clock
from deepfake_audio.audio.recordings import open_recording, recording_blocks
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.loading import load_settings

AUDIO, RATE_HZ = load_settings().audio, 16_000
CODECS = {
    "webm": ("libopus", 48_000), "mka": ("pcm_s16le", 16_000), "mov": ("aac", 44_100),
    "ogg": ("libopus", 48_000), "nut": ("aac", 44_100), "flv": ("libmp3lame", 44_100),
}  # fmt: skip


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32)


def write_with_pauses(path: Path, pauses: dict[float, float], seconds: float = 12.0) -> Path:
    """Encode noise; timestamps jump by a pause at each of its times in the sound."""
    codec, rate_hz = CODECS[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        stream.codec_context.open()
        resampler = av.AudioResampler(
            stream.format, "mono", rate_hz, stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(noise(seconds)[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(piece):
                at = float(packet.pts * packet.time_base)
                shift = sum(length for start, length in pauses.items() if at >= start)
                packet.pts = packet.dts = packet.pts + round(shift / packet.time_base)
                container.mux(packet)
    return path


def starts_of(path: Path) -> list[float]:
    return [start for start, _ in recording_windows(open_recording(path, AUDIO), AUDIO)]


@pytest.mark.parametrize("suffix", CODECS)
def test_times_after_a_pause_are_later(tmp_path, suffix):
    path = write_with_pauses(tmp_path / f"a.{suffix}", {5.0: 60.0})
    recording = open_recording(path, AUDIO)
    windows = list(recording_windows(recording, AUDIO))
    assert recording.findings.skipped_seconds == 0
    assert windows[0][0] < 0.2
    assert windows[-1][0] + AUDIO.window_seconds == pytest.approx(72, abs=0.3)
    before = [start for start, _ in windows if start < 30]
    after = [start for start, _ in windows if start >= 30]
    assert before[-1] < 5.1
    assert after[0] > 64.9 - AUDIO.window_seconds
    assert recording.samples < 17 * RATE_HZ


@pytest.mark.parametrize("suffix", ["mka", "webm", "ogg"])
@pytest.mark.parametrize("pauses", [{0.0: 100.0}, {5.0: 60.0, 8.0: 30.0}])
def test_a_late_begin_or_pauses_are_no_missing_sound(tmp_path, suffix, pauses):
    recording = open_recording(write_with_pauses(tmp_path / f"a.{suffix}", pauses), AUDIO)
    findings = recording.findings
    assert (findings.missing_seconds, findings.skipped_seconds) == (0, 0)


def test_the_sound_at_a_time_is_that_of_the_player(tmp_path):
    path = write_with_pauses(tmp_path / "a.mka", {5.12: 60.0, 8.0: 2.0})
    whole = noise(12)
    for start, window in recording_windows(open_recording(path, AUDIO), AUDIO):
        loud = np.flatnonzero(np.abs(window) > 0.01)
        if start > 60 and loud[0] == 0 and start + AUDIO.window_seconds < 68:
            first = round((start - 60) * RATE_HZ)
            np.testing.assert_allclose(window[:100], whole[first : first + 100], atol=2e-4)
            break
    else:
        raise AssertionError("no window lies within the second part")


def test_a_short_pause_is_silence(tmp_path):
    path = write_with_pauses(tmp_path / "a.mka", {5.12: 1.5})
    recording = open_recording(path, AUDIO)
    (samples,) = recording_blocks(recording, AUDIO)
    assert (len(samples), recording.findings.shifts) == (round(13.5 * RATE_HZ), [])
    assert not samples[round(5.2 * RATE_HZ) : round(6.6 * RATE_HZ)].any()


def test_steps_below_the_jitter_change_no_sample(tmp_path):
    pauses = {second + 0.1: 0.06 for second in range(11)}
    (plain,) = recording_blocks(
        open_recording(write_with_pauses(tmp_path / "a.mka", {}), AUDIO), AUDIO
    )
    shaken = open_recording(write_with_pauses(tmp_path / "b.mka", pauses), AUDIO)
    np.testing.assert_array_equal(next(recording_blocks(shaken, AUDIO)), plain)
    assert shaken.findings.player_seconds(11.9) == pytest.approx(11.9 + 0.66, abs=0.11)


def test_a_late_begin_is_a_later_time(tmp_path):
    """The video of a film may begin before its sound."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for number in range(100):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            container.mux(video.encode(picture))
            if number >= 50:
                values = (noise(0.04) * 2**15).astype("<i2")[None]
                frame = av.AudioFrame.from_ndarray(values, "s16", "mono")
                frame.sample_rate, frame.pts = RATE_HZ, number * 640
                frame.time_base = Fraction(1, RATE_HZ)
                container.mux(sound.encode(frame))
        container.mux(video.encode(None))
    assert starts_of(path)[0] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("pause", [3e6, 4e9])
def test_a_timestamp_of_weeks_costs_nothing(tmp_path, pause):
    path = write_with_pauses(tmp_path / "a.mka", {2.0: pause, 4.0: 1e7}, 6.0)
    recording = open_recording(path, AUDIO)
    assert recording.samples <= 15 * RATE_HZ
    assert max(starts_of(path)) < 86_400 + 20


def test_a_recording_of_short_pieces_is_bounded():
    shifts: list[tuple[float, float]] = []
    clock = Clock(0.0, shifts)
    silence, at = 0.0, 0.0
    for _ in range(3 * MAX_SHIFTS):
        silence += clock.silence_before(at)
        clock.advance(0.02)
        at += 0.02 + 7.5
    assert len(shifts) <= MAX_SHIFTS
    assert shifts[-1][1] <= 86_400
    assert all(first < second for first, second in pairwise(shifts))


def test_timestamps_that_go_back_are_no_pause():
    findings = Findings()
    clock = Clock(0.0, findings.shifts)
    silences = []
    for start in (0.0, 1.0, 0.0, 1.0, 2.0, float("nan"), 4.0):
        silences.append(clock.silence_before(start))
        clock.advance(1.0)
    assert silences == [0.0] * 7
    assert findings.shifts == []


@pytest.mark.slow
def test_a_verdict_has_the_times_of_the_player(tmp_path):
    path = write_with_pauses(tmp_path / "a.webm", {5.0: 60.0})
    result = deepfake_audio.Detector.pretrained().predict(path)
    passages = result.timeline().passages
    assert passages[-1].end_seconds == pytest.approx(72, abs=0.3)
    assert result.quality.sound_seconds < 17
