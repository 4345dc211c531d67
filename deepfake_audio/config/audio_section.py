"""The settings of sound and of the images that are made of it."""

from typing import Annotated, Literal

from pydantic import Field, Strict, field_serializer, field_validator, model_validator

from deepfake_audio.config.section import Pixels, Section
from deepfake_audio.vocabulary import HARMONIC_COLUMNS, HARMONIC_ROWS, highest_frame_rate_hz

MIN_FFT_SAMPLES = 64
MIN_SECONDS_FOR_RATES = 0.5  # shorter windows can't separate neighbouring rates


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
