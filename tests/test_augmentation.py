import numpy as np
import pytest

from conftest import ROOT
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.training import augmentation
from deepfake_audio.vocabulary import ZERO_DELAY

LEVELS_PER_DB = 255 / 80
ROW_HZ = np.linspace(7950, 50, 80)  # rows 100 Hz apart, highest first
DRAWS = range(30)
ALL_ON = (
    "time_roll_share=0.5", "gain_db=6", "color_db=6", "noise_floor_db=30",
    "band_limit_hz=4000", "time_masks=2", "frequency_masks=2",
)  # fmt: skip


def settings(*overrides):
    return load_settings(None, [f"distort.{override}" for override in overrides]).distort


def grey(level=100.0, channels=1):
    return np.full((80, 60, channels), level, np.float32)


def ramp():
    """Return an image whose columns are 0, 1, 2 and so on."""
    return np.tile(np.arange(60, dtype=np.float32)[None, :, None], (80, 1, 1))


def changed(change, image, seed, **how):
    """Return a changed copy, after checking that it is the same each time."""
    first, second = image.copy(), image.copy()
    change(first, np.random.default_rng(seed), **how)
    change(second, np.random.default_rng(seed), **how)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 255
    return first


def runs_of(marked):
    """Return the lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, marked.astype(int), 0]))
    return edges[1::2] - edges[::2]


def test_roll_keeps_all_frames_in_their_circular_order():
    starts = set()
    for seed in DRAWS:
        columns = changed(augmentation.roll_time, ramp(), seed, share=0.25)[0, :, 0]
        start = int(columns[0])
        np.testing.assert_array_equal(columns, (np.arange(60) + start) % 60)
        starts.add((start + 30) % 60 - 30)
    assert min(starts) < 0 < max(starts)
    assert all(abs(start) <= 15 for start in starts)


def test_gain_is_one_offset_in_db_over_the_whole_image():
    offsets = []
    for seed in DRAWS:
        image = changed(augmentation.change_gain, grey(), seed, reach_db=6,
                        levels_per_db=LEVELS_PER_DB)  # fmt: skip
        assert np.ptp(image) == 0
        offsets.append((image[0, 0, 0] - 100) / LEVELS_PER_DB)
    assert np.abs(offsets).max() <= 6
    assert min(offsets) < -3 and max(offsets) > 3


def test_color_is_a_smooth_curve_over_frequency_and_the_same_at_all_times():
    peaks = []
    for seed in DRAWS:
        image = changed(augmentation.color_channel, grey(), seed, reach_db=10,
                        levels_per_db=LEVELS_PER_DB)  # fmt: skip
        assert np.ptp(image, axis=1).max() == 0
        curve_db = (image[:, 0, 0] - 100) / LEVELS_PER_DB
        peaks.append(np.abs(curve_db).max())
        assert curve_db.min() < 0 < curve_db.max() or peaks[-1] < 0.1
        assert np.abs(np.diff(curve_db)).max() < 0.2 * peaks[-1]
    assert 5 < max(peaks) <= 10.001


def test_noise_adds_its_power_to_silence_and_leaves_loud_sound():
    for seed in DRAWS:
        how = {"reach_db": 30, "levels_per_db": LEVELS_PER_DB}
        noise_db = changed(augmentation.add_noise, grey(0.0), seed, **how) / LEVELS_PER_DB
        floor_power = np.mean(10 ** (noise_db.astype(float) / 10)) - 1  # black itself counts as 1
        rng = np.random.default_rng(seed)
        rng.standard_exponential((80, 60, 1), np.float32)
        assert floor_power == pytest.approx(10 ** (rng.uniform(0, 30) / 10), rel=0.1)
        loud = changed(augmentation.add_noise, grey(250.0), seed, **how)
        np.testing.assert_allclose(loud, 250, atol=0.01)


@pytest.fixture(scope="module")
def noise():
    settings = load_settings(ROOT / "unseen.yaml")
    return augmentation.make_noise(settings.audio, settings.image)


def test_sampled_noise_has_a_mean_power_of_one_and_delays_over_the_whole_frame(noise):
    assert noise.shape == (256, 1920, 2)
    assert noise[..., 0].mean() == pytest.approx(1)
    assert noise[..., 1].mean() == pytest.approx(ZERO_DELAY, abs=1)
    assert noise[..., 1].std() > 30


def test_noise_sets_the_delays_if_it_is_stronger_than_the_sound(noise):
    image = np.full((256, 96, 2), ZERO_DELAY, np.float32)
    image[:, :48, 0], image[:, 48:, 0] = 0, 250
    for seed in DRAWS[:5]:
        out = changed(augmentation.add_noise, image, seed, reach_db=30, noise=noise,
                      levels_per_db=LEVELS_PER_DB)  # fmt: skip
        np.testing.assert_allclose(out[:, 48:], image[:, 48:], atol=0.01)
        quiet = out[:, :48]
        is_noise = quiet[..., 1] != ZERO_DELAY
        assert is_noise.mean() > 0.2
        assert quiet[is_noise, 0].mean() > quiet[~is_noise, 0].mean()


def test_noise_in_the_image_is_like_noise_in_the_sound(noise):
    """A decaying tone: its picture made noisy has the levels and delays of the noisy tone's."""
    settings = load_settings(ROOT / "unseen.yaml")
    times = np.arange(settings.audio.window_samples) / settings.audio.sample_rate_hz
    rng = np.random.default_rng(5)
    tone = np.exp(-3 * times) * np.sign(np.sin(2 * np.pi * 200 * times))
    images = {}
    for name, level in (("tone", 1e-4), ("noisy", 0.03)):
        sound = (tone + level * rng.normal(size=len(tone))).astype(np.float32)
        images[name] = spectrogram_image(sound, settings.audio)[..., :2].astype(np.float32)
    target = images["noisy"]
    found = []
    for seed in range(300):
        out = images["tone"].copy()
        augmentation.add_noise(out, np.random.default_rng(seed), 60, LEVELS_PER_DB, noise)
        found.append(out)
    closest = min(found, key=lambda out: abs(np.median(out[..., 0]) - np.median(target[..., 0])))
    for at in (25, 50, 75, 90):  # where both are alike, sound may take itself away: below
        levels = [np.percentile(image[..., 0], at) for image in (closest, target)]
        assert levels[0] == pytest.approx(levels[1], abs=4)
    assert closest[..., 1].std() == pytest.approx(target[..., 1].std(), rel=0.1)


