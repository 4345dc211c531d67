"""The layouts of the public corpora: how each lists its files, labels and speakers."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from deepfake_audio.corpora.index import Tree, depth, stem
from deepfake_audio.corpora.listed_files import inside
from deepfake_audio.errors import InputError
from deepfake_audio.tables.class_names import split_of
from deepfake_audio.tables.label_words import class_and_generator
from deepfake_audio.tables.lines import first_line, read_words
from deepfake_audio.tables.text_tables import check_width, read_rows

KEYS = {"bonafide": "real", "spoof": "fake"}
FOR_VERSIONS = {
    "for-original": "for-original", "for-norm": "for-norm", "for-2sec": "for-2sec",
    "for-rerec": "for-rerec", "for-2seconds": "for-2sec", "for-rerecorded": "for-rerec",
}  # fmt: skip
WAVEFAKE_FOLDER = re.compile(
    r"(?:ljspeech_|jsut_)(melgan|melgan_large|multi_band_melgan|full_band_melgan|hifigan"
    r"|parallel_wavegan|waveglow)|common_voices_prompts_\w+",
    re.IGNORECASE,
)
WAVEFAKE_SENTENCE = re.compile(r"LJ\d{3}-\d{4}|BASIC5000_\d{4}|gen_\d+")
WAVEFAKE_REAL = re.compile(r"/(wavs/LJ\d{3}-\d{4}|basic5000/wav/BASIC5000_\d{4})\.\w+$")
# The folders of the real speech, whatever is below them.
WAVEFAKE_SOURCE = re.compile(r"(?:ljspeech|jsut)[-_ ]?(?:v|ver)?[\d.]*", re.IGNORECASE)
WAVEFAKE_TOP = "generated_audio"  # around the folders of the generators
MAILABS_READER = re.compile(r"by_book/(?:female|male)/([^/]+)/")
MAILABS_BOOK = re.compile(r"by_book/(.+)/wavs/")
# Patterns that distinguish the tables, of the path and, after a blank, the first line.
TABLE_PATTERNS = {
    "asvspoof2019": r"/ASVspoof2019\.LA\.cm\.",
    "asvspoof2021-la": r"/ASVspoof2021\.LA\.cm\.|(?<!/ASV)/trial_metadata\.txt \S+ LA_E_",
    "asvspoof2021-df": r"/ASVspoof2021\.DF\.cm\.|(?<!/ASV)/trial_metadata\.txt \S+ DF_E_",
    "asvspoof5": r"/ASVspoof5\.(train|dev|eval)\.",
    "mlaad": r"/meta\.csv (?=.*\bpath\b)(?=.*\bmodel_name\b)(?!.*\blabel\b).*\|",
}


class Layout(NamedTuple):
    """The columns of an ASVspoof protocol, counted from 0; speaker is 0 and file is 1."""

    widths: tuple[int, ...]
    key: int
    attack: int
    codec: int | None = None
    subset: int | None = None


ASVSPOOF_2019 = Layout(widths=(5,), key=4, attack=3)
ASVSPOOF_2021_LA = Layout(widths=(8,), key=5, attack=4, codec=2, subset=7)
ASVSPOOF_2021_DF = ASVSPOOF_2021_LA._replace(widths=(8, 13))
ASVSPOOF_5 = Layout(widths=(10,), key=8, attack=7, codec=3)
ASVSPOOF_5_CHALLENGE = Layout(widths=(6,), key=5, attack=4)
# Corpus, split, file and its layout; if a split has two files, the first that exists counts.
PROTOCOLS = (
    ("asvspoof2019", "train", "ASVspoof2019.LA.cm.train.trn.txt", ASVSPOOF_2019),
    ("asvspoof2019", "val", "ASVspoof2019.LA.cm.dev.trl.txt", ASVSPOOF_2019),
    ("asvspoof2019", "test", "ASVspoof2019.LA.cm.eval.trl.txt", ASVSPOOF_2019),
    ("asvspoof2021-la", "test", "trial_metadata.txt", ASVSPOOF_2021_LA),
    ("asvspoof2021-df", "test", "trial_metadata.txt", ASVSPOOF_2021_DF),
    ("asvspoof5", "train", "ASVspoof5.train.tsv", ASVSPOOF_5),
    ("asvspoof5", "train", "ASVspoof5.train.metainfor.txt", ASVSPOOF_5_CHALLENGE),
    ("asvspoof5", "val", "ASVspoof5.dev.track_1.tsv", ASVSPOOF_5),
    ("asvspoof5", "val", "ASVspoof5.dev.metainfor.txt", ASVSPOOF_5_CHALLENGE),
    ("asvspoof5", "test", "ASVspoof5.eval.track_1.tsv", ASVSPOOF_5),
)


class Listing(NamedTuple):
    """The facts about one file, from a protocol or from its folders.

    If the file is missing, one with its stem below the folder `near` is taken, unless `near` is
    None. An empty `split_key` means the speaker, else the file. `elsewhere` is the listed path if
    the file was found in a folder of another name.
    """

    file: str
    label: str
    origin: str = ""
    near: str | None = None
    split: str = ""
    speaker: str = ""
    attack: str = ""
    codec: str = ""
    corpus: str = ""
    split_key: str = ""
    subset: str = ""
    elsewhere: str = ""

    @property
    def listed_as(self) -> str:
        """Return the path below the corpus root as it is listed."""
        return f"{self.near or ''}{self.file}"


def known_layouts(tree: Tree) -> set[str]:
    """Return the keys of `CORPORA` whose layouts a tree has; several if it is ambiguous.

    Raises:
        InputError: a table that can't be read.
    """
    folders = {name.rpartition("/")[0] for name in tree.audio}
    parts = {part.lower() for folder in folders for part in (tree.root.name, *folder.split("/"))}
    own = f"{WAVEFAKE_TOP}/"
    classes = {label for path, (label, _) in tree.folders.labels.items() if not path.endswith(own)}
    found = {_corpus_of_table(tree.root, table) for table in tree.tables} - {""}
    if parts & FOR_VERSIONS.keys():
        found.add("for")
    if any(map(WAVEFAKE_FOLDER.fullmatch, parts)):
        # With class folders above it, the user may have added other speech.
        found |= {"wavefake", "folders"} if len(classes) == 2 else {"wavefake"}
    return found


def _corpus_of_table(root: Path, table: str) -> str:
    has_known_header = table.endswith(("meta.csv", "trial_metadata.txt"))
    text = f"/{table} {first_line(root / table) if has_known_header else ''}"
    return next((name for name, pattern in TABLE_PATTERNS.items() if re.search(pattern, text)), "")


def _list_protocols(tree: Tree, name: str) -> Iterator[Listing]:
    done = set()
    for corpus, split, file, layout in PROTOCOLS:
        tables = [
            tree.root / table
            for table in (tree.tables_named(file) if corpus == name else ())
            if _corpus_of_table(tree.root, table) == name
        ]
        if tables and split not in done:
            done.add(split)
            # The full release of the 2021 keys has more columns than the first one: take it.
            table = max(tables, key=lambda table: len(first_line(table).split()))
            for listing in read_protocol(read_words(table), layout, split, name):
                yield listing._replace(file=inside(listing.file, listing.origin))


def read_protocol(
    rows: Iterable[tuple[str, list[str]]], layout: Layout, split: str, corpus: str
) -> Iterator[Listing]:
    """Yield the files that an ASVspoof protocol lists; a name may be any path.

    Args:
        rows: the position and the cells of each line.

    Raises:
        InputError: a line that is wider or narrower than the layout, or has another key.
    """
    for origin, columns in rows:
        check_width(len(columns), layout.widths, origin)
        if columns[layout.key] not in KEYS:
            raise InputError(
                f"{columns[layout.key]!r} in column {layout.key + 1} of {origin} is neither "
                "bonafide nor spoof; download the protocol again"
            )
        yield Listing(
            file=columns[1],
            label=KEYS[columns[layout.key]],
            origin=origin,
            near="",
            split=split,
            speaker=_known(columns[0]),
            attack=_known(columns[layout.attack]),
            codec="" if layout.codec is None else _known(columns[layout.codec]),
            corpus=corpus,
            subset="" if layout.subset is None else columns[layout.subset],
        )


def _list_wavefake(tree: Tree) -> Iterator[Listing]:
    seen = set()
    for name in sorted(tree.audio, key=depth):
        path = f"{tree.root.name}/{name}"
        *folders, file = path.split("/")
        folder = next(filter(None, map(WAVEFAKE_FOLDER.fullmatch, folders)), None)
        sentence = WAVEFAKE_SENTENCE.match(file)
        group = sentence[0] if sentence else stem(file)
        listing = Listing(name, "real", corpus="wavefake", split_key=group)
        # Some downloads contain a folder's files again, one level deeper.
        if folder and (folder[0], file) not in seen:
            seen.add((folder[0], file))
            yield listing._replace(label="fake", attack=folder[1] or folder[0])
        elif not folder and _is_wavefake_real(tree, name):
            yield listing


def _is_wavefake_real(tree: Tree, name: str) -> bool:
    """Return whether a file is a sentence of the real corpora, or in a class folder of the user."""
    path = f"{tree.root.name}/{name}"
    is_sentence = WAVEFAKE_SENTENCE.fullmatch(stem(name)) is not None
    is_below = any(map(WAVEFAKE_SOURCE.fullmatch, path.split("/")[:-1]))
    is_known = bool(WAVEFAKE_REAL.search(path)) or (is_sentence and is_below)
    return is_known or tree.folders.place(name)[1] == "real"


def _list_for(tree: Tree) -> Iterator[Listing]:
    for name in tree.audio:
        split, label = tree.folders.place(name)
        if split and label:
            *folders, file = f"{tree.root.name}/{name}".lower().split("/")
            versions = [FOR_VERSIONS[folder] for folder in folders if folder in FOR_VERSIONS]
            recording = re.split(r"\.(?:wav|mp3)", file)[0]
            # The numbers of the recordings start anew in each split and class.
            group = f"{split}/{label}/{recording}"
            corpus = versions[-1] if versions else "for"
            yield Listing(name, label, split=split, corpus=corpus, split_key=group)


def _list_mlaad(tree: Tree) -> Iterator[Listing]:
    tops = set()
    for table in tree.tables_named("meta.csv"):
        if _corpus_of_table(tree.root, table) == "mlaad":
            folder = table.removesuffix("meta.csv")
            tops.add(folder)
            yield from _list_mlaad_model(tree.root / table, folder)
    for name in tree.audio:
        if "/by_book/" in f"/{name}":
            reader = MAILABS_READER.search(name)
            speaker = reader[1] if reader else ""
            yield Listing(name, "real", speaker=speaker, corpus="mlaad", split_key=_read_by(name))
        elif tops and not name.startswith((*tops,)) and tree.folders.place(name)[1] == "real":
            yield Listing(name, "real")  # speech of the user


def _list_mlaad_model(table: Path, folder: str) -> Iterator[Listing]:
    for origin, row in read_rows(table, ("path", "model_name")):
        # The voice is that of the reference, if a reader of M-AILABS is one; else it may be that of
        # the reader. The folders within `path` are wrong for some languages; the file lies beside
        # the table.
        reference = MAILABS_READER.search(row.get("reference_speaker", ""))
        yield Listing(
            file=inside(row["path"], origin).rpartition("/")[2],
            label="fake",
            origin=origin,
            near=folder,
            attack=row["model_name"] or table.parent.name,
            corpus="mlaad",
            speaker=reference[1] if reference else "",
            split_key=reference[1] if reference else _read_by(row.get("original_file", "")),
        )


def _read_by(path: str) -> str:
    """Return the reader of an M-AILABS file, else its book, else the path."""
    found = MAILABS_READER.search(path) or MAILABS_BOOK.search(path)
    return found[1] if found else _known(path)


def read_label(value: str, origin: str) -> str:
    """Return "real" or "fake" for a label of a table; raise an `InputError` for another value."""
    label, _ = class_and_generator(value)
    if not label:
        raise InputError(
            f"{value!r} in {origin} is not a label; write real or fake, or remove the line"
        )
    return label


def read_split(value: str, origin: str) -> str:
    """Return the split of a cell, "" for an empty one; raise an `InputError` for another value."""
    split = split_of(value)
    if value and not split:
        raise InputError(f"{value!r} in {origin} is not a split; write train, val or test")
    return split


def _known(column: str) -> str:
    return "" if column in ("-", "bonafide") else column


CORPORA: dict[str, Callable[[Tree], Iterator[Listing]]] = {
    **{name: partial(_list_protocols, name=name) for name, *_ in PROTOCOLS},
    "wavefake": _list_wavefake,
    "for": _list_for,
    "mlaad": _list_mlaad,
}
