"""Match the names of scored files with those of the keys."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_table import trial_stem
from deepfake_audio.system.csv_files import without_blank_ends


def match_names(
    scores: Collection[str], listed: Sequence[str], path: Path, root: Path
) -> list[str | None]:
    """Return the name of each listed file among the scores, None if it has no score.

    Names match if they are equal, if they are the same path (seen from the folder of the keys), or
    if they have the same stem. If several names have that stem, the folders before it decide: the
    most that are equal, at least one. Blanks at either end count only if names match with them:
    tables of keys cannot keep them.

    Raises:
        InputError: several scores match a file equally well.
    """
    if all(file in scores for file in listed):
        return list(listed)
    names = [file if file in scores else None for file in listed]
    _match_paths(names, scores, listed, root)
    taken = {name for name in names if name is not None}
    by_stem, places = defaultdict(list), defaultdict(list)
    for name in scores:
        if name not in taken:
            by_stem[_plain(trial_stem(name))].append(name)
    times = Counter(_plain(trial_stem(file)) for file in listed)
    for place, file in enumerate(listed):
        if names[place] is None:
            places[_plain(trial_stem(file))].append(place)
    for stem, missing in places.items():
        candidates = by_stem.get(stem, ())
        if len(candidates) == 1 and times[stem] == 1:
            names[missing[0]] = candidates[0]
        elif candidates:
            _match_folders(names, missing, candidates, listed, path, is_only=times[stem] == 1)
    return names


def _match_paths(
    names: list[str | None], scores: Collection[str], listed: Sequence[str], root: Path
) -> None:
    here, by_path, by_trimmed_path = Path.cwd(), {}, {}
    for name in scores:
        by_path[_whole_path(here, name)] = name
        trimmed = _whole_path(here, without_blank_ends(name))
        by_trimmed_path[trimmed] = None if trimmed in by_trimmed_path else name
    for place, file in enumerate(listed):
        if names[place] is None:
            path = _whole_path(here / root, file)
            names[place] = by_path.get(path) or by_trimmed_path.get(path)


def _whole_path(folder: Path, name: str) -> str:
    return os.path.normpath(f"{folder}/{name}" if name[:1] != "/" else name)


def _match_folders(
    names: list[str | None],
    places: Sequence[int],
    candidates: Sequence[str],
    listed: Sequence[str],
    path: Path,
    is_only: bool,
) -> None:
    """Match the files of one stem by the folders before it."""
    folders = {name: _folders(name) for name in candidates}
    best = {}
    for place in places:
        common = {name: _common_end(_folders(listed[place]), folders[name]) for name in candidates}
        most = max(common.values())
        found = [name for name in candidates if common[name] == most]
        if len(found) > 1 and (is_only or most):
            raise InputError(
                f"{path} has several scores for {trial_stem(listed[place])}: "
                f"{found[0]}, {found[1]}; "
                "use one of these paths in the keys, as a CSV with file,label"
            )
        if len(found) == 1 and (most or is_only):
            best[place] = found[0]
    times = Counter(best.values())
    for place, name in best.items():
        names[place] = name if times[name] == 1 else None


def _folders(name: str) -> list[str]:
    """Return the folders of a name, the last first."""
    return _plain(name).replace("\\", "/").split("/")[-2::-1]


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = list(zip(one, other, strict=False))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))


def _plain(name: str) -> str:
    """Return a name in lower case with composed letters; macOS decomposes them."""
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).lower()
