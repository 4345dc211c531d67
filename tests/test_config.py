import ast
from pathlib import Path

import pytest

from conftest import FRAME_RATES, ROOT
from deepfake_audio.config import loading
from deepfake_audio.config.loading import load_settings, read_settings, write_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError

DELAYS = ("audio.delay_fft_samples=512", "image.channels=level_delay")
RATES = (
    "audio.delay_fft_samples=512", "image.channels=level_delay_rates", "augment.shear_range=0",
    FRAME_RATES, "augment.zoom_range=0",
    "model.inputs=[frame_rates]",
)  # fmt: skip


def error_of(*overrides: str, path: Path | None = None) -> str:
    with pytest.raises(InputError) as caught:
        load_settings(path, overrides)
    return str(caught.value)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_overrides_change_what_they_name_and_nothing_else():
    settings = load_settings(None, ["train.epochs=3", "model.dropout=0.4"])
    defaults = load_settings()
    assert (settings.train.epochs, settings.model.dropout) == (3, 0.4)
    assert settings.audio == defaults.audio
    assert settings.train.seed == defaults.train.seed


def test_a_settings_file_needs_only_what_differs(tmp_path):
    path = write(tmp_path, "train:\n  epochs: 7\n")
    assert load_settings(path).train.epochs == 7
    assert load_settings(path, ["train.epochs=8"]).train.epochs == 8


def test_unknown_key_names_the_near_match():
    assert error_of("train.epoch=3") == ("train.epoch is not a setting; did you mean train.epochs?")
    assert "did you mean train.epochs?" in error_of("epochs=3")
    assert "did you mean model.dropout?" in error_of("train.dropout=0.4")


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("train.epochs=0", "train.epochs is 0; it should be at least 1 and at most 100000 (con"),
        ("train.epochs=many", "train.epochs is 'many'; it should be a whole number in digits, at"),
        ("train.epochs=1_0", "train.epochs is '1_0'; it should be a whole number in digits"),
        ("train.epochs=0x1f", "train.epochs is '0x1f'; it should be a whole number in digits"),
        ("train.epochs=٣", "train.epochs is '٣'; it should be a whole number in digits"),
        ("model.dropout=0.2_5", "model.dropout is '0.2_5'; it should be a valid number"),
        ("train.epochs=2.5", "train.epochs is 2.5; it should be a whole number in digits"),
        ("model.dropout=1.0", "model.dropout is 1.0; it should be at least 0 and below 1"),
        ("model.dropout=.nan", "model.dropout is nan; it should be a finite number"),
        ("augment.horizontal_flip=no", "augment.horizontal_flip is 'no'; it should be a valid bo"),
        (
            "image.channels=cmyk",
            "image.channels is 'cmyk'; it should be 'grayscale', 'level_delay', 'level_d",
        ),
        ("train.epochs", "'train.epochs' is not section.key=value; write a setting, such as"),
        (
            "model.pool_sizes=[[2, 2]]",
            "model.pool_sizes has 1 sizes for 5 model.conv_filters; give one [height, width] for",
        ),
        (
            "model.pool_sizes=[[2], [2], [2], [2], [2]]",
            "model.pool_sizes.0 is [2]; list should have",
        ),
        (
            "model.pool_sizes=[[2, 0]]",
            "model.pool_sizes.0.1 is 0; it should be greater than or equal",
        ),
        ("model.residual_rows=30", "model.residual_rows=30 is even; set it to 31"),
        ("train.schedule=linear", "train.schedule is 'linear'; it should be 'plateau' or 'cosine'"),
        ("train.balance=group", "it should be 'none' or 'groups'; did you mean groups?"),
        ("train.epoch_images=-1", "train.epoch_images is -1; it should be at least 0"),
        ("train.weight_decay=1", "train.weight_decay is 1.0; it should be at least 0 and below 1"),
        ("train.average_weights=1", "train.average_weights is 1.0; it should be at least 0 and b"),
        ("audio.frequency_bins=100", "audio.frequency_bins=100 does not divide half of audio.fft_"),
        ("audio.max_hz=9000", "and max_hz to at most 8000"),
        ("audio.window_seconds=0.01", "window_seconds=0.01 is shorter than one frame"),
    ],
)
def test_wrong_values_are_reported_in_one_line(override, part):
    message = error_of(override)
    assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("recordings", "such as train.epochs=3, and put a name with blanks in quotes"),
        ("my images", "write data.folder='my images', or --data 'my images' to evaluate"),
        ("first", "; for a run, write --run first"),
        ("runs/first", "; for a run, write --run runs/first"),
        ("train.epochs", "; write a setting, such as train.epochs=3"),
        ("=3", "; write a setting, such as train.epochs=3"),
    ],
)
def test_a_word_that_is_no_override_gets_a_suggestion(word, remedy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my images").mkdir()
    (tmp_path / "runs/first").mkdir(parents=True)
    (tmp_path / "runs/first/run.json").touch()
    assert error_of(word).endswith(remedy)


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("1", 1.0), ("0.01", 0.01)])
def test_numbers_are_read_as_usually_meant(text, value):
    assert load_settings(None, [f"train.learning_rate={text}"]).train.learning_rate == value


