"""Scores in the formats of the ASVspoof challenges, end to end (golden/)."""

import json
from pathlib import Path

import numpy as np
import pytest

import evaluate
from conftest import ROOT
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_matching import read_filled_scores
from deepfake_audio.evaluation.score_reading import read_asv_scores
from deepfake_audio.evaluation.score_table import write_trials
from deepfake_audio.inference.results_table import resumable_table
from helpers import read_scores

GOLDEN_FOLDER = ROOT / "tests" / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "golden.json").read_text())["end_to_end"]
OF_2019, OF_5 = GOLDEN_FOLDER / "asvspoof2019", GOLDEN_FOLDER / "asvspoof5"
LINE_OF_2021 = "LA_{speaker:04} {trial} {codec} ita_tx {attack} {key} notrim {subset}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def metrics_of(name: str) -> dict:
    return json.loads(Path("evaluations", name, "metrics.json").read_text())["splits"]["test"]


def test_one_long_name_takes_no_memory_in_other_rows(tmp_path):
    table = tmp_path / "scores.csv"
    rows = [f"{n},{'real' if n % 2 else 'fake'},{n}" for n in range(999)]
    table.write_text("\n".join(["file,label,score", "x" * 60_000 + ",real,1", *rows]))
    scores = read_scores(table, None, None)
    assert len(scores) == 1000
    assert scores.file.nbytes < 100_000


@pytest.mark.slow
def test_asvspoof_2019_end_to_end(capsys):
    scores, asv = OF_2019 / "cm_scores.txt", OF_2019 / "asv_scores.txt"
    assert evaluate.main(["--scores", str(scores), "--asv", str(asv)]) == 0
    figures, golden = metrics_of("cm_scores"), GOLDEN["asvspoof2019"]
    assert figures["eer_official"] * 100 == pytest.approx(golden["eer_percent"], abs=1e-9)
    assert figures["min_tdcf_2019"] == pytest.approx(golden["legacy_2019_min_tDCF"], abs=1e-9)
    by_attack = {row["name"]: row["eer"] * 100 for row in figures["groups"]["attack"]["groups"]}
    assert by_attack == pytest.approx(golden["eer_percent_by_attack"], abs=1e-8)
    printed = capsys.readouterr().out
    mean = np.mean(list(golden["eer_percent_by_attack"].values()))
    assert f"all files pooled: EER 19.0%; mean over 13 of 13 attacks: {mean:.1f}%" in printed
    assert Path("evaluations/cm_scores/report.html").is_file()


def test_asvspoof_2019_with_its_protocol(elsewhere):
    lines = [line.split() for line in (OF_2019 / "cm_scores.txt").read_text().splitlines()]
    protocol = [f"LA_0001 {trial} - {attack} {key}" for trial, attack, key, _ in lines]
    Path("protocol.txt").write_text("\n".join(protocol))
    Path("scores.txt").write_text("\n".join(f"{trial} {score}" for trial, *_, score in lines[::-1]))
    own = read_scores(OF_2019 / "cm_scores.txt", None, None)
    joined = read_scores(Path("scores.txt"), Path("protocol.txt"), None)
    assert np.array_equal(own.file, joined.file)
    assert np.array_equal(own.score, joined.score)
    assert np.array_equal(own.attack, joined.attack)
    assert set(joined.speaker) == {"LA_0001"}


@pytest.mark.slow
def test_asvspoof_5_end_to_end(capsys):
    args = ["--scores", str(OF_5 / "track1_scores.tsv"), "--keys", str(OF_5 / "track1_keys.tsv")]
    assert evaluate.main(args) == 0
    figures, golden = metrics_of("track1_scores"), GOLDEN["asvspoof5_track1"]
    for ours, theirs in (
        ("eer_official", "eer"), ("min_dcf", "minDCF"), ("act_dcf", "actDCF"), ("cllr", "cllr_bits")
    ):  # fmt: skip
        assert figures[ours] == pytest.approx(golden[theirs], abs=1e-9)


