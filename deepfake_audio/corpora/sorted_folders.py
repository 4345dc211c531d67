"""The folders that files are sorted into: which of them mean a class, and which a split."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deepfake_audio.errors import InputError, first_names
from deepfake_audio.tables.class_names import (
    SPLIT_ALIASES,
    NamePart,
    class_in,
    label_of,
    split_of,
    split_word,
    words_of,
)

BOTH = {"real", "fake"}
# Words of a class that are given names too, if they are spelled so.
GIVEN_NAMES = frozenset({"Vera", "Vero", "Ai", "Ki"})


@dataclass(frozen=True)
class SortedFolders:
    """The meaning of folders, each by its path with a slash at the end.

    Attributes:
        labels: the label and the generator of each class folder.
        conflicts: a class folder below one of the other class, by the outer one.
        paired: the folders that name a split if others at their depth name another one.
    """

    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)
    paired: frozenset[str] = frozenset()

    @property
    def classes(self) -> set[str]:
        """Return the labels that the class folders have."""
        return {label for label, _ in self.labels.values()}

    def place(self, name: str) -> tuple[str, str]:
        """Return the split and the label of a file, each empty if no folder means one.

        The split's folder is above the class folder, or else it, or else below it.

        >>> folders = sort_folders(["training/REAL/a.wav", "training/spoof/a.wav"])
        >>> folders.place("training/REAL/a.wav")
        ('train', 'real')
        """
        above = within = below = label = ""
        for path, folder, parent in _folders_of(name):
            split = split_word(folder) if path in self.paired else ""
            if label:
                is_near = parent in self.labels
                below = below or split or (split_of(folder) if is_near else "")
            elif path in self.labels:
                label, within = self.labels[path][0], split or split_of(folder)
            else:
                above = split or split_of(folder) or above
        return above or within or below, label

    def generator(self, name: str) -> str:
        """Return the generator that a class folder such as `fake_vits` names, else ""."""
        found = (self.labels[path][1] for path, *_ in _folders_of(name) if path in self.labels)
        return next(found, "")

    def check_conflicts(self) -> None:
        """Raise an `InputError` if the class of some folders is not clear."""
        for outer, inner in self.conflicts.items():
            raise InputError(
                f"{outer} means {self.labels[outer][0]}, and {inner} below it means the other "
                "class; rename one of these folders, so that one of them means no class"
            )

    def split_notes(self, names: Iterable[str]) -> Iterator[str]:
        """Yield a sentence about the folders of files that are guessed or look like splits."""
        guessed, unused = {}, {}
        for name in names:
            split, label = self.place(name)
            for path, folder, _ in _folders_of(name) if label else ():
                if path in self.paired and split and not split_of(folder):
                    guessed[path] = True
                elif not split and SPLIT_ALIASES.keys() & words_of(folder):
                    unused[path] = True
        if guessed:
            yield f"The splits are those that the folders {first_names(sorted(guessed))} name."
        if unused:
            yield (
                f"Not used, though their names look like splits: {first_names(sorted(unused))}; "
                "rename them to train, val or test."
            )

    def unknown_siblings(self, names: Iterable[str]) -> dict[str, int]:
        """Return the folders beside class folders that name no class and no split; count files."""
        parents = {_parent(path) for path in self.labels}
        unknown: dict[str, int] = {}
        for name in names:
            for path, folder, parent in _folders_of(name):
                if path in self.labels:
                    break
                if parent in parents and not split_of(folder) and path not in self.paired:
                    unknown[path] = unknown.get(path, 0) + 1
                    break
        return unknown


def sort_folders(names: Iterable[str]) -> SortedFolders:
    """Find the folders that mean a class or a split.

    Folders such as `fake_vits` beside `real` are class folders too if both classes are there. A
    folder with folders of both classes below it, such as `tts`, is none.

    Args:
        names: paths of files, with forward slashes.
    """
    siblings: dict[str, set[str]] = {"": set()}
    for name in names:
        for path, folder, parent in _folders_of(name):
            siblings[parent].add(folder)
            siblings.setdefault(path, set())
    named: dict[str, tuple[str, str]] = {}
    for parent, folders in siblings.items():
        classes = _classes_of(sorted(folders))
        named |= {f"{parent}{folder}/": found for folder, found in classes.items()}
    _remove_repeated(named, siblings)
    conflicts = _remove_outer(named)
    return SortedFolders(named, conflicts, _paired_splits(siblings))


def _classes_of(folders: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the class and the generator of those of some siblings that name a class."""
    labels = {folder: label for folder in folders if (label := label_of(folder))}
    if {*labels.values()} != BOTH:
        labels = {f: label for f, label in labels.items() if f not in GIVEN_NAMES}
    named = {folder: (label, "") for folder, label in labels.items()}
    if len(labels) == len(folders):
        return named
    parts = {folder: part for folder in folders if (part := class_in(folder))}
    known = {(part.label, part.rest) for part in parts.values()}
    parts = {f: p for f, p in parts.items() if p.is_clear or _has_twin(p, known)}
    if {part.label for part in parts.values()} != BOTH:
        return named
    shared = {word for part in parts.values() if part.label == "real" for word in part.rest}
    return {
        folder: (
            part.label,
            "_".join(w for w in part.rest if w not in shared) if part.label == "fake" else "",
        )
        for folder, part in parts.items()
    }


