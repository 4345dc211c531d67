import io
from dataclasses import replace

import av
import numpy as np
import pytest
import scipy.signal

from deepfake_audio.audio.codecs import CODECS, encode
from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.errors import InputError

RATE_HZ = 16_000
USES = [
    (name, rate_hz, kbits)
    for name, codec in CODECS.items()
    for rate_hz in codec.rates_hz
    for kbits in codec.kbits
]


def tones(seconds: float = 2.0) -> np.ndarray:
    """Make tones at 500 and 6,000 Hz."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    low, high = np.sin(2 * np.pi * 500 * time), np.sin(2 * np.pi * 6000 * time)
    return (0.2 * low + 0.2 * high).astype(np.float32)


def level_db(samples: np.ndarray, around_hz: float) -> float:
    """Return the level within 100 Hz around a frequency, 0 at full scale."""
    middle = samples[len(samples) // 4 :][:RATE_HZ]  # 1 Hz a bin
    power = np.square(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) / len(middle))
    near = slice(int(around_hz) - 100, int(around_hz) + 100)
    return float(10 * np.log10(power[near].sum() + 1e-12))


def coded(samples: np.ndarray, name: str, rate_hz: int, kbits: int) -> bytes:
    return encode(samples, RATE_HZ, CODECS[name], rate_hz, kbits)


@pytest.mark.parametrize(("name", "rate_hz", "kbits"), USES)
def test_coded_sound_keeps_its_level_and_fits_its_bit_rate(name, rate_hz, kbits):
    samples = tones()
    file = coded(samples, name, rate_hz, kbits)
    with av.open(io.BytesIO(file)) as container:
        assert container.streams.audio[0].rate == rate_hz
    heard = read_audio(file, RATE_HZ)
    assert abs(len(heard) - len(samples)) < 0.1 * RATE_HZ
    assert level_db(heard, 500) == pytest.approx(level_db(samples, 500), abs=3)
    # Opus takes more where tones are hard; containers say something of the sound, too.
    assert len(file) * 8 / 2.0 < 1000 * (2.5 * kbits + 5)


def test_a_telephone_ends_below_4_khz():
    heard = read_audio(coded(tones(), "telephone", 8_000, 64), RATE_HZ)
    assert level_db(heard, 6000) < level_db(tones(), 6000) - 40


def test_fewer_bits_leave_less_of_the_sound():
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)

    def lost(kbits: int) -> float:
        heard = read_audio(coded(noise, "mp3", 44_100, kbits), RATE_HZ)
        shared = min(len(heard), len(noise))
        return float(np.square(heard[:shared] - noise[:shared]).mean())

    assert lost(32) > 2 * lost(96)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rate_hz", "kbits"), USES)
def test_coded_sound_has_no_delay(name, rate_hz, kbits):
    """An encoder's delay would move the copy's windows off the original's."""
    samples = np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    samples = scipy.signal.lfilter([0.1], [1, -0.9], samples)  # most of it is below 1 kHz
    heard = read_audio(coded(samples.astype(np.float32), name, rate_hz, kbits), RATE_HZ)
    shared = min(len(heard), len(samples))
    alike = scipy.signal.correlate(heard[:shared], samples[:shared], "same", "fft")
    assert abs(int(np.argmax(alike)) - shared // 2) <= RATE_HZ // 1000


def test_a_missing_encoder_is_an_error():
    codec = replace(CODECS["mp3"], encoder="libnope")
    with pytest.raises(InputError, match="cannot encode sound with libnope"):
        encode(tones(), RATE_HZ, codec, 44_100, 64)
