"""The public corpora: which audio files each holds, real or fake, of whom and made by what."""

import csv
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from deepfake_audio.errors import UserError

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".amr", ".webm", ".mp4", ".wma",
    ".aiff", ".aif", ".au", ".gsm", ".caf",
)  # fmt: skip
TABLE_SUFFIXES = (".txt", ".tsv", ".csv")
SUBSETS = ("eval", "progress", "hidden", "all")
KEYS = {"bonafide": "real", "spoof": "fake"}
LABELS = KEYS | {"bona-fide": "real", "genuine": "real", "real": "real"}
LABELS |= {"deepfake": "fake", "fake": "fake"}
SPLITS = {"train": "train", "training": "train", "val": "val", "validation": "val", "dev": "val"}
SPLITS |= {"test": "test", "testing": "test", "eval": "test"}
FOR_VERSIONS = {name: name for name in ("for-original", "for-norm", "for-2sec", "for-rerec")}
FOR_VERSIONS |= {"for-2seconds": "for-2sec", "for-rerecorded": "for-rerec"}
WAVEFAKE_FOLDER = re.compile(
    r"(?:ljspeech_|jsut_)(melgan|melgan_large|multi_band_melgan|full_band_melgan|hifigan"
    r"|parallel_wavegan|waveglow)|(common_voices_prompts_\w+)",
    re.IGNORECASE,
)
WAVEFAKE_SENTENCE = re.compile(r"LJ\d{3}-\d{4}|BASIC5000_\d{4}|gen_\d+")
WAVEFAKE_REAL = re.compile(r"/(wavs/LJ\d{3}-\d{4}|basic5000/wav/BASIC5000_\d{4})\.\w+$")
MAILABS_READER = re.compile(r"by_book/(?:female|male)/([^/]+)/")
MAILABS_BOOK = re.compile(r"by_book/(.+)/wavs/")
# The same LA_E_####### can be one recording in 2019 and another in 2021.
AUDIO_OF_OTHERS = {
    "asvspoof2019": ("ASVspoof2021_LA_eval", "ASVspoof2021_DF_eval"),
    "asvspoof2021-la": ("ASVspoof2019_LA_", "ASVspoof2021_DF_eval"),
    "asvspoof2021-df": ("ASVspoof2019_LA_", "ASVspoof2021_LA_eval"),
}
LOOKED_FOR = {
    "asvspoof2019": "ASVspoof2019.LA.cm.{train.trn,dev.trl,eval.trl}.txt",
    "asvspoof2021-la": "keys/LA/CM/trial_metadata.txt",
    "asvspoof2021-df": "keys/DF/CM/trial_metadata.txt",
    "asvspoof5": "ASVspoof5.{train,dev.track_1,eval.track_1}.tsv",
    "in-the-wild": "meta.csv with the header file,speaker,label",
    "wavefake": "generated_audio/{ljspeech,jsut}_<vocoder>/",
    "for": "for-{original,norm,2sec,rerec}/{training,validation,testing}/{real,fake}/",
    "mlaad": "fake/<language>/<model>/meta.csv",
    "folders": "{real,fake}/, {train,val,test}/{real,fake}/, or a CSV with the columns file,label",
}
# What tells the tables apart: the path and, after a blank, the first line.
TABLE_PATTERNS = {
    "asvspoof2019": r"/ASVspoof2019\.LA\.cm\.",
    "asvspoof2021-la": r"/ASVspoof2021\.LA\.cm\.|(?<!/ASV)/trial_metadata\.txt \S+ LA_E_",
    "asvspoof2021-df": r"/ASVspoof2021\.DF\.cm\.|(?<!/ASV)/trial_metadata\.txt \S+ DF_E_",
    "asvspoof5": r"/ASVspoof5\.(train|dev|eval)\.",
    "in-the-wild": r"/meta\.csv file,speaker,label",
    "mlaad": r"/meta\.csv (?=.*\bpath\b)(?=.*\bmodel_name\b).*\|",
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file of a corpus; what is not known is empty.

    Attributes:
        path: the existing audio file.
        name: its path below the corpus root, with forward slashes.
        label: "fake" or "real".
        split: "train", "val" or "test" where the corpus ships a split.
        group: what must never stand in two splits: the speaker, else the sentence, else the file.
    """

    path: Path
    name: str
    label: str
    split: str = ""
    speaker: str = ""
    attack: str = ""
    codec: str = ""
    corpus: str = ""
    group: str = ""


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
    """

    name: str
    clips: list[Clip]
    missing: list[str]
    unlisted: list[str]
    repeated: list[str]
    subset: str = ""


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
# Corpus, split, file and its layout; where a split has two files, the first that is there counts.
PROTOCOLS = (
    ("asvspoof2019", "train", "ASVspoof2019.LA.cm.train.trn.txt", ASVSPOOF_2019),
    ("asvspoof2019", "val", "ASVspoof2019.LA.cm.dev.trl.txt", ASVSPOOF_2019),
    ("asvspoof2019", "test", "ASVspoof2019.LA.cm.eval.trl.txt", ASVSPOOF_2019),
    ("asvspoof5", "train", "ASVspoof5.train.tsv", ASVSPOOF_5),
    ("asvspoof5", "train", "ASVspoof5.train.metainfor.txt", ASVSPOOF_5_CHALLENGE),
    ("asvspoof5", "val", "ASVspoof5.dev.track_1.tsv", ASVSPOOF_5),
    ("asvspoof5", "val", "ASVspoof5.dev.metainfor.txt", ASVSPOOF_5_CHALLENGE),
    ("asvspoof5", "test", "ASVspoof5.eval.track_1.tsv", ASVSPOOF_5),
)


class Listing(NamedTuple):
    """What a protocol, or the place in a folder tree, says of one file.

    Where the file isn't there, one of that stem below the folder `near` will do; with `near` None
    none will. An empty `group` stands for the speaker, else the file.
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
    group: str = ""
    subset: str = ""

    @property
    def listed_as(self) -> str:
        return f"{self.near or ''}{self.file}"


@dataclass(frozen=True)
class Tree:
    """The audio files and tables below a folder, by their sorted names relative to it."""

    root: Path
    audio: list[str]
    tables: list[str]

    @cached_property
    def audio_names(self) -> frozenset[str]:
        return frozenset(self.audio)

    @cached_property
    def audio_by_stem(self) -> dict[str, list[str]]:
        by_stem = {}
        for name in self.audio:
            by_stem.setdefault(_stem(name), []).append(name)
        return by_stem

    def find(self, listing: Listing) -> str | None:
        """Return the name of the listed file on disk; of several copies the one least deep."""
        if listing.listed_as in self.audio_names:
            return listing.listed_as
        if listing.near is None:
            return None
        copies = self.audio_by_stem.get(_stem(listing.file), ())
        copies = [name for name in copies if name.startswith(listing.near)]
        return min(copies, key=_depth, default=None)

    def tables_named(self, file: str) -> list[str]:
        return sorted((name for name in self.tables if f"/{name}".endswith(f"/{file}")), key=_depth)


def read_corpus(root: Path, name: str | None = None, subset: str | None = None) -> Corpus:
    """Read a corpus as it was unpacked: which audio it holds, and what its protocols say of it.

    Args:
        root: the corpus folder, or one that holds it.
        name: a key of `CORPORA`; None to go by what lies in the folder.
        subset: for ASVspoof 2021 alone, and there always: one of `SUBSETS`.

    Returns:
        The clips with their labels, and what is missing, unlisted or listed twice.

    Raises:
        UserError: no audio, no corpus that is known or several of them, a malformed protocol,
            a subset too many or too few, or none of the listed audio on disk.
    """
    tree = _index(root)
    name = name or _detect(tree)
    if name not in CORPORA:
        raise UserError(
            f"A corpus is one of {', '.join(CORPORA)}. Received: {name!r}. Name one of them."
        )
    _check_subset(name, subset)
    others = AUDIO_OF_OTHERS.get(name, ())
    audio = [file for file in tree.audio if not any(other in file for other in others)]
    tree = Tree(tree.root, audio, tree.tables)
    return _match(name, tree, CORPORA[name](tree), subset or "")


def detect_corpus(root: Path) -> str:
    """Return which corpus lies in a folder, as a key of `CORPORA`.

    Raises:
        UserError: no audio, no layout that is known, or several of them.
    """
    return _detect(_index(root))


def read_clip_list(path: Path, root: Path | None = None) -> Corpus:
    """Read a CSV that labels audio files.

    Args:
        path: has the columns `file,label` and perhaps `speaker`, `split`, `attack` (or
            `generator`), `codec` and `corpus`, in any order; other columns are left alone.
        root: the folder that `file` is relative to; None for the CSV's own.

    Returns:
        A corpus as `read_corpus` returns it.

    Raises:
        UserError: an unreadable or malformed CSV, or none of the listed audio on disk.
    """
    tree = _index(root or path.parent)
    return _match("folders", tree, _list_table(path), subset="")


def _match(name: str, tree: Tree, listings: Iterable[Listing], subset: str) -> Corpus:
    corpus = Corpus(name, [], [], [], [], subset)
    label_of = {}
    for listing in listings:
        found = tree.find(listing)
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
    _check_some_found(corpus, tree.root)
    corpus.unlisted.extend(file for file in tree.audio if file not in label_of)
    return corpus


def _clip(root: Path, name: str, listing: Listing) -> Clip:
    attack = listing.attack if listing.label == "fake" else ""
    group = listing.group or listing.speaker or name
    facts = (listing.split, listing.speaker, attack, listing.codec, listing.corpus, group)
    return Clip(root / name, name, listing.label, *facts)


def _check_same_label(listing: Listing, label: str) -> None:
    if listing.label != label:
        raise UserError(
            f"A file has one label. Received: {listing.listed_as} as {listing.label} in "
            f"{listing.origin}, and as {label} before. Correct one of the two."
        )


def _check_some_found(corpus: Corpus, root: Path) -> None:
    if not corpus.clips:
        first = f", such as {corpus.missing[0]}," if corpus.missing else ""
        raise UserError(
            f"Some of the listed audio must be on disk. Received: none of {len(corpus.missing):,} "
            f"files{first} below {root}. Unpack {corpus.name} there, with its "
            f"{LOOKED_FOR[corpus.name]}."
        )


def _check_subset(name: str, subset: str | None) -> None:
    has_subsets = name.startswith("asvspoof2021")
    if has_subsets and subset not in SUBSETS:
        raise UserError(
            f"ASVspoof 2021 is read with --subset {'|'.join(SUBSETS)}. Received: "
            f"{subset or 'none'}. Official figures use eval; the others give different ones."
        )
    if subset is not None and not has_subsets:
        raise UserError(
            f"Only ASVspoof 2021 has subsets. Received: {subset!r} for {name}. Leave --subset out."
        )


def _index(root: Path) -> Tree:
    if not root.is_dir():
        raise UserError(f"A corpus is a folder that exists. Received: {root}. Check the path.")
    try:
        names = sorted(_walk(root))
    except OSError as error:
        raise UserError(
            f"A corpus must be readable. Received: {error.filename} ({error.strerror}). "
            "Check the permissions."
        ) from None
    audio = [name for name in names if name.lower().endswith(AUDIO_SUFFIXES)]
    if not audio:
        raise UserError(
            f"A corpus holds audio ({' '.join(AUDIO_SUFFIXES)}). Received: none below {root}. "
            "Unpack the audio there."
        )
    tables = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    return Tree(root.absolute(), audio, tables)


def _walk(root: Path) -> Iterator[str]:
    """Yield every file that is not hidden, once, even where links lead in circles."""
    seen = set()
    pending = deque([""])
    while pending:
        folder = pending.pop()
        status = (root / folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(root / folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        for entry in visible:
            name = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{name}/")
            elif entry.is_symlink() and Path(entry).is_dir():
                # Last, so that what a folder and a link both lead to has the folder's name.
                pending.appendleft(f"{name}/")
            elif entry.is_file(follow_symlinks=False) or Path(entry).is_file():
                yield name


def _detect(tree: Tree) -> str:
    folders = {name.rpartition("/")[0] for name in tree.audio}
    parts = {part.lower() for folder in folders for part in (tree.root.name, *folder.split("/"))}
    classes = {_place(f"{folder}/")[1] for folder in folders} - {""}
    found = {_corpus_of_table(tree.root, table) for table in tree.tables} - {""}
    if parts & FOR_VERSIONS.keys():
        found.add("for")
    if any(map(WAVEFAKE_FOLDER.fullmatch, parts)):
        # With both classes beside it, who sorted the folders may have put other speech there.
        found |= {"wavefake", "folders"} if not found and len(classes) == 2 else {"wavefake"}
    if not found and (classes or _root_tables(tree)):
        return "folders"
    if len(found) > 1:
        raise UserError(
            f"One corpus is read at a time. Received: {', '.join(sorted(found))} below "
            f"{tree.root}. Name one with --corpus, or give the folder of one."
        )
    if not found:
        known = "; ".join(f"{name}: {what}" for name, what in LOOKED_FOR.items())
        raise UserError(
            f"A corpus is known by what it holds ({known}). Received: none of it in {tree.root}. "
            "Sort the audio into real/ and fake/, or label it in a CSV."
        )
    return found.pop()


def _corpus_of_table(root: Path, table: str) -> str:
    told_by_content = table.endswith(("meta.csv", "trial_metadata.txt"))
    text = f"/{table} {_first_line(root / table) if told_by_content else ''}"
    return next((name for name, what in TABLE_PATTERNS.items() if re.search(what, text)), "")


def _list_protocols(tree: Tree, name: str) -> Iterator[Listing]:
    done = set()
    for corpus, split, file, layout in PROTOCOLS:
        tables = tree.tables_named(file)
        if corpus == name and tables and split not in done:
            done.add(split)
            yield from _read_protocol(tree.root / tables[0], layout, split, name)


def _list_keys(tree: Tree, name: str, layout: Layout) -> Iterator[Listing]:
    tables = [
        tree.root / table
        for table in tree.tables_named("trial_metadata.txt")
        if _corpus_of_table(tree.root, table) == name
    ]
    # Of the first release of the keys and the full one, the full one has more columns.
    tables.sort(key=lambda table: len(_first_line(table).split()))
    for table in tables[-1:]:
        yield from _read_protocol(table, layout, "test", name)


def _read_protocol(table: Path, layout: Layout, split: str, corpus: str) -> Iterator[Listing]:
    for number, line in _read_lines(table):
        columns = line.split()
        origin = f"line {number} of {table}"
        if not columns:
            continue
        _check_width(len(columns), layout.widths, origin)
        if columns[layout.key] not in KEYS:
            raise UserError(
                f"The key of a file is bonafide or spoof, in column {layout.key + 1}. "
                f"Received: {columns[layout.key]!r} in {origin}. Download the protocol again."
            )
        yield Listing(
            file=_inside(columns[1], origin),
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


def _list_in_the_wild(tree: Tree) -> Iterator[Listing]:
    for table in tree.tables_named("meta.csv"):
        if _corpus_of_table(tree.root, table) == "in-the-wild":
            near = table.removesuffix("meta.csv")
            for listing in _list_table(tree.root / table):
                yield listing._replace(near=near, corpus="in-the-wild")


def _list_wavefake(tree: Tree) -> Iterator[Listing]:
    seen = set()
    for name in sorted(tree.audio, key=_depth):
        path = f"{tree.root.name}/{name}"
        *folders, file = path.split("/")
        folder = next(filter(None, map(WAVEFAKE_FOLDER.fullmatch, folders)), None)
        sentence = WAVEFAKE_SENTENCE.match(file)
        listing = Listing(name, "real", corpus="wavefake", group=(sentence or [_stem(file)])[0])
        # Some copies hold a folder's files once more, one level deeper.
        if folder and (folder[0], file) not in seen:
            seen.add((folder[0], file))
            yield listing._replace(label="fake", attack=folder[1] or folder[2])
        elif not folder and WAVEFAKE_REAL.search(path):
            yield listing


def _list_for(tree: Tree) -> Iterator[Listing]:
    for name in tree.audio:
        split, label = _place(name)
        if split:
            *folders, file = f"{tree.root.name}/{name}".lower().split("/")
            versions = [FOR_VERSIONS[folder] for folder in folders if folder in FOR_VERSIONS]
            recording = re.split(r"\.(?:wav|mp3)", file, maxsplit=1)[0]
            # The numbers of the recordings start anew in each split and class.
            group = f"{split}/{label}/{recording}"
            corpus = versions[-1] if versions else "for"
            yield Listing(name, label, split=split, corpus=corpus, group=group)


def _list_mlaad(tree: Tree) -> Iterator[Listing]:
    for table in tree.tables_named("meta.csv"):
        if _corpus_of_table(tree.root, table) == "mlaad":
            yield from _list_mlaad_model(tree.root / table, table.removesuffix("meta.csv"))
    for name in tree.audio:
        if "/by_book/" in f"/{name}":
            reader = MAILABS_READER.search(name)
            speaker = reader[1] if reader else ""
            yield Listing(name, "real", speaker=speaker, corpus="mlaad", group=_read_by(name))


def _list_mlaad_model(table: Path, folder: str) -> Iterator[Listing]:
    for origin, row in _read_rows(table, ("path", "model_name"), delimiter="|"):
        # The folders within `path` are wrong for some languages; the file lies beside the table.
        yield Listing(
            file=_inside(row["path"], origin).rpartition("/")[2],
            label="fake",
            origin=origin,
            near=folder,
            attack=row["model_name"] or table.parent.name,
            corpus="mlaad",
            group=_read_by(row.get("original_file", "")),
        )


def _read_by(path: str) -> str:
    """Return the reader of an M-AILABS file, else its book, else the path."""
    found = MAILABS_READER.search(path) or MAILABS_BOOK.search(path)
    return found[1] if found else _known(path)


def _list_folders(tree: Tree) -> Iterator[Listing]:
    tables = _root_tables(tree)
    for table in tables:
        yield from _list_table(tree.root / table)
    for name in [] if tables else tree.audio:
        split, label = _place(name)
        if label:
            yield Listing(name, label, split=split)


def _place(name: str) -> tuple[str, str]:
    """Return the split and the label that the folders of a file stand for.

    >>> _place("training/REAL/a.wav"), _place("spoof/a.wav"), _place("real.wav")
    (('train', 'real'), ('', 'fake'), ('', ''))
    """
    split = ""
    for folder in name.lower().split("/")[:-1]:
        if folder in LABELS:
            return split, LABELS[folder]
        split = SPLITS.get(folder, split)
    return "", ""


def _root_tables(tree: Tree) -> list[str]:
    tables = [table for table in tree.tables if table.lower().endswith(".csv") and "/" not in table]
    headers = {table: _first_line(tree.root / table).strip().lower() for table in tables}
    tables = [table for table in tables if {"file", "label"} <= {*headers[table].split(",")}]
    return ["manifest.csv"] if "manifest.csv" in tables else tables


def _list_table(table: Path) -> Iterator[Listing]:
    for origin, row in _read_rows(table, ("file", "label")):
        yield Listing(
            file=_inside(row["file"], origin),
            label=_one_of(LABELS, "label", row["label"], origin),
            origin=origin,
            split=_one_of(SPLITS | {"": ""}, "split", row.get("split", ""), origin),
            speaker=row.get("speaker", ""),
            attack=row.get("attack") or row.get("generator", ""),
            codec=row.get("codec", ""),
            corpus=row.get("corpus", ""),
        )


def _one_of(aliases: Mapping[str, str], column: str, value: str, origin: str) -> str:
    if value.lower() not in aliases:
        raise UserError(
            f"A {column} is one of {', '.join(filter(None, aliases))}. "
            f"Received: {value!r} in {origin}. Correct the line."
        )
    return aliases[value.lower()]


def _inside(file: str, origin: str) -> str:
    """Return a listed path with forward slashes, or raise a `UserError` if it leaves the root."""
    path = PureWindowsPath(file)
    if path.anchor or ".." in path.parts or not path.name:
        raise UserError(
            f"A file is listed by its path inside the corpus. Received: {file!r} in {origin}. "
            "Correct the line, or download the protocol again."
        )
    return path.as_posix()


def _check_width(width: int, widths: Sequence[int], origin: str) -> None:
    if width not in widths:
        raise UserError(
            f"A line has {' or '.join(map(str, widths))} columns here. Received: {width} in "
            f"{origin}. Correct the line, or download the protocol again."
        )


def _known(column: str) -> str:
    return "" if column in ("-", "bonafide") else column


def _stem(file: str) -> str:
    name = file.rpartition("/")[2]
    return name.rpartition(".")[0] if name.lower().endswith(AUDIO_SUFFIXES) else name


def _depth(name: str) -> tuple[int, str]:
    return name.count("/"), name


def _first_line(table: Path) -> str:
    return next((line for _, line in _read_lines(table)), "")


def _read_lines(table: Path) -> Iterator[tuple[int, str]]:
    try:
        with table.open(encoding="utf-8-sig") as file:
            yield from enumerate(file, start=1)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"A protocol must be readable text in UTF-8. Received: {table} ({error}). "
            "Save it as UTF-8, or download it again."
        ) from None


def _read_rows(
    table: Path, required: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each row of a table stands, and its cells by column."""
    rows = csv.reader((line for _, line in _read_lines(table)), delimiter=delimiter)
    try:
        columns = [column.strip().lower() for column in next(rows, [])]
        for column in required:
            if column not in columns:
                raise UserError(
                    f"A table of audio files has the columns {', '.join(required)}. "
                    f"Received: no column {column} in {table}. Add it to the first line."
                )
        for row in filter(None, rows):
            origin = f"line {rows.line_num} of {table}"
            _check_width(len(row), (len(columns),), origin)
            yield origin, {k: v.strip() for k, v in zip(columns, row, strict=True)}
    except csv.Error as error:
        raise UserError(f"A table must be CSV. Received: {table} ({error}). Correct it.") from None


CORPORA: dict[str, Callable[[Tree], Iterator[Listing]]] = {
    "asvspoof2019": partial(_list_protocols, name="asvspoof2019"),
    "asvspoof2021-la": partial(_list_keys, name="asvspoof2021-la", layout=ASVSPOOF_2021_LA),
    "asvspoof2021-df": partial(_list_keys, name="asvspoof2021-df", layout=ASVSPOOF_2021_DF),
    "asvspoof5": partial(_list_protocols, name="asvspoof5"),
    "in-the-wild": _list_in_the_wild,
    "wavefake": _list_wavefake,
    "for": _list_for,
    "mlaad": _list_mlaad,
    "folders": _list_folders,
}
