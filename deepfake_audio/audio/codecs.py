"""Encode sound with the codecs of messengers, web pages and telephones."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from deepfake_audio.errors import InputError

KBIT = 1000
ANY_SAMPLES = 4096  # in a frame, for codecs that take any number


@dataclass(frozen=True)
class Codec:
    """A codec, with the sample rates and bit rates to sample from.

    Attributes:
        encoder: FFmpeg's name.
        container: of its files, FFmpeg's name.
        rates_hz: sample rates that it is used at.
        kbits: thousands of bits a second.
        options: of the encoder, FFmpeg's names.
    """

    encoder: str
    container: str
    rates_hz: tuple[int, ...]
    kbits: tuple[float, ...]
    options: Mapping[str, str] = field(default_factory=dict)

    def sample_rates(self, random: np.random.Generator) -> tuple[int, int]:
        """Choose a sample rate in Hz and a bit rate in kbit/s at random."""
        return int(random.choice(self.rates_hz)), int(random.choice(self.kbits))


CODECS = {
    "mp3": Codec("libmp3lame", "mp3", (24_000, 44_100), (32, 40, 48, 64, 96)),
    "aac": Codec("aac", "mp4", (16_000, 24_000, 44_100), (20, 24, 32, 48, 64)),
    "opus": Codec("libopus", "ogg", (48_000,), (10, 12, 16, 24, 32, 48)),
    "telephone": Codec("pcm_mulaw", "wav", (8_000,), (64,)),  # G.711
}


def encode(samples: np.ndarray, from_hz: int, codec: Codec, rate_hz: int, kbits: float) -> bytes:
    """Encode mono sound, float32 `(samples,)`, with the losses of a codec to the bytes of a file.

    Args:
        from_hz: sample rate of the sound.
        rate_hz: one of the codec's `rates_hz`, which the sound is resampled to.
        kbits: one of its `kbits`.

    Raises:
        InputError: the codec can't encode the sound.
    """
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=codec.container) as container:
            stream = container.add_stream(
                codec.encoder, rate=rate_hz, layout="mono", options=dict(codec.options)
            )
            stream.bit_rate = round(kbits * KBIT)
            for frame in _frames(samples, from_hz, stream):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, UnknownCodecError) as error:
        raise InputError(
            f"cannot encode sound with {codec.encoder} at {kbits} kbit/s and {rate_hz} Hz: "
            f"{error}; choose other codecs, or for AMR install av 18"
        ) from None
    return file.getvalue()


def can_encode(encoder: str) -> bool:
    """Return whether FFmpeg has an encoder here: PyAV 19 brings none of AMR."""
    try:
        return bool(av.Codec(encoder, "w"))
    except UnknownCodecError:
        return False


def _frames(samples: np.ndarray, from_hz: int, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Yield the sound in the encoder's rate, format and frame length.

    Only the last frame may be shorter, because an encoder pads a short frame.
    """
    encoder = stream.codec_context
    encoder.open(strict=False)  # sets its frame size
    frame_samples = encoder.frame_size or ANY_SAMPLES
    resampler = av.AudioResampler(encoder.format, encoder.layout, encoder.rate)
    waiting = av.AudioFifo()
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = from_hz
    for resampled in (*resampler.resample(frame), *resampler.resample(None)):
        waiting.write(resampled)
    yield from waiting.read_many(frame_samples, partial=True)
