from multiprocessing.pool import ThreadPool

import cv2
import numpy as np
import pytest
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from conftest import ROOT, draw_image
from deepfake_audio.config.loading import load_settings
from deepfake_audio.dataset.manifest import read_records
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_files import ImageCache
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.training.generator import ImageFeed, SpectrogramGenerator
from deepfake_audio.training.trainer import make_feeds, set_up_process

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
LEVELS = {"channel_shift_range": 40.0, "brightness_range": (0.6, 1.5)}


def training_records(folder):
    return [record for record in read_records(folder) if record.split == "train"]


def feed_of(folder, workers=1, cache_mb=1, distort=None, **augment):
    keras_parameters = SETTINGS.augment.model_dump() | augment
    generator = SpectrogramGenerator(distort=distort, **keras_parameters)
    cache = ImageCache(SETTINGS.image, cache_mb)
    return ImageFeed(training_records(folder), cache, 5, workers, generator, seed=7)


def batches(feed):
    return [feed[number] for number in range(len(feed))]


def grainy(shape):
    return np.resize(draw_image("real", 1, 128), (*shape, 1)).astype(np.float32)


def differences(shape, seeds=20, **keras_parameters):
    """Return how far ours is from Keras's own on the parameters that Keras draws."""
    stock = ImageDataGenerator(**keras_parameters)
    ours = SpectrogramGenerator(**keras_parameters)
    image = grainy(shape)
    for seed in range(seeds):
        parameters = stock.get_random_transform(image.shape, seed=seed)
        expected = stock.apply_transform(image.copy(), parameters)
        yield np.abs(ours.apply_transform(image, parameters) - expected)


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "wrap", "constant"])
@pytest.mark.parametrize("shape", [(128, 96), (64, 65)])
def test_all_distortions_together_equal_those_of_keras(fill_mode, shape):
    for difference in differences(shape, **EVERYTHING, fill_mode=fill_mode, cval=33.0):
        assert difference.max() < 1
        assert difference.mean() < 0.05


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "wrap", "constant"])
@pytest.mark.parametrize(
    "one",
    [{name: value} for name, value in (EVERYTHING | LEVELS).items()],
    ids=lambda one: next(iter(one)),
)
@pytest.mark.parametrize("order", [0, 1])
def test_each_distortion_equals_that_of_keras(one, fill_mode, order):
    for difference in differences(
        (64, 48), 8, **one, fill_mode=fill_mode, interpolation_order=order
    ):
        assert difference.mean() < 0.05
        # The nearest of two pixels equally far may be either.
        assert (difference >= 1).sum() <= (1 if order == 0 else 0)


def test_brightness_after_blending_equals_that_of_keras_up_to_rounding():
    for difference in differences((64, 48), **EVERYTHING, **LEVELS):
        assert difference.mean() < 0.05
        assert difference.max() <= 2  # one level, times the brightness
        assert (difference >= 1).mean() < 0.002


@pytest.mark.parametrize(
    "keras_parameters",
    [
        {},
        EVERYTHING | LEVELS,
        {"zoom_range": (0.5, 0.9), "horizontal_flip": True, "brightness_range": (0.5, 0.6)},
    ],
    ids=["nothing", "everything", "some"],
)
def test_parameters_are_sampled_from_keras_ranges_without_numpys_global_generator(keras_parameters):
    stock, ours = (kind(**keras_parameters) for kind in (ImageDataGenerator, SpectrogramGenerator))
    np.random.seed(3)
    theirs = [stock.get_random_transform((32, 48, 1)) for _ in range(2000)]
    before = np.random.get_state()[1].copy()
    random = np.random.default_rng(1)
    sampled = [ours.sample_transform((32, 48, 1), random) for _ in range(2000)]
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert sampled[0].keys() == theirs[0].keys()
    for name in sampled[0]:
        expected, values = ([each[name] for each in some] for some in (theirs, sampled))
        if expected[0] is None:
            assert {*values} == {None}, name
            continue
        span = np.ptp(np.array(expected, float))
        for end in (np.min, np.max):
            assert abs(end(values) - end(expected)) <= 0.02 * span, name
        assert abs(np.mean(values) - np.mean(expected)) <= 0.05 * span, name


