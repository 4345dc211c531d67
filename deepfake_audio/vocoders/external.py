"""Vocoders that are programs of the user: a folder of WAV files in, a folder of copies out."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from deepfake_audio.corpora.index import Tree
from deepfake_audio.corpora.layouts import known_layouts
from deepfake_audio.errors import InputError
from deepfake_audio.system.folder_walk import find_files
from deepfake_audio.vocabulary import AUDIO_SUFFIXES

PLACES = ("{input}", "{output}")
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}")
TAIL_BYTES = 4096  # of what a program said
MAX_MESSAGE_CHARACTERS = 200  # characters
# Standard input ends when the process that started this has ended, even if it was killed.
WATCH = "import os, sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), 9)"


class ExternalVocoder(NamedTuple):
    """A vocoder to start: the name of its copies, and its command's words with `PLACES`."""

    name: str
    words: list[str]


def read_external_vocoders(
    commands: Sequence[str], taken: Collection[str]
) -> list[ExternalVocoder]:
    """Read commands as they stand on a command line.

    Args:
        commands: `NAME=program {input} {output}` each, quoted as in a shell.
        taken: names that they can't have.

    Raises:
        InputError: a name that can't be a folder of a corpus or isn't its own, or a command that
            can't be split into words or lacks one of `PLACES`.
    """
    programs = []
    for command in commands:
        program = _read_external_vocoder(command)
        others = [*taken, *(other.name for other in programs)]
        if program.name.lower() in map(str.lower, others):  # some disks know no case
            raise InputError(
                "Every kind of copy has a name of its own. Received: --command "
                f"{program.name}=..., but {', '.join(others)} are taken. Choose another name."
            )
        programs.append(program)
    return programs


def _read_external_vocoder(command: str) -> ExternalVocoder:
    name, _, line = command.partition("=")
    if not NAME.fullmatch(name):
        raise InputError(
            "A command begins with NAME=, of at most 60 letters, digits, '.', '_' and '-', and no "
            f"'.' in front. Received: --command {command!r}. Write "
            "--command NAME='program {input} {output}'."
        )
    if known_layouts(Tree(Path(), [f"fake/{name}/a.wav"], [])) != {"folders"}:
        raise InputError(
            "A kind of copy must not have the name of a public corpus's folder. "
            f"Received: --command {name}=... Choose another name."
        )
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(
            f"A command must be quoted as in a shell. Received: --command {command!r} ({error}). "
            "Close what is open."
        ) from None
    lacking = [place for place in PLACES if not any(place in word for word in words)]
    if lacking:
        raise InputError(
            f"A command names both {' and '.join(PLACES)}. Received: --command {command!r}, "
            f"without {' and '.join(lacking)}. Write --command NAME='program {{input}} {{output}}'."
        )
    return ExternalVocoder(name, words)


def run_external_vocoder(program: ExternalVocoder, work: Path) -> dict[str, list[Path]]:
    """Let a program make its copies of all files at once; without a shell.

    Args:
        work: an absolute path; holds `input/` with the originals, and gets `output/`.

    Returns:
        The audio files that it made, by the stem of the original.

    Raises:
        InputError: it can't be started, ends with another status than 0, or makes no such file.
    """
    originals, copies = work / "input", work / "output"
    stems = {path.stem for path in originals.iterdir()}
    copies.mkdir()
    words = [_with_folders(word, originals, copies) for word in program.words]
    with (work / "said.txt").open("w+b") as said:
        status = _status(program, words, said)
        last = _last_line(said)
    if status:
        raise InputError(
            f"A program must end with status 0. Received: {status} from {program.name}{last}. "
            "Try it on a folder of WAV files."
        )
    made, others = defaultdict(list), []
    for path in [] if copies.is_symlink() else find_files(copies, AUDIO_SUFFIXES):
        if path.stem in stems:
            made[path.stem].append(path)
        else:
            others.append(path.name)
    if not made:
        instead = f", but {others[0]}" if others else ""
        raise InputError(
            "A program fills {output} with audio files that are named as those in {input}. "
            f"Received: none from {program.name}{instead}{last}. Try it on a folder of WAV files."
        )
    return made


def _with_folders(word: str, originals: Path, copies: Path) -> str:
    paths = dict(zip(PLACES, map(str, (originals, copies)), strict=True))
    return re.sub("|".join(PLACES), lambda place: paths[place[0]], word)


def _status(program: ExternalVocoder, words: Sequence[str], said: BinaryIO) -> int:
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise InputError(
            f"A program must be one that can be started. Received: {words[0]} as {program.name} "
            f"({getattr(error, 'strerror', None) or error}). Check its path and its permissions."
        ) from None
    with _watched(process):
        try:
            return process.wait()
        finally:
            if process.returncode is None:  # interrupted: its children must end as well
                _kill(process)
                process.wait()


@contextmanager
def _watched(process: subprocess.Popen) -> Iterator[None]:
    """Let a second process kill a program and its children if this process is killed."""
    if os.name == "nt":
        yield
        return
    words = [sys.executable, "-I", "-S", "-c", WATCH, str(process.pid)]
    watch = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        watch.kill()
        watch.communicate()


def _kill(process: subprocess.Popen) -> None:
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(said: BinaryIO) -> str:
    """Return the last line that a program wrote, to stand behind its name; empty for none."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - TAIL_BYTES))
    lines = said.read().decode("utf-8", errors="replace").splitlines()
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f", which said {line[:MAX_MESSAGE_CHARACTERS]!r}" if line else ""
