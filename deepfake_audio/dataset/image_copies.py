"""Sort images without splits into a data folder: copies of the user's files, as they are."""

import filecmp
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.corpora.index import stem
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.corpora.splits import MIN_GROUPS
from deepfake_audio.dataset.jobs import Job
from deepfake_audio.dataset.pictures import Picture, examine
from deepfake_audio.errors import InputError, OutputError, pluralize
from deepfake_audio.features.image_files import read_image
from deepfake_audio.system.atomic_files import atomic_write, write_error
from deepfake_audio.system.regular_files import copy_file, is_file
from deepfake_audio.vocabulary import LABELS, without_suffix

# The end of a name that numbers the parts of one recording, such as _0012, -seg3 or (2).
PART = re.compile(
    r"[\W_]*(?:(?:win(?:dow)?|seg(?:ment)?|chunk|part|slice|frame|crop|spec|copy|aug)?[\W_]*\d+"
    r"|copy|aug)[\W_]*$",
    re.IGNORECASE,
)


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
        if len(set(keys.values())) < len(names) and (_can_be_split(keys) or grouping != "auto"):
            return how, keys
    keys = {name: stem(name) for name in names}  # the same sentence of several generators
    if not _can_be_split(keys):  # such as mel.png in each folder
        keys = {name: without_suffix(posixpath.relpath(name, top or ".")) for name in names}
    return "file", keys


def _can_be_split(keys: Mapping[str, str]) -> bool:
    """Return whether the groups of images are many, and none is large."""
    sizes = Counter(keys.values())
    return len(sizes) >= MIN_GROUPS and max(sizes.values()) * MIN_GROUPS <= len(keys)


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


def copy_image(job: Job, folder: Path, settings: ImageSettings) -> dict:
    """Copy the image of a job into a data folder if it can be read; an identical copy stays.

    Returns:
        An entry with the name of the image in the folder and the properties of the picture, or
        with the error.

    Raises:
        OutputError: the image can't be written, or another file is in its place.
    """
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
    measures = {
        "width": float(picture.width),
        "height": float(picture.height),
        "white margins": float(picture.has_margins),
        "file format": picture.kind,
    }
    return {"stem": job.stem, "image": name, "picture": picture, "nuisances": measures}


def pictures_of(jobs: Sequence[Job], entries: Mapping[str, dict]) -> dict[str, list[Picture]]:
    """Return the pictures of the jobs that have an image, by class."""
    pictures = defaultdict(list)
    for job in jobs:
        if "picture" in entries[job.stem]:
            pictures[job.clip.label].append(entries[job.stem]["picture"])
    return dict(pictures)
