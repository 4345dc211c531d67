"""What a recording has that says nothing about the voice: level, bandwidth, silence, clipping."""

import numpy as np

from deepfake_audio.audio import FRAME_SECONDS, frame_length, frame_powers

SILENCE_DB = 40
BANDWIDTH_DB = 60
SPECTRUM_FRAMES = 64
EDGE_BINS = 2  # what lies at half the sample rate leaks into the one below
VOICE_HZ = 150  # a voice is louder somewhere above; the lowest is well above what offsets leak to
FULL_SCALE = 0.999


def measure_nuisances(samples: np.ndarray, sample_rate_hz: int) -> dict[str, float]:
    """Measure what says nothing about the voice.

    Args:
        samples: float `(samples,)`, full scale 1. Of a long recording the first minute will do for
            level, bandwidth and clipping; its `edge_silences` need all.
        sample_rate_hz: their rate.

    Returns:
        Seconds of sound and of silence at either edge (40 dB below the loudest 10 ms), RMS level in
        dBFS to 0.1 dB, the highest frequency within 60 dB of the loudest one on average, and the
        share of samples at full scale.
    """
    frame_samples = frame_length(sample_rate_hz)
    frames = np.resize(samples, max(1, len(samples) // frame_samples) * frame_samples)
    return {
        "duration": len(samples) / sample_rate_hz,
        "level": round(float(10 * np.log10(np.dot(samples, samples) / len(samples) + 1e-12)), 1),
        "bandwidth": bandwidth_hz(samples, sample_rate_hz),
        **edge_silences(frame_powers(frames, frame_samples)),
        "clipping": clipped_share(samples),
    }


def edge_silences(powers: np.ndarray) -> dict[str, float]:
    """Return the seconds at either edge that are 40 dB below the loudest 10 ms.

    Args:
        powers: mean square of each 10 ms, `(frames,)`.
    """
    powers = powers + 1e-12
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (-SILENCE_DB / 10))
    return {
        "leading silence": float(loud[0] * FRAME_SECONDS),
        "trailing silence": float((len(powers) - 1 - loud[-1]) * FRAME_SECONDS),
    }


def bandwidth_hz(samples: np.ndarray, sample_rate_hz: int) -> float:
    """Return the highest frequency that is within 60 dB of the loudest one on average, in Hz.

    What lies below 150 Hz is not the loudest: an offset or a hum may be louder than the voice. What
    lies at half the sample rate counts as nothing: resampling leaves a trace there.
    """
    spectrum = average_spectrum(samples)
    hz_per_bin = sample_rate_hz / 2 / (len(spectrum) - 1)
    spectrum = spectrum[:-EDGE_BINS]
    loudest = spectrum[int(np.ceil(VOICE_HZ / hz_per_bin)) :].max()
    within = np.flatnonzero(spectrum >= loudest * 10 ** (-BANDWIDTH_DB / 10))
    return float(within[-1] * hz_per_bin)


def clipped_share(samples: np.ndarray) -> float:
    """Return the share of samples at full scale, 0 to 1."""
    return float((np.abs(samples) >= FULL_SCALE).mean())


def average_spectrum(samples: np.ndarray, frame_samples: int = 512) -> np.ndarray:
    """Return the mean power of each FFT bin over evenly spread frames: `(frame_samples // 2 + 1,)`.

    So many frames tell a band limit as well as all would, at a fixed cost for files of any length.
    """
    from scipy import fft  # slow to import, and not everyone needs a spectrum

    padded = np.pad(samples, (0, max(0, frame_samples - len(samples))))
    starts = np.linspace(0, len(padded) - frame_samples, SPECTRUM_FRAMES).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[starts]
    spectra = fft.rfft(frames * np.hanning(frame_samples).astype(samples.dtype), axis=1)
    return np.square(np.abs(spectra)).mean(axis=0) + 1e-20
