"""The columns of a table that give labels, splits and speakers, and the notes on guesses."""

import unicodedata

import pytest

from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.corpora.splits import group_folders
from deepfake_audio.evaluation.key_reading import read_keys
from helpers import put_audio, put_text
from test_label_tables import error_of

BOTH = {"a.wav": "real", "b.wav": "fake"}


def facts(root, name: str = "label") -> dict[str, str]:
    return {clip.path.name: getattr(clip, name) for clip in read_corpus(root).clips}


@pytest.fixture
def wavs(tmp_path):
    put_audio(tmp_path, "wav/a.wav", "wav/b.wav")
    return tmp_path


@pytest.mark.parametrize(
    ("header", "real", "fake"),
    [("is_fake,label", "0,1", "1,0"), ("label,is_fake", "1,0", "0,1"),
     ("class_name,label", "real,1", "fake,0"), ("type,label", "natural,sad", "tts,happy")],
)  # fmt: skip
@pytest.mark.parametrize("table", ["labels.csv", "metadata.csv"])
def test_a_column_called_label_does_not_replace_the_chosen_one(wavs, table, header, real, fake):
    put_text(wavs, table, f"path,{header}", f"a.wav,{real}", f"b.wav,{fake}")
    assert facts(wavs) == BOTH


def test_columns_without_a_name_are_no_others(wavs):
    put_text(wavs, "labels.csv", ",,file,label", "0,0,a.wav,real", "1,1,b.wav,fake")
    assert facts(wavs) == BOTH
    put_text(wavs, "labels.csv", "file,,,label,my_target", "a.wav,,,real,fake", "b.wav,,,fake,real")
    assert "the labels in the columns label and my_target" in error_of(wavs)


def test_a_question_of_another_meaning_is_not_the_label(wavs):
    put_text(wavs, "labels.csv", "file,label,is_original", "a.wav,1,0", "b.wav,0,0", "c.wav,0,1")
    assert error_of(wavs).startswith("'1' in line 2 of ")


@pytest.mark.parametrize(
    "header", ["label,audio_label", "label_audio,label_video", "type,voice_class"]
)
def test_the_label_of_the_sound_counts_before_that_of_the_video(wavs, header):
    order = 1 if header.startswith("label_audio") else -1
    rows = [",".join(cells[::order]) for cells in (("real", "fake"), ("fake", "real"))]
    put_text(wavs, "labels.csv", f"file,{header}", f"a.wav,{rows[0]}", f"b.wav,{rows[1]}")
    assert facts(wavs) == BOTH


def test_columns_of_labels_that_disagree_are_refused(wavs):
    table = put_text(wavs, "labels.csv", "file,label,target", "a.wav,real,fake", "b.wav,fake,real")
    assert error_of(wavs) == (
        f"the labels in the columns label and target of {table} differ; remove the column that "
        "does not label the sound, or name the other one audio_label"
    )
    put_text(wavs, "labels.csv", "file,label,category", "a.wav,real,human", "b.wav,fake,human")
    assert facts(wavs) == BOTH


@pytest.mark.parametrize(
    ("real", "fake", "attack"),
    [("Human", "AI (ElevenLabs)", "ElevenLabs"), ("bonafide", "spoof: vocoder", "vocoder"),
     ("real (studio)", "fake - hifi gan", "hifi_gan"), ("is_real", "Not real", "")],
)  # fmt: skip
def test_a_label_may_have_a_generator_or_a_negation_beside_it(wavs, real, fake, attack):
    put_text(wavs, "labels.csv", "file;label", f"a.wav;{real}", f"b.wav;{fake}")
    assert facts(wavs) == BOTH
    assert facts(wavs, "attack") == {"a.wav": "", "b.wav": attack}


def test_a_label_that_is_not_known_asks_to_remove_the_line(wavs):
    put_text(wavs, "labels.csv", "file,label", "a.wav,real", "b.wav,unknown")
    assert error_of(wavs).endswith("is not a label; write real or fake, or remove the line")


