"""Which images each epoch of training shows, and in which order.

Every draw follows from the seed and the epoch's number alone, so a training that goes on after a
kill, and any number of workers, are shown the same.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np

from deepfake_audio.vocabulary import ImageRecord

GOLDEN_RATIO = (5**0.5 - 1) / 2
CHUNK_TURNS = 262_144  # are counted at a time, in some megabytes


def class_groups(records: Sequence[ImageRecord], balance: str) -> list[list[np.ndarray]]:
    """Return the positions of the records for each class and group that has a share of its own.

    Args:
        records: of the training images.
        balance: `none` puts all into one; `groups` makes one of each generator (`attack`), and of
            each corpus where no generator is named, as for real voices. A generator's share is one
            however many corpora it has said again: copies of many would crowd out other fakes.

    Returns:
        For each class its groups, each integers `(images,)`.
    """
    if balance == "none":
        return [[np.arange(len(records))]]
    classes = defaultdict(lambda: defaultdict(list))
    for position, record in enumerate(records):
        classes[record.label][record.attack or record.corpus].append(position)
    return [[np.array(group) for group in groups.values()] for groups in classes.values()]


def sample_epoch(
    classes: Sequence[Sequence[np.ndarray]], images: int, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images of an epoch: the next so many of a round that never ends.

    In it the classes take turns; a group's share of its class is as the square root of its size,
    so that a few images are seen without being learnt by heart; and each group shows its images in
    an order that is drawn anew whenever all have been shown. Over any stretch of epochs two classes
    or two images of a group differ by one showing at most, and a group is within a few of its
    share, whether it is shown several times an epoch or takes several epochs to be shown.

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
        bounds = _bounds(groups)
        before = _count_turns(bounds, int(of_class[0]) if len(of_class) else 0)
        after = before + _count(bounds, of_class)
        for group, *span in zip(groups, before.tolist(), after.tolist(), strict=True):
            drawn.append(_sample_group(group, np.arange(*span), seed, number))
            number += 1
    positions, passes = np.concatenate(drawn, axis=1)
    if number == 1:
        return positions, passes
    mixed = np.random.default_rng((seed, epoch, number)).permutation(images)
    return positions[mixed], passes[mixed]


def _bounds(groups: Sequence[np.ndarray]) -> tuple[float, ...]:
    """Return where the share of each of a class's groups ends, 0 to 1, but the last one's."""
    ends = np.sqrt([len(group) for group in groups]).cumsum()
    return tuple((ends[:-1] / ends[-1]).tolist())


def _count_turns(bounds: tuple[float, ...], turns: int) -> np.ndarray:
    """Return how many of so many turns from the first on each group has, integers `(groups,)`.

    What was counted is remembered: a late epoch follows on earlier ones, or is the first after a
    kill, and all turns of all epochs at once would fill the memory.
    """
    if not bounds:
        return np.array([turns])
    whole, rest = divmod(turns, CHUNK_TURNS)
    last = _count(bounds, np.arange(turns - rest, turns))
    return sum((_count_chunk(bounds, number) for number in range(whole)), start=last)


@cache
def _count_chunk(bounds: tuple[float, ...], number: int) -> np.ndarray:
    return _count(bounds, np.arange(number * CHUNK_TURNS, (number + 1) * CHUNK_TURNS))


def _count(bounds: tuple[float, ...], turns: np.ndarray) -> np.ndarray:
    """Return how many of some turns each of a class's groups has; they are evenly mixed.

    Multiples of the golden ratio fill an interval evenly at any time (Weyl's equidistribution).
    """
    whose = np.searchsorted(bounds, turns * GOLDEN_RATIO % 1, side="right")
    return np.bincount(whose, minlength=len(bounds) + 1)


def _sample_group(group: np.ndarray, turns: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Return what a group shows in consecutive turns: `(2, turns)`, positions and passes before."""
    if not len(turns):
        return np.empty((2, 0), int)
    passes = turns // len(group)
    orders = [
        np.random.default_rng((seed, one, number)).permutation(group)
        for one in range(passes[0], passes[-1] + 1)
    ]
    return np.stack([np.concatenate(orders)[turns - passes[0] * len(group)], passes])
