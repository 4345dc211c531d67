"""Messages of C code are discarded while a script runs, and reach standard error afterwards."""

import subprocess
import sys

import pytest

from conftest import ROOT

CODE = """
import os, sys
from deepfake_audio.cli.script import script
from deepfake_audio.system.stderr import suppress_native_stderr

@script
def main(argv=None):
    os.write(2, b"of C code\\n")
    print("of Python", file=sys.stderr)
    with suppress_native_stderr():
        print("of Python, within", file=sys.stderr)
    os.write(2, b"of C code again\\n")
    return 0

before = sys.stderr
main()
assert sys.stderr is before
os.write(2, b"of C code, afterwards\\n")
"""


@pytest.mark.slow
def test_only_messages_of_c_code_are_discarded_and_only_while_a_script_runs():
    result = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stderr == "of Python\nof Python, within\nof C code, afterwards\n"
