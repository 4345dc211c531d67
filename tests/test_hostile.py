"""Hostile and broken inputs: a finite score, or one line and an exit code, and never more."""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

import evaluate
import hostile_inputs as hostile
import predict
import prepare
import train
from conftest import ROOT, TINY_SETTINGS, make_data_folder
from deepfake_audio.dataset.journal import read_journal
from deepfake_audio.features.image_headers import image_size
from deepfake_audio.models import run_search
from deepfake_audio.training import trainer

GOOD_WAV, GOOD_PNG = hostile.sound(hostile.noise()), hostile.picture(".png")
RATES_HZ = (1, 2, 999, 1000, 8000, 11025, 44100, 96000, 192_000, 1_000_000, 10_000_000, 2**31 - 1)
SUFFIXES = (
    "png",
    "jpg",
    "bmp",
    "webp",
    "tif",
    "wav",
    "flac",
    "mp3",
    "ogg",
    "m4a",
    "amr",
    "gsm",
    "",
)


def damaged(suffix: str, content: bytes) -> dict[str, bytes]:
    cuts = {f"cut_at_{share}": content[: int(len(content) * share)] for share in (0.05, 0.5, 0.95)}
    flips = {f"flipped_{seed}": hostile.flipped(content, seed) for seed in range(4)}
    return {
        f"{name}{suffix}": made
        for name, made in {**cuts, **flips, "more": content + bytes(999)}.items()
    }


def images() -> dict[str, bytes]:
    made = {}
    for suffix in (".png", ".jpg", ".bmp", ".webp", ".tif"):
        made |= damaged(suffix, hostile.picture(suffix))
        for height, width in ((1, 1), (1, 10_000), (10_000, 1)):
            made[f"{height}x{width}{suffix}"] = hostile.picture(suffix, height, width)
    for channels in (1, 3, 4):
        made[f"sixteen_bits_{channels}.png"] = hostile.picture(".png", 32, 24, channels, np.uint16)
        for dtype in (np.uint16, np.float32, np.float64, np.int32):
            name = f"{np.dtype(dtype).name}_{channels}.tif"
            made[name] = hostile.picture(".tif", 32, 24, channels, dtype)
    for width, height in ((2**31 - 1, 2**31 - 1), (32_000, 32_000), (0, 0)):
        made[f"claims_{width}.png"] = hostile.png(width, height)
        made[f"claims_{width}.bmp"] = hostile.bmp(width, height)
        made[f"claims_{width}.tif"] = hostile.tiff(width, height)
    long_chunk = hostile.patched(GOOD_PNG, 33, ">I", 2**31 - 1)
    text = hostile.chunk(b"zTXt", b"k\0\0" + b"x" * 1000)
    return made | {
        "claims.jpg": hostile.jpeg(65_500, 65_500),
        "claims_less.jpg": hostile.jpeg(9000, 9000),
        "scans.jpg": hostile.jpeg(32, 24, scans=500),
        "long_chunk.png": long_chunk,
        "text.png": hostile.png(24, 32, extra=text * 3000),
        "deep.tif": hostile.tiff(24, 32, bits=64, samples=4),
        "many_samples.tif": hostile.tiff(24, 32, samples=65_535),
        "portable.png": b"P5\n30000 30000\n255\n" + bytes(100),
        "radiance.png": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n",
    }


