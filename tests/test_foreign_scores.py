"""Score files and keys as other projects and spreadsheets write them: all give the same table."""

import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import evaluate
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_matching import read_filled_scores
from deepfake_audio.tables.text_tables import open_text_table
from helpers import read_scores

FILES = {"real/a.wav": ("real", 1.5), "fake/b.wav": ("fake", -0.5), "fake/c d.wav": ("fake", 0.25)}
NAMES = list(FILES)
PLAIN_KEYS = "file,label\n" + "".join(f"{name},{label}\n" for name, (label, _) in FILES.items())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("keys.csv").write_text(PLAIN_KEYS)
    return tmp_path


def rows(form: str, names=NAMES, header: str = "") -> str:
    """Format a line of each file: {f} name, {s} score, {t} its tail after the point, {l} label."""
    lines = [header] if header else []
    for name in names:
        label, score = FILES[name]
        is_real = int(label == "real")
        lines.append(
            form.format(
                f=name, s=score, c=str(score).replace(".", ","), n=-score, i=is_real, o=1 - is_real,
                stem=Path(name).stem, word="bonafide" if is_real else "spoof",
                Word="Real" if is_real else "Fake", human="Human" if is_real else "AI-generated",
                truth=bool(is_real),
            )
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def check_scores(table) -> None:
    expected = {Path(name).stem: score for name, (_, score) in FILES.items()}
    found = {
        Path(name).stem.lower(): score for name, score in zip(table.file, table.score, strict=True)
    }
    assert found == pytest.approx(expected)
    labels = {Path(name).stem: label for name, (label, _) in FILES.items()}
    assert dict(zip((Path(n).stem for n in table.file), table.label, strict=True)) == labels


SCORES = {
    "blanks": rows("{f} {s}"),
    "blanks, header": rows("{f} {s}", header="filename cm-score"),
    "comma": rows("{f},{s}"),
    "comma, score first": rows("{s},{f}"),
    "filename,cm-score": rows("{f},{s}", header="filename,cm-score"),
    "tab": rows("{f}\t{s}"),
    "tab, header": rows("{f}\t{s}", header="Utt_ID\tLLR"),
    "semicolon, decimal comma": rows("{f};{c}", header="File Name;Score"),
    "semicolon, decimal comma, no header": rows("{f};{c}"),
    "blanks, decimal comma": rows("{stem} {c}", names=["real/a.wav", "fake/b.wav", "fake/c d.wav"]),
    "comma, quoted decimal comma": rows('"{f}","{c}"', header='"file","score"'),
    "bar": rows("{f}|{s}", header="path|score"),
    "sep= line": "sep=;\n" + rows("{f};{c}", header="file;score"),
    "comment header": rows("{f} {s}", header="# file score"),
    "comment": rows("{f} {s}", header="# scores of my model, of today"),
    "byte order mark": "\ufeff" + rows("{f},{s}", header="file,score"),
    "carriage returns": rows("{f},{s}", header="file,score").replace("\n", "\r\n"),
    "pandas index": rows("0,{f},{s}", header=",path,prediction"),
    "other columns": rows("x,{f},1.2,{s}", header="split_no,audio_path,duration,score"),
    "empty rows": rows("{f};{c};", header="file;score;") + ";;\n;;\n",
    "header again": rows("{f},{s}", NAMES[:1], "file,score")
    + rows("{f},{s}", NAMES[1:], "file,score"),
    "brackets of one": rows("{f},[{s}]", header="file,score"),
    "fake probability": rows("{f},{n}", header="filename,p_fake"),
    "spoof score": rows("{f} {n}", header="utt spoof-score"),
    "two named scores": rows("{f},{s},0.0", header="file,real_logit,fake_logit"),
    "two named scores, fake first": rows("{f},0.0,{s}", header="file,spoof,bonafide"),
    "JSON lines": rows('{{"file": "{f}", "score": {s}}}'),
    "JSON lines, other names": rows('{{"audio": "{f}", "duration": 2, "llr": {s}}}'),
    "JSON list": json.dumps([{"path": n, "score": s} for n, (_, s) in FILES.items()], indent=1),
    "JSON mapping": json.dumps({name: s for name, (_, s) in FILES.items()}),
    "Windows paths": rows("{f},{s}", header="file,score").replace("/", "\\"),
    "absolute paths": rows("/data/eval/{f},{s}", header="file,score"),
    "drive": rows("D:/eval/{f},{s}", header="file,score").replace("/", "\\"),
    "unknown name of files": rows("{f};{c}", header="Datei;Score"),
    "comma at the end": rows("{f},{s},"),
    "blanks in names of columns": rows("{f},{s}", header="Audio Name,CM Score"),
    "tensors": rows("{f},tensor({s})", header="file,score"),
    "tensors on a device": rows("{f}\ttensor([{s}], device='cuda:0')", header="file\tscore"),
    "another minus": rows("{f},{s}", header="file,score").replace(",-", ",\N{MINUS SIGN}"),
    "capitals": rows("{f},{s}", header="FILE,SCORE").upper(),
    "header in another language": rows("{f};{c}", header="Dateiname;Punktzahl"),
    "unknown words in the header": rows("{f},{s}", header="nom,valeur"),
    "Chinese": rows("{f},{s}", header="\u6587\u4ef6\u540d,\u5f97\u5206"),
    "percent": rows("{f},{s}", header="file,p_real").replace("1.5", "150 %").replace("-0.5", "-50%")
    .replace("0.25", "25%"),
    "is_fake_prob": rows("{f},{n}", header="file,is_fake_prob"),
    "y_prob": rows("{f},{s}", header="path,y_prob"),
    "predicted words beside": rows("{f},{Word},{s}", header="file,prediction,probability_real"),
    "several comments": rows("{f}\t{s}", header="# system X\n# of today\nfile\tscore"),
    "Markdown": rows("| {f} | {s} |", header="| file | score |\n| --- | ---: |"),
    "JSON pairs": json.dumps([[name, s] for name, (_, s) in FILES.items()]),
    "JSON columns": json.dumps({"file": NAMES, "score": [s for _, s in FILES.values()]}),
    "JSON columns of rows": json.dumps({
        "file": dict(enumerate(NAMES)), "score": dict(enumerate(s for _, s in FILES.values())),
    }),
    "JSON split": json.dumps({
        "columns": ["file", "score"], "index": [0, 1, 2],
        "data": [[name, s] for name, (_, s) in FILES.items()],
    }),
    "JSON results": json.dumps({
        "model": "x", "results": [{"file": name, "score": s} for name, (_, s) in FILES.items()],
    }),
    "JSON scores of classes": json.dumps([
        {"file": name, "scores": {"real": s, "fake": 0}} for name, (_, s) in FILES.items()
    ]),
    "JSON mapping within a document": json.dumps({
        "model": {"name": "x"}, "scores": {name: s for name, (_, s) in FILES.items()},
    }),
    "JSON mapping to text": json.dumps({name: str(s) for name, (_, s) in FILES.items()}),
    "JSON lines of pairs": rows('["{f}", {s}]'),
    "JSON lines of a file": rows('{{"{f}": {s}}}'),
    "JSON list of a file each": json.dumps([{name: s} for name, (_, s) in FILES.items()]),
    "JSON of a label and a score each": json.dumps({
        name: [{"label": "fake", "score": 0}, {"label": "real", "score": s}]
        for name, (_, s) in FILES.items()
    }),
    "blank before quotes": rows('"{f}", "{s}"', header='"file", "score"'),
    "NumPy numbers": rows("{f},np.float64({s})", header="file,score"),
    "decisions beside": rows("{f},{o},{s}", header="file,prediction,prob_real"),
    "decisions beside, fake": rows("{f},{i},{n}", header="file,output,p_fake"),
    "a duration beside": rows("{f},3.5,{s}", header="file,duration,final_score"),
    "fake_confidence": rows("{f},{n}", header="file,fake_confidence"),
    "fakeness": rows("{f},{n}", header="file,fakeness"),
    "spoofing_score": rows("{f},{n}", header="file,spoofing_score"),
    "probability of fake": rows("{f},{n}", header="file,probability of fake"),
    "synthetic speech score": rows("{f},{n}", header="file,Synthetic Speech Score"),
    "not_fake": rows("{f},{s}", header="file,not_fake_score"),
    "two kinds": rows("{f},{s},0.0,9,8", header="f,real_logit,fake_logit,real_p,fake_p"),
    "title": "Scores of today, run 3\n" + rows("{f},{s}", header="file,score"),
    "empty row first": ";;\n" + rows("{f};{s}", header="file;score"),
    "features": rows("{f},{s}", header="file,score").replace(".wav", ".wav.npy"),
    "addresses": rows("http://x/{f}?key=1,{s}", header="file,score").replace("c d", "c%20d"),
    "predictions beside": rows("{f},{o},{s}", header="filename,label,score"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCORES)
def test_scores_of_any_form_are_read(name):
    Path("scores.txt").write_text(SCORES[name], encoding="utf-8", newline="")
    check_scores(read_scores(Path("scores.txt"), Path("keys.csv"), None))


KEYS = {
    "file_name,label": rows("/data/{f},{word}", header="file_name,label"),
    "filename, class": rows("{f};{Word}", header="Filename;Class"),
    "ID, target": rows("{f}\t{word}", header="ID\ttarget"),
    "utt key": rows("{stem} {word}", names=NAMES[:2], header="utt key") + "c\td spoof\n",
    "path, key": rows("{f},{word}", header="path,key"),
    "trial, cm-label": rows("{f}\t{word}", header="trial\tcm-label"),
    "no header": rows("{f} {word}"),
    "no header, comma": rows("{f},{Word}"),
    "no header, label first": rows("{word},{f}"),
    "three columns": rows("{f}\t{word}\t7"),
    "human": rows("{f},{human}", header="audio,label"),
    "is_fake": rows("{f},{o}", header="file,is_fake"),
    "is_real, words": rows("{f},{truth}", header="file,is_real"),
    "spoof": rows("{f},{o}", header="file,spoof"),
    "JSON lines": rows('{{"filename": "{f}", "class": "{Word}"}}'),
    "JSON mapping": json.dumps({name: label for name, (label, _) in FILES.items()}),
    "Spanish": rows("{f},{Word}", header="archivo,etiqueta").replace("Fake", "falso")
    .replace("Real", "verdadero"),
    "unknown words in the header": rows("{f};{Word}", header="bestand;soort"),
    "Chinese": rows("{f},{Word}", header="file,label").replace("Fake", "\u4f2a\u9020")
    .replace("Real", "\u771f\u5b9e"),
    "Chinese header": rows("{f},{Word}", header="\u6587\u4ef6\u540d,\u6807\u7b7e"),
    "colons": rows("{f}: {word}"),
    "two words": rows("{f},{human} Voice", header="file,label"),
    "German": rows("{f};{Word}", header="Datei;Klasse").replace("Fake", "gef\u00e4lscht")
    .replace("Real", "echt"),
    "ground_truth_label": rows("{f},{Word}", header="audio_file,ground_truth_label"),
    "JSON of classes": json.dumps({"real": NAMES[:1], "fake": NAMES[1:]}),
    "booleans of a German spreadsheet": rows("{f};{truth}", header="file;is_real")
    .replace("True", "WAHR").replace("False", "FALSCH"),
    "1 and -1": rows("{f},{i}", header="file,is_bonafide").replace(",0", ",-1"),
    "words beside numbers": rows("{f},{i},{Word}", header="file,label,label_name"),
    "is_fake beside numbers": rows("{f},{i},{o}", header="file,label,is_fake"),
    "title": "Labels of 2026\n\n" + rows("{f},{word}", header="file,label"),
    "several names": rows("X-{stem},{Word},$ROOT/{f},-", header="ID,Label,Path,Speaker"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_any_form_are_read(name):
    Path("truth.txt").write_text(KEYS[name].replace("c\td", "c d"), encoding="utf-8")
    Path("scores.csv").write_text(rows("{f},{s}"))
    check_scores(read_scores(Path("scores.csv"), Path("truth.txt"), None))


def test_keys_with_an_unknown_label_are_left_out(caplog):
    Path("truth.csv").write_text(rows("{f},{Word}", header="Filename,Ground Truth") + "x,Unknown\n")
    Path("scores.csv").write_text(rows("{f},{s}"))
    check_scores(read_scores(Path("scores.csv"), Path("truth.csv"), None))
    assert caplog.messages == ["left out of truth.csv: 1 file of unknown label"]


def test_attacks_of_spoofceleb_are_labels(caplog):
    attacks = [f"{name},id1,{'a00' if 'real' in name else 'a07'}" for name in NAMES]
    Path("truth.csv").write_text("\n".join(["file,speaker,attack", *attacks]))
    Path("scores.csv").write_text(rows("{f},{s}"))
    table = read_scores(Path("scores.csv"), Path("truth.csv"), None)
    check_scores(table)
    assert table.attack.tolist() == ["", "a07", "a07"]
    message = (
        "the labels of truth.csv are those of its column attack: a00, bonafide and - mean real"
    )
    assert caplog.messages == [message]


def test_decimal_commas_below_an_unknown_header_are_not_the_separator():
    lines = (f"{number}.wav;{number},5\n" for number in range(20))
    Path("scores.csv").write_text(f"Aufnahme;Bewertung\n{''.join(lines)}")
    table = open_text_table(Path("scores.csv"))
    assert (table.separator, table.columns) == (";", ["aufnahme", "bewertung"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_tables_of_a_spreadsheet_in_utf_16_are_read(encoding):
    mark = "" if encoding == "utf-16" else "\ufeff"
    text = (mark + rows("{f}\t{c}", header="file\tscore")).replace("\n", "\r\n")
    Path("scores.txt").write_bytes(text.encode(encoding))
    check_scores(read_scores(Path("scores.txt"), Path("keys.csv"), None))


@pytest.mark.parametrize(
    ("text", "real"),
    [
        (rows("{f},{i}", header="file,label"), "1"),
        (rows("{f},{o}", header="file,label"), "0"),
        (rows("{f} {i}"), "1"),
        (rows("{f},{i}.0", header="file,target"), "1"),
        (rows("{f},{word}", header="file,label").replace("bonafide", "P"), "P"),
    ],
)
def test_numbers_need_the_option_real(text, real):
    Path("truth.csv").write_text(text)
    Path("scores.csv").write_text(rows("{f},{s}"))
    check_scores(read_scores(Path("scores.csv"), Path("truth.csv"), None, real))
    with pytest.raises(InputError, match="--real"):
        read_scores(Path("scores.csv"), Path("truth.csv"), None)


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("{f},0.5,{s}", "file,score_class0,score_class1"),
        ("{f},0.5,{s}", "file,0,1"),
        ("{f}\t0.5\t{s}", "utt_id\tclass_0_prob\tclass_1_prob"),
        ("{f},0.5,{s}", ""),
        ('{f},"[0.5, {s}]"', "file,score"),
        ("{f},[0.5 {s}]", "file,logits"),
    ],
)
def test_scores_of_two_classes_need_the_option_real(form, header):
    Path("scores.csv").write_text(rows(form, header=header))
    table = read_scores(Path("scores.csv"), Path("keys.csv"), None, "1")
    assert table.score.tolist() == pytest.approx([1.0, -1.0, -0.25])
    other = read_scores(Path("scores.csv"), Path("keys.csv"), None, "0")
    assert other.score.tolist() == pytest.approx([-1.0, 1.0, 0.25])
    with pytest.raises(InputError, match="say which class is real with --real 1 or --real 0"):
        read_scores(Path("scores.csv"), Path("keys.csv"), None)


def test_a_table_of_antideepfake_needs_no_option():
    Path("s.csv").write_text(rows('{f},"[0.0, {s}]",{i}', header="ID,Score,Label"))
    check_scores(read_scores(Path("s.csv"), None, None))


@pytest.mark.parametrize(
    "form",
    ["{stem} {word} {s}", "{stem} - {word} {s}", "spk {stem} {s} {word}", "{stem},{s},{Word}"],
)
def test_labelled_lines_without_a_header_are_read(form):
    Path("s.txt").write_text(rows(form))
    check_scores(read_scores(Path("s.txt"), None, None))


def test_names_of_one_stem_are_matched_by_their_folders():
    names = ("mnt/real/1.wav", "mnt/fake/1.wav", "mnt/fake/2.wav")
    labels = ("real", "fake", "fake")
    Path("truth.csv").write_text(
        "path,label\n" + "".join(f"/x/{n},{w}\n" for n, w in zip(names, labels, strict=True))
    )
    Path("s.txt").write_text("D:\\eval\\fake\\1.flac 2\nD:\\eval\\real\\1.flac 1\n2 3\n")
    table = read_scores(Path("s.txt"), Path("truth.csv"), None)
    assert table.score.tolist() == [1.0, 2.0, 3.0]
    Path("s.txt").write_text("a/1.wav 2\nb/1.wav 1\n2 3\n")
    scored = read_filled_scores(Path("s.txt"), Path("truth.csv"), None, 0.0)
    assert scored.unscored == ["/x/mnt/real/1.wav", "/x/mnt/fake/1.wav"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ' + "1" * 5000 + "}", "a number of 5,000 digits; write one object a line"),
        ('{"a": 1, "a": 2}', "'a' twice in an object"),
        ('{"file": "a", "score": 1, "score": 2}', "'score' twice in an object"),
        ('{"file": "a", "score": 1, "Score": 2}', "the column score twice"),
        ('{"file": "a\\u0000", "score": 1}', "a NUL character in a text"),
        ("file,cm-score,cm_score\na,1,2\n", "the column cmscore twice"),
        ("file,p_real,p(real)\na,1,2\n", "the column preal twice"),
    ],
)
@pytest.mark.parametrize("lines", [1, 2])
def test_scores_of_two_values_or_of_none_are_refused(text, message, lines):
    Path("s.txt").write_text("\n".join([text] * lines))
    with pytest.raises(InputError, match=re.escape(message)):
        read_scores(Path("s.txt"), Path("keys.csv"), None)


def test_other_columns_may_have_alike_names():
    Path("s.csv").write_text(rows("1,2,{f},{s}", header="col.1,col1,file,score"))
    check_scores(read_scores(Path("s.csv"), Path("keys.csv"), None))


@pytest.mark.parametrize(("cell", "real"), [("١", "1"), ("1_0", "10"), ("1e400", "inf")])
def test_a_label_is_a_number_in_plain_digits(cell, real):
    Path("s.csv").write_text(f"file,label,score\na,{real},1\nb,{cell},2\nc,x,-1\n")
    with pytest.raises(InputError, match="are both not --real"):
        read_scores(Path("s.csv"), None, None, real)


def test_a_workbook_is_named():
    Path("s.xlsx").write_bytes(b"PK\x03\x04 rest")
    with pytest.raises(InputError, match=r"it is a workbook or an archive; save the sheet as CSV"):
        read_scores(Path("s.xlsx"), None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na,1\nb,2\nc,3\n", "'2' and '3' are both not --real 1"),
        ("file,duration\na,1\n", "no label in its 2 columns|no column of labels"),
        ("label,x\nreal,2\n", "no column of files|no label"),
    ],
)
def test_keys_that_cannot_be_understood_are_refused(text, message):
    Path("truth.csv").write_text(text)
    Path("s.txt").write_text("a 1\nb 2\nc 3\n")
    with pytest.raises(InputError, match=message):
        read_scores(Path("s.txt"), Path("truth.csv"), None, "1")


def make_peer_scores(scale: float, shift: float) -> None:
    """Write scores of a good detector on a scale of its own, with labels, speakers and attacks."""
    rng = np.random.default_rng(0)
    lines = ["file,label,attack,score"]
    for n in range(400):
        label = ("real", "fake")[n % 2]
        attack = "" if label == "real" else f"A{n % 3}"
        score = shift + scale * (rng.normal() + 2 * (1 if label == "real" else -1))
        lines.append(f"{n},{label},{attack},{score:.5f}")
    Path("peer.csv").write_text("\n".join(lines))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, -8.0), (0.1, 0.5), (40.0, 0.0)])
