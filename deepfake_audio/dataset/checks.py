"""Checks of the images of a data folder: classes, speakers, unreadable and repeated files."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.errors import InputError, first_names
from deepfake_audio.features.image_files import read_image
from deepfake_audio.system.regular_files import open_regular
from deepfake_audio.system.workers import count_cores, in_threads
from deepfake_audio.vocabulary import LABELS, SPLITS, ImageRecord

FEW_FILES = 30  # of a class: a warning says that figures and calibrations of fewer are unsure


@dataclass(frozen=True)
class DataCheck:
    """The result of `check_images`.

    Attributes:
        records: the images to use.
        unreadable: one message for each image that can't be read; they are left out.
        repeated: images left out since a later split has the same bytes (train < val < test).
        fingerprint: changes when any image, label or split does.
    """

    records: list[ImageRecord]
    unreadable: list[str]
    repeated: list[str]
    fingerprint: str


def speaker_warnings(records: Iterable[ImageRecord]) -> list[str]:
    """Return a line that names the speakers in more than one split, if there are any."""
    splits_of = defaultdict(set)
    for record in records:
        splits_of[record.speaker].add(record.split)
    shared = sorted(name for name, splits in splits_of.items() if name and len(splits) > 1)
    if not shared:
        return []
    return [
        f"{len(shared):,} speakers are in more than one split ({first_names(shared, 3)}): "
        "error rates on them are too good."
    ]


def check_classes(records: Iterable[ImageRecord], splits: Sequence[str], folder: Path) -> None:
    """Raise an `InputError` unless each of the splits has images of both classes."""
    found = {(record.split, record.label) for record in records}
    for split in splits:
        for label in LABELS:
            if (split, label) not in found:
                raise InputError(
                    f"no images in {folder / split / label}; put {label} images there, since each "
                    "split needs both classes"
                )


def check_images(records: Sequence[ImageRecord], settings: ImageSettings) -> DataCheck:
    """Read every image once; leave out unreadable images and those that a later split has too.

    Args:
        records: the images of a data folder.
        settings: of the network's input.
    """
    digests = list(in_threads(partial(_digest, settings=settings), records, count_cores() + 4))
    found = list(zip(records, digests, strict=True))
    by_split = sorted(found, key=lambda each: SPLITS.index(each[0].split))
    last_split = {digest: record.split for record, digest in by_split}
    used, unreadable, repeated, fingerprint = [], [], [], hashlib.sha256()
    for record, digest in found:
        if isinstance(digest, str):
            unreadable.append(digest)
        elif last_split[digest] != record.split:
            repeated.append(record.image)
        else:
            used.append(record)
            name = f"{record.image}\0{record.label}\0{record.split}\0"
            fingerprint.update(name.encode("utf-8", "surrogateescape") + digest)
    return DataCheck(used, unreadable, repeated, fingerprint.hexdigest())


def _digest(record: ImageRecord, settings: ImageSettings) -> bytes | str:
    """Return the digest of an image, or its error as text: exceptions keep much in memory."""
    try:
        read_image(record.path, settings)
        with open_regular(record.path, "An image") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"cannot read {record.path}: {error.strerror}; put the image back"


def image_stamps(records: Iterable[ImageRecord]) -> dict[str, tuple[int, int] | None]:
    """Return the size and modification time of each image; None for a missing one."""
    stamps = {}
    for record in records:
        try:
            status = record.path.stat()
            stamps[record.image] = status.st_size, status.st_mtime_ns
        except OSError:
            stamps[record.image] = None
    return stamps
