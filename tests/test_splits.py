from dataclasses import replace
from pathlib import Path

import pytest

from deepfake_audio.corpora.reading import Clip
from deepfake_audio.corpora.splits import assign_splits, find_repeated


def clips(count: int, files_each: int = 3, **fields) -> list[Clip]:
    """Return files of `count` speakers for each class."""
    return [
        Clip(Path(f"{label}{speaker}_{number}.wav"), f"{label}{speaker}_{number}.wav", label,
             split_key=f"{label} speaker {speaker}", **fields)
        for label in ("fake", "real") for speaker in range(count) for number in range(files_each)
    ]  # fmt: skip


def by_group(some: list[Clip]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for clip, split in zip(some, assign_splits(some, 0.1, 0.1, {}), strict=True):
        groups.setdefault(clip.split_key, set()).add(split)
    return groups


def test_no_group_is_in_two_splits():
    assert all(len(splits) == 1 for splits in by_group(clips(50)).values())


@pytest.mark.parametrize("count", [20, 21, 24, 30, 57, 100, 200])
def test_shares_hold_within_each_class(count):
    some = [clip for clip in clips(count, files_each=1) if clip.label == "fake"]
    some += [clip for clip in clips(3 * count, files_each=1) if clip.label == "real"]
    splits = assign_splits(some, 0.1, 0.2, {})
    for label, files in (("fake", count), ("real", 3 * count)):
        found = [split for clip, split in zip(some, splits, strict=True) if clip.label == label]
        for split, share in (("val", 0.1), ("test", 0.2), ("train", 0.7)):
            assert abs(found.count(split) - share * files) <= 1, (label, split)


def test_shares_hold_for_speakers_who_are_real_and_fake():
    some = [replace(clip, split_key=clip.split_key.split()[-1]) for clip in clips(40)]
    some += clips(20)  # of others only one class is known
    splits = assign_splits(some, 0.1, 0.1, {})
    groups = {(clip.split_key, clip.label): s for clip, s in zip(some, splits, strict=True)}
    for label in ("fake", "real"):
        found = [split for (_, of_class), split in groups.items() if of_class == label]
        assert (found.count("val"), found.count("test")) == (6, 6)


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_later_files_fill_incomplete_splits(share):
    few, many = clips(20, files_each=1), clips(40, files_each=1)
    known = dict.fromkeys((clip.name for clip in few), "train")
    splits = assign_splits(many, share, share, known)
    assert splits.count("val") == splits.count("test") == 2 * 40 * share


def test_without_known_splits_few_files_move_and_none_from_test_to_train():
    few, many = by_group(clips(100)), by_group(clips(400))
    moved = [(splits, many[group]) for group, splits in few.items() if many[group] != splits]
    assert len(moved) < 0.1 * len(few)
    assert all("val" in before | after for before, after in moved)


@pytest.mark.parametrize(("before", "count"), [(5, 40), (100, 400)])
def test_adding_files_moves_no_speaker(before, count):
    few, many = clips(before), clips(count)
    known = dict(zip((c.name for c in few), assign_splits(few, 0.1, 0.1, {}), strict=True))
    after = dict(zip((c.name for c in many), assign_splits(many, 0.1, 0.1, known), strict=True))
    assert {name: after[name] for name in known} == known


def test_speakers_of_one_class_do_not_move_those_of_the_other():
    few = [clip for clip in clips(50) if clip.label == "real"]
    many = clips(50)
    alone = dict(zip((c.name for c in few), assign_splits(few, 0.1, 0.1, {}), strict=True))
    both = dict(zip((c.name for c in many), assign_splits(many, 0.1, 0.1, {}), strict=True))
    assert {name: both[name] for name in alone} == alone


def test_no_class_is_taken_out_of_a_split_to_fill_another():
    for count in range(3, 30):
        some = [
            replace(clip, split_key=f"{clip.split_key} of {count}")
            for clip in clips(count, files_each=1)
        ]
        splits = assign_splits(some, 0.1, 0.1, {})
        found = {(clip.label, split) for clip, split in zip(some, splits, strict=True)}
        assert len(found) == 6, count


def test_order_does_not_matter():
    some = clips(30)
    assert by_group(some) == by_group(some[::-1])


@pytest.mark.parametrize("count", [3, 4, 10])
def test_every_split_has_both_classes_if_there_are_enough_speakers(count):
    groups = by_group(clips(count))
    for label in ("fake", "real"):
        found = {next(iter(s)) for group, s in groups.items() if group.startswith(label)}
        assert found == {"train", "val", "test"}


def test_a_shipped_split_is_kept():
    assert set(assign_splits(clips(30, split="test"), 0.1, 0.1, {})) == {"test"}


@pytest.mark.parametrize("shipped", [("train",), ("test",), ("test", "train"), ("val", "train")])
def test_the_rest_of_a_group_follows_the_split_that_the_corpus_ships_for_some(shipped):
    some = clips(20)
    given = {f"{label}{speaker}_{n}.wav": split for label in ("fake", "real")
             for speaker in range(5) for n, split in enumerate(shipped)}  # fmt: skip
    some = [replace(clip, split=given.get(clip.name, "")) for clip in some]
    known = dict.fromkeys((clip.name for clip in some), "val")  # of when there were no splits
    for before in ({}, known):
        splits = assign_splits(some, 0.1, 0.1, before)
        for clip, split in zip(some, splits, strict=True):
            follows = int(clip.split_key.split()[-1]) < 5
            assert split == given.get(clip.name, shipped[0] if follows else split)


def test_files_with_the_same_bytes_are_found(tmp_path):
    contents = {
        "a.wav": b"one" * 5000,
        "b.wav": b"two" * 5000,
        "c.wav": b"one" * 5000,
        "d.wav": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    some = [Clip(tmp_path / name, name, "real", split_key=name) for name in contents]
    assert find_repeated(some) == (["c.wav"], [])


def test_equal_files_labelled_real_and_fake_are_left_out(tmp_path):
    some = []
    for label in ("fake", "real"):
        (tmp_path / f"{label}.wav").write_bytes(b"same")
        some.append(Clip(tmp_path / f"{label}.wav", f"{label}.wav", label, split_key=label))
    assert find_repeated(some) == ([], ["fake.wav", "real.wav"])


def test_the_latest_of_equal_files_in_shipped_splits_is_kept(tmp_path):
    some = []
    for split in ("train", "test"):
        path = tmp_path / f"{split}.wav"
        path.write_bytes(b"same")
        some.append(Clip(path, path.name, "real", split=split, split_key=path.name))
    assert find_repeated(some) == (["train.wav"], [])


def test_a_vanished_file_is_no_repetition(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    some = [Clip(tmp_path / name, name, "real", split_key=name) for name in ("a.wav", "gone.wav")]
    assert find_repeated(some) == ([], [])


def test_the_earlier_one_of_equal_files_is_kept(tmp_path):
    some = []
    for name in ("a new copy.wav", "known.wav", "old.wav"):
        (tmp_path / name).write_bytes(b"same")
        some.append(Clip(tmp_path / name, name, "real", split_key=name))
    assert find_repeated(some, {"known.wav": "test"}) == (["a new copy.wav", "old.wav"], [])
