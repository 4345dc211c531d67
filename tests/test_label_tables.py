"""Tables of labels as people and challenges write them: columns, places, encodings, paths."""

import json
from pathlib import Path

import pytest

import prepare
from deepfake_audio.corpora.reading import detect_corpus, read_corpus
from deepfake_audio.errors import InputError
from deepfake_audio.tables.text_tables import open_text_table
from helpers import ONE_PROCESS, make_audio, manifest, put_audio, put_text

ROWS = ("a.wav,real", "b.wav,fake")
BOTH = {"a.wav": "real", "b.wav": "fake"}


def labels(root) -> dict[str, str]:
    return {clip.path.name: clip.label for clip in read_corpus(root).clips}


def facts(root, *names: str) -> dict[str, tuple]:
    clips = read_corpus(root).clips
    return {clip.path.name: tuple(getattr(clip, name) for name in names) for clip in clips}


def error_of(root) -> str:
    with pytest.raises(InputError) as caught:
        read_corpus(root)
    return str(caught.value)


@pytest.fixture
def wavs(tmp_path):
    put_audio(tmp_path, "wav/a.wav", "wav/b.wav", "wav/c.wav")
    return tmp_path


@pytest.mark.parametrize(
    "column",
    [
        "wav", "audio_path", "wav_path", "audio_file", "id", "utt_id", "fname", "clip",
        "File Name", "Datei",
    ],
)  # fmt: skip
def test_a_column_of_files_has_the_names_that_evaluate_takes(wavs, column):
    put_text(wavs, "labels.csv", f"{column},label", *ROWS)
    assert labels(wavs) == BOTH


@pytest.mark.parametrize("column", ["ground_truth", "key", "cm_label", "Klasse", "type", "target"])
def test_a_column_of_labels_has_the_names_that_evaluate_takes(wavs, column):
    put_text(wavs, "labels.csv", f"path;{column}", *(row.replace(",", ";") for row in ROWS))
    assert labels(wavs) == BOTH


@pytest.mark.parametrize(("real", "fake"), [("0", "1"), ("False", "True"), ("0.0", "1.0")])
@pytest.mark.parametrize("column", ["is_fake", "Is Spoof", "fake"])
def test_numbers_and_booleans_need_a_column_that_names_a_class(wavs, real, fake, column):
    put_text(wavs, "labels.csv", f"file,{column}", f"a.wav,{real}", f"b.wav,{fake}")
    assert labels(wavs) == BOTH
    for other in ("label", "target"):
        put_text(wavs, "labels.csv", f"file,{other}", f"a.wav,{real}", f"b.wav,{fake}")
        assert error_of(wavs) == (
            f"{real!r} in line 2 of {wavs / 'labels.csv'} may mean real or fake; write real or "
            "fake, or name the column is_fake or is_real"
        )


@pytest.mark.parametrize(("real", "fake"), [("FALSCH", "WAHR"), ("faux", "vrai"), ("-1", "1")])
def test_booleans_of_other_languages_are_read_in_a_column_that_names_a_class(wavs, real, fake):
    put_text(wavs, "labels.csv", "file;is_fake", f"a.wav;{real}", f"b.wav;{fake}")
    assert labels(wavs) == BOTH


def test_a_column_of_words_counts_before_one_of_numbers(wavs):
    put_text(wavs, "labels.csv", "id,file,label,cm_label", "1,a.wav,1,real", "2,b.wav,0,fake")
    assert labels(wavs) == BOTH


@pytest.mark.parametrize("column", ["Speaker ID", "client_id", "spk-id", "Speaker_Name", "talker"])
def test_speakers_and_generators_have_many_names(wavs, column):
    for attack in ("tts_model", "attack_type", "Generator Name", "model"):
        put_text(
            wavs, "labels.csv", f"file,label,{column},{attack}", "a.wav,real,x,", "b.wav,fake,y,v"
        )
        assert facts(wavs, "speaker", "attack") == {"a.wav": ("x", ""), "b.wav": ("y", "v")}


@pytest.mark.parametrize("unknown", ["-", "unknown", "nan", "N/A", "<unk>", "None", "?", "-1"])
def test_an_unknown_speaker_is_none(wavs, unknown):
    put_text(wavs, "labels.csv", "file,label,speaker", f"a.wav,real,{unknown}", "b.wav,fake,y")
    assert facts(wavs, "speaker", "split_key")["a.wav"] == ("", "wav/a.wav")


