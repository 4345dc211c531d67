"""The default network beside the tutorials': multiplications, and images trained a second.

    python -m benchmarks.bench_network

One core, whole training steps (forwards, backwards, weights) on images that lie in memory. The
machine's own limit is that of a large matrix product.
"""

import os
import sys

from benchmarks import ROOT, Row, least_seconds, print_rows, stay_on_one_core

stay_on_one_core()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Sequence

import numpy as np

STEPS = 12
MATRIX = 1536
NETWORKS = {"default": None, "tutorial": ROOT / "benchmarks" / "tutorial.yaml"}


def multiplications(model) -> int:
    """Return the multiplications of one image's way through convolutions and dense layers."""
    return sum(
        int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
        for layer in model.layers
        if hasattr(layer, "kernel")
    )


def images_per_second(config) -> tuple[float, int]:
    """Return how many images a second a network learns from, and its multiplications."""
    from deepfake_audio.config.loading import load_settings
    from deepfake_audio.training.trainer import compile_model
    from model import build_model

    settings = load_settings(config)
    model = compile_model(build_model, settings, STEPS)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (settings.train.batch_size, *settings.image.shape))
    images, labels = images.astype(np.float32), rng.integers(0, 2, (len(images), 1))
    seconds = least_seconds(lambda: [model.train_on_batch(images, labels) for _ in range(STEPS)])
    return STEPS * len(images) / seconds, multiplications(model)


def machine_limit() -> float:
    """Return the multiplications a second of a large matrix product, float32."""
    a = np.random.default_rng(0).normal(size=(MATRIX, MATRIX)).astype(np.float32)
    return MATRIX**3 / least_seconds(lambda: a @ a)


def measure(_: Sequence[object] = ()) -> list[Row]:
    """Return the rows of this benchmark."""
    speed, work = zip(*(images_per_second(config) for config in NETWORKS.values()), strict=True)
    limit = machine_limit()
    # Backwards costs twice forwards: once for the inputs, once for the weights.
    reached = [3 * count * rate / 1e9 for count, rate in zip(work, speed, strict=True)]
    return [
        Row("million multiplications an image, forwards", work[0] / 1e6, work[1] / 1e6,
            work[1] / work[0], "tutorial network"),
        Row("images trained a second", *speed, speed[0] / speed[1], "tutorial network"),
        Row("billion multiplications a second in training", reached[0], limit / 1e9,
            reached[0] / (limit / 1e9), "large matrix product"),
    ]  # fmt: skip


if __name__ == "__main__":
    print_rows(measure(sys.argv[1:]))