def test_scores_on_a_scale_of_their_own_have_no_accuracy(scale, shift, capsys):
    make_peer_scores(scale, shift)
    assert evaluate.main(["--scores", "peer.csv", "evaluate.bootstrap=20"]) == 0
    printed = capsys.readouterr().out
    assert "Warning: test: The scores are not calibrated: actDCF is " in printed
    assert "called fake" not in printed
    written = json.loads(Path("evaluations/peer/metrics.json").read_text())["splits"]["test"]
    assert written["calibrated"] is False and written["eer"] < 0.05
    assert written["accuracy"] is written["confusion"] is None
    assert "accuracy" not in written["intervals"]
    assert all(row["found"] is None for row in written["groups"]["attack"]["groups"])
    page = Path("evaluations/peer/report.html").read_text()
    assert "The scores are not calibrated, so no verdict follows from them" in page
    assert evaluate.main(["--compare", "peer.csv", "peer.csv", "evaluate.bootstrap=20"]) == 0
    printed = capsys.readouterr().out
    assert "first system are not calibrated" in printed and "accuracy    " not in printed


@pytest.mark.parametrize(
    "document", [{"columns": 1, "data": 2}, {"columns": ["file", "score"], "data": [1, 2]}]
)
def test_json_that_only_begins_like_that_of_pandas_is_one_error(document, capsys):
    Path("s.json").write_text(json.dumps(document))
    assert evaluate.main(["--scores", "s.json"]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), err[:7]) == (1, "error: ")


