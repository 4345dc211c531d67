"""Errors of the user's input, and text for one line of a terminal."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# In the errors of Python and Matplotlib if no folder for temporary files can be written to.
NO_ROOM = ("No usable temporary directory", "writable cache directory")
SHOWN_CHARACTERS = 200


class InputError(Exception):
    """A wrong input or setting: the fact, the value and the remedy, on one line.

    Attributes:
        code: stable, for programs: one of `CODES`, which docs/json.md explains.
    """

    CODES = (
        "unreadable", "not_found", "empty", "no_sound", "bad_samples", "no_image", "other_run",
        "no_such_part", "limit", "no_files",
    )  # fmt: skip

    def __init__(self, message: str, code: str = CODES[0]):
        super().__init__(message)
        self.code = code


class OutputError(InputError):
    """A result can't be written: this ends a batch, while a bad input is only skipped."""


@contextmanager
def renamed_in_errors(name: str, source: object) -> Iterator[None]:
    """Replace the path of a temporary file by the user's name for it in errors.

    A source that is no path, such as samples in memory, has no name to replace.
    """
    try:
        yield
    except OutputError:
        raise
    except InputError as error:
        if not isinstance(source, Path):
            raise
        raise InputError(str(error).replace(str(source), name), error.code) from None


def one_line(text: object) -> str:
    """Return `text` on one printable line.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def shortened(value: object) -> str:
    """Return a value as text that fits a line.

    >>> shortened(" a\\n   b")
    'a b'
    """
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def first_names(names: Iterable[object], most: int = 4) -> str:
    """Return the first names of a list on one line.

    >>> first_names("abcde"), first_names("ab"), first_names("abc", most=2)
    ('a, b, c, d, ...', 'a, b', 'a, b, ...')
    """
    names = list(names)
    return ", ".join(map(one_line, names[:most])) + (", ..." if len(names) > most else "")


def pluralize(count: int, thing: str) -> str:
    """Return a count with its noun in the singular or plural.

    >>> pluralize(1, "file"), pluralize(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
