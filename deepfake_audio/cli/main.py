"""The command `deepfake-audio`: each script of the project as a subcommand.

    deepfake-audio predict call.wav
    deepfake-audio train data.folder=data/mine
    deepfake-audio predict --help

Runs, data and results stay in the working folder.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from deepfake_audio import __version__
from deepfake_audio.cli.script import script
from deepfake_audio.config.loading import ROOT
from deepfake_audio.errors import InputError

COMMANDS = (
    "predict", "prepare", "train", "evaluate", "calibrate", "combine", "export", "make-fakes",
    "join", "serve",
)  # fmt: skip


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Run the script that the first argument names with the arguments after it."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(f"{__doc__.strip()}\n\nCommands: {', '.join(COMMANDS)}")
        return 0
    if name == "--version":
        print(f"deepfake-audio {__version__}")
        return 0
    if name not in COMMANDS:
        raise InputError(f"{name} is not a command; the commands are {', '.join(COMMANDS)}.")
    sys.path.insert(0, str(ROOT))  # the scripts import the network from model.py beside them
    return import_module(name.replace("-", "_")).main(rest)
