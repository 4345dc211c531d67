"""The layouts of corpora from 2024 on: SpoofCeleb, DFADD, CodecFake, Deepfake-Eval-2024, SONAR."""

import re
from collections.abc import Callable, Iterator, Sequence

from deepfake_audio.corpora.index import Tree, stem
from deepfake_audio.corpora.layouts import Listing, read_label
from deepfake_audio.corpora.listed_files import inside
from deepfake_audio.corpora.sorted_folders import BOTH
from deepfake_audio.tables.class_names import SPLIT_ALIASES, label_of, split_of
from deepfake_audio.tables.column_names import LABELS
from deepfake_audio.tables.lines import first_line, read_words
from deepfake_audio.tables.text_tables import check_width, first_row, read_rows

SPOOFCELEB_TABLE = re.compile(r"(?:.*/)?metadata/(train|development|evaluation)\.csv")
SPOOFCELEB_REAL = "a00"
DFADD_FOLDER = re.compile(r"DATASET_(\w+)")
DFADD_MODELS = re.compile(
    r"DATASET_(VCTK_BONAFIDE|GradTTS|MatchaTTS|NaturalSpeech2|PflowTTS|StyleTTS2)"
)
CODECFAKE_TABLE = re.compile(r"(?:.*/)?label/(train|dev|[AC]\d)\.txt")
CODECFAKE_LINE = re.compile(r"\S+\s+(?:real|fake)\s+\d+\s*")
CODEC = re.compile(r"[0-9]*[1-9][0-9]*")
CODECFAKE_FILE = re.compile(r"(?:.*/)?([\w.-]+)\+(([ps]\d+)_\d+)[^/]*")
VCTK_FILE = re.compile(r"(?:.*/)?wav48\w*/([ps]\d+)/([ps]\d+_\d+)[^/]*")
EVAL_2024_TABLE = "audio-metadata-publish"
EVAL_2024_COLUMNS = ("filename", "ground truth")
SONAR_REAL = "real_samples"
SONAR_FAKES = {
    "openai", "flashspeech", "voicebox", "xtts", "naturalspeech3", "valle", "prompttts2",
    "audiogen", "seedtts",
}  # fmt: skip


def known_layouts(tree: Tree) -> set[str]:
    """Return the keys of `CORPORA` whose layouts a tree has.

    Raises:
        InputError: a table that can't be read.
    """
    tables, has_codecs = _codecfake_tables(tree), any(map(CODECFAKE_FILE.fullmatch, tree.audio))
    signs = {
        "spoofceleb": _spoofceleb_tables(tree),
        "dfadd": any(map(_is_dfadd, tree.audio)),
        "codecfake": tables or has_codecs,
        # In class folders, the names may be those of the user.
        "folders": not tables and has_codecs and tree.folders.classes == BOTH,
        "deepfake-eval-2024": _eval_2024_tables(tree),
        "sonar": any(folder.lower() in SONAR_FAKES for _, folder in _sonar_files(tree)),
    }
    return {name for name, found in signs.items() if found}


def _exact(tree: Tree, folders: Sequence[str], file: str) -> str:
    """Return a file's path below the first folder that has it, else below the first one.

    Only the exact path is the file, since names recur in other folders.
    """
    paths = [f"{folder}{file}" for folder in folders]
    return next((path for path in paths if path in tree.audio_names), paths[0])


def _spoofceleb_tables(tree: Tree) -> list[str]:
    return [
        table
        for table in tree.tables
        if SPOOFCELEB_TABLE.fullmatch(table)
        and {"file", "speaker", "attack"} <= (columns := {*first_row(tree.root / table)})
        and columns.isdisjoint(LABELS)  # else it is a table of the user
    ]


def _list_spoofceleb(tree: Tree) -> Iterator[Listing]:
    for table in _spoofceleb_tables(tree):
        split, root = SPOOFCELEB_TABLE.fullmatch(table)[1], table.rpartition("metadata/")[0]
        places = [f"{root}{folder}" for folder in (f"flac/{split}/", f"{split}/", "flac/", "")]
        for origin, row in read_rows(tree.root / table, ("file", "speaker", "attack")):
            is_real = row["attack"] in (SPOOFCELEB_REAL, "-", "bonafide")
            yield Listing(
                _exact(tree, places, inside(row["file"], origin)),
                "real" if is_real else "fake",
                origin=origin,
                split=SPLIT_ALIASES[split],
                speaker=row["speaker"],
                attack="" if is_real else row["attack"],
                corpus="spoofceleb",
            )


def _is_dfadd(name: str) -> bool:
    """Return whether a file is below a folder of DFADD, and not in a class folder below it."""
    *folders, _ = name.split("/")
    places = [n for n, folder in enumerate(folders) if DFADD_MODELS.fullmatch(folder)]
    return bool(places) and not any(map(label_of, folders[places[-1] + 1 :]))


