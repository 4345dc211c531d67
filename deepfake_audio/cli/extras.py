"""Write the files that a user asks for beside a verdict: timeline, segments and report."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from deepfake_audio.audio.sounds import Sound
from deepfake_audio.cli.messages import print_error, print_lines, say
from deepfake_audio.cli.standard_input import STANDARD_INPUT
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError, OutputError, one_line
from deepfake_audio.inference import timeline_files
from deepfake_audio.inference.inputs import Part, in_time
from deepfake_audio.inference.reasons import why_not_judged
from deepfake_audio.inference.remote import is_remote
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.timelines import format_passages
from deepfake_audio.system.atomic_files import numbered, rename_to_free, temporary_sibling
from deepfake_audio.system.regular_files import is_folder


def write_extras(
    args: argparse.Namespace, detector: Detector, result: Result, sources: Mapping[str, Path]
) -> bool:
    """Write the files about a result that the command line asks for.

    Args:
        sources: of the recordings that have a name other than their path.

    Returns:
        False, after an error is printed, if the recording can't be read again.

    Raises:
        OutputError: a file can't be written.
    """
    if args.timeline and result.timeline():
        write_timeline(result, quiet=args.json)
    source = sources.get(result.name, Path(result.name))
    try:
        if (args.segments or args.report) and is_remote(result.name):
            raise InputError(
                f"no segments or report of {result.name}: they need its file; download it first"
            )
        if args.segments:
            cut_segments(args, detector, result, source)
        if args.report:
            write_report(args, detector, result, source)
    except OutputError:
        raise
    except InputError as error:
        print_error(error)
        return False
    return True


def cut_segments(
    args: argparse.Namespace, detector: Detector, result: Result, source: Sound
) -> None:
    """Write the FAKE passages of each part to a folder, and list the new files.

    Files with passages of one of several channels have only this channel.
    """
    from deepfake_audio.inference.segments import write_segments  # loads FFmpeg

    line, paths, passages = result.timeline(), [], {}
    for passage in line.passages if line else ():
        passages.setdefault(passage.part, []).append(passage)
    for part, its_passages in passages.items():
        named = (("track", part.track), ("channel", part.channel))
        suffix = "".join(f"-{kind}{number}" for kind, number in named if number)
        paths += write_segments(
            Path(args.segments) / f"{stem_of(result.name)}{suffix}",
            result.name,
            source,
            its_passages,
            part.track or result.windows[0].track,
            part.channel or result.channel,
            detector.decoder_megabytes,
        )
    listed = say if args.json else print_lines
    for path in paths:
        listed(f"Written: {path}")
    if not paths:
        say("No FAKE passage to cut out.")


def write_report(
    args: argparse.Namespace, detector: Detector, result: Result, source: Sound
) -> None:
    """Write the report to the named file, or to a new file in the named folder."""
    from deepfake_audio.reporting.recording_report import html_report  # plots: a second to import

    page = html_report(detector, result, source)
    path = Path(args.report)
    names = iter([path])
    if not is_report_file(path):
        path /= f"{stem_of(result.name)}.html"
        names = numbered(path)
    with temporary_sibling(path) as partial:
        partial.write_text(page, encoding="utf-8")
        path = rename_to_free(partial, names)
    if path is None:  # written since the command began
        raise OutputError(f"--report {args.report} exists already; name another file, or a folder")
    (say if args.json else print_lines)(f"Written: {path}")


def is_report_file(path: Path) -> bool:
    """Return whether `--report` names a file, and no folder."""
    return path.suffix.lower() in (".html", ".htm") and not is_folder(path)


def check_report(args: argparse.Namespace) -> None:
    """Raise an `InputError` if the report would replace a file, or is no page or folder."""
    path = Path(args.report)
    if not is_report_file(path):
        if not is_folder(path) and (args.report == STANDARD_INPUT or path.suffix):
            raise InputError(
                f"cannot write --report {path}: a report is HTML; name a file that ends in .html,"
                " or a folder, and print the page to make a PDF"
            )
        return
    if os.path.lexists(path):
        raise InputError(f"--report {path} exists already; name another file, or a folder")
    are_several = args.list is not None or len(args.files) > 1
    if are_several or any(is_folder(Path(name)) for name in filter(None, args.files)):
        raise InputError(f"--report {path} has room for one recording; name a folder")


def write_timeline(result: Result, quiet: bool) -> None:
    """Write a recording's passages and their picture to timelines/, and print the passages."""
    part = f"{result.channel}" + f", track {result.track}" * bool(result.track)
    known = f"{part}|{Path(result.name).resolve()}"
    line = result.timeline()
    peaks = [window.peaks for window in in_time(result.windows)]
    paths = timeline_files.write_timeline(
        timeline_files.TIMELINES / stem_of(result.name),
        title_of(result),
        line,
        peaks,
        why_not_judged(result.doubt),
        "" if result.name == STANDARD_INPUT else known,
    )
    if not quiet:
        print_lines(format_passages(line.passages))
        print_lines(f"Written: {one_line(paths)}")


def title_of(result: Result) -> str:
    """Return the name of a recording, with the only channel and track that were judged."""
    part = Part(result.track, result.channel).name
    return f"{result.name}, {part}" if part else result.name


def stem_of(name: str) -> str:
    """Return the begin of the names of a recording's files: it prints, and leaves room for more.

    >>> stem_of("calls/a\\nb.wav"), stem_of("-")
    ('a_b.wav', 'standard-input')
    """
    if name == STANDARD_INPUT:
        return "standard-input"
    return "".join(c if c.isprintable() else "_" for c in Path(name).name)[-60:] or "unnamed"
