"""All corpora whose layouts are known, and which of them a folder has."""

from deepfake_audio.corpora import label_listings, layouts, layouts_2024
from deepfake_audio.corpora.index import Tree
from deepfake_audio.corpora.label_tables import find_tables
from deepfake_audio.errors import InputError

WILD, FOLDERS = "in-the-wild", "folders"  # folders is left if no other is found
# The files and folders that show each corpus, for messages.
LOOKED_FOR = {
    "asvspoof2019": "ASVspoof2019.LA.cm.{train.trn,dev.trl,eval.trl}.txt",
    "asvspoof2021-la": "keys/LA/CM/trial_metadata.txt",
    "asvspoof2021-df": "keys/DF/CM/trial_metadata.txt",
    "asvspoof5": "ASVspoof5.{train,dev.track_1,eval.track_1}.tsv",
    "in-the-wild": "meta.csv with the header file,speaker,label",
    "wavefake": "generated_audio/{ljspeech,jsut}_<vocoder>/",
    "for": "for-{original,norm,2sec,rerec}/{training,validation,testing}/{real,fake}/",
    "mlaad": "fake/<language>/<model>/meta.csv",
    "spoofceleb": "metadata/{train,development,evaluation}.csv with file,speaker,attack",
    "dfadd": "DATASET_<model>/{train,valid,test}/ and DATASET_VCTK_BONAFIDE/",
    "codecfake": "label/{train,dev,C1...C7,A1...}.txt, or files named <codec>+p225_001.wav",
    "deepfake-eval-2024": "audio-metadata-publish.csv and audio-data/",
    "sonar": "real_samples/ beside OpenAI/, xTTS/, VALLE/ and the like",
    "folders": "{real,fake}/, {train,val,test}/{real,fake}/, or a CSV with the columns file,label",
}
READERS = layouts.CORPORA | layouts_2024.CORPORA | label_listings.CORPORA
CORPORA = {name: READERS[name] for name in LOOKED_FOR}


def known_layouts(tree: Tree) -> set[str]:
    """Return the keys of `CORPORA` whose layouts a tree has; several if it is ambiguous.

    Raises:
        InputError: a table that can't be read.
    """
    found = layouts.known_layouts(tree)
    if label_listings.in_the_wild_tables(tree):
        found.add(WILD)
    if recent := layouts_2024.known_layouts(tree):
        return recent | (found - {FOLDERS})
    if not found and (tree.folders.labels or find_tables(tree).used):
        return {FOLDERS}
    return found


def check_keys(name: str, tree: Tree) -> None:
    """Raise an `InputError` if ASVspoof 2021 was unpacked without its keys, another archive."""
    if not name.startswith("asvspoof2021") or tree.tables_named("trial_metadata.txt"):
        return
    part = name[-2:].upper()
    lists = [table for table in tree.tables if f"ASVspoof2021.{part}.cm." in table]
    if lists:
        raise InputError(
            f"{tree.root / lists[0]} has no labels; unpack the keys of ASVspoof 2021 {part} "
            f"({part}-keys-full.tar.gz, with {LOOKED_FOR[name]}) into {tree.root}"
        )
