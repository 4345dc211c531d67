"""List the files that a command line names, and those in its folders."""

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.inference.inputs import Failure, name_given
from deepfake_audio.inference.remote import is_remote
from deepfake_audio.inference.table_rows import STATE, STATE_CHARACTERS, Judged, name_in_table
from deepfake_audio.inference.timeline_files import is_timeline
from deepfake_audio.system.folder_walk import find_files
from deepfake_audio.system.regular_files import is_folder, open_regular
from deepfake_audio.system.shards import Shard
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES

TEXT_SUFFIXES = frozenset(
    {".csv", ".htm", ".html", ".json", ".lab", ".log", ".md", ".pdf", ".tsv", ".txt", ".xml",
     ".yaml", ".yml"}
)  # fmt: skip

STANDARD_INPUT = "-"
TRANSPORT_SUFFIX, TRANSPORT_PACKET_BYTES, TRANSPORT_SYNC = ".ts", 188, b"G"


class FileList:
    """Files to judge.

    Attributes:
        images_from_audio: audio is judged, so that images beside it are skipped.
        shard: the only part of the files to judge; None for all.
        skipped: number of files in folders that may be audio but have another suffix, by suffix.
        listed: number of names so far, those of all shards.
        done: files that a table has already; None without a table, which asks for the `facts`.
    """

    def __init__(self, images_from_audio: bool, shard: Shard | None = None):
        self.images_from_audio = images_from_audio
        self.shard = shard
        self.skipped: Counter[str] = Counter()
        self.listed = 0
        self.done: Judged | None = None
        self._names = hashlib.sha256()
        self._facts: defaultdict[str, deque[tuple[int, str | None]]] = defaultdict(deque)

    @property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that identify the names so far, those of all shards."""
        return self._names.hexdigest()[:16]

    def facts(self, name: str) -> dict[str, int | str | None]:
        """Return the position of a file among those of all shards, and its state when listed.

        A name that is listed twice has the facts of each in turn.
        """
        position, state = self._facts[name].popleft()
        if not self._facts[name]:
            del self._facts[name]
        return {"position": position, STATE: state}

    def expand(self, names: Iterable[str]) -> Iterator[str | Failure]:
        """Yield the files without a verdict, and in place of a folder the files in it.

        An empty name and a folder without files give a `Failure`.
        """
        for name in names:
            if not name:
                error = "cannot judge a file with an empty name; name a file or folder"
                found = [Failure(name, error, "not_found")]
            else:
                found = self._in_folder(name) if is_folder(Path(name)) else [name]
            yield from (file for file in found if self._is_wanted(name_given(file)))

    def _is_wanted(self, name: str) -> bool:
        """Return whether a file is in the shard and has no verdict."""
        if self.shard:
            self.listed += 1
            written = name_in_table(name)
            self._names.update(written.encode("utf-8", "backslashreplace") + b"\0")
            if not self.shard.has(written):
                return False
        if self.done is not None:
            state = file_state(name)
            if state is not None and self.done.take(name, state):
                return False
            self._facts[name].append((self.listed, state))
        return True

    def _in_folder(self, name: str) -> Iterator[str | Failure]:
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
            yield Failure(name, error, "no_files")


def file_state(name: str) -> str | None:
    """Return 8 hexadecimal digits that change with a file, or nothing for a remote one.

    None means that no two states are the same: standard input, and a file that can't be found.
    """
    if is_remote(name):
        return ""
    try:
        status = None if name == STANDARD_INPUT else Path(name).stat()
    except (OSError, ValueError):
        status = None
    if status is None:
        return None
    facts = f"{status.st_size}|{status.st_mtime_ns}"
    return hashlib.sha256(facts.encode()).hexdigest()[:STATE_CHARACTERS]


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
