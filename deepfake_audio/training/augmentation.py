"""Distort spectrogram images as sound is distorted: masks, gain, colour, noise, band limit, roll.

Each function changes a float32 image `(height, width, channels)` in place, 0 black to 255, lowest
frequency at the bottom, and takes all random numbers from the given generator. Levels are linear in
dB: `levels_per_db` is 255 / `audio.db_range`. All channels are levels; or the first is the level
and the second the group delay, which allows only a roll, noise and masks.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.config.schema import DistortSettings
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_files import fit_image
from deepfake_audio.features.spectrogram import spectrogram_image

WHITE = 255
NOISE_WINDOWS = 20  # of white noise, from which stretches are taken
NOISE_SEED = 0
COLOR_WAVES = 4  # the finest has a peak and a dip each half of the frequencies: rooms, microphones


def make_distortion(
    settings: DistortSettings,
    row_hz: np.ndarray,
    levels_per_db: float,
    noise: np.ndarray | None = None,
) -> Callable[[np.ndarray, np.random.Generator], None] | None:
    """Return one function for all distortions of the settings, in their order for real sound.

    Args:
        settings: the strength of each.
        row_hz: frequency of each row of the images, highest first, float `(height,)`.
        levels_per_db: levels of 255 in one dB.
        noise: of `make_noise`, for images with group delay; None for images of levels only.

    Returns:
        A function of an image and a generator, or None if all are off.

    Raises:
        InputError: the band limit lies above all frequencies of the images.
    """
    if settings.band_limit_hz >= row_hz[0]:
        raise InputError(
            f"distort.band_limit_hz={settings.band_limit_hz:g} is not below {row_hz[0]:g}, the "
            "highest frequency of the images; lower it, or set 0 for no limit"
        )
    s, in_db = settings, {"levels_per_db": levels_per_db}
    steps = [
        (s.time_roll_share, partial(roll_time, share=s.time_roll_share)),
        (s.gain_db, partial(change_gain, reach_db=s.gain_db, **in_db)),
        (s.color_db, partial(color_channel, reach_db=s.color_db, **in_db)),
        (s.noise_floor_db, partial(add_noise, reach_db=s.noise_floor_db, noise=noise, **in_db)),
        (s.band_limit_hz, partial(limit_band, lowest_hz=s.band_limit_hz, row_hz=row_hz)),
        (s.time_masks, partial(mask_time, masks=s.time_masks, share=s.time_mask_share)),
        (
            s.frequency_masks,
            partial(
                mask_frequencies,
                masks=s.frequency_masks,
                widest_hz=s.frequency_mask_hz,
                row_hz=row_hz,
            ),
        ),
    ]
    chosen = [step for amount, step in steps if amount]
    return partial(_do_all, steps=chosen) if chosen else None


def _do_all(image: np.ndarray, random: np.random.Generator, steps: Sequence[Callable]) -> None:
    for step in steps:
        step(image, random)


def roll_time(image: np.ndarray, random: np.random.Generator, share: float) -> None:
    """Shift the sound in time, cyclically, by up to `share` of the width."""
    reach = int(share * image.shape[1])
    image[:] = np.roll(image, random.integers(-reach, reach + 1), axis=1)


def change_gain(
    image: np.ndarray, random: np.random.Generator, reach_db: float, levels_per_db: float
) -> None:
    """Add one random gain of up to `reach_db` to all levels."""
    image += np.float32(random.uniform(-reach_db, reach_db) * levels_per_db)
    np.clip(image, 0, WHITE, out=image)


def color_channel(
    image: np.ndarray, random: np.random.Generator, reach_db: float, levels_per_db: float
) -> None:
    """Apply a random smooth equaliser: a few cosines over the rows, up to `reach_db`."""
    rows = np.linspace(0, np.pi, len(image))
    weights = random.normal(size=COLOR_WAVES)
    curve = weights @ np.cos(np.outer(np.arange(1, COLOR_WAVES + 1), rows))
    curve *= random.uniform(0, reach_db) * levels_per_db / np.abs(curve).max()
    image += curve.astype(np.float32)[:, None, None]
    np.clip(image, 0, WHITE, out=image)


def make_noise(audio: AudioSettings, image: ImageSettings) -> np.ndarray:
    """Make images of white noise with group delay, within `audio.db_range`.

    Returns:
        float32 `(height, columns, 2)`: its power, 1 on average, and its delay as in the images.
    """
    random = np.random.default_rng(NOISE_SEED)
    alone = audio.model_copy(update={"frame_rates_hz": ()})
    size = image.model_copy(update={"channels": "level_delay"})
    windows = []
    for _ in range(NOISE_WINDOWS):
        window = random.standard_normal(audio.window_samples, np.float32)
        noise_image = fit_image(spectrogram_image(window, alone), size).astype(np.float32)
        power = 10 ** (noise_image[..., 0] * np.float32(audio.db_range / WHITE / 10))
        noise_image[..., 0] = power / power.mean()  # each window's levels are below its own peak
        windows.append(noise_image)
    return np.concatenate(windows, axis=1)


def add_noise(
    image: np.ndarray,
    random: np.random.Generator,
    reach_db: float,
    levels_per_db: float,
    noise: np.ndarray | None = None,
) -> None:
    """Add white noise whose mean power lies up to `reach_db` above black.

    Powers add up, and the power of white noise in one frame and bin is exponentially distributed.
    If the noise is stronger than the sound, the delay becomes that of the noise.

    Args:
        image: of levels, or of level and delay.
        random: source of the noise and its power.
        reach_db: above black.
        levels_per_db: levels of 255 in one dB.
        noise: of `make_noise`, if the image has a delay.
    """
    if noise is None:
        power = random.standard_exponential((*image.shape[:2], 1), np.float32)
        levels = image
    else:
        start = random.integers(0, noise.shape[1] - image.shape[1] + 1)
        stretch = noise[:, start : start + image.shape[1]]
        power, levels = stretch[..., :1].copy(), image[..., :1].copy()
    power *= np.float32(10 ** (random.uniform(0, reach_db) / 10))
    levels *= np.float32(np.log(10) / (10 * levels_per_db))
    np.exp(levels, out=levels)
    if noise is not None:
        np.copyto(image[..., 1:], stretch[..., 1:], where=power > levels)
    levels += power
    np.log(levels, out=levels)
    levels *= np.float32(10 * levels_per_db / np.log(10))
    np.clip(levels, 0, WHITE, out=levels)
    image[..., : levels.shape[2]] = levels


def limit_band(
    image: np.ndarray, random: np.random.Generator, lowest_hz: float, row_hz: np.ndarray
) -> None:
    """Set all levels to 0 above a random frequency of at least `lowest_hz`."""
    image[row_hz > random.uniform(lowest_hz, row_hz[0])] = 0


def _channel_means(image: np.ndarray) -> np.ndarray:
    """Return the mean of each channel; over both axes at once, NumPy takes 18 times as long."""
    return np.array([image[..., channel].mean() for channel in range(image.shape[2])])


def mask_time(image: np.ndarray, random: np.random.Generator, masks: int, share: float) -> None:
    """Cover stretches of up to `share` of the width, as `mask_frequencies` does."""
    mean, frames = _channel_means(image), image.shape[1]
    for _ in range(masks):
        width = random.integers(0, int(share * frames) + 1)
        start = random.integers(0, frames - width + 1)
        image[:, start : start + width] = mean


def mask_frequencies(
    image: np.ndarray,
    random: np.random.Generator,
    masks: int,
    widest_hz: float,
    row_hz: np.ndarray,
) -> None:
    """Cover bands of up to `widest_hz` with each channel's mean.

    Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
    2019.
    """
    mean = _channel_means(image)
    for _ in range(masks):
        width_hz = min(random.uniform(0, widest_hz), row_hz[0] - row_hz[-1])
        start_hz = random.uniform(row_hz[-1], row_hz[0] - width_hz)
        image[(row_hz >= start_hz) & (row_hz < start_hz + width_hz)] = mean
