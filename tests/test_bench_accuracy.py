import csv
from pathlib import Path

import pytest
import soundfile

import evaluate
from benchmarks.bench_accuracy import main
from conftest import TINY_SETTINGS, make_voice
from deepfake_audio.models.run_search import open_run
from helpers import read_rows

MADE = {("train", "real"): 8, ("train", "fake"): 12, ("val", "real"): 6, ("val", "fake"): 12,
        ("test", "real"): 6, ("test", "fake"): 6}  # fmt: skip


@pytest.fixture
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of clips by the generators buzz and hum, each in every split."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    rows = []
    for (split, label), count in MADE.items():
        for number in range(count):
            seed = len(rows)
            soundfile.write(tmp_path / "clips" / f"{seed}.wav", make_voice(label, seed, 1.6), 16000)
            attack = ("buzz", "hum")[number % 2] if label == "fake" else ""
            rows.append([f"{seed}.wav", label, split, attack])
    with (tmp_path / "clips" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "split", "attack"], *rows])
    return tmp_path / "clips"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_left_out_generator_is_only_in_the_test_split(audio, capfd):
    assert main(["clips", "--leave-out", "hum", *TINY_SETTINGS, "train.epochs=1"]) == 0
    printed = capfd.readouterr().out
    for name in ("these settings", "tutorial network", "LFCC-GMM"):
        (line,) = [line for line in printed.splitlines() if line.startswith(name)]
        assert line.count("%") == 6  # of two splits the rate and its interval
    assert printed.rindex("hum ") > printed.rindex("\ntest\n")
    scored = [
        (row["split"], row["attack"])
        for row in read_rows(audio.parent / "runs" / "accuracy-1" / "scores.csv")
    ]
    assert scored.count(("val", "buzz")) == 6
    assert scored.count(("test", "buzz")) == 3
    assert [split for split, attack in scored if attack == "hum"] == ["test"] * 15
    manifest = Path(open_run("accuracy-1")[2].data.folder)
    for unknown in (False, True):
        assert evaluate.main(["--run", "accuracy-1", "--data", str(manifest.parent)]) == 0
        assert ("it is unknown whose voices" in capfd.readouterr().out) == unknown
        manifest.unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (["hmm"], "--leave-out 'hmm' is not a generator of the table; it has buzz, hum"),
        (
            ["hum", "buzz"],
            "without hum, buzz, training or validation has no fakes; --leave-out fewer",
        ),
    ],
)
def test_a_generator_that_cannot_be_left_out_is_an_error(left_out, message, audio, capsys):
    assert main(["clips", *(f"--leave-out={name}" for name in left_out), *TINY_SETTINGS]) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
