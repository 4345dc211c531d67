"""What training and validation are fed with: Keras's ImageDataGenerator over the records' images.

Keras draws the parameters of each distortion; OpenCV reads the image and applies all of them in
one interpolation. Each image's distortion depends on (seed, epoch, image) alone, so the same seed
gives the same batches for any number of workers, and a resumed training is fed what it would have
been fed.
"""

import threading
from collections.abc import Sequence

import cv2
import keras
import numpy as np
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from deepfake_audio.config import AugmentSettings, ImageSettings
from deepfake_audio.dataset import ImageRecord
from deepfake_audio.images import read_image

BORDERS = {"nearest": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT}
INTERPOLATIONS = {0: cv2.INTER_NEAREST, 1: cv2.INTER_LINEAR}
GLOBAL_RANDOM_LOCK = threading.Lock()


class SpectrogramGenerator(ImageDataGenerator):
    """`ImageDataGenerator` with seeded draws that threads can't disturb, and OpenCV's affine."""

    def get_random_transform(self, img_shape: tuple, seed: int | None = None) -> dict:
        """Draw parameters as Keras does, leaving NumPy's global generator as it was."""
        with GLOBAL_RANDOM_LOCK:
            state = np.random.get_state()
            try:
                return super().get_random_transform(img_shape, seed)
            finally:
                np.random.set_state(state)

    def apply_transform(self, x: np.ndarray, transform_parameters: dict) -> np.ndarray:
        """Apply rotation, shift, shear, zoom and flips at once.

        Args:
            x: uint8 or float `(height, width, channels)`.
            transform_parameters: as `get_random_transform` returns them.

        Returns:
            float32 of the same shape; within 1 of 255 of Keras's own result.
        """
        x = x.astype(np.float32, copy=False)
        if self.fill_mode not in BORDERS:  # SciPy's wrap and constant are not OpenCV's at the edges
            return super().apply_transform(x, transform_parameters)
        height, width = x.shape[:2]
        warped = cv2.warpAffine(
            x,
            affine_matrix(transform_parameters, height, width)[:2],
            (width, height),
            flags=INTERPOLATIONS[self.interpolation_order] | cv2.WARP_INVERSE_MAP,
            borderMode=BORDERS[self.fill_mode],
        )
        return warped.reshape(x.shape)

    def flow_from_records(
        self,
        records: Sequence[ImageRecord],
        image_settings: ImageSettings,
        batch_size: int,
        seed: int,
        workers: int,
    ) -> "ImageFeed":
        """Return a feed that shuffles the records each epoch and distorts each image."""
        return ImageFeed(records, image_settings, batch_size, workers, generator=self, seed=seed)


class ImageFeed(keras.utils.PyDataset):
    """Batches of images, float32 `(batch, height, width, channels)` in 0...255, and labels.

    Attributes:
        epoch: set it before each epoch; it decides the order and the distortions.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        image_settings: ImageSettings,
        batch_size: int,
        workers: int,
        generator: SpectrogramGenerator | None = None,
        seed: int = 0,
    ):
        super().__init__(workers=workers)
        self.records = records
        self.image_settings = image_settings
        self.batch_size = batch_size
        self.generator = generator
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.records) // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.arange(len(self.records))
        if self.generator is not None:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        images = np.stack([self._image(index) for index in chosen])
        labels = np.array([[self.records[index].class_index] for index in chosen], np.float32)
        return images, labels

    def _image(self, index: int) -> np.ndarray:
        pixels = read_image(self.records[index].path, self.image_settings)
        if self.generator is None:
            return pixels.astype(np.float32)
        seed = np.random.SeedSequence((self.seed, self.epoch, int(index))).generate_state(1)[0]
        parameters = self.generator.get_random_transform(pixels.shape, seed=int(seed))
        return self.generator.apply_transform(pixels, parameters)


def training_feed(
    records: Sequence[ImageRecord],
    image_settings: ImageSettings,
    augment: AugmentSettings,
    batch_size: int,
    seed: int,
    workers: int,
) -> ImageFeed:
    """Return the feed for training: shuffled and distorted by the settings."""
    generator = SpectrogramGenerator(**augment.model_dump())
    return generator.flow_from_records(records, image_settings, batch_size, seed, workers)


def validation_feed(
    records: Sequence[ImageRecord], image_settings: ImageSettings, batch_size: int, workers: int
) -> ImageFeed:
    """Return the feed for validation: in order, as the images are."""
    return ImageFeed(records, image_settings, batch_size, workers)


def affine_matrix(parameters: dict, height: int, width: int) -> np.ndarray:
    """Return the map from output to input pixels for Keras's transform parameters.

    Keras composes rotation, shift, shear and zoom, in this order, and flips afterwards. It takes
    `(height / 2, width / 2)` for the centre's (column, row); in images that are not square this is
    off the middle, and is kept, so that the same parameters mean the same.

    Args:
        parameters: theta and shear in degrees, tx and ty in pixels, zx, zy, flips.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        float64 `(3, 3)` on `(column, row, 1)`, as OpenCV takes it.
    """
    theta, shear = np.deg2rad(parameters.get("theta", 0)), np.deg2rad(parameters.get("shear", 0))
    rotation = [
        [np.cos(theta), -np.sin(theta), 0],
        [np.sin(theta), np.cos(theta), 0],
        [0, 0, 1],
    ]
    shift = [[1, 0, parameters.get("tx", 0)], [0, 1, parameters.get("ty", 0)], [0, 0, 1]]
    shearing = [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]
    zoom = np.diag([parameters.get("zx", 1), parameters.get("zy", 1), 1])
    centre = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    flip = np.eye(3)
    if parameters.get("flip_horizontal"):
        flip[0] = -1, 0, width - 1
    if parameters.get("flip_vertical"):
        flip[1] = 0, -1, height - 1
    return np.linalg.multi_dot(
        [centre, rotation, shift, shearing, zoom, np.linalg.inv(centre), flip]
    )
