"""The files that a command line names, and those in its folders."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from deepfake_audio.inference.pipeline import Failure
from deepfake_audio.inference.results_table import as_written
from deepfake_audio.inference.timelines import is_timeline
from deepfake_audio.system.atomic_files import find_files, is_folder
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES

TEXT_SUFFIXES = frozenset(
    {".csv", ".htm", ".html", ".json", ".lab", ".log", ".md", ".pdf", ".tsv", ".txt", ".xml",
     ".yaml", ".yml"}
)  # fmt: skip


class FileList:
    """Files to judge.

    Attributes:
        skipped: number of files in folders that may be audio but have another suffix, by suffix.
    """

    def __init__(
        self,
        images_from_audio: bool,
        done: Collection[str],
        on_error: Callable[[Failure], object],
    ):
        """Prepare a list.

        Args:
            images_from_audio: audio is judged, so that images beside it are skipped.
            done: names, as the results table writes them, of files that have a verdict.
            on_error: receives names that are no file and folders without one.
        """
        self.images_from_audio = images_from_audio
        self.done = done
        self.on_error = on_error
        self.skipped: Counter[str] = Counter()

    def expand(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the files without a verdict, and in place of a folder the files in it."""
        for name in names:
            if not name:
                self.on_error(Failure(name, "A file has a name. Received: an empty one."))
            elif is_folder(Path(name)):
                yield from filter(self._has_no_verdict, self._in_folder(name))
            elif self._has_no_verdict(name):
                yield name

    def _has_no_verdict(self, name: str) -> bool:
        return not self.done or as_written(name) not in self.done

    def _in_folder(self, name: str) -> list[str]:
        """List a folder's audio; its images if the run judges images or there is no audio."""
        others: Counter[str] = Counter()
        found = find_files(Path(name), IMAGE_SUFFIXES | set(AUDIO_SUFFIXES), others)
        self.skipped += Counter({s: n for s, n in others.items() if s not in TEXT_SUFFIXES})
        found = [path for path in found if not is_timeline(path)]
        images = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
        audio = [path for path in found if path.suffix.lower() in AUDIO_SUFFIXES]
        if self.images_from_audio and audio:
            self.skipped.update(path.suffix.lower() for path in images)
            found = [path for path in found if path.suffix.lower() not in IMAGE_SUFFIXES]
        if not found:
            error = f"A folder must hold audio or images. Received: {name}."
            self.on_error(Failure(name, error))
        return list(map(str, found))