@pytest.mark.parametrize(
    ("train", "test", "header"),
    [
        ("train.csv", "test.csv", "file,label"),
        ("train_labels.csv", "eval_labels.csv", "wav,class"),
        ("lists/train.csv", "lists/test.csv", "path,label"),
        ("train/metadata.csv", "test/metadata.csv", "file_name,label"),
    ],
)  # fmt: skip
def test_tables_named_as_splits_give_the_splits(wavs, train, test, header):
    put_text(wavs, train, header, ROWS[0])
    put_text(wavs, test, header, ROWS[1])
    assert facts(wavs, "split") == {"a.wav": ("train",), "b.wav": ("test",)}
    assert read_corpus(wavs).notes[0].startswith("The splits are those that the names of ")


def test_one_table_named_as_a_split_is_told_and_not_used(wavs):
    put_text(wavs, "train.csv", "file,label", *ROWS)
    assert facts(wavs, "split") == {"a.wav": ("",), "b.wav": ("",)}
    (note,) = read_corpus(wavs).notes
    assert note == "train.csv has no column split, and its name was not used as one."


def test_facts_without_a_column_come_from_the_folders(tmp_path):
    put_audio(tmp_path, "train/real/a.wav", "test/fake_vits/b.wav", "test/real/d.wav")
    put_text(tmp_path, "labels.csv", "file,label", *ROWS)
    assert facts(tmp_path, "split", "attack") == {"a.wav": ("train", ""), "b.wav": ("test", "vits")}


