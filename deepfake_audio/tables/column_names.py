"""The names that tables of scores and of labels give to their columns."""

import re
from collections.abc import Collection, Sequence

from deepfake_audio.system.csv_files import NUMBER, check_columns
from deepfake_audio.vocabulary import AUDIO_SUFFIXES
from deepfake_audio.vocabulary import LABELS as CLASSES

# Each in the order of preference if a table has several.
FILES = (
    "file", "filename", "filepath", "path", "audio", "audiofile", "audiofilename", "audioname",
    "audiopath",
    "wav", "wavfile", "wavpath", "flac", "trial", "trialid", "trialname", "utt", "uttid",
    "uttname", "utterance", "utteranceid", "id", "fileid", "audioid", "name", "fname", "clip",
    "clipid", "recording", "sample", "sampleid", "segment", "uri", "url", "key", "image",
    "datei", "dateiname", "fichier", "nomdufichier", "archivo", "arquivo", "nomefile", "файл",
    "文件", "文件名", "ファイル", "ファイル名", "파일", "파일명",
)  # fmt: skip
LABELS = (
    # The sound of a video comes before the video.
    *(
        name
        for sound in ("audio", "speech", "voice")
        for what in ("label", "class", "target", "truth")
        for name in (sound + what, what + sound)
    ),
    "label", "labels", "cmlabel", "truelabel", "groundtruth", "truth", "gt", "ytrue", "y", "class",
    "classname", "target", "category", "key", "cmkey", "type", "realorfake", "bonafideorspoof",
    "answer",
    "groundtruthlabel", "labelname", "labelrealfake", "labelbonafidespoof", "klasse",
    "etikett", "étiquette", "etiqueta", "etichetta", "classe", "clase", "метка", "класс",
    "标签", "类别", "ラベル", "라벨",
)  # fmt: skip
SCORES = (
    "score", "scores", "cmscore", "llr", "loglikelihoodratio", "logit", "logits", "prediction",
    "pred", "preds", "predictedscore", "yscore", "yprob", "yproba", "yhat",
    "ypred", "output", "outputs", "prob", "probs",
    "probability", "probabilities", "value", "preal", "punktzahl", "punteggio", "puntuación",
    "pontuação", "оценка", "得分", "分数", "スコア", "점수",
)  # fmt: skip
SPEAKERS = ("speaker", "spk", "spkr", "talker", "sprecher", "locuteur", "hablante")
PEOPLE = (  # who may be the speaker, but not in a column of this name only
    "client", "voice", "reader", "actor", "person", "participant", "subject", "user", "singer",
)  # fmt: skip
ID = ("id", "idx", "name", "no", "number", "label", "code")
FACTS = {
    "speaker": (*SPEAKERS, *(f"{who}{what}" for who in (*SPEAKERS, *PEOPLE) for what in ID)),
    "attack": (
        "attack", "generator", "attackid", "attacktype", "attackmodel", "modelname", "system",
        "systemid", "method", "algorithm", "vocoder", "synthesizer", "tts",
        *(
            f"{what}{kind}"
            for what in ("attack", "generator", "generation", "synthesis", "spoofing", "tts", "vc")
            for kind in ("id", "name", "type", "model", "method", "system", "algorithm", "engine")
        ),
    ),
    "codec": ("codec", "compression"),
    "corpus": ("corpus", "dataset", "datasetname", "database", "sourcedataset"),
    "split": ("split", "proportion", "partition"),
    "subset": ("subset", "phase"),
}  # fmt: skip
REAL_WORDS = (
    "real", "bonafide", "genuine", "human", "authentic", "original", "natural", "bona",
    "pristine", "live",
)  # fmt: skip
FAKE_WORDS = (
    "fake", "spoof", "spoofed", "deepfake", "synthetic", "synthesized", "synthesised", "ai",
    "aigenerated", "generated", "artificial", "cloned", "manipulated", "replay", "replayed",
)  # fmt: skip
LABEL_WORDS = dict.fromkeys(REAL_WORDS, "real") | dict.fromkeys(FAKE_WORDS, "fake")
OTHER_CLASS = {"real": "fake", "fake": "real"}
CLASS_WORD = "|".join(sorted(map(re.escape, LABEL_WORDS), key=len, reverse=True))
SCORE_WORD = (
    "scores?|logits?|probs?|proba|probability|probabilities|p|output|pred|confidence|softmax"
)
# Words beside a class that change nothing: `probability of fake`, `synthetic speech score`.
BESIDE = (
    f"(?:{SCORE_WORD}|llr|log|odds|likelihood|conf|pr|sigmoid|percent|percentage|pct|values?"
    "|outputs|predicted|predictions?|results?|label|class|mean|average|final|raw|model|speech"
    "|voice|audio|is|of|the|being|y|wahrscheinlichkeit|probabilité|probabilità|probabilidade?)"
)
OF_A_CLASS = re.compile(
    f"(?:cm)?{BESIDE}{{0,4}}?(not|non)?({CLASS_WORD})(?:(?<!natural)ness|ity|ing)?{BESIDE}{{0,4}}"
)
OF_A_NUMBER = re.compile(f"(?:cm|{SCORE_WORD})?(?:class|label|c|of)?([01])(?:{SCORE_WORD})?")
IS_A_CLASS = re.compile(f"is({CLASS_WORD})(?:speech|voice|audio)?")