def make_2021(files: int = 60, distance: float = 1.0) -> None:
    rng = np.random.default_rng(0)
    keys, scores = [], []
    for number in range(files):
        key = ("bonafide", "spoof")[number % 2]
        keys.append(
            LINE_OF_2021.format(
                speaker=number % 7,
                trial=f"LA_E_{number:07}",
                codec=("alaw", "gsm")[number // 2 % 2],
                attack="A07" if key == "spoof" else "bonafide",
                key=key,
                subset=("eval", "progress")[number // 40],
            )
        )
        scores.append(f"LA_E_{number:07} {rng.normal(distance * (key == 'bonafide')):.6f}")
    Path("trial_metadata.txt").write_text("\n".join(keys))
    Path("scores.txt").write_text("\n".join(scores))


@pytest.mark.slow
def test_asvspoof_2021_end_to_end_with_its_subset(capsys):
    make_2021()
    args = ["--scores", "scores.txt", "--keys", "trial_metadata.txt"]
    assert evaluate.main([*args, "--subset", "eval"]) == 0
    figures = metrics_of("scores-eval")
    assert figures["files"] == 40
    codecs = {
        row["name"]: (row["fake"], row["real"]) for row in figures["groups"]["codec"]["groups"]
    }
    assert codecs == {"alaw": (10, 10), "gsm": (10, 10)}
    assert figures["groups"]["speaker"]["mean_eer"] != figures["eer"]
    assert evaluate.main([*args, "--subset", "all", "evaluate.bootstrap=0"]) == 0
    assert metrics_of("scores-all")["files"] == 60
    codec = figures["groups"]["codec"]
    assert codec["interval"][0] <= codec["mean_eer"] <= codec["interval"][1]
    assert figures["groups"]["speaker"]["interval"] is None  # speakers are sampled
    capsys.readouterr()
    assert evaluate.main(args) == 2
    assert capsys.readouterr().err == (
        "error: trial_metadata.txt has several subsets: eval, progress; choose one with --subset, "
        "or all; published figures use eval\n"
    )


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ("a 1.0\nb inf\nc 0", r"'inf' is not a finite number \(line 2"),
        (
            "a 1.0\nb nan\nc 0",
            "scores.txt has no score for 1 of 3 files of the keys, such as b; score",
        ),
        ("a 1.0\na 2.0\nb 0\nc 0", "a has a second score in line 2"),
        (
            "a 1.0",
            "scores.txt has no score for 2 of 3 files of the keys, such as b, c; score them all",
        ),
        ("a 1.5 2\n", "line 1 of scores.txt has several numbers; .* with --real 1 or --real 0"),
        ("", "scores.txt has no rows"),
    ],
)
def test_unusable_scores_are_refused(scores, message):
    Path("keys.tsv").write_text("filename\tcm-label\na\tspoof\nb\tbonafide\nc\tspoof\n")
    Path("scores.txt").write_text(scores)
    with pytest.raises(InputError, match=message):
        read_scores(Path("scores.txt"), Path("keys.tsv"), None)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            "filename\tcm-label\na\tgood\n",
            r"'good' is not a label \(line 2 of keys.tsv\); use bonafide or spoof",
        ),
        ("filename\tcm-label\na\tspoof\na\tspoof\n", "lists 1 file more than once"),
        ("a b 2\n", "cannot read keys from keys.tsv: no label in its 3 columns; give a protocol"),
    ],
)
def test_unusable_keys_are_refused(keys, message):
    Path("keys.tsv").write_text(keys)
    Path("scores.txt").write_text("a 1\n")
    with pytest.raises(InputError, match=message):
        read_scores(Path("scores.txt"), Path("keys.tsv"), None)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "own.csv has no rows"),
        ("a,test,real,1\na,test,fake,0\n", "a has 2 scores in the split test"),
        ("a,none,real,1\n", "'none' in line 2 of own.csv is not a split; write train, val or test"),
        ("a,test,good,1\n", "'good' is not a label .*; use bonafide or spoof"),
        (",test,real,1\n", "the file name is empty in line 2"),
        ("a,test,real,inf\n", r"'inf' is not a finite number \(line 2"),
    ],
)
def test_unusable_tables_of_scores_are_refused(rows, message):
    Path("own.csv").write_text(f"file,split,label,score\n{rows}")
    with pytest.raises(InputError, match=message):
        read_scores(Path("own.csv"), None, None)


