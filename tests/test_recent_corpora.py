"""Corpora from 2024 on in small, in their layouts, and ASVspoof 2021 as people have it."""

import pytest

from deepfake_audio.corpora.reading import detect_corpus, read_corpus
from deepfake_audio.errors import InputError
from helpers import put_audio, put_text


def facts(root, *names, subset=None) -> dict[str, tuple]:
    corpus = read_corpus(root, None, subset)
    assert not corpus.missing
    return {clip.name: tuple(getattr(clip, name) for name in names) for clip in corpus.clips}


@pytest.mark.parametrize("top", ["", "spoofceleb/", "SpoofCeleb/spoofceleb/"])
def test_spoofceleb_is_read_by_its_metadata(top, tmp_path):
    clip = "YYsxcZ5saac-00002-006.flac"
    for split, attack, speaker in (
        ("train", "a00", "id10001"), ("train", "a01", "id10001"), ("development", "a00", "id10318"),
        ("development", "a06", "id10318"), ("evaluation", "a00", "id10270"),
    ):  # fmt: skip
        put_audio(tmp_path, f"{top}flac/{split}/{attack}/{speaker}/{clip}")
        with (tmp_path / "rows").open("a") as rows:
            rows.write(f"{split} {attack}/{speaker}/{clip},{speaker},{attack}\n")
    lines = [line.split() for line in (tmp_path / "rows").read_text().splitlines()]
    (tmp_path / "rows").unlink()
    for split in ("train", "development", "evaluation"):
        rows = [row for of, row in lines if of == split]
        put_text(tmp_path, f"{top}metadata/{split}.csv", "file,speaker,attack", *rows)
    found = facts(tmp_path, "label", "split", "speaker", "attack", "corpus")
    assert found == {
        f"{top}flac/train/a00/id10001/{clip}": ("real", "train", "id10001", "", "spoofceleb"),
        f"{top}flac/train/a01/id10001/{clip}": ("fake", "train", "id10001", "a01", "spoofceleb"),
        f"{top}flac/development/a00/id10318/{clip}": ("real", "val", "id10318", "", "spoofceleb"),
        f"{top}flac/development/a06/id10318/{clip}": (
            "fake",
            "val",
            "id10318",
            "a06",
            "spoofceleb",
        ),
        f"{top}flac/evaluation/a00/id10270/{clip}": ("real", "test", "id10270", "", "spoofceleb"),
    }


def test_spoofceleb_takes_no_file_of_another_attack(tmp_path):
    put_audio(tmp_path, "flac/train/a01/id1/x.flac", "flac/train/a02/id1/y.flac")
    rows = ("a00/id1/x.flac,id1,a00", "a02/id1/y.flac,id1,a02")
    put_text(tmp_path, "metadata/train.csv", "file,speaker,attack", *rows)
    corpus = read_corpus(tmp_path)
    assert [clip.name for clip in corpus.clips] == ["flac/train/a02/id1/y.flac"]
    assert corpus.missing == ["flac/train/a00/id1/x.flac"]


def test_dfadd_is_read_by_its_folders(tmp_path):
    put_audio(
        tmp_path,
        "DATASET_VCTK_BONAFIDE/train/p230_409.wav", "DATASET_VCTK_BONAFIDE/test/p227_1.wav",
        "DATASET_GradTTS/valid/p240_1_GradTTS.flac",
        "DFADD/DATASET_PflowTTS/test/p345_251_pflow.wav",
    )  # fmt: skip
    put_text(tmp_path, "DATASET_GradTTS/test.txt", "p227 p227_1_GradTTS - - spoof")
    assert facts(tmp_path, "label", "split", "speaker", "attack") == {
        "DATASET_VCTK_BONAFIDE/train/p230_409.wav": ("real", "train", "p230", ""),
        "DATASET_VCTK_BONAFIDE/test/p227_1.wav": ("real", "test", "p227", ""),
        "DATASET_GradTTS/valid/p240_1_GradTTS.flac": ("fake", "val", "p240", "GradTTS"),
        "DFADD/DATASET_PflowTTS/test/p345_251_pflow.wav": ("fake", "test", "p345", "PflowTTS"),
    }


@pytest.mark.parametrize("test_folder", ["test/C7/", "C7/"])
def test_codecfake_is_read_by_its_labels(test_folder, tmp_path):
    put_audio(tmp_path, "train/SSB1.wav", "train/F01_SSB1.wav", "dev/SSB2.wav")
    put_audio(tmp_path, f"{test_folder}F07_p225_001.wav", f"{test_folder}p225_001.wav")
    put_text(tmp_path, "label/train.txt", "SSB1.wav real 0", "F01_SSB1.wav fake 1")
    put_audio(tmp_path, "dev/SSB3.wav")
    put_text(tmp_path, "label/dev.txt", "SSB2.wav real 0", "SSB3.wav fake ²")  # a digit, no number
    put_text(tmp_path, "label/C7.txt", "p225_001.wav real 0", "F07_p225_001.wav fake 7")
    assert facts(tmp_path, "label", "split", "attack", "split_key") == {
        "train/SSB1.wav": ("real", "train", "", "SSB1"),
        "train/F01_SSB1.wav": ("fake", "train", "F01", "SSB1"),
        "dev/SSB2.wav": ("real", "val", "", "SSB2"),
        "dev/SSB3.wav": ("fake", "val", "", "SSB3"),
        f"{test_folder}p225_001.wav": ("real", "test", "", "p225_001"),
        f"{test_folder}F07_p225_001.wav": ("fake", "test", "F07", "p225_001"),
    }


