"""Which images each epoch of training shows, and in which order.

Every draw follows from the seed and the epoch's number alone, so a training that goes on after a
kill, and any number of workers, are shown the same.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from deepfake_audio.dataset import ImageRecord


def group_images(records: Sequence[ImageRecord], balance: str) -> list[list[np.ndarray]]:
    """Return the positions of the records for each class and group that is to be shown equally.

    Args:
        records: of the training images.
        balance: `none` puts all into one; `groups` makes one of each corpus and generator
            (`attack`) of a class, which is the class itself where the manifest names neither.

    Returns:
        For each class its groups, each integers `(images,)`.
    """
    if balance == "none":
        return [[np.arange(len(records))]]
    classes = defaultdict(lambda: defaultdict(list))
    for position, record in enumerate(records):
        classes[record.label][record.corpus, record.attack].append(position)
    return [[np.array(group) for group in groups.values()] for groups in classes.values()]


def draw_epoch(
    classes: Sequence[Sequence[np.ndarray]], images: int, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images of an epoch: the next so many of a round that never ends.

    In it the classes take turns, within a class its groups, and each group shows its images in an
    order that is drawn anew whenever all have been shown. So over any stretch of epochs the counts
    of two classes, of two groups of a class, or of two images of a group differ by one at most,
    whether a group is shown several times an epoch or takes several epochs to be shown.

    Args:
        classes: as `group_images` returns them, none empty.
        images: of one epoch.
        seed: of the training.
        epoch: from 0.

    Returns:
        The positions of the images, integers `(images,)`, and how often each was shown before,
        integers `(images,)`.
    """
    turns = np.arange(epoch * images, (epoch + 1) * images)
    drawn, number = [], 0
    for class_number, groups in enumerate(classes):
        of_class = turns[turns % len(classes) == class_number] // len(classes)
        for group_number, group in enumerate(groups):
            of_group = of_class[of_class % len(groups) == group_number] // len(groups)
            drawn.append(_draw_group(group, of_group, seed, number))
            number += 1
    positions, passes = np.concatenate(drawn, axis=1)
    if number == 1:
        return positions, passes
    mixed = np.random.default_rng((seed, epoch, number)).permutation(images)
    return positions[mixed], passes[mixed]


def _draw_group(group: np.ndarray, turns: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Return what a group shows in consecutive turns: `(2, turns)`, positions and passes before."""
    if not len(turns):
        return np.empty((2, 0), int)
    passes = turns // len(group)
    orders = [
        np.random.default_rng((seed, one, number)).permutation(group)
        for one in range(passes[0], passes[-1] + 1)
    ]
    return np.stack([np.concatenate(orders)[turns - passes[0] * len(group)], passes])
