"""The quality of a recording: how far it keeps the traces that the network needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_audio.audio.quality import TELEPHONE_HZ, Clarity, Echo
from deepfake_audio.inference.inputs import Input, Window
from deepfake_audio.models.quality_correction import degradations

MIN_VOICING = 0.5  # of a window with a vowel
MAX_TONE_SHARE = 0.1  # the share of a window


@dataclass(frozen=True)
class Quality:
    """The quality of a recording, as far as it affects the network.

    Attributes:
        sound_seconds: duration between the quiet edges.
        sample_rate_hz: of the file.
        channels: of the file.
        channels_differ: the channels carry different sounds.
        bandwidth_hz: the highest frequency of the widest window, or of the middle one if most
            come over a telephone; None without windows.
        snr_db, high_snr_db, texture_db: means of `Clarity` over the windows with a voice, or over
            all if none has one; None without any.
        clipped_share: share of samples at full scale, 0 to 1.
        echo: gain and delay of the strongest echo; None without windows.
        tracks: of the file.
        skipped_seconds: damaged or missing parts, which are not judged.
        codec: FFmpeg's name of it, such as `pcm_s16le` or `opus`; empty for samples in memory.
        duration_seconds: of the longest track, with its quiet edges, as a player shows it.
    """

    sound_seconds: float
    sample_rate_hz: int
    channels: int
    channels_differ: bool
    bandwidth_hz: float | None
    snr_db: float | None
    high_snr_db: float | None
    texture_db: float | None
    clipped_share: float
    echo: Echo | None
    tracks: int = 1
    skipped_seconds: float = 0.0
    codec: str = ""
    duration_seconds: float = 0.0

    @property
    def measures(self) -> tuple[float, ...]:
        """Return the measures of `DEGRADATIONS`, in their order."""
        gain = self.echo.gain if self.echo else 0.0
        clarity = self.snr_db, self.high_snr_db, self.texture_db
        return (*clarity, self.bandwidth_hz, gain, self.sound_seconds)

    @property
    def degraded(self) -> np.ndarray | None:
        """Return how degraded the recording is, 0 to 1, `(degradations,)`; None if unknown."""
        return None if None in self.measures else degradations(np.array(self.measures))


def mean_clipped_share(windows: Sequence[Window]) -> float:
    """Return the share of clipped samples over all windows, 0 to 1."""
    return float(np.mean([window.clipped_share for window in windows])) if windows else 0.0


def quality_of(found: Input) -> Quality:
    """Summarise the measured quality of a recording."""
    clarities = [w.clarity for w in voiced_windows(found.windows) if w.clarity is not None]
    clarity = Clarity(*np.mean(clarities, axis=0).tolist() if clarities else [None] * 3)
    return Quality(
        sound_seconds=found.sound_seconds,
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        channels_differ=found.channels_differ,
        bandwidth_hz=_bandwidth_hz(found.windows),
        **clarity._asdict(),
        clipped_share=mean_clipped_share(found.windows),
        echo=found.echo,
        tracks=found.tracks,
        skipped_seconds=found.skipped_seconds + found.missing_seconds,
        codec=found.codec,
        duration_seconds=found.duration_seconds,
    )


def _bandwidth_hz(windows: Sequence[Window]) -> float | None:
    """Return the bandwidth of a recording; a beep after a telephone call does not make it wide."""
    known = [window for window in windows if window.bandwidth_hz is not None]
    if not known:
        return None
    middle_hz = float(np.median([window.bandwidth_hz for window in voiced_windows(known)]))
    if middle_hz < TELEPHONE_HZ[1]:
        return middle_hz
    return max(window.bandwidth_hz for window in known)


def voiced_windows(windows: Sequence[Window]) -> Sequence[Window]:
    """Return the windows with a vowel and without a tone; all if there is none."""
    return [w for w in windows if is_voiced(w) and w.tone_share <= MAX_TONE_SHARE] or windows


def is_voiced(window: Window) -> bool:
    """Return whether a window has a vowel; an image may have."""
    return window.voicing is None or window.voicing >= MIN_VOICING


def window_degradations(found: Input, quality: Quality | None) -> np.ndarray | None:
    """Return how degraded each window is, `(windows, degradations)`; None if it was not measured.

    Bandwidth, echo and duration are those of the recording: a window of it may be a pause. But a
    voice over a telephone has the bandwidth of its window.
    """
    if quality is None or quality.degraded is None:
        return None
    rest = quality.measures[-2:]
    measures = [
        (*window.clarity, _window_bandwidth_hz(window, quality), *rest) for window in found.windows
    ]
    return degradations(np.array(measures))


def _window_bandwidth_hz(window: Window, quality: Quality) -> float:
    is_telephone = TELEPHONE_HZ[0] <= window.bandwidth_hz < TELEPHONE_HZ[1]
    return window.bandwidth_hz if is_telephone and is_voiced(window) else quality.bandwidth_hz
