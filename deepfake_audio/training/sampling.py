"""Choose the images of each epoch of training, and their order.

The choice depends only on the seed and the epoch's number: a resumed training, with any number of
workers, gets the same images.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np

from deepfake_audio.vocabulary import ImageRecord

GOLDEN_RATIO = (5**0.5 - 1) / 2
CHUNK_TURNS = 262_144  # counted at a time, in some megabytes


def class_groups(records: Sequence[ImageRecord], balance: str) -> list[list[np.ndarray]]:
    """Group the positions of records by class, generator and corpus.

    Args:
        records: of the training images.
        balance: `none` makes one group; `groups` makes one for each generator (`attack`), and one
            for each corpus of records without a generator, such as real voices. A generator is one
            group in all corpora together: otherwise one with many corpora would crowd out others.

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
    """Sample the images of an epoch: the next ones of an endless sequence.

    In the sequence the classes alternate. A group's share of its class is proportional to the
    square root of its size, so that small groups are shown often but not memorised. Each group
    shows its images in a random order, and takes a new order after all were shown. Over any number
    of epochs, two classes or two images of a group differ by at most one showing, and a group is
    within a few showings of its share.

    Args:
        classes: as `class_groups` returns them, none empty.
        images: of one epoch.
        seed: of the training.
        epoch: from 0.

    Returns:
        The positions of the images, integers `(images,)`, and how often each was shown before,
        integers `(images,)`.
    """
    turns = np.arange(epoch * images, (epoch + 1) * images)
    sampled, number = [], 0
    for class_number, groups in enumerate(classes):
        of_class = turns[turns % len(classes) == class_number] // len(classes)
        bounds = _bounds(groups)
        before = _count_turns(bounds, int(of_class[0]) if len(of_class) else 0)
        after = before + _count(bounds, of_class)
        for group, *span in zip(groups, before.tolist(), after.tolist(), strict=True):
            sampled.append(_sample_group(group, np.arange(*span), seed, number))
            number += 1
    positions, passes = np.concatenate(sampled, axis=1)
    if number == 1:
        return positions, passes
    mixed = np.random.default_rng((seed, epoch, number)).permutation(images)
    return positions[mixed], passes[mixed]


def _bounds(groups: Sequence[np.ndarray]) -> tuple[float, ...]:
    """Return the cumulative shares of a class's groups, 0 to 1, without the last."""
    ends = np.sqrt([len(group) for group in groups]).cumsum()
    return tuple((ends[:-1] / ends[-1]).tolist())


def _count_turns(bounds: tuple[float, ...], turns: int) -> np.ndarray:
    """Count each group's turns among the first turns: integers `(groups,)`.

    Counts of whole chunks are cached, since each epoch needs those of the earlier ones; all turns
    of all epochs at once would fill the memory.
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
    """Count how many of the given turns each group of a class has; turns are evenly mixed.

    Multiples of the golden ratio fill an interval evenly at any time (Weyl's equidistribution).
    """
    whose = np.searchsorted(bounds, turns * GOLDEN_RATIO % 1, side="right")
    return np.bincount(whose, minlength=len(bounds) + 1)


def _sample_group(group: np.ndarray, turns: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Return a group's images in consecutive turns: `(2, turns)`, positions and times shown."""
    if not len(turns):
        return np.empty((2, 0), int)
    passes = turns // len(group)
    orders = [
        np.random.default_rng((seed, one, number)).permutation(group)
        for one in range(passes[0], passes[-1] + 1)
    ]
    return np.stack([np.concatenate(orders)[turns - passes[0] * len(group)], passes])
