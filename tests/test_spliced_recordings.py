"""Recordings with a fake passage: their times, voices, level and joints."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from deepfake_audio.evaluation.localisation import read_passages
from helpers import read_rows
from tools.fakes import spliced_recordings
from tools.fakes.spliced_recordings import RATE_HZ, cross_fade, main

CLIP_SECONDS = 2.0
TONES_HZ = {"real": 500.0, "fake": 2000.0}


def make_corpus(folder: Path, voices: dict[str, tuple[str, str, int]]) -> Path:
    """Write tones as clips.

    Args:
        folder: of the corpus.
        voices: by name of the speaker: label, generator, number of clips.
    """
    lines = ["file,label,split,speaker,generator,corpus"]
    times = np.arange(round(CLIP_SECONDS * RATE_HZ)) / RATE_HZ
    folder.mkdir()
    for key, (label, generator, clips) in voices.items():
        speaker = key.partition("/")[0]
        for number in range(clips):
            name = f"{key.replace('/', '-')}-{number}.wav"
            loudness = 0.01 * (number + 1)
            tone = loudness * np.sin(2 * np.pi * TONES_HZ[label] * times)
            soundfile.write(folder / name, tone, RATE_HZ)
            lines.append(f"{name},{label},test,{speaker},{generator},page")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def corpus(tmp_path):
    voices = {"ann": ("real", "", 4), "ben": ("real", "", 6), "ann/fake": ("fake", "vocoder", 3)}
    return make_corpus(tmp_path / "corpus", voices)


def share_of_tone(sound: np.ndarray, tone_hz: float) -> float:
    """Return the share of the power within 100 Hz of a tone."""
    powers = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    frequencies_hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return powers[np.abs(frequencies_hz - tone_hz) < 100].sum() / powers.sum()


def test_the_table_gives_the_times_of_the_fake_passage(corpus, tmp_path):
    out = tmp_path / "out"
    assert main([str(corpus), str(out), "--recordings", "3"]) == 0
    for name, passages in read_passages(out).items():
        sound, rate_hz = soundfile.read(out / name)
        assert rate_hz == RATE_HZ
        (fake,), (before, after) = passages["fake"], passages["real"]
        assert before.start_seconds == 0
        assert (before.end_seconds, fake.end_seconds) == (fake.start_seconds, after.start_seconds)
        assert after.end_seconds == pytest.approx(len(sound) / RATE_HZ, abs=1e-3)
        assert 4 <= fake.end_seconds - fake.start_seconds <= 6
        edge = 0.006  # half a cross-fade
        for label, spans in passages.items():
            for start, end in spans:
                part = sound[round((start + edge) * RATE_HZ) : round((end - edge) * RATE_HZ)]
                assert share_of_tone(part, TONES_HZ[label]) > 0.99


def test_clips_have_one_level(corpus, tmp_path):
    main([str(corpus), str(tmp_path / "out"), "--recordings", "1"])
    sound, _ = soundfile.read(tmp_path / "out" / "0001.flac")
    seconds = sound[: len(sound) // RATE_HZ * RATE_HZ].reshape(-1, RATE_HZ)
    np.testing.assert_allclose(np.sqrt(np.mean(seconds**2, axis=1)), 0.05, rtol=0.03)


def test_a_cross_fade_has_no_click():
    sound = cross_fade([np.full(800, 0.5, np.float32), np.full(800, -0.5, np.float32)])
    assert np.abs(np.diff(sound)).max() < 0.01


def test_the_neighbours_of_a_fake_have_its_voice(corpus, monkeypatch, tmp_path):
    read, read_level = [], spliced_recordings.read_level
    monkeypatch.setattr(
        spliced_recordings, "read_level", lambda clip: read.append(clip) or read_level(clip)
    )
    options = ["--recordings", "1", "--real-seconds", "7", "7"]
    main([str(corpus), str(tmp_path / "out"), *options])
    speakers = [clip.speaker for clip in read if clip.label == "real"]
    assert speakers == ["ann", "ann", "ben", "ben"] * 2  # outwards, before and after


def test_the_same_seed_gives_the_same_files(corpus, tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main([str(corpus), str(tmp_path / name), "--recordings", "2", "--seed", seed])
    a, b, c = ((tmp_path / name / "0001.flac").read_bytes() for name in "abc")
    assert a == b != c


def test_long_real_speech_has_no_fake_and_repeats_its_clips(corpus, tmp_path):
    options = ["--without-fakes", "--recordings", "1", "--real-seconds", "30", "30"]
    main([str(corpus), str(tmp_path / "out"), *options])
    (passages,) = read_passages(tmp_path / "out").values()
    assert passages == {"fake": [], "real": [(0.0, 60.0)]}


def test_speakers_of_a_generator_are_joined_only_if_none_has_enough(tmp_path):
    voices = {f"s{number}": ("fake", "copies", 1) for number in range(4)}
    voices |= {"ann": ("real", "", 4), "ann/fake": ("fake", "vocoder", 3)}
    voices |= {"ben": ("fake", "vocoder", 1)}
    corpus = make_corpus(tmp_path / "corpus", voices)
    main([str(corpus), str(tmp_path / "out"), "--recordings", "2"])
    rows = read_rows(tmp_path / "out" / "passages.csv")
    fakes = {(row["speaker"], row["generator"]) for row in rows if row["label"] == "fake"}
    assert fakes == {("", "copies"), ("ann", "vocoder")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "train"], "too little sound"),
        (["--fake-seconds", "60", "60"], "too little sound"),
        (["--fake-seconds", "9", "4"], "is no range"),
        (["--recordings", "0"], "give 1 or more"),
    ],
)
def test_impossible_requests_are_errors_on_one_line(options, message, corpus, tmp_path, capsys):
    assert main([str(corpus), str(tmp_path / "out"), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_an_earlier_table_is_kept(corpus, tmp_path, capsys):
    command = [str(corpus), str(tmp_path / "out"), "--recordings", "1"]
    assert [main(command), main(command)] == [0, 2]
    assert "name another folder" in capsys.readouterr().err
