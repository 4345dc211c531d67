"""Spectrogram images of sounds, such as clips in recording conditions."""

from collections.abc import Sequence

import numpy as np

from deepfake_audio.audio.conditions import CONDITIONS, read_in_condition
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.sounds import Samples, Sound
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.schema import Settings
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.jobs import babble_voices
from deepfake_audio.errors import InputError
from deepfake_audio.features.image_files import fit_image
from deepfake_audio.features.spectrogram import spectrogram_image


def window_images(sound: Sound, settings: Settings) -> np.ndarray:
    """Return the images of all windows, uint8 `(windows, height, width, channels)`.

    Args:
        sound: a file, its bytes, or samples.
        settings: of the rendering, and of the images that the network takes.
    """
    audio = settings.audio
    recording = open_recording(sound, audio)
    windows = recording_windows(recording, audio)
    return np.stack(
        [fit_image(spectrogram_image(window, audio), settings.image) for _, window in windows]
    )


def images_in_conditions(clips: Sequence[Clip], settings: Settings, count: int) -> list[np.ndarray]:
    """Return the first image of some clips, evenly spread, each in another condition."""
    rate_hz, names = settings.audio.sample_rate_hz, list(CONDITIONS)
    voices = babble_voices(clips)
    images = []
    for number in range(min(count, len(clips))):
        clip = clips[number * len(clips) // min(count, len(clips))]
        try:
            condition = names[number % len(names)]
            changed = read_in_condition(clip.path, condition, rate_hz, clip.name, voices)
        except InputError:  # judging reports it
            continue
        images.append(window_images(Samples(changed[:, None], rate_hz), settings)[0])
    return images
