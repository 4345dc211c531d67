"""Small neural vocoders: networks that resynthesize speech and leave a generator's traces in it.

    vocoder, losses = training.train_vocoder("istft", voices, steps=2000, seed=1)
    fake = resynthesize(vocoder, sound)

Each kind goes from sound to sound at 16 kHz through the representation of its family: a log mel
spectrogram, or a few numbers for each 10 ms. `RECIPES` defines how each is built and trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from deepfake_audio.errors import InputError

SAMPLE_RATE_HZ = 16_000
FFT_SAMPLES = 1024
HOP_SAMPLES = 256
MEL_BANDS = 80
MIN_MEL_HZ, MAX_MEL_HZ = 20.0, 7990.0
MEL_FLOOR = 1e-4
MAX_LOG_MAGNITUDE = 5.0  # higher ones would be noise far above full scale
UPSAMPLING_STRIDES = (8, 8, 4)  # their product is the hop
CODEC_STRIDES = (8, 5, 4)
CODEC_NUMBERS = 32  # for each 160 samples
CODEC_NOISE = 0.05
MIN_CHANNELS = 8, 12  # of upsampling, codec
WHOLE_SAMPLES = 1280  # a multiple of each kind's hop; sound is padded to one

JUDGED_FLOOR = 1e-4


@dataclass(frozen=True)
class Recipe:
    """How a kind of vocoder is built and trained.

    Attributes:
        build: returns the network, from `(batch, samples)` to `(batch, samples)`.
        segment_samples: length of a training segment.
        steps: of training; about five minutes on one core.
        waveform_weight: of the mean absolute difference of the samples, in the loss.
        adversarial_weight: of the discriminators, in the loss; 0 trains without.
    """

    build: Callable[[], keras.Model]
    segment_samples: int
    steps: int
    waveform_weight: float = 0.0
    adversarial_weight: float = 0.0


class LogMel(layers.Layer):
    """Describe sound by its log mel spectrogram: `(batch, samples)` to `(batch, frames, bands)`.

    The number of samples is a multiple of the hop; there is a frame for each hop.
    """

    def call(self, sound):
        filters = tf.signal.linear_to_mel_weight_matrix(
            MEL_BANDS, FFT_SAMPLES // 2 + 1, SAMPLE_RATE_HZ, MIN_MEL_HZ, MAX_MEL_HZ
        )
        half = FFT_SAMPLES // 2
        padded = tf.pad(sound, [[0, 0], [half, half]], mode="REFLECT")
        mel = magnitudes(padded, FFT_SAMPLES, HOP_SAMPLES) @ filters
        return tf.math.log(tf.maximum(mel, MEL_FLOOR))[:, :-1]

    def compute_output_shape(self, input_shape):
        return input_shape[0], None, MEL_BANDS


class LogSpectrogram(layers.Layer):
    """Compute the log spectrogram: `(batch, samples)` to `(batch, frames, bins, 1)`."""

    def __init__(self, fft_samples: int, hop_samples: int):
        super().__init__()
        self.fft_samples, self.hop_samples = fft_samples, hop_samples

    def call(self, sound):
        linear = magnitudes(sound, self.fft_samples, self.hop_samples)
        return tf.math.log(linear + JUDGED_FLOOR)[..., None]

    def compute_output_shape(self, input_shape):
        return input_shape[0], None, self.fft_samples // 2 + 1, 1


class InverseSpectrum(layers.Layer):
    """Overlap-add log magnitudes and phases: `(batch, frames, fft + 2)` to `(batch, samples)`.

    The head of Vocos: an inverse STFT, in place of learnt upsampling.
    """

    def call(self, frames):
        log_magnitude, phase = tf.split(frames, 2, axis=-1)  # each (batch, frames, fft / 2 + 1)
        magnitude = tf.exp(tf.minimum(log_magnitude, MAX_LOG_MAGNITUDE))
        spectrum = tf.complex(magnitude * tf.cos(phase), magnitude * tf.sin(phase))
        window = tf.signal.inverse_stft_window_fn(HOP_SAMPLES)
        sound = tf.signal.inverse_stft(spectrum, FFT_SAMPLES, HOP_SAMPLES, window_fn=window)
        first = FFT_SAMPLES // 2
        return sound[:, first : first + tf.shape(frames)[1] * HOP_SAMPLES]

    def compute_output_shape(self, input_shape):
        return input_shape[0], None


def istft_network(channels: int, blocks: int = 4) -> keras.Model:
    """Build a vocoder with layers at the frame rate and an inverse STFT at the end.

    Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders", 2023.
    """
    sound = keras.Input((None,))
    x = layers.Conv1D(channels, 7, padding="same")(LogMel()(sound))  # (batch, frames, channels)
    x = layers.LayerNormalization()(x)
    for _ in range(blocks):
        x = _convnext(x, channels)
    x = layers.Dense(FFT_SAMPLES + 2)(layers.LayerNormalization()(x))
    return keras.Model(sound, InverseSpectrum()(x))


def upsampling_network(channels: int) -> keras.Model:
    """Build a vocoder that goes from frames to samples by transposed convolutions.

    Kong et al., "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech
    Synthesis", 2020.
    """
    sound = keras.Input((None,))
    x = layers.Conv1D(channels, 7, padding="same")(LogMel()(sound))  # (batch, frames, channels)
    return keras.Model(sound, _upsample(x, channels, UPSAMPLING_STRIDES, MIN_CHANNELS[0]))


def codec_network(channels: int) -> keras.Model:
    """Build a codec: it keeps a few noisy numbers between -1 and 1 of each 160 samples.

    Zeghidour et al., "SoundStream: An End-to-End Neural Audio Codec", 2021; noise in place of its
    quantisation.
    """
    sound = keras.Input((None,))
    width = MIN_CHANNELS[1]
    x = layers.Reshape((-1, 1))(sound)
    x = layers.Conv1D(width, 7, padding="same")(x)
    for stride in reversed(CODEC_STRIDES):
        width = min(width * 2, channels)
        x = layers.Conv1D(width, 2 * stride, strides=stride, padding="same")(leaky_relu(x))
        x = _residual(x, width, dilations=(1,))
    x = layers.Conv1D(CODEC_NUMBERS, 3, padding="same", activation="tanh")(leaky_relu(x))
    x = layers.GaussianNoise(CODEC_NOISE)(x)  # (batch, samples / 160, 32)
    x = layers.Conv1D(width, 3, padding="same")(x)
    return keras.Model(sound, _upsample(x, width, CODEC_STRIDES, MIN_CHANNELS[1]))


def _convnext(x, channels: int):
    """Add a ConvNeXt block, as in Vocos, to `(batch, frames, channels)`."""
    update = layers.DepthwiseConv1D(7, padding="same")(x)
    update = layers.Dense(channels * 3, activation="gelu")(layers.LayerNormalization()(update))
    return layers.Add()([x, layers.Dense(channels)(update)])


def _upsample(x, channels: int, strides: Sequence[int], min_channels: int):
    """Upsample `(batch, frames, channels)` to samples; each stride halves the channels."""
    for stride in strides:
        channels = max(channels // 2, min_channels)
        widened = layers.Conv1DTranspose(channels, 2 * stride, strides=stride, padding="same")
        x = widened(leaky_relu(x))
        x = _residual(x, channels, dilations=(1, 3))
    x = layers.Conv1D(1, 7, padding="same", activation="tanh")(leaky_relu(x))
    return layers.Reshape((-1,))(x)


def _residual(x, channels: int, dilations: Sequence[int]):
    for dilation in dilations:
        update = layers.Conv1D(channels, 3, padding="same", dilation_rate=dilation)(leaky_relu(x))
        x = layers.Add()([x, update])
    return x


def leaky_relu(x, slope: float = 0.1):
    return layers.LeakyReLU(negative_slope=slope)(x)


RECIPES = {
    "istft": Recipe(partial(istft_network, 192), segment_samples=16_384, steps=2000),
    "istft_adversarial": Recipe(
        partial(istft_network, 160), segment_samples=16_384, steps=1100, adversarial_weight=0.3
    ),
    "upsampling": Recipe(partial(upsampling_network, 96), segment_samples=8192, steps=5000),
    "codec": Recipe(
        partial(codec_network, 96), segment_samples=8000, steps=4000, waveform_weight=10.0
    ),
}


def magnitudes(sound, fft_samples: int, hop_samples: int):
    """Return Hann-windowed STFT magnitudes: `(batch, samples)` to `(batch, frames, bins)`."""
    return tf.abs(tf.signal.stft(sound, fft_samples, hop_samples))


def resynthesize(vocoder: keras.Model, sound: np.ndarray) -> np.ndarray:
    """Resynthesize a sound: float32 `(samples,)`, as long as the original.

    Args:
        vocoder: from `train_vocoder`.
        sound: float32 `(samples,)` at 16 kHz, at least 513.

    Raises:
        InputError: the vocoder makes samples that are infinite or not a number.
    """
    filled = np.pad(sound, (0, -len(sound) % WHOLE_SAMPLES))
    fake = np.asarray(vocoder(filled[None], training=False))[0, : len(sound)]
    if not np.isfinite(fake).all():
        raise InputError(
            "the vocoder made samples that are not finite; try another --seed, or fewer --steps"
        )
    return fake
