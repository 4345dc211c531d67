"""The names of folders and labels: the class or the split that they mean."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise

SPLIT_ALIASES = {
    "train": "train", "training": "train", "trn": "train", "trainset": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "valset": "val",
    "dev": "val", "development": "val", "devset": "val",
    "test": "test", "testing": "test", "tst": "test", "testset": "test",
    "eval": "test", "evaluation": "test",
}  # fmt: skip
# English first, then German, French, Italian, Spanish, Portuguese, Russian and Chinese.
REAL_WORDS = """
    real genuine human original orig authentic natural bonafide pristine true legit live
    echt echte wahr authentisch mensch menschlich natürlich
    vrai vraie réel réelle reel humain naturel authentique
    reale vero vera umano umana naturale autentico originale
    auténtico auténtica verdadero verdadera humano humana verdadeiro verdadeira autêntico autêntica
    reais naturales naturais
    настоящий настоящие реальный реальные подлинный подлинные 真实 真 真人 真声 真实语音 本物 진짜
"""
FAKE_WORDS = """
    fake deepfake spoof spoofed synthetic synthetical synthesized synthesised synthesis synth
    generated artificial ai aigenerated cloned clone tts vocoded converted manipulated
    tampered forged machine robot bot false
    falsch unecht gefaelscht kuenstlich
    fälschung fälschungen gefälscht künstlich synthetisch generiert ki
    faux fausse synthétique artificiel généré ia
    falso falsa sintetico sintetica generato artificiale
    sintético sintética generado generada falsificado gerado gerada clonado clonada
    générée
    фейк фейки поддельный поддельные 伪造 虚假 假 假声 合成 伪造语音 合成语音 ai生成 偽物 가짜
"""
CLASS_OF = dict.fromkeys(REAL_WORDS.split(), "real") | dict.fromkeys(FAKE_WORDS.split(), "fake")
PAIRS = {("bona", "fide"): "bonafide", ("deep", "fake"): "deepfake"}
# Words beside the class that change nothing.
NEUTRAL_WORDS = """
    audio class clip data dataset file folder human image img label mel melspectrogram person
    picture png pic record recording sample set sound spec spectrogram speech speaker the utterance
    utt voice vocal wav wave jpg flac mp3
    stimme stimmen aufnahme aufnahmen datei dateien bild bilder voix voce voz
