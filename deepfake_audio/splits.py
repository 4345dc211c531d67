"""Which split each audio file goes to: by speaker, by class, and the same when files are added."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from deepfake_audio.corpora import Clip

SPLITS = ("train", "val", "test")
TAIL_BYTES = 4096


def assign_splits(clips: Sequence[Clip], val_share: float, test_share: float) -> list[str]:
    """Assign a split to each clip; a split that the corpus ships is kept.

    A group (speaker, sentence, or single file) goes where the hash of its name points, so it stays
    there when other files are added. Only where a split would be left without one of the classes,
    the group whose hash is lowest moves there from the split that has most of that class.

    Args:
        clips: with `group`, `label` and perhaps `split`.
        val_share: share of the groups for validation.
        test_share: share of the groups for test.

    Returns:
        "train", "val" or "test" for each clip.
    """
    free = [clip for clip in clips if not clip.split]
    split_of = {clip.group: _place(clip.group, val_share, test_share) for clip in free}
    labels_of = defaultdict(set)
    for clip in free:
        labels_of[clip.group].add(clip.label)
    wanted = [s for s, share in (("val", val_share), ("test", test_share)) if share] + ["train"]
    for label in ("fake", "real") if len(free) == len(clips) else ():
        for split in wanted:
            _fill_if_empty(split, label, split_of, labels_of)
    return [clip.split or split_of[clip.group] for clip in clips]


def _place(group: str, val_share: float, test_share: float) -> str:
    place = _hash(group) / 2**64
    if place < test_share:
        return "test"
    return "val" if place < test_share + val_share else "train"


def _hash(group: str) -> int:
    return int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()[:8])


def _fill_if_empty(split: str, label: str, split_of: dict, labels_of: dict) -> None:
    counts = Counter(split_of[group] for group, labels in labels_of.items() if label in labels)
    if counts[split] or not counts:
        return
    fullest, groups = counts.most_common(1)[0]
    if groups > 1:
        candidates = [g for g, labels in labels_of.items() if label in labels]
        split_of[min((g for g in candidates if split_of[g] == fullest), key=_hash)] = split


def find_repeated(clips: Iterable[Clip]) -> dict[str, str]:
    """Find files with the same bytes as another one.

    Files are compared by size, then by their last bytes, then as a whole, so that few are read.

    Args:
        clips: of which the first of each set of equal ones stays; of shipped splits the latest one.

    Returns:
        The name of each clip to leave out, and the name of the one that stays.
    """
    last_split_first = sorted(clips, key=lambda clip: -SPLITS.index(clip.split or "train"))
    candidates = [last_split_first]
    for key in (_size, _tail, _digest):
        candidates = [alike for some in candidates for alike in _group_by(key, some)]
    return {clip.name: alike[0].name for alike in candidates for clip in alike[1:]}


def _group_by(key, clips: Iterable[Clip]) -> list[list[Clip]]:
    groups = defaultdict(list)
    for clip in clips:
        try:
            groups[key(clip.path)].append(clip)
        except OSError:
            continue  # it is named with its reason when it is read
    return [group for group in groups.values() if len(group) > 1]


def _size(path: Path) -> int:
    return path.stat().st_size


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