def test_a_leading_zero_does_not_make_an_octal_number():
    assert load_settings(None, ["train.epochs=010"]).train.epochs == 10


def test_repeated_key_is_an_error(tmp_path):
    path = write(tmp_path, "train:\n  epochs: 3\n  epochs: 4\n")
    assert "duplicate key" in error_of(path=path)


def test_yaml_that_builds_objects_is_refused(tmp_path):
    path = write(tmp_path, "train:\n  epochs: !!python/object/apply:os.system ['true']\n")
    assert error_of(path=path).endswith(
        "uses YAML tags (!name), which settings cannot have; write the value itself"
    )


def test_a_missing_file_is_an_error(tmp_path):
    assert "cannot read a settings file: " in error_of(path=tmp_path / "none.yaml")


def test_written_settings_read_back_equal_and_keep_their_comments(tmp_path):
    changes = ["train.epochs=3", "model.conv_filters=[4, 8]", "model.pool_sizes=[[2, 1], [4, 2]]"]
    settings = load_settings(None, changes)
    assert settings.model.pool_sizes == [[2, 1], [4, 2]]
    write_settings(settings, tmp_path / "config.yaml")
    assert read_settings(tmp_path / "config.yaml") == settings
    assert "# plays the sound backwards" in (tmp_path / "config.yaml").read_text()


def test_a_stored_file_with_a_missing_setting_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    write_settings(load_settings(), path)
    path.write_text(path.read_text().replace("  seed: 1", "  # seed: 1"))
    with pytest.raises(InputError, match=r"config.yaml has no train.seed; write it there"):
        read_settings(path)


