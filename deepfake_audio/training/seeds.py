"""Random numbers that an image's place in the training decides: many images at once, any thread.

NumPy's `SeedSequence` and `seed` do the same for one image at a time, the latter in a generator
that all threads share.
"""

import itertools
import threading

import numpy as np

# Of O'Neill's seed_seq_fe (2015), as numpy/random/bit_generator.pyx has it.
POOL_WORDS = 4
ENTROPY_HASH = (0x43B0D7E5, 0x931E8875)
STATE_HASH = (0x8B51F9DD, 0x58F38DED)
MIX_LEFT, MIX_RIGHT = 0xCA01F9DD, 0x4973F715

THREAD = threading.local()


def image_seeds(seed: int, epoch: int | np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the number that decides all that is drawn for each image in an epoch.

    It is NumPy's `SeedSequence((seed, epoch, index)).generate_state(1)[0]`.

    Args:
        seed: of the training, 0 to below 2**32.
        epoch: from 0, or for each image how often it was shown before, `(images,)`.
        indices: of the images, integers `(images,)` from 0.

    Returns:
        uint32 `(images,)`.
    """
    indices = np.asarray(indices, np.uint32)
    constants = [ENTROPY_HASH[0]]
    for _ in range(POOL_WORDS * POOL_WORDS):
        constants.append(constants[-1] * ENTROPY_HASH[1] % 2**32)
    hashes = itertools.pairwise(constants)
    words = [np.full_like(indices, seed), np.full_like(indices, epoch), indices, 0 * indices]
    pool = [_hash(word, *next(hashes)) for word in words]
    for source in range(POOL_WORDS):
        for target in range(POOL_WORDS):
            if source != target:
                pool[target] = _mix(pool[target], _hash(pool[source], *next(hashes)))
    return _hash(pool[0], STATE_HASH[0], STATE_HASH[0] * STATE_HASH[1] % 2**32)


def _hash(words: np.ndarray, before: int, after: int) -> np.ndarray:
    words = (words ^ before) * after
    return words ^ (words >> 16)


def _mix(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    mixed = left * MIX_LEFT - right * MIX_RIGHT
    return mixed ^ (mixed >> 16)


def uniform_draws(seeds: np.ndarray, count: int) -> np.ndarray:
    """Return what `numpy.random.seed(seed)` and then `numpy.random.random(count)` give.

    Args:
        seeds: uint32 `(images,)`.
        count: of the numbers for each.

    Returns:
        float64 `(images, count)`, 0 to below 1.
    """
    if not hasattr(THREAD, "random"):
        THREAD.random = np.random.RandomState()
    draws = np.empty((len(seeds), count))
    for row, seed in zip(draws, np.asarray(seeds).tolist(), strict=True):
        THREAD.random.seed(seed)
        row[:] = THREAD.random.random_sample(count)
    return draws
