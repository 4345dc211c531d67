"""Find the tables of labels beside audio."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

from deepfake_audio.corpora.headless_tables import find_headless_columns
from deepfake_audio.corpora.index import Tree, depth
from deepfake_audio.corpora.label_columns import LabelColumns, find_columns
from deepfake_audio.corpora.listed_files import from_any_machine
from deepfake_audio.corpora.sorted_folders import BOTH
from deepfake_audio.errors import InputError, one_line, shortened
from deepfake_audio.system.csv_files import without_blank_ends
from deepfake_audio.system.regular_files import open_regular
from deepfake_audio.tables.class_names import split_word
from deepfake_audio.tables.column_names import is_header
from deepfake_audio.tables.label_choice import PREDICTED, LabelsDifferError, is_answer
from deepfake_audio.tables.lines import first_line
from deepfake_audio.tables.text_tables import JSON, TextTable, first_row, open_text_table

LABEL_TABLE, MANIFEST = "labels.csv", "manifest.csv"
DOCUMENTS = (".json", ".jsonl", ".ndjson", ".md", ".markdown")  # that may have a table
OTHER_TABLES = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".parquet")
KEY = re.compile(r'"(\w+)"\s*:')
OF_PREDICTIONS = re.compile("pred|score|prob|logit|conf|result|output|llr")
SEARCHED_BYTES = 10_000  # of a document
MAX_NAMED = 4  # tables of a sentence
REASONS = UNLABELLED, UNCLEAR, DIFFERING, PREDICTIONS = (  # not to use a table
    "files without clear labels", "labels 0 and 1, or the like",
    "two columns of labels that differ", "labels that may be predictions",
)  # fmt: skip
MAX_TABLES = 20  # of a folder; more are transcripts of its files


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
    columns: LabelColumns
    is_named: bool = False


@dataclass(frozen=True)
class LabelTables:
    """The tables of a tree.

    Attributes:
        used: the tables to read.
        notes: sentences about the tables that are not used.
        unused: names of tables with labels that are not used.
    """

    used: list[LabelTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


FOUND: WeakKeyDictionary[Tree, LabelTables] = WeakKeyDictionary()


def find_tables(tree: Tree) -> LabelTables:
    """Return the tables of labels, which are found once for a tree.

    Raises:
        InputError: an unreadable table in the root.
    """
    if tree not in FOUND:
        FOUND[tree] = _find_tables(tree)
    return FOUND[tree]


def _find_tables(tree: Tree) -> LabelTables:
    """Find tables that say by their columns that they have labels, else by their cells."""
    found = partial(is_there, tree)
    named = [table for name in tree.tables if (table := _named_table(tree.root, name, found))]
    used = [table for table in named if table.name == MANIFEST] or named
    others = _tables_by_content(tree, found)
    if not used:
        return others
    names = [table.name for table in used]
    unused = [each.name for each in (*named, *others.used) if each.name not in names]
    unused = list(dict.fromkeys(unused))
    note = f"Not used, since {_listed(names)} is there: {_listed(unused)}."
    return LabelTables(used, [note] if unused else [], unused)


def _named_table(root: Path, name: str, found: Callable[[str], bool]) -> LabelTable | None:
    """Return a table in the root that says by its name or its header that it has labels."""
    if "/" in name or not name.lower().endswith((".csv", ".tsv")):
        return None
    if name != LABEL_TABLE and not {"file", "label"} <= {*first_row(root / name)}:
        return None
    columns = find_columns(open_text_table(root / name, has_header=True), found)
    return LabelTable(name, columns, is_named=True) if columns else None


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(one_line, names[:MAX_NAMED]))
    return f"{shown}, ... ({len(names):,} tables)" if len(names) > MAX_NAMED else shown


def is_there(tree: Tree, cell: str) -> bool:
    """Return whether a cell names an audio file on disk."""
    with suppress(InputError):
        path = from_any_machine(without_blank_ends(cell), "")
        return tree.find(path, None, by_name=True) is not None
    return False


def _tables_by_content(tree: Tree, found: Callable[[str], bool]) -> LabelTables:
    """Find tables anywhere that name audio files and have known labels.

    Raises:
        LabelsDifferError: a table whose labels are not clear, if no folders mean both classes.
    """
    used, documents = [], []
    left_out: dict[str, list[str]] = {reason: [] for reason in REASONS}
    has_folders = tree.folders.classes == BOTH
    for name in _candidates(tree):
        is_near = partial(_is_below, tree, f"{name.rpartition('/')[0]}/", found)
        try:
            table = open_text_table(tree.root / name)
            columns = _columns_of(table, is_near)
        except LabelsDifferError:
            if not has_folders:
                raise
            left_out[DIFFERING].append(name)
            continue
        except InputError:
            continue
        if columns is None:
            # The first or second line begins with an audio file.
            if any(is_near(row[0]) for row in table.sample[:2]):
                left_out[UNLABELLED].append(name)
        elif not columns.is_clear and has_folders:
            left_out[UNCLEAR].append(name)
        elif table.separator != JSON and not name.lower().endswith(DOCUMENTS):
            used.append(LabelTable(name, columns))
        elif _may_be_predictions(tree.root / name, columns):
            left_out[PREDICTIONS].append(name)
        else:
            documents.append(LabelTable(name, columns))
    notes = [f"Not used: {_listed(names)}, with {why}." for why, names in left_out.items() if names]
    documents = [] if used or tree.folders.labels else documents
    if documents:
        notes.append(f"The labels are those of {_listed([each.name for each in documents])}.")
    return LabelTables(used or documents, notes)


def _candidates(tree: Tree) -> list[str]:
    """Return the files that may be tables; many of one folder are transcripts of its files."""
    documents = [name for name in tree.others if name.lower().endswith(DOCUMENTS)]
    found = []
    for names in (tree.tables, [] if tree.folders.labels else documents):
        per_folder = Counter(name.rpartition("/")[0] for name in names)
        few = [name for name in names if per_folder[name.rpartition("/")[0]] <= MAX_TABLES]
        found += sorted(few, key=depth)
    return found


def _is_below(tree: Tree, folder: str, found: Callable[[str], bool], cell: str) -> bool:
    with suppress(InputError):
        path = from_any_machine(cell, "")
        return found(cell) or tree.find(f"{folder}{path}", None) is not None
    return False


def _columns_of(table: TextTable, found: Callable[[str], bool]) -> LabelColumns | None:
    """Return the columns of a table of labels of audio on disk; None for another table."""
    if not table.header:
        return find_headless_columns(table, found)
    columns = find_columns(table, found)
    if columns and any(map(found, columns.cells("file"))):
        return columns if any(map(is_answer, columns.cells("label"))) else None
    if table.separator == JSON or is_header(table.header) or any(map(found, table.header)):
        return None
    columns = find_headless_columns(replace(table, header=None), found)
    is_predicted = columns and PREDICTED.search(table.columns[columns.places["label"]])
    return None if is_predicted else columns


def _may_be_predictions(path: Path, columns: LabelColumns) -> bool:
    """Return whether a document says, by its name or beside its labels, that it has predictions."""
    with open_regular(path, "A table") as file:
        beginning = file.read(SEARCHED_BYTES).decode(errors="replace")
    names = (*KEY.findall(beginning), *(columns.table.header or ()), path.stem)
    return any(map(OF_PREDICTIONS.search, map(str.lower, names)))


def check_label_table(tree: Tree) -> None:
    """Raise an `InputError` for a labels.csv without columns of files and labels."""
    table, found = tree.root / LABEL_TABLE, find_tables(tree)
    names = [*(each.name for each in found.used), *found.unused]
    if LABEL_TABLE in tree.tables and LABEL_TABLE not in names:
        open_text_table(table)  # names the kind of a file that is no text, such as a workbook
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


def split_in(table: str) -> str:
    """Return the split that the path of a table means, "" for none."""
    folder, _, name = table.rpartition("/")
    return split_word(name.partition(".")[0]) or split_word(name) or split_word(folder)


def named_splits(tables: list[LabelTable]) -> dict[str, str]:
    """Return the splits that the names of tables mean, if they mean several; else none."""
    splits = {table.name: split for table in tables if (split := split_in(table.name))}
    return splits if len({*splits.values()}) > 1 else {}


def column_notes(tables: list[LabelTable]) -> Iterator[str]:
    """Yield sentences about what was guessed of tables, and the splits that their names mean."""
    yield from dict.fromkeys(note for table in tables for note in table.columns.notes)
    without = [t.name for t in tables if split_in(t.name) and "split" not in t.columns.places]
    if without and named_splits(tables):
        yield f"The splits are those that the names of {_listed(without)} mean."
    elif without:
        yield f"{_listed(without)} has no column split, and its name was not used as one."
