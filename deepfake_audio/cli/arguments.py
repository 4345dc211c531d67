"""A script's command line: its help is the script's own first words, its errors are one line."""

import argparse
import difflib
import re
import sys
from collections.abc import Sequence

from deepfake_audio import __version__
from deepfake_audio.errors import InputError


class Parser(argparse.ArgumentParser):
    """`ArgumentParser` whose errors are `InputError`s with the near match."""

    def __init__(self, prog: str, description: str):
        super().__init__(
            prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.unknown_dashes = False
        self.add_argument("--version", action="version", version=f"{prog} {__version__}")

    def add_argument(self, *names: str, **options) -> argparse.Action:
        """Add an argument; argparse would ask for one that may stand there any number of times."""
        action = super().add_argument(*names, **options)
        action.required &= action.nargs != argparse.ZERO_OR_MORE
        return action

    def parse_known_args(self, args: Sequence[str] | None = None, namespace=None) -> tuple:
        """Parse as argparse does, and note whether some word is like an option, but isn't one."""
        words = sys.argv[1:] if args is None else args
        self.unknown_dashes |= any(
            word.startswith("-") and word.partition("=")[0] not in self._option_string_actions
            for word in words
        )
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> None:
        """Raise what is wrong with the command line; argparse would print the usage before it."""
        known = re.findall(r"--[\w-]+", self.format_usage())
        options = [word for word in re.findall(r"-{1,2}[\w-]+", message) if word not in known]
        near = difflib.get_close_matches(options[0], known, n=1) if options else []
        remedy = f"Did you mean {near[0]}? " if near else ""
        dashes = "; -- stands before names that begin with a dash" if self.unknown_dashes else ""
        raise InputError(
            f"A command line must be understood. Received: {message}. {remedy}"
            f"python {self.prog} --help shows it{dashes}."
        )
