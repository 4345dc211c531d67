"""Sort images without splits into a data folder: copies of the user's files, as they are."""

import filecmp
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.corpora.index import stem, without_suffix
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.rendering import Job
from deepfake_audio.errors import InputError, OutputError, pluralize
from deepfake_audio.features.image_files import read_image
from deepfake_audio.features.image_headers import image_size
from deepfake_audio.system.atomic_files import (
    atomic_write,
    copy_file,
    is_file,
    open_regular,
    write_error,
)
from deepfake_audio.vocabulary import LABELS

# The end of a name that numbers the parts of one recording, such as _0012, -seg3 or (2).
PART = re.compile(
    r"[\W_]*(?:(?:win(?:dow)?|seg(?:ment)?|chunk|part|slice|frame|crop|spec|copy|aug)?[\W_]*\d+"
    r"|copy|aug)[\W_]*$",
    re.IGNORECASE,
)
MIN_GROUPS = 10  # of a class, and none of them larger than this part of it
WHITE = 240
EMPTY_SHARE = 0.8  # of the pixels of a row or column of a margin; ticks and labels fill the rest
MIN_MARGIN = 0.02  # of the height or width, at all four sides
MIN_INK_SHARE = 0.002  # of the pixels of a margin: ticks and labels
SQUEEZE = 1.5  # a picture is squeezed if its aspect ratio changes by more than this factor
MOST = 0.2  # of the images: more have margins, or are squeezed


class Picture(NamedTuple):
    """The outside of an image: its size, its kind and its margins."""

    width: int
    height: int
    kind: str
    has_margins: bool
    has_ink: bool


def group_images(clips: Sequence[Clip], grouping: str) -> tuple[list[Clip], str]:
    """Choose the images that stay in one split: those of a folder, or of names that are alike.

    Args:
        clips: images; if some have a speaker or a sentence, nothing is changed.
        grouping: "folder" for the folders below the class, "name" for names that differ by a last
            number only, "file" for no groups, "auto" for the first of these that gives a class
            enough groups.

    Returns:
        The clips with their `split_key`, and sentences for the report.
    """
    if any(clip.speaker or clip.split_key != clip.name for clip in clips):
        return list(clips), "Images of one speaker or sentence are in one split."
    if all(clip.split for clip in clips):
        return list(clips), "The images keep the splits of their folders or of their table."
    names = {label: [clip.name for clip in clips if clip.label == label] for label in LABELS[::-1]}
    chosen = {label: _choose_groups(found, grouping) for label, found in names.items() if found}
    keys = {name: key for _, of_class in chosen.values() for name, key in of_class.items()}
    grouped = [replace(clip, split_key=keys[clip.name]) for clip in clips]
    if len({how for how, _ in chosen.values()}) == 1:
        how = next(iter(chosen.values()))[0]
        return grouped, _describe_groups("Images", how, keys, grouping)
    lines = [
        _describe_groups(f"{label.title()} images", how, of_class, grouping)
        for label, (how, of_class) in chosen.items()
    ]
    return grouped, " ".join(lines)


def _choose_groups(names: Sequence[str], grouping: str) -> tuple[str, dict[str, str]]:
    """Return how the images of one class are grouped, and the group of each."""
    top = posixpath.commonpath([posixpath.dirname(name) for name in names])
    key_of = {
        "folder": lambda name: posixpath.relpath(posixpath.dirname(name) or ".", top or "."),
        "name": _part_of,
    }
    for how in ("folder", "name") if grouping == "auto" else {grouping} & key_of.keys():
        keys = {name: key_of[how](name) for name in names}
        keys = {name: stem(name) if key == "." else key for name, key in keys.items()}
        largest = Counter(keys.values()).most_common(1)[0][1]
        fits = len(set(keys.values())) >= MIN_GROUPS and largest * MIN_GROUPS <= len(names)
        if largest > 1 and (fits or grouping != "auto"):
            return how, keys
    return "file", {name: stem(name) for name in names}


def _describe_groups(images: str, how: str, keys: Mapping[str, str], grouping: str) -> str:
    if how == "file":
        line = (
            f"{images} are split one by one: parts of one recording, or images of one speaker, may "
            "be in several splits"
        )
        remedy = (
            "; prepare.image_groups=folder keeps each folder together, and "
            "prepare.image_groups=name names that differ by a last number only"
        )
        return f"{line}{remedy if grouping == 'auto' else ''}."
    sizes = Counter(keys.values())
    example, size = sizes.most_common(1)[0]
    by = {"folder": "folder", "name": "the name without its last number"}[how]
    return (
        f"{images} are in {len(sizes):,} groups by {by}, such as {example} "
        f"({pluralize(size, 'image')}); a group is in one split. "
        "prepare.image_groups=file splits images one by one."
    )


def _part_of(name: str) -> str:
    """Return the name of an image without its folder, suffix and last number; a number stays.

    >>> _part_of("real/LJ001-0001_seg03.png"), _part_of("fake/anna (2).png"), _part_of("a/7.png")
    ('LJ001-0001', 'anna', 'a/7')
    """
    return PART.sub("", stem(name)) or without_suffix(name)


def copy_images(jobs: Sequence[Job], folder: Path, settings: ImageSettings) -> dict[str, dict]:
    """Copy the images of jobs that can be read into a data folder; identical copies stay.

    Returns:
        An entry for each job's stem: the name of the image in the folder and the properties of
        the picture, or the error.

    Raises:
        OutputError: an image can't be written, or another file is in its place.
    """
    return {job.stem: _copy_image(job, folder, settings) for job in jobs}


