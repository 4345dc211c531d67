"""What training and validation are fed with: Keras's ImageDataGenerator over the records' images.

Keras says what is drawn and what it means; OpenCV does it in one interpolation, on images that are
kept in memory while there is room. Each image's distortion depends on (seed, epoch, image) alone,
so the same seed gives the same batches for any number of workers, and a resumed training is fed
what it would have been fed.
"""

import threading
from collections.abc import Callable, Sequence

import cv2
import keras
import numpy as np
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from deepfake_audio.features.image_files import ImageCache
from deepfake_audio.training.affine import (
    INTERPOLATIONS,
    affine_matrices,
    mirror_delays,
    scale_levels,
    shift_levels,
    warp,
)
from deepfake_audio.training.sampling import class_groups, sample_epoch
from deepfake_audio.training.seeds import image_seeds, uniform_draws
from deepfake_audio.vocabulary import CHANNELS, WITH_DELAY, ImageRecord

GLOBAL_RANDOM_LOCK = threading.Lock()
UNCHANGED = {
    "theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1,
    "flip_horizontal": False, "flip_vertical": False,
    "channel_shift_intensity": None, "brightness": None,
}  # fmt: skip


class SpectrogramGenerator(ImageDataGenerator):
    """`ImageDataGenerator` with seeded draws that threads can't disturb, and OpenCV's affine.

    Args:
        *keras_parameters, **named_keras_parameters: those of `ImageDataGenerator`, with Keras's
            meanings.
        distort: changes a float32 image of 0...255 in place, given its levels (with their delays,
            without frame rates) and a `numpy.random.Generator` of its own; None changes nothing.
        color: what the channels show, as in `image.color`: a delay is mirrored where the sound is
            played backwards, and frame rates stay as they are.
    """

    def __init__(
        self,
        *keras_parameters,
        color: str = "grayscale",
        distort: Callable[[np.ndarray, np.random.Generator], None] | None = None,
        **named_keras_parameters,
    ):
        super().__init__(*keras_parameters, **named_keras_parameters)
        self.distort = distort
        self.color = color

    def get_random_transform(self, img_shape: tuple, seed: int | None = None) -> dict:
        """Draw parameters as Keras does; with a seed, NumPy's global generator stays as it was."""
        if seed is None:
            return super().get_random_transform(img_shape)
        drawn = self.draw_transforms(img_shape, np.array([seed]))
        return {name: None if values is None else values[0] for name, values in drawn.items()}

    def draw_transforms(self, img_shape: tuple, seeds: np.ndarray) -> dict[str, np.ndarray | None]:
        """Draw what Keras draws for images of one shape after `numpy.random.seed` of each seed.

        Args:
            img_shape: `(height, width, channels)`.
            seeds: integers `(images,)`, 0 to below 2**32.

        Returns:
            Keras's transform parameters, each `(images,)`, or None where Keras has None.
        """
        shifts = self.height_shift_range, self.width_shift_range
        if any(np.ndim(reach) or reach >= 1 for reach in shifts):  # pixels, drawn in another way
            return self._draw_by_keras(img_shape, seeds)
        columns = iter(uniform_draws(seeds, len(UNCHANGED)).T)

        def draw(low: float, high: float) -> np.ndarray:
            return low + (high - low) * next(columns)

        def draw_around_zero(reach: float) -> np.ndarray:
            return draw(-reach, reach) if reach else np.zeros(len(seeds))

        drawn = {"theta": draw_around_zero(self.rotation_range)}
        drawn["tx"] = draw_around_zero(self.height_shift_range) * img_shape[self.row_axis - 1]
        drawn["ty"] = draw_around_zero(self.width_shift_range) * img_shape[self.col_axis - 1]
        drawn["shear"] = draw_around_zero(self.shear_range)
        still = tuple(self.zoom_range) == (1, 1)
        for name in ("zx", "zy"):
            drawn[name] = np.ones(len(seeds)) if still else draw(*self.zoom_range)
        drawn["flip_horizontal"] = (next(columns) < 0.5) & self.horizontal_flip
        drawn["flip_vertical"] = (next(columns) < 0.5) & self.vertical_flip
        reach = self.channel_shift_range
        drawn["channel_shift_intensity"] = draw(-reach, reach) if reach else None
        drawn["brightness"] = draw(*self.brightness_range) if self.brightness_range else None
        return drawn

    def _draw_by_keras(self, img_shape: tuple, seeds: np.ndarray) -> dict[str, np.ndarray | None]:
        with GLOBAL_RANDOM_LOCK:
            state = np.random.get_state()
            try:
                rows = [
                    super(SpectrogramGenerator, self).get_random_transform(img_shape, int(seed))
                    for seed in seeds
                ]
            finally:
                np.random.set_state(state)
        return {
            name: None if value is None else np.array([row[name] for row in rows])
            for name, value in rows[0].items()
        }

    def apply_transform(self, x: np.ndarray, transform_parameters: dict) -> np.ndarray:
        """Apply rotation, shift, shear, zoom, flips, channel shift and brightness to an image.

        Args:
            x: uint8 or float `(height, width, channels)`.
            transform_parameters: as `get_random_transform` returns them.

        Returns:
            float32 of the same shape; within 1 of 255 of Keras's own result.
        """
        x = x.astype(np.float32, copy=False)
        if self.interpolation_order not in INTERPOLATIONS or self.data_format == "channels_first":
            return super().apply_transform(x, transform_parameters)
        one = {
            name: None if value is None else np.array([value])
            for name, value in (UNCHANGED | transform_parameters).items()
        }
        return self.apply_transforms([x], one)[0]

    def apply_transforms(
        self, images: Sequence[np.ndarray], parameters: dict[str, np.ndarray | None]
    ) -> np.ndarray:
        """Apply its parameters to each of the images.

        Args:
            images: uint8 or float32 `(height, width, channels)`, all of one shape and type.
            parameters: as `draw_transforms` returns them.

        Returns:
            float32 `(images, height, width, channels)`.
        """
        height, width = images[0].shape[:2]
        matrices = affine_matrices(parameters, height, width)
        invents_levels = self.interpolation_order > 0 or self.fill_mode == "constant"
        warped = np.empty(
            (len(images), *images[0].shape), np.float32 if invents_levels else images[0].dtype
        )
        for image, matrix, out in zip(images, matrices, warped, strict=True):
            image = image.astype(out.dtype, copy=False)
            warp(image, matrix, self.interpolation_order, self.fill_mode, self.cval, out)
        warped = warped.astype(np.float32, copy=False)
        if self.color in WITH_DELAY:
            mirror_delays(warped[..., 1], parameters["flip_horizontal"])
            rates = slice(CHANNELS["level_delay"], None)
            warped[..., rates] = np.stack([image[..., rates] for image in images])
        for name, change in (
            ("channel_shift_intensity", shift_levels),
            ("brightness", scale_levels),
        ):
            if parameters[name] is not None:
                for image, amount in zip(warped, parameters[name], strict=True):
                    change(image, amount)
        return warped

    def random_batch(self, images: Sequence[np.ndarray], seeds: np.ndarray) -> np.ndarray:
        """Distort each image as its seed says.

        Args:
            images: uint8 `(height, width, channels)`, all of one shape.
            seeds: uint32 `(images,)`.

        Returns:
            float32 `(images, height, width, channels)`.
        """
        batch = self.apply_transforms(images, self.draw_transforms(images[0].shape, seeds))
        heard = CHANNELS["level_delay"] if self.color in WITH_DELAY else None
        for image, seed in zip(batch, seeds.tolist(), strict=True):
            if self.distort is not None:
                self.distort(image[..., :heard], np.random.default_rng(seed))
            standardized = self.standardize(image)
            if standardized is not image:
                image[...] = standardized
        return batch

    def flow_from_records(
        self,
        records: Sequence[ImageRecord],
        cache: ImageCache,
        batch_size: int,
        seed: int,
        workers: int,
        balance: str = "none",
        epoch_images: int = 0,
    ) -> "ImageFeed":
        """Return a feed that draws records for each epoch and distorts each image."""
        if self.interpolation_order not in INTERPOLATIONS or self.data_format == "channels_first":
            raise ValueError(
                "A feed has interpolation_order 0 or 1 and data_format channels_last. "
                f"Received: {self.interpolation_order} and {self.data_format}"
            )
        return ImageFeed(records, cache, batch_size, workers, self, seed, balance, epoch_images)


