"""The schema of all settings: typed, checked and frozen; `config.yaml` has their defaults."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.network_sections import ImageSettings, ModelSettings
from deepfake_audio.config.section import Section, Share
from deepfake_audio.vocabulary import OTHERS, WITH_DELAY, ConditionKind

MAX_EPOCHS = 100_000
MAX_BATCH = 65_536
DISTORTIONS_WITH_DELAY = {
    "time_roll_share", "noise_floor_db", "time_masks", "time_mask_share", "frequency_masks",
    "frequency_mask_hz",
}  # fmt: skip
AFFINE_SETTINGS = {  # in the section augment
    "shear_range", "zoom_range", "vertical_flip", "rotation_range", "width_shift_range",
    "height_shift_range",
}  # fmt: skip
Patience = Annotated[int, Field(ge=1, le=MAX_EPOCHS)]
Cost = Annotated[float, Field(ge=1e-6, le=1e6)]
Probability = Annotated[float, Field(ge=1e-9, le=1 - 1e-9)]  # its odds are finite and not 0
Factor = Annotated[float, Field(ge=0, le=100)]
Decibels = Annotated[float, Field(ge=0, le=200)]


class DataSettings(Section):
    folder: str


class AugmentSettings(Section):
    shear_range: float = Field(ge=0, le=89)
    zoom_range: Share
    horizontal_flip: bool
    vertical_flip: bool
    rotation_range: float = Field(ge=0, le=180)
    width_shift_range: Share
    height_shift_range: Share
    interpolation_order: int = Field(ge=0, le=1)
    fill_mode: Literal["nearest", "reflect", "wrap", "constant"]
    channel_shift_range: float = Field(ge=0, le=255)
    brightness_range: Annotated[list[Factor], Field(min_length=2, max_length=2)] | None


class DistortSettings(Section):
    time_roll_share: Share
    gain_db: Decibels
    color_db: Decibels
    noise_floor_db: Decibels
    band_limit_hz: float = Field(ge=0)
    time_masks: int = Field(ge=0, le=100)
    time_mask_share: Share
    frequency_masks: int = Field(ge=0, le=100)
    frequency_mask_hz: float = Field(ge=0)


class TrainSettings(Section):
    seed: int = Field(ge=0, lt=2**31)
    epochs: int = Field(ge=1, le=MAX_EPOCHS)
    epoch_images: int = Field(ge=0)
    balance: Literal["none", "groups"]
    batch_size: int = Field(ge=1, le=MAX_BATCH)
    optimizer: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"]
    learning_rate: float = Field(gt=0)
    schedule: Literal["plateau", "cosine"]
    weight_decay: float = Field(ge=0, lt=1)
    average_weights: Share
    label_smoothing: Share
    class_weights: bool
    early_stopping_patience: Patience
    plateau_patience: Patience
    plateau_factor: float = Field(gt=0, lt=1)
    mixed_precision: bool
    xla: bool
    all_gpus: bool
    tensorboard: bool


class FeedSettings(Section):
    workers: int = Field(ge=1, le=256)
    cache_mb: int = Field(ge=0, le=100_000_000)


class PrepareSettings(Section):
    val_share: Share
    test_share: Share
    max_windows: int = Field(ge=0, le=1_000_000)
    seed: int = Field(ge=0, lt=2**31)
    image_groups: Literal["auto", "folder", "name", "file"]
    conditions: list[ConditionKind] = Field(max_length=64)
    condition_copies: int = Field(ge=1, le=100)
    workers: int = Field(ge=0, le=1024)

    @model_validator(mode="after")
    def _something_is_left_for_training(self) -> "PrepareSettings":
        if self.val_share + self.test_share >= 1:
            raise ValueError(
                f"prepare.val_share={self.val_share:g} and prepare.test_share="
                f"{self.test_share:g} leave nothing for training; set a sum below 1"
            )
        return self


class PredictSettings(Section):
    min_seconds: float = Field(ge=0)
    max_clipped_share: float = Field(ge=0, le=1)
    min_bandwidth_hz: float = Field(ge=0, le=1_000_000)
    max_echo: float = Field(ge=0, le=1)
    min_voicing: float = Field(ge=0, le=1)
    prior_fake: Probability
    min_confidence: float = Field(ge=0.5, lt=1)
    timeline_seconds: float = Field(gt=0)


class EvaluateSettings(Section):
    dcf_prior_fake: Probability
    dcf_cost_miss: Cost
    dcf_cost_false_accept: Cost
    bootstrap: int = Field(ge=0, le=100_000)
    intervals_over: Literal["speakers", "speakers_attacks"]
    mistakes: int = Field(ge=0, le=1000)


class ScoreSettings(Section):
    batch_size: int = Field(ge=1, le=MAX_BATCH)
    threads: int = Field(ge=0, le=1024)


class LimitSettings(Section):
    audio_hours: float = Field(gt=0, le=1000)
    decoder_megabytes: int = Field(ge=0, le=1_000_000)
    stdin_megabytes: int = Field(ge=1, le=1_000_000)
    remote_seconds: float = Field(gt=0, le=100_000)
    model_megabytes: int = Field(ge=1, le=100_000)
    model_gigamultiplications: float = Field(gt=0, le=1_000_000)
    scoring_megabytes: int = Field(ge=64, le=1_000_000)


def _named(sections: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return `section.name=value` for each setting that is not off."""
    named = []
    for section, settings in sections.items():
        named += [f"{section}.{name}={value}" for name, value in settings.items() if value]
    return named


