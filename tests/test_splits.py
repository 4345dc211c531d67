from dataclasses import replace
from pathlib import Path

import pytest

from deepfake_audio.corpora import Clip
from deepfake_audio.splits import assign_splits, find_repeated


def clips(count: int, files_each: int = 3, **fields) -> list[Clip]:
    """Return files of `count` speakers for each class."""
    return [
        Clip(Path(f"{label}{speaker}_{number}.wav"), f"{label}{speaker}_{number}.wav", label,
             group=f"{label} speaker {speaker}", **fields)
        for label in ("fake", "real") for speaker in range(count) for number in range(files_each)
    ]  # fmt: skip


def by_group(some: list[Clip]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for clip, split in zip(some, assign_splits(some, 0.1, 0.1, {}), strict=True):
        groups.setdefault(clip.group, set()).add(split)
    return groups


def test_no_group_stands_in_two_splits():
    assert all(len(splits) == 1 for splits in by_group(clips(50)).values())


def test_shares_are_kept_for_both_classes():
    groups = by_group(clips(2000, files_each=1))
    for label in ("fake", "real"):
        splits = [next(iter(found)) for group, found in groups.items() if group.startswith(label)]
        for split in ("val", "test"):
            assert splits.count(split) / len(splits) == pytest.approx(0.1, abs=0.02)


def test_adding_files_moves_nobody():
    few, many = by_group(clips(100)), by_group(clips(400))
    assert all(many[group] == splits for group, splits in few.items())


def test_what_was_assigned_before_stays_however_few_there_were():
    few = clips(5)
    known = {
        clip.name: split for clip, split in zip(few, assign_splits(few, 0.1, 0.1, {}), strict=True)
    }
    many = clips(40)
    after = dict(zip((c.name for c in many), assign_splits(many, 0.1, 0.1, known), strict=True))
    assert {name: after[name] for name in known} == known


def test_no_class_is_taken_out_of_a_split_to_fill_another():
    for count in range(3, 30):
        some = [
            replace(clip, group=f"{clip.group} of {count}") for clip in clips(count, files_each=1)
        ]
        splits = assign_splits(some, 0.1, 0.1, {})
        found = {(clip.label, split) for clip, split in zip(some, splits, strict=True)}
        assert len(found) == 6, count


def test_order_does_not_matter():
    some = clips(30)
    assert by_group(some) == by_group(some[::-1])


@pytest.mark.parametrize("count", [3, 4, 10])
def test_every_split_has_both_classes_where_there_are_speakers_enough(count):
    groups = by_group(clips(count))
    for label in ("fake", "real"):
        found = {next(iter(s)) for group, s in groups.items() if group.startswith(label)}
        assert found == {"train", "val", "test"}


def test_a_shipped_split_is_kept():
    assert set(assign_splits(clips(30, split="test"), 0.1, 0.1, {})) == {"test"}


def test_files_with_the_same_bytes_are_found(tmp_path):
    contents = {
        "a.wav": b"one" * 5000,
        "b.wav": b"two" * 5000,
        "c.wav": b"one" * 5000,
        "d.wav": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    some = [Clip(tmp_path / name, name, "real", group=name) for name in contents]
    assert find_repeated(some) == (["c.wav"], [])


def test_bytes_that_stand_as_real_and_as_fake_are_left_out_altogether(tmp_path):
    some = []
    for label in ("fake", "real"):
        (tmp_path / f"{label}.wav").write_bytes(b"same")
        some.append(Clip(tmp_path / f"{label}.wav", f"{label}.wav", label, group=label))
    assert find_repeated(some) == ([], ["fake.wav", "real.wav"])


def test_of_equal_files_in_shipped_splits_the_latest_stays(tmp_path):
    some = []
    for split in ("train", "test"):
        path = tmp_path / f"{split}.wav"
        path.write_bytes(b"same")
        some.append(Clip(path, path.name, "real", split=split, group=path.name))
    assert find_repeated(some) == (["train.wav"], [])


def test_a_file_that_vanished_is_no_repetition(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    some = [Clip(tmp_path / name, name, "real", group=name) for name in ("a.wav", "gone.wav")]
    assert find_repeated(some) == ([], [])


def test_of_equal_files_the_one_that_was_there_before_stays(tmp_path):
    some = []
    for name in ("a new copy.wav", "known.wav", "old.wav"):
        (tmp_path / name).write_bytes(b"same")
        some.append(Clip(tmp_path / name, name, "real", group=name))
    assert find_repeated(some, {"known.wav": "test"}) == (["a new copy.wav", "old.wav"], [])
