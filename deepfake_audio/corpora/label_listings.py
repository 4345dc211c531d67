"""List the files of tables of labels and of class folders."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

from deepfake_audio.corpora.index import Tree
from deepfake_audio.corpora.label_columns import LabelColumns, find_columns, known
from deepfake_audio.corpora.label_tables import LABEL_TABLE, find_tables, is_there, named_splits
from deepfake_audio.corpora.layouts import Listing, read_split
from deepfake_audio.corpora.listed_files import ListedFiles, inside
from deepfake_audio.errors import InputError
from deepfake_audio.tables.label_words import class_and_generator
from deepfake_audio.tables.text_tables import first_row, open_text_table

WILD_COLUMNS = ["file", "speaker", "label"]


def list_folders(tree: Tree) -> Iterator[Listing]:
    """Yield the files of tables of labels, and of class folders."""
    tables = find_tables(tree).used
    splits, listed = named_splits(tables), set()
    for table in tables:
        _check_one_subset(table.columns)
        folder = "".join(table.name.rpartition("/")[:2])
        for listing in _listings(tree, table.columns, folder):
            found = tree.find(listing.file, None)
            listed.add(found)
            if found and not table.is_named:
                _check_folder(tree, found, listing)
            yield listing._replace(split=listing.split or splits.get(table.name, ""))
    if not any(table.is_named for table in tables):
        yield from _list_class_folders(tree, listed)


def _list_class_folders(tree: Tree, listed: set[str | None]) -> Iterator[Listing]:
    """Yield the files of class folders that are not listed yet.

    Raises:
        InputError: a class folder is below one of the other class.
    """
    if len(listed) < len(tree.audio):
        tree.folders.check_conflicts()
    for name in tree.audio:
        split, label = tree.folders.place(name)
        if label and name not in listed:
            yield Listing(name, label, split=split, attack=tree.folders.generator(name))


def _check_folder(tree: Tree, name: str, listing: Listing) -> None:
    """Raise an `InputError` if a table and the class folder of a file disagree."""
    label = tree.folders.place(name)[1]
    if label not in ("", listing.label):
        raise InputError(
            f"{name} is {listing.label} in {listing.origin}, and its folder means {label}; correct "
            f"one of the two, name the table {LABEL_TABLE} to let it count, or move it elsewhere"
        )


def _check_one_subset(columns: LabelColumns) -> None:
    if "subset" not in columns.places:
        return
    subsets = {facts["subset"] for _, _, facts in columns.rows()}
    if len(subsets) > 1:
        raise InputError(
            f"{columns.table.path} has the subsets {', '.join(sorted(subsets))}; keep only the "
            "lines of one: official figures use eval, the others give different ones"
        )


def _listings(tree: Tree, columns: LabelColumns, folder: str | None) -> Iterator[Listing]:
    """Yield the listings of a table in a folder; a fact without a column is from folders.

    The folder is "" or ends in a slash; None keeps the paths as they are listed.
    """
    speaker_of = _speakers_of_sentences(columns)
    files = ListedFiles(tree, folder or "", columns.rows)
    for origin, label, facts in columns.rows():
        if folder is None:
            file, elsewhere = inside(facts["file"], origin), ""
        else:
            file, elsewhere = files.find(facts["file"], label, origin)
        speaker, sentence = known(facts.get("speaker", "")), known(facts.get("sentence", ""))
        split, folder_label = tree.folders.place(file)
        generator = class_and_generator(facts["label"])[1]
        if not generator and folder_label == label:
            generator = tree.folders.generator(file)
        codec = facts.get("codec", "")
        codec = codec if columns.table.header else known(codec)
        yield Listing(
            file=file,
            label=label,
            origin=origin,
            split=read_split(facts["split"], origin) if "split" in facts else split,
            speaker=speaker,
            attack=known(facts["attack"]) if "attack" in facts else generator,
            codec=codec,
            corpus=facts.get("corpus", ""),
            split_key=speaker or speaker_of.get(sentence, sentence),
            elsewhere=elsewhere,
        )


def _speakers_of_sentences(columns: LabelColumns) -> dict[str, str]:
    """Return the speaker of each sentence for which a table names exactly one.

    Files of the sentence without a speaker, such as its fakes, get the same split key.
    """
    speakers = defaultdict(set)
    if "sentence" in columns.places:
        for _, _, facts in columns.rows():
            speaker, sentence = known(facts.get("speaker", "")), known(facts["sentence"])
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
        near, opened = table.removesuffix("meta.csv"), open_text_table(tree.root / table, True)
        columns = find_columns(opened, partial(is_there, tree))
        for listing in _listings(tree, columns, None) if columns else ():
            found = tree.find(listing.file, near) or listing.file
            split = listing.split or tree.folders.place(found)[0]
            yield listing._replace(near=near, split=split, corpus="in-the-wild")


CORPORA: dict[str, Callable[[Tree], Iterator[Listing]]] = {
    "in-the-wild": list_in_the_wild,
    "folders": list_folders,
}