class ImageFeed(keras.utils.PyDataset):
    """Batches of images, float32 `(batch, height, width, channels)` in 0...255, and labels.

    Without a generator the images come in order and as they are. With one, `balance` says which
    are shown equally often (see `draws.group_images`), and `epoch_images` how many an epoch shows
    at most; 0 shows as many as there are records.

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
        cv2.setNumThreads(1)  # its own threads slow down one small image, and the workers
        self.paths = [record.path for record in records]
        self.labels = np.array([[record.class_index] for record in records], np.float32)
        self.cache = cache
        self.batch_size = batch_size
        self.generator = generator
        self.seed = seed
        self.classes = class_groups(records, balance)
        self.epoch_images = min(epoch_images or len(records), len(records))
        self.epoch = 0
        self._drawn: tuple[int, np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return -(-self.epoch_images // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        order, seeds = self._draw_epoch()
        places = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        chosen = order[places]
        images = [self.cache.read(self.paths[index]) for index in chosen.tolist()]
        if self.generator is None:
            return np.stack(images, dtype=np.float32), self.labels[chosen]
        return self.generator.random_batch(images, seeds[places]), self.labels[chosen]

    def _draw_epoch(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the epoch's order of the images, and the seed of each."""
        drawn, epoch = self._drawn, self.epoch
        if drawn is None or drawn[0] != epoch:  # two threads may both draw, and draw the same
            order, passes = np.arange(len(self.paths)), epoch
            if self.generator is not None:
                order, passes = sample_epoch(self.classes, self.epoch_images, self.seed, epoch)
            drawn = self._drawn = (epoch, order, image_seeds(self.seed, passes, order))
        return drawn[1:]
