from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deepfake_audio.training.seeds import image_seeds, uniform_draws


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (1, 59), (2**31 - 1, 2**20)])
def test_image_seeds_are_numpys_seed_sequence(seed, epoch):
    indices = np.array([0, 1, 2, 77, 10**6, 2**32 - 1])
    expected = [
        np.random.SeedSequence((seed, epoch, int(index))).generate_state(1)[0] for index in indices
    ]
    np.testing.assert_array_equal(image_seeds(seed, epoch, indices), expected)


def test_uniform_draws_are_numpys_global_ones_and_leave_that_generator_alone():
    np.random.seed(11)
    expected = np.random.random(10)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    drawn = uniform_draws(np.array([5, 11], np.uint32), 10)
    np.testing.assert_array_equal(drawn[1], expected)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_threads_do_not_disturb_each_others_draws():
    seeds = image_seeds(1, 0, np.arange(2000))
    expected = uniform_draws(seeds, 6)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda part: uniform_draws(part, 6), np.array_split(seeds, 40)))
    np.testing.assert_array_equal(np.concatenate(parts), expected)
