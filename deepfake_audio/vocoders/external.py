"""External vocoders: programs that turn a folder of WAV files into a folder of fakes."""

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
from deepfake_audio.corpora.known_corpora import known_layouts
from deepfake_audio.errors import InputError
from deepfake_audio.system.folder_walk import find_files
from deepfake_audio.vocabulary import AUDIO_SUFFIXES

PLACEHOLDERS = ("{input}", "{output}")
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}")
TAIL_BYTES = 4096  # of a program's standard error
MAX_MESSAGE_CHARACTERS = 200
# Standard input ends when the process that started this has ended, even if it was killed.
WATCH = "import os, sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), 9)"


class ExternalVocoder(NamedTuple):
    """A vocoder to start: the name of its fakes, and its command's words with `PLACEHOLDERS`."""

    name: str
    words: list[str]


def read_external_vocoders(
    commands: Sequence[str], taken: Collection[str]
) -> list[ExternalVocoder]:
    """Read the commands of external vocoders.

    Args:
        commands: `NAME=program {input} {output}` each, quoted as in a shell.
        taken: names of other kinds of fakes.

    Raises:
        InputError: a name that can't be a folder of a corpus or isn't its own, or a command that
            can't be split into words or lacks one of `PLACEHOLDERS`.
    """
    programs = []
    for command in commands:
        program = _read_external_vocoder(command)
        others = [*taken, *(other.name for other in programs)]
        if program.name.lower() in map(str.lower, others):  # some disks know no case
            raise InputError(
                f"--command {program.name}=... has the name of another kind of fake; "
                f"{', '.join(others)} are taken"
            )
        programs.append(program)
    return programs


def _read_external_vocoder(command: str) -> ExternalVocoder:
    name, _, line = command.partition("=")
    if not NAME.fullmatch(name):
        raise InputError(
            f"--command {command!r} has no usable name; write --command NAME='program {{input}} "
            "{output}' with a NAME of at most 60 letters, digits, '.', '_' and '-', not first a '.'"
        )
    if known_layouts(Tree(Path(), [f"fake/{name}/a.wav"], [])) != {"folders"}:
        raise InputError(
            f"--command {name}=... has the name of a public corpus's folder; choose another name"
        )
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(
            f"cannot split --command {command!r} into words: {error}; quote it as in a shell"
        ) from None
    lacking = [each for each in PLACEHOLDERS if not any(each in word for word in words)]
    if lacking:
        raise InputError(
            f"--command {command!r} lacks {' and '.join(lacking)}; "
            "write --command NAME='program {input} {output}'"
        )
    return ExternalVocoder(name, words)


def run_external_vocoder(program: ExternalVocoder, work: Path) -> dict[str, list[Path]]:
    """Run a vocoder once on all files, without a shell.

    Args:
        work: an absolute path; contains `input/` with the originals, and receives `output/`.

    Returns:
        The audio files that it made, by the stem of the original.

    Raises:
        InputError: the program can't be started, fails, or makes no such file.
    """
    originals, fakes = work / "input", work / "output"
    stems = {path.stem for path in originals.iterdir()}
    fakes.mkdir()
    words = [_with_folders(word, originals, fakes) for word in program.words]
    with (work / "stderr.txt").open("w+b") as stderr:
        status = _exit_status(program, words, stderr)
        last = _last_line(stderr)
    if status:
        raise InputError(
            f"{program.name} failed with status {status}{last}; try it on a folder of WAV files"
        )
    made, others = defaultdict(list), []
    for path in [] if fakes.is_symlink() else find_files(fakes, AUDIO_SUFFIXES):
        if path.stem in stems:
            made[path.stem].append(path)
        else:
            others.append(path.name)
    if not made:
        instead = f", but {others[0]}" if others else ""
        raise InputError(
            f"{program.name} made no audio file in {{output}} with a name from "
            f"{{input}}{instead}{last}; try it on a folder of WAV files"
        )
    return made


def _with_folders(word: str, originals: Path, fakes: Path) -> str:
    paths = dict(zip(PLACEHOLDERS, map(str, (originals, fakes)), strict=True))
    return re.sub("|".join(PLACEHOLDERS), lambda found: paths[found[0]], word)


def _exit_status(program: ExternalVocoder, words: Sequence[str], stderr: BinaryIO) -> int:
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot start {words[0]} as {program.name}: "
            f"{getattr(error, 'strerror', None) or error}; check its path and its permissions"
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


def _last_line(stderr: BinaryIO) -> str:
    """Return the last line of a program's standard error as a clause; empty if there is none."""
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - TAIL_BYTES))
    lines = stderr.read().decode("utf-8", errors="replace").splitlines()
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f", and wrote {line[:MAX_MESSAGE_CHARACTERS]!r}" if line else ""
