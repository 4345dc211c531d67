"""Inputs to scored windows: open each file, render its windows, score them in batches."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime

from deepfake_audio.audio.quality import EchoSearch, bandwidth_hz, clipped_share, measure_clarity
from deepfake_audio.audio.recordings import Recording
from deepfake_audio.audio.sounds import Samples, Sound
from deepfake_audio.audio.windows import padding_before, recording_windows
from deepfake_audio.config.schema import LimitSettings, Settings
from deepfake_audio.errors import InputError, renamed_in_errors
from deepfake_audio.features.image_files import (
    OtherImageError,
    fit_image,
    is_blank,
    is_image,
    read_image,
)
from deepfake_audio.features.spectrogram import image_rate_prominence_db, spectrogram_image
from deepfake_audio.inference import remote
from deepfake_audio.inference.inputs import Failure, Input, NamedInput, Reading, Window
from deepfake_audio.inference.parts import find_parts
from deepfake_audio.inference.timelines import peak_envelope
from deepfake_audio.models import onnx_session
from deepfake_audio.models.run_search import names_with_channels
from deepfake_audio.system import cluster
from deepfake_audio.system.workers import count_cores, in_processes, in_threads

UNREAD_IMAGES = {".gif", ".heic", ".heif", ".avif", ".svg", ".ico", ".jp2", ".psd", ".pdf"}
UNREAD_REMEDY = "images of this kind are not read; save it as PNG"
FILES_PER_BATCH = 32  # files that a worker process receives at a time
BATCHES_PER_ROUND = 64  # for each process: all wait for the last batch of a round

Judgement = TypeVar("Judgement")


def score_inputs(
    model: onnxruntime.InferenceSession, reading: Reading, names: Iterable[str | NamedInput]
) -> Iterator[Input | Failure]:
    """Yield each file with the scores of its windows, in order; bad files become a `Failure`."""
    rendered = itertools.chain.from_iterable(_render(name, reading) for name in names)
    batch_size = reading.settings.score.batch_size
    for (done, window), score in onnx_session.score_stream(model, rendered, batch_size):
        if window is None:
            yield done
        else:
            window.score = score


def score_in_processes(
    model_path: Path,
    reading: Reading,
    names: Iterable[str],
    workers: int,
    judge: Callable[[Input], Judgement],
) -> Iterator[Judgement | Failure]:
    """Score files in several processes, each with one processor thread, and judge them there.

    The processes bound the memory of FFmpeg to `limits.decoder_megabytes`. They receive the files
    in rounds, and the next round begins when all files of one are judged. So the names are read in
    the thread of the caller, and a slow file delays a bounded number of results.

    Args:
        model_path: `model.onnx`.
        reading: how files become windows.
        names: of files.
        workers: number of processes; 0 for one per core.
        judge: makes the result of a scored file; it is pickled.

    Yields:
        The results in the order of the names; a `Failure` for a bad file.
    """
    names, model_path = iter(names), model_path.resolve()
    reading = _in_worker(reading)
    workers = workers or count_cores()
    round_files = FILES_PER_BATCH * BATCHES_PER_ROUND * workers
    while files := list(itertools.islice(names, round_files)):
        calls = (
            (model_path, reading, files[first:after], judge)
            for first, after in _batch_bounds(len(files), workers)
        )
        for results in in_processes(_score_batch, calls, workers, "judges"):
            yield from results


def score_on_cluster(
    address: str,
    model_path: Path,
    reading: Reading,
    names: Iterable[str],
    judge: Callable[[Input], Judgement],
) -> Iterator[Judgement | Failure]:
    """Score and judge files on the workers of a Dask cluster; see `score_in_processes`.

    The workers read the files and the model under the same names as this machine. A file at which
    several workers end becomes a `Failure`.

    Args:
        address: of the scheduler.
    """
    names, model_path, reading = iter(names), model_path.resolve(), _in_worker(reading)
    first = next(names, None)
    if first is None:
        return
    known = [path for path in (model_path, reading.folder, reading.folder / first) if path.exists()]
    batches = iter(lambda: tuple(itertools.islice(names, FILES_PER_BATCH)), ())
    with cluster.connected(address, known) as client:
        calls = (
            (model_path, reading, batch, judge) for batch in itertools.chain([(first,)], batches)
        )
        for (*_, batch, _), results in cluster.run_calls(client, _score_batch, calls):
            if not isinstance(results, cluster.LostCallError):
                yield from results
                continue
            singly = ((model_path, reading, (name,), judge) for name in batch)
            for (*_, (name,), _), found in cluster.run_calls(client, _score_batch, singly):
                if isinstance(found, cluster.LostCallError):
                    yield Failure(name, f"cannot judge {name}: {found} ended at it; leave it out")
                else:
                    yield from found


def _in_worker(reading: Reading) -> Reading:
    """Return the reading for worker processes: from this folder, with bounds, in one thread."""
    megabytes = reading.settings.limits.decoder_megabytes
    return replace(reading, folder=Path.cwd(), decoder_megabytes=megabytes, threads=1)


def _batch_bounds(files: int, workers: int) -> Iterator[tuple[int, int]]:
    """Yield the first file and the one after the last of each batch; few files make small ones.

    >>> list(_batch_bounds(5, 4)), list(_batch_bounds(70, 2))
    ([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], [(0, 17), (17, 34), (34, 51), (51, 68), (68, 70)])
    """
    size = max(1, min(FILES_PER_BATCH, files // (2 * workers)))
    for first in range(0, files, size):
        yield first, min(first + size, files)


def _score_batch(
    model_path: Path,
    reading: Reading,
    names: Sequence[str],
    judge: Callable[[Input], Judgement],
) -> list[Judgement | Failure]:
    """Score and judge files in a worker process."""
    model = _worker_model(model_path, reading.settings.limits.model_dump_json())
    scored = score_inputs(model, reading, names)
    return [judge(found) if isinstance(found, Input) else found for found in scored]


@lru_cache(maxsize=1)
def _worker_model(path: Path, limits: str) -> onnxruntime.InferenceSession:
    """Load the model once per process; limits are JSON, since settings can't be hashed."""
    return onnx_session.load_model(path, 1, LimitSettings.model_validate_json(limits))


