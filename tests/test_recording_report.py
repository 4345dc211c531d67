"""The report on a recording: the places that it marks, its content, and the file it becomes."""

import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

import deepfake_audio
import predict
from conftest import ROOT, make_voice
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.sounds import Samples
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.detector import Detector
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.inference.inputs import Part, Window
from deepfake_audio.inference.occlusion import band_effects, hide_band, strongest_places
from deepfake_audio.inference.passages import Passage
from deepfake_audio.inference.stretches import RenderedStretch, most_fake_windows, render_stretch
from deepfake_audio.reporting import pictures
from deepfake_audio.reporting.recording_report import (
    MAX_PASSAGES,
    html_report,
    judging_versions,
    most_telling,
)
from deepfake_audio.reporting.wording import answer, headline, quality_measures
from deepfake_audio.service.views import as_view

CLIPS = (
    "real_menardi_vm-forward-multiple.flac", "fake_espeak-ng_it_f5.flac",
    "real_ivrvoice.ru_vm-nonumber.flac", "fake_griffin-lim_ivrvoice.ru.flac",
)  # fmt: skip
SAMPLE = ROOT / "data/sample/audio"
UNSURE_FAKE = "real_ivrvoice.ru_confbridge-leave-in.flac", "fake_hibari_heart.flac"
BAD_NAME = "<img src=x onerror=alert(1)>&\"'.wav"


