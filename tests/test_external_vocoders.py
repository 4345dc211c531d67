"""Copies by vocoders that are programs of the user's own."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

import make_fakes
from conftest import ROOT
from helpers import is_running, make_tiny, read_table, wait_until, without_graphs, write_voices

BEGINNING = """
import sys, time
from pathlib import Path
import numpy as np
import soundfile
originals, copies = map(Path, sys.argv[1:3])
files = sorted(originals.iterdir())
"""
SAY_AGAIN = """
for file in files:
    sound, rate_hz = soundfile.read(file)
    soundfile.write(copies / file.name, np.round(sound, 2), rate_hz)
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with eight files in voices/, where every vocoder of ours is tiny."""
    make_tiny(monkeypatch)
    without_graphs(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_voices(tmp_path / "voices", [f"{number}.wav" for number in range(8)])
    return tmp_path


def command(name: str, body: str) -> list[str]:
    """Write a program of Python, and return the option that lets it make copies."""
    path = Path(f"a program of {name}.py")
    path.write_text(BEGINNING + body)
    words = shlex.join([sys.executable, str(path)])
    return ["--command", f"{name}={words} {{input}} {{output}}"]


def seen() -> set[str]:
    return {path.name for path in Path().iterdir() if not path.name.startswith("a program of")}


@pytest.mark.slow
def test_a_program_makes_copies_of_any_rate_as_long_as_their_originals(workplace, capsys):
    louder = """
for file in files:
    sound, rate_hz = soundfile.read(file)
    info = soundfile.info(file)
    assert (info.samplerate, info.channels, info.format, info.subtype) == (
        16_000, 1, "WAV", "PCM_16"
    )
    longer = np.repeat(np.round(np.append(sound, sound), 2), 2)
    soundfile.write((copies / file.name).with_suffix(".flac"), np.c_[longer, longer], 32_000)
"""
    write_voices(workplace / "voices", ["what's {input}, é; $(no) ?.wav"])
    assert make_fakes.main(["voices", "--out", "out", *command("far-gan.2", louder)]) == 0
    assert "Made: 9 real files and 9 fakes in out" in capsys.readouterr().out
    rows = read_table(Path("out"))
    assert [row["attack"] for row in rows] == [""] * 9 + ["far-gan.2"] * 9
    for row in rows[9:]:
        assert row["label"] == "fake" and row["file"].startswith("fake/far-gan.2/")
        copy, rate_hz = soundfile.read(Path("out", row["file"]))
        original, _ = soundfile.read(Path("out", row["sentence"]))
        info = soundfile.info(Path("out", row["file"]))
        assert (rate_hz, info.channels, info.format, info.subtype) == (16_000, 1, "FLAC", "PCM_16")
        assert len(copy) == len(original)
        assert np.corrcoef(copy, original)[0, 1] > 0.9
        assert np.sqrt(np.mean(copy**2)) == pytest.approx(0.08, rel=0.01)
    assert seen() == {"voices", "out"}


@pytest.mark.slow
def test_each_program_is_started_once_and_small_vocoders_only_on_request(workplace):
    counted = SAY_AGAIN + "open('started', 'a').write('once ')\n"
    both = [*command("one", counted), *command("two", counted)]
    kinds = ["--kinds", "codec", "--steps", "1"]
    assert make_fakes.main(["voices", "--out", "out", *both, *kinds]) == 0
    assert Path("started").read_text() == "once once "
    attacks = [row["attack"] for row in read_table(Path("out"))]
    assert attacks == [""] * 8 + ["one"] * 8 + ["two"] * 8 + ["codec"] * 8


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no links without asking")
def test_bad_copies_are_named_counted_and_change_the_exit_code(workplace, capsys):
    harmed = """
