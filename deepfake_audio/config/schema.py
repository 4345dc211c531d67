"""The schema of all settings: typed, checked and frozen; `config.yaml` has their defaults."""

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
                f"audio.delay_fft_samples is 0 or at least {MIN_FFT_SAMPLES}. "
                f"Received: {samples}. 1024 is usual"
            )
        return samples

    @property
    def window_samples(self) -> int:
        return round(self.window_seconds * self.sample_rate_hz)

    @model_validator(mode="after")
    def _frequencies_fit(self) -> "AudioSettings":
        if not self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                "min_hz must be below max_hz, and max_hz at most half of sample_rate_hz. "
                f"Received: min_hz={self.min_hz:g} max_hz={self.max_hz:g} "
                f"sample_rate_hz={self.sample_rate_hz}"
            )
        longest = max(self.fft_samples, self.delay_fft_samples)
        if self.window_samples < longest:
            raise ValueError(
                "window_seconds must hold at least one frame of fft_samples, and of "
                f"delay_fft_samples. Received: window_seconds={self.window_seconds:g} for frames "
                f"of {longest} samples"
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
                f"Each of audio.frame_rates_hz takes {HARMONIC_COLUMNS} frames of the image, and "
                f"is at most {highest_hz:g}; frequency_bins are {2 * HARMONIC_ROWS} or another "
                f"multiple of {HARMONIC_ROWS}, and window_seconds at least "
                f"{MIN_SECONDS_FOR_RATES:g}. Received: {len(rates)} rates up to {max(rates):g} "
                f"at sample_rate_hz={self.sample_rate_hz}, frames={self.frames} "
                f"frequency_bins={self.frequency_bins} "
                f"window_seconds={self.window_seconds:g}. Leave out rates that are too high, and "
                "take as many frames as the others need; unseen.yaml's values fit from 16000 Hz on"
            )
        return self

    @model_validator(mode="after")
    def _bands_are_heard(self) -> "AudioSettings":
        shortest = min(self.fft_samples, self.delay_fft_samples or self.fft_samples)
        bins = (self.max_hz - self.min_hz) * shortest / self.sample_rate_hz
        if self.frequency_scale == "mel" and bins < self.frequency_bins / 2:
            raise ValueError(
                "min_hz to max_hz must span at least half as many FFT bins as there are "
                "frequency_bins, or most rows of the image stay black. Received: "
                f"min_hz={self.min_hz:g} max_hz={self.max_hz:g} frequency_bins="
                f"{self.frequency_bins}, and {bins:.1f} bins between. Take a wider span, fewer "
                "frequency_bins or more fft_samples (and delay_fft_samples)"
            )
        return self

    @model_validator(mode="after")
    def _bins_divide_the_spectrum(self) -> "AudioSettings":
        for name in ("fft_samples", "delay_fft_samples"):
            bins = getattr(self, name) // 2
            if self.frequency_scale == "linear" and bins % self.frequency_bins:
                fitting = ", ".join(str(n) for n in range(8, bins + 1) if bins % n == 0)
                raise ValueError(
                    f"frequency_bins must divide {name} / 2 on the linear scale. Received: "
                    f"frequency_bins={self.frequency_bins} {name}={2 * bins}. "
                    f"Use one of {fitting}, or frequency_scale=mel"
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
            raise ValueError(
                f"model.{info.field_name} is odd. Received: {pixels}. Take {pixels + 1}"
            )
        return pixels

    @model_validator(mode="after")
    def _each_block_has_a_pool_size(self) -> "ModelSettings":
        if self.pool_sizes is not None and len(self.pool_sizes) != len(self.conv_filters):
            raise ValueError(
                "model.pool_sizes has one [height, width] for each of model.conv_filters. "
                f"Received: {len(self.pool_sizes)} sizes for {len(self.conv_filters)} blocks. "
                "Add or remove some, or take null for 2x2 each"
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
                "prepare.val_share and prepare.test_share must leave something for training. "
                f"Received: {self.val_share:g} and {self.test_share:g}"
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
    model_megabytes: int = Field(ge=1, le=100_000)
    model_gigamultiplications: float = Field(gt=0, le=1_000_000)
    scoring_megabytes: int = Field(ge=64, le=1_000_000)


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
                "predict.min_bandwidth_hz is less than half of audio.sample_rate_hz, or all sound "
                f"is UNCERTAIN. Received: {self.predict.min_bandwidth_hz:g} of {highest_hz:g} Hz. "
                "Ask for less, or 0 for none"
            )
        return self

    @model_validator(mode="after")
    def _rows_are_left_to_look_at(self) -> "Settings":
        lower = any(each.startswith("lower") for each in self.model.inputs)
        if lower and self.model.hidden_rows >= self.image.height:
            raise ValueError(
                "model.hidden_rows is less than image.height. "
                f"Received: {self.model.hidden_rows} of {self.image.height} rows. Hide fewer"
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
                "audio.delay_fft_samples draws delays, audio.frame_rates_hz rates beside them, "
                f"image.channels says so ({' or '.join(right)} here), and an input of either needs "
                f"it. Received: delay_fft_samples={delay} frame_rates_hz={rates} "
                f"image.channels={channels} model.inputs={inputs}. Set image.channels={right[0]} "
                "and inputs of what is drawn, or draw what they need; unseen.yaml has all"
            )
        return self

    @model_validator(mode="after")
    def _delays_stay_true(self) -> "Settings":
        """Refuse augmentation that changes levels without the matching group delays."""
        changes = self.distort.model_dump(exclude=DISTORTIONS_WITH_DELAY) | self.augment.model_dump(
            include={"channel_shift_range", "brightness_range"}
        )
        used = [name for name, amount in changes.items() if amount]
        used += ["fill_mode=constant"] if self.augment.fill_mode == "constant" else []
        if self.image.channels in WITH_DELAY and used:
            raise ValueError(
                "Images with group delay are moved, masked and made noisy; with other levels "
                f"their delays would stay. Received: {', '.join(used)}. Take config.yaml's values"
            )
        return self

    @model_validator(mode="after")
    def _frame_rates_stay_true(self) -> "Settings":
        """Refuse augmentation that moves a column to another frame rate; noise and masks do not."""
        moves = self.augment.model_dump(include=AFFINE_SETTINGS)
        moves |= self.distort.model_dump(include={"time_roll_share"})
        used = [name for name, amount in moves.items() if amount]
        if (self.image.height, self.image.width) != (self.audio.frequency_bins, self.audio.frames):
            used.append(f"an image of {self.image.height} x {self.image.width}")
        if "frame_rates" in self.model.inputs and used:
            raise ValueError(
                "Images whose frame_rates are looked at keep the size of audio.frequency_bins and "
                f"audio.frames, and are played backwards at most. Received: {', '.join(used)}. "
                "Take unseen.yaml's values, or leave out that input"
            )
        return self

    @model_validator(mode="after")
    def _network_is_within_the_limits(self) -> "Settings":
        megabytes, largest = self.model.megabytes(self.image.shape)
        gigamultiplications = self.model.gigamultiplications(self.image.shape)
        for what, value, unit, limit in (
            ("have weights of", megabytes, "megabytes", "model_megabytes"),
            ("need for one image", largest, "megabytes", "scoring_megabytes"),
            ("do for one image", gigamultiplications, "billion multiplications",
             "model_gigamultiplications"),
        ):  # fmt: skip
            most = getattr(self.limits, limit)
            if value > most:
                raise ValueError(
                    f"A network may {what} at most limits.{limit}={most:g}. Received: {value:,.0f} "
                    f"{unit} by the sections model and image. Use fewer model.conv_filters, a "
                    "smaller kernel_size, fewer dense_units or a smaller image"
                )
        return self
