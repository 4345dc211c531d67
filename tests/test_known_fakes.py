"""The project's own steps in making fakes by published generators and clips of free voices."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.fakes.free_voices import find_voices
from tools.fakes.free_voices import main as make_free_voices
from tools.fakes.known_vocoders import resampled, run
from tools.fakes.known_voices import SENTENCES, of_program, reader

RATE_HZ = 16_000
SECOND = np.arange(RATE_HZ) / RATE_HZ


@pytest.mark.parametrize("rate_hz", [22_050, 24_000])
def test_resampling_to_another_rate_and_back_leaves_no_band_edge(rate_hz):
    tone = np.sin(2 * np.pi * 7_900 * SECOND).astype(np.float32)
    there = resampled(tone, RATE_HZ, rate_hz)
    assert abs(len(there) - rate_hz) <= 1
    back = resampled(there, rate_hz, RATE_HZ)
    np.testing.assert_allclose(back[2_000:-2_000], tone[2_000:-2_000], atol=0.02)


def test_each_file_of_a_folder_is_resynthesised_once(tmp_path):
    rng = np.random.default_rng(3)
    for place in ("in", "out"):
        (tmp_path / place).mkdir()
    for name in ("a", "b"):
        soundfile.write(tmp_path / "in" / f"{name}.wav", rng.uniform(-0.5, 0.5, 4_000), RATE_HZ)
    makers = {"backwards": lambda where, sounds: lambda sound: sound[::-1] * len(sounds)}
    run(makers, None, ["backwards", "nowhere", str(tmp_path / "in"), str(tmp_path / "out")])
    for name in ("a", "b"):
        heard, _ = soundfile.read(tmp_path / "in" / f"{name}.wav")
        said, rate_hz = soundfile.read(tmp_path / "out" / f"{name}.wav")
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(said, np.clip(2 * heard[::-1], -1, 1), atol=1e-4)


def test_sentences_and_voices_alternate_and_silence_is_cut():
    asked = []

    def speak(sentence, voice):
        asked.append((sentence, voice))
        sound = np.zeros(48_000)
        sound[24_000:36_000] = np.sin(np.arange(12_000))
        return sound

    say = reader(speak, 24_000, ["anna", "ben"])
    lengths = {len(say(np.zeros(1))) for _ in range(61)}
    sentences = SENTENCES.read_text().splitlines()
    assert len(sentences) == len(set(sentences)) == 60
    assert asked[:2] == [(sentences[0], "anna"), (sentences[1], "ben")]
    assert asked[60] == (sentences[0], "anna")
    assert all(abs(length - 8_000 - 2 * 800) < 200 for length in lengths)


def sound_file(path: Path, seconds: float, rate_hz: int = RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    soundfile.write(path, rng.normal(0, 0.1, round(seconds * rate_hz)), rate_hz)


def test_words_of_one_voice_become_clips_of_two_to_three_seconds(tmp_path, capsys):
    packages = tmp_path / "packages"
    for number in range(12):
        sound_file(packages / f"usr/share/klettres/de/word{number:02}.wav", 0.7)
    sound_file(packages / "usr/share/klettres/fr/mot.wav", 0.7, 8_000)  # stored below 16 kHz
    sound_file(packages / "usr/share/sounds/bell.wav", 0.7)
    assert {name for name, _ in find_voices(packages)} == {"klettres-de", "klettres-fr"}
    make_free_voices([str(packages), str(tmp_path / "voices")])
    clips = sorted((tmp_path / "voices").rglob("*.flac"))
    assert 2 <= len(clips) <= 4
    for clip in clips:
        sound, rate_hz = soundfile.read(clip)
        assert rate_hz == RATE_HZ
        assert 2 <= len(sound) / rate_hz <= 3
        assert abs(np.sqrt(np.mean(sound**2)) - 0.08) < 0.01


def test_a_program_speaks_a_sentence_with_each_voice_in_turn():
    """The program makes a tone at 8 kHz; its pitch is the voice, and it writes what it was told."""
    code = (
        "import sys, numpy, soundfile\n"
        "hz, output, sentence = sys.argv[1:]\n"
        "assert sentence in sys.stdin.read()\n"
        "tone = numpy.sin(2 * numpy.pi * float(hz) * numpy.arange(8000) / 8000)\n"
        "soundfile.write(output, 0.5 * tone, 8000)\n"
    )
    command = [sys.executable, "-c", code, "{voice}", "{output}", "{sentence}"]
    say = of_program(command, ["500", "1000"])(Path(), [])
    for hz in (500, 1000, 500):
        speech = say(np.zeros(1))
        assert abs(len(speech) - RATE_HZ) < 100
        assert np.abs(np.fft.rfft(speech)).argmax() == pytest.approx(hz, abs=2)
