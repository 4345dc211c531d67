import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from conftest import ROOT
from deepfake_audio.cli import extras, verdicts
from deepfake_audio.config.loading import load_settings
from deepfake_audio.detector import judge
from deepfake_audio.inference import timeline_files
from deepfake_audio.inference.inputs import WHOLE, Input, Part, Window
from deepfake_audio.inference.passages import most_fake
from deepfake_audio.inference.reasons import find_fake_passage
from deepfake_audio.inference.timeline_files import plot_timeline, waveform_outline, write_timeline
from deepfake_audio.inference.timelines import (
    PEAKS_PER_WINDOW,
    format_passages,
    make_timeline,
    peak_envelope,
)
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.vocabulary import Verdict

CERTAIN = Calibration(slope=1.0, intercept=0.0)


def settings_of(span_seconds: float, **changes: float):
    return load_settings().predict.model_copy(
        update={"timeline_seconds": span_seconds, "min_confidence": 0.5, **changes}
    )


def timeline_of(scores, span_seconds=1.0, **changes):
    starts = np.arange(len(scores)) * 1.0
    settings = settings_of(span_seconds, **changes)
    return make_timeline(starts, np.array(scores), 2.0, settings)


def test_passages_follow_the_scores_and_cover_the_recording():
    passages = timeline_of([3.0] * 5 + [-3.0] * 4 + [3.0] * 6).passages
    assert [passage.verdict for passage in passages] == ["REAL", "FAKE", "REAL"]
    times = [(passage.start_seconds, passage.end_seconds) for passage in passages]
    assert times == [(0.0, 5.5), (5.5, 9.5), (9.5, 16.0)]
    assert passages[0].confidence == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-3)


def test_a_change_around_a_pause_is_at_the_pause():
    starts = np.concatenate([np.arange(12.0), np.arange(80.0, 92.0)])
    llr = np.where(np.arange(24) < 11, 3.0, -5.0)  # the last window before the pause looks fake
    line = make_timeline(starts, llr, 1.5, settings_of(1.0))
    times = [(one.start_seconds, one.end_seconds, str(one.verdict)) for one in line.passages]
    assert times == [(0.0, 12.5, "REAL"), (80.0, 92.5, "FAKE")]
    (pause,) = np.flatnonzero(np.isnan(line.p_fake))
    assert line.edges[pause : pause + 2].tolist() == [12.5, 80.0]
    assert len(line.edges) == len(line.p_fake) + 1 == len(starts) + 2


def test_a_single_odd_window_is_no_passage_and_smoothed_in_the_curve():
    scores = [3.0] * 5 + [-3.0] + [3.0] * 5
    assert len(timeline_of(scores).passages) == 1
    assert (timeline_of(scores).p_fake > 0.5).any()
    assert not (timeline_of(scores, span_seconds=5.0).p_fake > 0.5).any()


def test_the_curve_crosses_one_half_only_between_passages():
    line = timeline_of([3.0] * 9 + [-3.0] * 7 + [3.0] * 9, span_seconds=5.0)
    assert (line.p_fake > 0.5).tolist() == [False] * 9 + [True] * 7 + [False] * 9


def test_a_passage_of_low_confidence_is_uncertain():
    assert timeline_of([-0.1], min_confidence=0.6).passages[0].verdict == "UNCERTAIN"


def test_a_rare_fake_needs_a_lower_score():
    assert timeline_of([-1.0], prior_fake=0.1).passages[0].verdict == "REAL"


def test_windows_left_out_are_an_uncertain_passage():
    nothing = float("nan")
    passages = timeline_of([3.0] * 4 + [nothing] * 4 + [-3.0] * 4).passages
    assert [passage.verdict for passage in passages] == ["REAL", "UNCERTAIN", "FAKE"]
    assert [passage.confidence is None for passage in passages] == [False, True, False]
    assert timeline_of([3.0, nothing, 3.0], span_seconds=3.0).passages[0].end_seconds == 4.0
    assert [p.verdict for p in timeline_of([nothing] * 3).passages] == ["UNCERTAIN"]


def test_one_window_is_one_passage():
    (passage,) = timeline_of([-1.0]).passages
    assert (passage.start_seconds, passage.end_seconds, passage.verdict) == (0.0, 2.0, "FAKE")