class Page(HTMLParser):
    """The text of a page, and its tags with their attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.pretrained()


@pytest.mark.slow
def test_marked_places_lie_in_the_fakes(detector):
    """Real and fake clips are judged as one recording, of which a known part is fake."""
    images, is_fake = [], []
    for name in CLIPS:
        path = ROOT / "data/sample/audio" / name
        windows = detector.predict(path).windows[:4]
        stretch = render_stretch(name, path, windows, detector.reading(), 60.0)
        images += stretch.images
        is_fake += [name.startswith("fake")] * len(windows)
    is_fake, marked = np.array(is_fake), strongest_places(band_effects(detector.model, images))
    assert 0.3 < is_fake.mean() < 0.6  # the share that chance would give
    assert marked.sum() >= 8
    assert marked[is_fake].sum() / marked.sum() > 0.8


def test_a_hidden_band_loses_its_course_over_time_and_nothing_else():
    image = np.random.default_rng(1).integers(0, 255, (64, 12, 3), np.uint8)
    hidden = hide_band(image, 0)
    np.testing.assert_array_equal(hidden[:56], image[:56])
    np.testing.assert_array_equal(hidden[..., 2], image[..., 2])
    assert np.ptp(hidden[56:, :, :2], axis=1).max() == 0
    assert hidden[60, 0, 0] == pytest.approx(image[60, :, 0].mean())


def test_the_stretch_is_of_one_channel_and_crosses_no_pause():
    def windows(channel, starts, score):
        return [Window(start, channel, score=score) for start in starts]

    low = windows(2, (100.0, 101.0), -2.0)
    found = most_fake_windows([*windows(1, (0.0, 1.0, 2.0), 1.0), *windows(2, (0.0,), -1.0), *low])
    assert found == low


@pytest.fixture(scope="module")
def page(detector, tmp_path_factory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("report") / BAD_NAME
    sound = np.stack([make_voice("real", 1, 1.2), make_voice("fake", 2, 1.2)], axis=1)
    soundfile.write(path, sound, 16000)
    return html_report(detector, detector.predict(path), path), path


def test_a_report_has_the_verdict_the_quality_and_the_fingerprints(detector, page):
    text, path = page
    shown = Page(text).text
    result = detector.predict(path)
    model = hashlib.sha256((ROOT / "models/pretrained/model.onnx").read_bytes()).hexdigest()
    for part in (
        str(result.verdict), hashlib.sha256(path.read_bytes()).hexdigest(), model,
        f"deepfake-audio {deepfake_audio.__version__}", "16,000 Hz", "never a proof",
        "each carries its own sound", "predict.min_confidence: 0.75",
    ):  # fmt: skip
        assert part in shown, part
    assert not re.search(r"--(channel|track|timeline)", shown)  # of the command line


def test_a_report_lists_channels_with_several_verdicts(detector):
    unsure, fake = (soundfile.read(SAMPLE / name, dtype="float32")[0] for name in UNSURE_FAKE)
    samples = np.stack([unsure, fake[: len(unsure)]], axis=1)
    result = detector.predict((samples, 16000))
    shown = Page(html_report(detector, result, Samples(samples, 16000))).text
    assert "At least one channel is probably fake." in shown
    listed = r"hannel 1: UNCERTAIN \d\d\.\d%, rather real; channel 2: FAKE \d\d\.\d%"
    assert len(re.findall(listed, shown)) == 2  # in the reasons, and beside the file
    assert re.search(r"0:0\d\.\d FAKE \d\d\.\d%, channel 2", shown)
    view = as_view(result, Path("none.wav"), detector.settings)
    assert [passage["part"] for passage in view["passages"]] == ["channel 1", "channel 2"]
    assert [passage["label"][:4] for passage in view["spans"]] == ["FAKE"]
    tracks = [replace(one, part=Part(number)) for number, one in enumerate(result.parts, start=1)]
    assert headline(replace(result, parts=tracks)) == "At least one track is probably fake."
    assert headline(replace(result, parts=[tracks[1]] * 2)) == "This voice is probably fake."


def test_a_report_names_the_versions_of_what_judges(detector):
    assert {"av", "FFmpeg", "libsndfile", "onnxruntime", "scipy", "soxr"} <= {*judging_versions()}
    assert not {"keras", "tensorflow"} & {*judging_versions()}


def test_the_strip_of_repetitions_is_left_out_if_nothing_repeats(detector, monkeypatch):
    plots = []
    monkeypatch.setattr(pictures, "to_png", lambda figure: plots.append(len(figure.axes)) or b"")
    level = np.zeros((64, 9), np.uint8)
    stretch = RenderedStretch(1, 0, np.array([0.0, 1.0, 2.0]), [], level, (0.0, 2.0))
    for repeats in ([False, False], [False, True]):
        places = np.zeros((2, 8), bool)
        audio = detector.settings.audio
        pictures.places_picture(stretch, places, np.array(repeats), audio)
    assert plots == [1, 2]


def test_a_report_escapes_names_and_needs_nothing_else(page):
    text, path = page
    tags = Page(text).tags
    assert path.name in Page(text).text
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags}
    pictures = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert len(pictures) == 2
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    assert not re.search(r"https?://|onerror=alert\(1\)>(?!&)", re.sub(r"&\w+;", "", text))


def test_the_page_of_the_service_says_the_same_as_a_report(detector, page):
    text, path = page
    result, shown = detector.predict(path), Page(text).text
    view = as_view(result, path, detector.settings)
    measures = [f"{measure['name']} {measure['value']}" for measure in view["measures"]]
    said = [view["headline"], *view["confidence"], *view["reasons"], *view["steps"], *measures]
    assert len(said) > 12
    assert [words for words in said if words not in shown] == []


def test_a_report_on_an_image_marks_bands_of_it(detector):
    recording = open_recording(ROOT / "data/sample/audio" / CLIPS[1], detector.settings.audio)
    _, sound = next(iter(recording_windows(recording, detector.settings.audio)))
    image = encode_png(spectrogram_image(sound, detector.settings.audio))
    page = Page(html_report(detector, detector.predict(image), image))
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    assert re.search("[1-8] of 8 places are marked", page.text)
    assert "a spectrogram image; the sound behind it is not known" in page.text
    assert "Quality of the recording" not in page.text


def test_silence_is_not_called_long_enough(detector):
    silence = np.zeros(48000, np.float32), 16000
    (length, *_) = quality_measures(detector.predict(silence))
    assert (length.value, length.meaning, length.grade) == ("3.0 s", "", "")


def test_a_channel_that_is_judged_by_itself_is_not_called_the_same_as_the_others(detector):
    voice = soundfile.read(SAMPLE / CLIPS[0])[0][:32000]
    stereo = np.stack([voice, np.roll(voice, 9000)], axis=1), 16000
    for channel, meaning in (None, "each carries its own sound"), (2, "only channel 2"):
        (_, _, channels, *_) = quality_measures(detector.predict(stereo, channel=channel))
        assert (channels.value, channels.meaning) == ("2", meaning)


def test_an_uncertain_passage_names_the_likelier_side():
    assert answer(Passage(0.0, 9.0, "UNCERTAIN", 0.65, 0.35)) == "UNCERTAIN 65.0%, rather real"
    assert answer(Passage(0.0, 9.0, "FAKE", 0.9996, 0.9996)) == "FAKE 99.9%"
    assert answer(Passage(0.0, 9.0, "UNCERTAIN", None, None)) == "not judged"


def test_of_many_passages_a_report_lists_the_fakes():
    passages = [
        Passage(start, start + 1.0, "FAKE" if start == 90 else "REAL", 0.9, 0.1)
        for start in range(100)
    ]
    shown = most_telling(passages)
    assert [passage.start_seconds for passage in shown] == [*range(MAX_PASSAGES - 1), 90]


@pytest.mark.parametrize("name", ["call.pdf", "-", "reports/call.txt"])
def test_a_report_that_is_no_page_is_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert predict.main(["--report", name, "a.wav"]) == 2
    assert f"cannot write --report {name}: a report is HTML" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_predict_writes_reports_and_replaces_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", np.zeros(16000), 16000)
    shipped = ["--run", "models/pretrained"]
    assert predict.main([*shipped, "--report", "a.html", "a.wav"]) == 0
    assert capsys.readouterr().out.endswith("Written: a.html\n")
    assert "No sound in it" in Page(Path("a.html").read_text()).text
    assert predict.main([*shipped, "--report", "a.html", "a.wav"]) == 2
    assert "a.html exists already" in capsys.readouterr().err
    assert predict.main([*shipped, "--report", "b.html", "a.wav", "a.wav"]) == 2
    assert predict.main([*shipped, "--report", "b.html", "--list", "names.txt"]) == 2
    assert capsys.readouterr().err.count("has room for one recording") == 2
    assert predict.main([*shipped, "--report", "all", "a.wav", "a.wav"]) == 0
    assert sorted(path.name for path in Path("all").iterdir()) == ["a.wav-2.html", "a.wav.html"]
