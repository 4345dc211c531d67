"""List the real voices that make_fakes.py resynthesizes, and report files that are left out."""

from pathlib import Path

from deepfake_audio.cli.messages import print_error, print_lines
from deepfake_audio.corpora.index import Tree, index_tree
from deepfake_audio.corpora.known_corpora import known_layouts
from deepfake_audio.corpora.reading import Clip, Corpus, detect_corpus, read_corpus
from deepfake_audio.errors import InputError, one_line


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