def test_the_timeline_of_a_short_recording_ends_with_it():
    line = make_timeline(np.array([0.0]), np.array([1.0]), 2.0, settings_of(5.0), end_seconds=0.7)
    assert line.passages[0].end_seconds == 0.7


def test_fake_passages_are_named_unless_one_is_the_whole_recording():
    line = timeline_of([3.0] * 40 + [-3.0] * 4 + [3.0] * 9)
    note = "0:04 of 0:54 is probably fake, from 0:40 to 0:44: see --timeline"
    assert find_fake_passage(line, Verdict.REAL).text == note
    assert find_fake_passage(line, Verdict.UNCERTAIN).text == note
    assert find_fake_passage(line, Verdict.FAKE).text == note
    assert find_fake_passage(timeline_of([-3.0] * 40), Verdict.UNCERTAIN) is None
    assert find_fake_passage(timeline_of([3.0] * 40), Verdict.REAL) is None
    assert find_fake_passage(None, Verdict.UNCERTAIN) is None


def test_several_fake_passages_are_added_up():
    line = timeline_of(([3.0] * 40 + [-3.0] * 4) * 2 + [3.0] * 9)
    note = (
        "0:08 of 1:38 is probably fake, in 2 passages, the first from 0:40 to 0:44: see --timeline"
    )
    assert find_fake_passage(line, Verdict.REAL).text == note


def judged(*channels: list[float]):
    """Judge a recording whose channels have a window each second."""
    windows = [
        Window(float(start), channel, score, peaks=np.full(PEAKS_PER_WINDOW, 0.5))
        for channel, scores in enumerate(channels, start=len(channels) > 1)
        for start, score in enumerate(scores)
    ]
    seconds = max(map(len, channels)) + 1.0
    found = Input("call.wav", windows=windows, sound_seconds=seconds, end_seconds=seconds)
    return judge(found, CERTAIN, load_settings(), "mine")


def test_a_long_recording_with_a_fake_passage_is_not_real():
    result = judged([3.0] * 40 + [-5.0] * 4 + [3.0] * 9)
    assert (result.verdict, result.confidence, result.p_real) == ("UNCERTAIN", None, None)
    assert result.doubt.code == "fake_passage"
    assert result.doubt.text.startswith("0:04 of 0:54 is probably fake, from 0:40 to 0:44")
    assert result.score == pytest.approx(np.mean([3.0] * 49 + [-5.0] * 4))
    assert [reason.code for reason in result.reasons] == ["fake_passage"]


def test_a_short_recording_keeps_its_verdict_and_gets_a_note():
    result = judged([5.0] * 5 + [-3.0] * 4)
    assert (result.verdict, result.doubt) == ("REAL", None)
    assert [note.code for note in result.notes] == ["fake_passage"]


def test_an_uncertain_recording_keeps_its_confidence_beside_a_fake_passage():
    result = judged([3.0] * 12 + [-3.0] * 12)
    assert (result.verdict, result.confidence) == ("UNCERTAIN", 0.5)
    assert "0:12 of 0:25 is probably fake" in result.notes[-1].text


WITH_FAKE, OTHER = [3.0] * 20 + [-5.0] * 6 + [3.0] * 14, [3.0] * 40


def test_a_fake_passage_in_one_of_two_channels_is_found_and_named():
    result = judged(OTHER, WITH_FAKE)
    assert result.doubt.text.endswith("from 0:20 to 0:26 in channel 2: see --timeline")
    passages = result.timeline().passages
    of_second = [replace(one, part=WHOLE) for one in passages if one.part == Part(channel=2)]
    assert of_second == judged(WITH_FAKE).timeline().passages
    assert passages == sorted(passages, key=lambda passage: passage.start_seconds)
    fake = next(line for line in format_passages(passages).splitlines() if "FAKE" in line)
    assert fake == "    0:20.3    0:26.3  FAKE          99.3%  channel 2"


def test_the_picture_of_one_channel_names_it():
    chosen = SimpleNamespace(name="call.wav", track=2, channel=1)
    assert extras.title_of(chosen) == "call.wav, channel 1 of track 2"
    assert extras.title_of(SimpleNamespace(name="a.wav", track=None, channel=None)) == "a.wav"


