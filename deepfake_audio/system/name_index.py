"""Names with their counts, on disk beyond a few megabytes, so that any number fits memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from deepfake_audio.errors import OutputError

MEMORY_KILOBYTES = 32_000  # SQLite moves the rest into a temporary file, which it removes
DIGEST_BYTES = 16  # two of a trillion names are equal by chance once in 10^14 times


class NameIndex:
    """A multiset of names; it holds their digests, 16 bytes each."""

    def __init__(self, names: Iterable[str] = ()):
        """Make an index of some names."""
        import sqlite3  # 5 ms, which a command without a table saves

        self._error = sqlite3.Error
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._base.execute(f"PRAGMA cache_size = -{MEMORY_KILOBYTES}")
        self._base.execute("CREATE TABLE names (name BLOB PRIMARY KEY, times INT) WITHOUT ROWID")
        self._base.execute("BEGIN")  # one transaction for all: it is never written to a named file
        with self._reported():
            self._base.executemany(
                "INSERT INTO names VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1",
                ((digest(name),) for name in names),
            )

    def __len__(self) -> int:
        """Return the number of names, each as often as it is there."""
        with self._reported():
            return self._base.execute("SELECT ifnull(sum(times), 0) FROM names").fetchone()[0]

    def repeated(self) -> int:
        """Return the number of different names that are there more than once."""
        with self._reported():
            query = "SELECT count(*) FROM names WHERE times > 1"
            return self._base.execute(query).fetchone()[0]

    def __contains__(self, name: str) -> bool:
        with self._reported():
            query = "SELECT 1 FROM names WHERE name = ? AND times > 0"
            return self._base.execute(query, [digest(name)]).fetchone() is not None

    def take(self, name: str) -> bool:
        """Remove a name once; return False if it is not there."""
        with self._reported():
            query = "UPDATE names SET times = times - 1 WHERE name = ? AND times > 0"
            return self._base.execute(query, [digest(name)]).rowcount > 0

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise OutputError(
                f"cannot write a temporary list of names: {error}; set TMPDIR to a folder with room"
            ) from None


def digest(name: str) -> bytes:
    """Return 16 bytes that identify a name."""
    return blake2b(name.encode("utf-8", "backslashreplace"), digest_size=DIGEST_BYTES).digest()
