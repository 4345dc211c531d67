"""Write verdicts in the four columns that a public board of detectors asks for.

The board is Podonos' benchmark of audio deepfake detection: its page on submissions names the
columns and the words. A file without a verdict counts as declined, and an unreadable one as error;
the board leaves both out of the accuracy and counts them as rejected.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from deepfake_audio.inference.earlier_tables import set_aside
from deepfake_audio.inference.inputs import Failure
from deepfake_audio.inference.result import Result
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.csv_files import write_rows
from deepfake_audio.system.regular_files import check_replaceable, open_table
from deepfake_audio.vocabulary import Verdict

COLUMNS = ("filename", "label", "latency_ms", "audio_duration_sec")
COMPARED = ("filename", "label", "audio_duration_sec")
DECLINED, FAILED = "NOT_APPLICABLE", "error"
LABELS = {Verdict.REAL: "real", Verdict.FAKE: "fake", Verdict.UNCERTAIN: DECLINED}
T = TypeVar("T")


def timed(judge: Callable[[str], Iterable[T]], names: Iterable[str]) -> Iterator[tuple[T, float]]:
    """Judge files one after another, and measure the time of each.

    Yields:
        What `judge` gives for a file, and its latency in milliseconds: from opening the file to the
        verdict.
    """
    for name in names:
        start = time.perf_counter()
        for result in judge(name):
            yield result, 1000 * (time.perf_counter() - start)


@contextmanager
def board_table(
    path: Path, asked: Sequence[str], say: Callable[[str], object]
) -> Iterator[Callable[[Result | Failure, float], None]]:
    """Write a table for the board; it takes its place when all rows are there.

    An earlier table with other files, labels or durations is renamed with a number at the end, and
    `say` receives a remark.

    Args:
        asked: the files and folders of the command.

    Yields:
        A function that adds a result or a failure, with its latency in milliseconds.

    Raises:
        InputError: another kind of file is there.
    """
    check_replaceable(path, ",".join(COLUMNS).encode(), "--board", "choose another name")
    with atomic_write(path) as partial:
        with open_table(partial) as file:
            write_rows(file, [COLUMNS])

            def add(found: Result | Failure, latency_ms: float) -> None:
                name = name_on_board(found.name, asked)
                if isinstance(found, Failure):
                    write_rows(file, [[name, FAILED, "", ""]])
                    return
                seconds = f"{found.quality.duration_seconds:.4f}" if found.quality else ""
                write_rows(file, [[name, LABELS[found.verdict], f"{latency_ms:.2f}", seconds]])

            yield add
        remarks = set_aside(path, partial, COLUMNS, COMPARED)
    for remark in remarks:
        say(remark)


def name_on_board(name: str, asked: Sequence[str]) -> str:
    """Return a file's name below the folder of the command, or without folders.

    >>> name_on_board("dataset/0.flac", ["dataset/"]), name_on_board("x/1.wav", ["x/1.wav"])
    ('0.flac', '1.wav')
    """
    path = Path(name)
    folder = next((f for f in asked if f != name and path.is_relative_to(f)), path.parent)
    return path.relative_to(folder).as_posix()