class Settings(Section):
    """All settings, one section per group; `config.yaml` explains each."""

    data: DataSettings
    audio: AudioSettings
    image: ImageSettings
    augment: AugmentSettings
    distort: DistortSettings
    model: ModelSettings
    train: TrainSettings
    feed: FeedSettings
    prepare: PrepareSettings
    predict: PredictSettings
    evaluate: EvaluateSettings
    score: ScoreSettings
    limits: LimitSettings

    @property
    def images_at_once(self) -> int:
        """Return the number of images that fit the memory limit of the network's largest layer."""
        _, output = self.model.megabytes(self.image.shape)
        return max(1, int(self.limits.scoring_megabytes / output))

    @model_validator(mode="after")
    def _a_band_can_be_heard(self) -> "Settings":
        highest_hz = self.audio.sample_rate_hz / 2
        if self.predict.min_bandwidth_hz >= highest_hz:
            raise ValueError(
                f"predict.min_bandwidth_hz={self.predict.min_bandwidth_hz:g} would make all sound "
                f"UNCERTAIN at audio.sample_rate_hz={self.audio.sample_rate_hz}; set it below "
                f"{highest_hz:g}, or to 0 for no limit"
            )
        return self

    @model_validator(mode="after")
    def _rows_are_left_to_look_at(self) -> "Settings":
        lower = any(each.startswith("lower") for each in self.model.inputs)
        if lower and self.model.hidden_rows >= self.image.height:
            raise ValueError(
                f"model.hidden_rows={self.model.hidden_rows} hides the whole image; set it below "
                f"image.height={self.image.height}"
            )
        return self

    @model_validator(mode="after")
    def _what_is_drawn_is_read(self) -> "Settings":
        delay, rates = self.audio.delay_fft_samples, list(self.audio.frame_rates_hz)
        channels, inputs = self.image.channels, self.model.inputs
        right = ["level_delay_rates"] if delay and rates else ["level_delay"] if delay else OTHERS
        lacks_delay = (rates or any("delay" in each for each in inputs)) and not delay
        lacks_rates = "frame_rates" in inputs and not rates
        if channels not in right or lacks_delay or lacks_rates:
            raise ValueError(
                f"image.channels={channels} and model.inputs={inputs} do not fit "
                f"audio.delay_fft_samples={delay} and audio.frame_rates_hz={rates}; set "
                f"image.channels={' or '.join(right)} and inputs without others, or both audio "
                "settings as in unseen.yaml"
            )
        return self

    @model_validator(mode="after")
    def _delays_stay_true(self) -> "Settings":
        """Refuse augmentation that changes levels without the matching group delays."""
        changes = {
            "distort": self.distort.model_dump(exclude=DISTORTIONS_WITH_DELAY),
            "augment": self.augment.model_dump(include={"channel_shift_range", "brightness_range"}),
        }
        used = _named(changes)
        used += ["augment.fill_mode=constant"] if self.augment.fill_mode == "constant" else []
        if self.image.channels in WITH_DELAY and used:
            raise ValueError(
                f"{', '.join(used)} would change levels and not the group delays of the images; "
                "set the values of config.yaml"
            )
        return self

    @model_validator(mode="after")
    def _frame_rates_stay_true(self) -> "Settings":
        """Refuse augmentation that moves a column to another frame rate; noise and masks do not."""
        used = _named(
            {
                "augment": self.augment.model_dump(include=AFFINE_SETTINGS),
                "distort": self.distort.model_dump(include={"time_roll_share"}),
            }
        )
        if (self.image.height, self.image.width) != (self.audio.frequency_bins, self.audio.frames):
            used.append(f"image.height={self.image.height} and image.width={self.image.width}")
        if "frame_rates" in self.model.inputs and used:
            raise ValueError(
                f"{', '.join(used)} would move the frame rates in the image; set the values of "
                f"unseen.yaml and a size of {self.audio.frequency_bins} x {self.audio.frames}, or "
                "leave frame_rates out of model.inputs"
            )
        return self

    @model_validator(mode="after")
    def _network_is_within_the_limits(self) -> "Settings":
        megabytes, largest = self.model.megabytes(self.image.shape)
        gigamultiplications = self.model.gigamultiplications(self.image.shape)
        for what, value, unit, limit in (
            ("has weights of", megabytes, "megabytes", "model_megabytes"),
            ("needs for one image", largest, "megabytes", "scoring_megabytes"),
            ("does for one image", gigamultiplications, "billion multiplications",
             "model_gigamultiplications"),
        ):  # fmt: skip
            most = getattr(self.limits, limit)
            if value > most:
                raise ValueError(
                    f"the network of the sections model and image {what} {value:,.0f} {unit}, more "
                    f"than limits.{limit}={most:g}; use fewer model.conv_filters, a smaller "
                    "kernel_size, fewer dense_units or a smaller image"
                )
        return self