@pytest.mark.parametrize("column", ["data_split", "usage", "Split (official)", "fold"])
def test_a_column_of_any_name_gives_the_splits_if_it_has_several(wavs, column):
    put_text(wavs, "labels.csv", f"file,label,{column}", "a.wav,real,train", "b.wav,fake,Test")
    assert facts(wavs, "split") == {"a.wav": "train", "b.wav": "test"}
    note = f"The splits of labels.csv are those of its column {column.lower()}."
    assert read_corpus(wavs).notes == [note]
    put_text(wavs, "labels.csv", f"file,label,{column}", "a.wav,real,train", "b.wav,fake,train")
    assert set(facts(wavs, "split").values()) == {""}


def test_a_split_counts_though_the_first_rows_have_another_one(wavs, monkeypatch):
    monkeypatch.setattr("deepfake_audio.tables.text_tables.SAMPLED_ROWS", 0)
    put_text(wavs, "labels.csv", "file,label,usage", "a.wav,real,train", "b.wav,fake,test")
    assert facts(wavs, "split") == {"a.wav": "train", "b.wav": "test"}


@pytest.mark.parametrize(("columns", "cells"), [("is_train", "1"), ("usage,mode", "train,test")])
def test_columns_that_look_like_splits_are_named_if_they_are_not_used(wavs, columns, cells):
    other = "0" if cells == "1" else "test,train"
    rows = (f"a.wav,real,{cells}", f"b.wav,fake,{other}")
    put_text(wavs, "labels.csv", f"file,label,{columns}", *rows)
    (note,) = read_corpus(wavs).notes
    assert note == (
        f"Not used, though they look like splits: {columns.replace(',', ', ')} in labels.csv; "
        "name one column split, with train, val and test."
    )


@pytest.mark.parametrize(
    "column", ["source_speaker", "Target Speaker ID", "ref_spk", "identity", "celebrity"]
)
def test_a_column_named_after_a_speaker_has_the_speakers(wavs, column):
    put_text(wavs, "labels.csv", f"file,label,{column}", "a.wav,real,x", "b.wav,fake,y")
    assert facts(wavs, "speaker") == {"a.wav": "x", "b.wav": "y"}
    assert read_corpus(wavs).notes == [f"The speakers are those of the column {column.lower()}."]


@pytest.mark.parametrize(
    "column", ["n_speakers", "num_speaker", "speaker_gender", "same_speaker", "loudspeaker"]
)
def test_a_column_about_speakers_has_none(wavs, column):
    put_text(wavs, "labels.csv", f"file,label,{column}", "a.wav,real,1", "b.wav,fake,1")
    assert set(facts(wavs, "speaker").values()) == {""}


def test_of_several_speakers_the_voice_that_is_heard_counts(wavs):
    header = "file,label,source_speaker,target_speaker"
    put_text(wavs, "labels.csv", header, "a.wav,real,x,x", "b.wav,fake,x,y")
    assert facts(wavs, "speaker") == {"a.wav": "x", "b.wav": "y"}
    assert read_corpus(wavs).notes == [
        "The speakers are those of the column target_speaker, and not of source_speaker."
    ]


def test_a_column_without_a_header_that_may_have_speakers_is_named(wavs):
    put_audio(wavs, "wav/c.wav")
    put_text(wavs, "list.txt", "a.wav|x|real", "b.wav|y|fake", "c.wav|x|fake")
    assert read_corpus(wavs).notes == [
        "Column 2 of list.txt, such as x, is not used; if it has speakers, add a header such as "
        "file,speaker,label."
    ]