def test_names_cannot_turn_the_text_of_the_report_around():
    turned = "\N{RIGHT-TO-LEFT OVERRIDE}"
    rows = [f"{n},real,,1" for n in range(6)]
    rows += [f"{n}{turned}gnp,fake,A{n % 2}{turned}\x1b[1m,0" for n in range(6)]
    Path("s.csv").write_text("\n".join(["file,label,attack,score", *rows]), encoding="utf-8")
    assert evaluate.main(["--scores", "s.csv", "evaluate.bootstrap=0"]) == 0
    page = Path("evaluations/s/report.html").read_text(encoding="utf-8")
    assert "A1\\u202e\\x1b[1m" in page
    assert not re.search("[\u202e\x1b]", page)


def test_calibrated_scores_have_an_accuracy(capsys):
    make_peer_scores(scale=4.0, shift=0.0)
    assert evaluate.main(["--scores", "peer.csv", "evaluate.bootstrap=0"]) == 0
    assert "not calibrated" not in capsys.readouterr().out
    written = json.loads(Path("evaluations/peer/metrics.json").read_text())["splits"]["test"]
    assert written["calibrated"] is True and written["accuracy"] > 0.95


@pytest.mark.parametrize("named", ["DF_E_{:08}", "/data/flac/DF_E_{:08}.flac"])
def test_a_score_takes_at_most_400_bytes_until_its_label_is_known(tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    files = 5_000
    Path("s.txt").write_text("".join(f"DF_E_{n:08} {n % 7}.25\n" for n in range(files)))
    labels = ["spoof", "bonafide"]
    rows = [f"{named.format(n)},{labels[n % 2]}\n" for n in range(files)]
    Path("k.csv").write_text("".join(["file,label\n", *rows]))
    del rows
    tracemalloc.start()
    try:
        table = read_scores(Path("s.txt"), Path("k.csv"), None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table.score[:8].tolist() == [0.25, 1.25, 2.25, 3.25, 4.25, 5.25, 6.25, 0.25]
    assert peak / files < 400


def test_labelled_scores_need_no_names_of_files():
    Path("s.csv").write_text("y_true,y_score\n1,2.5\n0,-1\n")
    table = read_scores(Path("s.csv"), None, None, "1")
    assert list(zip(table.file, table.label, table.score, strict=True)) == [
        ("row 1", "real", 2.5), ("row 2", "fake", -1.0),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"s.csv has no column of files: ytrue, yscore"):
        read_scores(Path("s.csv"), Path("keys.csv"), None, "1")


def test_a_mapping_from_files_to_0_and_1_is_a_table_of_labels():
    Path("k.json").write_text(json.dumps({name: int(label == "real") for name, (label, _)
                                          in FILES.items()}))  # fmt: skip
    Path("s.csv").write_text(rows("{f},{s}"))
    check_scores(read_scores(Path("s.csv"), Path("k.json"), None, "1"))


@pytest.mark.parametrize("header", ["file,label,score", "file,prediction,confidence"])
def test_the_confidence_in_a_predicted_label_is_no_score(header):
    Path("s.csv").write_text(rows("{f},{Word},0.9", header=header))
    with pytest.raises(InputError, match=r"predicted label.* p_real with the probability of real$"):
        read_scores(Path("s.csv"), Path("keys.csv"), None)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x93NUMPY\x01\x00", "a NumPy array"), (b"PAR1\0\0", "a Parquet table"),
        (b"\x80\x04\x95", "a Python pickle"), (b"\x1f\x8b\x08\0", "compressed"),
        (b"\xd0\xcf\x11\xe0\xa1", "an Excel workbook"), (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    ],
)  # fmt: skip
def test_files_that_are_no_table_of_text_are_named(content, kind):
    Path("s.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"^cannot read s.csv: it is {kind}.*; [a-z]"):
        read_scores(Path("s.csv"), Path("keys.csv"), None)


def test_an_empty_score_file_has_no_rows():
    Path("s.csv").write_text("")
    with pytest.raises(InputError, match=r"^s.csv has no rows; add a row for each file"):
        read_scores(Path("s.csv"), Path("keys.csv"), None)


def test_a_short_row_of_keys_without_a_header_is_no_crash():
    Path("s.txt").write_text("a 1.5\nb -2\n")
    rows = b"x/\xff.wav,1,d,eval\n,0,d,eval\n"
    title = b"'r*aa\rpath,is_f\x01ke,dataset,phase\nx/a.\xb4~\xfc\xc7wav,0,d,eval\n"
    Path("k.txt").write_bytes(title + 3 * rows + rows[:17])
    with pytest.raises(InputError, match=r"k\.txt: no label in its 4 columns; give a protocol"):
        read_scores(Path("s.txt"), Path("k.txt"), None)
