"""The columns of score files and keys: ambiguous ones are refused, and guesses are told."""

import json
from pathlib import Path

import pytest

import evaluate
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_matching import read_filled_scores
from helpers import read_scores

NAMES = ("a", "b", "c", "d")
REAL = (True, False, True, False)
SCORES = (1.5, -0.5, 2.25, -3.5)
LINE_OF_PA = "PA_{n:04} {f} R3 M3 d4 r1 m1 s4 c4 {word} notrim {subset}"
LINE_OF_2021 = "LA_{n:04} {f} alaw ita_tx {attack} {word} notrim {subset}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("keys.csv").write_text(rows("{f},{word}", "file,label"))
    return tmp_path


def rows(form: str, header: str = "") -> str:
    """Format a line of each file; {p} is P(real), {q} P(fake), {c} the confidence in {said}."""
    lines = [header] if header else []
    for n, (name, is_real, score) in enumerate(zip(NAMES, REAL, SCORES, strict=True)):
        p = 0.5 + score / 8
        lines.append(
            form.format(
                f=name, s=score, n=n, p=p, q=1 - p, c=max(p, 1 - p), i=int(is_real),
                o=1 - is_real, word="bonafide" if is_real else "spoof",
                said="real" if p > 0.5 else "fake", attack="-" if is_real else "A07",
                subset=("eval", "progress")[n // 2], comma=str(score).replace(".", ","),
            )
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def scored(text: str, real: str | None = None, keys: str | None = "keys.csv"):
    Path("s.csv").write_text(text)
    return read_filled_scores(Path("s.csv"), keys and Path(keys), None, None, real)


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("{f},{said},{c}", ""), ("{f} {c} {said}", ""), ("{f},{i},{c}", ""),
        ("{f},{said},{c}", "file,verdict,confidence"),
        ("{f},{said},{c}", "file,prediction,probability"),
        ("{f},{said},{c}", "file,predicted_label,score"),
        ("{f},{i},{c}", "file,label,score"), ("{f},{i},{c}", "file,pred,prob"),
        ("{f},{said},{c}", "datei,ergebnis,wert"), ("{f},{c}", "file,confidence"),
        ("{f},{said},{c}", "file,result,confidence_score"),
        ("| {f} | {said} | {c} |", "| file | result | certainty |\n| --- | --- | --- |"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keys", ["keys.csv", None])
def test_a_confidence_in_a_label_is_refused_in_any_form(form, header, keys):
    with pytest.raises(InputError, match="in a predicted label; name a column p_real with"):
        scored(rows(form, header), None if "i}" not in form else "1", keys)


def test_a_confidence_is_found_if_the_first_rows_have_one_label():
    lines = [f"{n},real,0.7{n}" for n in range(1100)] + ["x,fake,0.9"]
    with pytest.raises(InputError, match=r"all between 0.5 and 1, for real and for fake"):
        scored("\n".join(["file,label,score", *lines]), None, None)


def test_scores_that_may_be_a_confidence_without_labels_give_a_warning():
    notes = scored(rows("{f},{c}", "file,score")).notes
    assert [note[:40] for note in notes] == ["The scores are all between 0.5 and 1. If"]
    assert scored(rows("{f},{c}", "file,p_real")).notes == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows("{f},{i}", "file,prediction"), "the column prediction .* has predicted labels"),
        (rows("{f},{o},{i}", "file,fake,real"), "the column fake .* has predicted labels"),
        (rows("{f},{q}", "file,anti_spoofing_score"), "may be the score of real or of fake; name"),
        (rows("{f},{q}", "file,real_or_fake_score"), "may be the score of real or of fake; name"),
        (rows("{f},{q}", "file,spoof_cm_score"), "may be the score of real or of fake; name"),
        (rows("{f},{q}", "file,attack_probability"), "may be the score of real or of fake; name"),
        (rows("{f},{q}", "文件名,伪造概率"), "may be the score of real or of fake; name it"),
        (rows("{f},{q}", "Файл,Вероятность подделки"), "may be the score of real or of fake"),
        (rows("{f},{q}", "file,prob_1"), "may be the score of class 1, real or fake; name it"),
        (rows("{f},{q},{s}", "file,score_mean,score_std"), "several columns that may be scores"),
        (rows("{f},{n}.5", "file,duration"), "has no column of scores: file, duration; name one"),
        (rows("{f},{comma}"), "last comma in line 1 .* may be that of a decimal"),
        ("x,0.5\n" + rows("{f},{s}", "file,score"), "line 2 .* names the columns, and line 1"),
        (json.dumps({n: {"x": {str(k): "a" for k in range(99)}} for n in NAMES}), "94 others;"),
        (rows("{f},{word},{comma}"), "last comma in line 1 .* may be that of a decimal"),
        (rows("{f},{word},{n}.5", "file,label,latency_ms"), "has no column of scores: file, label"),
        ("{}", "s.csv has no rows; add an object for each file"),
    ],
)
def test_ambiguous_scores_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        scored(text)
    with pytest.raises(InputError, match=message):
        scored(text, None if "class 1" in message else "1")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (rows("{f},{s}", "nom,valeur"), "The column valeur of s.csv has no known name"),
        (rows("{f},3.5,{s}", "datei,dauer,wert"), "The column wert of s.csv has no known name"),
        (rows("{f},{s}", "file,p"), "The column p of s.csv has no known name"),
        (rows("{f},{s}", "file,lcnn_score"), "The column lcnnscore of s.csv has no known name"),
        (rows("{f},0,{s}"), "s.csv has two numbers without names"),
    ],
)
def test_a_guessed_score_is_told(text, note):
    found = scored(text.replace(",0,", ",0.5,"), "1")
    assert [n[: len(note)] for n in found.notes] == [note]
    assert found.table.score.argsort().tolist() == [3, 1, 0, 2]


