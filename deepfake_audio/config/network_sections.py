"""The settings of the network and of its input, and their computation."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from deepfake_audio.config.section import Pixels, Section, Share
from deepfake_audio.vocabulary import CHANNEL_COUNTS, HARMONIC_COLUMNS, HARMONIC_ROWS

FLOAT_BYTES = 4
MAX_INPUTS = 64
MULTIPLICATIONS_A_VALUE = 10  # that take as long as reading or writing a value
NetworkInput = Literal[
    "levels", "frequency_residual", "lower_frequency_residual", "time_residual",
    "group_delay", "lower_group_delay", "delay_residual", "lower_delay_residual",
    "frame_rates",
]  # fmt: skip
PoolSize = Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)]


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
    def _must_be_odd(cls, pixels: int, info: ValidationInfo) -> int:
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