def test_labels_csv_counts_before_class_folders_whatever_its_header(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav")
    put_text(tmp_path, "labels.csv", "filename,label,speaker", "a.wav,fake,x", "b.wav,real,y")
    found = facts(tmp_path, "label", "speaker")
    assert found == {"a.wav": ("fake", "x"), "b.wav": ("real", "y")}


def test_other_tables_add_to_class_folders_and_may_not_contradict_them(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav", "fake/c.wav")
    table = put_text(tmp_path, "metadata.csv", "wav,label,speaker", "a.wav,real,x", "b.wav,fake,y")
    found = facts(tmp_path, "label", "speaker")
    assert found == {"a.wav": ("real", "x"), "b.wav": ("fake", "y"), "c.wav": ("fake", "")}
    put_text(tmp_path, "metadata.csv", "wav,label,speaker", "a.wav,real,x", "b.wav,real,y")
    assert error_of(tmp_path).startswith(f"fake/b.wav is real in line 3 of {table}, and its folder")
    put_text(tmp_path, "metadata.csv", "wav,label", "a.wav,1", "b.wav,0")
    (note,) = read_corpus(tmp_path).notes
    assert note == "Not used: metadata.csv, with labels 0 and 1, or the like."


def test_tables_below_the_root_are_read(tmp_path):
    put_audio(tmp_path, "train/a.wav", "train/b.wav", "audio/d.wav")
    put_text(tmp_path, "train/metadata.csv", "file_name,label", *ROWS)
    put_text(tmp_path, "metadata/metadata.csv", "file_name,label", "d.wav,real")
    assert facts(tmp_path, "label", "split") == {
        "a.wav": ("real", "train"), "b.wav": ("fake", "train"), "d.wav": ("real", ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ("file;speaker;label", "0.wav;A, B;spoof"),
        ('"file","speaker","label"', '"0.wav","A, B","spoof"'),
        (",file,speaker,label", '7,0.wav,"A, B",spoof'),
    ],
)  # fmt: skip
def test_in_the_wild_may_come_from_a_spreadsheet(tmp_path, lines):
    put_audio(tmp_path, "wild/0.wav")
    put_text(tmp_path, "wild/meta.csv", *lines)
    assert detect_corpus(tmp_path) == "in-the-wild"
    assert facts(tmp_path, "label", "speaker") == {"0.wav": ("fake", "A, B")}


def test_the_error_names_the_table_that_has_no_labels(wavs):
    put_text(wavs, "data.csv", "path,quality", "a.wav,real")
    assert error_of(wavs).endswith(
        "; data.csv begins with 'path,quality', and is no list of these files and their labels"
    )
    (wavs / "data.csv").rename(wavs / "data.xlsx")
    assert error_of(wavs).endswith("; save data.xlsx as CSV with the columns file and label")


PROTOCOLS = {
    "2015": ("cm_protocol/cm_train.trn", "T1 a human human", "T1 b S1 spoof", "T1", "S1"),
    "2017": ("train.trl.txt", "a.wav genuine M1 S01 - - -", "b.wav spoof M1 S2 E1 P1 R1", "M1", ""),
    "2019 PA": ("ASVspoof2019.PA.cm.train.trn.txt", "P1 a aaa - bonafide", "P1 b aaa AA spoof",
                "P1", "AA"),
    "ADD": ("label.txt", "a.wav genuine", "b.wav fake", "", ""),
    "tabs": ("protocol.txt", "a\treal", "b\tfake", "", ""),
    "commas": ("list.csv", "0,a.wav,real", "1,b.wav,fake", "", ""),
    "five columns": ("protocol.txt", "x a.wav - - bonafide", "x b.wav - A01 spoof", "x", "A01"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_protocols_without_a_header_are_read(wavs, name):
    table, *lines, speaker, attack = PROTOCOLS[name]
    put_text(wavs, table, *lines)
    put_text(wavs, "ASVspoof2019.PA.asv.dev.gi.trl.txt", "P1 a bonafide target", "P1 b AA spoof")
    assert facts(wavs, "label", "speaker", "attack") == {
        "a.wav": ("real", speaker, ""), "b.wav": ("fake", speaker, attack),
    }  # fmt: skip


def test_protocols_of_several_splits_give_the_splits(wavs):
    put_text(wavs, "p/cm_train.trn", "T1 a human human")
    put_text(wavs, "p/cm_develop.ndx", "D1 b S1 spoof")
    put_text(wavs, "p/cm_evaluation.ndx", "E1 c S1 spoof")
    assert facts(wavs, "split") == {"a.wav": ("train",), "b.wav": ("val",), "c.wav": ("test",)}


@pytest.mark.parametrize(
    "lines", [("a.mp4 real fake", "b.mp4 real real"), ("hello fake", "it is real"), ("a b", "c d")]
)
def test_a_text_without_clear_labels_is_no_protocol(wavs, lines):
    put_text(wavs, "notes.txt", *lines)
    assert "sort the audio of" in error_of(wavs)


def test_absolute_paths_of_another_machine_are_found_by_their_last_folders(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/a.wav", "fake/b.wav", "x/c.wav")
    rows = ("/content/drive/real/a.wav,real", r"C:\data\fake\a.wav,fake", "gs://x/fake/b.wav,fake",
            "/elsewhere/c.wav,real", "/content/none.wav,real")  # fmt: skip
    put_text(tmp_path, "labels.csv", "file,label", *rows)
    corpus = read_corpus(tmp_path)
    names = ["real/a.wav", "fake/a.wav", "fake/b.wav", "x/c.wav"]
    assert [clip.name for clip in corpus.clips] == names
    assert corpus.missing == ["content/none.wav"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be"])
def test_tables_of_excel_are_read_in_their_encoding(tmp_path, encoding, caplog):
    put_audio(tmp_path, "Jürgen.wav", "b.wav")
    text = "file;label\nb.wav;fake\nJürgen.wav;real\n"
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    assert labels(tmp_path) == {"Jürgen.wav": "real", "b.wav": "fake"}
    told = "labels.csv is not UTF-8 and was read as Windows-1252; save it as UTF-8"
    assert [told in message for message in caplog.messages] == [True] * (encoding == "cp1252")


@pytest.mark.parametrize(
    ("encoding", "header", "real", "fake"),
    [
        ("cp1251", "файл;метка", "настоящий", "поддельный"),
        ("cp1250", "Nazwa pliku;Etykieta", "prawdziwy", "fałszywy"),
        ("cp1254", "dosya;sınıf", "gerçek", "sahte"),
        ("gb18030", "文件名;标签", "真实", "伪造"),
        ("cp932", "ファイル名;ラベル", "本物", "偽物"),
        ("cp949", "파일명;라벨", "진짜", "가짜"),
        ("cp950", "檔名;標籤", "真實", "偽造"),
        ("cp1252", "Nom du fichier;étiquette", "réel", "généré"),
    ],
)
def test_tables_of_excel_are_read_in_the_encoding_of_their_words(
    wavs, encoding, header, real, fake, caplog
):
    text = f"{header}\na.wav;{real}\nb.wav;{fake}\n"
    (wavs / "labels.csv").write_bytes(text.encode(encoding))
    assert labels(wavs) == BOTH
    shown = encoding.replace("cp12", "Windows-12")
    assert f"is not UTF-8 and was read as {shown}; save it as UTF-8" in caplog.text


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
def test_scores_of_excel_are_read_in_their_encoding(tmp_path, encoding):
    path = tmp_path / "scores.csv"
    path.write_bytes("file;score\nb.wav;0,5\nJürgen.wav;0,7\n".encode(encoding))
    rows = [cells for _, cells in open_text_table(path).rows()]
    assert rows == [["b.wav", "0,5"], ["Jürgen.wav", "0,7"]]


@pytest.mark.parametrize("end", [b"\xfc.wav;real\n\xc3\xbc.wav;real\n", b"\xfc\x01.wav;real\n"])
def test_mixed_encodings_and_bytes_are_no_table(tmp_path, end):
    put_audio(tmp_path, "b.wav")
    (tmp_path / "labels.csv").write_bytes(b"file;label\nb.wav;fake\n" + end)
    assert "labels.csv as UTF-8: it " in error_of(tmp_path)


def test_blank_lines_may_precede_the_header_and_blanks_separate_columns(wavs):
    put_text(wavs, "labels.csv", "", "", "file  label", "a.wav   real", "b.wav maybe")
    assert "'maybe' in line 5 of" in error_of(wavs)


def test_real_speech_in_class_folders_counts_beside_corpora_of_fakes(tmp_path):
    put_audio(tmp_path / "m", "fake/en/x/a.wav", "fake/en/x/left.wav", "real/r.wav")
    put_text(tmp_path / "m", "fake/en/x/meta.csv", "path|model_name", "fake/en/x/a.wav|x")
    put_audio(tmp_path / "w", "generated_audio/ljspeech_melgan/LJ001-0001_gen.wav")
    put_audio(tmp_path / "w", "LJSpeech/LJ001-0001.wav", "real/r.wav")
    put_audio(tmp_path / "c", "encodec+p225_001.wav", "real/r.wav")
    assert labels(tmp_path / "m") == {"a.wav": "fake", "r.wav": "real"}
    found = {"LJ001-0001.wav": "real", "r.wav": "real", "LJ001-0001_gen.wav": "fake"}
    assert labels(tmp_path / "w") == found
    assert labels(tmp_path / "c") == {"encodec+p225_001.wav": "fake", "r.wav": "real"}


def test_errors_tell_what_is_there_instead_of_audio(tmp_path):
    put_audio(tmp_path, "real/a.gif", "fake/b.gif", "x/c.npy", "x/d")
    assert error_of(tmp_path).endswith(": it has 4 files (2 .gif, 1 .npy, 1 without suffix)")
    put_audio(tmp_path, "real/a.png", "fake/b.png", "demo.wav")
    assert error_of(tmp_path) == (
        f"{tmp_path} has images in fake/, real/ and audio outside of them, such as demo.wav; move "
        "1 audio file elsewhere to use the images"
    )


def test_tables_of_the_user_are_no_spoofceleb_and_no_mlaad(tmp_path):
    put_audio(tmp_path / "s", "a.wav", "b.wav")
    rows = ("a.wav,x,,real", "b.wav,x,vits,fake")
    put_text(tmp_path / "s", "metadata/train.csv", "file,speaker,attack,label", *rows)
    put_audio(tmp_path / "m", "a.wav", "b.wav")
    rows = ("a.wav||real", "b.wav|vits|fake")
    put_text(tmp_path / "m", "meta.csv", "path|model_name|label", *rows)
    for name in ("s", "m"):
        assert facts(tmp_path / name, "label", "attack") == {
            "a.wav": ("real", ""), "b.wav": ("fake", "vits"),
        }  # fmt: skip


def test_names_of_codecfake_in_class_folders_are_ambiguous(tmp_path):
    put_audio(tmp_path, "train/fake/encodec+p225_001.wav", "train/real/p225_001.wav")
    assert "several corpora: codecfake, folders; name one with --corpus" in error_of(tmp_path)


def test_several_subsets_of_asvspoof_2021_are_not_pooled(wavs):
    rows = ("P1 a R1 M1 d1 r1 m1 s1 c1 bonafide notrim eval",
            "P1 b R1 M1 d1 r1 m1 s1 c1 spoof notrim progress")  # fmt: skip
    put_text(wavs, "keys/PA/CM/trial_metadata.txt", *rows)
    assert "trial_metadata.txt has the subsets eval, progress; keep only" in error_of(wavs)
    put_text(wavs, "keys/PA/CM/trial_metadata.txt", *(r.replace("progress", "eval") for r in rows))
    assert facts(wavs, "label", "split")["b.wav"] == ("fake", "test")


def test_lists_without_labels_are_told(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav")
    put_text(tmp_path, "train.txt", "real/a.wav")
    assert read_corpus(tmp_path).notes == ["Not used: train.txt, with files without clear labels."]
    for number in range(4):
        put_text(tmp_path, f"real/{number}.trans.txt", "a HELLO", "c IT IS ME")
    (note,) = read_corpus(tmp_path).notes
    assert "real/2.trans.txt, ... (5 tables), with files without" in note


@pytest.mark.parametrize(
    "lines",
    [
        ("My labels", "", "file,label", *ROWS), ("# of June", "path;label", "a.wav;real", "b;fake"),
        ROWS, ("wav,phase,label", "a.wav,train,not ai", "b.wav,test,replay"),
        ("wav,label", "a.wav,nonfake", "b.wav,partially fake"),
    ],
)  # fmt: skip
def test_labels_csv_may_have_titles_or_no_header(wavs, lines):
    put_text(wavs, "labels.csv", *lines)
    assert labels(wavs) == BOTH
    assert {split for (split,) in facts(wavs, "split").values()} in ({""}, {"train", "test"})


def test_tables_beside_labels_csv_are_told(wavs):
    put_text(wavs, "labels.csv", "file,label", *ROWS)
    put_text(wavs, "lists/more.csv", "path,label", "c.wav,real")
    assert labels(wavs) == BOTH
    assert read_corpus(wavs).notes == ["Not used, since labels.csv is there: lists/more.csv."]


CLASSES = {f"{label[0]}{number:02}.wav": label for label in ("fake", "real") for number in range(8)}
OBJECTS = [{"path": file, "class": label} for file, label in CLASSES.items()]
DOCUMENTS = {
    "labels.json": json.dumps(OBJECTS, indent=1),
    "meta/files.json": json.dumps({"data": CLASSES}),
    "labels.jsonl": "\n".join(map(json.dumps, OBJECTS)),
    "labels.md": "| path | class |\n| :--- | ---: |\n"
    + "".join(f"| {file} | {label} |\n" for file, label in CLASSES.items()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_prepare_reads_the_documents_that_evaluate_takes_as_keys(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for path in sorted(make_audio(Path("mine")).glob("*/*.wav")):
        path.rename(f"mine/{path.parent.name[0]}{path.name}")
    put_text(tmp_path / "mine", name, DOCUMENTS[name])
    assert prepare.main(["mine", "--name", "mine", *ONE_PROCESS]) == 0
    assert {row["audio"]: row["label"] for row in manifest()} == CLASSES


@pytest.mark.parametrize("content", [*DOCUMENTS.values()])
def test_a_table_is_read_whatever_its_suffix_says(tmp_path, content):
    put_audio(tmp_path, *CLASSES)
    for name in ("labels.csv", "sub/list.txt"):
        table = put_text(tmp_path, name, content)
        assert labels(tmp_path) == CLASSES
        table.unlink()


def test_documents_count_only_if_nothing_else_gives_labels(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav")
    put_text(tmp_path, "facts.json", '{"a.wav": "fake", "b.wav": "fake"}')
    assert labels(tmp_path) == BOTH
    assert read_corpus(tmp_path).passed_over == ["facts.json"]
    (tmp_path / "real").rename(tmp_path / "x")
    (tmp_path / "fake").rename(tmp_path / "y")
    put_text(tmp_path, "list.csv", "path,class", *ROWS)
    assert labels(tmp_path) == BOTH
    (tmp_path / "list.csv").unlink()
    assert labels(tmp_path) == {"a.wav": "fake", "b.wav": "fake"}
    assert read_corpus(tmp_path).passed_over == []
    assert "The labels are those of facts.json." in read_corpus(tmp_path).notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"file": "a.wav", "label": 1}, {"file": "b.wav", "label": 0}]', "'1' in object 1 of "),
        ('{"a.wav": 1, "b.wav": 0}', "; save labels.json as CSV with the columns file and label"),
        ('{"file": "a.wav", "label": "real"', "; save labels.json as CSV with"),
    ],
)
def test_a_document_without_clear_labels_is_refused(wavs, content, message):
    put_text(wavs, "labels.json", content)
    assert message in error_of(wavs)


def test_titles_and_comments_are_no_rows(wavs):
    lines = ("Version 2", "file,label,", "# 2024", "a.wav,real,x", "b.wav,fake")
    put_text(wavs, "labels.csv", *lines)
    assert labels(wavs) == BOTH
    put_text(
        wavs, "labels.csv", "# of June", "a.wav|real|one, two", "#c.wav|real", "b.wav|fake|a, b"
    )
    assert labels(wavs) == BOTH


def test_a_table_is_opened_once_for_its_columns(wavs, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "deepfake_audio.corpora.label_tables.open_text_table",
        lambda path, *has_header, **named: (
            opened.append(path) or open_text_table(path, *has_header, **named)
        ),
    )
    put_text(wavs, "list.txt", "a.wav real", "b.wav fake")
    assert labels(wavs) == BOTH
    assert len(opened) == 1


def test_words_of_a_transcript_are_no_header(wavs):
    put_text(wavs, "list.csv", "a.wav|real|hello there, you", "b.wav|fake|beauty, truth, liberty")
    assert labels(wavs) == BOTH


def test_predictions_below_words_that_are_not_known_are_no_labels(wavs):
    put_text(wavs, "list.csv", "stuff name,fake,pred_label", "a.wav,0,fake", "b.wav,1,fake")
    assert "sort the audio of" in error_of(wavs)
    put_text(wavs, "list.csv", "stuff name,opinion", *ROWS)
    assert labels(wavs) == BOTH


@pytest.mark.parametrize("comment", ["# Training protocol", "# file list", "#Filename Kind"])
def test_a_comment_with_as_many_words_as_columns_is_no_header(wavs, comment):
    put_text(wavs, "list.txt", comment, *(row.replace(",", " ") for row in ROWS * 2))
    assert labels(wavs) == BOTH


@pytest.mark.parametrize("late", ["c.wav,unknown", "c.wav,real,more"])
def test_a_late_row_that_does_not_fit_makes_a_list_no_table(tmp_path, late):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav", "real/c.wav")
    put_text(tmp_path, "list.csv", *["b.wav,real"] * 1200, late)
    assert labels(tmp_path) == {**BOTH, "c.wav": "real"}


def test_names_that_begin_like_a_comment_are_not_dropped(tmp_path):
    put_audio(tmp_path, "#1.wav", "#2.wav")
    put_text(tmp_path, "labels.csv", "file,label", "#1.wav,fake,more", "#2.wav,real")
    assert "3 columns in line 2" in error_of(tmp_path)


def test_names_may_begin_with_an_angle_bracket(tmp_path):
    put_audio(tmp_path, "<a>.wav", "b.wav")
    put_text(tmp_path, "list.csv", "<a>.wav,real", "b.wav,fake")
    assert labels(tmp_path) == {"<a>.wav": "real", "b.wav": "fake"}


def test_text_below_a_table_of_markdown_is_no_row(wavs):
    table = ["| file | label |", "| --- | --- |", "| a.wav | real |", "| b.wav | fake |"]
    put_text(wavs, "labels.md", *table, "", "These are two files.")
    assert labels(wavs) == BOTH
    for name in ("c.wav", "C.WAV"):
        put_text(wavs, "labels.md", *table, f"| {name} | real | x | y |")
        assert "5 columns in line 5 of" in error_of(wavs)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("o.json", {file: [{"label": label, "score": 0.9}] for file, label in BOTH.items()}),
        ("o.json", {"predictions": BOTH}),
        ("predictions.json", BOTH),
        ("o.json", [{"file": file, "label": BOTH[file], "confidence": 1} for file in BOTH]),
    ],
)  # fmt: skip
def test_documents_with_predictions_give_no_labels(wavs, name, content):
    put_text(wavs, name, json.dumps(content))
    assert "real/" in error_of(wavs)