def test_predicted_classes_of_any_numbers_are_no_scores():
    lines = [
        f"{name}{n},{2 - r},{n / 9}" for n in range(3) for name, r in zip("abcd", REAL, strict=True)
    ]
    Path("keys.csv").write_text(
        "file,label\n" + "".join(f"{line.split(',')[0]},real\n" for line in lines)
    )
    found = scored("\n".join(["file,pred,prob_real", *lines])).table
    assert sorted(set(found.score.tolist())) == [0, 1 / 9, 2 / 9]


def test_a_guess_is_printed_for_scores_and_comparisons(capsys):
    Path("s.csv").write_text(rows("{f},{word},{s}", "nom,classe,valeur"))
    assert evaluate.main(["--scores", "s.csv", "evaluate.bootstrap=0"]) == 0
    assert "Warning: The column valeur of s.csv has no known name." in capsys.readouterr().out
    assert evaluate.main(["--compare", "s.csv", "s.csv", "evaluate.bootstrap=0"]) == 0
    assert "The column valeur of s.csv has no known name." in capsys.readouterr().out


def test_a_column_that_names_its_class_decides_before_the_option_real():
    Path("keys.csv").write_text(rows("{f},{o}", "file,is_fake"))
    found = scored(rows("{f},0.1,{s}", "file,prob_0,prob_1"), "1").table
    assert found.label.tolist() == ["real", "fake"] * 2
    assert found.score.tolist() == pytest.approx([1.4, -0.6, 2.15, -3.6])


@pytest.mark.parametrize(
    ("form", "header", "real"),
    [
        ("{f},{word},x", "file,label,note", ["WAHR", "FALSCH"]),
        ("{f},{word},x", "file,target,note", ["VERO", "FALSO"]),
        ("{f},{word}", "file,label", ["Oui", "Non"]),
    ],
)
def test_booleans_of_a_spreadsheet_need_the_option_real(form, header, real):
    text = rows(form, header).replace("bonafide", real[0]).replace("spoof", real[1])
    Path("keys.csv").write_text(text)
    with pytest.raises(InputError, match=rf"'{real[0]}' may mean real or fake .* with --real"):
        scored(rows("{f} {s}"))
    assert scored(rows("{f} {s}"), real[0]).table.label.tolist() == ["real", "fake"] * 2


@pytest.mark.parametrize(
    ("header", "message"),
    [("file,label,is_fake", "'1' may mean real or fake"), ("file,label,class", "may mean real")],
)
def test_labels_that_contradict_one_another_are_not_chosen_from(header, message):
    Path("keys.csv").write_text(rows("{f},{i},{n}", header).replace(",2", ",1").replace(",3", ",1"))
    with pytest.raises(InputError, match=message):
        scored(rows("{f} {s}"))


def test_a_question_has_one_value_for_no():
    Path("keys.csv").write_text("file,is_fake\na,-1\nb,1\nc,0\nd,1\n")
    with pytest.raises(InputError, match="'-1' and '0' are both not isfake 1"):
        scored(rows("{f} {s}"))


@pytest.mark.parametrize("separator", [" ", "\t", ",", ";"])
@pytest.mark.parametrize("line", [LINE_OF_2021, LINE_OF_PA, "{f} {word} {subset}"])
def test_keys_with_subsets_are_known_by_any_separator(line, separator):
    Path("s.txt").write_text(rows("{f} {s}"))
    Path("keys.txt").write_text(rows(line).replace(" ", separator))
    with pytest.raises(InputError, match="has several subsets: eval, progress; choose one"):
        read_scores(Path("s.txt"), Path("keys.txt"), None)
    table = read_scores(Path("s.txt"), Path("keys.txt"), "eval")
    assert table.file.tolist() == ["a", "b"]
    if "notrim" in line:
        assert table.speaker.tolist() == [f"{line[:2]}_0000", f"{line[:2]}_0001"]
        assert table.attack.tolist() == ["", "A07" if line is LINE_OF_2021 else "s4"]


