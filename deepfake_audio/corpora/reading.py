"""The public corpora: which audio files each holds, real or fake, of whom and made by what."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from deepfake_audio.corpora.index import Tree, index_tree
from deepfake_audio.corpora.layouts import (
    CORPORA,
    LOOKED_FOR,
    Listing,
    check_label_table,
    infer_split_and_label,
    known_layouts,
    list_table,
)
from deepfake_audio.errors import InputError
from deepfake_audio.vocabulary import AUDIO_SUFFIXES

__all__ = (
    "AUDIO_SUFFIXES", "CORPORA", "SUBSETS", "Clip", "Corpus", "detect_corpus", "read_clip_list",
    "read_corpus",
)  # fmt: skip
SUBSETS = ("eval", "progress", "hidden", "all")
# The same LA_E_####### may be one recording in 2019 and another in 2021.
AUDIO_OF_OTHERS = {
    "asvspoof2019": ("ASVspoof2021_LA_eval", "ASVspoof2021_DF_eval"),
    "asvspoof2021-la": ("ASVspoof2019_LA_", "ASVspoof2021_DF_eval"),
    "asvspoof2021-df": ("ASVspoof2019_LA_", "ASVspoof2021_LA_eval"),
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file of a corpus; what is not known is empty.

    Attributes:
        path: the existing audio file.
        name: its path below the corpus root, with forward slashes.
        label: "fake" or "real".
        split: "train", "val" or "test" if the corpus ships a split.
        split_key: never in two splits: the speaker, else the only speaker known of the sentence,
            else the sentence, else the file.
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


@dataclass(frozen=True)
class Corpus:
    """What a reader found.

    Attributes:
        name: a key of `CORPORA`.
        clips: the files to use, in the order of the protocol, else of their names.
        missing: listed, but not on disk.
        unlisted: audio on disk that is listed nowhere, such as enrolment files and second copies.
        repeated: listed again with the same label; the first listing counts.
        subset: the part of ASVspoof 2021 that was asked for.
        passed_over: on disk, but by their names neither audio nor tables.
        unreadable: folders that can't be entered, with the reason.
        missing_splits: of each of `missing`, empty where the corpus ships none.
        not_entered: links to folders that are not entered.
    """

    name: str
    clips: list[Clip]
    missing: list[str]
    unlisted: list[str]
    repeated: list[str]
    subset: str = ""
    passed_over: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    missing_splits: list[str] = field(default_factory=list)
    not_entered: list[str] = field(default_factory=list)


def read_corpus(root: Path, name: str | None = None, subset: str | None = None) -> Corpus:
    """Read a corpus as it was unpacked: which audio it holds, and what its protocols say of it.

    Args:
        root: the corpus folder, or one that holds it.
        name: a key of `CORPORA`; None to go by what lies in the folder.
        subset: for ASVspoof 2021 alone, and there always: one of `SUBSETS`.

    Returns:
        The clips with their labels, and what is missing, unlisted or listed twice.

    Raises:
        InputError: no audio, no corpus that is known or several of them, a malformed protocol,
            a subset too many or too few, or none of the listed audio on disk.
    """
    tree = index_tree(root)
    name = name or _detect(tree)
    if name not in CORPORA:
        raise InputError(
            f"A corpus is one of {', '.join(CORPORA)}. Received: {name!r}. Name one of them."
        )
    _check_subset(name, subset)
    others = AUDIO_OF_OTHERS.get(name, ())
    audio = [file for file in tree.audio if not any(other in file for other in others)]
    tree = replace(tree, audio=audio)
    return _match(name, tree, CORPORA[name](tree), subset or "")


def detect_corpus(root: Path) -> str:
    """Return which corpus lies in a folder, as a key of `CORPORA`.

    Raises:
        InputError: no audio, no layout that is known, or several of them.
    """
    return _detect(index_tree(root))


def read_clip_list(path: Path, root: Path | None = None) -> Corpus:
    """Read a CSV that labels audio files.

    Args:
        path: has the columns `file,label` and perhaps `speaker`, `sentence`, `split`, `attack` (or
            `generator`), `codec` and `corpus`, in any order; other columns are left alone.
        root: the folder that `file` is relative to; None for the CSV's own.

    Returns:
        A corpus as `read_corpus` returns it.

    Raises:
        InputError: an unreadable or malformed CSV, or none of the listed audio on disk.
    """
    tree = index_tree(root or path.parent)
    return _match("folders", tree, list_table(path), subset="")


def _detect(tree: Tree) -> str:
    found = known_layouts(tree)
    if found <= {"folders"}:
        check_label_table(tree)
    if len(found) > 1:
        raise InputError(
            f"One corpus is read at a time. Received: {', '.join(sorted(found))} below "
            f"{tree.root}. Name one with --corpus, or give the folder of one."
        )
    if not found:
        known = "; ".join(f"{name}: {what}" for name, what in LOOKED_FOR.items())
        raise InputError(
            f"A corpus is known by what it holds ({known}). Received: none of it in {tree.root}. "
            "Sort the audio into real/ and fake/, or label it in a CSV."
        )
    return found.pop()


def _match(name: str, tree: Tree, listings: Iterable[Listing], subset: str) -> Corpus:
    corpus = Corpus(
        name, [], [], [], [], subset, _passed_over(tree), tree.unreadable,
        not_entered=tree.not_entered,
    )  # fmt: skip
    label_of = {}
    for listing in listings:
        found = tree.find(listing.file, listing.near)
        key = found or listing.listed_as
        if key in label_of:
            _check_same_label(listing, label_of[key])
            corpus.repeated.append(listing.listed_as)
            continue
        label_of[key] = listing.label
        if subset not in ("", "all", listing.subset):
            continue
        if found:
            corpus.clips.append(_clip(tree.root, found, listing))
        else:
            corpus.missing.append(listing.listed_as)
            corpus.missing_splits.append(listing.split)
    _check_some_found(corpus, tree.root)
    corpus.unlisted.extend(file for file in tree.audio if file not in label_of)
    return corpus


def _passed_over(tree: Tree) -> list[str]:
    """Return what may have been meant as audio: a text among the files of a class is no table."""
    texts = [
        name
        for name in tree.tables
        if name.lower().endswith(".txt") and infer_split_and_label(name)[1]
    ]
    return sorted([*tree.others, *texts])


def _clip(root: Path, name: str, listing: Listing) -> Clip:
    attack = listing.attack if listing.label == "fake" else ""
    group = listing.split_key or listing.speaker or name
    facts = (listing.split, listing.speaker, attack, listing.codec, listing.corpus, group)
    return Clip(root / name, name, listing.label, *facts)


def _check_same_label(listing: Listing, label: str) -> None:
    if listing.label != label:
        raise InputError(
            f"A file has one label. Received: {listing.listed_as} as {listing.label} in "
            f"{listing.origin}, and as {label} before. Correct one of the two."
        )


def _check_some_found(corpus: Corpus, root: Path) -> None:
    if not corpus.clips:
        first = f", such as {corpus.missing[0]}," if corpus.missing else ""
        raise InputError(
            f"Some of the listed audio must be on disk. Received: none of {len(corpus.missing):,} "
            f"files{first} below {root}. Unpack it there "
            f"({corpus.name}: {LOOKED_FOR[corpus.name]})."
        )


def _check_subset(name: str, subset: str | None) -> None:
    has_subsets = name.startswith("asvspoof2021")
    if has_subsets and subset not in SUBSETS:
        raise InputError(
            f"ASVspoof 2021 is read with --subset {'|'.join(SUBSETS)}. Received: "
            f"{subset or 'none'}. Official figures use eval; the others give different ones."
        )
    if subset is not None and not has_subsets:
        raise InputError(
            f"Only ASVspoof 2021 has subsets. Received: {subset!r} for {name}. Leave --subset out."
        )