names = [copies / file.name for file in files]
names[0].unlink()
names[1].write_bytes(b"no sound")
soundfile.write(names[2], np.zeros(16_000), 16_000)
soundfile.write(names[3], soundfile.read(names[3])[0][:4000], 16_000)
soundfile.write(names[4].with_suffix(".flac"), soundfile.read(names[4])[0], 16_000)
names[5].unlink()
names[5].symlink_to("/dev/zero")
names[6].write_bytes(files[6].read_bytes())
"""
    assert make_fakes.main(["voices", "--out", "out", *command("own", SAY_AGAIN + harmed)]) == 1
    captured = capsys.readouterr()
    assert "Made: 8 real files and 1 fakes in out" in captured.out
    assert "Left out: 7 of 8 fakes, for the reasons above" in captured.out
    lines = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    for line, number, reason in zip(
        lines,
        range(7),
        (
            "made no files of", "cannot read ", "it is silent",
            "give a file of at least 0.5 s", "made 2 files of", "a device",
            "it equals its original",
        ),
        strict=True,
    ):  # fmt: skip
        assert f"{number:06}_" in line and reason in line
    assert [row["file"] for row in read_table(Path("out"))[8:]] == ["fake/own/000007_7.flac"]
    assert seen() == {"voices", "out"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "print('loading\\nno weights', file=sys.stderr)\nsys.exit(3)",
            "own failed with status 3, and wrote 'no weights'; try it",
        ),
        ("", "own made no audio file in {output} with a name from {input}; try it on"),
        ("(copies / 'else.wav').write_bytes(b'')", "with a name from {input}, but else.wav; try"),
        ("copies.rmdir()\ncopies.symlink_to(originals)", "own made no audio file"),
        ("originals.rename(copies / 'in')\ncopies.rename('gone')", "own made no audio file"),
        (
            "[soundfile.write(copies / file.name, np.zeros(9_999), 16_000) for file in files]",
            "error: none of 8 files by own can be used, the first since: cannot use ",
        ),
    ],
)
def test_a_program_that_fails_ends_the_run_and_leaves_no_files(body, message, workplace, capsys):
    assert make_fakes.main(["voices", "--out", "out", *command("own", body)]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert seen() <= {"voices", "gone"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "own=./none.sh {input} {output}",
            "cannot start ./none.sh as own: No such file or directory; check",
        ),
        ("own=voices {input} {output}", "cannot start voices as own: "),
        ("own", "--command 'own' lacks {input} and {output}; write --command NAME="),
        ("own=say {input}", "--command 'own=say {input}' lacks {output}; write"),
        ("own=say '{input} {output}", ": No closing quotation; quote it as in a shell"),
        ("../own=say {input} {output}", "with a NAME of at most 60 letters"),
        (".own=say {input} {output}", "--command '.own=say {input} {output}' has no usable name"),
        ("=say {input} {output}", "has no usable name; write --command NAME="),
        ("é=say {input} {output}", "has no usable name; write --command NAME="),
        (
            "Codec=say {input} {output}",
            "Codec=... has the name of another kind of fake; istft",
        ),
        ("for-norm=say {input} {output}", "the name of a public corpus's folder;"),
        ("ljspeech_hifigan=say {input} {output}", "the name of a public corpus's folder;"),
    ],
)
def test_a_wrong_command_is_reported_in_one_line_and_leaves_no_files(
    option, message, workplace, capsys
):
    assert make_fakes.main(["voices", "--out", "out", "--command", option]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and message in last
    assert seen() == {"voices"}


@pytest.mark.slow
def test_two_programs_of_one_name_are_refused(workplace, capsys):
    twice = [*command("own", SAY_AGAIN), *command("own", SAY_AGAIN)]
    assert make_fakes.main(["voices", "--out", "out", *twice]) == 2
    assert (
        "--command own=... has the name of another kind of fake; istft" in capsys.readouterr().err
    )


ENDLESS = """
import subprocess
tick = "import pathlib, time\\nwhile True:\\n pathlib.Path('tick').touch()\\n time.sleep(0.02)"
subprocess.run([sys.executable, "-c", tick])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a program and its children are no group there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ending_or_killing_the_script_ends_the_program_and_what_it_started(number, workplace):
    making = subprocess.Popen(
        [sys.executable, str(ROOT / "make_fakes.py"), "voices", "--out", "out",
         *command("own", ENDLESS)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(Path("tick").exists, making)
    started = psutil.Process(making.pid).children(recursive=True)
    making.send_signal(number)
    _, stderr = making.communicate()
    wait_until(lambda: not any(map(is_running, started)))
    if number == signal.SIGINT:
        assert (making.returncode, "Traceback" in stderr) == (130, False), stderr
        assert seen() == {"voices", "tick"}
