"""The feeds of training and validation: Keras's ImageDataGenerator over images of a data folder.

Parameters have Keras's names, meanings and ranges. OpenCV applies them in one interpolation, to
images that are kept in memory while there is room. The distortion of an image depends only on
(seed, times shown, image): the same seed gives the same batches for any number of workers, and a
resumed training gets the same batches as an uninterrupted one.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from deepfake_audio.features.image_files import ImageCache
from deepfake_audio.training.affine import affine_matrix, scale_levels, shift_levels, warp
from deepfake_audio.training.sampling import class_groups, sample_epoch
from deepfake_audio.vocabulary import CHANNEL_COUNTS, WITH_DELAY, ZERO_DELAY, ImageRecord

UNCHANGED = {
    "theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1,
    "flip_horizontal": False, "flip_vertical": False,
    "channel_shift_intensity": None, "brightness": None,
}  # fmt: skip


class SpectrogramGenerator(ImageDataGenerator):
    """`ImageDataGenerator` that samples from a generator of its own, and warps by OpenCV.

    Args:
        *keras_parameters, **named_keras_parameters: those of `ImageDataGenerator`, with Keras's
            meanings, for `channels_last`; shifts are shares below 1, and the interpolation has
            order 0 or 1.
        distort: changes a float32 image of 0...255 in place, given its levels (with their delays,
            without frame rates) and a `numpy.random.Generator`; None changes nothing.
        channels: their content, as in `image.channels`: a horizontal flip, which plays the
            sound backwards, also mirrors delays, and frame rates stay unchanged.
    """

    def __init__(
        self,
        *keras_parameters,
        channels: str = "grayscale",
        distort: Callable[[np.ndarray, np.random.Generator], None] | None = None,
        **named_keras_parameters,
    ):
        super().__init__(*keras_parameters, **named_keras_parameters)
        self.distort = distort
        self.channels = channels

    def sample_transform(self, img_shape: tuple, random: np.random.Generator) -> dict:
        """Sample transform parameters from the ranges from which Keras samples them.

        Args:
            img_shape: `(height, width, channels)`.
            random: source of the numbers; Keras uses NumPy's global generator.
        """

        def around_zero(reach: float) -> float:
            return random.uniform(-reach, reach)

        zoom_x, zoom_y = random.uniform(*self.zoom_range, size=2)
        level_shift, brightness = self.channel_shift_range, self.brightness_range
        return {
            "theta": around_zero(self.rotation_range),
            "tx": around_zero(self.height_shift_range) * img_shape[0],
            "ty": around_zero(self.width_shift_range) * img_shape[1],
            "shear": around_zero(self.shear_range),
            "zx": zoom_x,
            "zy": zoom_y,
            "flip_horizontal": random.random() < 0.5 and self.horizontal_flip,
            "flip_vertical": random.random() < 0.5 and self.vertical_flip,
            "channel_shift_intensity": around_zero(level_shift) if level_shift else None,
            "brightness": random.uniform(*brightness) if brightness else None,
        }

    def apply_transform(self, x: np.ndarray, transform_parameters: dict) -> np.ndarray:
        """Apply rotation, shift, shear, zoom, flips, channel shift and brightness to an image.

        Args:
            x: uint8 or float `(height, width, channels)`.
            transform_parameters: with Keras's names.

        Returns:
            float32 of the same shape; within 1 of 255 of Keras's own result.
        """
        parameters = UNCHANGED | transform_parameters
        if self.interpolation_order or self.fill_mode == "constant" or x.dtype != np.uint8:
            x = x.astype(np.float32, copy=False)  # else pixels are only moved
        matrix = affine_matrix(parameters, *x.shape[:2])
        image = np.empty_like(x)
        warp(x, matrix, self.interpolation_order, self.fill_mode, self.cval, image)
        image = image.astype(np.float32, copy=False)
        if self.channels in WITH_DELAY:
            if parameters["flip_horizontal"]:  # a sound late in its frame is now early
                image[..., 1] = 2 * ZERO_DELAY - image[..., 1]
            rates = slice(CHANNEL_COUNTS["level_delay"], None)
            image[..., rates] = x[..., rates]
        if parameters["channel_shift_intensity"] is not None:
            shift_levels(image, parameters["channel_shift_intensity"])
        if parameters["brightness"] is not None:
            scale_levels(image, parameters["brightness"])
        return image

    def random_image(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return a uint8 image transformed, distorted and standardized, as float32."""
        changed = self.apply_transform(image, self.sample_transform(image.shape, random))
        if self.distort is not None:
            without_rates = CHANNEL_COUNTS["level_delay"] if self.channels in WITH_DELAY else None
            self.distort(changed[..., :without_rates], random)
        return self.standardize(changed)


class ImageFeed(keras.utils.PyDataset):
    """Batches of images, float32 `(batch, height, width, channels)` in 0...255, and labels.

    Without a generator the images come in order and unchanged. With a generator, `balance` groups
    the images that are shown equally often (see `sampling.class_groups`), and `epoch_images` limits
    the images of an epoch; 0 shows as many as there are records.

    Attributes:
        epoch: set it before each epoch; it decides the order and the distortions.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        cache: ImageCache,
        batch_size: int,
        workers: int,
        generator: SpectrogramGenerator | None = None,
        seed: int = 0,
        balance: str = "none",
        epoch_images: int = 0,
    ):
        super().__init__(workers=workers)
        self.paths = [record.path for record in records]
        self.labels = np.array([[record.class_index] for record in records], np.float32)
        self.cache = cache
        self.batch_size = batch_size
        self.generator = generator
        self.seed = seed
        self.classes = class_groups(records, balance)
        self.epoch_images = min(epoch_images or len(records), len(records))
        self.epoch = 0
        self._sampled: tuple[int, np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return -(-self.epoch_images // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        order, times_shown = self._sample_epoch()
        places = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        chosen = order[places]
        images = [self.cache.read(self.paths[index]) for index in chosen.tolist()]
        if self.generator is not None:
            shown = zip(images, times_shown[places].tolist(), chosen.tolist(), strict=True)
            images = [
                self.generator.random_image(image, np.random.default_rng((self.seed, times, index)))
                for image, times, index in shown
            ]
        return np.stack(images, dtype=np.float32), self.labels[chosen]

    def _sample_epoch(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the epoch's order of the images, and how often each was shown before."""
        sampled, epoch = self._sampled, self.epoch
        if sampled is None or sampled[0] != epoch:  # two threads may both sample, with one result
            order = np.arange(len(self.paths))
            times_shown = np.full(len(order), epoch)
            if self.generator is not None:
                order, times_shown = sample_epoch(self.classes, self.epoch_images, self.seed, epoch)
            sampled = self._sampled = (epoch, order, times_shown)
        return sampled[1:]
