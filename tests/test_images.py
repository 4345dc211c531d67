import cv2
import numpy as np
import pytest

from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_files import (
    ImageCache,
    fit_image,
    is_blank,
    is_foreign,
    is_nearly_blank,
    read_image,
)
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.vocabulary import ZERO_PROMINENCE

GREY = load_settings(None, ["image.height=32", "image.width=24"]).image
RGB = load_settings(None, ["image.height=32", "image.width=24", "image.channels=rgb"]).image
DELAY = RGB.model_copy(update={"channels": "level_delay"})
RATES = RGB.model_copy(update={"channels": "level_delay_rates", "height": 64})


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 24), dtype=np.uint8)


def test_a_written_png_reads_back_the_same(tmp_path, pixels):
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(pixels))
    np.testing.assert_array_equal(read_image(path, GREY)[..., 0], pixels)
    np.testing.assert_array_equal(fit_image(pixels, GREY), read_image(path, GREY))


def test_grey_read_as_rgb_has_three_equal_channels(tmp_path, pixels):
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(pixels))
    image = read_image(path, RGB)
    assert image.shape == (32, 24, 3)
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], pixels)


def test_colours_keep_their_order(tmp_path):
    red_in_opencvs_order = np.zeros((32, 24, 3), np.uint8)
    red_in_opencvs_order[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red_in_opencvs_order)
    assert read_image(tmp_path / "red.png", RGB)[0, 0].tolist() == [255, 0, 0]


def test_an_image_without_blue_has_delays_only_if_red_and_green_vary(tmp_path, pixels):
    warm = np.dstack([np.full_like(pixels, 255), pixels, np.zeros_like(pixels)])
    (tmp_path / "warm.png").write_bytes(encode_png(warm))
    assert read_image(tmp_path / "warm.png", GREY).shape == (32, 24, 1)
    (tmp_path / "delay.png").write_bytes(encode_png(np.dstack([pixels, pixels[::-1]])))
    assert read_image(tmp_path / "delay.png", DELAY).shape == (32, 24, 2)
    for settings in (GREY, RGB):
        with pytest.raises(InputError, match="or choose a run with image"):
            read_image(tmp_path / "delay.png", settings)


