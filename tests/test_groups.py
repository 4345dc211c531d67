import numpy as np
import pytest

from deepfake_audio.config import load_settings
from deepfake_audio.evaluation import evaluate_scores
from deepfake_audio.score_files import ScoreTable, make_table
from deepfake_audio.tables import FEW_SPEAKERS, format_groups


def table_of(*parts: dict) -> ScoreTable:
    """Return files of several parts, each of so many files, speakers and a mean score."""
    rng = np.random.default_rng(0)
    return make_table(
        {
            "file": f"{part['name']} {number}",
            "label": part["label"],
            "split": "test",
            "speaker": f"{part['name']} speaker {number % part['speakers']}",
            "attack": part["name"] if part["label"] == "fake" else "",
            "codec": "",
            "corpus": part.get("corpus", ""),
            "score": (score := rng.normal(part["mean"])),
            "llr": score,
        }
        for part in parts
        for number in range(part["files"])
    )


def part(name: str, mean: float, files: int = 60, speakers: int = 12, corpus: str = "") -> dict:
    label = "real" if mean > 0 else "fake"
    return {"name": name, "label": label, "mean": mean, "files": files, "speakers": speakers,
            "corpus": corpus}  # fmt: skip


def groups_of(table: ScoreTable, *settings: str) -> dict:
    chosen = load_settings(None, ["evaluate.bootstrap=200", *settings])
    return evaluate_scores(table, chosen.evaluate, chosen.predict)["groups"]


def rows_of(groups: dict, grouping: str) -> dict:
    return {row["name"]: row for row in groups[grouping]["groups"]}


def test_each_attack_and_their_mean_have_an_interval():
    table = table_of(part("people", 1), part("near", -0.5), part("far", -2))
    groups = groups_of(table)
    near, far = (rows_of(groups, "attack")[name] for name in ("near", "far"))
    for row in (near, far, groups["attack"] | {"eer": groups["attack"]["mean_eer"]}):
        low, high = row["interval"]
        assert low < row["eer"] < high < low + 0.25
    assert not near["few_speakers"]
    assert far["interval"][1] < near["interval"][1]


def test_an_attack_of_one_voice_is_drawn_over_files_and_says_so():
    groups = groups_of(table_of(part("people", 1), part("voices", -1), part("voice", -1, 60, 1)))
    row = rows_of(groups, "attack")["voice"]
    assert row["few_speakers"] and row["interval"][0] < row["eer"] < row["interval"][1]
    assert f"* {FEW_SPEAKERS}" in format_groups("attack", groups["attack"], 0.1)
    assert not rows_of(groups, "attack")["voices"]["few_speakers"]


def test_too_few_files_speakers_and_no_draws_have_no_interval():
    table = table_of(part("people", 1), part("many", -1), part("few", -1, 4))
    groups = groups_of(table)
    assert rows_of(groups, "attack")["few"]["interval"] is None
    assert rows_of(groups, "attack")["many"]["interval"] is not None
    everyone = [groups["speaker"], *groups["speaker"]["groups"]]
    assert all(group["interval"] is None for group in everyone)
    without = groups_of(table, "evaluate.bootstrap=0")
    assert all(row["interval"] is None for row in without["attack"]["groups"])
    assert "interval" not in format_groups("attack", without["attack"], 0.1)


def test_corpora_stand_for_themselves_and_one_of_one_class_has_no_rate():
    table = table_of(
        part("people", 1, corpus="quiet"), part("fakes", -1, corpus="quiet"),
        part("others", 1, corpus="reals"), part("loud people", 9, corpus="loud"),
        part("loud fakes", -8, corpus="loud"),
    )  # fmt: skip
    corpora = groups_of(table)["corpus"]
    loud, quiet, reals = sorted(corpora["groups"], key=lambda row: row["name"])
    assert loud["eer"] == 0 and loud["interval"] == (0, 3 / 12)
    assert reals["eer"] is reals["interval"] is None
    assert quiet["interval"][0] < quiet["eer"] < quiet["interval"][1]
    low, high = corpora["interval"]
    assert low == pytest.approx(quiet["interval"][0] / 2, abs=0.01)
    assert high == pytest.approx(quiet["interval"][1] / 2, abs=0.01)


def test_a_table_of_groups_reads_so():
    rows = [
        {"name": "near", "fake": 1200, "real": 90, "eer": 0.125, "interval": (0.05, 0.21),
         "few_speakers": True, "found": 0.5},
        {"name": "far", "fake": 0, "real": 90, "eer": None, "interval": None,
         "few_speakers": False, "found": None},
    ]  # fmt: skip
    content = {"mean_eer": 0.125, "interval": (0.05, 0.2), "rated": 1, "groups": rows}
    assert format_groups("corpus", content, 0.1).splitlines() == [
        "corpus                     fakes   reals     EER   95% interval     found",
        "near                       1,200      90   12.5%   5.0%-21.0%*      50.0%",
        "far                            0      90       -                        -",
        f"* {FEW_SPEAKERS}",
        "all files pooled: EER 10.0%; mean over 1 of 2 corpora: 12.5% (5.0%-20.0%)",
    ]