def _render(
    file: str | NamedInput, reading: Reading
) -> Iterator[tuple[tuple[Input | Failure, Window | None], np.ndarray | None]]:
    """Yield the image of each window; at last the whole input without window and image."""
    name = file.name if isinstance(file, NamedInput) else file
    found = Input(name)
    try:
        with (
            _opened(file, reading) as source,
            renamed_in_errors(name, source) if isinstance(source, Path) else nullcontext(),
        ):
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
    for part in find_parts(source, found, reading):
        render = partial(_render_window, part=part, settings=settings)
        cut = recording_windows(part, audio)
        for samples, window, image in in_threads(render, cut, reading.threads):
            echoes.add(samples)
            yield window, image
    found.echo = echoes.strongest()


def _render_window(
    cut: tuple[float, np.ndarray], part: Recording, settings: Settings
) -> tuple[np.ndarray, Window, np.ndarray]:
    """Return the samples of a window, its measures, and its image."""
    start_seconds, samples = cut
    image = spectrogram_image(samples, settings.audio)
    sound_samples = part.end - part.first
    sound = samples[padding_before(sound_samples, settings.audio) :][:sound_samples]
    window = _measured(start_seconds, part, sound, image, settings)
    return samples, window, fit_image(image, settings.image)


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
    return Window(
        start_seconds,
        part.channel or 0,
        bandwidth_hz=bandwidth_hz(sound, audio.sample_rate_hz),
        clarity=measure_clarity(sound, audio.sample_rate_hz),
        clipped_share=clipped_share(sound + np.float32(part.mean_offset)),
        peaks=peak_envelope(np.pad(sound, (0, audio.window_samples - len(sound)))),
        prominence_db=image_rate_prominence_db(image, audio) if audio.frame_rates_hz else None,
        track=part.track,
    )
