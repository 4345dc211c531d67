"""The schema of all settings: typed, checked and frozen; `config.yaml` has their defaults."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from deepfake_audio.vocabulary import (
    CHANNEL_COUNTS,
    HARMONIC_COLUMNS,
    HARMONIC_ROWS,
    OTHERS,
    WITH_DELAY,
    highest_frame_rate_hz,
)

FLOAT_BYTES = 4
MAX_EPOCHS = 100_000
MAX_INPUTS = 64
MAX_BATCH = 65_536
MULTIPLICATIONS_A_VALUE = 10  # that take as long as reading or writing a value
Share = Annotated[float, Field(ge=0, lt=1)]
NetworkInput = Literal[
    "levels", "frequency_residual", "lower_frequency_residual", "time_residual",
    "group_delay", "lower_group_delay", "delay_residual", "lower_delay_residual",
    "frame_rates",
]  # fmt: skip
CodecName = Literal["mp3", "aac", "opus", "telephone"]
DISTORTIONS_WITH_DELAY = {
    "time_roll_share", "noise_floor_db", "time_masks", "time_mask_share", "frequency_masks",
    "frequency_mask_hz",
}  # fmt: skip
AFFINE_SETTINGS = {  # in the section augment
    "shear_range", "zoom_range", "vertical_flip", "rotation_range", "width_shift_range",
    "height_shift_range",
}  # fmt: skip
MIN_FFT_SAMPLES = 64
MIN_SECONDS_FOR_RATES = 0.5  # shorter windows can't separate neighbouring rates
Pixels = Annotated[int, Field(ge=8, le=4096)]
Patience = Annotated[int, Field(ge=1, le=MAX_EPOCHS)]
Cost = Annotated[float, Field(ge=1e-6, le=1e6)]
Probability = Annotated[float, Field(ge=1e-9, le=1 - 1e-9)]  # its odds are finite and not 0
Factor = Annotated[float, Field(ge=0, le=100)]
PoolSize = Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)]
Decibels = Annotated[float, Field(ge=0, le=200)]


class Section(BaseModel):
    """A group of settings: no unknown key, no default, no change after reading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, strict=True, protected_namespaces=()
    )


class DataSettings(Section):
    folder: str