def test_the_curve_of_several_channels_is_their_maximum():
    line, alone = judged(OTHER, WITH_FAKE).timeline(), judged(WITH_FAKE).timeline()
    np.testing.assert_array_equal(line.edges, alone.edges)
    np.testing.assert_array_equal(line.p_fake, alone.p_fake)
    assert len(line.starts) == 2 * len(alone.starts)
    assert [str(passage.verdict) for passage in most_fake(line.passages)] == [
        "REAL", "FAKE", "REAL",
    ]  # fmt: skip
    shorter = judged(WITH_FAKE[:24], OTHER).timeline()
    assert shorter.edges[-1] == pytest.approx(40.552)  # the window that begins at 39 s
    assert shorter.p_fake[-1] == pytest.approx(1 / (1 + np.exp(3)))


def test_channels_with_several_verdicts_are_listed():
    result = judged([0.1] * 9, [-9.0] * 9)
    assert [(one.part.name, str(one.verdict)) for one in result.parts] == [
        ("channel 1", "UNCERTAIN"), ("channel 2", "FAKE"),
    ]  # fmt: skip
    (note,) = result.notes
    assert note.code == "parts_differ"
    assert note.text == "channel 1 is UNCERTAIN 52.5% (rather real), channel 2 is FAKE 99.9%"
    assert judged([-9.0] * 9, [-9.0] * 9).notes == ()
    assert judged([-9.0] * 9).parts == ()


def test_a_channel_that_can_not_be_judged_is_listed():
    windows = [Window(score=3.0, channel=1, bandwidth_hz=8000.0)]
    windows += [Window(score=-3.0, channel=2, bandwidth_hz=1000.0)]
    found = Input("call.wav", windows=windows, sound_seconds=2.0, end_seconds=2.0)
    settings = load_settings(None, ["predict.min_bandwidth_hz=4200"])
    result = judge(found, CERTAIN, settings, "mine")
    assert result.verdict == "REAL"
    assert result.notes[0].text == "channel 1 is REAL 95.3%, channel 2 is not judged"


def test_times_in_the_table_are_clock_times():
    text = format_passages(timeline_of([3.0] * 70 + [-3.0] * 4).passages)
    assert text.splitlines() == [
        "     start       end  verdict  confidence",
        "    0:00.0    1:10.5  REAL          95.3%",
        "    1:10.5    1:15.0  FAKE          95.3%",
    ]


def test_the_outline_is_the_peak_of_each_part():
    window = np.zeros(PEAKS_PER_WINDOW * 25, np.float32)
    window[30], window[-1] = -0.5, 0.25
    peaks = peak_envelope(window)
    assert (peaks[1], peaks[-1], peaks[2:-1].max()) == (0.5, 0.25, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("title", ["录音.wav", "تسجيل 한국 🎤.wav"])
def test_a_title_with_letters_missing_in_the_font_gives_no_warning(title, tmp_path):
    call = (
        "import sys, numpy, test_timelines as tests; from pathlib import Path\n"
        "line = tests.timeline_of([3.0] * 9)\n"
        "peaks = [numpy.full(tests.PEAKS_PER_WINDOW, 0.5)] * 9\n"
        "tests.write_timeline(Path('x'), sys.argv[1], line, peaks)"
    )
    written = subprocess.run(
        [sys.executable, "-c", call, title], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )  # fmt: skip
    assert written.returncode == 0, written.stderr
    assert "Warning" not in written.stderr  # the first start may report a font cache
    assert (tmp_path / "x.png").is_file()


def test_a_second_s_outline_shows_its_syllables():
    """A short clip has one window, of which a hundredth of a second is a point."""
    clip = np.resize(np.repeat(np.float32([0.5, 0.0]), 800), 24832)  # 50 ms loud, 50 ms silent
    line = make_timeline(
        np.array([0.0]), np.array([1.0]), 1.552, settings_of(5.0), end_seconds=0.65
    )
    peaks, _ = waveform_outline(line, [peak_envelope(clip)])
    assert np.abs(np.diff((peaks > 0).astype(int))).sum() == 12


def panels_of(line, **words):
    """Draw a timeline of sound that is loud throughout; return its two `Axes`."""
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True)
    outlines = [np.full(PEAKS_PER_WINDOW, 0.5)] * len(line.starts)
    plot_timeline(upper, lower, line, outlines, **words)
    figure.draw_without_rendering()
    plt.close(figure)
    return upper, lower


