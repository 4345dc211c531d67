"""Inputs to scored windows: open each file, render its windows, score them in batches."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import onnxruntime

from deepfake_audio.config.schema import LimitSettings
from deepfake_audio.inference.input_windows import render_input
from deepfake_audio.inference.inputs import Failure, Given, Input, Reading, name_given
from deepfake_audio.models import onnx_session
from deepfake_audio.system import cluster
from deepfake_audio.system.workers import LostProcessError, count_cores, in_processes

FILES_PER_BATCH = 32  # files that a worker process receives at a time
BATCHES_PER_ROUND = 64  # for each process: all wait for the last batch of a round

Judgement = TypeVar("Judgement")


def score_inputs(
    model: onnxruntime.InferenceSession, reading: Reading, names: Iterable[Given]
) -> Iterator[Input | Failure]:
    """Yield each file with the scores of its windows, in order; bad files become a `Failure`."""
    rendered = itertools.chain.from_iterable(render_input(name, reading) for name in names)
    batch_size = reading.settings.score.batch_size
    for (done, window), score in onnx_session.score_stream(model, rendered, batch_size):
        if window is None:
            yield done
        else:
            window.score = score


def score_in_processes(
    model_path: Path,
    reading: Reading,
    names: Iterable[Given],
    workers: int,
    judge: Callable[[Input], Judgement],
) -> Iterator[Judgement | Failure]:
    """Score files in several processes, each with one processor thread, and judge them there.

    The processes bound the memory of FFmpeg to `limits.decoder_megabytes`. They receive the files
    in rounds, and the next round begins when all files of one are judged. So the names are read in
    the thread of the caller, and a slow file delays a bounded number of results.

    Args:
        workers: number of processes; 0 for one per core.
        judge: makes the result of a scored file; it is pickled.

    Yields:
        The results in the order of the names; a `Failure` for a bad file, and for one at which its
        process ended, for example for lack of memory.
    """
    names, model_path = iter(names), model_path.resolve()
    reading = _in_worker(reading)
    workers = workers or count_cores()
    round_files = FILES_PER_BATCH * BATCHES_PER_ROUND * workers
    while files := list(itertools.islice(names, round_files)):
        bounds = deque(_batch_bounds(len(files), workers))
        while bounds:
            calls = ((model_path, reading, files[slice(*batch)], judge) for batch in [*bounds])
            try:
                for results in in_processes(_score_batch, calls, workers, "judges"):
                    bounds.popleft()
                    yield from results
            except LostProcessError:  # at a file of this batch, or of one after it
                for file in files[slice(*bounds.popleft())]:
                    yield from _score_alone(model_path, reading, file, judge, workers)


def _score_alone(
    model_path: Path,
    reading: Reading,
    file: Given,
    judge: Callable[[Input], Judgement],
    workers: int,
) -> list[Judgement | Failure]:
    """Score and judge a file while no other process works; a lost process becomes a `Failure`."""
    call = model_path, reading, (file,), judge
    try:
        (found,) = in_processes(_score_batch, [call], workers, "judges")
    except LostProcessError:
        name = name_given(file)
        return [Failure(name, f"cannot judge {name}: the process ended at it; leave it out")]
    return found


def score_on_cluster(
    address: str,
    model_path: Path,
    reading: Reading,
    names: Iterable[Given],
    judge: Callable[[Input], Judgement],
) -> Iterator[Judgement | Failure]:
    """Score and judge files on the workers of a Dask cluster; see `score_in_processes`.

    The workers read the files and the model under the same names as this machine. A file at which
    several workers end becomes a `Failure`.
    """
    names, model_path, reading = iter(names), model_path.resolve(), _in_worker(reading)
    first = next(names, None)
    while isinstance(first, Failure):  # no file to connect for
        yield first
        first = next(names, None)
    if first is None:
        return
    places = model_path, reading.folder, reading.folder / name_given(first)
    known = [path for path in places if path.exists()]
    batches = iter(lambda: tuple(itertools.islice(names, FILES_PER_BATCH)), ())
    with cluster.connected(address, known) as machines:
        calls = (
            (model_path, reading, batch, judge) for batch in itertools.chain([(first,)], batches)
        )
        for (*_, batch, _), results in machines.run_calls(_score_batch, calls):
            if not isinstance(results, cluster.LostCallError):
                yield from results
                continue
            singly = ((model_path, reading, (file,), judge) for file in batch)
            for (*_, (file,), _), found in machines.run_calls(_score_batch, singly):
                if isinstance(found, cluster.LostCallError):
                    name = name_given(file)
                    yield Failure(name, f"cannot judge {name}: {found} ended at it; leave it out")
                else:
                    yield from found


def _in_worker(reading: Reading) -> Reading:
    """Return the reading for worker processes: from this folder, with bounds, in one thread."""
    megabytes = reading.settings.limits.decoder_megabytes
    return replace(
        reading, folder=Path.cwd(), decoder_megabytes=megabytes, threads=1, on_window=None
    )


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
    names: Sequence[Given],
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