def test_codecfake_of_vctk_is_read_by_its_names(tmp_path):
    put_audio(tmp_path, "processed/encodec_24khz+p272_103.wav")
    put_audio(tmp_path, "VCTK/wav48_silence_trimmed/p272/p272_103_mic1.flac")
    assert facts(tmp_path, "label", "speaker", "attack", "corpus") == {
        "processed/encodec_24khz+p272_103.wav": ("fake", "p272", "encodec_24khz", "codecfake"),
        "VCTK/wav48_silence_trimmed/p272/p272_103_mic1.flac": ("real", "p272", "", "codecfake"),
    }


def test_deepfake_eval_2024_is_read_by_its_metadata(tmp_path):
    put_audio(tmp_path, "audio-data/a.mp3", "audio-data/b.mp4", "audio-data/c.m4a")
    put_audio(tmp_path, "audio-data/d.wav")
    header = "Filename,Language,Ground Truth,Finetuning Set"
    rows = ("a.mp3,en,Real,Train", "b.mp4,en,Fake,Test", "c.m4a,fr,Unknown,Test", "d.wav,en,Fake,")
    for name in ("audio-metadata-publish.csv", "audio-metadata-publish-with-links.csv"):
        put_text(tmp_path, name, header, *rows)
    assert detect_corpus(tmp_path) == "deepfake-eval-2024"
    assert facts(tmp_path, "label", "split", "corpus") == {
        "audio-data/a.mp3": ("real", "train", "deepfake-eval-2024"),
        "audio-data/b.mp4": ("fake", "test", "deepfake-eval-2024"),
        "audio-data/d.wav": ("fake", "", "deepfake-eval-2024"),
    }


@pytest.mark.parametrize("top", ["", "SONAR_dataset/"])
def test_sonar_is_read_by_its_folders(top, tmp_path):
    put_audio(tmp_path, f"{top}real_samples/1.wav", f"{top}OpenAI/2.wav", f"{top}xTTS/en/3.wav")
    assert facts(tmp_path, "label", "attack") == {
        f"{top}real_samples/1.wav": ("real", ""),
        f"{top}OpenAI/2.wav": ("fake", "OpenAI"),
        f"{top}xTTS/en/3.wav": ("fake", "xTTS"),
    }


def test_a_copy_of_sonar_within_another_keeps_its_labels(tmp_path):
    put_audio(tmp_path, "real_samples/1.wav", "xTTS/2.wav")
    put_audio(tmp_path, "more/real_samples/3.wav", "more/OpenAI/4.wav")
    assert facts(tmp_path, "label", "attack") == {
        "real_samples/1.wav": ("real", ""),
        "xTTS/2.wav": ("fake", "xTTS"),
        "more/real_samples/3.wav": ("real", ""),
        "more/OpenAI/4.wav": ("fake", "OpenAI"),
    }


def test_asvspoof_2021_with_keys_of_eval_only_needs_no_subset(tmp_path):
    put_audio(tmp_path, "ASVspoof2021_LA_eval/flac/LA_E_1.flac")
    put_audio(tmp_path, "ASVspoof2021_LA_eval/flac/LA_E_2.flac")
    keys = (
        "LA_0009 LA_E_1 alaw ita_tx A07 spoof notrim eval",
        "LA_0009 LA_E_2 alaw ita_tx bonafide bonafide notrim eval",
    )
    put_text(tmp_path, "ASVspoof2021_LA_eval/trial_metadata.txt", *keys)
    assert facts(tmp_path, "label") == {
        "ASVspoof2021_LA_eval/flac/LA_E_1.flac": ("fake",),
        "ASVspoof2021_LA_eval/flac/LA_E_2.flac": ("real",),
    }


@pytest.mark.parametrize("part", ["LA", "DF"])
def test_asvspoof_2021_without_keys_names_them(part, tmp_path):
    put_audio(tmp_path, f"ASVspoof2021_{part}_eval/flac/{part}_E_1.flac")
    put_text(
        tmp_path, f"ASVspoof2021_{part}_eval/ASVspoof2021.{part}.cm.eval.trl.txt", f"{part}_E_1"
    )
    for subset in (None, "eval"):
        with pytest.raises(
            InputError, match=f"has no labels; unpack the keys of ASVspoof 2021 {part}"
        ):
            read_corpus(tmp_path, None, subset)