def test_the_plot_of_a_short_recording_has_its_length_and_one_window():
    line = make_timeline(np.array([0.0]), np.array([1.0]), 2.0, settings_of(5.0), end_seconds=0.7)
    upper, lower = panels_of(line)
    (sound,), (steps, _) = upper.collections, lower.patches
    plotted = sound.get_paths()[0].vertices
    assert (plotted[:, 0].min(), plotted[:, 0].max()) == (0.0, 0.7)
    assert (plotted[:, 1].min(), plotted[:, 1].max()) == (-0.5, 0.5)
    assert steps.get_data().edges.tolist() == [0.0, 0.7]
    assert steps.get_data().values == pytest.approx([1 / (1 + np.exp(1))])


def test_the_outline_is_zero_without_a_window():
    starts = np.array([0.5, 1.5, 9.5])
    line = make_timeline(starts, np.zeros(3), 2.0, settings_of(1.0))
    peaks, edges = waveform_outline(
        line, [np.full(PEAKS_PER_WINDOW, height) for height in (0.2, 0.3, 0.4)]
    )
    assert (edges[0], edges[-1], len(edges)) == (0.5, 11.5, len(peaks) + 1)
    seconds = np.array([0.6, 1.4, 1.6, 3.4, 3.6, 9.4, 9.6, 11.4])
    heard = peaks[np.searchsorted(edges, seconds) - 1]
    assert heard.tolist() == [0.2, 0.2, 0.3, 0.3, 0.0, 0.0, 0.4, 0.4]


@pytest.mark.parametrize("seconds", [1e-4, 0.03, 0.7, 3.0, 7200.0])
def test_the_outline_has_no_holes(seconds):
    starts = np.append(np.arange(0, max(seconds - 2.0, 0.1), 0.7), max(seconds - 2.0, 0.0))
    line = make_timeline(
        np.unique(starts), np.unique(starts), 2.0, settings_of(1.0), end_seconds=seconds
    )
    peaks, _ = waveform_outline(line, [np.full(PEAKS_PER_WINDOW, 0.5)] * len(line.starts))
    assert 1 <= len(peaks) <= 3000
    assert set(peaks) == {0.5}


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        (0.3, ["0:00.0", "0:00.1", "0:00.2", "0:00.3"]),
        (44.0, [f"0:{second:02}" for second in range(0, 45, 5)]),
        (1205.0, [f"{minute}:00" for minute in range(0, 21, 2)]),
        (3600.0, [f"{minute}:00" for minute in range(0, 60, 5)] + ["1:00:00"]),
        (12 * 3600.0, ["0:00"] + [f"{h}:00:00" for h in range(1, 13)]),
    ],
)
def test_times_are_written_in_minutes_and_seconds(seconds, ticks):
    line = make_timeline(
        np.array([0.0, seconds - 0.1]), np.zeros(2), 2.0, settings_of(1.0), seconds
    )
    for ax in panels_of(line):
        assert ax.get_xlim() == (0.0, seconds)
    assert [label.get_text() for label in ax.get_xticklabels()] == ticks
    assert ax.get_xlabel() == "time (minutes:seconds)"


def test_four_kinds_of_passages_differ_in_colour_and_in_hatch():
    nothing = float("nan")
    scores = [3.0] * 4 + [-3.0] * 4 + [nothing] * 4 + [0.5] * 9 + [-0.5] * 9
    line = timeline_of(scores, min_confidence=0.65)
    looks = {}
    for ax in panels_of(line):
        shades = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        shades.sort(key=Rectangle.get_x)
        looks[ax] = [(patch.get_facecolor(), patch.get_hatch()) for patch in shades]
        times = [round(patch.get_x(), 2) for patch in shades]
        assert times == [passage.start_seconds for passage in line.passages]
    upper, lower = looks
    assert looks[upper] == looks[lower]
    colours, hatches = zip(*looks[lower], strict=True)
    assert len(set(colours)) == len(set(hatches)) == 4
    assert lower.get_legend_handles_labels()[1] == ["FAKE", "UNCERTAIN", "REAL", "not judged"]