class AudioSettings(Section):
    sample_rate_hz: int = Field(ge=4000, le=192_000)
    window_seconds: float = Field(gt=0, le=60)
    window_overlap: float = Field(ge=0, le=0.95)
    trim_db: float = Field(ge=0, le=120)
    fft_samples: int = Field(ge=MIN_FFT_SAMPLES, le=65_536, multiple_of=2)
    frames: Pixels
    frequency_bins: Pixels
    frequency_scale: Literal["linear", "mel"]
    min_hz: float = Field(ge=0)
    max_hz: float = Field(gt=0)
    db_range: float = Field(gt=0, le=200)
    delay_fft_samples: int = Field(ge=0, le=65_536, multiple_of=2)
    frame_rates_hz: Annotated[tuple[Annotated[float, Field(ge=20)], ...], Strict(False)]

    @field_serializer("frame_rates_hz")
    def _as_in_yaml(self, rates_hz: tuple[float, ...]) -> list[float]:
        return list(rates_hz)

    @field_validator("delay_fft_samples")
    @classmethod
    def _none_or_a_frame(cls, samples: int) -> int:
        if 0 < samples < MIN_FFT_SAMPLES:
            raise ValueError(
                f"audio.delay_fft_samples={samples} is too small; set it to 0, or to at least "
                f"{MIN_FFT_SAMPLES} (1024 is usual)"
            )
        return samples

    @property
    def window_samples(self) -> int:
        return round(self.window_seconds * self.sample_rate_hz)

    @model_validator(mode="after")
    def _frequencies_fit(self) -> "AudioSettings":
        if not self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"audio.min_hz={self.min_hz:g} and audio.max_hz={self.max_hz:g} are no band of "
                f"audio.sample_rate_hz={self.sample_rate_hz}; set min_hz below max_hz, and max_hz "
                f"to at most {self.sample_rate_hz / 2:g}"
            )
        longest = max(self.fft_samples, self.delay_fft_samples)
        if self.window_samples < longest:
            raise ValueError(
                f"audio.window_seconds={self.window_seconds:g} is shorter than one frame of "
                f"{longest} samples; set it longer, or audio.fft_samples and "
                "audio.delay_fft_samples smaller"
            )
        return self

    @model_validator(mode="after")
    def _frame_rates_fit_the_image(self) -> "AudioSettings":
        rates, highest_hz = self.frame_rates_hz, highest_frame_rate_hz(self.sample_rate_hz)
        if rates and (
            self.frames != len(rates) * HARMONIC_COLUMNS
            or self.frequency_bins % HARMONIC_ROWS
            or self.frequency_bins == HARMONIC_ROWS
            or self.window_seconds < MIN_SECONDS_FOR_RATES
            or max(rates) > highest_hz
        ):
            raise ValueError(
                f"audio.frame_rates_hz has {len(rates)} rates up to {max(rates):g}, which do not "
                f"fit audio.frames={self.frames}, audio.frequency_bins={self.frequency_bins}, "
                f"audio.window_seconds={self.window_seconds:g} and "
                f"audio.sample_rate_hz={self.sample_rate_hz}; give rates of at most "
                f"{highest_hz:g}, {HARMONIC_COLUMNS} frames for each, frequency_bins of "
                f"{2 * HARMONIC_ROWS} or another multiple of {HARMONIC_ROWS}, and window_seconds "
                f"of at least {MIN_SECONDS_FOR_RATES:g} (unseen.yaml fits from 16000 Hz on)"
            )
        return self

    @model_validator(mode="after")
    def _bands_are_heard(self) -> "AudioSettings":
        shortest = min(self.fft_samples, self.delay_fft_samples or self.fft_samples)
        bins = (self.max_hz - self.min_hz) * shortest / self.sample_rate_hz
        if self.frequency_scale == "mel" and bins < self.frequency_bins / 2:
            raise ValueError(
                f"audio.min_hz={self.min_hz:g} to audio.max_hz={self.max_hz:g} has {bins:.1f} FFT "
                f"bins, less than half of audio.frequency_bins={self.frequency_bins}, so most rows "
                "would be black; set a wider band, fewer frequency_bins or more fft_samples (and "
                "delay_fft_samples)"
            )
        return self

    @model_validator(mode="after")
    def _bins_divide_the_spectrum(self) -> "AudioSettings":
        for name in ("fft_samples", "delay_fft_samples"):
            bins = getattr(self, name) // 2
            if self.frequency_scale == "linear" and bins % self.frequency_bins:
                fitting = ", ".join(str(n) for n in range(8, bins + 1) if bins % n == 0)
                raise ValueError(
                    f"audio.frequency_bins={self.frequency_bins} does not divide half of "
                    f"audio.{name}={2 * bins} on the linear scale; set it to one of {fitting}, or "
                    "audio.frequency_scale=mel"
                )
        return self


class ImageSettings(Section):
    height: Pixels
    width: Pixels
    channels: Literal["grayscale", "level_delay", "level_delay_rates", "rgb"]
    max_megapixels: int = Field(ge=1, le=1000)

    @property
    def channel_count(self) -> int:
        return CHANNEL_COUNTS[self.channels]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channel_count


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


