"""The pages of an Ogg file."""

import os
from pathlib import Path

from deepfake_audio.audio.sounds import open_lenient

MARK, HEADER_BYTES = b"OggS", 27
MAX_PAGE_BYTES = HEADER_BYTES + 255 + 255 * 255


def is_cut_off(sound: Path | bytes) -> bool:
    """Return whether an Ogg file ends within a page: it declares no length that would tell."""
    with open_lenient(sound) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - MAX_PAGE_BYTES))
        tail = file.read(MAX_PAGE_BYTES)
    page = tail[max(0, tail.rfind(MARK)) :]
    if not page.startswith(MARK):
        return False
    if len(page) < HEADER_BYTES:
        return True
    sizes = page[HEADER_BYTES : HEADER_BYTES + page[HEADER_BYTES - 1]]
    return len(page) < HEADER_BYTES + page[HEADER_BYTES - 1] + sum(sizes)
