"""Read a corpus: its audio files with labels, speakers, splits, generators and codecs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from deepfake_audio.corpora.index import Tree, index_tree
from deepfake_audio.corpora.known_corpora import CORPORA, LOOKED_FOR, check_keys, known_layouts
from deepfake_audio.corpora.label_tables import (
    LABEL_TABLE,
    check_label_table,
    column_notes,
    describe_tables,
    find_tables,
)
from deepfake_audio.corpora.layouts import Listing
from deepfake_audio.corpora.sorted_folders import BOTH, sort_folders
from deepfake_audio.errors import InputError, first_names, one_line, pluralize
from deepfake_audio.vocabulary import IMAGE_SUFFIXES

OF_A_FLOAT = re.compile(r"^(\d+)\.0+$")  # the number of a speaker, if blank cells made it a float
SUBSETS = ("eval", "progress", "hidden", "all")
# The same LA_E_####### may be one recording in 2019 and another in 2021.
AUDIO_OF_OTHERS = {
    "asvspoof2019": ("ASVspoof2021_LA_eval", "ASVspoof2021_DF_eval"),
    "asvspoof2021-la": ("ASVspoof2019_LA_", "ASVspoof2021_DF_eval"),
    "asvspoof2021-df": ("ASVspoof2019_LA_", "ASVspoof2021_LA_eval"),
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file of a corpus; unknown facts are empty.

    Attributes:
        path: the existing audio file.
        name: its path below the corpus root, with forward slashes.
        label: "fake" or "real".
        split: "train", "val" or "test" if the corpus ships a split.
        split_key: never in two splits: the speaker in the first of its spellings, else the only
            speaker known of the sentence, else the sentence, else the file.
    """

    path: Path
    name: str
    label: str
    split: str = ""
    speaker: str = ""
    attack: str = ""
    codec: str = ""
    corpus: str = ""
    split_key: str = ""


@dataclass
class Corpus:
    """The files of a corpus, and the files that are not used.

    Attributes:
        name: a key of `CORPORA`.
        subset: the chosen part of ASVspoof 2021.
        is_images: the files are images.
        passed_over: on disk, with suffixes of neither audio nor tables.
        unreadable: folders that can't be entered, with the reason.
        not_entered: links to folders that are not entered.
        clips: the files to use, in the order of the protocol, else of their names.
        missing: listed, but not on disk.
        missing_splits: the split of each of `missing`, empty if the corpus ships none.
        unlisted: audio on disk that is listed nowhere, such as enrolment files and second copies.
        repeated: listed again with the same label; the first listing counts.
        unknown_folders: folders beside class folders that name no class, with their files.
        notes: sentences about what was guessed, or is not used.
    """

    name: str
    subset: str
    is_images: bool
    passed_over: list[str]
    unreadable: list[str]
    not_entered: list[str]
    clips: list[Clip] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    missing_splits: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    unknown_folders: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_corpus(root: Path, name: str | None = None, subset: str | None = None) -> Corpus:
    """Read a corpus as it was unpacked: its audio files and its protocols.

    Args:
        root: the corpus folder, or a folder above it.
        name: a key of `CORPORA`; None detects it.
        subset: one of `SUBSETS` for ASVspoof 2021, else None.

    Returns:
        The clips with their labels, and the missing, unlisted and repeated files.

    Raises:
        InputError: no audio, no known corpus or several, a malformed protocol, a wrong subset, none
            of the listed audio on disk, or folders of unknown classes instead of a class.
    """
    tree = index_tree(root, or_images=True)
    name = name or _detect(tree)
    if name not in CORPORA:
        raise InputError(f"{name!r} is not a corpus; the corpora are {', '.join(CORPORA)}")
    check_keys(name, tree)
    _check_subset(name, subset, tree)
    if others := AUDIO_OF_OTHERS.get(name):
        audio = [file for file in tree.audio if not any(other in file for other in others)]
        tree = replace(tree, audio=audio)
    corpus = _match(name, tree, CORPORA[name](tree), subset or "")
    if name == "folders":
        _explain_folders(tree, corpus)
    return corpus


def _explain_folders(tree: Tree, corpus: Corpus) -> None:
    """Note what tables and folders leave unclear.

    Raises:
        InputError: one class is missing, beside folders of unknown classes.
    """
    tables, folders = find_tables(tree), tree.folders
    used = {table.name for table in tables.used}
    corpus.passed_over = [name for name in corpus.passed_over if name not in used]
    # A table may give other splits.
    names = (clip.name for clip in corpus.clips if clip.split == folders.place(clip.name)[0])
    corpus.notes += [*tables.notes, *column_notes(tables.used), *folders.split_notes(names)]
    corpus.unknown_folders = folders.unknown_siblings(corpus.unlisted)
    if len(folders.classes) == 1 and corpus.unknown_folders:
        (label,) = folders.classes
        other = "fake" if label == "real" else "real"
        raise InputError(
            f"rename {first_names(corpus.unknown_folders)} in {tree.root} to {other}, or label its "
            f"files in {LABEL_TABLE}: only {first_names(folders.labels)} names a class ({label})"
        )