def test_a_table_of_predict_is_scored_with_keys(capsys):
    Path("verdicts.csv").write_text(
        "verdict,confidence,score,file,error\nFAKE,0.9,-2.5,far/a.wav,\nREAL,0.9,2.5,b.flac,\n"
        ",,,broken.wav,cannot read broken.wav: it is cut off\n"
    )
    Path("keys.tsv").write_text("filename\tcm-label\na\tspoof\nb\tbonafide\n")
    table = read_scores(Path("verdicts.csv"), Path("keys.tsv"), None)
    assert sorted(zip(table.file, table.label, table.score, strict=True)) == [
        ("a", "fake", -2.5), ("b", "real", 2.5),
    ]  # fmt: skip
    with pytest.raises(InputError, match="give the key file with --keys"):
        read_scores(Path("verdicts.csv"), None, None)
    Path("keys.tsv").write_text("filename\tcm-label\na\tspoof\nbroken\tbonafide\n")
    filled = read_filled_scores(Path("verdicts.csv"), Path("keys.tsv"), None, -0.5)
    assert (filled.table.score.tolist(), filled.unscored) == ([-2.5, -0.5], ["broken"])
    with pytest.raises(InputError, match="no score for 1 of 2 files of the keys, such as broken"):
        read_scores(Path("verdicts.csv"), Path("keys.tsv"), None)
    with Path("verdicts.csv").open("a") as file:
        file.write("REAL,0.9,2.5,near/a.mp3,\n")
    with pytest.raises(InputError, match=r"several scores for a: far/a\.wav, near/a\.mp3"):
        read_scores(Path("verdicts.csv"), Path("keys.tsv"), None)


def make_verdicts() -> list[str]:
    """Write a table of predict.py where a sure score may be UNCERTAIN all the same, and its keys.

    Returns:
        The arguments that evaluate it.
    """
    verdicts = {
        "fake": ["FAKE,-4"] * 5 + ["UNCERTAIN,-4"] * 3 + ["REAL,4"] + ["UNCERTAIN,"],
        "real": ["REAL,4"] * 4 + ["UNCERTAIN,4", "UNCERTAIN,-4"] + ["FAKE,-4"] * 3 + [","],
    }
    rows, keys = [], []
    for label, said in verdicts.items():
        for number, word in enumerate(said):
            rows.append(f"{word},far/{label}{number}.wav")
            keys.append(f"{label}{number}.wav,{label}")
    Path("v.csv").write_text("\n".join(["verdict,score,file", *rows]))
    Path("truth.csv").write_text("\n".join(["file,label", *keys]))
    return ["--scores", "v.csv", "--keys", "truth.csv", "--missing", "0", "evaluate.bootstrap=0"]


@pytest.mark.slow
def test_the_verdicts_of_a_table_count_instead_of_its_scores(capsys):
    assert evaluate.main(make_verdicts()) == 0
    printed = capsys.readouterr().out
    assert (
        "test files            FAKE     UNCERTAIN          REAL          none\n"
        "is fake                  5             4             1             0\n"
        "is real                  3             2             4             1\n"
        "verdicts as the table has them; called fake or real, accuracy and the like use only "
        "the score\n"
    ) in printed
    figures = metrics_of("v")
    assert figures["verdicts"]["fake"] == {"FAKE": 5, "UNCERTAIN": 4, "REAL": 1, "none": 0}
    assert figures["uncertain"] == 6 / 20 and figures["confusion"] == [[9, 1], [5, 5]]
    page = Path("evaluations/v/report.html").read_text()
    assert (
        "Of a hundred test files, half of them fake, the table&#39;s verdicts leave about 30 "
        "UNCERTAIN and give about 20 the wrong verdict; by score only, without UNCERTAIN, 30."
    ) in page
    assert "<td>is real</td><td>3</td><td>2</td><td>4</td><td>1</td>" in page
    assert "Verdicts by score only if one in 2 files is fake" in page


