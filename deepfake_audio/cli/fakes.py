"""Find real voices, let vocoders resynthesize them, and print the counts of files."""

from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.messages import print_error, print_errors, print_lines
from deepfake_audio.corpora.index import Tree, index_tree
from deepfake_audio.corpora.known_corpora import known_layouts
from deepfake_audio.corpora.reading import Clip, Corpus, detect_corpus, read_corpus
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.vocoders.external import ExternalVocoder
from deepfake_audio.vocoders.resynthesis import (
    SpeechFile,
    resynthesize_by_network,
    resynthesize_by_program,
)


def read_clips(root: Path, corpus_name: str | None, whole: bool) -> list[Clip]:
    """List the files below a folder; without labels all are real.

    Raises:
        InputError: no audio, or no labels though the whole corpus is wanted.
    """
    if corpus_name is None:
        tree = index_tree(root)
        if not known_layouts(tree):
            if whole:
                raise InputError(
                    f"--whole needs labels, and {root} has none; leave --whole out, or label the "
                    "files in a CSV"
                )
            print_left_out(tree)
            return [Clip(tree.root / name, name, "real") for name in tree.audio]
    name = corpus_name or detect_corpus(root)
    corpus = read_corpus(root, name, "all" if name.startswith("asvspoof2021") else None)
    if corpus.missing:
        first = one_line(corpus.missing[0])
        print_lines(f"{len(corpus.missing):,} files are listed but missing: {first}, ...")
    print_left_out(corpus)
    return corpus.clips


def print_left_out(found: Tree | Corpus) -> None:
    """Print the folders that were not entered."""
    for name in found.unreadable:
        print_error(f"cannot open the folder {name}: its files are left out")
    for name in found.not_entered:
        print_lines(f"{name} is not entered: it links to a parent folder, or to one read already")


def make_fakes(
    originals: Sequence[SpeechFile],
    folder: Path,
    vocoders: Sequence[ExternalVocoder],
    kinds: Sequence[str],
    steps: int | None,
    seed: int,
) -> list[SpeechFile]:
    """Let each vocoder resynthesize the originals; external programs first.

    Args:
        folder: receives the fakes.
        kinds: of small vocoders to train.
        steps: of this training; None for about five minutes.
    """
    fakes = []
    for vocoder in vocoders:
        print_lines(f"{one_line(vocoder.name)} is running")
        made, errors = resynthesize_by_program(vocoder, originals, folder)
        print_errors(errors)
        fakes += made
    for kind in kinds:
        made, losses = resynthesize_by_network(kind, originals, folder, steps, seed)
        first, last = losses[0], losses[-50:].mean()
        print_lines(f"{kind:18} spectral loss {first:.2f} at first, {last:.2f} at last")
        fakes += made
    return fakes


def count_left_out(*counts: tuple[str, int, int]) -> str:
    """Describe `(things, done, wanted)` counts that are incomplete; empty if all are done."""
    return " and ".join(
        f"{wanted - done:,} of {wanted:,} {what}" for what, done, wanted in counts if done < wanted
    )
