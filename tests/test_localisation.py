"""Figures of found passages, on recordings whose answer is known."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import evaluate
from conftest import ROOT, make_voice
from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.cli.localisation import compare
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.localisation import (
    Localisation,
    Span,
    format_localisation,
    localisation_figures,
    read_passages,
)
from deepfake_audio.inference.inputs import Part
from deepfake_audio.inference.passages import Passage
from helpers import put_text
from research.passage_windows import main as measure_windows


def recording(
    called_fake: list[tuple[float, float]], p_fake: list[float] | None = None
) -> Localisation:
    """Make 20 s of sound, fake from 8 to 12 s; P(fake) of equal parts of it."""
    p_fake = p_fake or [0.1, 0.1, 0.9, 0.1, 0.1]
    edges = np.linspace(0, 20, len(p_fake) + 1)
    real = [Span(0, 8), Span(12, 20)]
    return Localisation(
        [Span(8, 12)], real, [Span(*s) for s in called_fake], edges, np.array(p_fake)
    )


@pytest.mark.parametrize(
    ("called_fake", "found", "iou", "false"),
    [
        ([(8, 12)], 1, 1.0, 0),
        ([(9, 12)], 1, 0.75, 0),
        ([(11, 13)], 0, 0.2, 0),
        ([], 0, 0.0, 0),
        ([(0, 4), (8, 12)], 1, 0.5, 1),
        ([(0, 20)], 1, 0.2, 1),  # real for more than half of it
        ([(8, 10), (10, 12)], 1, 1.0, 0),
    ],
)
def test_found_passages_and_false_ones_are_counted(called_fake, found, iou, false):
    figures = localisation_figures([recording(called_fake)])
    assert (figures["found"], figures["false_fake_passages"]) == (found, false)
    assert figures["iou"] == pytest.approx(iou)
    assert figures["false_fake_per_hour"] == pytest.approx(false * 3600 / 16)


def test_the_share_of_real_time_called_fake():
    assert localisation_figures([recording([(4, 12)])])["real_called_fake"] == 0.25


@pytest.mark.parametrize(
    ("p_fake", "rate"),
    [
        ([0.1, 0.1, 0.9, 0.1, 0.1], 0.0),
        ([0.1, 0.9, 0.1, 0.1, 0.1], 0.625),  # nearest: 25% of real and all of the fake
        ([0.1, np.nan, 0.9, np.nan, 0.1], 0.0),
    ],
)
def test_the_segment_eer_compares_p_fake_with_the_truth(p_fake, rate):
    assert localisation_figures([recording([], p_fake)])["segment_eer"] == pytest.approx(rate)


def test_fake_time_in_two_channels_counts_once():
    both = [Passage(0.0, 20.0, "FAKE", 0.9, 0.9, Part(channel=number)) for number in (1, 2)]
    line = SimpleNamespace(passages=both, edges=np.array([0.0, 20.0]), p_fake=np.array([0.9]))
    found = compare(SimpleNamespace(timeline=lambda: line), {"fake": [Span(0, 20)], "real": []})
    assert localisation_figures([found])["iou"] == 1


def test_real_speech_has_only_false_alarms():
    real = Localisation([], [Span(0, 1800)], [Span(5, 9)], np.array([0.0, 1800.0]), np.zeros(1))
    figures = localisation_figures([real])
    assert figures["false_fake_per_hour"] == 2
    assert figures["found"] is figures["iou"] is figures["segment_eer"] is None
    assert "per hour of real speech           2.0" in format_localisation(figures)


def test_a_table_of_passages_may_have_more_columns(tmp_path):
    put_text(
        tmp_path, "passages.csv", "file,start_seconds,end_seconds,label,generator",
        "a.wav,0,2.5,real,", "a.wav,2.5,4,fake,Vocos",
    )  # fmt: skip
    expected = {"a.wav": {"fake": [(2.5, 4.0)], "real": [(0.0, 2.5)]}}
    assert read_passages(tmp_path) == read_passages(tmp_path / "passages.csv") == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "lists no passages"),
        (["a.wav,0,1,spoof"], "is not a label"),
        (["a.wav,0,1m,fake"], "not a number"),
        (["a.wav,2,1,fake"], "the end must come after the start"),
        (["a.wav,0,2,fake", "a.wav,1,3,real"], "overlap at 1 s"),
        (["../a.wav,0,2,fake"], "not a path inside"),
    ],
)
def test_a_wrong_table_is_an_error(rows, message, tmp_path):
    put_text(tmp_path, "passages.csv", "file,start_seconds,end_seconds,label", *rows)
    with pytest.raises(InputError, match=message):
        read_passages(tmp_path)


def test_evaluate_judges_recordings_with_known_passages(tmp_path, capsys):
    sound = np.concatenate([make_voice("real", 1), make_voice("fake", 2), make_voice("real", 3)])
    soundfile.write(tmp_path / "call.wav", sound, 16000)
    (tmp_path / "text.wav").write_text("no sound")
    rows = (
        "call.wav,0,2.5,real",
        "call.wav,2.5,5,fake",
        "call.wav,5,7.5,real",
        "text.wav,0,1,real",
    )
    put_text(tmp_path, "passages.csv", "file,start_seconds,end_seconds,label", *rows)
    run = str(ROOT / "models" / "pretrained")
    out = tmp_path / "out"
    assert evaluate.main(["--passages", str(tmp_path), "--run", run, "--out", str(out)]) == 1
    printed = capsys.readouterr()
    assert "false FAKE passages per hour" in printed.out
    assert "text.wav" in printed.err
    written = json.loads((out / "metrics.json").read_text())
    assert written["passages"]["recordings"] == 1
    assert written["passages"]["real_seconds"] == 5
    # The results of other passages are kept.
    (tmp_path / "other").mkdir()
    other = put_text(
        tmp_path / "other", "passages.csv", "file,start_seconds,end_seconds,label", "a.wav,0,1,real"
    )
    assert evaluate.main(["--passages", str(other), "--run", run, "--out", str(out)]) == 2
    assert "it has the results of" in capsys.readouterr().err


@pytest.mark.slow
def test_the_scores_of_windows_are_measured_within_passages(tmp_path, capsys):
    names = ("real_menardi_vm-forward-multiple.flac", "fake_kokoro_im_nicola.flac")
    clips = [read_audio(ROOT / "data" / "sample" / "audio" / name, 16_000) for name in names]
    sound = np.concatenate([np.resize(clip, 6 * 16_000) for clip in clips])
    soundfile.write(tmp_path / "call.wav", sound, 16000)
    rows = ("call.wav,0,6,real", "call.wav,6,12,fake")
    put_text(tmp_path, "passages.csv", "file,start_seconds,end_seconds,label", *rows)
    assert measure_windows([str(tmp_path), "--run", str(ROOT / "models" / "pretrained")]) == 0
    _, fake, real, rate = capsys.readouterr().out.splitlines()
    # A window of 1.552 s begins each 0.776 s, from 0 to 3.88 s and from 6.208 to 10.088 s; the
    # last one ends with the sound.
    assert (real.split()[:2], fake.split()[:2]) == (["real", "6"], ["fake", "7"])
    assert rate.startswith("EER of single windows: ")


def test_passages_are_not_evaluated_together_with_images(capsys):
    assert evaluate.main(["--passages", "a", "--data", "b"]) == 2
    assert "cannot evaluate several things" in capsys.readouterr().err


def test_a_missing_table_is_an_error_on_one_line(tmp_path, capsys):
    assert evaluate.main(["--passages", str(Path(tmp_path, "nowhere.csv"))]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
