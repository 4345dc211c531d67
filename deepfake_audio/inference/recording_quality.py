"""The quality of a recording: what it leaves of the traces that the network looks for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_audio.audio.quality import Clarity, Echo
from deepfake_audio.inference.pipeline import Input, Window
from deepfake_audio.models.quality_correction import DEGRADATIONS, degradations


@dataclass(frozen=True)
class Quality:
    """The quality of a recording, as far as it affects the network.

    Attributes:
        sound_seconds: duration between the quiet edges.
        sample_rate_hz: of the file.
        channels: of the file.
        channels_differ: the channels carry different sounds.
        bandwidth_hz: the highest frequency of the widest window; None without windows.
        snr_db, high_snr_db, texture_db: means of `Clarity` over the windows; None without any.
        clipped_share: share of samples at full scale, 0 to 1.
        echo: gain and delay of the strongest echo; None without windows.
        tracks: of the file.
        skipped_seconds: damaged or missing parts, which are not judged.
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


def mean_clipped_share(windows: Sequence[Window]) -> float:
    """Return the share of clipped samples over all windows, 0 to 1."""
    return float(np.mean([window.clipped_share for window in windows])) if windows else 0.0


def quality_of(found: Input) -> Quality:
    """Summarise the measured quality of a recording."""
    clarities = [w.clarity for w in found.windows if w.clarity is not None]
    clarity = Clarity(*np.mean(clarities, axis=0).tolist() if clarities else [None] * 3)
    bandwidths_hz = [w.bandwidth_hz for w in found.windows if w.bandwidth_hz is not None]
    return Quality(
        sound_seconds=found.sound_seconds,
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        channels_differ=found.channels_differ,
        bandwidth_hz=max(bandwidths_hz, default=None),
        **clarity._asdict(),
        clipped_share=mean_clipped_share(found.windows),
        echo=found.echo,
        tracks=found.tracks,
        skipped_seconds=found.skipped_seconds + found.missing_seconds,
    )


def degradations_of(found: Input, usable: np.ndarray) -> np.ndarray | None:
    """Return how degraded each window is, `(windows, degradations)`; None if nothing was measured.

    Bandwidth, echo and duration are those of the recording: a window of them may be a pause.

    Args:
        found: the recording.
        usable: the windows that count, bool `(windows,)`.
    """
    if found.is_image or any(window.clarity is None for window in found.windows):
        return None
    bandwidths_hz = np.array([window.bandwidth_hz for window in found.windows])
    widest_hz = np.max(bandwidths_hz[usable], initial=0.0)
    gain = found.echo.gain if found.echo else 0.0
    measures = [(*w.clarity, widest_hz, gain, found.sound_seconds) for w in found.windows]
    return degradations(np.array(measures).reshape(len(found.windows), len(DEGRADATIONS)))