def _copy_image(job: Job, folder: Path, settings: ImageSettings) -> dict:
    source, name = job.clip.path, f"{job.stem}{job.clip.path.suffix.lower()}"
    target = folder / name
    try:
        read_image(source, settings.model_copy(update={"channels": "grayscale"}))
        picture = examine(source)
    except OutputError:
        raise
    except InputError as error:
        return {"stem": job.stem, "error": str(error)}
    try:
        if not is_file(target) or not filecmp.cmp(source, target, shallow=False):
            with atomic_write(target) as partial:
                copy_file(source, partial, "An image")
    except OSError as error:
        raise write_error(target, error) from None
    nuisances = {
        "width": float(picture.width),
        "height": float(picture.height),
        "white margins": float(picture.has_margins),
        "file format": picture.kind,
    }
    return {"stem": job.stem, "image": name, "picture": picture, "nuisances": nuisances}


def examine(path: Path) -> Picture:
    """Measure the size of an image and its white margins with ticks or labels."""
    with open_regular(path, "An image") as file:
        encoded = file.read()
    size = image_size(encoded)
    grey = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    width, height = size or (grey.shape[1], grey.shape[0])
    has_margins, has_ink = find_margins(_on_white(grey))
    return Picture(width, height, path.suffix.lower(), has_margins, has_ink)


def _on_white(pixels: np.ndarray) -> np.ndarray:
    """Return an image in grey, as a viewer shows it on a white page: uint8 `(height, width)`."""
    if pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8).astype(np.uint8)
    if pixels.ndim == 2:
        return pixels
    grey = pixels[..., :3].mean(axis=2)
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3] / 255
        grey = grey * alpha + 255 * (1 - alpha)
    return grey.astype(np.uint8)


def find_margins(grey: np.ndarray) -> tuple[bool, bool]:
    """Return whether an image has white margins at all sides, and ticks or labels in them.

    Args:
        grey: uint8 `(height, width)`.
    """
    is_white = grey >= WHITE
    by_row, by_column = is_white.mean(axis=1), is_white.mean(axis=0)
    sides = [_margin(line) for line in (by_row, by_row[::-1], by_column, by_column[::-1])]
    top, bottom, left, right = sides
    if min(sides) < 1 or top + bottom >= len(by_row) or left + right >= len(by_column):
        return False, False
    shares = [top / len(by_row), bottom / len(by_row)]
    shares += [left / len(by_column), right / len(by_column)]
    if min(shares) < MIN_MARGIN:
        return False, False
    outside = np.ones_like(is_white)
    outside[top : len(by_row) - bottom, left : len(by_column) - right] = False
    return True, bool((~is_white[outside]).mean() > MIN_INK_SHARE)


def _margin(white_shares: np.ndarray) -> int:
    """Return the number of lines from the edge that are nearly white."""
    filled = np.flatnonzero(white_shares < EMPTY_SHARE)
    return int(filled[0]) if len(filled) else len(white_shares)


def picture_warnings(
    pictures: Mapping[str, Sequence[Picture]], settings: ImageSettings
) -> Iterator[str]:
    """Warn of pictures with margins, and of a size that squeezes them.

    Args:
        pictures: by class.
        settings: the size that the network takes.
    """
    every = [picture for of_class in pictures.values() for picture in of_class]
    margins = {label: sum(p.has_margins for p in found) for label, found in pictures.items()}
    total = sum(margins.values())
    if total > MOST * len(every) or any(
        margins[label] > MOST * len(found) for label, found in pictures.items()
    ):
        shares = " and ".join(
            f"{margins[label]:,} of {len(found):,} {label}" for label, found in pictures.items()
        )
        with_ink = sum(picture.has_ink for picture in every)
        what = "white margins with axes, ticks or labels" if with_ink else "white margins"
        yield (
            f"Warning: {shares} images have {what}, as figures of Matplotlib do. The network sees "
            "these too. Save the spectrogram only, for example with plt.imsave."
        )
    ratios = np.array([p.width / p.height for p in every]) / (settings.width / settings.height)
    squeezed = np.maximum(ratios, 1 / ratios) > SQUEEZE
    if squeezed.mean() > MOST:
        sizes = Counter((picture.width, picture.height) for picture in every)
        (width, height), _ = sizes.most_common(1)[0]
        fitting = fitting_size(width / height, settings.width * settings.height)
        yield (
            f"Warning: {squeezed.sum():,} of {pluralize(len(every), 'image')} will be "
            f"squeezed, such as {width} x {height} pixels to image.width={settings.width} and "
            f"image.height={settings.height}. Train with image.width={fitting[0]} "
            f"image.height={fitting[1]}."
        )
    if len({round(picture.width / picture.height, 1) for picture in every}) > 1:
        yield (
            "Warning: the images have different aspect ratios, so that the same time or frequency "
            "has different lengths in the network's input."
        )


def fitting_size(ratio: float, pixels: int) -> tuple[int, int]:
    """Return a width and a height of an aspect ratio, in multiples of 16.

    >>> fitting_size(1.5, 128 * 96)
    (128, 80)
    """
    width = max(16, round((pixels * ratio) ** 0.5 / 16) * 16)
    return width, max(16, round(width / ratio / 16) * 16)


def pictures_of(jobs: Sequence[Job], entries: Mapping[str, dict]) -> dict[str, list[Picture]]:
    """Return the pictures of the jobs that have an image, by class."""
    pictures = defaultdict(list)
    for job in jobs:
        if "picture" in entries[job.stem]:
            pictures[job.clip.label].append(entries[job.stem]["picture"])
    return dict(pictures)