def plain_column(name: str) -> str:
    """Return the name of a column without case, blanks and punctuation.

    >>> plain_column(" File_Name"), plain_column("cm-label")
    ('filename', 'cmlabel')
    """
    return re.sub(r"[\W_]", "", name.lower())


def plain_columns(names: Sequence[str]) -> list[str]:
    """Return the plain names of columns.

    Raises:
        ValueError: two columns have one name, or two names of one score, label or file.
    """
    check_columns([name.lower() for name in names])
    plain = [plain_column(name) for name in names]
    check_columns([n for n in plain if n in (*FILES, *LABELS, *SCORES) or class_of(n)])
    return plain


def is_header(cells: Sequence[str]) -> bool:
    """Return whether a line names columns: at least one of scores or labels, and any other.

    Names of classes, such as real, are values as often as names: beside them, a column of files
    must be named, or be the first one without a name.

    >>> is_header(["ID", "Score", "Label"]), is_header(["LA_E_1", "bonafide"])
    (True, False)
    """
    names = [plain_column(cell) for cell in cells]
    if any(NUMBER.fullmatch(cell) and cell not in ("0", "1") for cell in cells):
        return False
    if any(cell.lower().endswith(AUDIO_SUFFIXES) for cell in cells):
        return False
    files = [name for name in names if name in FILES]
    others = [
        name
        for name in names
        if name in SCORES or name in LABELS or class_of(name) or asked_class(name)
    ]
    certain = [name for name in others if name in SCORES or name in LABELS]
    is_index = names[:1] == [""] and len(others) == len(names) - 1  # pandas gives it no name
    return bool(files or certain or is_index) and len({*names} - {""}) > 1 and bool(others)


def file_column(
    columns: Sequence[str], used: Collection[int], rows: Sequence[Sequence[str]]
) -> int:
    """Return the position of the column of files: by its name, else by its content.

    Args:
        columns: plain names.
        used: positions of columns of another meaning.
        rows: the first rows.

    Raises:
        LookupError: no column is left that has a different text in each row.
    """
    free = [place for place in range(len(columns)) if place not in used]
    for name in FILES:
        if name in columns and columns.index(name) in free:
            return columns.index(name)
    for place in free:
        texts = [row[place] for row in rows]
        if len(set(texts)) == len(texts) and not any(map(NUMBER.fullmatch, texts)):
            return place
    raise LookupError


def first_column(columns: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the position of the first of `names` that is a column; None without one."""
    return next((columns.index(name) for name in names if name in columns), None)


def asked_class(column: str) -> str:
    """Return the class that a plain column such as `isfake` asks for, "" for none."""
    found = IS_A_CLASS.fullmatch(column)
    return LABEL_WORDS[found[1]] if found else ""


def class_of(column: str) -> str:
    """Return the class whose score a plain column has: real, fake, "0", "1", or "" for none.

    >>> [class_of(name) for name in ("scoreclass0", "pfake", "bonafidescore", "score")]
    ['0', 'fake', 'real', '']
    >>> [class_of(name) for name in ("probabilityoffake", "fakeness", "notfake", "antispoofing")]
    ['fake', 'fake', 'real', '']
    """
    return class_and_kind(column)[0]


def names_class(column: str) -> bool:
    """Return whether a plain column tells what its 1 means, such as `isfake` or `spoof`."""
    return bool(asked_class(column)) or class_of(column) in CLASSES


def class_and_kind(column: str) -> tuple[str, str]:
    """Return the class of `class_of`, and the name without it: equal for two scores of a kind.

    >>> class_and_kind("preal"), class_and_kind("pfake"), class_and_kind("spooflogit")
    (('real', 'p'), ('fake', 'p'), ('fake', 'logit'))
    """
    if asked_class(column):
        return "", ""
    if found := OF_A_CLASS.fullmatch(column):
        label = LABEL_WORDS[found[2]]
        kind = column[: found.start(2)].removesuffix(found[1] or "") + column[found.end(2) :]
        return OTHER_CLASS[label] if found[1] else label, kind
    if found := OF_A_NUMBER.fullmatch(column):
        return found[1], column[: found.start(1)] + column[found.end(1) :]
    return "", ""