def detect_corpus(root: Path) -> str:
    """Return the key in `CORPORA` of the corpus in a folder.

    Raises:
        InputError: no audio, no known layout, or several.
    """
    return _detect(index_tree(root))


def _detect(tree: Tree) -> str:
    found = known_layouts(tree)
    if found <= {"folders"}:
        check_label_table(tree)
    if len(found) > 1:
        raise InputError(
            f"{tree.root} contains several corpora: {', '.join(sorted(found))}; "
            "name one with --corpus, or give the folder of one"
        )
    if not found:
        files = "images" if tree.is_images else "audio"
        folders = dict.fromkeys(f"{name.partition('/')[0]}/" for name in tree.audio if "/" in name)
        fact = f"it has {first_names(folders)}" if folders else "it has no folders"
        _check_images(tree)
        raise InputError(
            f"sort the {files} of {tree.root} into real/ and fake/, or label it in {LABEL_TABLE}: "
            f"{fact}, and no corpus of a known layout (docs/own-data.md){describe_tables(tree)}"
        )
    return found.pop()


def _check_images(tree: Tree) -> None:
    """Raise an `InputError` if class folders have images, and stray audio hides them."""
    images = [name for name in tree.others if name.lower().endswith((*IMAGE_SUFFIXES,))]
    places = sort_folders(images)
    if not tree.is_images and places.classes == BOTH:
        raise InputError(
            f"{tree.root} has images in {first_names(places.labels)} and audio outside of them, "
            f"such as {tree.audio[0]}; move {pluralize(len(tree.audio), 'audio file')} elsewhere "
            "to use the images"
        )


def _match(name: str, tree: Tree, listings: Iterable[Listing], subset: str) -> Corpus:
    corpus = Corpus(
        name, subset, tree.is_images, _passed_over(tree), tree.unreadable, tree.not_entered
    )
    label_of, elsewhere, spellings = {}, [], {}
    for listing in listings:
        found = tree.find(listing.file, listing.near)
        key = found or listing.listed_as
        if key in label_of:
            _check_same_label(listing, label_of[key], found)
            corpus.repeated.append(listing.listed_as)
            continue
        label_of[key] = listing.label
        if subset not in ("", "all", listing.subset):
            continue
        if found:
            elsewhere += [(listing.elsewhere, found)] if listing.elsewhere else []
            corpus.clips.append(_clip(tree.root, found, listing, spellings))
        else:
            corpus.missing.append(listing.listed_as)
            corpus.missing_splits.append(listing.split)
    _check_some_found(corpus, tree.root)
    for listed, found in elsewhere[:1]:
        files = "1 file was" if len(elsewhere) == 1 else f"{len(elsewhere):,} files were"
        corpus.notes.append(
            f"{files} found by name in another folder than listed, such as {one_line(listed)} as "
            f"{one_line(found)}."
        )
    corpus.unlisted.extend(file for file in tree.audio if file not in label_of)
    return corpus


def _passed_over(tree: Tree) -> list[str]:
    """Return files that may be meant as audio, such as a text among the files of a class."""
    texts = [
        name
        for name in tree.tables
        if name.lower().endswith(".txt") and tree.folders.place(name)[1]
    ]
    return sorted([*tree.others, *texts])


def _clip(root: Path, name: str, listing: Listing, spellings: dict[str, str]) -> Clip:
    attack = listing.attack if listing.label == "fake" else ""
    speaker, group = (
        spellings.setdefault(OF_A_FLOAT.sub(r"\1", given.casefold()), given)
        for given in (listing.speaker, listing.split_key or listing.speaker)
    )
    group = group or name
    facts = (listing.split, speaker, attack, listing.codec, listing.corpus, group)
    return Clip(root / name, name, listing.label, *facts)


def _check_same_label(listing: Listing, label: str, found: str | None) -> None:
    if listing.label != label:
        raise InputError(
            f"{listing.listed_as} is {listing.label} in {listing.origin}, and {label} before; "
            f"correct one of the two{'' if found else ', or list each file with its folder'}"
        )


def _check_some_found(corpus: Corpus, root: Path) -> None:
    if not corpus.clips:
        first = f", such as {corpus.missing[0]}," if corpus.missing else ""
        raise InputError(
            f"none of {len(corpus.missing):,} listed files{first} is below {root}; "
            f"unpack the audio there ({corpus.name}: {LOOKED_FOR[corpus.name]})"
        )


def _check_subset(name: str, subset: str | None, tree: Tree) -> None:
    has_subsets = name.startswith("asvspoof2021")
    if has_subsets and subset is None:
        found = {listing.subset for listing in CORPORA[name](tree)} - {""}
        if len(found) == 1:
            return  # keys of only one subset, such as eval
    if has_subsets and subset not in SUBSETS:
        raise InputError(
            f"--subset is {subset or 'missing'}; ASVspoof 2021 needs {'|'.join(SUBSETS)}: "
            "official figures use eval, the others give different ones"
        )
    if subset is not None and not has_subsets:
        raise InputError(
            f"{name} has no subset {subset!r}; leave --subset out: only ASVspoof 2021 has subsets"
        )
