"""Sort images without splits into a data folder: copies of the user's files, as they are."""

import filecmp
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.corpora.index import stem
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.jobs import Job
from deepfake_audio.dataset.pictures import Picture, examine
from deepfake_audio.errors import InputError, OutputError, pluralize
from deepfake_audio.features.image_files import read_image
from deepfake_audio.system.atomic_files import atomic_write, copy_file, is_file, write_error

# The end of a name that numbers the parts of one recording, such as _0012, -seg3 or (2).
PART = re.compile(
    r"[\W_]*(?:(?:win(?:dow)?|seg(?:ment)?|chunk|part|slice|frame|crop|spec|copy|aug)?[\W_]*\d+"
    r"|copy|aug)[\W_]*$",
    re.IGNORECASE,
)
MIN_GROUPS = 10  # of a class, and none of them larger than this part of it


def group_images(clips: Sequence[Clip], grouping: str) -> tuple[list[Clip], str]:
    """Choose the images that stay in one split: those whose names differ by a last number only.

    Args:
        clips: images; if some have a speaker or a sentence, nothing is changed.
        grouping: "name" for groups, "file" for none, "auto" for groups if these are many enough.

    Returns:
        The clips with their `split_key`, and a sentence for the report.
    """
    if any(clip.speaker or clip.split_key != clip.name for clip in clips):
        return list(clips), "Images of one speaker or sentence are in one split."
    if all(clip.split for clip in clips):
        return list(clips), "The images keep the splits of their folders or of their table."
    keys = [_part_of(clip.name) for clip in clips]
    groups = Counter(zip(keys, (clip.label for clip in clips), strict=True))
    files = Counter(clip.label for clip in clips)
    counts = Counter(label for _, label in groups)
    fits = all(counts[label] >= MIN_GROUPS for label in files) and all(
        size * MIN_GROUPS <= files[label] for (_, label), size in groups.items()
    )
    if grouping == "file" or (grouping == "auto" and not fits) or set(groups.values()) == {1}:
        keys = [stem(clip.name) for clip in clips]
        line = "Each image is a group of its own: parts of one recording may be in several splits"
        remedy = "; prepare.image_groups=name keeps names without their last number together."
        line += remedy if grouping == "auto" and set(groups.values()) != {1} else "."
    else:
        example = max(groups, key=groups.__getitem__)
        line = (
            f"Images are in {len(set(keys)):,} groups by the name without its last number, such as "
            f"{example[0]} ({pluralize(groups[example], 'image')}); a group is in one split. "
            "prepare.image_groups=file splits images one by one."
        )
    grouped = [replace(clip, split_key=key) for clip, key in zip(clips, keys, strict=True)]
    return grouped, line


def _part_of(name: str) -> str:
    """Return the name of an image without its folder, suffix and last number.

    >>> _part_of("real/LJ001-0001_seg03.png"), _part_of("fake/anna (2).png"), _part_of("a/7.png")
    ('LJ001-0001', 'anna', '7')
    """
    whole = stem(name)
    return PART.sub("", whole) or whole


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
