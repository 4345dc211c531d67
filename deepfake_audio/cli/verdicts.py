"""Print verdicts for people."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TextIO, TypeVar

from deepfake_audio.cli.messages import say
from deepfake_audio.detector import Detector
from deepfake_audio.errors import one_line, pluralize
from deepfake_audio.inference.listing import FileList
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.timelines import SEE_TIMELINE
from deepfake_audio.models import run_folder
from deepfake_audio.vocabulary import VERDICTS, format_confidence

T = TypeVar("T")
FAILED = "failed"  # counted beside the verdicts


def format_verdict(result: Result, has_timeline: bool = False) -> str:
    """Return one line for people; no confidence is shown as more than 99.9%.

    If the timeline follows, no note refers to it.
    """
    shown = "-" if result.confidence is None else format_confidence(result.confidence)
    reasons = "; ".join(reason.text for reason in result.reasons)
    reasons = reasons.replace(SEE_TIMELINE, "") if has_timeline else reasons
    line = f"{result.verdict:9} {shown:>7}  {one_line(result.name)}"
    return f"{line}  ({reasons})" if reasons else line


def progress(results: Iterator[T]) -> Iterator[T]:
    """Show a count of files on a terminal if the verdicts go elsewhere."""
    if is_terminal(sys.stdout) or not is_terminal(sys.stderr):
        return results
    from tqdm import tqdm  # slow to import

    return iter(tqdm(results, desc="Judging", unit=" files"))


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def print_summary(files: FileList, counts: Counter[str], only_problems: bool) -> None:
    """Print on standard error how many files had which verdict, were skipped, or failed."""
    judged = counts.total() - counts[FAILED]
    if judged > 1 and not only_problems:
        verdicts = ", ".join(f"{counts[name]:,} {name}" for name in VERDICTS if counts[name])
        say(f"{pluralize(judged, 'file')}: {verdicts}.")
    if files.skipped:
        say(skipped_line(files.skipped))
    if counts[FAILED]:
        say(f"{pluralize(counts[FAILED], 'file')} could not be judged.")


def describe_judge(detector: Detector) -> str:
    """Describe the run that judges, for a user who did not choose one."""
    line = f"Judged by {one_line(detector.run.folder)}; --run names another."
    if detector.run.folder == run_folder.PRETRAINED and any(run_folder.RUNS.glob("*/run.json")):
        line += " Runs that were trained on the sample are used only if they are named."
    return line


def skipped_line(skipped: Counter[str]) -> str:
    """Describe the files of folders that were skipped, by their suffix.

    >>> skipped_line(Counter({".txt": 2, "": 1}))
    'Passed over for their names: 2 .txt, 1 without a suffix. Name a file to judge it.'
    """
    kinds = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in skipped.most_common()]
    return f"Passed over for their names: {one_line(', '.join(kinds))}. Name a file to judge it."