def test_verdicts_of_one_class_are_reported_as_in_the_table(capsys):
    args = make_verdicts()
    truth = Path("truth.csv").read_text().splitlines()
    Path("truth.csv").write_text("\n".join(line for line in truth if "fake" not in line))
    assert evaluate.main(args) == 0
    told = "10 test files, all of them real: 3 FAKE, 2 UNCERTAIN, 4 REAL. Error rates need both"
    assert told in capsys.readouterr().out


def test_unknown_verdict_words_are_ignored():
    Path("v.csv").write_text("verdict,score,file\nbonafide,1,a\nspoof,-1,b\n")
    Path("truth.csv").write_text("file,label\na,real\nb,fake\n")
    assert not read_scores(Path("v.csv"), Path("truth.csv"), None).has_verdicts


@pytest.mark.slow
def test_files_without_a_score_get_the_score_of_the_option_missing(capsys):
    make_2021()
    lines = Path("scores.txt").read_text().splitlines()
    Path("scores.txt").write_text("\n".join(lines[4:]))
    args = ["--scores", "scores.txt", "--keys", "trial_metadata.txt", "--subset", "eval"]
    assert evaluate.main(args) == 2
    assert capsys.readouterr().err == (
        "error: scores.txt has no score for 4 of 40 files of the keys, such as LA_E_0000000, "
        "LA_E_0000001, LA_E_0000002; score them all, or give them a score of your choice, such as "
        "0: --missing 0\n"
    )
    assert evaluate.main([*args, "--missing", "0"]) == 0
    said = (
        "4 of 40 files have no score and count with 0 (--missing): "
        "LA_E_0000000, LA_E_0000001, LA_E_0000002, ..."
    )
    assert f"\nWarning: {said}\n" in capsys.readouterr().out
    written = json.loads(Path("evaluations/scores-eval/metrics.json").read_text())
    assert written["missing"] == {"score": 0.0, "files": 4} and written["warnings"] == [said]
    assert written["splits"]["test"]["files"] == 40
    assert said in Path("evaluations/scores-eval/report.html").read_text()
    assert evaluate.main([*args, "--missing", "inf"]) == 2
    assert evaluate.main(["--missing", "0"]) == 2
    Path("scores.txt").write_text("other 1\n")
    assert evaluate.main([*args, "--missing", "0"]) == 2
    assert "; give the keys of these files" in capsys.readouterr().err


def test_a_labelled_table_may_lack_scores():
    Path("own.csv").write_text("file,label,score,llr\na,Bona-Fide,2,2\nb,spoof,,NaN\n")
    filled = read_filled_scores(Path("own.csv"), None, None, -1.0)
    assert filled.table.label.tolist() == ["real", "fake"]
    assert (filled.table.llr.tolist(), filled.unscored) == ([2.0, -1.0], ["b"])
    with pytest.raises(InputError, match=r"b has no score \(line 3 of own.csv\); score them all"):
        read_scores(Path("own.csv"), None, None)