def test_nearest_pixel_keeps_the_grain():
    ours = SpectrogramGenerator(shear_range=10.0, interpolation_order=0)
    image = np.random.default_rng(0).integers(0, 2, (64, 64, 1)).astype(np.float32) * 255
    warped = ours.apply_transform(image, {"shear": 7.0})
    assert set(np.unique(warped)) == {0.0, 255.0}
    assert (warped != image).any()


def test_undistorted_feed_holds_the_files_pixels_and_labels(data_folder):
    records = [record for record in read_records(data_folder) if record.split == "val"]
    feed = ImageFeed(records, ImageCache(SETTINGS.image, 1), 5, 1)
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


def through_threads(feed):
    """Return a feed's batches as Keras's enqueuer takes them."""
    with ThreadPool(feed.workers) as pool:
        return list(pool.imap(feed.__getitem__, range(len(feed))))


ROOM_FOR_SEVEN = 7 * 32 * 32 / 1e6


@pytest.mark.parametrize("cache_mb", [0, ROOM_FOR_SEVEN, 1], ids=["none", "some", "all"])
@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("order", [0, 1])
def test_the_same_seed_gives_the_same_batches_cached_or_not(data_folder, cache_mb, workers, order):
    how = EVERYTHING | {"distort": jitter, "interpolation_order": order}
    plain = feed_of(data_folder, cache_mb=0, **how)
    feed = feed_of(data_folder, workers, cache_mb, **how)
    assert feed.workers == workers
    for epoch in (0, 1, 0):
        plain.epoch = feed.epoch = epoch
        for (images, labels), expected in zip(through_threads(feed), batches(plain), strict=True):
            np.testing.assert_array_equal(images, expected[0])
            np.testing.assert_array_equal(labels, expected[1])


def test_training_keeps_opencv_to_one_thread():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        set_up_process(seed=1)
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def jitter(image, random):
    image += random.uniform(0, 1)


def balanced(folder, workers=1):
    records = training_records(folder)[9:]  # 3 fakes and 12 reals
    generator = SpectrogramGenerator(distort=jitter, **SETTINGS.augment.model_dump())
    cache = ImageCache(SETTINGS.image, 1)
    return ImageFeed(records, cache, 4, workers, generator, 7, "groups", epoch_images=10)


def test_balanced_short_epochs_show_both_classes_equally_with_any_workers(data_folder):
    plain, feed = balanced(data_folder), balanced(data_folder, workers=3)
    assert len(feed) == 3
    for epoch in (0, 3, 1):
        plain.epoch = feed.epoch = epoch
        drawn = through_threads(feed)
        assert [len(images) for images, _ in drawn] == [4, 4, 2]
        assert np.concatenate([labels for _, labels in drawn]).mean() == 0.5
        for (images, labels), expected in zip(drawn, batches(plain), strict=True):
            np.testing.assert_array_equal(images, expected[0])
            np.testing.assert_array_equal(labels, expected[1])


def test_an_image_repeated_within_an_epoch_is_distorted_differently(data_folder):
    images = np.concatenate([images for images, _ in batches(balanced(data_folder))])
    assert len({image.tobytes() for image in images}) == 10


def test_batches_do_not_depend_on_the_order_of_requests(data_folder):
    feed = feed_of(data_folder)
    expected = batches(feed)
    for number in reversed(range(len(feed))):
        np.testing.assert_array_equal(feed[number][0], expected[number][0])
    feed.epoch = 1
    assert (feed[0][0] != expected[0][0]).any()


def test_images_are_read_once_if_the_cache_is_large_enough(data_folder):
    all_kept, none_kept = feed_of(data_folder), feed_of(data_folder, cache_mb=0)
    expected = batches(all_kept), batches(none_kept)
    for record in training_records(data_folder):
        record.path.unlink()
    for (images, _), (before, _) in zip(batches(all_kept), expected[0], strict=True):
        np.testing.assert_array_equal(images, before)
    with pytest.raises(InputError, match="cannot read an image"):
        none_kept[0]