def test_a_file_of_the_other_class_is_not_taken_by_its_name(tmp_path):
    put_audio(tmp_path, "real/a.wav", "real/b.wav", "fake/d.wav")
    rows = ("real/a.wav,real", "vits/b.wav,fake", "x/d.wav,fake")
    put_text(tmp_path, "labels.csv", "file,label", *rows)
    corpus = read_corpus(tmp_path)
    assert facts(tmp_path) == {"a.wav": "real", "d.wav": "fake"}
    assert corpus.missing == ["vits/b.wav"]
    assert corpus.notes == [
        "1 file was found by name in another folder than listed, such as x/d.wav as fake/d.wav."
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_that_another_row_lists_is_not_taken_by_its_name(tmp_path, order):
    put_audio(tmp_path, "wavs/a.wav", "wavs/b.wav", "vits/c.wav")
    rows = ["wavs/a.wav,real", "melgan/a.wav,fake", "LJ/wavs/b.wav,real", "gan/b.wav,fake",
            "vits/c.wav,fake", "gan/c.wav,fake"]  # fmt: skip
    put_text(tmp_path, "labels.csv", "file,label", *rows[::order])
    assert facts(tmp_path) == {"a.wav": "real", "b.wav": "real", "c.wav": "fake"}
    assert set(read_corpus(tmp_path).missing) == {"melgan/a.wav", "gan/b.wav", "gan/c.wav"}
    put_text(tmp_path, "labels.csv", "file,label", "x/b.wav,real", "y/b.wav,fake", "vits/c,fake")
    assert read_corpus(tmp_path).missing == ["x/b.wav", "y/b.wav"]


def test_a_path_that_begins_above_the_corpus_is_found_by_name(wavs):
    put_text(wavs, "labels.csv", "file,label", "../data/wav/a.wav,real", r"..\..\b.wav,fake")
    assert facts(wavs) == BOTH
    put_text(wavs, "labels.csv", "file,label", "a.wav,real", "wav/../../b.wav,fake")
    assert "is not a path inside the corpus" in error_of(wavs)


def test_in_the_wild_keeps_the_splits_of_its_folders(tmp_path):
    put_audio(tmp_path, "train/real/a.wav", "test/fake/b.wav")
    put_text(tmp_path, "meta.csv", "file,speaker,label", "a.wav,x,bona-fide", "b.wav,y,spoof")
    assert read_corpus(tmp_path).name == "in-the-wild"
    assert facts(tmp_path, "split") == {"a.wav": "train", "b.wav": "test"}


def test_one_speaker_in_several_spellings_is_one_group(wavs):
    put_audio(wavs, "wav/c.wav", "wav/d.wav")
    rows = ("a.wav,real,Anna", "b.wav,fake,anna", "c.wav,real,7", "d.wav,fake,7.0")
    put_text(wavs, "labels.csv", "file,label,speaker", *rows)
    found = facts(wavs, "split_key")
    assert found == {"a.wav": "Anna", "b.wav": "Anna", "c.wav": "7", "d.wav": "7"}
    assert facts(wavs, "speaker") == found


def test_audio_of_a_folder_in_both_classes_is_one_group(tmp_path):
    people = [f"id{n}" for n in range(12)]
    put_audio(tmp_path, *(f"{c}/{who}/{c}.wav" for c in ("real", "fake") for who in people))
    clips, line = group_folders(read_corpus(tmp_path).clips)
    assert {clip.split_key for clip in clips} == {f"folder {who}" for who in people}
    assert line == (
        "12 folders have one name in both classes, such as id0; the files of each name are in one "
        "split."
    )
    few = [clip for clip in clips if clip.path.parent.name < "id5"]
    assert group_folders(few) == (few, "")


@pytest.mark.parametrize("folders", [("dev", "dev_test"), ("train", "train_test_part")])
def test_a_folder_with_words_of_two_splits_is_named(tmp_path, folders):
    names = [f"{folder}/{label}/x.wav" for folder in folders for label in ("real", "fake")]
    put_audio(tmp_path, *names)
    (note,) = read_corpus(tmp_path).notes
    assert f"look like splits: {folders[1]}/;" in note


def test_the_reference_of_a_fake_of_mlaad_is_its_speaker(tmp_path):
    put_audio(tmp_path, "fake/en/m/a.wav", "fake/en/m/b.wav")
    of = "en_US/by_book/{}/wavs/1.wav".format
    put_text(
        tmp_path, "fake/en/m/meta.csv", "path|model_name|original_file|reference_speaker",
        f"a.wav|m|{of('female/ann/x')}|{of('male/bob/x')}", f"b.wav|m|{of('female/ann/x')}|v2",
    )  # fmt: skip
    assert facts(tmp_path, "split_key") == {"a.wav": "bob", "b.wav": "ann"}


def test_a_table_with_labels_that_differ_is_told_beside_class_folders(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav")
    table = put_text(tmp_path, "more.csv", "wav,label,target", "a,real,fake", "b,fake,real")
    assert facts(tmp_path) == BOTH
    (note,) = read_corpus(tmp_path).notes
    assert note == "Not used: more.csv, with two columns of labels that differ."
    (tmp_path / "real").rename(tmp_path / "x")
    assert error_of(tmp_path).startswith(f"the labels in the columns label and target of {table}")


@pytest.mark.parametrize(
    ("header", "real", "fake"),
    [
        ("Fichier;Étiquette;Locuteur", "réel", "généré"),
        ("Имя файла;Класс;Диктор", "настоящая", "поддельная"),
        ("NAZWA PLIKU;ETYKIETA;MÓWCA", "prawdziwy", "FAŁSZYWY"),
        ("DOSYA ADI;SINIF;Konuşmacı", "GERÇEK", "sahte"),
        ("اسم الملف;التصنيف;المتحدث", "حقيقي", "مزيف"),
        ("फ़ाइल;लेबल;वक्ता", "असली", "नकली"),
        ("檔名;標籤;說話人", "真實", "偽造"),
        ("ファイル名;ラベル;話者", "本物", "フェイク"),
        ("파일명;라벨;화자", "진짜", "가짜"),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_tables_in_other_languages_and_letters_are_read(wavs, header, real, fake, form):
    rows = (header, f"a.wav;{real};x", f"b.wav;{fake};y")
    put_text(wavs, "table.csv", *(unicodedata.normalize(form, row) for row in rows))
    assert facts(wavs) == BOTH
    assert facts(wavs, "speaker") == {"a.wav": "x", "b.wav": "y"}
    assert {each.file: each.label for each in read_keys(wavs / "table.csv", None, None, ())} == BOTH


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_folders_in_other_letters_mean_a_class(tmp_path, form):
    folders = [unicodedata.normalize(form, name) for name in ("réel", "généré_vits", "Künstlich")]
    put_audio(tmp_path, *(f"{folder}/{place}.wav" for place, folder in enumerate(folders)))
    assert facts(tmp_path) == {"0.wav": "real", "1.wav": "fake", "2.wav": "fake"}
    assert facts(tmp_path, "attack") == {"0.wav": "", "1.wav": "vits", "2.wav": ""}


def test_a_name_in_two_folders_with_two_labels_asks_for_the_folders(tmp_path):
    put_audio(tmp_path, "x/a.wav", "y/a.wav")
    put_text(tmp_path, "labels.csv", "file,label", "a.wav,real", "a.wav,fake")
    assert error_of(tmp_path).endswith("correct one of the two, or list each file with its folder")


@pytest.mark.parametrize("column", ["Human/AI", "AI or human?", "choice", "Is it AI?", "is_a_fake"])
def test_columns_that_ask_for_the_class_are_labels(wavs, column):
    words = ("No", "Yes") if column.lower().startswith("is") else ("Human", "AI")
    put_text(wavs, "t.csv", f"Filename;{column}", f"a.wav;{words[0]}", f"b.wav;{words[1]}")
    corpus = read_corpus(wavs)
    assert ({c.path.name: c.label for c in corpus.clips}, corpus.missing) == (BOTH, [])


def test_of_files_with_one_name_that_in_a_folder_of_the_class_is_listed(tmp_path):
    names = [f"{label}/{n}.wav" for label in ("real", "fake") for n in "ab"]
    put_audio(tmp_path, *names)
    rows = [f"{name[-5:]},{name[:4]},{name[0]}" for name in names]
    put_text(tmp_path, "labels.csv", "file,label,speaker", *rows)
    found = {(clip.name, clip.label, clip.speaker) for clip in read_corpus(tmp_path).clips}
    assert found == {(name, name[:4], name[0]) for name in names}


@pytest.mark.parametrize("table", ["labels.csv", "list.csv"])
def test_a_column_of_unknown_name_with_files_on_disk_has_the_files(wavs, table):
    put_text(wavs, table, "nome do clip;rótulo", "a.wav;real", "b.wav;falso")
    assert facts(wavs) == BOTH