def test_keys_may_be_a_table_of_labels(elsewhere, capsys):
    Path("mine").mkdir()
    Path("mine/labels.csv").write_text(
        "file,label,speaker,attack,codec,corpus\n"
        "real/a.wav,bona-fide,ann,-,mp3,one\nfake/a.wav,spoof,ann,hum,opus,two\nb,fake,bob,buzz,,\n"
    )
    scores = f"mine/real/a.wav,2\n{elsewhere}/mine/fake/../fake/a.wav,-2\nfar/b.flac,-1\n"
    Path("scores.csv").write_text(f"file,score\n{scores}")
    table = read_scores(Path("scores.csv"), Path("mine/labels.csv"), None)
    assert table.file.tolist() == ["real/a.wav", "fake/a.wav", "b"]
    assert table.score.tolist() == [2.0, -2.0, -1.0]
    assert table.label.tolist() == ["real", "fake", "fake"]
    assert table.attack.tolist() == ["", "hum", "buzz"]
    assert table.speaker.tolist() == ["ann", "ann", "bob"]
    assert table.codec.tolist() == ["mp3", "opus", ""]
    assert set(table.split) == {"test"}
    assert evaluate.main(["--scores", "scores.csv", "--keys", "mine/labels.csv"]) == 0
    Path("scores.txt").write_text("real/a.wav 1\nfake/a.wav 0\nb 0\n")
    named = read_scores(Path("scores.txt"), Path("mine/labels.csv"), None)
    assert named.score.tolist() == [1.0, 0.0, 0.0]
    Path("scores.txt").write_text("elsewhere/a.wav 1\nb 0\n")
    with pytest.raises(
        InputError, match=r"no score for 2 of 3 files of the keys, such as real/a\.wav"
    ):
        read_scores(Path("scores.txt"), Path("mine/labels.csv"), None)


def test_a_labelled_table_needs_three_columns_and_gives_way_to_keys():
    Path("own.csv").write_text("file,label,score\nutt.a,real,2\nutt.b,fake,-1\n")
    table = read_scores(Path("own.csv"), None, None)
    assert table.split.tolist() == ["test", "test"]
    assert table.llr.tolist() == [2.0, -1.0]
    write_trials(Path("trials.txt"), table)
    assert Path("trials.txt").read_text() == "utt.a 2\nutt.b -1\n"
    Path("truth.csv").write_text("file,label\nutt.a,fake\nutt.b,real\n")
    filled = read_filled_scores(Path("own.csv"), Path("truth.csv"), None, None)
    assert filled.table.label.tolist() == ["fake", "real"]
    assert filled.notes == ["The labels in own.csv were not used: those of truth.csv count."]


def test_trials_of_challenges_have_printable_names():
    Path("own.csv").write_text("file,label,score\nutt\x1b[31m a.wav,real,2\nutt.b,fake,-1\n")
    write_trials(Path("trials.txt"), read_scores(Path("own.csv"), None, None))
    assert Path("trials.txt").read_text() == "utt\\x1b[31m_a 2\nutt.b -1\n"


def test_scores_that_would_overflow_are_refused(capsys):
    Path("own.csv").write_text("file,label,score\na,real,1.5e308\nb,fake,-1.5e308\n")
    assert evaluate.main(["--scores", "own.csv"]) == 2
    assert "2 scores are larger than 1e+100 or not a number" in capsys.readouterr().err


@pytest.mark.slow
def test_without_a_t_dcf_the_other_figures_are_reported(capsys):
    Path("asv.txt").write_text(
        "- target 2\n- target 3\n- nontarget 0\n- nontarget 1\nA07 spoof 0\n"
    )
    assert evaluate.main(["--scores", str(OF_2019 / "cm_scores.txt"), "--asv", "asv.txt"]) == 0
    figures = metrics_of("cm_scores")
    assert figures["min_tdcf_2019"] is None and figures["eer"] > 0
    printed = capsys.readouterr().out
    assert "min t-DCF  - (2019)  1.0000 (2021)" in printed
    assert "accepts too few true speakers (100.0%) or no fakes (0.0%); give another one" in printed


