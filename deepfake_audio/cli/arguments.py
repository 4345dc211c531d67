"""Parse command lines: errors on one line, and options that several scripts share."""

import argparse
import difflib
import re
import sys
from collections.abc import Mapping, Sequence

from deepfake_audio import __version__
from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import to_number, to_whole_number

REQUIRED = "the following arguments are required: "
WRONG_TYPE = re.compile(r"argument (\S+): invalid (int|float|to_number) value: (.*)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """`ArgumentParser` that raises an `InputError` with a similar option for a wrong one."""

    def __init__(self, prog: str, description: str):
        super().__init__(
            prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.register("type", int, to_whole_number)
        self.register("type", float, to_number)
        self.unknown_dashes = False
        self.add_argument("--version", action="version", version=f"{prog} {__version__}")

    def add_argument(self, *names: str, **options) -> argparse.Action:
        """Add an argument; one with `nargs="*"` is never required, unlike in argparse."""
        action = super().add_argument(*names, **options)
        action.required &= action.nargs != argparse.ZERO_OR_MORE
        return action

    def parse_known_args(self, args: Sequence[str] | None = None, namespace=None) -> tuple:
        """Parse as argparse does, and note whether an unknown word begins with a dash."""
        words = sys.argv[1:] if args is None else args
        self.unknown_dashes |= any(
            word.startswith("-") and word.partition("=")[0] not in self._option_string_actions
            for word in words
        )
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> None:
        """Raise the error of a command line; argparse would print the usage first."""
        if wrong := WRONG_TYPE.fullmatch(message):
            option, kind, value = wrong.groups()
            number = "whole number in digits, such as 3" if kind == "int" else "number, such as 0.5"
            raise InputError(f"{option} {value} is not a number; give a {number}")
        known = re.findall(r"--[\w-]+", self.format_usage())
        options = [word for word in re.findall(r"-{1,2}[\w-]+", message) if word not in known]
        near = difflib.get_close_matches(options[0], known, n=1) if options else []
        if message.startswith(REQUIRED):
            message = f"missing argument {message.removeprefix(REQUIRED)}"
        remedy = f"; did you mean {near[0]}?" if near else ""
        dashes = "; write -- before names that begin with a dash" if self.unknown_dashes else ""
        raise InputError(f"{message}{remedy}{dashes} (see {self.prog} --help)")


def add_settings_arguments(parser: Parser, help: str = "settings; config.yaml lists all") -> None:
    """Add the words `section.key=value`, and `--set section.key=value` with the same meaning.

    Parse with `parse_intermixed_args`, so that the words can follow options.
    """
    word = "section.key=value"
    parser.add_argument("settings", nargs="*", action="extend", default=[], metavar=word, help=help)
    parser.add_argument(
        "--set", dest="settings", action="append", default=argparse.SUPPRESS, metavar=word,
        help="another way to write a setting; may be repeated",
    )  # fmt: skip


def add_set_option(parser: Parser) -> None:
    """Add `--set section.key=value` to a script that judges."""
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting for this time, such as predict.prior_fake=0.1; may be repeated",
    )  # fmt: skip


def add_run_option(parser: Parser, default: str, names: str = "or a path") -> None:
    """Add `--run NAME`; the help has its default, and the names other than folders of runs/."""
    text = f"a folder below runs/, {names} (default: {default})"
    parser.add_argument("--run", metavar="NAME", help=text)


def check_least(args: argparse.Namespace, least: Mapping[str, float]) -> None:
    """Raise an `InputError` if a number that was given is below the least one of its option."""
    for option, number in least.items():
        given = getattr(args, option)
        if given is not None and not given >= number:
            name = option.replace("_", "-")
            raise InputError(f"--{name} {given:g} is too small; give {number:g} or more")


def add_name_option(parser: Parser, help: str, dest: str = "name", old: str = "") -> None:
    """Add `--name NAME` for the new run or folder; `old` is an earlier spelling that is hidden."""
    parser.add_argument("--name", dest=dest, metavar="NAME", help=help)
    if old:
        parser.add_argument(old, dest=dest, help=argparse.SUPPRESS)
