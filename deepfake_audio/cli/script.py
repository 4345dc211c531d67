"""Wrap the main function of a script: exit codes, messages on one line, signals."""

import functools
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deepfake_audio.cli.address_space import address_limit
from deepfake_audio.cli.messages import print_error
from deepfake_audio.errors import DISK_FULL, NO_ROOM, InputError, one_line
from deepfake_audio.system.signals import interrupts_raised
from deepfake_audio.system.stderr import suppress_native_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it when it is imported

EXIT_OK, EXIT_SOME_FAILED, EXIT_USER_ERROR, EXIT_INTERRUPTED = 0, 1, 2, 130

OWN_MODULES = {"deepfake_audio", "model"}
REQUIREMENTS = {"predict.py": "requirements-predict.txt", "serve.py": "requirements-serve.txt"}
# The packages whose imports have another name.
PACKAGES = {"sklearn": "scikit-learn", "python_multipart": "python-multipart"}


class _WarningPrinter(logging.Handler):
    """Print what the package logs on one line of standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        print(one_line(f"Warning: {record.getMessage()}"), file=sys.stderr)


logging.getLogger("deepfake_audio").addHandler(_WarningPrinter(logging.WARNING))


def _write_no_more() -> None:
    """Send standard output nowhere, or Python would try once more when it ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _missing_package(error: ModuleNotFoundError) -> InputError:
    """Return the error that says how to install the package that an import lacks."""
    name = Path(sys.argv[0]).name or "this script"
    package = PACKAGES.get(error.name.split(".")[0], error.name.split(".")[0])
    file = REQUIREMENTS.get(name, "requirements.txt")
    return InputError(f"{name} needs the package {package}; install it with: pip install -r {file}")


def _has_working_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _end(error: BaseException, interrupted: bool) -> int:
    """Report what ended a script and return its exit code; raise again what is a bug."""
    if isinstance(error, ImportError) and "failed to map" in str(error) and address_limit():
        error = MemoryError()  # a library has no room in the address space
    match error:
        case InputError():
            print_error(error)
            return EXIT_USER_ERROR
        case ModuleNotFoundError(name=str(name)) if name.split(".")[0] not in OWN_MODULES:
            print_error(_missing_package(error))
            return EXIT_USER_ERROR
        case BrokenPipeError():
            _write_no_more()
            return EXIT_SOME_FAILED
        case OSError(errno=code) if code in DISK_FULL:
            print_error(f"cannot write a result: {error}; free some space")
            _write_no_more()
            return EXIT_USER_ERROR
        case FileNotFoundError(filename=None) if not _has_working_folder():
            print_error("the working folder was removed; start in another folder")
            return EXIT_USER_ERROR
        case OSError() if any(words in str(error) for words in NO_ROOM):
            print_error(
                "cannot write temporary files: no folder for them can be written to; set TMPDIR to "
                "one"
            )
            return EXIT_USER_ERROR
        case MemoryError():
            print_error("out of memory; close other programs, or use fewer workers")
            return EXIT_USER_ERROR
    if interrupted or isinstance(error, KeyboardInterrupt):
        print_error("Interrupted.")
        return EXIT_INTERRUPTED
    raise error


def script(main: Callable[..., int]) -> Callable[..., int]:
    """Wrap a script's `main`: it returns an exit code, a user error shows no traceback.

    Args:
        main: takes the command line without the program's name (None: `sys.argv`), returns 0 or 1.

    Returns:
        The same function; an `InputError` becomes one line on standard error and exit code 2,
        Ctrl-C becomes 130, and a reader that went away (`| head`) ends the script quietly.
        Any other exception is a bug and keeps its traceback.
    """

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        with suppress_native_stderr(), interrupts_raised() as interrupted:
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, io.TextIOWrapper):  # file names may hold any bytes
                    stream.reconfigure(errors="backslashreplace")
            try:
                exit_code = main(argv)
                if sys.stdout is not None:
                    sys.stdout.flush()
                return exit_code
            except (Exception, KeyboardInterrupt) as error:
                return _end(error, interrupted.is_set())

    return run
