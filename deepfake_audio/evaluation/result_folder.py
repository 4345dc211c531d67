"""Choose and check the folder of an evaluation's results."""

import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path

from deepfake_audio.dataset.manifest import MANIFEST
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.atomic_files import is_a_link
from deepfake_audio.system.regular_files import is_file, is_folder, is_of_network, open_regular

TITLES = {
    "curves": "loss and accuracy over the epochs", "roc": "ROC", "det": "DET",
    "confusion": "verdicts", "scores": "scores", "reliability": "reliability",
}  # fmt: skip
SCORES, TRIALS, REPORT, METRICS = "scores.csv", "trials.txt", "report.html", "metrics.json"
RESULTS = (SCORES, METRICS, REPORT, TRIALS, *(f"{picture}.png" for picture in TITLES))
MAX_METRICS_BYTES = 100_000_000


def choose_output(
    out: str | None, usual: Path, origin: Path, inputs: Mapping[str, str | None]
) -> tuple[Path, str]:
    """Choose the folder of results, so that results of other files are kept.

    Args:
        out: the folder that the user named; results of other data in it are an error.
        usual: the folder if the user named none; a number is added if it has other results.
        origin: the data, or the score file.
        inputs: the run, or the keys, their subset and the like.

    Returns:
        The folder, and a sentence about the results in `usual` if they are kept.

    Raises:
        InputError: a result would replace an input, a foreign file or other results.
    """
    ours = {"data": str(origin)} | inputs
    if out is not None:
        check_output(Path(out), ours)
        return Path(out), ""
    numbered = (usual.with_name(f"{usual.name}-{number}") for number in itertools.count(2))
    folders = itertools.chain([usual], numbered)
    folder = next(folder for folder in folders if may_replace(folder, ours))
    if folder.is_symlink():
        raise is_a_link(folder)
    check_results(folder, ours)
    if folder == usual:
        return folder, ""
    theirs = one_line(read_metrics(usual).get("data") or "other files")
    return (
        folder,
        f"{usual} has the results of {theirs}, which are kept; these results go to {folder}.",
    )


def check_output(folder: Path, ours: Mapping[str, str | None]) -> None:
    """Raise an `InputError` unless the results of our files can be written to a folder."""
    theirs = read_metrics(folder)
    if folder.is_symlink():
        raise is_a_link(folder)
    check_results(folder, ours)
    if not may_replace(folder, ours) or theirs.get("run") not in (None, ours.get("run")):
        found = f"it has the results of {one_line(theirs.get('data') or 'other files')}"
    elif is_file(folder / "run.json"):
        found = "it is a run"
    elif os.path.lexists(folder) and not is_folder(folder):
        found = "it is not a folder"
    else:
        return
    raise InputError(
        f"cannot write results to {one_line(folder)}: {found}; "
        "name another folder with --out, or remove it"
    )


def may_replace(folder: Path, ours: Mapping[str, str | None]) -> bool:
    """Return whether a folder has no results, or results of the same data, keys and subset."""
    theirs = read_metrics(folder)
    if foreign_file(folder):
        return False
    return not theirs or all(
        canonical_path(theirs.get(name)) == canonical_path(ours.get(name))
        for name in ("data", "keys", "subset")
    )


def foreign_file(folder: Path) -> str:
    """Return a file that has the name of a result but that no evaluation wrote, or empty.

    metrics.json lists the files that were written with it; earlier versions listed none.
    """
    found = [name for name in RESULTS if os.path.lexists(folder / name)]
    theirs = read_metrics(folder)
    listed = theirs.get("files", [*RESULTS] if theirs else [])
    is_ours = {"data", "settings", "splits"} <= theirs.keys() and isinstance(listed, list)
    if theirs and not is_ours:
        return METRICS
    return next((name for name in found if name not in listed), "")


def check_results(folder: Path, inputs: Mapping[str, object]) -> None:
    """Raise an `InputError` if a result would replace an input or a foreign file."""
    foreign = foreign_file(folder)
    if foreign:
        raise InputError(
            f"cannot write results to {one_line(folder)}: no evaluation wrote its {foreign}; "
            "move that file, or name another folder with --out"
        )
    for name, given in itertools.product(RESULTS, inputs.values()):
        path = folder / name
        if (
            isinstance(given, str)
            and is_file(path)
            and canonical_path(given) == canonical_path(str(path))
        ):
            raise InputError(
                f"cannot write results to {one_line(folder)}: its {name} is an input; "
                "name another folder with --out"
            )


def canonical_path(name: object) -> str | None:
    """Return a path without links; a manifest becomes its folder.

    A path of another machine stays as it is: a stranger's run or results may contain it.
    """
    if not isinstance(name, str):
        return None
    if is_of_network(name):
        return name
    try:
        place = os.path.realpath(name)
    except ValueError:  # not a path
        return name
    return place.removesuffix(f"{os.sep}{MANIFEST}")


def read_metrics(folder: Path) -> dict:
    """Return the content of metrics.json: `{}` if absent, `data` None if unreadable."""
    path = folder / METRICS
    if not is_file(path):
        return {}
    try:
        with open_regular(path, METRICS) as file:
            encoded = file.read(MAX_METRICS_BYTES + 1)
        found = json.loads(encoded) if len(encoded) <= MAX_METRICS_BYTES else None
    except (OSError, ValueError, RecursionError, InputError):
        found = None
    return found if isinstance(found, dict) and found else {"data": None}
