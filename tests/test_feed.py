import numpy as np
import pytest
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from conftest import draw_image
from deepfake_audio.config import load_settings
from deepfake_audio.dataset import read_records
from deepfake_audio.feed import SpectrogramGenerator, training_feed, validation_feed

SETTINGS = load_settings(None, ["image.height=32", "image.width=32"])
EVERYTHING = {
    "shear_range": 10.0,
    "zoom_range": 0.2,
    "rotation_range": 10.0,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "horizontal_flip": True,
    "vertical_flip": True,
}


def training_records(folder):
    return [record for record in read_records(folder) if record.split == "train"]


def feed_of(folder, workers=1, **augment):
    settings = SETTINGS.augment.model_copy(update=augment)
    return training_feed(training_records(folder), SETTINGS.image, settings, 5, 7, workers)


def batches(feed):
    return [feed[number] for number in range(len(feed))]


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "wrap", "constant"])
@pytest.mark.parametrize("shape", [(128, 96), (64, 65)])
def test_distortions_are_kerass_own(fill_mode, shape):
    stock = ImageDataGenerator(**EVERYTHING, fill_mode=fill_mode, interpolation_order=1)
    ours = SpectrogramGenerator(**EVERYTHING, fill_mode=fill_mode, interpolation_order=1)
    image = np.resize(draw_image("real", 1, 128), (*shape, 1)).astype(np.float32)
    for seed in range(30):
        parameters = stock.get_random_transform(image.shape, seed=seed)
        expected = stock.apply_transform(image, parameters)
        difference = np.abs(ours.apply_transform(image, parameters) - expected)
        assert difference.mean() < 0.05
        assert np.quantile(difference, 0.999) < 1


def test_draws_are_kerass_own_and_leave_numpys_global_generator_alone():
    stock, ours = ImageDataGenerator(**EVERYTHING), SpectrogramGenerator(**EVERYTHING)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    drawn = ours.get_random_transform((32, 32, 1), seed=11)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert drawn == stock.get_random_transform((32, 32, 1), seed=11)


def test_nearest_pixel_keeps_the_grain():
    ours = SpectrogramGenerator(shear_range=10.0, interpolation_order=0)
    image = np.random.default_rng(0).integers(0, 2, (64, 64, 1)).astype(np.float32) * 255
    warped = ours.apply_transform(image, {"shear": 7.0})
    assert set(np.unique(warped)) == {0.0, 255.0}
    assert (warped != image).any()


def test_undistorted_feed_holds_the_files_pixels_and_labels(data_folder):
    records = [record for record in read_records(data_folder) if record.split == "val"]
    feed = validation_feed(records, SETTINGS.image, 5, 1)
    images = np.concatenate([images for images, _ in batches(feed)])
    labels = np.concatenate([labels for _, labels in batches(feed)])
    assert images.shape == (24, 32, 32, 1)
    np.testing.assert_array_equal(images[3, ..., 0], draw_image("fake", 24 + 4))
    np.testing.assert_array_equal(labels[:, 0], [record.label == "real" for record in records])


def test_each_epoch_shows_each_image_once_in_another_order(data_folder):
    still = {"shear_range": 0.0, "zoom_range": 0.0, "horizontal_flip": False}
    feed = feed_of(data_folder, **still)
    orders = []
    for epoch in range(2):
        feed.epoch = epoch
        orders.append([image.tobytes() for images, _ in batches(feed) for image in images])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    assert len(set(orders[0])) == 24


def test_labels_follow_their_images(data_folder):
    still = {"shear_range": 0.0, "zoom_range": 0.0, "horizontal_flip": False}
    label_of = {
        draw_image(label, seed).tobytes(): float(label == "real")
        for label, seeds in (("fake", range(1, 13)), ("real", range(13, 25)))
        for seed in seeds
    }
    for images, labels in batches(feed_of(data_folder, **still)):
        assert images.shape[1:] == (32, 32, 1)
        for image, label in zip(images, labels[:, 0], strict=True):
            assert label_of[image.astype(np.uint8).tobytes()] == label


def test_the_same_seed_and_epoch_give_the_same_batches_in_any_order(data_folder):
    forwards, backwards = feed_of(data_folder), feed_of(data_folder, workers=2)
    assert backwards.workers == 2
    expected = batches(forwards)
    for number in reversed(range(len(backwards))):
        np.testing.assert_array_equal(backwards[number][0], expected[number][0])
    backwards.epoch = 1
    assert (backwards[0][0] != expected[0][0]).any()
