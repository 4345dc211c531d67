"""The names that tables of scores and of labels give to their columns."""

import re
from collections.abc import Collection, Sequence

from deepfake_audio.system.csv_files import NUMBER, check_columns
from deepfake_audio.tables.class_names import plain_letters
from deepfake_audio.vocabulary import AUDIO_SUFFIXES
from deepfake_audio.vocabulary import LABELS as CLASSES


def plain_column(name: str) -> str:
    """Return the name of a column without case, accents, blanks and punctuation.

    >>> plain_column(" File_Name"), plain_column("cm-label"), plain_column("Étiquette")
    ('filename', 'cmlabel', 'etiquette')
    """
    return re.sub(r"[\W_]", "", plain_letters(name).lower())


def _plain_words(words: str) -> tuple[str, ...]:
    return tuple(map(plain_column, words.split()))


# Each in the order of preference if a table has several.
FILES = (
    "file", "filename", "filepath", "path", "audio", "audiofile", "audiofilename", "audioname",
    "audiopath",
    "wav", "wavfile", "wavpath", "flac", "trial", "trialid", "trialname", "utt", "uttid",
    "uttname", "utterance", "utteranceid", "id", "fileid", "audioid", "name", "fname", "clip",
    "clipid", "recording", "sample", "sampleid", "segment", "uri", "url", "key", "image",
    *_plain_words("""
        datei dateiname fichier nomdufichier archivo arquivo nomefile bestand plik nazwapliku dosya
        dosyaadı файл имяфайла файлы ملف الملف اسمالملف फ़ाइल फ़ाइलनाम
        文件 文件名 音频 音频文件 檔案 檔名 ファイル ファイル名 音声ファイル 파일 파일명 파일이름
    """),
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
    "classname", "target", "category", "key", "cmkey", "type", "answer", "choice",
    "groundtruthlabel", "labelname", "labelrealfake", "labelbonafidespoof", "klasse",
    *_plain_words("""
        etikett étiquette etiqueta etichetta classe clase rótulo etykieta klasa etiket sınıf
        метка класс тип التصنيف تصنيف الفئة فئة लेबल वर्ग
        标签 类别 標籤 類別 ラベル 分類 라벨 레이블 분류
    """),
    *(
        name
        for real in ("real", "bonafide", "genuine", "human")
        for fake in ("fake", "spoof", "deepfake", "ai", "synthetic")
        for between in ("", "or", "vs")
        for name in (real + between + fake, fake + between + real)
    ),
)  # fmt: skip
SCORES = (
    "score", "scores", "cmscore", "llr", "loglikelihoodratio", "logit", "logits", "prediction",
    "pred", "preds", "predictedscore", "yscore", "yprob", "yproba", "yhat",
    "ypred", "output", "outputs", "prob", "probs",
    "probability", "probabilities", "value", "preal",
    *_plain_words("""
        punktzahl punteggio puntuación pontuação wynik puan skor оценка балл الدرجة درجة स्कोर
        得分 分数 分數 スコア 점수
    """),
)  # fmt: skip
SPEAKERS = _plain_words("""
    speaker spk spkr talker sprecher locuteur hablante locutor falante mówca konuşmacı диктор спикер
    говорящий المتحدث वक्ता 说话人 說話人 話者 화자
""")
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
ATTACK_CODE = re.compile(r"a[0-9]{2}|-|bona-?fide", re.IGNORECASE)
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
    "|voice|audio|is|of|the|being|y|wahrscheinlichkeit|probabilit[ea]|probabilidade?)"
)
OF_A_CLASS = re.compile(
    f"(?:cm)?{BESIDE}{{0,4}}?(not|non)?({CLASS_WORD})(?:(?<!natural)ness|ity|ing)?{BESIDE}{{0,4}}"
)
OF_A_NUMBER = re.compile(f"(?:cm|{SCORE_WORD})?(?:class|label|c|of)?([01])(?:{SCORE_WORD})?")
IS_A_CLASS = re.compile(f"is(?:it|this)?(?:an?)?({CLASS_WORD})(?:speech|voice|audio)?")


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
