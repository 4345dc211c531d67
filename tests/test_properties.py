"""Properties that hold for any input, tried on inputs that hypothesis makes up."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hostile_inputs as hostile
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import cut_windows, pad_window, recording_windows
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.yaml_files import parse_yaml
from deepfake_audio.corpora.listed_files import inside
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.features.image_files import decode_image
from deepfake_audio.features.image_headers import image_size
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.onnx_check import check_graph

SMALL = load_settings(None, ["image.height=16", "image.width=16"]).image
AUDIO = load_settings().audio
IMAGES = [hostile.picture(suffix) for suffix in (".png", ".jpg", ".bmp", ".webp", ".tif")]
SOUNDS = [
    hostile.sound(hostile.noise(4000), form=form, subtype=subtype)
    for form, subtype in (
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("WAV", "FLOAT"),
    )
]
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def changed(draw, files: list[bytes]) -> bytes:
    """Return a file with some bytes changed, cut off, or put in between."""
    content = bytearray(draw(st.sampled_from(files)))
    places = st.integers(0, len(content) - 1)
    for place, byte in draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[place] = byte
    place = draw(places)
    content[place:place] = draw(st.binary(max_size=20))
    return bytes(content[: draw(st.integers(1, len(content)))])


@pytest.mark.slow
@quick
@given(changed(IMAGES) | st.binary(max_size=200))
def test_any_bytes_are_an_image_or_a_user_error(encoded):
    try:
        first = decode_image(encoded, SMALL, "made up")
    except InputError as error:
        assert one_line(error) == str(error)
        return
    assert first.shape == (16, 16, 1)
    assert image_size(encoded)
    np.testing.assert_array_equal(decode_image(encoded, SMALL, "made up"), first)


@quick
@given(changed(SOUNDS) | st.binary(min_size=1, max_size=200))
def test_any_bytes_are_a_recording_or_a_user_error(encoded):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound.wav")
        path.write_bytes(encoded)
        try:
            recording = open_recording(path, AUDIO, max_hours=0.1)
            for start, window in recording_windows(recording, AUDIO):
                assert start >= 0
                assert window.shape == (AUDIO.window_samples,)
                assert np.isfinite(window).all()
                assert spectrogram_image(window, AUDIO).shape == (128, 96)
        except InputError as error:
            assert "sound.wav" in str(error)


@quick
@given(
    samples=st.integers(1, 20_000), length=st.integers(100, 4000), overlap=st.floats(0, 0.95),
    cuts=st.lists(st.integers(0, 20_000), max_size=5), most=st.integers(0, 5),
)  # fmt: skip
def test_windows_cover_all_samples_in_order_for_any_block_sizes(
    samples, length, overlap, cuts, most
):
    cut = AUDIO.model_copy(update={
        "sample_rate_hz": 16_000, "window_seconds": length / 16_000, "window_overlap": overlap,
    })  # fmt: skip
    sound = np.arange(samples, dtype=np.float32)
    blocks = np.split(sound, sorted(place for place in cuts if place < samples))
    windows = list(cut_windows(blocks, samples, cut, most))
    assert all(len(window) == cut.window_samples for _, window in windows)
    assert len(windows) <= (most or len(windows))
    starts = [start for start, _ in windows]
    assert starts == sorted(set(starts))
    if samples < cut.window_samples:
        np.testing.assert_array_equal(windows[0][1], pad_window(sound, cut))
        return
    for start, window in windows:
        np.testing.assert_array_equal(window, sound[round(start * 16_000) :][: len(window)])
    if not most:
        assert set(np.concatenate([window for _, window in windows])) == set(sound)


@quick
@given(st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=60), st.randoms())
def test_error_rates_are_rates_and_do_not_depend_on_the_order(scores, random):
    is_real = [1, 0] + [random.randrange(2) for _ in scores[2:]]
    rate = equal_error_rate(np.array(is_real), np.array(scores)).rate
    assert 0 <= rate <= 1
    order = list(range(len(scores)))
    random.shuffle(order)
    again = equal_error_rate(np.array(is_real)[order], np.array(scores)[order]).rate
    assert again == pytest.approx(rate)


@quick
@given(st.lists(st.tuples(st.floats(width=32), st.integers(0, 1)), max_size=20))
def test_an_error_rate_is_finite_or_an_error(files):
    scores, is_real = np.array(files).reshape(-1, 2).T
    try:
        rate = equal_error_rate(is_real.astype(int), scores).rate
    except InputError:
        return
    assert np.isfinite(rate)


@quick
@given(
    st.floats(0, 1e6), st.floats(-1e6, 1e6),
    st.lists(st.floats(-3e38, 3e38), min_size=1, max_size=20),
)  # fmt: skip
def test_a_calibrated_score_is_a_probability_and_keeps_the_order(slope, intercept, scores):
    p_real = Calibration(slope, intercept).probability_real(np.sort(scores), prior_fake=0.5)
    assert ((p_real >= 0) & (p_real <= 1)).all()
    assert (np.diff(p_real) >= 0).all()


@quick
@given(st.integers(8, 64), st.integers(8, 64), st.randoms())
def test_an_encoded_image_is_decoded_to_the_same_pixels(height, width, random):
    pixels = np.random.default_rng(random.randrange(2**32)).integers(0, 256, (height, width))
    same = SMALL.model_copy(update={"height": height, "width": width})
    encoded = encode_png(pixels.astype(np.uint8))
    assert image_size(encoded) == (width, height)
    np.testing.assert_array_equal(decode_image(encoded, same, "made up")[..., 0], pixels)


@quick
@given(st.text(max_size=200))
def test_any_text_is_plain_yaml_or_a_user_error(text):
    try:
        parse_yaml(text, "made up")
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.slow
@quick
@given(st.binary(max_size=300))
def test_any_bytes_are_a_valid_network_or_a_user_error(encoded):
    try:
        check_graph(encoded, "made up", load_settings().limits)
    except InputError as error:
        assert "made up" in str(error)


@quick
@given(st.text(alphabet="ab./\\:~ \n", max_size=12))
def test_a_listed_path_never_leaves_its_root(file):
    root = Path("/corpus")
    try:
        path = root / inside(file, "made up")
    except InputError:
        return
    assert ".." not in path.parts
    assert path.is_relative_to(root)
    assert path != root
