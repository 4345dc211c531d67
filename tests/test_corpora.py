"""The readers find the files and facts of each public corpus, made in small in its exact layout."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from deepfake_audio.corpora.known_corpora import CORPORA
from deepfake_audio.corpora.reading import Clip, Corpus, detect_corpus, read_corpus
from deepfake_audio.errors import InputError
from deepfake_audio.vocabulary import AUDIO_SUFFIXES
from helpers import put_audio, put_text

FULL_CORPUS_NAMES = [
    "asvspoof2019", "asvspoof2021-la", "asvspoof2021-df", "asvspoof5",
    "in-the-wild", "wavefake", "for", "mlaad",
    "spoofceleb", "dfadd", "codecfake", "deepfake-eval-2024", "sonar", "folders",
]  # fmt: skip
KEYS_2021_LA = "keys/LA/CM/trial_metadata.txt"
KEYS_2021_DF = "keys/DF/CM/trial_metadata.txt"
MLAAD_HEADER = (
    "path|original_file|language|is_original_language|duration|training_data|model_name"
    "|architecture|transcript"
)
MARY = "en_US/by_book/female/mary_ann/northandsouth/wavs/northandsouth_01_f000001.wav"
ELLIOT = "en_US/by_book/male/elliot_miller/poisoned_pen/wavs/poisoned_pen_01_f000007.wav"
QUIXOTE = "es_ES/by_book/mix/don_quijote/wavs/quijote_vol1_05_cervantes_f000035.wav"


def names(corpus: Corpus) -> list[str]:
    return [clip.name for clip in corpus.clips]


def facts(corpus: Corpus, *fields: str) -> dict[str, tuple]:
    """Return the facts of each clip, by the name of its file without folders."""
    return {
        clip.name.rpartition("/")[2]: tuple(getattr(clip, field) for field in fields)
        for clip in corpus.clips
    }


def clip(root: Path, name: str, label: str, **facts: str) -> Clip:
    """Return a clip whose speaker, or else whose name, is its split key."""
    key = facts.pop("split_key", "") or facts.get("speaker") or name
    return Clip(root / name, name, label, split_key=key, **facts)


def error_of(root: Path, *arguments: str) -> str:
    with pytest.raises(InputError) as caught:
        read_corpus(root, *arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---------------------------------------------------------------------------- ASVspoof 2019


def put_asvspoof2019(root: Path, parts: Iterable[str] = ("train", "dev", "eval")) -> None:
    protocols = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm"
    put_text(
        root,
        f"{protocols}.train.trn.txt",
        "LA_0079 LA_T_1138215 - - bonafide",
        "LA_0080 LA_T_1271820 - A01 spoof",
    )
    put_text(root, f"{protocols}.dev.trl.txt", "LA_0069 LA_D_1047731 - - bonafide")
    put_text(root, f"{protocols}.eval.trl.txt", "LA_0039 LA_E_2834763 - A11 spoof")
    put_text(
        root,
        "LA/ASVspoof2019_LA_asv_scores/ASVspoof2019.LA.asv.dev.gi.trl.scores.txt",
        "bonafide target 2.5",
    )
    audio = {
        "train": ["LA_T_1138215", "LA_T_1271820"],
        "dev": ["LA_D_1047731", "LA_D_9999999"],
        "eval": ["LA_E_2834763"],
    }
    for part in parts:
        put_audio(root, *(f"LA/ASVspoof2019_LA_{part}/flac/{id}.flac" for id in audio[part]))


def test_asvspoof2019_gives_speaker_attack_and_its_own_splits(tmp_path):
    put_asvspoof2019(tmp_path)
    corpus = read_corpus(tmp_path)
    of_2019 = partial(clip, tmp_path, corpus="asvspoof2019")
    part = "LA/ASVspoof2019_LA_{}/flac/LA_{}.flac".format
    assert corpus.name == "asvspoof2019"
    assert corpus.clips == [
        of_2019(part("train", "T_1138215"), "real", split="train", speaker="LA_0079"),
        of_2019(part("train", "T_1271820"), "fake", split="train", speaker="LA_0080", attack="A01"),
        of_2019(part("dev", "D_1047731"), "real", split="val", speaker="LA_0069"),
        of_2019(part("eval", "E_2834763"), "fake", split="test", speaker="LA_0039", attack="A11"),
    ]
    assert (corpus.missing, corpus.repeated, corpus.subset) == ([], [], "")


def test_asvspoof2019_enrolment_files_are_unlisted(tmp_path):
    put_asvspoof2019(tmp_path)
    assert read_corpus(tmp_path).unlisted == ["LA/ASVspoof2019_LA_dev/flac/LA_D_9999999.flac"]


def test_asvspoof2019_with_only_the_eval_part_names_the_missing_parts(tmp_path):
    put_asvspoof2019(tmp_path, parts=["eval"])
    corpus = read_corpus(tmp_path)
    assert names(corpus) == ["LA/ASVspoof2019_LA_eval/flac/LA_E_2834763.flac"]
    assert corpus.missing == ["LA_T_1138215", "LA_T_1271820", "LA_D_1047731"]


@pytest.mark.parametrize("root", [".", "archive", "archive/LA"])
def test_asvspoof2019_is_found_from_folders_above_and_from_la_itself(tmp_path, root):
    put_asvspoof2019(tmp_path / "archive")
    corpus = read_corpus(tmp_path / root)
    assert (corpus.name, len(corpus.clips)) == ("asvspoof2019", 4)


def test_asvspoof2019_converted_to_other_formats_is_found_by_stem(tmp_path):
    put_asvspoof2019(tmp_path, parts=[])
    put_audio(tmp_path, "wav/LA_T_1138215.WAV", "LA_T_1271820.opus", "a/b/LA_D_1047731.M4A")
    corpus = read_corpus(tmp_path)
    assert names(corpus) == ["wav/LA_T_1138215.WAV", "LA_T_1271820.opus", "a/b/LA_D_1047731.M4A"]
    assert corpus.missing == ["LA_E_2834763"]


def test_the_copy_of_a_recording_nearest_to_the_root_counts(tmp_path):
    put_asvspoof2019(tmp_path)
    put_audio(tmp_path, "LA_T_1138215.wav")
    corpus = read_corpus(tmp_path)
    assert names(corpus)[0] == "LA_T_1138215.wav"
    assert "LA/ASVspoof2019_LA_train/flac/LA_T_1138215.flac" in corpus.unlisted


def test_a_file_listed_twice_counts_once(tmp_path):
    put_asvspoof2019(tmp_path)
    put_text(
        tmp_path,
        "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt",
        "LA_0069 LA_D_1047731 - - bonafide",
        "LA_0070 LA_D_1047731 - - bonafide",
    )
    corpus = read_corpus(tmp_path)
    assert corpus.repeated == ["LA_D_1047731"]
    assert facts(corpus, "speaker")["LA_D_1047731.flac"] == ("LA_0069",)


def test_a_file_listed_with_both_labels_is_refused(tmp_path):
    put_asvspoof2019(tmp_path)
    protocol = put_text(
        tmp_path,
        "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.dev.trl.txt",
        "LA_0069 LA_D_1047731 - - bonafide",
        "LA_0069 LA_D_1047731 - A01 spoof",
    )
    assert error_of(tmp_path) == (
        f"LA_D_1047731 is fake in line 2 of {protocol}, and real before; correct one of the two"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("LA_0079 LA_T_1138215 - bonafide", "4 columns in line 2 of "),
        (
            "LA_0079 LA_T_1138215 - - genuine",
            "'genuine' in column 5 of line 2 of",
        ),
        ("LA_0079 ../LA_T_1 - - bonafide", "'../LA_T_1' in line 2 of"),
        ("LA_0079 /etc/LA_T_1 - - bonafide", "'/etc/LA_T_1' in line 2 of"),
        (r"LA_0079 C:\LA_T_1 - - bonafide", r"'C:\\LA_T_1' in line 2 of"),
    ],
)
def test_a_wrong_protocol_line_is_named(tmp_path, line, message):
    put_asvspoof2019(tmp_path)
    file = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt"
    protocol = put_text(tmp_path, file, "LA_0079 LA_T_1138215 - - bonafide", line)
    received = error_of(tmp_path)
    assert message in received
    assert str(protocol) in received


def test_empty_lines_and_tabs_in_a_protocol_are_accepted(tmp_path):
    put_asvspoof2019(tmp_path)
    file = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.eval.trl.txt"
    (tmp_path / file).write_bytes(b"\xef\xbb\xbfLA_0039\tLA_E_2834763  -\tA11 spoof \r\n\r\n")
    assert facts(read_corpus(tmp_path), "speaker", "attack")["LA_E_2834763.flac"] == (
        "LA_0039",
        "A11",
    )


def test_a_dash_in_a_protocol_is_an_unknown_value(tmp_path):
    put_asvspoof2019(tmp_path)
    file = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.eval.trl.txt"
    put_text(tmp_path, file, "- LA_E_2834763 - - spoof")
    name = "LA/ASVspoof2019_LA_eval/flac/LA_E_2834763.flac"
    clip = read_corpus(tmp_path).clips[-1]
    assert (clip.name, clip.label, clip.speaker, clip.attack) == (name, "fake", "", "")
    assert clip.split_key == name


def test_a_binary_protocol_is_refused(tmp_path):
    put_asvspoof2019(tmp_path)
    protocol = tmp_path / "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt"
    protocol.write_bytes(b"\xffL\x00A\x00")
    assert f"cannot read {protocol} as UTF-8: " in error_of(tmp_path)


def test_a_protocol_without_any_of_its_audio_is_refused(tmp_path):
    put_asvspoof2019(tmp_path, parts=[])
    put_audio(tmp_path, "noise.wav")
    message = error_of(tmp_path)
    assert f"none of 4 listed files, such as LA_T_1138215, is below {tmp_path}; unpack" in message


def test_audio_of_2021_does_not_replace_audio_of_2019(tmp_path):
    put_asvspoof2019(tmp_path, parts=["train"])
    put_audio(tmp_path, "ASVspoof2021_LA_eval/flac/LA_E_2834763.flac")
    corpus = read_corpus(tmp_path)
    assert corpus.missing == ["LA_D_1047731", "LA_E_2834763"]
    assert corpus.unlisted == []


# ---------------------------------------------------------------------------- ASVspoof 2021


def put_asvspoof2021_la(root: Path, keys: str = KEYS_2021_LA) -> Path:
    put_audio(root, *(f"ASVspoof2021_LA_eval/flac/LA_E_{n}.flac" for n in (1, 2, 3, 4)))
    put_text(root, "ASVspoof2021_LA_eval/ASVspoof2021.LA.cm.eval.trl.txt", "LA_E_1", "LA_E_2")
    put_text(
        root, "keys/LA/ASV/trial_metadata.txt", "LA_0015-alaw-ita_tx LA_E_1 alaw ita_tx bonafide"
    )
    return put_text(
        root,
        keys,
        "LA_0009 LA_E_1 alaw ita_tx A07 spoof notrim eval",
        "LA_0010 LA_E_2 none - bonafide bonafide notrim eval",
        "LA_0011 LA_E_3 g722 loc_tx A19 spoof trim progress",
        "LA_0012 LA_E_4 opus sin_tx bonafide bonafide trim hidden",
        "LA_0013 LA_E_5 gsm sin_tx A08 spoof trim eval",
    )


def put_asvspoof2021_df(root: Path, keys: str = KEYS_2021_DF, widths: int = 13) -> None:
    for part, n in enumerate((2000011, 2000012)):
        folder = f"ASVspoof2021_DF_eval_part0{part}/ASVspoof2021_DF_eval/flac"
        put_audio(root, f"{folder}/DF_E_{n}.flac")
    lines = (
        "LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress traditional_vocoder "
        "- - - -",
        "TEF2 DF_E_2000012 low_mp3 vcc2020 - bonafide notrim eval bonafide Task1 - FF E",
    )
    put_text(root, keys, *(" ".join(line.split()[:widths]) for line in lines))


@pytest.mark.parametrize(
    ("subset", "used"),
    [("eval", "12"), ("progress", "3"), ("hidden", "4"), ("all", "1234")],
)
def test_asvspoof2021_la_is_cut_to_the_subset(tmp_path, subset, used):
    put_asvspoof2021_la(tmp_path)
    corpus = read_corpus(tmp_path, subset=subset)
    assert names(corpus) == [f"ASVspoof2021_LA_eval/flac/LA_E_{n}.flac" for n in used]
    assert (corpus.name, corpus.subset) == ("asvspoof2021-la", subset)
    assert corpus.missing == (["LA_E_5"] if subset in ("eval", "all") else [])
    assert corpus.unlisted == []


def test_asvspoof2021_la_gives_codec_and_attack_and_is_all_test(tmp_path):
    put_asvspoof2021_la(tmp_path)
    corpus = read_corpus(tmp_path, subset="eval")
    assert facts(corpus, "label", "split", "speaker", "split_key", "codec", "attack") == {
        "LA_E_1.flac": ("fake", "test", "LA_0009", "LA_0009", "alaw", "A07"),
        "LA_E_2.flac": ("real", "test", "LA_0010", "LA_0010", "none", ""),
    }


@pytest.mark.parametrize("subset", [None, "", "evaluation"])
def test_asvspoof2021_requires_a_subset(tmp_path, subset):
    put_asvspoof2021_la(tmp_path)
    assert error_of(tmp_path, None, subset) == (
        f"--subset is {subset or 'missing'}; ASVspoof 2021 needs eval|progress|hidden|all: "
        "official figures use eval, the others give different ones"
    )


def test_no_other_corpus_has_subsets(tmp_path):
    put_asvspoof2019(tmp_path)
    assert error_of(tmp_path, None, "eval") == (
        "asvspoof2019 has no subset 'eval'; leave --subset out: only ASVspoof 2021 has subsets"
    )


@pytest.mark.parametrize(
    "keys",
    [
        "keys/CM/trial_metadata.txt",
        "LA-keys-full/keys/LA/CM/trial_metadata.txt",
        "ASVspoof2021_LA_eval/trial_metadata.txt",
    ],
)
def test_asvspoof2021_keys_are_found_in_several_places(tmp_path, keys):
    put_asvspoof2021_la(tmp_path, keys=keys)
    assert len(read_corpus(tmp_path, subset="all").clips) == 4


def test_asvspoof2021_without_its_keys_reports_where_they_belong(tmp_path):
    put_asvspoof2021_la(tmp_path).unlink()
    assert detect_corpus(tmp_path) == "asvspoof2021-la"
    message = error_of(tmp_path, None, "eval")
    assert message.endswith("(asvspoof2021-la: keys/LA/CM/trial_metadata.txt)")


@pytest.mark.parametrize("widths", [8, 13])
def test_asvspoof2021_df_reads_first_and_full_keys(tmp_path, widths):
    put_asvspoof2021_df(tmp_path, widths=widths)
    corpus = read_corpus(tmp_path, subset="all")
    assert corpus.name == "asvspoof2021-df"
    assert facts(corpus, "label", "split", "speaker", "codec", "attack") == {
        "DF_E_2000011.flac": ("fake", "test", "LA_0023", "nocodec", "A14"),
        "DF_E_2000012.flac": ("real", "test", "TEF2", "low_mp3", ""),
    }


def test_asvspoof2021_df_prefers_the_full_keys(tmp_path):
    put_asvspoof2021_df(tmp_path, keys="keys/CM/trial_metadata.txt", widths=8)
    put_asvspoof2021_df(tmp_path, keys="DF-keys-full/keys/DF/CM/trial_metadata.txt")
    stage_1 = tmp_path / "keys/CM/trial_metadata.txt"
    stage_1.write_text(stage_1.read_text().replace("A14", "A99"))
    clips = facts(read_corpus(tmp_path, subset="all"), "attack")
    assert clips["DF_E_2000011.flac"] == ("A14",)


def test_asvspoof2021_la_keys_of_13_columns_are_refused(tmp_path):
    keys = put_asvspoof2021_la(tmp_path)
    keys.write_text(keys.read_text().replace(" eval\n", " eval - - - - -\n"))
    assert "13 columns in line 1 of" in error_of(tmp_path, "asvspoof2021-la", "eval")


def test_both_tracks_of_2021_in_one_folder_are_separated_by_name(tmp_path):
    put_asvspoof2021_la(tmp_path)
    put_asvspoof2021_df(tmp_path)
    message = error_of(tmp_path, None, "all")
    assert "several corpora: asvspoof2021-df, asvspoof2021-la;" in message
    assert "name one with --corpus" in message
    for name, clips in (("asvspoof2021-la", 4), ("asvspoof2021-df", 2)):
        corpus = read_corpus(tmp_path, name, "all")
        assert (len(corpus.clips), corpus.unlisted) == (clips, [])


# ------------------------------------------------------------------------------ ASVspoof 5


def put_asvspoof5(root: Path) -> None:
    put_text(root, "ASVspoof5.train.tsv", "T_4850 T_0000000001 F - - - AC3 A05 spoof -")
    put_text(
        root,
        "ASVspoof5.dev.track_1.tsv",
        "D_0062 D_0000000001 F - - - AC1 A11 spoof -",
        "D_0461 D_0000000190 M - - - - bonafide bonafide -",
    )
    put_text(
        root,
        "ASVspoof5.eval.track_1.tsv",
        "E_1607 E_0009538969 M C05 2 E_0009486171 AC1 A26 spoof -",
    )
    put_text(root, "ASVspoof5.dev.track_2.trial.tsv", "D_0001 D_0000000001 target")
    put_audio(root, "flac_T/T_0000000001.flac", "flac_D/D_0000000001.flac")
    put_audio(root, "flac_D/D_0000000190.flac", "flac_E_eval/E_0009538969.flac")
    put_audio(root, "flac_D/D_A0000000001.flac")


def test_asvspoof5_is_split_at_spaces_in_spite_of_its_suffix(tmp_path):
    put_asvspoof5(tmp_path)
    corpus = read_corpus(tmp_path)
    assert corpus.name == "asvspoof5"
    assert facts(corpus, "label", "split", "speaker", "codec", "attack", "split_key") == {
        "T_0000000001.flac": ("fake", "train", "T_4850", "", "A05", "T_4850"),
        "D_0000000001.flac": ("fake", "val", "D_0062", "", "A11", "D_0062"),
        "D_0000000190.flac": ("real", "val", "D_0461", "", "", "D_0461"),
        "E_0009538969.flac": ("fake", "test", "E_1607", "C05", "A26", "E_1607"),
    }
    assert corpus.unlisted == ["flac_D/D_A0000000001.flac"]


def test_asvspoof5_reads_the_challenge_protocols_if_there_are_no_others(tmp_path):
    put_asvspoof5(tmp_path)
    put_text(tmp_path, "ASVspoof5.train.metainfor.txt", "T_0 T_0000000001 F - - bonafide")
    put_text(
        tmp_path,
        "ASVspoof5.dev.metainfor.txt",
        "D_0062 D_0000000001 F AC1 A11 spoof",
        "D_0461 D_0000000190 M - bonafide bonafide",
    )
    (tmp_path / "ASVspoof5.dev.track_1.tsv").unlink()
    corpus = read_corpus(tmp_path)
    assert facts(corpus, "label", "split", "attack", "codec") == {
        "T_0000000001.flac": ("fake", "train", "A05", ""),
        "D_0000000001.flac": ("fake", "val", "A11", ""),
        "D_0000000190.flac": ("real", "val", "", ""),
        "E_0009538969.flac": ("fake", "test", "A26", "C05"),
    }
    assert corpus.repeated == []


# ----------------------------------------------------------------------------- In-the-Wild


def put_in_the_wild(root: Path) -> None:
    put_text(
        root,
        "release_in_the_wild/meta.csv",
        "file,speaker,label",
        "0.wav,Alec Guinness,spoof",
        '1.wav,"Guinness, Sir Alec",bona-fide',
        "10.wav,Barack Obama,spoof",
    )
    put_audio(root, *(f"release_in_the_wild/{n}.wav" for n in (0, 1, 2)))


@pytest.mark.parametrize("above", ["", "release_in_the_wild/"])
def test_in_the_wild_is_grouped_by_speaker_and_has_no_split(tmp_path, above):
    put_in_the_wild(tmp_path)
    below = "" if above else "release_in_the_wild/"
    corpus = read_corpus(tmp_path / above)
    wild = partial(clip, tmp_path / above, corpus="in-the-wild")
    assert corpus.clips == [
        wild(f"{below}0.wav", "fake", speaker="Alec Guinness"),
        wild(f"{below}1.wav", "real", speaker="Guinness, Sir Alec"),
    ]
    assert (corpus.missing, corpus.unlisted) == ([f"{below}10.wav"], [f"{below}2.wav"])


def test_in_the_wild_converted_to_flac_is_found_below_its_table(tmp_path):
    put_in_the_wild(tmp_path)
    put_audio(tmp_path, "other/10.wav", "release_in_the_wild/flac/10.flac")
    corpus = read_corpus(tmp_path)
    assert names(corpus)[-1] == "release_in_the_wild/flac/10.flac"
    assert "other/10.wav" in corpus.unlisted


# -------------------------------------------------------------------------------- WaveFake

PROMPTS = "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech"


def test_wavefake_takes_attacks_from_folders_and_groups_by_sentence(tmp_path):
    put_audio(
        tmp_path,
        "generated_audio/ljspeech_melgan/LJ001-0001_gen.wav",
        "generated_audio/ljspeech_hifiGAN/LJ008-0217_generated.wav",
        "generated_audio/ljspeech_waveglow/LJ001-0002.wav",
        "generated_audio/jsut_multi_band_melgan/BASIC5000_0001_gen.wav",
        f"generated_audio/{PROMPTS}/gen_0.wav",
    )
    corpus = read_corpus(tmp_path)
    assert corpus.name == "wavefake"
    assert facts(corpus, "label", "attack", "split_key", "speaker", "split", "corpus") == {
        "LJ001-0001_gen.wav": ("fake", "melgan", "LJ001-0001", "", "", "wavefake"),
        "LJ008-0217_generated.wav": ("fake", "hifiGAN", "LJ008-0217", "", "", "wavefake"),
        "LJ001-0002.wav": ("fake", "waveglow", "LJ001-0002", "", "", "wavefake"),
        "BASIC5000_0001_gen.wav": (
            "fake", "multi_band_melgan", "BASIC5000_0001", "", "", "wavefake",
        ),
        "gen_0.wav": ("fake", PROMPTS, "gen_0", "", "", "wavefake"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "attack"),
    [
        ("ljspeech_melgan_large", "melgan_large"),
        ("ljspeech_multi_band_melgan", "multi_band_melgan"),
        ("ljspeech_full_band_melgan", "full_band_melgan"),
        ("ljspeech_parallel_wavegan", "parallel_wavegan"),
        ("jsut_parallel_wavegan", "parallel_wavegan"),
    ],
)
@pytest.mark.parametrize("place", ["generated_audio", "generated_audio/generated_audio", "."])
def test_wavefake_folders_are_known_at_any_depth(tmp_path, folder, attack, place):
    put_audio(tmp_path, f"{place}/{folder}/{folder}/a.wav")
    for root in (tmp_path, tmp_path / place, tmp_path / place / folder):
        assert [clip.attack for clip in read_corpus(root).clips] == [attack]


def test_wavefake_real_speech_shares_the_sentences_of_the_fake(tmp_path):
    put_audio(
        tmp_path,
        "generated_audio/ljspeech_melgan/LJ001-0001_gen.wav",
        "LJSpeech-1.1/wavs/LJ001-0001.wav",
        "jsut_ver1.1/basic5000/wav/BASIC5000_0001.wav",
        "jsut_ver1.1/voiceactress100/wav/VOICEACTRESS100_001.wav",
        "ljspeech_new_vocoder/LJ001-0001.wav",
    )
    corpus = read_corpus(tmp_path)
    assert facts(corpus, "label", "split_key", "speaker", "attack") == {
        "LJ001-0001_gen.wav": ("fake", "LJ001-0001", "", "melgan"),
        "LJ001-0001.wav": ("real", "LJ001-0001", "", ""),
        "BASIC5000_0001.wav": ("real", "BASIC5000_0001", "", ""),
    }
    assert corpus.unlisted == [
        "jsut_ver1.1/voiceactress100/wav/VOICEACTRESS100_001.wav",
        "ljspeech_new_vocoder/LJ001-0001.wav",
    ]


def test_wavefake_files_with_two_copies_count_once(tmp_path):
    first = [f"{PROMPTS}/gen_0.wav", "ljspeech_waveglow/LJ001-0001.wav"]
    again = [f"{PROMPTS}/generated/gen_0.wav", "ljspeech_waveglow/wavs/LJ001-0001.wav"]
    put_audio(tmp_path, *first, *again)
    corpus = read_corpus(tmp_path)
    assert (names(corpus), corpus.unlisted) == (first, again)


def test_wavefake_sorted_into_class_folders_must_be_named(tmp_path):
    put_audio(tmp_path, "fake/ljspeech_melgan/LJ001-0001_gen.wav", "real/wavs/LJ001-0001.wav")
    assert "several corpora: folders, wavefake;" in error_of(tmp_path)
    by_sentence = facts(read_corpus(tmp_path, "wavefake"), "label", "split_key")
    assert by_sentence == {
        "LJ001-0001_gen.wav": ("fake", "LJ001-0001"),
        "LJ001-0001.wav": ("real", "LJ001-0001"),
    }
    by_file = facts(read_corpus(tmp_path, "folders"), "label", "split_key")
    assert by_file["LJ001-0001.wav"] == ("real", "real/wavs/LJ001-0001.wav")


# ------------------------------------------------------------------------------------- FoR


@pytest.mark.parametrize(
    ("place", "version"),
    [
        ("for-original", "for-original"),
        ("for-norm", "for-norm"),
        ("for-norm/for-norm", "for-norm"),
        ("for-2sec/for-2seconds", "for-2sec"),
        ("for-2seconds", "for-2sec"),
        ("for-rerec/for-rerecorded", "for-rerec"),
        ("for-original/for-norm", "for-norm"),
    ],
)
def test_for_keeps_its_splits_in_each_version(tmp_path, place, version):
    for split in ("training", "validation", "testing"):
        put_audio(tmp_path, f"{place}/{split}/real/file1.wav", f"{place}/{split}/fake/file1.mp3")
    for root in (tmp_path, tmp_path / place):
        corpus = read_corpus(root)
        assert corpus.name == "for"
        assert [(clip.split, clip.label) for clip in corpus.clips] == [
            ("test", "fake"), ("test", "real"), ("train", "fake"), ("train", "real"),
            ("val", "fake"), ("val", "real"),
        ]  # fmt: skip
        assert {clip.corpus for clip in corpus.clips} == {version}
        assert corpus.unlisted == []


def test_for_groups_the_files_made_from_one_recording(tmp_path):
    steps = "_16k.wav_norm.wav_mono.wav_silence.wav"
    put_audio(
        tmp_path,
        "for-original/training/fake/file1000.mp3",
        f"for-norm/training/fake/file1000.mp3.wav{steps}",
        f"for-2sec/for-2seconds/training/fake/file1000.wav{steps}_2sec.wav",
    )
    corpus = read_corpus(tmp_path)
    assert {clip.split_key for clip in corpus.clips} == {"train/fake/file1000"}
    assert [clip.corpus for clip in corpus.clips] == ["for-2sec", "for-norm", "for-original"]


def test_for_files_with_equal_numbers_in_two_splits_are_different(tmp_path):
    put_audio(tmp_path, "for-norm/training/fake/file1.wav", "for-norm/testing/real/file1.wav")
    groups = [clip.split_key for clip in read_corpus(tmp_path).clips]
    assert groups == ["test/real/file1", "train/fake/file1"]


def test_for_audio_outside_the_splits_is_unlisted(tmp_path):
    put_audio(tmp_path, "for-norm/training/fake/file1.wav", "for-norm/fake/file2.wav")
    assert read_corpus(tmp_path).unlisted == ["for-norm/fake/file2.wav"]


# ----------------------------------------------------------------------------------- MLAAD


def put_mlaad(root: Path) -> None:
    put_text(
        root,
        "fake/en/tts_models_en_ljspeech_vits/meta.csv",
        MLAAD_HEADER,
        f"./fake/en/tts_models_en_ljspeech_vits/northandsouth_01_f000001.wav|{MARY}|en|True|2.1"
        '|ljspeech|tts_models/en/ljspeech/vits|vits|She said, "no"; then left.',
        f"fake/en/tts_models_en_ljspeech_vits/poisoned_pen_01_f000007.wav|{ELLIOT}|en|True|3.0"
        "|ljspeech|tts_models/en/ljspeech/vits|vits|Hm.",
    )
    put_text(
        root,
        "fake/zh-cn/bark/meta.csv",
        f"{MLAAD_HEADER}|reference_speaker",
        f"./fake/zh/bark/northandsouth_01_f000001.wav|{MARY}|zh|False|2.1|-|suno/bark|bark|x|v2",
        "./fake/zh/bark/alone.wav|-|zh|False|2.1|-|suno/bark|bark|x|v2",
    )
    put_audio(
        root,
        "fake/en/tts_models_en_ljspeech_vits/northandsouth_01_f000001.wav",
        "fake/zh-cn/bark/northandsouth_01_f000001.wav",
        "fake/zh-cn/bark/alone.wav",
        "fake/zh-cn/bark/leftover.wav",
    )


@pytest.mark.parametrize("root", [".", "fake"])
def test_mlaad_finds_its_files_in_spite_of_wrong_paths(tmp_path, root):
    put_mlaad(tmp_path)
    corpus = read_corpus(tmp_path / root)
    above = "fake/" if root == "." else ""
    vits = f"{above}en/tts_models_en_ljspeech_vits"
    assert corpus.name == "mlaad"
    fake = partial(clip, tmp_path / root, label="fake", corpus="mlaad")
    file, attack = "northandsouth_01_f000001.wav", "tts_models/en/ljspeech/vits"
    assert corpus.clips == [
        fake(f"{vits}/{file}", attack=attack, split_key="mary_ann"),
        fake(f"{above}zh-cn/bark/{file}", attack="suno/bark", split_key="mary_ann"),
        fake(f"{above}zh-cn/bark/alone.wav", attack="suno/bark"),
    ]
    assert corpus.missing == [f"{vits}/poisoned_pen_01_f000007.wav"]
    assert corpus.unlisted == [f"{above}zh-cn/bark/leftover.wav"]


def test_mlaad_is_paired_with_the_readers_of_mailabs(tmp_path):
    put_mlaad(tmp_path)
    put_audio(tmp_path, f"M-AILABS/{MARY}", f"M-AILABS/{ELLIOT}", f"M-AILABS/{QUIXOTE}")
    corpus = read_corpus(tmp_path)
    real = [clip for clip in corpus.clips if clip.label == "real"]
    assert [(clip.speaker, clip.split_key) for clip in real] == [
        ("mary_ann", "mary_ann"),
        ("elliot_miller", "elliot_miller"),
        ("", "mix/don_quijote"),
    ]


def test_mlaad_columns_are_read_by_name(tmp_path):
    rows = ("m1|fake/de/m/a.wav", "|fake/de/m/b.wav")
    put_text(tmp_path, "fake/de/m/meta.csv", "model_name|path", *rows)
    put_audio(tmp_path, "fake/de/m/a.wav", "fake/de/m/b.wav")
    assert facts(read_corpus(tmp_path), "attack") == {"a.wav": ("m1",), "b.wav": ("m",)}


def test_mlaad_paths_may_not_leave_the_corpus(tmp_path):
    put_mlaad(tmp_path)
    table = put_text(
        tmp_path, "fake/de/m/meta.csv", "path|model_name", "fake/de/m/a.wav|m", "../../b.wav|m"
    )
    assert f"'../../b.wav' in line 3 of {table} is not" in error_of(tmp_path)


def test_mlaad_rows_have_as_many_cells_as_the_header(tmp_path):
    table = put_text(tmp_path, "fake/de/m/meta.csv", "path|model_name", "fake/de/m/a.wav")
    put_audio(tmp_path, "fake/de/m/a.wav")
    assert f"1 column in line 2 of {table} instead of 2;" in error_of(tmp_path)


# --------------------------------------------------------------------------- plain folders


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("real", "real"), ("REAL", "real"), ("bonafide", "real"), ("bona-fide", "real"),
        ("genuine", "real"), ("fake", "fake"), ("FAKE", "fake"), ("spoof", "fake"),
        ("deepfake", "fake"),
    ],
)  # fmt: skip
def test_class_folders_have_many_names(tmp_path, folder, label):
    put_audio(tmp_path, f"{folder}/deep/down/a.wav")
    assert read_corpus(tmp_path).clips == [clip(tmp_path, f"{folder}/deep/down/a.wav", label)]


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"), ("training", "train"), ("val", "val"), ("validation", "val"),
        ("dev", "val"), ("test", "test"), ("testing", "test"), ("Eval", "test"),
        ("valid", "val"), ("development", "val"), ("evaluation", "test"),
        ("mine/train", "train"), ("mine", ""),
    ],
)  # fmt: skip
def test_split_folders_have_many_names(tmp_path, folder, split):
    put_audio(tmp_path, f"{folder}/real/a.wav", f"{folder}/fake/b.wav")
    corpus = read_corpus(tmp_path)
    assert facts(corpus, "label", "split") == {"a.wav": ("real", split), "b.wav": ("fake", split)}
    assert corpus.name == "folders"


@pytest.mark.parametrize(
    ("place", "split"),
    [
        ("real/Valid", "val"), ("mine/real/test/deep", "test"), ("train/real/test", "train"),
        ("real/speaker/test", ""), ("real/dev-clean", ""),
    ],
)  # fmt: skip
def test_split_folders_may_be_directly_below_the_class(tmp_path, place, split):
    put_audio(tmp_path, f"{place}/a.wav")
    assert facts(read_corpus(tmp_path), "label", "split") == {"a.wav": ("real", split)}


@pytest.mark.parametrize("suffix", AUDIO_SUFFIXES)
def test_audio_suffixes_may_be_in_capitals(tmp_path, suffix):
    put_audio(tmp_path, f"real/a{suffix.upper()}")
    assert names(read_corpus(tmp_path)) == [f"real/a{suffix.upper()}"]


def test_hidden_files_other_files_and_audio_without_a_class_are_left_out(tmp_path):
    put_audio(tmp_path, "real/a.wav", "real/._a.wav", ".cache/real/b.wav", "real/notes.md", "c.wav")
    corpus = read_corpus(tmp_path)
    assert (names(corpus), corpus.unlisted) == (["real/a.wav"], ["c.wav"])


def test_links_are_followed_but_not_in_circles(tmp_path):
    put_audio(tmp_path / "elsewhere", "a.wav")
    put_audio(tmp_path / "corpus", "fake/b.wav")
    (tmp_path / "corpus/real").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "corpus/fake/again").symlink_to(tmp_path / "corpus")
    (tmp_path / "corpus/bonafide").symlink_to(tmp_path / "corpus/fake")
    (tmp_path / "corpus/fake/self").symlink_to(tmp_path / "corpus/fake/self")
    (tmp_path / "corpus/fake/gone.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "corpus/fake/c.wav").symlink_to(tmp_path / "elsewhere/a.wav")
    corpus = read_corpus(tmp_path / "corpus")
    assert names(corpus) == ["fake/b.wav", "fake/c.wav", "fake/gone.wav", "real/a.wav"]
    assert corpus.passed_over == ["fake/self"]
    assert corpus.not_entered == ["bonafide", "fake/again"]


@pytest.mark.parametrize("table", ["manifest.csv", "labels.csv"])
def test_a_csv_beside_the_folders_adds_facts_of_each_file(tmp_path, table):
    put_audio(tmp_path, "clips/a.wav", "clips/b.wav", "clips/c.wav")
    put_text(
        tmp_path,
        table,
        '"label","file",notes, Speaker,split,attack',
        "bona-fide,clips/a.wav,x,Ann,Training,melgan",
        r"Spoof,clips\b.wav,,,dev,melgan",
    )
    corpus = read_corpus(tmp_path)
    assert corpus.name == "folders"
    assert facts(corpus, "label", "speaker", "split", "attack", "split_key") == {
        "a.wav": ("real", "Ann", "train", "", "Ann"),
        "b.wav": ("fake", "", "val", "melgan", "clips/b.wav"),
    }
    assert corpus.unlisted == ["clips/c.wav"]


def test_a_sentence_without_a_speaker_belongs_to_its_only_known_speaker(tmp_path):
    put_audio(tmp_path, *(f"{letter}.wav" for letter in "abcdefg"))
    put_text(
        tmp_path, "labels.csv", "file,label,speaker,sentence",
        "a.wav,fake,,s1", "b.wav,real,Ann,s1", "c.wav,real,Ann,s2",
        "d.wav,real,Bob,s2", "e.wav,fake,,s2", "f.wav,fake,,s3", "g.wav,fake,,",
    )  # fmt: skip
    assert facts(read_corpus(tmp_path), "speaker", "split_key") == {
        "a.wav": ("", "Ann"), "b.wav": ("Ann", "Ann"), "c.wav": ("Ann", "Ann"),
        "d.wav": ("Bob", "Bob"), "e.wav": ("", "s2"), "f.wav": ("", "s3"), "g.wav": ("", "g.wav"),
    }  # fmt: skip


def test_a_manifest_csv_counts_before_other_tables(tmp_path):
    put_audio(tmp_path, "a.wav", "b.wav")
    put_text(tmp_path, "manifest.csv", "file,label", "a.wav,real")
    put_text(tmp_path, "old.csv", "file,label", "a.wav,fake", "b.wav,fake")
    assert facts(read_corpus(tmp_path), "label") == {"a.wav": ("real",)}


def test_several_tables_are_read_together(tmp_path):
    put_audio(tmp_path, "a.wav", "b.wav")
    put_text(tmp_path, "train.csv", "file,label,split", "a.wav,real,train")
    put_text(tmp_path, "test.csv", "file,label,split", "b.wav,fake,test")
    corpus = read_corpus(tmp_path)
    assert facts(corpus, "split") == {"a.wav": ("train",), "b.wav": ("test",)}


def test_an_unrelated_csv_is_ignored(tmp_path):
    put_audio(tmp_path, "real/a.wav")
    put_text(tmp_path, "manifest.csv", "image,label,split", "a.png,real,train")
    assert names(read_corpus(tmp_path)) == ["real/a.wav"]


def test_a_table_with_generators_names_them_as_attacks(tmp_path):
    put_audio(tmp_path, "test/fake/00.flac", "test/real/01.flac")
    put_text(
        tmp_path,
        "manifest.csv",
        "file,label,split,speaker,generator,family,corpus,license,seconds",
        "test/fake/00.flac,fake,test,LibriTTS:7176,UnivNet-c32,GAN,mindslab-ai/univnet,BSD-3,3.0",
        "test/real/01.flac,real,test,LibriTTS:7176,,,mindslab-ai/univnet,CC-BY-4.0,2.5",
    )
    univnet = partial(
        clip, tmp_path, split="test", speaker="LibriTTS:7176", corpus="mindslab-ai/univnet"
    )
    assert read_corpus(tmp_path).clips == [
        univnet("test/fake/00.flac", "fake", attack="UnivNet-c32"),
        univnet("test/real/01.flac", "real"),
    ]


def test_a_table_of_labels_names_exact_files(tmp_path):
    put_audio(tmp_path, "x/a.wav", "y/a.wav", "c.wav")
    put_text(tmp_path, "labels.csv", "file,label", "a.wav,real", "c.wav,real")
    assert read_corpus(tmp_path).missing == ["a.wav"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,speaker", "a.wav,Ann"], "is 'file,speaker'; it needs the columns file and label"),
        ([], "is ''; it needs the columns file and label"),
        (["file,label", "a.wav,maybe"], "is not a label; write real or fake"),
        (["file,label", "a.wav,maybe"], "'maybe' in line 2 of"),
        (["file,label", "a.wav,1"], "'1' in line 2 of"),
        (["file,label,split", "a.wav,real,later"], "'later' in line 2 of"),
        (["file,label", "a.wav"], "1 column in line 2 of"),
        (["file,label", "a.wav,real,x"], "3 columns in line 2 of"),
        (["file,label", "", "b/../../a.wav,real"], "a.wav' in line 3 of"),
        (["file,label", "/a.wav,real"], "'/a.wav' in line 2 of"),
        (["file,label", ",real"], "'' in line 2 of"),
        (["file,label", "a.wav,real", "./a.wav,fake"], "a.wav is fake in line 3 of"),
        (["file,label", "b.wav,real"], "none of 1 listed files, such as b.wav, is below"),
        (["file,label", '"' + 140_000 * "x"], "a line of more than 65,536 characters"),
        (["file,label", '"', *(["x" * 60_000] * 3)], " as CSV: "),
    ],
)
def test_a_wrong_table_of_labels_is_refused(tmp_path, lines, message):
    put_audio(tmp_path, "a.wav")
    put_text(tmp_path, "labels.csv", *lines)
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


# ------------------------------------------------------------------------------- any corpus


def test_the_corpora_have_these_names():
    assert list(CORPORA) == FULL_CORPUS_NAMES


def test_detect_corpus_names_the_layout_of_the_folder(tmp_path):
    put_asvspoof5(tmp_path / "five")
    put_in_the_wild(tmp_path / "wild")
    put_audio(tmp_path / "mine", "real/a.wav")
    assert detect_corpus(tmp_path / "five") == "asvspoof5"
    assert detect_corpus(tmp_path / "wild") == "in-the-wild"
    assert detect_corpus(tmp_path / "mine") == "folders"


def test_several_corpora_below_one_folder_must_be_named(tmp_path):
    put_asvspoof2019(tmp_path)
    put_asvspoof2021_la(tmp_path)
    assert error_of(tmp_path) == (
        f"{tmp_path} contains several corpora: asvspoof2019, asvspoof2021-la; "
        "name one with --corpus, or give the folder of one"
    )
    assert len(read_corpus(tmp_path, "asvspoof2019").clips) == 4


def test_the_error_for_a_folder_without_classes_begins_with_the_remedy(tmp_path):
    put_audio(tmp_path, "music/a.wav", "talk/b.wav")
    assert error_of(tmp_path) == (
        f"sort the audio of {tmp_path} into real/ and fake/, or label it in labels.csv: it has "
        "music/, talk/, and no corpus of a known layout (docs/own-data.md)"
    )


def test_a_wrong_corpus_name_lists_the_files_of_that_layout(tmp_path):
    put_audio(tmp_path, "real/a.wav")
    message = error_of(tmp_path, "mlaad")
    assert (
        f"none of 0 listed files is below {tmp_path}; unpack the audio there (mlaad: fake/"
        in message
    )


def test_an_unknown_corpus_name_lists_the_known_ones(tmp_path):
    put_audio(tmp_path, "real/a.wav")
    assert error_of(tmp_path, "asvspoof2020") == (
        f"'asvspoof2020' is not a corpus; the corpora are {', '.join(FULL_CORPUS_NAMES)}"
    )


def test_a_folder_without_audio_or_no_folder_is_refused(tmp_path):
    put_text(tmp_path, "ASVspoof5.train.tsv", "T_4850 T_0000000001 F - - - AC3 A05 spoof -")
    assert f"no audio below {tmp_path}; put recordings there (" in error_of(tmp_path)
    assert error_of(tmp_path / "no") == (f"cannot open {tmp_path / 'no'}: no such folder")


def test_a_relative_root_gives_paths_that_exist_from_everywhere(tmp_path, monkeypatch):
    put_audio(tmp_path, "for-norm/training/real/file1.wav")
    monkeypatch.chdir(tmp_path / "for-norm")
    corpus = read_corpus(Path())
    assert corpus.clips[0].corpus == "for-norm"
    assert corpus.clips[0].path == tmp_path / "for-norm/training/real/file1.wav"
