"""The words of reasons and notes are true."""

import numpy as np
import pytest

from deepfake_audio.audio.quality import Clarity, Echo
from deepfake_audio.config.loading import load_settings
from deepfake_audio.inference.inputs import Input, Window
from deepfake_audio.inference.reasons import (
    describe_frame_rate,
    describe_ignored,
    explain_low_confidence,
)
from deepfake_audio.inference.recording_quality import Quality, quality_of, window_degradations
from deepfake_audio.models.quality_correction import DEGRADATIONS
from deepfake_audio.vocabulary import Verdict


@pytest.mark.parametrize(
    ("rate_hz", "answer", "has_echo", "is_named"),
    [
        (93.75, Verdict.FAKE, False, True),
        (93.75, Verdict.UNCERTAIN, False, False),
        (93.75, Verdict.FAKE, True, False),
        (50.0, Verdict.FAKE, False, False),
        (100.0, Verdict.FAKE, False, False),
    ],
)
def test_a_vocoder_is_named_only_if_hum_and_echoes_cannot_be_the_cause(
    rate_hz, answer, has_echo, is_named
):
    text = describe_frame_rate(rate_hz, answer, has_echo)
    assert ("neural vocoder" in text) == is_named
    assert ("hum or an echo" in text) != is_named


@pytest.mark.parametrize(
    ("bandwidth_hz", "words"),
    [
        (5500, "nothing above 5,500 Hz: ask for the original file"),
        (3500, "nothing above 3,500 Hz, as over a telephone: ask for the original file"),
        (8000, "background noise or a room hides the traces: ask for the original file"),
    ],
)
def test_an_empty_band_is_neither_noise_nor_compression(bandwidth_hz, words):
    quality = Quality(5.0, 16_000, 1, False, bandwidth_hz, 45.0, 8.0, 5.6, 0.0, Echo(0.0, 0.1, 1.0))
    assert explain_low_confidence(quality) == words


def test_a_telephone_passage_has_its_own_bandwidth_and_a_pause_has_not():
    sounds = [(8000.0, 0.9), (8000.0, 0.9), (3400.0, 0.9), (3400.0, 0.1)]
    windows = [
        Window(bandwidth_hz=hertz, voicing=voicing, clarity=Clarity(40, 40, 9))
        for hertz, voicing in sounds
    ]
    found = Input("call.wav", windows=windows, sound_seconds=9.0, echo=Echo(0.0, 0.1, 1.0))
    degraded = window_degradations(found, quality_of(found))
    assert degraded[:, list(DEGRADATIONS).index("bandwidth")].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(bandwidth_hz=800.0), "1 of 2 windows left out, without high frequencies"),
        (Window(bandwidth_hz=3400.0), "1 of 2 windows left out, as over a telephone"),
        (Window(bandwidth_hz=8000.0, tone_share=0.5), "1 of 2 windows left out, with a tone"),
        (Window(bandwidth_hz=8000.0, voicing=0.1), "1 of 2 windows left out, without a voice"),
    ],
)
def test_the_note_says_why_a_window_does_not_count(window, words):
    settings = load_settings(
        None, ["predict.min_bandwidth_hz=4200", "predict.min_voicing=0.5"]
    ).predict
    found = Input("a.wav", windows=[Window(bandwidth_hz=8000.0), window])
    assert describe_ignored(found, np.array([True, False]), settings) == words
