"""How fast images reach the network, beside what Keras offers and beside the floor.

    python -m benchmarks.bench_feed             on the shipped sample's images, as 128x128 grey PNG

Shear, zoom and flip with Keras's default interpolation, batches of 32, everything in one process on
one core, on the same files, best of five rounds. Each way has run once before the clock starts:
ours holds its images in memory then, as it does from the second epoch on.
"""

import os

from benchmarks import ROOT, Row, print_rows, stay_on_one_core

stay_on_one_core()  # before TensorFlow counts them
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.image_folders import find_images
from deepfake_audio.features.image_files import ImageCache, read_image
from deepfake_audio.training.generator import ImageFeed, SpectrogramGenerator
from deepfake_audio.vocabulary import LABELS

SAMPLE = ROOT / "data" / "sample"
SIZE = 128
FEED = "training feed, blending (us an image)"
IMAGE = load_settings(None, [f"image.height={SIZE}", f"image.width={SIZE}"]).image
DISTORTIONS = {"shear_range": 2.0, "zoom_range": 0.05, "horizontal_flip": True}
BATCH = 32
ROUNDS = 5
ORDER = 1  # of the interpolation: bilinear


def write_images(folder: Path) -> int:
    """Write the sample's training images at the benchmark's size; return how many there are."""
    records = [record for record in find_images(SAMPLE).records if record.split == "train"]
    records = records[: len(records) // BATCH * BATCH]
    for record in records:
        path = folder / record.image
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(read_image(record.path, IMAGE), (SIZE, SIZE)))
    return len(records)


def our_feed(folder: Path, cache_mb: int) -> ImageFeed:
    generator = SpectrogramGenerator(**DISTORTIONS, interpolation_order=ORDER)
    cache = ImageCache(IMAGE, cache_mb)
    return ImageFeed(find_images(folder).records, cache, BATCH, 1, generator, seed=1)


def stock_feed(folder: Path) -> keras.utils.PyDataset:
    """Feed as Keras's documentation of ImageDataGenerator does."""
    generator = ImageDataGenerator(**DISTORTIONS, interpolation_order=ORDER)
    return generator.flow_from_directory(
        folder / "train",
        target_size=(SIZE, SIZE),
        color_mode="grayscale",
        classes=list(LABELS),
        class_mode="binary",
        batch_size=BATCH,
        seed=1,
    )


def stock_feed_from_memory(folder: Path) -> keras.utils.PyDataset:
    images = np.stack([read_image(record.path, IMAGE) for record in find_images(folder).records])
    generator = ImageDataGenerator(**DISTORTIONS, interpolation_order=ORDER)
    return generator.flow(images.astype(np.float32), np.zeros(len(images)), batch_size=BATCH)


def layers_feed(folder: Path, cached: bool) -> Iterable:
    """Feed as Keras's documentation of the preprocessing layers does, in a tf.data pipeline."""
    how = {"interpolation": "bilinear", "fill_mode": "nearest"}
    angle = np.deg2rad(DISTORTIONS["shear_range"])
    augment = keras.Sequential(
        [
            keras.layers.RandomShear(x_factor=float(np.sin(angle)), **how),
            keras.layers.RandomZoom(DISTORTIONS["zoom_range"], DISTORTIONS["zoom_range"], **how),
            keras.layers.RandomFlip("horizontal"),
        ]
    )
    images = keras.utils.image_dataset_from_directory(
        folder / "train",
        label_mode="binary",
        class_names=list(LABELS),
        color_mode="grayscale",
        batch_size=BATCH,
        image_size=(SIZE, SIZE),
        seed=1,
        verbose=False,
    )
    if cached:
        images = images.cache()
    return images.map(lambda batch, labels: (augment(batch, training=True), labels)).prefetch(2)


def floor_epoch(folder: Path) -> Callable[[], None]:
    """Return a warp and a copy for each image of an epoch, which lie in memory as float32."""
    images = [
        read_image(record.path, IMAGE).astype(np.float32) for record in find_images(folder).records
    ]
    matrix = np.array([[1.01, 0.02, -1.0], [0.0, 0.99, 1.0]])
    flags = ORDER | cv2.WARP_INVERSE_MAP
    batch = np.empty((BATCH, SIZE, SIZE), np.float32)

    def epoch() -> None:
        for number, image in enumerate(images):
            batch[number % BATCH] = cv2.warpAffine(
                image, matrix, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE
            )

    return epoch


def walk(feed: keras.utils.PyDataset) -> Callable[[], None]:
    """Return what takes every batch of a feed once."""
    return lambda: exhaust(feed[number] for number in range(len(feed)))


def exhaust(batches: Iterable) -> None:
    deque(batches, maxlen=0)


def best_times(epochs: Sequence[Callable[[], None]], images: int) -> list[float]:
    """Return the microseconds an image of each, best of some rounds, which are mixed."""
    for epoch in epochs:
        epoch()
    best = [np.inf] * len(epochs)
    for _ in range(ROUNDS):
        for number, epoch in enumerate(epochs):
            started = time.perf_counter()
            epoch()
            best[number] = min(best[number], (time.perf_counter() - started) / images * 1e6)
    return best


def measure(_: Sequence[str] = ()) -> list[Row]:
    """Return the rows of this benchmark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = write_images(folder)
        epochs = {
            "ours": walk(our_feed(folder, cache_mb=1000)),
            "ours, read from disk each time": walk(our_feed(folder, cache_mb=0)),
            "ImageDataGenerator.flow_from_directory": walk(stock_feed(folder)),
            "ImageDataGenerator.flow, from memory": walk(stock_feed_from_memory(folder)),
            "image_dataset_from_directory + layers": partial(exhaust, layers_feed(folder, False)),
            "the same with .cache()": partial(exhaust, layers_feed(folder, True)),
            "floor: cv2.warpAffine and a copy": floor_epoch(folder),
        }
        ours, *others = best_times(list(epochs.values()), images)
    return [
        Row(FEED, ours, theirs, theirs / ours, what)
        for what, theirs in zip(list(epochs)[1:], others, strict=True)
    ]


if __name__ == "__main__":
    print_rows(measure())
