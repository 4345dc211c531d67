"""Train the small neural vocoders of `networks.RECIPES` on real voices."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm import tqdm

from deepfake_audio.errors import InputError
from deepfake_audio.vocoders.networks import (
    RECIPES,
    LogSpectrogram,
    Recipe,
    leaky_relu,
    magnitudes,
)

RESOLUTIONS = ((512, 128), (1024, 256), (256, 64))  # samples: FFT, hop
MAGNITUDE_FLOOR = 1e-5
BATCH = 8
LEARNING_RATE = 1e-3
MIN_LEARNING_RATE = 1e-5
CLIP_NORM = 5.0
JUDGED_FROM = 0.3  # share of the steps after which the adversarial loss counts


class HeldThenFalling(keras.optimizers.schedules.LearningRateSchedule):
    """Hold the learning rate for half of the steps, then decrease it to almost 0."""

    def __init__(self, steps: int):
        self.steps = steps

    def __call__(self, step):
        left = 1 - keras.ops.cast(step, "float32") / self.steps
        return LEARNING_RATE * keras.ops.minimum(1.0, 2 * left) + MIN_LEARNING_RATE

    def get_config(self) -> dict:
        return {"steps": self.steps}


def spectral_loss(sound, fake):
    """Compare the magnitudes of a fake with the original at three resolutions: 0 if equal.

    The mean difference of the logs, plus the norm of the difference relative to the original's.
    Yamamoto et al., "Parallel WaveGAN: A fast waveform generation model based on generative
    adversarial networks with multi-resolution spectrogram", 2020.
    """
    total = 0.0
    for fft_samples, hop_samples in RESOLUTIONS:
        real = magnitudes(sound, fft_samples, hop_samples) + MAGNITUDE_FLOOR
        made = magnitudes(fake, fft_samples, hop_samples) + MAGNITUDE_FLOOR
        total += tf.reduce_mean(tf.abs(tf.math.log(real) - tf.math.log(made)))
        total += tf.norm(real - made) / tf.norm(real)
    return total / len(RESOLUTIONS)


def _discriminator(fft_samples: int, hop_samples: int) -> keras.Model:
    """Build a network that classifies each region of a spectrogram as real (1) or fake (0)."""
    sound = keras.Input((None,))
    x = LogSpectrogram(fft_samples, hop_samples)(sound)
    for channels, strides in ((8, (1, 2)), (16, (2, 2)), (24, (2, 2)), (24, (1, 2))):
        x = layers.Conv2D(channels, (3, 5), strides=strides, padding="same")(x)
        x = leaky_relu(x, slope=0.2)
    return keras.Model(sound, layers.Conv2D(1, 3, padding="same")(x))


def train_vocoder(
    kind: str, voices: Sequence[np.ndarray], steps: int, seed: int
) -> tuple[keras.Model, np.ndarray]:
    """Train a vocoder on voices; the same seed gives the same one on the same machine.

    Args:
        kind: a key of `RECIPES`.
        voices: float32 `(samples,)` each, at 16 kHz; a short one is repeated.
        steps: each on 8 segments.
        seed: of weights, segments and noise.

    Returns:
        The vocoder, and the spectral loss of each step, `(steps,)`.

    Raises:
        InputError: the loss is no longer finite.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    recipe, rng = RECIPES[kind], np.random.default_rng(seed)
    vocoder = recipe.build()
    learn = _make_step(vocoder, recipe, steps)
    losses = np.empty(steps)
    with tqdm(range(steps), desc=kind, unit=" steps") as progress:
        for step in progress:
            sound = _sample_segments(voices, recipe.segment_samples, rng)
            weight = recipe.adversarial_weight if step > JUDGED_FROM * steps else 0.0
            losses[step] = learn(tf.constant(sound), tf.constant(weight))
            if not np.isfinite(losses[step]):
                raise InputError(
                    f"the loss of {kind} is {losses[step]} in step {step + 1:,}; "
                    "try another --seed, or leave that kind out"
                )
            if step % 50 == 0:
                progress.set_postfix(loss=f"{losses[max(0, step - 49) : step + 1].mean():.2f}")
    return vocoder, losses


def _sample_segments(voices: Sequence[np.ndarray], samples: int, rng) -> np.ndarray:
    """Cut segments at random places of random voices: float32 `(8, samples)`."""
    segments = np.empty((BATCH, samples), np.float32)
    for segment in segments:
        voice = voices[rng.integers(len(voices))]
        if len(voice) < samples:
            voice = np.resize(voice, samples)
        first = rng.integers(len(voice) - samples + 1)
        segment[:] = voice[first : first + samples]
    return segments


def _make_step(vocoder: keras.Model, recipe: Recipe, steps: int) -> Callable:
    """Return a function that trains on one batch and returns its spectral loss before."""
    optimizer = keras.optimizers.AdamW(
        HeldThenFalling(steps), beta_1=0.8, beta_2=0.99, clipnorm=CLIP_NORM
    )
    optimizer.build(vocoder.trainable_variables)
    judges = RESOLUTIONS if recipe.adversarial_weight else ()
    discriminators = [_discriminator(*sizes) for sizes in judges]
    train_discriminators = _make_discriminator_step(discriminators)

    @tf.function
    def step(sound, adversarial_weight):
        with tf.GradientTape() as tape:
            fake = vocoder(sound, training=True)
            distance = spectral_loss(sound, fake)
            loss = distance + recipe.waveform_weight * tf.reduce_mean(tf.abs(sound - fake))
            judged = [tf.reduce_mean((1 - judge(fake)) ** 2) for judge in discriminators]
            loss += adversarial_weight * tf.add_n([tf.constant(0.0), *judged])
        gradients = tape.gradient(loss, vocoder.trainable_variables)
        optimizer.apply_gradients(zip(gradients, vocoder.trainable_variables, strict=True))
        if discriminators:
            train_discriminators(sound, fake)
        return distance

    return step


def _make_discriminator_step(discriminators: Sequence[keras.Model]) -> Callable:
    """Return a function that trains the discriminators on sounds and fakes (least squares)."""
    variables = [v for each in discriminators for v in each.trainable_variables]
    optimizer = keras.optimizers.AdamW(LEARNING_RATE / 2, beta_1=0.8, beta_2=0.99)
    optimizer.build(variables)

    def step(sound, fake):
        with tf.GradientTape() as tape:
            loss = tf.add_n(
                [
                    tf.reduce_mean((1 - judge(sound)) ** 2) + tf.reduce_mean(judge(fake) ** 2)
                    for judge in discriminators
                ]
            )
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return step
