"""A script's command line: its help is the script's own first words, its errors are one line."""

import argparse
import difflib
import re

from deepfake_audio.errors import UserError


class Parser(argparse.ArgumentParser):
    """`ArgumentParser` whose errors are `UserError`s with the near match."""

    def __init__(self, prog: str, description: str):
        super().__init__(
            prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> None:
        """Raise what is wrong with the command line; argparse would print the usage before it."""
        known = re.findall(r"--[\w-]+", self.format_usage())
        options = [word for word in re.findall(r"-{1,2}[\w-]+", message) if word not in known]
        near = difflib.get_close_matches(options[0], known, n=1) if options else []
        remedy = f"Did you mean {near[0]}? " if near else ""
        raise UserError(
            f"A command line must be understood. Received: {message}. {remedy}"
            f"python {self.prog} --help shows it; -- stands before names that begin with a dash."
        )
