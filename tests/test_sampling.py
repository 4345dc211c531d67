import itertools
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from deepfake_audio.training.sampling import class_groups, sample_epoch
from deepfake_audio.vocabulary import ImageRecord

REALS = {("a", ""): 40, ("b", ""): 3}
FAKES = {("a", "vocoder"): 25, ("a", "tts"): 7, ("b", ""): 1}
IMAGES = 76


def records_of(reals=REALS, fakes=FAKES):
    return [
        ImageRecord(Path("x"), "x", label, "train", corpus=corpus, attack=attack)
        for label, groups in (("fake", fakes), ("real", reals))
        for (corpus, attack), images in groups.items()
        for _ in range(images)
    ]


def shown(records, balance, images, epochs):
    classes = class_groups(records, balance)
    sampled = [sample_epoch(classes, images, 7, epoch)[0] for epoch in epochs]
    return np.concatenate(sampled)


@pytest.mark.parametrize("epoch", [0, 1, 50])
def test_without_balance_each_epoch_is_a_new_order_of_all_images(epoch):
    positions, passes = sample_epoch(class_groups(records_of(), "none"), IMAGES, 7, epoch)
    expected = np.random.default_rng((7, epoch)).permutation(IMAGES)
    np.testing.assert_array_equal(positions, expected)
    assert set(passes) == {epoch}


def test_short_epochs_together_show_each_image_once():
    orders = shown(records_of(), "none", 19, range(8)).reshape(2, IMAGES)
    for order in orders:
        assert sorted(order) == list(range(IMAGES))
    assert (orders[0] != orders[1]).any()


@pytest.mark.parametrize("images", [IMAGES, 12, 1000])
def test_classes_are_shown_equally_and_groups_by_the_root_of_their_sizes(images):
    records = records_of()
    for epochs in (range(1), range(3, 4), range(5)):
        order = [records[position] for position in shown(records, "groups", images, epochs)]
        counts = Counter((record.label, record.corpus, record.attack) for record in order)
        total = images * len(epochs)
        assert sum(counts.values()) == total
        for label, groups in (("fake", FAKES), ("real", REALS)):
            roots = sum(size**0.5 for size in groups.values())
            for group, size in groups.items():
                assert abs(counts[label, *group] - total / 2 * size**0.5 / roots) < 2.5


def test_a_generator_of_many_corpora_has_one_share():
    fakes = {("a", "tts"): 16} | {(str(corpus), "copies"): 1 for corpus in range(16)}
    records = records_of(fakes=fakes)
    order = [records[position] for position in shown(records, "groups", 400, [0])]
    assert abs(sum(record.attack == "copies" for record in order) - 100) < 3


def test_within_a_group_no_image_is_shown_more_often_than_another():
    records = records_of()
    times = np.bincount(shown(records, "groups", 30, range(9)), minlength=IMAGES)
    start = 0
    for images in (*FAKES.values(), *REALS.values()):
        group = times[start : start + images]
        assert group.max() - group.min() <= 1
        start += images
    assert times.sum() == 9 * 30


def test_every_repetition_of_an_image_has_its_own_number():
    classes = class_groups(records_of(), "groups")
    sampled = [zip(*sample_epoch(classes, 50, 7, epoch), strict=True) for epoch in range(4)]
    assert len(set(itertools.chain(*sampled))) == 200


def test_all_groups_are_shown_in_time_if_they_outnumber_the_images_of_an_epoch():
    records = records_of(fakes={("a", str(number)): 2 for number in range(20)})
    order = [records[position] for position in shown(records, "groups", 4, range(30))]
    assert {record.attack for record in order if record.label == "fake"} == set(map(str, range(20)))


def test_without_corpora_and_generators_a_group_is_the_class():
    records = records_of(reals={("", ""): 30}, fakes={("", ""): 4})
    labels = [records[position].label for position in shown(records, "groups", 34, [2])]
    assert Counter(labels) == {"real": 17, "fake": 17}


def test_fake_and_real_images_are_mixed_within_an_epoch():
    records = records_of()
    labels = [records[position].label for position in shown(records, "groups", 1000, [0])]
    for start in range(0, 1000, 100):
        assert 25 < labels[start : start + 100].count("fake") < 75


@pytest.mark.parametrize(
    ("balance", "epoch", "positions", "passes"),
    [
        ("groups", 0, [75, 17, 4, 69, 28, 27, 48, 47, 19], [0] * 9),
        ("groups", 3, [67, 25, 75, 52, 18, 8, 32, 43, 34], [0, 0, 1, 0, 0, 0, 1, 0, 0]),
        ("groups", 1000, [21, 52, 4, 56, 25, 8, 70, 30, 63],
         [104, 88, 104, 88, 196, 104, 88, 196, 88]),
        ("groups", 123_456, [74, 29, 23, 11, 36, 25, 50, 33, 20],
         [39811, 24287, 12851, 12851, 10902, 24287, 10902, 10902, 12851]),
        ("none", 1000, [14, 61, 21, 33, 52, 62, 58, 26, 28], [118] * 9),
    ],
)  # fmt: skip
def test_an_epoch_shows_the_same_images_in_every_version(balance, epoch, positions, passes):
    sampled = sample_epoch(class_groups(records_of(), balance), 9, 7, epoch)
    assert [part.tolist() for part in sampled] == [positions, passes]


def test_a_late_epoch_takes_no_more_memory_than_the_first():
    classes = class_groups(records_of(), "groups")
    tracemalloc.start()
    try:
        sample_epoch(classes, 100, 7, 100_000)
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert peak_mb < 15  # the turns of all these epochs are 40 MB