def test_band_limit_blackens_all_above_one_frequency_and_nothing_below():
    edges = []
    for seed in DRAWS:
        image = changed(augmentation.limit_band, grey(), seed, lowest_hz=4000, row_hz=ROW_HZ)
        black = image[:, 0, 0] == 0
        np.testing.assert_array_equal(image[~black], 100)
        assert (np.diff(black.astype(int)) <= 0).all()
        edges.append(ROW_HZ[~black][0])
    assert 3900 <= min(edges) < 5000
    assert max(edges) > 7000


def test_time_masks_cover_up_to_their_share_with_the_mean():
    widths = []
    for seed in DRAWS:
        image = changed(augmentation.mask_time, ramp() * 2, seed, masks=1, share=0.2)
        masked = (image == np.float32(59)).all(axis=(0, 2))
        assert len(runs_of(masked)) <= 1
        widths.append(masked.sum())
        np.testing.assert_array_equal(image[:, ~masked], (ramp() * 2)[:, ~masked])
    assert 8 < max(widths) <= 12
    assert min(widths) < 4


def test_frequency_masks_cover_up_to_their_width_with_the_mean():
    image = np.repeat(np.arange(80, dtype=np.float32), 60).reshape(80, 60, 1) * 2
    widths = []
    for seed in DRAWS:
        out = changed(augmentation.mask_frequencies, image, seed, masks=1, widest_hz=1000,
                      row_hz=ROW_HZ)  # fmt: skip
        masked = (out == np.float32(79)).all(axis=(1, 2))
        assert len(runs_of(masked)) <= 1
        widths.append(masked.sum())
        np.testing.assert_array_equal(out[~masked], image[~masked])
    assert 7 < max(widths) <= 10


@pytest.mark.parametrize("override", ["time_masks=1", "frequency_masks=1"])
def test_masks_cover_each_channel_with_its_own_mean(override):
    image = np.concatenate([ramp() * 2, ramp() + 90], axis=2)
    out = changed(augmentation.make_distortion(settings(override), ROW_HZ, LEVELS_PER_DB), image, 1)
    covered = (out != image).any(axis=2)
    assert covered.any()
    np.testing.assert_allclose(out[covered], np.tile([59, 119.5], (covered.sum(), 1)))


def test_more_masks_cover_more():
    shares = []
    for masks in (1, 5):
        out = [changed(augmentation.mask_time, ramp() * 2, seed, masks=masks, share=0.2)
               for seed in DRAWS]  # fmt: skip
        shares.append(np.mean([(image == np.float32(59)).mean() for image in out]))
    assert shares[1] > 2 * shares[0]


def test_all_are_off_as_shipped():
    assert augmentation.make_distortion(settings(), ROW_HZ, LEVELS_PER_DB) is None


@pytest.mark.parametrize("override", ALL_ON)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_single_setting_changes_images_and_all_channels_alike(override, channels):
    distort = augmentation.make_distortion(settings(override), ROW_HZ, LEVELS_PER_DB)
    image = np.repeat(ramp() * 3, channels, axis=2)
    before = image.copy()
    for seed in range(5):
        distort(image, np.random.default_rng(seed))
    assert (image != before).any()
    np.testing.assert_array_equal(image, np.repeat(image[..., :1], channels, axis=2))


def test_all_distortions_stay_within_range_and_depend_only_on_the_generator():
    distort = augmentation.make_distortion(settings(*ALL_ON), ROW_HZ, LEVELS_PER_DB)
    first, other = (changed(distort, ramp(), seed) for seed in (1, 2))
    assert (first != other).any()


def test_a_band_limit_above_the_image_is_an_error():
    with pytest.raises(InputError, match=r"band_limit_hz=9000 is not below 7950"):
        augmentation.make_distortion(settings("band_limit_hz=9000"), ROW_HZ, LEVELS_PER_DB)