@pytest.mark.slow
def test_a_comparison_of_two_voices_is_not_significant(capsys):
    rng = np.random.default_rng(0)
    for name in ("first", "second"):
        rows = [
            f"{number},{label},{voice},{rng.normal(2 * (label == 'real')):.4f}"
            for number in range(200)
            for label, voice in [(("real", "anna"), ("fake", "bert"))[number % 2]]
        ]
        Path(f"{name}.csv").write_text("\n".join(["file,label,speaker,score", *rows]))
    assert evaluate.main(["--compare", "first.csv", "second.csv"]) == 0
    printed = capsys.readouterr().out
    assert evaluate.main(["--scores", "first.csv"]) == 0  # into a folder of its own
    capsys.readouterr()
    assert evaluate.main(["--compare", "evaluations/first", "second.csv"]) == 0
    assert capsys.readouterr().out == printed
    assert "One class has 1 speaker: the intervals are over files" in printed
    assert "+0.00% to +0.00%" not in printed


def test_paths_are_compared_with_trials(capsys):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=40).round(3)
    labels = ["real", "fake"] * 20
    paths = [f"wav/{label}/LA_{n}.flac" for n, label in enumerate(labels)]
    trials = [f"LA_{n}" for n in range(40)]
    for name, files, order in (("ours", paths, range(40)), ("theirs", trials, range(39, -1, -1))):
        rows = [f"{files[n]},{labels[n]},{scores[n]}" for n in order]
        Path(f"{name}.csv").write_text("\n".join(["file,label,score", *rows]))
    assert evaluate.main(["--compare", "ours.csv", "theirs.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "40 test files, matched by name without folder and suffix"
    assert all("+0.00" in line and line.endswith("equal") for line in lines[3:10])
    theirs = Path("theirs.csv").read_text()
    Path("theirs.csv").write_text(theirs.replace("LA_7,fake", "LA_7,real"))
    assert evaluate.main(["--compare", "ours.csv", "theirs.csv"]) == 2
    assert "some files have different labels in the two systems" in capsys.readouterr().err
    Path("theirs.csv").write_text(theirs.replace("LA_7,", "LA_77,"))
    assert evaluate.main(["--compare", "ours.csv", "theirs.csv"]) == 2
    assert "40 and 40 files, 39 of them in both;" in capsys.readouterr().err
    same_stem = "file,label,score\na/x.wav,real,1\nb/x.wav,fake,0\n"
    Path("ours.csv").write_text(same_stem)
    Path("theirs.csv").write_text(same_stem.replace("b/x", "c/x"))
    assert evaluate.main(["--compare", "ours.csv", "theirs.csv"]) == 2
    assert "2 and 2 files, 1 of them in both;" in capsys.readouterr().err


def test_labels_in_numbers_are_compared_once_their_meaning_is_said(capsys):
    scores = np.random.default_rng(0).normal(size=40)
    rows = [f"{n}.wav,{n % 2},{score + n % 2}" for n, score in enumerate(scores)]
    for name in ("ours", "theirs"):
        Path(f"{name}.csv").write_text("\n".join(["file,label,score", *rows]))
    assert evaluate.main(["--compare", "ours.csv", "theirs.csv"]) == 2
    assert "say which one is real with --real" in capsys.readouterr().err
    assert evaluate.main(["--compare", "ours.csv", "theirs.csv", "--real", "1"]) == 0
    assert "40 test files" in capsys.readouterr().out
    assert evaluate.main(["--real", "1"]) == 2
    assert "--real works only with --scores or --compare" in capsys.readouterr().err


def test_a_corpus_that_reveals_the_class_gives_a_warning(capsys):
    rows = [f"{n},{('real', 'fake')[n % 2]},{('lj', 'wf')[n % 2]},{n % 2}" for n in range(20)]
    Path("own.csv").write_text("\n".join(["file,label,corpus,score", *rows]))
    assert evaluate.main(["--scores", "own.csv"]) == 0
    printed = capsys.readouterr().out
    assert "No corpus has both real and fake files" in printed
    assert "The scores look inverted" in printed


def test_scores_without_keys_name_the_remedy():
    Path("scores.txt").write_text("a 1\nb 2\n")
    with pytest.raises(InputError, match="give the key file with --keys"):
        read_scores(Path("scores.txt"), None, None)


@pytest.mark.slow
def test_inverted_scores_and_probabilities_give_a_warning(capsys):
    make_2021(distance=3.0)
    lines = [line.split() for line in Path("scores.txt").read_text().splitlines()]
    inverted = [f"{trial} {1 / (1 + np.exp(3 * float(score))):.6f}" for trial, score in lines]
    Path("scores.txt").write_text("\n".join(inverted))
    args = ["--scores", "scores.txt", "--keys", "trial_metadata.txt", "--subset", "eval"]
    assert evaluate.main(args) == 0
    printed = capsys.readouterr().out
    assert "The scores look inverted: an EER of" in printed
    assert "The scores look like probabilities." in printed
    assert metrics_of("scores-eval")["accuracy"] is None


@pytest.mark.slow
def test_equal_scores_are_reported(capsys):
    make_2021()
    lines = [line.split() for line in Path("scores.txt").read_text().splitlines()]
    decisions = [f"{trial} {round(float(score))}" for trial, score in lines]
    Path("scores.txt").write_text("\n".join(decisions))
    args = ["--scores", "scores.txt", "--keys", "trial_metadata.txt", "--subset", "eval"]
    assert evaluate.main(args) == 0
    assert "files have the same score as another file. Kept together" in capsys.readouterr().out


def test_a_subset_name_cannot_leave_the_folder_evaluations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.txt").write_text("a 1\nb 0\n")
    lines = ("s a c t - bonafide n ../../up", "s b c t A1 spoof n ../../up")
    Path("keys.txt").write_text("\n".join(lines))
    assert evaluate.main(["--scores", "s.txt", "--keys", "keys.txt", "--subset", "../../up"]) == 0
    assert [path.name for path in Path("evaluations").iterdir()] == ["s-.._.._up"]
    assert {path.name for path in tmp_path.iterdir()} == {"s.txt", "keys.txt", "evaluations"}


def test_speaker_verification_scores_without_a_key_are_refused():
    Path("asv.txt").write_text("- target 1\n- nontarget 0\n")
    with pytest.raises(InputError, match=r"asv\.txt has no spoof scores"):
        read_asv_scores(Path("asv.txt"))


def test_trials_are_written_only_if_their_names_are_unique(elsewhere):
    make_2021(6)
    table = read_scores(Path("scores.txt"), Path("trial_metadata.txt"), None)
    write_trials(Path("trials.txt"), table)
    assert Path("trials.txt").read_text().splitlines()[0].split()[0] == "LA_E_0000000"
    same = table.where(np.zeros(2, int))
    write_trials(Path("none.txt"), same)
    assert not Path("none.txt").exists()


@pytest.mark.parametrize("key", [" a.wav ", "a.wav", r"\x20a.wav\x20", "real/ a.wav "])
def test_names_with_blanks_at_the_ends_are_found_by_keys(key, tmp_path):
    folder = "real/" if "/" in key else ""
    with resumable_table(tmp_path / "v.csv", "abc") as (_, add):
        for name, score in ((f"{folder} a.wav ", 1.5), ("b.wav", -2.0)):
            add({"verdict": "REAL", "file": name, "score": score})
    (tmp_path / "keys.csv").write_text(f"file,label\n{key},real\nb.wav,fake\n")
    found = read_scores(tmp_path / "v.csv", tmp_path / "keys.csv", None)
    assert (found.score.tolist(), found.label.tolist()) == ([1.5, -2.0], ["real", "fake"])


def test_two_names_that_differ_only_in_blank_ends_are_not_guessed(tmp_path):
    with resumable_table(tmp_path / "v.csv", "abc") as (_, add):
        for name, score in ((" a.wav", 1.5), ("a.wav ", 0.5), ("b.wav", -2.0)):
            add({"verdict": "REAL", "file": name, "score": score})
    (tmp_path / "keys.csv").write_text("file,label\na.wav,real\nb.wav,fake\n")
    with pytest.raises(InputError, match="several scores for a: "):
        read_scores(tmp_path / "v.csv", tmp_path / "keys.csv", None)
