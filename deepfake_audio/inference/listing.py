"""List the files that a command line names, and those in its folders."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.inference.pipeline import Failure
from deepfake_audio.inference.results_table import Judged
from deepfake_audio.inference.timelines import is_timeline
from deepfake_audio.system.atomic_files import is_folder, open_regular
from deepfake_audio.system.folder_walk import find_files
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES

TEXT_SUFFIXES = frozenset(
    {".csv", ".htm", ".html", ".json", ".lab", ".log", ".md", ".pdf", ".tsv", ".txt", ".xml",
     ".yaml", ".yml"}
)  # fmt: skip

TRANSPORT_SUFFIX, TRANSPORT_PACKET_BYTES, TRANSPORT_SYNC = ".ts", 188, b"G"


class FileList:
    """Files to judge.

    Attributes:
        skipped: number of files in folders that may be audio but have another suffix, by suffix.
    """

    def __init__(
        self,
        images_from_audio: bool,
        done: Judged,
        on_error: Callable[[Failure], object],
    ):
        """Prepare a list.

        Args:
            images_from_audio: audio is judged, so that images beside it are skipped.
            done: files that have a verdict already.
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
                error = "cannot judge a file with an empty name; name a file or folder"
                self.on_error(Failure(name, error, "not_found"))
            elif is_folder(Path(name)):
                yield from filter(self._has_no_verdict, self._in_folder(name))
            elif self._has_no_verdict(name):
                yield name

    def _has_no_verdict(self, name: str) -> bool:
        return not self.done.take(name)

    def _in_folder(self, name: str) -> Iterator[str]:
        """Yield a folder's audio; its images if the run judges images or there is no audio."""
        folder, others, is_empty = Path(name), Counter(), True
        skips_images = self.images_from_audio and any(
            not is_typescript(path) for path in find_files(folder, AUDIO_SUFFIXES)
        )
        for path in find_files(folder, IMAGE_SUFFIXES | set(AUDIO_SUFFIXES), others):
            suffix = path.suffix.lower()
            if is_timeline(path):
                continue
            if (skips_images and suffix in IMAGE_SUFFIXES) or is_typescript(path):
                others[suffix] += 1
                continue
            is_empty = False
            yield str(path)
        self.skipped += Counter({s: n for s, n in others.items() if s not in TEXT_SUFFIXES})
        if is_empty:
            error = f"cannot judge {name}: the folder has no audio or images; name files or another"
            self.on_error(Failure(name, error, "no_files"))


def is_typescript(path: Path) -> bool:
    """Return whether a `.ts` file is no transport stream: TypeScript has the same suffix."""
    if path.suffix.lower() != TRANSPORT_SUFFIX:
        return False
    try:
        with open_regular(path, "An audio file") as file:
            begin = file.read(TRANSPORT_PACKET_BYTES + 1)
    except InputError:
        return False  # its reader reports the reason
    return not (begin[:1] == begin[TRANSPORT_PACKET_BYTES:] == TRANSPORT_SYNC)
