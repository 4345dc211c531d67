"""Turn one file into windows with images, and measure each."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from deepfake_audio.audio.background import pause_pulse
from deepfake_audio.audio.quality import (
    EchoSearch,
    bandwidth_hz,
    clipped_share,
    lost_share,
    low_share,
    measure_clarity,
    peak_share,
    power_spectra,
    tone_share,
    voicing,
)
from deepfake_audio.audio.recordings import Recording
from deepfake_audio.audio.sounds import Samples, Sound
from deepfake_audio.audio.windows import padding_before, recording_windows
from deepfake_audio.config.schema import Settings
from deepfake_audio.errors import InputError, renamed_in_errors
from deepfake_audio.features.cyclic_spectrum import RateSearch, sound_spectrum_db
from deepfake_audio.features.image_files import (
    OtherImageError,
    fit_image,
    is_blank,
    is_foreign,
    is_image,
    is_nearly_blank,
    read_image,
)
from deepfake_audio.features.spectrogram import image_rate_prominence_db, spectrogram_image
from deepfake_audio.inference import remote
from deepfake_audio.inference.inputs import (
    Failure,
    Given,
    Input,
    NamedInput,
    Reading,
    Window,
    name_given,
)
from deepfake_audio.inference.parts import find_parts
from deepfake_audio.inference.timelines import peak_envelope
from deepfake_audio.models.run_search import names_with_channels
from deepfake_audio.system.workers import in_threads

UNREAD_IMAGES = {".gif", ".heic", ".heif", ".avif", ".svg", ".ico", ".jp2", ".psd", ".pdf"}
UNREAD_REMEDY = "images of this kind are not read; save it as PNG"


def render_input(
    file: Given, reading: Reading
) -> Iterator[tuple[tuple[Input | Failure, Window | None], np.ndarray | None]]:
    """Yield the image of each window; at last the whole input without window and image."""
    if isinstance(file, Failure):
        yield (file, None), None
        return
    name = name_given(file)
    found = Input(name)
    try:
        with _opened(file, reading) as source, renamed_in_errors(name, source):
            for window, image in _windows(source, found, reading):
                found.windows.append(window)
                if reading.on_window:
                    reading.on_window(found, window)
                yield (found, window), image
    except InputError as error:
        yield (Failure(name, str(error), error.code), None), None
    else:
        yield (found, None), None


@contextmanager
def _opened(file: str | NamedInput, reading: Reading) -> Iterator[Sound]:
    """Yield the sound of a file; a remote one is copied until it is scored."""
    if isinstance(file, NamedInput):
        yield file.source
    elif remote.is_remote(file):
        with remote.downloaded(file, reading.settings.limits) as copy:
            yield copy
    else:
        yield reading.folder / file


def _windows(source: Sound, found: Input, reading: Reading) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield the windows of one file with their images, and describe the file in `found`."""
    settings = reading.settings
    if isinstance(source, Path) and source.suffix.lower() in UNREAD_IMAGES:
        raise InputError(f"cannot judge {found.name}: {UNREAD_REMEDY}", "no_image")
    if not isinstance(source, Samples) and is_image(source):
        found.is_image = True
        image = _read_image(source, settings)
        found.is_blank = is_blank(image)
        if reading.images_from_audio:
            found.is_blank |= is_nearly_blank(image)
            size = settings.audio.frequency_bins, settings.audio.frames
            found.is_foreign = is_foreign(source, size, settings.image)
        yield Window(), image
        return
    if not reading.images_from_audio:
        raise InputError(
            f"cannot judge {found.name}: the run was trained on images from elsewhere and judges "
            "images only; choose a run that was trained on images by prepare.py",
            "other_run",
        )
    audio = settings.audio
    echoes = EchoSearch(audio.window_samples, audio.sample_rate_hz)
    rates = RateSearch(audio.frame_rates_hz, audio.sample_rate_hz)
    for part in find_parts(source, found, reading):
        render = partial(_render_window, part=part, settings=settings)
        cut = recording_windows(part, audio)
        for samples, cyclic, window, image in in_threads(render, cut, reading.threads):
            echoes.add(samples)
            rates.add(cyclic)
            yield window, image
    found.echo, found.odd_rate_hz = echoes.strongest(), rates.odd_rate_hz()


def _render_window(
    cut: tuple[float, np.ndarray], part: Recording, settings: Settings
) -> tuple[np.ndarray, tuple[np.ndarray, float] | None, Window, np.ndarray]:
    """Return the samples of a window, its cyclic spectrum if used, its measures, and its image."""
    (start_seconds, samples), audio = cut, settings.audio
    cyclic = sound_spectrum_db(samples, audio.sample_rate_hz) if audio.frame_rates_hz else None
    image = spectrogram_image(samples, audio, cyclic)
    sound_samples = part.end - part.first
    sound = samples[padding_before(sound_samples, settings.audio) :][:sound_samples]
    window = _measured(start_seconds, part, sound, image, settings)
    return samples, cyclic, window, fit_image(image, settings.image)


def _read_image(source: Path | bytes, settings: Settings) -> np.ndarray:
    """Read an image; if it is of another kind, name a run that judges it."""
    try:
        return read_image(source, settings.image)
    except OtherImageError as error:
        names = names_with_channels(error.channels)
        remedy = f"--run {names[0]} judges it" if names else "no run here judges it: train one"
        raise InputError(f"{error} ({remedy})", error.code) from None


def _measured(
    start_seconds: float, part: Recording, sound: np.ndarray, image: np.ndarray, settings: Settings
) -> Window:
    """Return a window with the measures of its sound, not yet scored."""
    audio = settings.audio
    powers = power_spectra(sound, audio.sample_rate_hz)
    return Window(
        start_seconds,
        part.channel or 0,
        bandwidth_hz=bandwidth_hz(sound, audio.sample_rate_hz),
        clarity=measure_clarity(powers, audio.sample_rate_hz),
        voicing=voicing(sound, audio.sample_rate_hz),
        clipped_share=clipped_share(sound + np.float32(part.mean_offset)),
        peak_share=peak_share(sound),
        low_share=low_share(sound, audio.sample_rate_hz),
        lost_share=lost_share(sound, audio.sample_rate_hz),
        tone_share=tone_share(powers, audio.sample_rate_hz),
        pulse=pause_pulse(sound, audio.sample_rate_hz),
        peaks=peak_envelope(np.pad(sound, (0, audio.window_samples - len(sound)))),
        prominence_db=image_rate_prominence_db(image, audio) if audio.frame_rates_hz else None,
        track=part.track,
    )
