"""Folders that files are sorted into: nested classes, splits among other words, generators."""

import pytest

from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.dataset.image_folders import describe_left_out, find_images
from deepfake_audio.errors import InputError
from deepfake_audio.tables.class_names import label_of
from helpers import put_audio


def facts(root, *folders: str) -> list[tuple[str, str, str]]:
    """Return the label, the split and the generator of a file in each folder."""
    put_audio(root, *(f"{folder}/{n:02}.wav" for n, folder in enumerate(folders)))
    clips = sorted(read_corpus(root).clips, key=lambda clip: clip.path.name)
    assert len(clips) == len(folders)
    return [(clip.label, clip.split, clip.attack) for clip in clips]


@pytest.mark.parametrize(
    "folders",
    [
        ("tts/real", "tts/fake", "vc/real", "vc/fake"),
        ("deepfake/real", "deepfake/fake"),
        ("AI_voices/human", "AI_voices/ai"),
        ("SyntheticSpeech/wav/bonafide", "SyntheticSpeech/wav/spoof"),
        ("Anna/real", "Vera/fake", "Anna/real"),
        ("Vera/real", "Vera/fake"),
        ("human/real", "human/fake", "tts/real", "tts/fake"),
        ("tts/real", "vc/fake"),
        ("real/Vera", "fake/Vera", "real/bob"),
        ("real/Ai", "fake/bob"),
        ("real/original", "fake/original", "real/mp3", "fake/mp3"),
        ("dataset_16k/real", "dataset_16k/fake"),
    ],
)
def test_the_folders_of_both_classes_count_before_those_around_them(tmp_path, folders):
    labels = [label for label, *_ in facts(tmp_path, *folders)]
    assert labels == ["real", "fake", "real", "fake"][: len(folders)]


@pytest.mark.parametrize(
    "folders", [("real", "fake/original"), ("fake/original", "fake/vits"), ("human", "tts/real")]
)
def test_a_class_below_the_other_class_is_an_error_for_audio_and_images(tmp_path, folders):
    put_audio(tmp_path / "a", *(f"{folder}/1.wav" for folder in folders))
    put_audio(tmp_path / "b", *(f"train/{folder}/1.png" for folder in folders))
    for read in (lambda: read_corpus(tmp_path / "a"), lambda: find_images(tmp_path / "b")):
        with pytest.raises(InputError, match=r"below it means the other class; rename one of"):
            read()


def test_folders_named_dataset_are_no_dfadd(tmp_path):
    folders = [f"dataset_{s}/{label}" for s in ("train", "test") for label in ("real", "fake")]
    assert facts(tmp_path, *folders) == [
        ("real", "train", ""), ("fake", "train", ""), ("real", "test", ""), ("fake", "test", ""),
    ]  # fmt: skip


def test_sonar_needs_a_generator_beside_its_real_samples(tmp_path):
    folders = ("train/real_samples", "test/real_samples", "test/fake_samples/xtts")
    splits = [split for _, split, _ in facts(tmp_path, *folders)]
    assert splits == ["train", "test", "test"]


@pytest.mark.parametrize(
    "folders",
    [
        ("train_clean/real", "dev_clean/real", "test_seen_clean/real"),
        ("train-clean/real", "dev-clean/real", "test-clean/real"),
        ("FoR_train/real", "FoR_val/real", "FoR_test/real"),
        ("real_clean_train", "real_clean_dev", "real_clean_test"),
        ("real/en/train", "real/de/val", "real/fr/test"),
        ("real/train_16k", "real/dev_16k", "real/test_16k"),
    ],
)
def test_a_split_among_other_words_counts_beside_other_splits(tmp_path, folders):
    fakes = [folder.replace("real", "fake") for folder in folders]
    splits = [split for _, split, _ in facts(tmp_path, *folders, *fakes)]
    assert splits == ["train", "val", "test"] * 2


def test_guessed_splits_and_unused_ones_are_told(tmp_path):
    put_audio(
        tmp_path / "a", *(f"{s}_16k/{c}/1.wav" for s in ("train", "test") for c in ("real", "fake"))
    )
    assert read_corpus(tmp_path / "a").notes == [
        "The splits are those that the folders test_16k/, train_16k/ name."
    ]
    put_audio(tmp_path / "b", "train_16k/real/1.png", "train_16k/fake/1.png")
    (line,) = describe_left_out(find_images(tmp_path / "b"))
    assert line.startswith("Not used, though their names look like splits: train_16k/; rename")
    assert read_corpus(tmp_path / "b").notes == [line]


@pytest.mark.parametrize(
    ("real", "fake", "generator"),
    [
        ("real_clean", "fake_clean", ""), ("real_16k", "fake_16k", ""),
        ("real", "vits_fake", "vits"),
        ("LJSpeech_real", "LJSpeech_fake", ""), ("stft_real", "stft_fake", ""),
        ("real_16k", "fake_vits_16k", "vits"), ("LJ_real_16k", "LJ_fake_16k", ""),
        ("real", "deep_fake_vits", "vits"), ("Non-AI", "AI", ""), ("not_fake", "fake", ""),
        ("real", "FakeVITS", "VITS"), ("RealVideo-RealAudio", "RealVideo-FakeAudio", ""),
        ("FakeVideo-RealAudio", "FakeVideo-FakeAudio", ""), ("real", "fake_vits_train", "vits"),
    ],
)  # fmt: skip
def test_the_generator_is_what_only_the_name_of_the_fakes_has(tmp_path, real, fake, generator):
    (first, _, _), (second, _, attack) = facts(tmp_path, real, fake)
    assert (first, second, attack) == ("real", "fake", generator)


def test_a_word_of_a_class_in_another_name_is_none(tmp_path):
    others = ("noise_machine", "not_real_data", "LibriTTS", "NaturalSpeech3", "Real-Time-Cloning")
    put_audio(tmp_path, *(f"{f}/1.wav" for f in ("real", "fake", *others)))
    assert {*read_corpus(tmp_path).unknown_folders} == {f"{folder}/" for folder in others}


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("not ai", "real"), ("non-fake", "real"), ("partially fake", "fake"), ("not real", ""),
        ("RealVideo-FakeAudio", "fake"), ("real_vs_fake", ""),
    ],
)  # fmt: skip
def test_labels_may_deny_a_fake(cell, label):
    assert label_of(cell) == label
