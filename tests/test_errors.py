import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import predict
from conftest import ROOT
from deepfake_audio.cli import verdict_tables
from deepfake_audio.cli.script import script
from deepfake_audio.errors import InputError, one_line
from helpers import read_rows

pytestmark = pytest.mark.usefixtures("own_signals")


def test_user_error_is_one_line_on_stderr_and_exit_code_2(capsys):
    @script
    def main(argv=None):
        raise InputError("a fact\na remedy")

    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: a fact\\na remedy\n"


def test_bug_keeps_its_traceback():
    @script
    def main(argv=None):
        return 1 // 0

    with pytest.raises(ZeroDivisionError):
        main([])


def test_an_interrupt_lost_in_a_finaliser_ends_the_script(capsys):
    class Finalised:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    @script
    def main(argv):
        Finalised()
        time.sleep(20)
        return 0

    assert main([]) == 130
    assert capsys.readouterr().err == "error: Interrupted.\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_lost_twice_ends_the_script(capsys):
    class Finalised:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("not reached")

    class Slow:
        def __del__(self):
            time.sleep(1)  # the second Ctrl-C falls in here

    @script
    def main(argv):
        Finalised()
        Slow()
        time.sleep(20)
        return 0

    assert main([]) == 130
    assert capsys.readouterr().err == "error: Interrupted.\n"


def test_an_interrupt_that_a_library_renames_shows_no_traceback(capsys):
    @script
    def main(argv):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("optree is needed") from None

    assert main([]) == 130
    assert capsys.readouterr().err == "error: Interrupted.\n"


def test_interrupt_exits_130(capsys):
    @script
    def main(argv=None):
        raise KeyboardInterrupt

    assert main([]) == 130
    assert capsys.readouterr().err == "error: Interrupted.\n"


def test_undecodable_file_names_can_be_printed():
    name = os.fsdecode(b"clip\xff\n.wav")
    assert one_line(name).encode("utf-8") == rb"clip\udcff\n.wav"


@pytest.mark.slow
def test_a_closed_pipe_ends_the_script_quietly():
    code = (
        "import sys\n"
        "from deepfake_audio.cli.script import script\n"
        "@script\n"
        "def main(argv=None):\n"
        "    for _ in range(100_000): print('line')\n"
        "    return 0\n"
        "sys.exit(main())\n"
    )
    command = f'{sys.executable} -c "$CODE" | head -1'
    result = subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"CODE": code},
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("line\n", "")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="preexec_fn")
@pytest.mark.parametrize("closed", [(2,), (0, 2), (1,), (0, 1), (1, 2), (0, 1, 2)])
def test_no_error_gets_into_results_if_streams_were_closed_at_the_start(closed):
    code = """
import os, sys
from deepfake_audio.cli.script import script
from deepfake_audio.errors import InputError
@script
def main(argv=None):
    print("result")
    os.write(2, b"of C code")
    raise InputError("wrong")
sys.exit(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True,
        preexec_fn=lambda: [os.close(number) for number in closed],
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stdout == (b"" if 1 in closed else b"result\n")
    assert result.stderr == (b"" if 2 in closed else b"error: wrong\n")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_results_go_on_if_standard_error_is_full():
    code = """
import sys
from deepfake_audio.cli.messages import print_error
from deepfake_audio.cli.script import script
@script
def main(argv=None):
    print_error("a bad file")
    print("result")
    return 1
sys.exit(main())
"""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=full
        )
    assert (result.returncode, result.stdout) == (1, b"result\n")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no limit of address space")
def test_too_low_a_limit_of_address_space_is_reported_in_one_line():
    """The imports would wait forever, or crash."""
    import resource

    result = subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), "--help"], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000)),
    )  # fmt: skip
    assert result.returncode == 2
    remedy = r"raise it to [\d,]+ MB: ulimit -v \d+\n"
    said = "error: the limit of address space, 500 MB, is too low; " + remedy
    assert re.fullmatch(said, result.stderr)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no limit of address space")
def test_a_library_without_room_is_reported_in_one_line(capsys):
    import resource

    outer = resource.getrlimit(resource.RLIMIT_AS)

    @script
    def main(argv=None):
        raise ImportError("libtensorflow_framework.so.2: failed to map segment from shared object")

    resource.setrlimit(resource.RLIMIT_AS, (2**46, outer[1]))
    try:
        assert main([]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_AS, outer)
    assert capsys.readouterr().err.startswith("error: out of memory; ")
    with pytest.raises(ImportError):  # a folder without the permission to execute
        main([])


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"),
        OSError("Matplotlib requires access to a writable cache directory, but there was an issue"),
    ],
)
def test_a_missing_temporary_folder_is_reported_in_one_line(error, capsys):
    @script
    def main(argv=None):
        raise error

    assert main([]) == 2
    assert "error: cannot write temporary files: " in (err := capsys.readouterr().err)
    assert len(err.splitlines()) == 1


def test_rows_with_errors_need_no_folder_but_that_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(verdict_tables, "MAX_SPOOLED_BYTES", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    table = tmp_path / "v.csv"
    names = [str(tmp_path / "gone.wav"), str(ROOT / "data/sample/audio/fake_espeak-ng_it_f5.flac")]
    words = ["--run", str(ROOT / "models/pretrained"), "--csv", str(table), *names]
    assert predict.main(words) == 1
    assert [row["file"] for row in read_rows(table)] == names[::-1]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder of a process")
@pytest.mark.parametrize("table", [[], ["--csv", "table.csv"]])
def test_a_removed_working_folder_is_no_traceback(table, tmp_path):
    clip = ROOT / "data/sample/audio/fake_espeak-ng_it_f5.flac"
    command = [str(ROOT / "predict.py"), "--run", str(ROOT / "models/pretrained"), str(clip)]
    (tmp_path / "gone").mkdir()
    result = subprocess.run(
        ["bash", "-c", 'rmdir ../gone; exec "$@"', "bash", sys.executable, *command, *table],
        capture_output=True, text=True, cwd=tmp_path / "gone",
    )  # fmt: skip
    if table:
        error = "error: the working folder was removed; start in another folder\n"
        assert (result.returncode, result.stderr) == (2, error)
    else:
        assert (result.returncode, result.stdout.split()[0]) == (0, "FAKE")