def test_every_setting_is_read_somewhere():
    files = [*ROOT.glob("*.py"), *(ROOT / "deepfake_audio").rglob("*.py")]
    read = {
        node.attr
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    passed_on_whole = {"augment"}  # SpectrogramGenerator(**augment), by Keras's own names
    for section, field in Settings.model_fields.items():
        if section not in passed_on_whole:
            assert set(field.annotation.model_fields) <= read, section


def test_every_setting_has_a_comment_with_its_meaning():
    for line in (ROOT / "config.yaml").read_text().splitlines():
        if line.startswith("  "):
            assert "#" in line, line


def test_hidden_rows_cannot_cover_the_whole_image():
    lower = ["model.inputs=[levels, lower_frequency_residual]", "model.hidden_rows=128"]
    with pytest.raises(InputError, match=r"hidden_rows=128 hides the whole image; set it below"):
        load_settings(None, lower)
    assert load_settings(None, [*lower, "image.height=256"]).model.hidden_rows == 128


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (
            ["audio.delay_fft_samples=512"],
            "set image.channels=level_delay and inputs without others",
        ),
        (["image.channels=level_delay"], "set image.channels=grayscale or rgb and"),
        (
            ["model.inputs=[group_delay]"],
            "image.channels=grayscale and model.inputs=['group_delay'] do not fit",
        ),
        (
            [*DELAYS, "audio.delay_fft_samples=500"],
            "does not divide half of audio.delay_fft_samples=500",
        ),
        ([*DELAYS, "audio.delay_fft_samples=32768"], "shorter than one frame of 32768 samples"),
        ([*DELAYS, "distort.gain_db=10"], "distort.gain_db=10.0 would change levels"),
        ([*DELAYS, "augment.fill_mode=constant"], "augment.fill_mode=constant would"),
        (
            ["audio.delay_fft_samples=62"],
            "delay_fft_samples=62 is too small; set it to 0, or to at least 64",
        ),
        ([*DELAYS, "audio.frequency_scale=mel", "audio.delay_fft_samples=64"], "has 32.0 FFT bins"),
        (
            [*DELAYS, "augment.brightness_range=[0.9, 1.1]"],
            "augment.brightness_range=[0.9, 1.1] would",
        ),
        (
            [*DELAYS, "model.inputs=[frame_rates]"],
            "do not fit audio.delay_fft_samples=512 and audio.frame_rates_hz=[]",
        ),
        (
            ["audio.frame_rates_hz=[50]"],
            "audio.frame_rates_hz has 1 rates up to 50, which do not fit",
        ),
        (
            [*RATES, "audio.frame_rates_hz=[1000]"],
            "give rates of at most 998.125, 8 frames for each",
        ),
        ([*RATES, "audio.frame_rates_hz=[50, 10]"], "frame_rates_hz.1 is 10; it should be"),
        (
            [*RATES, "audio.frequency_bins=16"],
            "audio.frequency_bins=16, audio.window_seconds=1.552 and",
        ),
        ([*RATES, "audio.frequency_bins=8"], "frequency_bins of 32 or another multiple of 16"),
        ([*RATES, "audio.window_seconds=0.2"], "audio.window_seconds=0.2 and"),
        ([*RATES, "audio.delay_fft_samples=0"], "do not fit audio.delay_fft_samples=0 and"),
        ([*RATES, "image.channels=level_delay"], "set image.channels=level_delay_rates and"),
        ([*RATES, "audio.frame_rates_hz=80"], "frame_rates_hz is 80; it should be a valid tuple"),
        ([*RATES, "augment.zoom_range=0.1"], "augment.zoom_range=0.1 would move the frame rates"),
        ([*RATES, "distort.time_roll_share=0.1"], "distort.time_roll_share=0.1 would move"),
        ([*RATES, "image.height=256"], "image.height=256 and image.width=96 would move"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides, part):
    assert part in error_of(*overrides)


@pytest.mark.parametrize(
    "override", ["time_roll_share=0.1", "noise_floor_db=10", "time_masks=1", "frequency_masks=1"]
)
def test_delays_may_be_rolled_masked_and_made_noisy(override):
    name, _ = override.split("=")
    assert getattr(load_settings(None, [*DELAYS, f"distort.{override}"]).distort, name)


def test_images_may_be_moved_and_resized_if_no_network_uses_frame_rates():
    changes = ["model.inputs=[levels]", "augment.zoom_range=0.1", "image.height=100"]
    assert load_settings(None, [*RATES, *changes]).image.shape == (100, 96, 3)


def test_networks_of_frame_rates_count_for_the_limit_on_weights():
    wide = ["model.conv_filters=[4096, 4096]", "model.kernel_size=1"]
    assert "more than limits.model_megabytes=256" in error_of(*RATES, *wide)


def test_frame_rates_are_written_and_read_back(tmp_path):
    settings = load_settings(ROOT / "unseen.yaml")
    write_settings(settings, tmp_path / "config.yaml")
    assert read_settings(tmp_path / "config.yaml") == settings
    assert settings.audio.frame_rates_hz[7] * 256 == 22_050


def test_lists_are_written_beside_their_keys_and_each_section_below_its_comment(tmp_path):
    changes = ["model.pool_sizes=[[2, 2], [2, 1], [2, 2], [1, 2], [1, 1]]"]
    settings = load_settings(ROOT / "unseen.yaml", changes)
    write_settings(settings, tmp_path / "config.yaml")
    written = (tmp_path / "config.yaml").read_text().splitlines()
    assert not [line for line in written if line.lstrip().startswith("- ")]
    assert "  frame_rates_hz: [46.875, 50.0, 62.5, 73.5, 75.0, 80.0, 80.181818, " in "\n".join(
        written
    )
    comments = [line for line in (ROOT / "config.yaml").read_text().splitlines() if line[:1] == "#"]
    assert [line for line in written if line[:1] == "#"] == comments
    assert written[written.index("image:") - 1].startswith("# The network's input.")
    assert read_settings(tmp_path / "config.yaml") == settings


def test_a_stored_file_older_than_a_setting_keeps_its_meaning(tmp_path):
    path = tmp_path / "config.yaml"
    write_settings(load_settings(), path)
    lines = path.read_text().splitlines()
    new = ("  delay_fft_samples:", "  frame_rates_hz:")
    kept = [line for line in lines if not line.startswith(new)]
    assert len(kept) == len(lines) - 2
    path.write_text("\n".join(kept))
    assert read_settings(path) == load_settings()


def test_a_renamed_setting_keeps_its_old_name(tmp_path, monkeypatch):
    monkeypatch.setitem(loading.RENAMED_KEYS, "train.passes", "train.epochs")
    monkeypatch.setitem(loading.RENAMED_KEYS, "predict.surely", "predict.min_confidence")
    assert load_settings(None, ["train.passes=3"]).train.epochs == 3
    (tmp_path / "mine.yaml").write_text("train:\n  passes: 4\n")
    assert load_settings(tmp_path / "mine.yaml").train.epochs == 4
    stored = (ROOT / "config.yaml").read_text().replace("  epochs: 60", "  passes: 5", 1)
    (tmp_path / "run.yaml").write_text(stored)
    settings = read_settings(tmp_path / "run.yaml", ["predict.surely=0.8"])
    assert (settings.train.epochs, settings.predict.min_confidence) == (5, 0.8)


def test_the_old_names_of_inputs_and_channels_still_work(tmp_path):
    delay = ["audio.delay_fft_samples=512"]
    new = load_settings(None, [*delay, "image.channels=level_delay", "model.inputs=[group_delay]"])
    old = load_settings(None, [*delay, "image.color=level_delay", "model.views=[group_delay]"])
    assert old == new
    path = tmp_path / "old.yaml"
    path.write_text("image: {color: level_delay}\nmodel: {views: [group_delay]}\n")
    assert load_settings(path, delay) == new


def test_an_old_name_with_a_wrong_value_is_an_error_of_the_new_name():
    assert "image.channels" in error_of("image.color=cmyk")


def test_limits_can_be_set_for_one_command(tmp_path):
    """Errors about a limit say "raise it"; a run's own copy of the limits does not count."""
    path = tmp_path / "config.yaml"
    write_settings(load_settings(None, ["limits.remote_seconds=9", "limits.audio_hours=1"]), path)
    limits = read_settings(path, ["limits.remote_seconds=5"]).limits
    assert limits == load_settings(None, ["limits.remote_seconds=5"]).limits