def sounds() -> dict[str, bytes]:
    short, made = hostile.noise(16_000), {}
    for form, suffix in (("WAV", ".wav"), ("FLAC", ".flac"), ("OGG", ".ogg"), ("MP3", ".mp3")):
        subtype = "PCM_16" if form in ("WAV", "FLAC") else None
        made |= damaged(suffix, hostile.sound(hostile.noise(), subtype=subtype, form=form))
    for subtype in soundfile.available_subtypes("WAV"):
        telephone = "GSM" in subtype or "G72" in subtype
        if "NMS" not in subtype and "MPEG" not in subtype:
            made[f"{subtype}.wav"] = hostile.sound(short, 8000 if telephone else 16_000, subtype)
    for channels in (2, 3, 5, 8, 64, 1024):
        both = np.repeat(short[:, None], channels, axis=1)
        made[f"{channels}_channels.wav"] = hostile.sound(both)
        if channels <= 8:
            made[f"{channels}_channels.flac"] = hostile.sound(both, form="FLAC")
    made |= {f"{rate}_hz.wav": hostile.sound(short, rate) for rate in RATES_HZ}
    made |= {f"{rate}_hz.flac": hostile.flac(rate_hz=rate) for rate in (1, 2, 655_350)}
    made |= {f"{name}.wav": content for name, content in hostile.WAV_HEADERS.items()}
    made |= {f"claims_{n}.flac": hostile.flac(samples=n) for n in (0, 1, 2**36 - 1)}
    for value in (np.nan, np.inf, -np.inf, 1e30, 1e5, 1e-40):
        some = np.where(np.arange(16_000) == 777, value, short)
        made[f"all_{value}.wav"] = hostile.sound(np.full(16_000, value), 16_000, "FLOAT")
        made[f"one_{value}.wav"] = hostile.sound(some, 16_000, "FLOAT")
    return made | {
        "silent.wav": hostile.sound(np.zeros(16_000)),
        "no_sample.wav": hostile.sound(np.zeros(0)),
        "one_sample.wav": hostile.sound(np.full(1, 0.5)),
        "one_sample_192_khz.wav": hostile.sound(np.full(1, 0.5), 192_000),
        "always_1.wav": hostile.sound(np.ones(16_000)),
        "playlist.mp3": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
        "list.wav": b"ffconcat version 1.0\nfile /etc/passwd\n",
    }


def renamed() -> dict[str, bytes]:
    made = {"sound.png": GOOD_WAV, "picture.wav": GOOD_PNG, "picture": GOOD_PNG, "sound": GOOD_WAV}
    for suffix in SUFFIXES:
        end = f".{suffix}" if suffix else ""
        made |= {f"empty{end}": b"", f"zeros{end}": bytes(3000), f"text{end}": b"hello\n" * 99}
    return made


def names() -> dict[bytes, bytes]:
    odd = (
        b"sp ace", b"line\nend", b"-dash", b"--run", b"caf\xe9", b"\xff\xfe", b"\x1b[31m", b"%s%n",
        b"$HOME", b"q\"'", b"*", b"a" * 240, b"\xe2\x80\xae",
    )  # fmt: skip
    return {name + b".wav": GOOD_WAV for name in odd} | {name + b".png": GOOD_PNG for name in odd}


def write_all(folder: Path, files: dict) -> list[str]:
    folder.mkdir(exist_ok=True)
    paths = [os.path.join(os.fsencode(folder), os.fsencode(name)) for name in files]  # noqa: PTH118
    for path, content in zip(paths, files.values(), strict=True):
        Path(os.fsdecode(path)).write_bytes(content)
    return [os.fsdecode(path) for path in paths]


def check_verdicts(paths: list[str], capfd, *args: str) -> tuple[list[dict], list[str]]:
    """Judge files, and check that each gave a finite verdict or one line, in whatever order."""
    capfd.readouterr()
    exit_code = predict.main(["--json", *args, "--", *paths])
    captured = capfd.readouterr()
    found = [json.loads(line) for line in captured.out.splitlines()]
    verdicts = [each for each in found if not each["error"]]
    lines = captured.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    files = "1 file" if len(errors) == 1 else f"{len(errors)} files"
    assert lines == errors + ([f"{files} could not be judged."] if errors else [])
    assert exit_code == (1 if errors else 0)
    assert len(found) - len(verdicts) == len(errors)
    assert len(found) == len(paths)
    for verdict in verdicts:
        if verdict["score"] is not None:
            assert np.isfinite(verdict["score"])
        assert (verdict["p_real"] is None) == (verdict["confidence"] is None)
        if verdict["p_real"] is not None:
            assert np.isfinite([verdict["p_real"], verdict["confidence"]]).all()
    return verdicts, errors


