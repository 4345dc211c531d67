"""The words of reasons and notes are true."""

import pytest

from deepfake_audio.inference.reasons import describe_frame_rate
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
