"""Assign splits: no speaker in two, both classes in each, and stable when files are added."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from deepfake_audio.corpora.reading import Clip
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.regular_files import open_regular, size_of
from deepfake_audio.vocabulary import LABELS, SPLITS

TAIL_BYTES = 4096
MIN_GROUPS = 10  # of a class, and none of them larger than this part of it
HALF = 0.4999  # a split that lacks half a group gets one; not 0.5, since 0.1 * 5 may be below it


def assign_splits(
    clips: Sequence[Clip],
    val_share: float,
    test_share: float,
    known: Mapping[str, str],
    seed: int = 0,
) -> list[str]:
    """Assign a split to each clip; a split that the corpus ships is kept.

    A group is a speaker, a sentence, or a single file. If the corpus ships a split for some files
    of a group, the other files of the group get this split; of several splits, they get the last
    one in the order train, val, test. Other groups keep their earlier split. New groups are sorted
    by the hash of their names: the first go to test until it has its share of each class, the next
    to validation. So nearly all groups keep their split if other files are added, even in another
    data folder. If a split would lack one of the classes, the new group with the lowest hash moves
    there from the split that has most of that class.

    Args:
        clips: with `split_key`, `label` and perhaps `split`.
        val_share: share of the groups of each class for validation.
        test_share: share of the groups of each class for test.
        known: splits that were assigned before, by the clip's name.
        seed: another one gives other hashes.

    Returns:
        "train", "val" or "test" for each clip.
    """
    free = [clip for clip in clips if not clip.split]
    labels_of = defaultdict(set)
    for clip in free:
        labels_of[clip.split_key].add(clip.label)
    before = {clip.split_key: known[clip.name] for clip in reversed(free) if clip.name in known}
    shipped = sorted((c for c in clips if c.split), key=lambda clip: SPLITS.index(clip.split))
    before |= {clip.split_key: clip.split for clip in shipped if clip.split_key in labels_of}
    shares = {"test": test_share, "val": val_share}
    order = partial(_hash, seed=seed)
    split_of = _choose_splits(shares, labels_of, before, order)
    wanted = [split for split in ("val", "test") if shares[split]] + ["train"]
    for label in ("fake", "real") if len(free) == len(clips) else ():
        for split in wanted:
            _fill_if_empty(split, label, split_of, labels_of, before.keys(), order)
    return [clip.split or split_of[clip.split_key] for clip in clips]


def group_folders(clips: Sequence[Clip]) -> tuple[list[Clip], str]:
    """Keep the files of folders that have one name in both classes, such as a person, together.

    Nothing is changed if these folders are few, or one of them has much of a class.

    Args:
        clips: those with a split, a speaker or a sentence are kept as they are.

    Returns:
        The clips with their `split_key`, and a sentence for the report.
    """
    folder_of = {
        clip.name: clip.path.parent.name
        for clip in clips
        if clip.split_key == clip.name and not clip.split and "/" in clip.name
    }
    sizes = {
        label: Counter(folder_of[c.name] for c in clips if c.label == label and c.name in folder_of)
        for label in LABELS
    }
    both = set.intersection(*map(set, sizes.values()))
    is_large = any(of[n] * MIN_GROUPS > of.total() for of in sizes.values() for n in both)
    if len(both) < MIN_GROUPS or is_large:
        return list(clips), ""
    grouped = [
        replace(clip, split_key=f"folder {folder_of[clip.name]}")
        if folder_of.get(clip.name) in both
        else clip
        for clip in clips
    ]
    return grouped, (
        f"{len(both):,} folders have one name in both classes, such as {one_line(min(both))}; the "
        "files of each name are in one split."
    )


def _choose_splits(
    shares: Mapping[str, float],
    labels_of: Mapping[str, set[str]],
    before: Mapping[str, str],
    order: Callable[[str], int],
) -> dict[str, str]:
    """Return the split of each group: the first in `shares` that still lacks all its classes."""
    split_of = dict(before)
    totals = Counter(label for labels in labels_of.values() for label in labels)
    counts = Counter((split, label) for g, split in before.items() for label in labels_of[g])
    for group in sorted(labels_of.keys() - before.keys(), key=order):
        labels = labels_of[group]
        lacking = (
            split
            for split, share in shares.items()
            if all(share * totals[label] - counts[split, label] >= HALF for label in labels)
        )
        split_of[group] = next(lacking, "train")
        counts.update((split_of[group], label) for label in labels)
    return split_of


def _hash(group: str, seed: int) -> int:
    named = f"{seed}:{group}" if seed else group
    return int.from_bytes(hashlib.sha256(named.encode("utf-8", "surrogateescape")).digest()[:8])


def _fill_if_empty(
    split: str,
    label: str,
    split_of: dict,
    labels_of: dict,
    fixed: Collection[str],
    order: Callable[[str], int],
) -> None:
    counts = Counter((split_of[g], name) for g, labels in labels_of.items() for name in labels)
    if counts[split, label]:
        return
    movable = [
        group
        for group, labels in labels_of.items()
        if label in labels
        and group not in fixed
        and all(counts[split_of[group], name] > 1 for name in labels)
    ]
    if movable:
        fullest = max(SPLITS, key=lambda name: counts[name, label])
        chosen = min(movable, key=lambda group: (split_of[group] != fullest, order(group)))
        split_of[chosen] = split


def find_repeated(
    clips: Iterable[Clip], known: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Find files with the same bytes as another one.

    Files are compared by size, then by their last bytes, then as a whole, so that few are read.

    Args:
        clips: of equal ones, one of the last split is kept (test, then val, then train); of several
            in that split a known one, and otherwise the first.
        known: names of the clips that were used before. Without them, the same sound would move to
            the split of its new name.

    Returns:
        The names of clips to leave out since an equal one is kept, and of those whose bytes are
        both real and fake, which are all to be left out.
    """
    kept_first = sorted(
        clips, key=lambda clip: (-SPLITS.index(clip.split or "train"), clip.name not in known)
    )
    candidates = [kept_first]
    for key in (_size, _tail, _digest):
        candidates = [alike for some in candidates for alike in _group_by(key, some)]
    repeated, contradictory = [], []
    for alike in candidates:
        if len({clip.label for clip in alike}) > 1:
            contradictory += [clip.name for clip in alike]
        else:
            repeated += [clip.name for clip in alike[1:]]
    return repeated, contradictory


def _group_by(key, clips: Iterable[Clip]) -> list[list[Clip]]:
    groups = defaultdict(list)
    for clip in clips:
        try:
            groups[key(clip.path)].append(clip)
        except (OSError, InputError):
            continue  # its reader reports the error
    return [group for group in groups.values() if len(group) > 1]


def mark_of(path: Path) -> str:
    """Return a digest that identifies a file together with its name; empty if it is unreadable.

    The middle is read, since files often begin and end with the same silence.
    """
    try:
        with open_regular(path, "An audio file") as file:
            size = size_of(file)
            file.seek(size // 2)
            return hashlib.sha256(b"%d " % size + file.read(TAIL_BYTES)).hexdigest()
    except (OSError, InputError):
        return ""


def _size(path: Path) -> int:
    size = path.stat().st_size
    if not size:  # below /proc such a file may never end
        raise FileNotFoundError(f"nothing in {path}")
    return size


def _tail(path: Path) -> bytes:
    with open_regular(path, "An audio file") as file:
        file.seek(max(0, size_of(file) - TAIL_BYTES))
        return file.read(TAIL_BYTES)


def _digest(path: Path) -> bytes:
    with open_regular(path, "An audio file") as file:
        return hashlib.file_digest(file, "sha256").digest()