@pytest.mark.slow
@pytest.mark.parametrize("make", [images, sounds, renamed, names], ids=lambda make: make.__name__)
def test_every_file_gives_a_finite_verdict_or_one_line(
    make, in_audio_workspace, tmp_path, capfd, recwarn
):
    paths = write_all(tmp_path / "in", make())
    verdicts, errors = check_verdicts(paths, capfd)
    assert verdicts
    assert errors or make is names
    assert not [warning for warning in recwarn if "deepfake_audio" in warning.filename]


def test_inputs_that_are_no_files_are_refused_at_once_and_the_others_are_judged(
    in_audio_workspace, tmp_path, capfd
):
    folder = tmp_path / "in"
    write_all(folder, {"good.wav": GOOD_WAV})
    for name in ("pipe", "pipe.wav", "pipe.png"):
        os.mkfifo(folder / name)
    for name in ("loop.wav", "loop.png"):
        (folder / name).symlink_to(name)
    (folder / "zero.wav").symlink_to("/dev/zero")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "memory.wav").symlink_to("/proc/self/mem")
    (folder / "nowhere.wav").symlink_to("/nowhere")
    (folder / "folder.wav").mkdir()
    (folder / "again").symlink_to(".")
    (folder / "up").symlink_to("..")
    capfd.readouterr()
    assert predict.main(["--json", str(folder), str(folder / "pipe"), "x" * 5000]) == 1
    captured = capfd.readouterr()
    found = [json.loads(line) for line in captured.out.splitlines()]
    files = [each["file"] for each in found if not each["error"]]
    *errors, passed_over, summary = captured.err.splitlines()
    assert files == [str(folder / "good.wav")]
    assert all(line.startswith("error: ") for line in errors)
    assert (len(errors), summary) == (7, "7 files could not be judged.")
    for kind in ("3 .png", "2 linked folders", "1 without a suffix"):
        assert kind in passed_over


