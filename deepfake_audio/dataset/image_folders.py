"""Find the images of a folder that is sorted into splits and classes, and the files left out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deepfake_audio.corpora.sorted_folders import sort_folders
from deepfake_audio.errors import first_names, one_line, pluralize
from deepfake_audio.system.folder_walk import LINKED_FOLDER, UNREADABLE_FOLDER, walk_folder
from deepfake_audio.vocabulary import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    JOURNAL,
    LABELS,
    SPLITS,
    ImageRecord,
)

# Files that people and programs put beside images; they are not reported.
BESIDE = frozenset({".csv", ".db", ".ini", ".json", ".log", ".md", ".tsv", ".txt", ".yaml", ".yml"})


@dataclass
class ImageFolder:
    """The images of a folder.

    Attributes:
        records: by split, class and name.
        others: number of files in class folders that are neither images nor audio, by suffix.
        unknown: folders beside class folders that name no class, with their number of images.
        without_split: number of images in class folders outside the splits.
        not_entered: links to folders that are not entered.
        notes: sentences about splits that were guessed, or are not used.
    """

    records: list[ImageRecord] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, int] = field(default_factory=dict)
    without_split: int = 0
    not_entered: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_images(folder: Path) -> ImageFolder:
    """Find the images below `{train,val,test}/{fake,real}/`, at any depth.

    The names of splits and classes are those that prepare.py takes for audio, such as `Training`
    and `bonafide`. Without splits, all images are test. Folders of prepare.py below are ignored.
    """
    found, images, others = ImageFolder(), [], []
    for name, kind, _ in walk_folder(folder, is_ignored=lambda names: JOURNAL in names):
        suffix = Path(name).suffix.lower()
        if kind == LINKED_FOLDER:
            found.not_entered.append(name)
        elif kind == UNREADABLE_FOLDER:
            images.append(f"{name}/")  # its reader reports the reason
        elif suffix in IMAGE_SUFFIXES:
            images.append(name)
        elif suffix not in BESIDE and suffix not in AUDIO_SUFFIXES:
            others.append((name, suffix))
    folders = sort_folders([*images, *(name for name, _ in others)])
    folders.check_conflicts()
    places = [(name, *folders.place(name)) for name in images]
    has_splits = any(split and label for _, split, label in places)
    for name, split, label in places:
        if label and not split and has_splits:
            found.without_split += 1
        elif label:
            path = name.rstrip("/")
            record = ImageRecord(folder / path, path, label, split if has_splits else "test")
            found.records.append(record)
    found.records.sort(key=lambda each: (SPLITS.index(each.split), LABELS.index(each.label)))
    found.others.update(suffix for name, suffix in others if folders.place(name)[1])
    found.unknown = folders.unknown_siblings(name for name, _, label in places if not label)
    found.notes.extend(folders.split_notes(images))
    return found


def describe_left_out(found: ImageFolder) -> Iterator[str]:
    """Yield a line for each kind of file or folder that is left out, or that is a guess."""
    yield from found.notes
    if found.others:
        kinds = found.others.most_common()
        listed = ", ".join(f"{n:,} {one_line(suffix) or 'without suffix'}" for suffix, n in kinds)
        files = pluralize(found.others.total(), "file")
        yield f"{files} of other kinds left out: {listed}; save images as PNG to use them."
    if found.unknown:
        yield (
            f"{pluralize(sum(found.unknown.values()), 'image')} left out, in folders whose names "
            f"mean no class: {first_names(found.unknown)}; rename these to real or fake."
        )
    if found.without_split:
        yield (
            f"{pluralize(found.without_split, 'image')} left out, in class folders outside train, "
            "val and test; move them into one of these."
        )
    if found.not_entered:
        yield (
            f"{pluralize(len(found.not_entered), 'linked folder')} not entered, since they lead to "
            f"a parent folder or to one that was read already: {first_names(found.not_entered)}."
        )