"""
NEUTRAL = frozenset(NEUTRAL_WORDS.split())
KNOWN_WORDS = NEUTRAL | CLASS_OF.keys() | SPLIT_ALIASES.keys()
WORD = re.compile(r"[^\W\d_]+")
CAMEL = re.compile(r"(?<=[a-zß-ÿ])(?=[A-Z])")


def words_of(name: str) -> list[str]:
    """Return the words of a name in the singular, without case, digits and separators.

    >>> words_of("Bona-fide_01"), words_of("RealVoices"), words_of("DEEP FAKES")
    (['bonafide'], ['real', 'voice'], ['deepfake'])
    """
    text = CAMEL.sub(" ", unicodedata.normalize("NFC", name))
    words = [_singular(word) for word in WORD.findall(text.casefold())]
    for pair, joined in PAIRS.items():
        for place in range(len(words) - 1):
            if tuple(words[place : place + 2]) == pair:
                words[place : place + 2] = [joined]
    return words


def _singular(word: str) -> str:
    if word in KNOWN_WORDS or not word.endswith("s"):
        return word
    return word.removesuffix("s")


@lru_cache(maxsize=1000)
def label_of(name: str) -> str:
    """Return the class that a name means: "real", "fake", or "" for none.

    All words must mean one class, a split, or nothing beside it: `real_vs_fake` and `real_estate`
    mean none.

    >>> [label_of(name) for name in ("Human", "ai_voices_2", "train_real", "real_vs_fake", "anna")]
    ['real', 'fake', 'real', '', '']
    """
    words = words_of(name)
    meant = {CLASS_OF[word] for word in words if word in CLASS_OF}
    others = [word for word in words if word not in KNOWN_WORDS]
    # "human" beside a class is no class: fakes of human voices.
    if len(meant) == 2 and "human" in words:
        meant = {CLASS_OF[word] for word in words if word in CLASS_OF and word != "human"}
    return meant.pop() if len(meant) == 1 and not others else ""


def first_class_of(name: str) -> tuple[str, str]:
    """Return the class that the first word of a name means, and the rest of the name.

    >>> first_class_of("fake_elevenlabs"), first_class_of("elevenlabs"), first_class_of("fake")
    (('fake', 'elevenlabs'), ('', ''), ('fake', ''))
    """
    if label := label_of(name):
        return label, ""
    first, *rest = re.split(r"[\W_]+", name)
    label = label_of(first)
    rest = [word for word in rest if word]
    others = {label_of(word) for word in rest} - {"", label}
    return (label, "_".join(rest)) if label and rest and not others else ("", "")


@lru_cache(maxsize=1000)
def split_of(name: str) -> str:
    """Return the split that a folder's name means, or "".

    >>> split_of("Valid"), split_of("TRAIN_set"), split_of("real_train"), split_of("mine")
    ('val', 'train', 'train', '')
    """
    words = [word for word in words_of(name) if word not in NEUTRAL and word not in CLASS_OF]
    return SPLIT_ALIASES.get(words[0], "") if len(words) == 1 else ""


def infer_split_and_label(
    name: str, labels: Mapping[str, tuple[str, str]] | None = None
) -> tuple[str, str]:
    """Return the split and the label that the folders of a file name.

    The split's folder is above the label's folder, or else directly below it.

    Args:
        name: path of the file, with forward slashes.
        labels: of `labels_of_folders`; None takes only the names of the folders.

    >>> infer_split_and_label("training/REAL/a.wav"), infer_split_and_label("spoof/dev/a.wav")
    (('train', 'real'), ('val', 'fake'))
    """
    split, path = "", ""
    *folders, _ = name.split("/")
    for folder, below in pairwise([*folders, ""]):
        path += f"{folder}/"
        label = label_of(folder) if labels is None else labels.get(path, ("", ""))[0]
        if label:
            return split or split_of(folder) or split_of(below), label
        split = split_of(folder) or split
    return "", ""


def labels_of_folders(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the label and the generator of each class folder, by its path with a slash.

    Folders such as `fake_vits` beside `real` are class folders too if both classes are there.

    Args:
        names: paths of files, with forward slashes.
    """
    siblings: dict[str, set[str]] = {}
    for name in names:
        *folders, _ = name.split("/")
        parent = ""
        for folder in folders:
            if folder in siblings.setdefault(parent, set()):
                parent += f"{folder}/"
                continue
            siblings[parent].add(folder)
            parent += f"{folder}/"
    labels = {}
    for parent, folders in siblings.items():
        named = {folder: (label_of(folder), "") for folder in folders}
        if any(not label for label, _ in named.values()):
            first = {folder: first_class_of(folder) for folder in folders}
            if {label for label, _ in first.values()} >= {"real", "fake"}:
                named = first
        labels |= {f"{parent}{folder}/": found for folder, found in named.items() if found[0]}
    return labels


def unknown_siblings(names: Iterable[str], labels: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Return the folders beside class folders that name no class and no split, with their files.

    Args:
        names: paths of files, with forward slashes.
        labels: of `labels_of_folders`.
    """
    parents = {path[:-1].rpartition("/")[0] for path in labels}
    parents = {f"{parent}/" if parent else "" for parent in parents}
    unknown: dict[str, int] = {}
    for name in names:
        *folders, _ = name.split("/")
        path, split = "", ""
        for folder in folders:
            parent, path = path, f"{path}{folder}/"
            if path in labels:
                break
            split = split or split_of(folder)
            if parent in parents and not split_of(folder):
                unknown[path] = unknown.get(path, 0) + 1
                break
    return unknown