def test_each_image_is_distorted_by_its_own_random_generator(data_folder):
    drawn = []
    feed = feed_of(data_folder, distort=lambda image, random: drawn.append(random.random()))
    batches(feed)
    first = list(drawn)
    assert len(set(first)) == 24
    batches(feed)
    assert drawn[24:] == first


def test_the_feed_standardizes_as_keras_does(data_folder):
    plain, scaled = feed_of(data_folder), feed_of(data_folder, rescale=1 / 255)
    inverted = feed_of(data_folder, preprocessing_function=lambda image: 255 - image)
    np.testing.assert_allclose(scaled[0][0], plain[0][0] / 255, rtol=1e-6)
    np.testing.assert_array_equal(inverted[0][0], 255 - plain[0][0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "augment.shear_range=20", "augment.zoom_range=0.4", "augment.horizontal_flip=false",
        "augment.vertical_flip=true", "augment.rotation_range=30",
        "augment.width_shift_range=0.3", "augment.height_shift_range=0.3",
        "augment.interpolation_order=1", "augment.channel_shift_range=50",
        "augment.brightness_range=[0.5, 0.6]", "distort.time_roll_share=0.5", "distort.gain_db=9",
        "distort.color_db=9", "distort.noise_floor_db=60", "distort.band_limit_hz=2000",
        "distort.time_masks=9", "distort.frequency_masks=9",
    ],
)  # fmt: skip
def test_every_setting_of_a_distortion_changes_training_and_not_validation(data_folder, override):
    default, other = (
        load_settings(None, ["image.height=32", "image.width=32", *overrides])
        for overrides in ([], [override])
    )
    records = read_records(data_folder)
    (training, validation), (changed, same) = (make_feeds(s, records) for s in (default, other))
    assert (changed[0][0] != training[0][0]).any()
    np.testing.assert_array_equal(same[0][0], validation[0][0])


def test_training_and_validation_share_the_memory_for_images(data_folder):
    settings = load_settings(None, ["feed.cache_mb=7", "feed.workers=3"])
    training, validation = make_feeds(settings, read_records(data_folder))
    assert training.cache is validation.cache
    assert (training.workers, validation.workers) == (3, 3)


def test_sound_played_backwards_has_its_delays_mirrored_and_its_frame_rates_kept():
    generator = SpectrogramGenerator(horizontal_flip=True, channels="level_delay_rates")
    image = np.random.default_rng(3).integers(2, 255, (16, 24, 3), dtype=np.uint8)
    kept, flipped = (
        generator.apply_transform(image, {"flip_horizontal": flip}) for flip in (False, True)
    )
    np.testing.assert_array_equal(kept, image)
    np.testing.assert_array_equal(flipped[..., 0], image[:, ::-1, 0])
    np.testing.assert_array_equal(flipped[..., 1], 256 - image[:, ::-1, 1].astype(int))
    np.testing.assert_array_equal(flipped[..., 2], image[..., 2])


def test_frame_rates_are_neither_masked_nor_made_noisy():
    def whiten(image, random):
        image[:] = 255

    generator = SpectrogramGenerator(channels="level_delay_rates", distort=whiten)
    image = np.random.default_rng(3).integers(2, 255, (16, 24, 3), dtype=np.uint8)
    changed = generator.random_image(image, np.random.default_rng(7))
    assert (changed[..., :2] == 255).all()
    np.testing.assert_array_equal(changed[..., 2], image[..., 2])


def test_the_image_of_reversed_sound_is_the_flipped_image():
    audio = load_settings(ROOT / "unseen.yaml").audio
    window = np.random.default_rng(4).normal(size=audio.window_samples).astype(np.float32)
    image = spectrogram_image(window, audio)
    backwards = spectrogram_image(window[::-1], audio)
    difference = backwards[..., 2].astype(int) - image[..., 2]
    assert np.abs(difference).mean() < np.abs(np.diff(image[..., 2].astype(int), axis=1)).mean() / 4
    backwards = backwards[:, ::-1, 1].astype(int)
    assert np.abs(256 - image[..., 1].astype(int) - backwards).mean() < 3
    assert np.abs(image[..., 1].astype(int) - backwards).mean() > 30