def _list_dfadd(tree: Tree) -> Iterator[Listing]:
    for name in tree.audio:
        *folders, _ = name.split("/")
        places = [n for n, folder in enumerate(folders) if DFADD_FOLDER.fullmatch(folder)]
        if not places:
            continue
        model = DFADD_FOLDER.fullmatch(folders[places[-1]])[1]
        split = next(filter(None, map(split_of, folders[places[-1] + 1 :])), "")
        is_real = "bonafide" in model.lower()
        yield Listing(
            name,
            "real" if is_real else "fake",
            split=split,
            speaker=stem(name).partition("_")[0],
            attack="" if is_real else model,
            corpus="dfadd",
        )


def _codecfake_tables(tree: Tree) -> list[str]:
    return [
        table
        for table in tree.tables
        if CODECFAKE_TABLE.fullmatch(table)
        and CODECFAKE_LINE.fullmatch(first_line(tree.root / table))
    ]


def _list_codecfake(tree: Tree) -> Iterator[Listing]:
    """List Codecfake by Xie et al. by its labels, and CodecFake by Wu et al. by its names.

    The second has fakes only, and its real files are VCTK, if that is below the folder too.
    """
    tables = _codecfake_tables(tree)
    for table in tables:
        yield from _list_codecfake_table(tree, table)
    for name in () if tables else tree.audio:
        if found := CODECFAKE_FILE.fullmatch(name):
            yield Listing(
                name, "fake", speaker=found[3], attack=found[1], corpus="codecfake",
                split_key=found[3],
            )  # fmt: skip
        elif found := VCTK_FILE.fullmatch(name):
            yield Listing(name, "real", speaker=found[1], corpus="codecfake", split_key=found[1])
        elif tree.folders.place(name)[1] == "real":
            yield Listing(name, "real")  # speech of the user


def _list_codecfake_table(tree: Tree, table: str) -> Iterator[Listing]:
    part, root = CODECFAKE_TABLE.fullmatch(table)[1], table.rpartition("label/")[0]
    places = [f"{root}{folder}" for folder in (f"{part}/", f"test/{part}/", f"{part}_split/", "")]
    for origin, columns in read_words(tree.root / table):
        check_width(len(columns), (3,), origin)
        file, label, codec = columns
        yield Listing(
            _exact(tree, places, inside(file, origin)),
            read_label(label, origin),
            origin=origin,
            split=SPLIT_ALIASES.get(part, "test"),
            attack=f"F{codec:0>2}" if CODEC.fullmatch(codec) else "",
            codec="" if part in SPLIT_ALIASES else part,
            corpus="codecfake",
            # A real file and its fakes by seven codecs: F01_SSB13650058.wav.
            split_key=re.sub(r"^F\d\d_", "", stem(file)),
        )


def _eval_2024_tables(tree: Tree) -> list[str]:
    tables = [
        table
        for table in tree.tables
        if table.rpartition("/")[2].startswith(EVAL_2024_TABLE)
        and {*EVAL_2024_COLUMNS} <= {*first_row(tree.root / table)}
    ]
    return sorted(tables, key=len)[:1]  # the other one has the same rows, with links


def _list_eval_2024(tree: Tree) -> Iterator[Listing]:
    for table in _eval_2024_tables(tree):
        near = table.rpartition("/")[0]
        for origin, row in read_rows(tree.root / table, EVAL_2024_COLUMNS):
            label = label_of(row["ground truth"])
            if not label:  # a few are unknown
                continue
            yield Listing(
                inside(row["filename"], origin),
                label,
                origin=origin,
                near=f"{near}/" if near else "",
                split=split_of(row.get("finetuning set", "")),
                corpus="deepfake-eval-2024",
            )


def _sonar_files(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the files beside and below folders of real speech, each with its folder there.

    If such a folder and its neighbours are below another one's neighbour, they count.
    """
    real = f"/{SONAR_REAL}/"
    paths = [f"/{name}" for name in tree.audio]
    roots = sorted({f"{path.partition(real)[0]}/" for path in paths if real in path}, reverse=True)
    for name, path in zip(tree.audio, paths, strict=True):
        root = next(filter(path.startswith, roots), None)
        folder, slash, _ = path.removeprefix(root or path).partition("/")
        if slash:
            yield name, folder


def _list_sonar(tree: Tree) -> Iterator[Listing]:
    for name, folder in _sonar_files(tree):
        label, attack = ("real", "") if folder == SONAR_REAL else ("fake", folder)
        yield Listing(name, label, attack=attack, corpus="sonar")


CORPORA: dict[str, Callable[[Tree], Iterator[Listing]]] = {
    "spoofceleb": _list_spoofceleb,
    "dfadd": _list_dfadd,
    "codecfake": _list_codecfake,
    "deepfake-eval-2024": _list_eval_2024,
    "sonar": _list_sonar,
}
