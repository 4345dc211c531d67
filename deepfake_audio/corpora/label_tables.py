"""Tables of labels beside audio, and the layouts that they and class folders make."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deepfake_audio.corpora.headless_tables import (
    HeadlessColumns,
    find_headless_columns,
    headless_rows,
)
from deepfake_audio.corpora.index import Tree, depth
from deepfake_audio.corpora.label_columns import LabelColumns, find_columns, known
from deepfake_audio.corpora.layouts import Listing, read_label, read_split
from deepfake_audio.corpora.listed_files import ListedFiles, find_listed, from_any_machine, inside
from deepfake_audio.errors import InputError, one_line, shortened
from deepfake_audio.tables.class_names import split_word
from deepfake_audio.tables.column_names import is_header
from deepfake_audio.tables.label_choice import LabelsDifferError
from deepfake_audio.tables.label_words import class_and_generator
from deepfake_audio.tables.lines import first_line
from deepfake_audio.tables.rows import first_row, read_rows

LABEL_TABLE, MANIFEST = "labels.csv", "manifest.csv"
OTHER_TABLES = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".parquet")
MAX_NAMED = 4  # tables of a sentence
MAX_TABLES = 20  # of a folder; more are transcripts of its files
WILD_COLUMNS = ["file", "speaker", "label"]
LOOKED_FOR = {
    "in-the-wild": "meta.csv with the header file,speaker,label",
    "folders": "{real,fake}/, {train,val,test}/{real,fake}/, or a CSV with the columns file,label",
}


@dataclass(frozen=True)
class LabelTable:
    """A table that labels audio files.

    Attributes:
        name: its path below the corpus root.
        columns: where its facts are.
        is_named: it has the columns file and label, or the name labels.csv: it counts before class
            folders, and files that it lacks are not used.
    """

    name: str
    columns: LabelColumns | HeadlessColumns
    is_named: bool = False


@dataclass(frozen=True)
class LabelTables:
    """The tables of a tree.

    Attributes:
        used: the tables to read.
        notes: sentences about the tables that are not used.
    """

    used: list[LabelTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_tables(tree: Tree) -> LabelTables:
    """Find the tables of labels: those that say so by their columns, else by their cells.

    Raises:
        InputError: an unreadable table in the root.
    """
    is_there = partial(_is_there, tree)
    named = [
        LabelTable(table, columns, is_named=True)
        for table in tree.tables
        if _is_named(tree.root, table)
        and (columns := find_columns(tree.root / table, is_there)) is not None
    ]
    used = [table for table in named if table.name == MANIFEST] or named
    others = _tables_by_content(tree, is_there)
    if not used:
        return others
    names = [table.name for table in used]
    unused = [each.name for each in (*named, *others.used) if each.name not in names]
    unused = list(dict.fromkeys(unused))
    note = f"Not used, since {_listed(names)} is there: {_listed(unused)}."
    return LabelTables(used, [note] if unused else [])


def _is_named(root: Path, table: str) -> bool:
    """Return whether a table in the root says by its name or its header that it has labels."""
    if "/" in table or not table.lower().endswith((".csv", ".tsv")):
        return False
    return table == LABEL_TABLE or {"file", "label"} <= {*first_row(root / table)}


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(one_line, names[:MAX_NAMED]))
    return f"{shown}, ... ({len(names):,} tables)" if len(names) > MAX_NAMED else shown


def _is_there(tree: Tree, cell: str) -> bool:
    with suppress(InputError):
        return bool(cell) and find_listed(tree, "", cell, "") is not None
    return False


def _tables_by_content(tree: Tree, is_there: Callable[[str], bool]) -> LabelTables:
    """Find tables anywhere that name audio files and have known labels.

    Raises:
        LabelsDifferError: a table whose labels are not clear, if no folders mean both classes.
    """
    per_folder = Counter(table.rpartition("/")[0] for table in tree.tables)
    used, unlabelled, unclear, differing = [], [], [], []
    has_folders = {label for label, _ in tree.labels.values()} == {"real", "fake"}
    for table in sorted(tree.tables, key=depth):
        folder = table.rpartition("/")[0]
        if per_folder[folder] > MAX_TABLES:
            continue
        try:
            is_near = partial(_is_below, tree, f"{folder}/", is_there)
            columns = _columns_of(tree.root / table, is_near)
            if columns is None:
                if _lists_files(tree.root / table, is_near):
                    unlabelled.append(table)
            elif isinstance(columns, LabelColumns) and not columns.is_clear and has_folders:
                unclear.append(table)
            else:
                used.append(LabelTable(table, columns))
        except LabelsDifferError:
            if not has_folders:
                raise
            differing.append(table)
        except (InputError, ValueError):
            continue
    reasons = (
        (unlabelled, "files without clear labels"),
        (unclear, "labels 0 and 1, or the like"),
        (differing, "two columns of labels that differ"),
    )
    notes = [f"Not used: {_listed(names)}, with {why}." for names, why in reasons if names]
    return LabelTables(used, notes)


def _lists_files(table: Path, is_there: Callable[[str], bool]) -> bool:
    """Return whether the first or second line of a table begins with an audio file on disk."""
    rows = itertools.islice(headless_rows(table), 2)
    return any(row and is_there(row[0]) for _, row in rows)


def _is_below(tree: Tree, folder: str, is_there: Callable[[str], bool], cell: str) -> bool:
    with suppress(InputError):
        path = from_any_machine(cell, "")
        return is_there(cell) or tree.find(f"{folder}{path}", None) is not None
    return False


def _columns_of(
    table: Path, is_there: Callable[[str], bool]
) -> LabelColumns | HeadlessColumns | None:
    """Return the columns of a table of labels of audio on disk; None for another table."""
    if not is_header(first_row(table)):
        return find_headless_columns(table, is_there)
    columns = find_columns(table, is_there)
    if columns and any(map(is_there, columns.files)) and columns.has_labels():
        return columns
    return None


def check_label_table(tree: Tree) -> None:
    """Raise an `InputError` for a labels.csv without columns of files and labels."""
    table = tree.root / LABEL_TABLE
    if LABEL_TABLE not in tree.tables or find_columns(table, partial(_is_there, tree)):
        return
    if LABEL_TABLE not in [each.name for each in find_tables(tree).used]:
        raise InputError(
            f"the first line of {table} is {_header_of(table)}; it needs the columns file and "
            "label, with commas, semicolons or tabs between"
        )


def _header_of(table: Path) -> str:
    return shortened(repr(first_line(table).rstrip()))


def describe_tables(tree: Tree) -> str:
    """Return which table of a tree without known labels comes closest, "" without tables."""
    for table in sorted(tree.tables, key=lambda name: (name.endswith(".txt"), depth(name))):
        with suppress(InputError):
            return (
                f"; {table} begins with {_header_of(tree.root / table)}, and is no list of these "
                "files and their labels"
            )
    table = next((name for name in tree.others if name.lower().endswith(OTHER_TABLES)), "")
    return f"; save {table} as CSV with the columns file and label" if table else ""


def list_folders(tree: Tree) -> Iterator[Listing]:
    """Yield the files of tables of labels, and of class folders."""
    tables = find_tables(tree).used
    listed = set()
    for table in tables:
        _check_one_subset(tree.root / table.name, table.columns)
        split = _split_of_table(table.name, [each.name for each in tables])
        for listing in _list_table(tree, table):
            found = tree.find(listing.file, None)
            listed.add(found)
            if found and not table.is_named:
                _check_folder(tree, found, listing)
            yield listing._replace(split=listing.split or split) if split else listing
    if not any(table.is_named for table in tables):
        yield from list_class_folders(tree, listed)


def list_class_folders(tree: Tree, listed: set[str | None], only: str = "") -> Iterator[Listing]:
    """Yield the files of class folders that are not listed yet.

    Args:
        tree: the corpus.
        listed: names of files.
        only: one class, "" for both.

    Raises:
        InputError: a class folder is below one of the other class.
    """
    if len(listed) < len(tree.audio):
        tree.folders.check_conflicts()
    for name in tree.audio:
        split, label = tree.folders.place(name)
        if label and only in ("", label) and name not in listed:
            yield Listing(name, label, split=split, attack=tree.folders.generator(name))


def _check_folder(tree: Tree, name: str, listing: Listing) -> None:
    """Raise an `InputError` if a table and the class folder of a file disagree."""
    label = tree.folders.place(name)[1]
    if label not in ("", listing.label):
        raise InputError(
            f"{name} is {listing.label} in {listing.origin}, and its folder means {label}; correct "
            f"one of the two, name the table {LABEL_TABLE} to let it count, or move it elsewhere"
        )


def _check_one_subset(table: Path, columns: LabelColumns | HeadlessColumns) -> None:
    if isinstance(columns, HeadlessColumns) and columns.subsets:
        raise InputError(
            f"{table} has the subsets {', '.join(sorted(columns.subsets))}; keep only the lines of "
            "one: official figures use eval, the others give different ones"
        )


def _split_of_table(table: str, tables: list[str]) -> str:
    """Return the split that the name of a table means, if other tables name another one."""
    splits = {each: _split_in(each) for each in tables}
    return splits[table] if len({*splits.values()} - {""}) > 1 else ""


def _split_in(table: str) -> str:
    folder, _, name = table.rpartition("/")
    return split_word(name.partition(".")[0]) or split_word(name) or split_word(folder)


def column_notes(tables: list[LabelTable]) -> Iterator[str]:
    """Yield sentences about what was guessed of tables, and the splits that their names mean."""
    yield from dict.fromkeys(note for table in tables for note in table.columns.notes)
    names = [table.name for table in tables if _split_in(table.name)]
    without = [t.name for t in tables if t.name in names and not _has_splits(t.columns)]
    if not without:
        return
    listed = _listed(without)
    if len({_split_in(table.name) for table in tables} - {""}) > 1:
        yield f"The splits are those that the names of {listed} mean."
    else:
        yield f"{listed} has no column split, and its name was not used as one."


def _has_splits(columns: LabelColumns | HeadlessColumns) -> bool:
    if isinstance(columns, HeadlessColumns):
        return columns.split is not None
    return "split" in columns.renamed.values()


def list_table(table: Path, tree: Tree) -> Iterator[Listing]:
    """Yield the listings of a CSV with columns of files and labels; see `find_columns`.

    Raises:
        InputError: an unreadable or malformed CSV.
    """
    columns = find_columns(table, partial(_is_there, tree))
    if columns is None:
        lacking = "label" if "file" in first_row(table) else "file"
        raise InputError(f"{table} has no column {lacking}; its first line needs file, label")
    return _listings(tree, table, columns, "")


def _list_table(tree: Tree, table: LabelTable) -> Iterator[Listing]:
    path, columns = tree.root / table.name, table.columns
    folder = "".join(table.name.rpartition("/")[:2])
    if isinstance(columns, LabelColumns):
        yield from _listings(tree, path, columns, folder)
        return

    def rows() -> Iterator[tuple[str, str, str]]:
        for origin, row in headless_rows(path):
            yield row[columns.file], read_label(row[columns.label], origin), origin

    files = ListedFiles(tree, folder, rows)
    for origin, row in headless_rows(path):
        facts, cell = columns.facts(row), row[columns.label]
        label, generator = read_label(cell, origin), class_and_generator(cell)[1]
        file, elsewhere = files.find(row[columns.file], label, origin)
        yield Listing(
            file=file,
            label=label,
            origin=origin,
            split=read_split(facts.pop("split", ""), origin) or tree.folders.place(file)[0],
            attack=facts.pop("attack", "") or generator,
            split_key=facts.get("speaker", ""),
            elsewhere=elsewhere,
            **facts,
        )


def _listings(
    tree: Tree, table: Path, columns: LabelColumns, folder: str | None
) -> Iterator[Listing]:
    """Yield the listings of a table with a header; a fact without a column is from folders.

    Args:
        tree: the corpus.
        table: the path of the table.
        columns: where its facts are.
        folder: of the table, "" or ending in a slash; None keeps the paths as they are listed.
    """
    speaker_of = _speakers_of_sentences(table, columns)
    own = f"{table.absolute().parent.as_posix()}/"

    def rows() -> Iterator[tuple[str, str, str]]:
        for origin, row in read_rows(table, ("file", "label"), renamed=columns.renamed):
            yield row["file"].removeprefix(own), columns.label(row["label"], origin), origin

    files = ListedFiles(tree, folder or "", rows)
    for origin, row in read_rows(table, ("file", "label"), renamed=columns.renamed):
        name, label = row["file"].removeprefix(own), columns.label(row["label"], origin)
        if folder is None:
            file, elsewhere = inside(name, origin), ""
        else:
            file, elsewhere = files.find(name, label, origin)
        speaker, sentence = known(row.get("speaker", "")), known(row.get("sentence", ""))
        split, folder_label = tree.folders.place(file)
        generator = class_and_generator(row["label"])[1]
        if not generator and folder_label == label:
            generator = tree.folders.generator(file)
        yield Listing(
            file=file,
            label=label,
            origin=origin,
            split=read_split(row["split"], origin) if "split" in row else split,
            speaker=speaker,
            attack=known(row["attack"]) if "attack" in row else generator,
            codec=row.get("codec", ""),
            corpus=row.get("corpus", ""),
            split_key=speaker or speaker_of.get(sentence, sentence),
            elsewhere=elsewhere,
        )


def _speakers_of_sentences(table: Path, columns: LabelColumns) -> dict[str, str]:
    """Return the speaker of each sentence for which a table names exactly one.

    Files of the sentence without a speaker, such as its fakes, get the same split key.
    """
    speakers = defaultdict(set)
    if "sentence" in columns.renamed.values():
        for _, row in read_rows(table, ("file", "label"), renamed=columns.renamed):
            speaker, sentence = known(row.get("speaker", "")), known(row["sentence"])
            if speaker and sentence:
                speakers[sentence].add(speaker)
    return {sentence: min(names) for sentence, names in speakers.items() if len(names) == 1}


def in_the_wild_tables(tree: Tree) -> list[str]:
    """Return the tables of In-the-Wild, as they come or as a spreadsheet saves them."""
    return [
        table
        for table in tree.tables_named("meta.csv")
        if [name for name in first_row(tree.root / table) if name.strip()][:3] == WILD_COLUMNS
    ]


def list_in_the_wild(tree: Tree) -> Iterator[Listing]:
    """Yield the files of In-the-Wild."""
    for table in in_the_wild_tables(tree):
        near, path = table.removesuffix("meta.csv"), tree.root / table
        columns = find_columns(path, partial(_is_there, tree))
        for listing in _listings(tree, path, columns, None) if columns else ():
            found = tree.find(listing.file, near) or listing.file
            split = listing.split or tree.folders.place(found)[0]
            yield listing._replace(near=near, split=split, corpus="in-the-wild")


CORPORA: dict[str, Callable[[Tree], Iterator[Listing]]] = {
    "in-the-wild": list_in_the_wild,
    "folders": list_folders,
}