def _has_twin(part: NamePart, known: set[tuple[str, tuple[str, ...]]]) -> bool:
    """Return whether a folder of the other class has the same other words."""
    return (*(BOTH - {part.label}), part.rest) in known


def _remove_repeated(named: dict[str, tuple[str, str]], siblings: Mapping[str, set[str]]) -> None:
    """Remove class folders that are below both classes, such as a speaker `vera` in each."""
    outer_labels = defaultdict(set)
    for parent, folders in siblings.items():
        above = next((named[path][0] for path, *_ in _folders_of(parent) if path in named), "")
        for folder in folders if above else ():
            outer_labels[folder].add(above)
    for path in list(named):
        folder, parent = path[:-1].rpartition("/")[2], _parent(path)
        is_inner = any(above in named for above, *_ in _folders_of(parent))
        beside = {named[p][0] for f in siblings[parent] if (p := f"{parent}{f}/") in named}
        if is_inner and outer_labels[folder] == BOTH and beside != BOTH:
            del named[path]


def _remove_outer(named: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Remove folders that hold folders of both classes; return the conflicts that are left."""
    below: dict[str, Counter[str]] = defaultdict(Counter)
    peers: dict[str, list[str]] = defaultdict(list)
    for path, (label, _) in named.items():
        peers[_parent(path)].append(path)
        for above in _above(path):
            below[above][label] += 1
    conflicts = {}
    for path in sorted(named, key=lambda path: (-path.count("/"), path)):
        label, parent = named[path][0], _parent(path)
        if {*+below[path]} <= {label}:
            continue
        beside = [each for each in peers[parent] if each in named]
        within = below[parent] - Counter(named[each][0] for each in beside)
        if {named[each][0] for each in beside} == BOTH:
            is_outer = all({*+below[each]} == BOTH for each in beside)
        else:
            is_outer = BOTH in ({*+below[path]}, {*within})
        if is_outer:
            del named[path]
            for above in _above(path):
                below[above][label] -= 1
        else:
            conflicts[path] = min(
                each for each, (other, _) in named.items()
                if other != label and each.startswith(path)
            )  # fmt: skip
    return conflicts


def _paired_splits(siblings: Mapping[str, set[str]]) -> frozenset[str]:
    """Return the folders that name a split, if others at their depth name another one."""
    splits: dict[int, dict[str, str]] = defaultdict(dict)
    for parent, folders in siblings.items():
        for folder in folders:
            if split := split_word(folder):
                splits[parent.count("/")][f"{parent}{folder}/"] = split
    return frozenset(p for of in splits.values() if len({*of.values()}) > 1 for p in of)


def _above(path: str) -> Iterator[str]:
    """Yield the paths of all folders above a folder, the root as an empty one."""
    while path:
        path = _parent(path)
        yield path


def _folders_of(name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the path, the name and the parent's path of each folder above a file."""
    parent = ""
    for folder in name.split("/")[:-1]:
        path = f"{parent}{folder}/"
        yield path, folder, parent
        parent = path


def _parent(path: str) -> str:
    above = path[:-1].rpartition("/")[0]
    return f"{above}/" if above else ""