def test_an_image_of_frame_rates_is_recognised(tmp_path):
    red, green, grain = np.random.default_rng(1).integers(0, 256, (3, 64, 24), dtype=np.uint8)
    drawn, noise = tmp_path / "drawn.png", tmp_path / "noise.png"
    drawn.write_bytes(encode_png(np.dstack([red, green, np.repeat(grain[:16], 4, axis=0)])))
    noise.write_bytes(encode_png(np.dstack([red, green, grain])))
    np.testing.assert_array_equal(read_image(drawn, RATES)[..., 2], np.repeat(grain[:16], 4, 0))
    np.testing.assert_array_equal(
        read_image(drawn, RATES.model_copy(update={"channels": "level_delay"})),
        np.dstack([red, green]),
    )
    silent = np.dstack([red, green, np.full_like(red, ZERO_PROMINENCE)])
    (tmp_path / "silent.png").write_bytes(encode_png(silent))
    np.testing.assert_array_equal(read_image(tmp_path / "silent.png", RATES), silent)
    of_others = np.dstack([red, green, np.full_like(red, 255)])
    (tmp_path / "of_others.png").write_bytes(encode_png(of_others))
    assert read_image(tmp_path / "of_others.png", GREY).shape == (32, 24, 1)
    with pytest.raises(InputError, match="lacks the frame rates in blue that prepare"):
        read_image(noise, RATES)
    assert read_image(noise, RGB).shape == (32, 24, 3)
    for settings in (GREY, RGB):
        with pytest.raises(InputError, match="or choose a run with image"):
            read_image(drawn, settings)


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "webp", "tiff", "png"])
def test_other_formats_and_sizes_are_read(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    cv2.imwrite(str(path), np.full((100, 300, 3), 77, np.uint8))
    image = read_image(path, GREY)
    assert image.shape == (32, 24, 1)
    assert np.abs(image.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("content", [b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_a_file_that_is_no_image_is_an_error(tmp_path, content):
    path = tmp_path / "image.png"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"^cannot read .*image\.png: it is damaged, or no PNG, JPEG"
    ):
        read_image(path, GREY)


def test_a_missing_image_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"cannot read an image: .*none\.png"):
        read_image(tmp_path / "none.png", GREY)


def test_the_cache_keeps_images_until_it_is_full(tmp_path, pixels):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        path.write_bytes(encode_png(pixels))
    cache = ImageCache(GREY, 2 * pixels.nbytes / 1e6)
    first = [cache.read(path) for path in paths]
    again = [cache.read(path) for path in paths]
    assert [a is b for a, b in zip(first, again, strict=True)] == [True, True, False]
    for image in first:
        np.testing.assert_array_equal(image[..., 0], pixels)
    with pytest.raises(ValueError, match="read-only"):
        first[0][:] = 0


def test_level_and_delay_come_back_from_red_and_green(tmp_path):
    drawn = np.random.default_rng(0).integers(0, 256, (32, 24, 2), dtype=np.uint8)
    (tmp_path / "image.png").write_bytes(encode_png(drawn))
    np.testing.assert_array_equal(read_image(tmp_path / "image.png", DELAY), drawn)
    as_red_and_green = cv2.imread(str(tmp_path / "image.png"), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(as_red_and_green, np.dstack([drawn, np.zeros((32, 24))]))
    np.testing.assert_array_equal(fit_image(drawn, DELAY), drawn)


def test_a_grey_image_has_no_delay(tmp_path, pixels):
    (tmp_path / "grey.png").write_bytes(encode_png(pixels))
    with pytest.raises(InputError, match=r"grey\.png with image\.channels=level_delay: it is grey"):
        read_image(tmp_path / "grey.png", DELAY)


def encoded(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("settings", [GREY, RGB, DELAY, RATES])
def test_a_picture_of_one_level_is_blank(level, settings):
    image = read_image(encoded(np.full((32, 24, 3), level, np.uint8)), settings)
    assert image.shape == settings.shape
    assert is_blank(image)


def test_noise_and_dots_are_nearly_blank_and_a_spectrogram_is_not(pixels):
    faint = np.random.default_rng(0).normal(128, 1, (128, 96)).astype(np.uint8)
    dot = np.zeros((128, 96), np.uint8)
    dot[60, 50] = 255
    assert is_nearly_blank(faint) and is_nearly_blank(dot)
    assert not is_nearly_blank(read_image(encoded(pixels), GREY))


def test_an_image_of_another_size_or_colour_is_foreign(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (32, 24), dtype=np.uint8)
    assert not is_foreign(encode_png(grey), (32, 24), GREY)
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".jpg", grey)[1].tobytes())
    assert not is_foreign(tmp_path / "a.jpg", (32, 24), GREY)
    assert is_foreign(encode_png(grey), (64, 24), GREY)
    colours = cv2.imencode(".png", cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS))[1].tobytes()
    assert is_foreign(colours, (32, 24), GREY)
    assert not is_foreign(colours, (32, 24), DELAY)  # `read_image` checks its colours


def test_a_blank_jpeg_is_blank_and_a_spectrogram_is_not(pixels):
    white = cv2.imencode(".jpg", np.full((32, 24), 250, np.uint8))[1].tobytes()
    assert is_blank(read_image(white, GREY))
    assert not is_blank(read_image(encoded(pixels), GREY))


@pytest.mark.parametrize("settings", [GREY, RGB])
def test_content_in_the_alpha_channel_is_seen(settings, pixels):
    black = np.zeros((32, 24, 3), np.uint8)
    image = read_image(encoded(np.dstack([black, pixels])), settings)
    np.testing.assert_allclose(image[..., 0], 255 - pixels.astype(int), atol=2)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_16_bits_that_use_only_the_lower_ones_are_seen(bits):
    levels = np.random.default_rng(0).integers(0, 2**bits, (32, 24), dtype=np.uint16)
    levels[0, 0] = 2**bits - 1
    image = read_image(encoded(levels), GREY)[..., 0]
    np.testing.assert_array_equal(image, levels >> (bits - 8))