@pytest.mark.parametrize("separator", [" ", "\t", ","])
def test_a_protocol_may_list_absolute_paths(separator):
    Path("s.txt").write_text(rows("{f} {s}"))
    lines = rows("LA_1 /data/{f}.flac - {attack} {word}").replace(" ", separator)
    Path("protocol.txt").write_text(lines)
    table = read_scores(Path("s.txt"), Path("protocol.txt"), None)
    assert table.file.tolist() == [f"/data/{name}.flac" for name in NAMES]
    assert table.label.tolist() == ["real", "fake"] * 2


def test_protocols_have_the_same_errors_with_any_separator():
    Path("s.txt").write_text(rows("{f} {s}"))
    messages = set()
    for separator in " ", "\t", ",", ";":
        lines = rows("LA_1 {f} - {attack} {word}") + "LA_1 e - A07 fake\n"
        Path("protocol.txt").write_text(lines.replace(" ", separator))
        with pytest.raises(InputError, match="'fake' in column 5 of line 5 ") as caught:
            read_scores(Path("s.txt"), Path("protocol.txt"), None)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_a_split_that_is_a_subset_is_not_pooled():
    Path("s.txt").write_text(rows("{f} {s}"))
    Path("keys.csv").write_text(rows("{f},{word},{subset}", "file,label,partition"))
    with pytest.raises(InputError, match="has several subsets: eval, progress; choose one"):
        read_scores(Path("s.txt"), Path("keys.csv"), None)


@pytest.mark.parametrize("form", ["{f} {word}", "{word} {f}"])
@pytest.mark.parametrize("name", ["clip {} of x.wav", "x/my {}.wav", "{} a/real b.wav"])
def test_names_with_blanks_in_keys_without_a_header_are_whole(form, name):
    names = [name.format(n) for n in range(4)]
    lines = [form.format(f=n, word="real" if k % 2 else "spoof") for k, n in enumerate(names)]
    Path("keys.txt").write_text("\n".join(lines))
    Path("s.csv").write_text("file,score\n" + "".join(f"{n},{k}.5\n" for k, n in enumerate(names)))
    assert read_scores(Path("s.csv"), Path("keys.txt"), None).file.tolist() == names


@pytest.mark.parametrize(
    ("text", "real"),
    [
        (rows("{f},{q},{p}", ",0,1"), "1"),
        (rows("{f}: {s}"), None),
        (rows("{f}.wav: {s}"), None),
        (rows("{f}  [ {q} {p} ]"), "1"),
    ],
)
def test_names_may_have_no_header_or_a_colon_and_scores_the_brackets_of_kaldi(text, real):
    assert scored(text, real).table.score.argsort().tolist() == [3, 1, 0, 2]


def test_a_header_of_unknown_words_may_be_above_lists():
    assert scored(rows("{f},[0 {s}]", "file,softmax"), "1").table.score.tolist() == [*SCORES]


def test_scores_that_the_keys_do_not_list_are_counted():
    found = scored(rows("{f} {s}") + "Mean 0.5\n")
    assert found.notes == ["keys.csv does not list the files of 1 score in s.csv."]


def test_scores_of_other_files_show_the_name_of_one():
    with pytest.raises(InputError, match=r"such as a, b, c.*; it has files such as x1; give the"):
        scored("x1 0.5\nx2 0.25\n")


@pytest.mark.parametrize("column", ["audio_label", "target"])
def test_keys_with_two_labels_count_that_of_the_sound_or_are_refused(column):
    words = ("fake,real", "real,fake", "fake,real", "real,fake")
    lines = [f"{name},{pair}" for name, pair in zip(NAMES, words, strict=True)]
    Path("keys.csv").write_text("\n".join([f"file,label,{column}", *lines]))
    if column == "audio_label":
        assert scored(rows("{f} {s}")).table.score.argsort().tolist() == [3, 1, 0, 2]
        assert [str(label) for label in scored(rows("{f} {s}")).table.label][:2] == ["real", "fake"]
        return
    with pytest.raises(InputError, match=r"columns label and target of keys.csv differ; remove"):
        scored(rows("{f} {s}"))


def test_a_label_of_keys_may_name_the_generator():
    Path("keys.csv").write_text(rows("{f},{word}", "file,label").replace("spoof", "spoof: vits"))
    assert list(scored(rows("{f} {s}")).table.attack) == ["", "vits", "", "vits"]