@pytest.mark.slow
def test_a_file_gets_the_same_verdict_with_and_without_hostile_ones(
    in_audio_workspace, tmp_path, capfd
):
    hostile_ones = write_all(tmp_path / "in", images() | sounds())
    good = write_all(tmp_path / "good", {"good.wav": GOOD_WAV})
    (alone,), _ = check_verdicts(good, capfd)
    together, _ = check_verdicts([*hostile_ones[::3], *good], capfd)
    assert together[-1]["file"] == alone["file"]
    assert together[-1]["score"] == pytest.approx(alone["score"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_no_file_takes_a_gigabyte_or_a_minute(in_audio_workspace, tmp_path):
    folder = tmp_path / "in"
    write_all(folder, {
        "forged.jpg": hostile.jpeg(65_500, 65_500),
        "large.jpg": hostile.jpeg(7000, 7000),
        "bomb.png": hostile.png(32_000, 8_000, 1, bytes(4001 * 8_000)),
        "large.png": hostile.png(7000, 7000, 8, bytes(7001 * 7000)),
        "chunk.png": hostile.patched(GOOD_PNG, 33, ">I", 2**31 - 1),
        "rate_1.wav": hostile.sound(hostile.noise(), 1),
        "rate_1.flac": hostile.flac(rate_hz=1),
        "samples.m4a": hostile.mp4(80_000_000),
        "channels.wav": hostile.WAV_HEADERS["rate_huge_channels_1024"],
    })  # fmt: skip
    for name in ("sparse.png", "sparse.wav"):
        with (folder / name).open("wb") as file:
            file.truncate(8 << 30)
    code = (
        "import os, pathlib, sys, predict\n"
        "exit_code = predict.main(sys.argv[1:])\n"
        "status = pathlib.Path('/proc/self/status').read_text().split()\n"
        "print(status[status.index('VmHWM:') + 1], os.times().user)\n"
        "sys.exit(exit_code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    peak_kilobytes, user_seconds = result.stdout.splitlines()[-1].split()
    assert result.returncode == 1
    assert int(peak_kilobytes) < 1_000_000
    assert float(user_seconds) < 60


def test_too_long_a_recording_is_refused(in_audio_workspace, tmp_path, monkeypatch, capfd):
    run, record, settings = run_search.open_run("heard")
    limits = settings.limits.model_copy(update={"audio_hours": 1 / 3600})
    settings = settings.model_copy(update={"limits": limits})
    monkeypatch.setattr(run_search, "open_run", lambda *args, **kwargs: (run, record, settings))
    paths = write_all(tmp_path / "in", {"long.wav": GOOD_WAV, "short.wav": GOOD_WAV[:20_044]})
    verdicts, errors = check_verdicts(paths, capfd)
    assert len(verdicts) == len(errors) == 1
    assert "limits.audio_hours" in errors[0]


@pytest.mark.slow
def test_endless_standard_input_is_cut_off(in_audio_workspace, tmp_path):
    command = f"{sys.executable} {ROOT}/predict.py - < /dev/zero"
    limit = 1 << 24
    result = subprocess.run(
        command, shell=True, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert result.returncode == 1
    assert "error: cannot read standard input: " in result.stderr


def test_a_table_never_overwrites_a_recording(in_audio_workspace, tmp_path, capsys):
    (recording,) = write_all(tmp_path / "in", {"a.wav": GOOD_WAV})
    assert predict.main(["--csv", recording, recording]) == 2
    assert "another kind of file is there; choose another name" in capsys.readouterr().err
    assert Path(recording).read_bytes() == GOOD_WAV
    table = str(tmp_path / "verdicts.csv")
    assert [predict.main(["--csv", table, recording]) for _ in range(2)] == [0, 0]


@pytest.mark.slow
def test_timelines_of_odd_names_are_written(in_audio_workspace, tmp_path, monkeypatch, capfd):
    run = Path("runs/heard").resolve()
    paths = write_all(tmp_path / "in", {n: c for n, c in names().items() if n.endswith(b".wav")})
    monkeypatch.chdir(tmp_path)
    check_verdicts(paths, capfd, "--run", str(run), "--timeline")
    assert len(list(Path("timelines").glob("*.png"))) == len(paths)


# prepare, train, evaluate


@pytest.mark.slow
def test_prepare_names_each_bad_file_and_renders_the_others(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for label in ("fake", "real"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(4):
            samples = hostile.noise(seed=number + 10 * (label == "real"))
            (tmp_path / "in" / label / f"{number}.wav").write_bytes(hostile.sound(samples))
    made = {name: content for name, content in sounds().items() if "1000_hz" not in name}
    write_all(tmp_path / "in" / "real", made | names())
    os.mkfifo(tmp_path / "in" / "real" / "pipe.wav")
    (tmp_path / "in" / "real" / "kernel.wav").symlink_to("/proc/kmsg")
    (tmp_path / "in" / "real" / "up").symlink_to("..")
    assert prepare.main(["in", "--name", "in", "prepare.workers=1"]) == 1
    captured = capfd.readouterr()
    assert "Traceback" not in captured.err
    assert "error" not in captured.err
    errors = Path("data/in/errors.csv").read_text().splitlines()
    assert 40 < len(errors) < len(made)


@pytest.mark.slow
def test_training_and_evaluation_leave_bad_images_out(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = make_data_folder(tmp_path / "data" / "tiny", manifest=False)
    made = {f"bad_{name}": content for name, content in images().items()}
    write_all(folder / "train" / "real", made)
    os.mkfifo(folder / "train" / "real" / "pipe.png")
    (folder / "val" / "fake" / "loop.png").symlink_to("loop.png")
    args = ["--run", "r", "data.folder=data/tiny", *TINY_SETTINGS, "train.epochs=1"]
    assert train.main(args) == 1
    captured = capfd.readouterr()
    (whole,) = tmp_path.glob("errors-*.txt")  # they are more than are printed
    assert str(whole) in captured.err
    errors = whole.read_text(encoding="utf-8").splitlines()
    assert f"Left out: {len(errors)} images that can't be read" in captured.out
    assert any("pipe.png is a pipe" in error for error in errors)
    assert any("million; make it smaller" in error for error in errors)
    assert not [line for line in captured.err.splitlines() if "png" in line and "error" not in line]
    assert evaluate.main(["--run", "r", "evaluate.bootstrap=0"]) == 1


def test_images_that_vanish_while_training_are_reported_in_one_line():
    inner = "x\ndeepfake_audio.errors.InputError: cannot read a.png: it is gone\n\n\t["
    message = str(trainer.image_error(RuntimeError(inner)))
    assert message.startswith("cannot read a.png: it is gone; the images changed")
    assert trainer.image_error(RuntimeError("something else")) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("../../etc/passwd,fake,train", "is not an image below the manifest's folder (line"),
        ("/etc/passwd,fake,train", "is not an image below the manifest's folder (line"),
        ("train/fake/00.png,maybe,train", "is not a label (line"),
        ("train/fake/00.png,True,train", "'True' is not a label (line"),
        ("train/fake/00.png,fake,later", "'later' is not a split (line"),
        ("a.png,fake,train\na.png,real,train", "lists 'a.png' more than once; keep one row"),
        ("x" * 100_000 + ",fake,train", "a line of more than 65,536 characters"),
        ('"a.png,fake,train', "is not a label (line"),
        ("a\0.png,fake,train", "a NUL character"),
        ("caf\xe9.png,fake,train", "; write it as CSV in UTF-8"),
    ],
)
def test_hostile_manifests_are_reported_in_one_line(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/manifest.csv").write_bytes(f"image,label,split\n{line}\n".encode("latin-1"))
    assert train.main(["data.folder=d"]) == 2
    stderr = capsys.readouterr().err
    assert message in stderr
    assert (stderr.count("\n"), stderr[:7]) == (1, "error: ")


@pytest.mark.parametrize(
    "line", ["../x.wav,fake", "/etc/passwd,fake", "C:\\x.wav,fake", "..\\x.wav,real", "a.wav,both"]
)
def test_protocols_stay_below_their_root(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path / "in", {"a.wav": GOOD_WAV, "labels.csv": f"file,label\n{line}\n".encode()})
    assert prepare.main(["in", "--name", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("data").exists()


@contextmanager
def at_once():
    """Fail what waits for a file that has no end."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("endless", ["pipe", "/dev/zero", "/proc/kmsg", "/proc/self/mem", "/"])
@pytest.mark.parametrize(
    "args", [["--scores"], ["--scores", "ok.txt", "--keys"], ["--scores", "ok.txt", "--asv"]]
)
def test_endless_tables_are_refused_at_once(endless, args, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("ok.txt").write_text("a - bonafide 1\nb A1 spoof 0\n")
    with at_once():
        assert evaluate.main([*args, endless]) == 2
    stderr = capsys.readouterr().err
    assert (stderr.count("\n"), stderr[:7]) == (1, "error: ")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="Linux has such files")
def test_endless_manifests_journals_and_unnamed_files_are_not_read(
    in_audio_workspace, tmp_path, capsys
):
    folder = make_data_folder(tmp_path / "d", images_per_class=2, manifest=False)
    (folder / "manifest.csv").symlink_to("/proc/kmsg")
    (tmp_path / "nameless").symlink_to("/proc/kmsg")
    with at_once():
        assert train.main([f"data.folder={folder}"]) == 2
        assert predict.main([str(tmp_path / "nameless")]) == 1
        assert read_journal(tmp_path / "nameless") == {}
    assert "cannot read a manifest: " in capsys.readouterr().err


# command lines and settings


@pytest.mark.parametrize(
    ("script", "args", "part"),
    [
        (predict, ["--tmeline", "a.wav"], "did you mean --timeline?"),
        (predict, [], "missing argument FILE (see predict.py --help)"),
        (train, ["--epochs", "3"], "unrecognized arguments: --epochs"),
        (prepare, ["in", "--corpus", "any"], "invalid choice: 'any'"),
        (evaluate, ["--rum", "a"], "did you mean --run?"),
    ],
)
def test_a_wrong_command_line_is_reported_in_one_line(script, args, part, capsys):
    assert script.main(args) == 2
    stderr = capsys.readouterr().err
    assert part in stderr
    assert (stderr.count("\n"), stderr[:7]) == (1, "error: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &a [x, x]\nb: [*a, *a, *a]\n", "uses YAML aliases"),
        ("train: {epochs: !!python/object/apply:os.system [id]}", "uses YAML tags"),
        ("%YAML 1.1\n---\ntrain: {epochs: 3}", "uses YAML directives"),
        ("train: " + "[" * 40_000, "nests more than 20 levels deep"),
        ("- " * 500, "nests more than 20 levels deep"),
        ("x" * 200_000, "has more than 100,000 bytes"),
        ("", "is empty"),
        ("\0", "is not valid YAML: "),
        ("train: {epochs: 3, epochs: 4}", "duplicate key"),
        ("train: {learning_rate: " + "9" * 400 + "}", "train.learning_rate is "),
        ("train: {epochs: " + "9" * 5000 + "}", "it should be a whole number in digits"),
        ("image: {channels: greyscale}", "did you mean grayscale?"),
        ("train: {batch_size: -1}", "it should be at least 1 and at most 65536 ("),
        ("TRAIN: {epochs: 1}", "is not a setting; name one of train.seed, "),
        ("train: 3", "train in {path} is 3; write a section of"),
        ("audio: {frequency_scale: mel, min_hz: 7999}", "so most rows would be black"),
        ("feed: {cache_mb: " + "9" * 400 + "}", "at least 0 and at most 1e+08 ("),
        ("evaluate: {dcf_cost_miss: 1e308}", "at least 1e-06 and at most 1e+06 ("),
        ("predict: {prior_fake: 1e-320}", "at least 1e-09 and at most 1 ("),
        ("model: {conv_filters: [4096, 4096, 4096]}", "more than limits.model_megabytes=256; use"),
        (
            "model: {pooling: flatten, dense_units: 65536}",
            "more than limits.model_megabytes=256; use",
        ),
        ("image: {height: 4096, width: 4096}\nmodel: {conv_filters: [64]}", "scoring_megabytes"),
    ],
)
def test_hostile_settings_are_reported_in_one_line(text, part, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert train.main(["--config", str(path)]) == 2
    stderr = capsys.readouterr().err
    assert part.replace("{path}", str(path)) in stderr
    assert stderr.count("\n") == 1
    assert len(stderr) < 1000


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/dev/zero", "/", "none.yaml"])
def test_settings_are_read_only_from_regular_files(path, capsys):
    assert train.main(["--config", path]) == 2
    assert capsys.readouterr().err.startswith("error: cannot read a settings file: ")


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xff\xd8\xff" + b"\xff\x00" * 20_000_000,
        GOOD_PNG[:33] + hostile.chunk(b"tEXt", b"") * 2_000_000 + GOOD_PNG[33:],
    ],
    ids=["jpeg", "png"],
)
def test_headers_of_countless_parts_are_refused(encoded):
    assert image_size(encoded) is None


def test_headers_are_read_as_opencv_reads_them(tmp_path):
    for suffix in (".png", ".jpg", ".bmp", ".webp", ".tif"):
        for height, width in ((1, 1), (7, 300), (300, 7), (129, 97)):
            for channels in (1, 3):
                assert image_size(hostile.picture(suffix, height, width, channels)) == (
                    width, height,
                ), suffix  # fmt: skip
    lossy = cv2.imencode(".webp", np.zeros((40, 50, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 50])
    assert image_size(lossy[1].tobytes()) == (50, 40)
    big_endian = b"MM\0*" + struct.pack(">IH", 8, 2)
    big_endian += struct.pack(">HHIHH", 256, 3, 1, 11, 0) + struct.pack(">HHIHH", 257, 3, 1, 12, 0)
    assert image_size(big_endian) == (11, 12)
