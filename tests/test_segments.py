"""FAKE passages are cut out of recordings, sample by sample."""

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import predict
from deepfake_audio.audio.findings import Findings
from deepfake_audio.cli.extras import cut_segments, write_extras
from deepfake_audio.errors import OutputError
from deepfake_audio.inference import segments
from deepfake_audio.inference.inputs import Part, Window
from deepfake_audio.inference.passages import Passage
from deepfake_audio.inference.segments import sample_span, write_segments

RATE_HZ = 8000
PASSAGES = [
    Passage(0.0, 1.5, "FAKE", 0.9, 0.9),
    Passage(1.5, 10.0, "UNCERTAIN", 0.6, 0.6),
    Passage(10.0, 12.25, "FAKE", 0.9, 0.9),
    Passage(12.25, 20.0, "REAL", 0.9, 0.1),
]


@pytest.fixture
def call(tmp_path: Path) -> Path:
    samples = np.random.default_rng(1).integers(-(2**15), 2**15, (20 * RATE_HZ, 2), np.int16)
    soundfile.write(tmp_path / "call.wav", samples, RATE_HZ)
    return tmp_path / "call.wav"


def test_segments_are_the_samples_of_the_recording_with_context(call):
    paths = write_segments(call.parent / "out/call.wav", "call.wav", call, PASSAGES)
    assert [path.name for path in paths] == [
        "call.wav-0h00m00.0s-0h00m01.5s.flac", "call.wav-0h00m10.0s-0h00m12.2s.flac",
    ]  # fmt: skip
    whole, _ = soundfile.read(call, dtype="int16")
    for path, (start, end) in zip(paths, ((0, 3.5), (8, 14.25)), strict=True):
        part, rate_hz = soundfile.read(path, dtype="int16")
        assert rate_hz == RATE_HZ
        np.testing.assert_array_equal(part, whole[round(start * RATE_HZ) : round(end * RATE_HZ)])
        assert soundfile.SoundFile(path).title.startswith("FAKE 90.0%: 0:")


def test_segments_of_one_channel_replace_no_file(call):
    stem = call.parent / "call"
    first = write_segments(stem, "call.wav", call, PASSAGES)
    second = write_segments(stem, "call.wav", call, PASSAGES, channel=2)
    assert [path.stem[-2:] for path in second] == ["-2", "-2"]
    assert [soundfile.info(paths[0]).channels for paths in (first, second)] == [2, 1]


def test_segments_that_two_commands_write_at_once_are_both_kept(call, monkeypatch):
    written, comment_of = [], segments.comment_of

    def meanwhile(*args) -> str:
        monkeypatch.undo()
        written.extend(write_segments(call.parent / "call", "y/call.wav", call, PASSAGES[:1]))
        return comment_of(*args)

    monkeypatch.setattr(segments, "comment_of", meanwhile)
    written += write_segments(call.parent / "call", "x/call.wav", call, PASSAGES[:1])
    assert [path.stem[-2:] for path in written] == ["5s", "-2"]
    titles = [soundfile.SoundFile(path).title for path in written]
    assert [title.split()[-1] for title in titles] == ["y/call.wav", "x/call.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit the size of files")
def test_a_full_disk_ends_segments_in_one_line(call):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*; free some space"):
            write_segments(call.parent / "out/call.wav", "call.wav", call, PASSAGES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((call.parent / "out").iterdir())


def test_more_segments_than_files_may_be_open_are_all_written(call, monkeypatch):
    monkeypatch.setattr(segments, "MAX_OPEN_FILES", 2)
    fakes = [Passage(start, start + 1.0, "FAKE", 0.9, 0.9) for start in (0.0, 3.0, 6.0)]
    paths = write_segments(call.parent / "call.wav", "call.wav", call, fakes)
    assert [path.stem[-7:] for path in paths] == ["0m01.0s", "0m04.0s", "0m07.0s"]


def test_passages_of_a_channel_are_cut_out_of_this_channel(call):
    passages = [replace(PASSAGES[0], part=Part(channel=2)), replace(PASSAGES[0], part=Part(2, 1))]
    line = SimpleNamespace(passages=passages[:1])
    result = SimpleNamespace(name="call.wav", windows=[Window()], timeline=lambda: line)
    args = Namespace(segments=str(call.parent / "out"), channel=None, json=False)
    cut_segments(args, SimpleNamespace(decoder_megabytes=0), result, call)
    path = call.parent / "out" / "call.wav-channel2-0h00m00.0s-0h00m01.5s.flac"
    part, _ = soundfile.read(path, dtype="int16")
    whole, _ = soundfile.read(call, dtype="int16")
    np.testing.assert_array_equal(part, whole[: round(3.5 * RATE_HZ), 1])
    assert segments.comment_of(passages[1], "call.wav") == (
        "FAKE 90.0%, channel 1 of track 2: 0:00.0 to 0:01.5 of call.wav"
    )


def test_a_passage_after_a_pause_begins_where_the_decoded_sound_has_it():
    findings = Findings(shifts=[(5.0, 10.0), (8.0, 60.0)])
    assert sample_span(Passage(30.0, 70.0, "FAKE", 0.9, 0.9), findings, 10) == (60, 120)


def test_a_folder_for_segments_below_the_recordings_is_refused(call, capsys):
    folder = call.parent
    assert predict.main(["--segments", str(folder / "fakes"), str(folder)]) == 2
    assert "name a folder elsewhere" in capsys.readouterr().err


def test_segments_of_a_remote_file_are_an_error_and_its_verdict_stays(capsys):
    args = Namespace(timeline=False, segments="fakes", report=None)
    assert not write_extras(args, None, Namespace(name="https://host/call.wav"), {})
    assert "download it first" in capsys.readouterr().err
