"""Floats on the scale of whole numbers are scaled to a full scale of 1."""

import numpy as np
import pytest
import soundfile

import deepfake_audio
from conftest import ROOT
from deepfake_audio.audio.recordings import open_recording, read_audio, recording_blocks
from deepfake_audio.audio.sounds import to_samples
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.loading import load_settings

AUDIO, RATE_HZ = load_settings().audio, 16_000
REAL = next((ROOT / "data" / "sample" / "audio").glob("real_*conf-full*"))


@pytest.fixture(scope="module")
def detector() -> deepfake_audio.Detector:
    return deepfake_audio.Detector.pretrained()


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return soundfile.read(REAL, dtype="float32")[0]


def note_of(result: deepfake_audio.Result) -> str:
    return next((reason.text for reason in result.notes if reason.code == "scaled"), "")


@pytest.mark.parametrize("bits", [15, 23, 31])
def test_whole_numbers_stored_as_floats_get_the_same_score(detector, voice, tmp_path, bits):
    whole = voice * np.float32(2**bits * 0.9 / np.abs(voice).max())
    soundfile.write(tmp_path / "a.wav", whole, RATE_HZ, "FLOAT")
    soundfile.write(tmp_path / "b.wav", whole / np.float32(2**bits), RATE_HZ, "FLOAT")
    scaled, plain = detector.predict(tmp_path / "a.wav"), detector.predict(tmp_path / "b.wav")
    assert scaled.score == plain.score
    assert note_of(scaled) == (
        f"samples up to {np.abs(whole).max():,.0f}, where 1 is full scale, were scaled down"
    )
    assert (note_of(plain), scaled.quality.clipped_share) == ("", 0)
    assert detector.predict((whole, RATE_HZ)).score == scaled.score
    assert detector.predict((whole.astype(np.float64), RATE_HZ)).score == scaled.score
    np.testing.assert_array_equal(
        read_audio(tmp_path / "a.wav", RATE_HZ), read_audio(tmp_path / "b.wav", RATE_HZ)
    )


def test_a_clipped_recording_stays_clipped_on_any_scale(detector, voice):
    whole = np.clip(voice * 2**18, -(2**15), 2**15 - 1).astype(np.float32)
    result = detector.predict((whole, RATE_HZ))
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "clipped")


@pytest.mark.parametrize("peak", [5.0, 30.0])
def test_floats_above_full_scale_are_scaled_and_not_called_clipped(detector, voice, peak):
    result = detector.predict((voice * np.float32(peak / np.abs(voice).max()), RATE_HZ))
    assert note_of(result).startswith(f"samples up to {peak:.0f}, ")
    assert result.quality.clipped_share == 0
    assert result.score == pytest.approx(detector.predict((voice, RATE_HZ)).score, abs=0.01)


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_a_quiet_voice_of_many_bits_is_judged(voice, tmp_path, subtype):
    quiet = voice * np.float32(10 ** (-90 / 20) / np.abs(voice).max())
    soundfile.write(tmp_path / "a.wav", quiet, RATE_HZ, subtype)
    assert not open_recording(tmp_path / "a.wav", AUDIO).is_silent
    assert open_recording(tmp_path / "a.wav", AUDIO, channel=1).is_silent  # perhaps an unused one
    assert open_recording(to_samples(quiet, RATE_HZ), AUDIO).is_silent


@pytest.mark.parametrize("peak", [0.9, 1.5, 3.9])
def test_a_mix_above_full_scale_is_not_scaled(detector, voice, peak):
    result = detector.predict((voice * np.float32(peak / np.abs(voice).max()), RATE_HZ))
    assert note_of(result) == ""
    assert result.score is not None


def test_a_glitch_is_no_other_scale(voice):
    glitched = voice.copy()
    glitched[100] = 5000
    recording = open_recording(to_samples(glitched, RATE_HZ), AUDIO)
    np.testing.assert_array_equal(recording.beginning, glitched)


def test_a_quiet_begin_of_a_long_file_is_scaled_as_its_end(tmp_path):
    """The scale follows from the whole file, also in the second pass over a long one."""
    noise = np.random.default_rng(0).normal(0, 3000, 90 * RATE_HZ).astype(np.float32)
    noise[: 70 * RATE_HZ] /= 2**12
    soundfile.write(tmp_path / "a.wav", noise, RATE_HZ, "FLOAT")
    recording = open_recording(tmp_path / "a.wav", AUDIO)
    assert recording.beginning.shape < noise.shape
    blocks = np.concatenate(list(recording_blocks(recording, AUDIO)))
    np.testing.assert_array_equal(blocks, noise / 2**15)
    np.testing.assert_array_equal(recording.beginning, blocks[: len(recording.beginning)])
    assert all(np.abs(window).max() < 1 for _, window in recording_windows(recording, AUDIO))


def test_one_channel_of_another_level_is_scaled_as_the_others(detector, voice):
    both = np.stack([voice[::-1] * 2**15, voice * 16], axis=1)
    result = detector.predict((both, RATE_HZ), channel=2)
    assert "scaled" in [reason.code for reason in result.notes]
