"""The one error that is the user's to mend, and the wrapper that prints it on one line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# What Python and Matplotlib say where neither /tmp nor the working folder can be written to.
NO_ROOM = ("No usable temporary directory", "writable cache directory")


class InputError(Exception):
    """A wrong input or setting: states the rule, what was received, and the remedy."""


class OutputError(InputError):
    """A result can't be written: a batch ends here, where a bad input costs only itself."""


@contextmanager
def renamed_in_errors(name: str, path: Path) -> Iterator[None]:
    """Let what is wrong with a temporary file be told of what it was made from.

    Args:
        name: told in place of the path.
        path: of the temporary file.
    """
    try:
        yield
    except OutputError:
        raise
    except InputError as error:
        raise InputError(str(error).replace(str(path), name)) from None


def one_line(text: object) -> str:
    """Return `text` on one printable line.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def pluralize(count: int, thing: str) -> str:
    """Return how many of a thing there are, as it is said.

    >>> pluralize(1, "file"), pluralize(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