def test_the_legend_names_only_the_plotted_passages():
    _, lower = panels_of(timeline_of([3.0] * 6))
    assert lower.get_legend_handles_labels()[1] == ["REAL"]


@pytest.mark.slow
def test_the_legend_gives_the_reason_for_passages_that_are_not_judged():
    line = timeline_of([3.0] * 4 + [float("nan")] * 4)
    _, lower = panels_of(line, why_not_judged="as over a telephone")
    labels = lower.get_legend_handles_labels()[1]
    assert labels == ["REAL", "not judged: as over a telephone"]


@pytest.mark.parametrize(
    ("clipped", "bandwidths_hz", "labels"),
    [
        (0.08, [8000.0] * 3, ["not judged: 8% of it is clipped"]),
        (
            0.0,
            [8000.0, 3800.0, 3800.0],
            ["REAL", "not judged: no voice, a tone, clipped, or no high frequencies"],
        ),
        (0.0, [8000.0] * 3, ["REAL"]),
    ],
)
def test_the_plot_of_predict_gives_the_reason(
    clipped, bandwidths_hz, labels, tmp_path, monkeypatch
):
    legends, draw_legend = [], Figure.legend
    monkeypatch.setattr(
        Figure, "legend", lambda *args, **kw: legends.append(args[2]) or draw_legend(*args, **kw)
    )
    monkeypatch.chdir(tmp_path)
    changes = ["predict.min_bandwidth_hz=4200", "predict.timeline_seconds=1"]
    settings = load_settings(None, changes)
    peaks = np.full(PEAKS_PER_WINDOW, 0.5)
    windows = [
        Window(start, score=3.0, bandwidth_hz=bandwidth, clipped_share=clipped, peaks=peaks)
        for start, bandwidth in zip((0.0, 2.0, 4.0), bandwidths_hz, strict=True)
    ]
    found = Input("call.wav", windows=windows, sound_seconds=6.0, end_seconds=6.0)
    extras.write_timeline(judge(found, CERTAIN, settings, "mine"), quiet=True)
    assert legends == [labels]
    assert cv2.imread("timelines/call.wav.png").std() > 5


def test_timelines_that_two_commands_write_at_once_are_both_kept(tmp_path, monkeypatch):
    line, outlines = timeline_of([3.0] * 5), [np.full(PEAKS_PER_WINDOW, 0.5)] * 5
    names, plotted = [], timeline_files.save_timeline_figure

    def meanwhile(*args) -> None:
        monkeypatch.undo()
        names.append(write_timeline(tmp_path / "a.wav", "y", line, outlines, "", "y/a.wav"))
        plotted(*args)

    monkeypatch.setattr(timeline_files, "save_timeline_figure", meanwhile)
    names.append(write_timeline(tmp_path / "a.wav", "x", line, outlines, "", "x/a.wav"))
    assert [Path(name.split(", ")[0]).name for name in names] == ["a.wav.csv", "a.wav-2.csv"]
    assert len(list(tmp_path.iterdir())) == 6


def test_the_table_and_the_plot_are_written(tmp_path):
    line = timeline_of([3.0] * 5 + [-3.0] * 4)
    outlines = [np.full(PEAKS_PER_WINDOW, 0.5)] * 9
    write_timeline(tmp_path / "call.wav", "cost $5^^$.wav", line, outlines)
    assert (tmp_path / "call.wav.csv").read_text().splitlines()[1].startswith("0.0,5.5,REAL,")
    assert (tmp_path / "call.wav.txt").read_text().splitlines() == [
        "0.000000\t5.500000\tREAL 95.3%", "5.500000\t10.000000\tFAKE 95.3%",
    ]  # fmt: skip
    assert cv2.imread(str(tmp_path / "call.wav.png")).std() > 5


def test_a_note_refers_to_the_timeline_only_if_it_is_not_printed():
    line = timeline_of([3.0] * 40 + [-3.0] * 4 + [3.0] * 9)
    found = SimpleNamespace(
        name="a", verdict="REAL", confidence=0.9, reasons=[find_fake_passage(line, Verdict.REAL)]
    )
    assert verdicts.format_verdict(found).endswith("from 0:40 to 0:44: see --timeline)")
    assert verdicts.format_verdict(found, has_timeline=True).endswith("from 0:40 to 0:44)")