class ModelSettings(Section):
    inputs: list[NetworkInput] = Field(min_length=1, max_length=MAX_INPUTS)
    hidden_rows: int = Field(ge=0, le=1024)
    residual_rows: int = Field(ge=1, le=1025)
    residual_columns: int = Field(ge=1, le=1025)
    conv_filters: list[Annotated[int, Field(ge=1, le=4096)]] = Field(min_length=1, max_length=12)
    pool_sizes: list[PoolSize] | None
    convs_per_block: int = Field(ge=1, le=8)
    kernel_size: int = Field(ge=1, le=31)
    padding: Literal["same", "valid"]
    batch_norm: bool
    pooling: Literal["average", "max", "statistics", "flatten"]
    dense_units: int = Field(ge=1, le=65_536)
    dropout: Share

    @field_validator("residual_rows", "residual_columns")
    @classmethod
    def _as_many_before_as_after(cls, pixels: int, info: ValidationInfo) -> int:
        if pixels % 2 == 0:
            raise ValueError(f"model.{info.field_name}={pixels} is even; set it to {pixels + 1}")
        return pixels

    @model_validator(mode="after")
    def _each_block_has_a_pool_size(self) -> "ModelSettings":
        if self.pool_sizes is not None and len(self.pool_sizes) != len(self.conv_filters):
            raise ValueError(
                f"model.pool_sizes has {len(self.pool_sizes)} sizes for {len(self.conv_filters)} "
                "model.conv_filters; give one [height, width] for each, or null for 2x2"
            )
        return self

    def megabytes(self, image_shape: tuple[int, int, int]) -> tuple[float, float]:
        """Return the megabytes of the weights and of the largest layer's output for one image.

        Both at most: a convolution without padding, hidden rows and an input of one channel
        of several leave less.
        """
        height, width, inputs = image_shape
        weights, largest = 0, height * width * inputs
        pool_sizes = self.pool_sizes or [[2, 2]] * len(self.conv_filters)
        for filters, (rows, columns) in zip(self.conv_filters, pool_sizes, strict=True):
            weights += self._convolution_weights(self.kernel_size**2 * inputs, filters)
            weights += (self.convs_per_block - 1) * self._convolution_weights(
                self.kernel_size**2 * filters, filters
            )
            largest = max(largest, height * width * filters)
            height, width, inputs = max(1, height // rows), max(1, width // columns), filters
        places = {"flatten": height * width, "statistics": 2}.get(self.pooling, 1)
        weights += self._dense_weights(inputs * places)
        of_rates = self.inputs.count("frame_rates")
        weights = (len(self.inputs) - of_rates) * weights + of_rates * self._rate_weights()
        return weights * FLOAT_BYTES / 1e6, largest * FLOAT_BYTES / 1e6

    def gigamultiplications(self, image_shape: tuple[int, int, int]) -> float:
        """Return the billion multiplications that one image takes at most.

        What is done to each value besides, as normalising and pooling it, counts as multiplications
        that take as long: about ten values are read or written for each.
        """
        height, width, inputs = image_shape
        besides = 11 * MULTIPLICATIONS_A_VALUE
        total = height * width * inputs * (self.residual_rows + self.residual_columns + 3 * besides)
        pool_sizes = self.pool_sizes or [[2, 2]] * len(self.conv_filters)
        for filters, (rows, columns) in zip(self.conv_filters, pool_sizes, strict=True):
            places = height * width * filters
            total += places * (self.kernel_size**2 * inputs + besides)
            total += (self.convs_per_block - 1) * places * (self.kernel_size**2 * filters + besides)
            height, width, inputs = max(1, height // rows), max(1, width // columns), filters
        weights = self.megabytes(image_shape)[0] * 1e6 / FLOAT_BYTES
        return (len(self.inputs) * total + weights * (1 + 2 * MULTIPLICATIONS_A_VALUE)) / 1e9

    def _rate_weights(self) -> int:
        """Return the number of weights of a network for frame rates."""
        first, last = self.rate_filters
        return (
            self._convolution_weights(HARMONIC_COLUMNS, first)
            + self._convolution_weights(HARMONIC_ROWS * first, last)
            + self._convolution_weights(last, last)
            + self._dense_weights(last)
            + 1  # the running mean of the score without evidence
        )

    def _convolution_weights(self, inputs: int, filters: int) -> int:
        """Return the weights of a convolution with its biases or its batch normalisation."""
        return filters * (inputs + (4 if self.batch_norm else 1))

    def _dense_weights(self, inputs: int) -> int:
        """Return the weights of both dense layers with their biases."""
        return self.dense_units * (inputs + 1) + self.dense_units + 1

    @property
    def rate_filters(self) -> tuple[int, int]:
        """Return the filters for frame rates: of eight harmonics, then of all."""
        return self.conv_filters[0], self.conv_filters[:2][-1]


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
    tensorboard: bool


class FeedSettings(Section):
    workers: int = Field(ge=1, le=256)
    cache_mb: int = Field(ge=0, le=100_000_000)


class PrepareSettings(Section):
    val_share: Share
    test_share: Share
    max_windows: int = Field(ge=0, le=1_000_000)
    codecs: list[CodecName] = Field(max_length=64)
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
    prior_fake: Probability
    min_confidence: float = Field(ge=0.5, lt=1)
    timeline_seconds: float = Field(gt=0)


class EvaluateSettings(Section):
    dcf_prior_fake: Probability
    dcf_cost_miss: Cost
    dcf_cost_false_accept: Cost
    bootstrap: int = Field(ge=0, le=100_000)
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
