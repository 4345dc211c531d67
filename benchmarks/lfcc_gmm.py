"""The challenges' classic baseline: a Gaussian mixture for each class over cepstral coefficients.

Linear-frequency cepstral coefficients with their differences (Sahidullah et al., Interspeech 2015);
a file's score is the mean log-likelihood ratio over its frames.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import fft
from sklearn.mixture import GaussianMixture

from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.system.workers import in_processes

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES, HOP_SAMPLES, FFT_SAMPLES = 320, 160, 512
FILTERS, COEFFICIENTS = 30, 20
MIXTURES = 128
TRAINING_FRAMES = 150_000


def linear_filters() -> np.ndarray:
    """Return triangles evenly spaced in Hz: `(fft bins, FILTERS)`."""
    edges = np.linspace(0, FFT_SAMPLES / 2, FILTERS + 2)
    bins = np.arange(FFT_SAMPLES // 2 + 1)[:, None]
    width = edges[1]
    return np.maximum(0, 1 - np.abs(bins - edges[1:-1]) / width)


def cepstral_coefficients(path: Path) -> np.ndarray:
    """Return a file's coefficients and their first and second differences: `(frames, 60)`."""
    samples = read_audio(path, SAMPLE_RATE_HZ)
    samples = np.pad(samples, (0, max(0, 2 * FRAME_SAMPLES - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
    power = np.abs(fft.rfft(frames * np.hamming(FRAME_SAMPLES), FFT_SAMPLES, axis=1)) ** 2
    cepstrum = fft.dct(np.log(power @ linear_filters() + 1e-10), norm="ortho", axis=1)
    cepstrum = cepstrum[:, :COEFFICIENTS]
    first = np.gradient(cepstrum, axis=0)
    return np.hstack([cepstrum, first, np.gradient(first, axis=0)]).astype(np.float32)


def fit_mixture(features: Sequence[np.ndarray], seed: int) -> GaussianMixture:
    """Fit a mixture with diagonal covariances to some frames of all files."""
    frames = np.concatenate(features)
    chosen = np.random.default_rng(seed).permutation(len(frames))[:TRAINING_FRAMES]
    mixture = GaussianMixture(
        MIXTURES, covariance_type="diag", reg_covar=1e-3, max_iter=40, random_state=seed,
        init_params="random_from_data",
    )  # fmt: skip
    return mixture.fit(frames[chosen])


def lfcc_gmm_scores(
    training: Sequence[Path], is_real: np.ndarray, others: Sequence[Path], seed: int
) -> np.ndarray:
    """Train on some files and score others.

    Args:
        training: audio files.
        is_real: `(training files,)`, 1 real, 0 fake.
        others: audio files.
        seed: of the mixtures.

    Returns:
        float64 `(others,)`, mean log-likelihood ratio of a frame: higher is more real.
    """
    calls = ((path.absolute(),) for path in [*training, *others])
    features = list(in_processes(cepstral_coefficients, calls, 0, "computes coefficients"))
    learnt, scored = features[: len(training)], features[len(training) :]
    fake, real = (
        fit_mixture([f for f, label in zip(learnt, is_real, strict=True) if label == wanted], seed)
        for wanted in (0, 1)
    )
    return np.array([real.score(f) - fake.score(f) for f in scored])
