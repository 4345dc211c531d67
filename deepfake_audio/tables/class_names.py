"""The names of folders and labels: the class or the split that they mean."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

SPLIT_ALIASES = {
    "train": "train", "training": "train", "trn": "train", "trainset": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "valset": "val",
    "dev": "val", "development": "val", "devset": "val", "develop": "val",
    "test": "test", "testing": "test", "tst": "test", "testset": "test",
    "eval": "test", "evaluation": "test",
}  # fmt: skip
# English first, then German, French, Italian, Spanish and Portuguese, and other scripts.
REAL_WORDS = """
    real genuine human original orig authentic natural bonafide pristine true legit live
    echt echte wahr authentisch mensch menschlich natürlich
    vrai vraie réel réelle reel humain naturel authentique
    reale vero vera umano umana naturale autentico originale
    auténtico auténtica verdadero verdadera humano humana verdadeiro verdadeira autêntico autêntica
    reais naturales naturais
    настоящий настоящая настоящие реальный реальная реальные подлинный подлинная подлинные оригинал
    prawdziwy prawdziwa prawdziwe gerçek حقيقي حقيقية أصلي اصلي असली वास्तविक
    真实 真 真人 真声 真实语音 真實 本物 진짜 실제
"""
FAKE_WORDS = """
    fake deepfake spoof spoofed synthetic synthetical synthesized synthesised synthesis synth
    generated artificial ai aigenerated cloned clone cloning tts vocoded converted manipulated
    tampered forged machine robot bot false
    falsch unecht gefaelscht kuenstlich
    fälschung fälschungen gefälscht künstlich synthetisch generiert ki
    faux fausse synthétique artificiel généré ia
    falso falsa sintetico sintetica generato artificiale
    sintético sintética generado generada falsificado gerado gerada clonado clonada
    générée
    фейк фейки дипфейк поддельный поддельная поддельные подделка синтетический синтетика
    fałszywy fałszywa fałszywe podrobiony sztuczny syntetyczny sahte yapay sentetik
    مزيف مزيفة مزور नकली
    伪造 虚假 假 伪 偽 假声 合成 伪造语音 合成语音 ai生成
    偽造 虛假 偽物 フェイク 合成音声 가짜 위조 합성
"""
PLAIN = str.maketrans("ıłŁ", "ilL")


def plain_letters(text: str) -> str:
    """Return text without the accents of Latin letters, however these are written, and full widths.

    >>> plain_letters("Étiquette"), plain_letters("e\u0301tiquette"), plain_letters("ＦＡＫＥ файл")
    ('Etiquette', 'etiquette', 'FAKE файл')
    """
    if text.isascii():
        return text
    letters = unicodedata.normalize("NFKC", text.translate(PLAIN))
    bases = ((each, unicodedata.normalize("NFD", each)[0]) for each in letters)
    plain = (base if base.isascii() else each for each, base in bases)
    return "".join(each for each in plain if unicodedata.category(each)[0] != "M")


REAL, FAKE = (plain_letters(words).casefold().split() for words in (REAL_WORDS, FAKE_WORDS))
CLASS_OF = {
    **dict.fromkeys(REAL, "real"),
    **dict.fromkeys(FAKE, "fake"),
    **{f"{no}{word}": "real" for no in ("non", "not") for word in FAKE},
}
PAIRS = {("bona", "fide"): "bonafide", ("deep", "fake"): "deepfake"}
NEGATIONS = frozenset({"not", "non", "no", "nicht", "kein", "keine", "pas", "sin", "nao", "не"})
PARTLY = frozenset({"partially", "partial", "partly", "fully"})  # a fake in part is a fake
# Words of a class that end names of other things too: noise_machine, and LibriTTS of real voices.
NOT_LAST = frozenset({
    "machine", "robot", "bot", "live", "human", "true", "natural", "legit", "tts",
})  # fmt: skip
# Words beside the class that change nothing.
NEUTRAL_WORDS = """
    audio class clip data dataset file folder human image img label mel melspectrogram person
    picture png pic record recording sample set sound spec spectrogram speech speaker the utterance
    utt voice vocal wav wave jpg flac mp3
    stimme stimmen aufnahme aufnahmen datei dateien bild bilder voix voce voz
"""
NEUTRAL = frozenset(NEUTRAL_WORDS.split())
KNOWN_WORDS = NEUTRAL | CLASS_OF.keys() | SPLIT_ALIASES.keys()
GENERATOR = ("NaturalSpeech", "naturalspeech")  # one word: a generator, and no natural speech
WORD = re.compile(r"[^\W\d_]+")
CAMEL = re.compile(r"(?<=[a-zß])(?=[A-Z])")


def words_of(name: str) -> list[str]:
    """Return the words of a name in the singular, without case, accents, digits and separators.

    A fake that is denied is real. Of a video with sound, the class of the sound counts.

    >>> words_of("Bona-fide_01"), words_of("RealVoices"), words_of("DEEP FAKES")
    (['bonafide'], ['real', 'voice'], ['deepfake'])
    >>> words_of("Non-AI"), words_of("partially_spoofed"), words_of("RealVideo-FakeAudio")
    (['real'], ['fake'], ['fake', 'audio'])
    """
    text = CAMEL.sub(" ", plain_letters(name).replace(*GENERATOR))
    words = WORD.findall(text.casefold())
    words = [word if word in KNOWN_WORDS else word.removesuffix("s") for word in words]
    for pair, joined in PAIRS.items():
        for place in range(len(words) - 1):
            if tuple(words[place : place + 2]) == pair:
                words[place : place + 2] = [joined]
    if "audio" in words and "video" in words:
        words = [w for w, after in zip(words, [*words[1:], ""], strict=True)
                 if w != "video" and after != "video"]  # fmt: skip
    for place in range(len(words) - 1, 0, -1):
        before, word = words[place - 1 : place + 1]
        if CLASS_OF.get(word) == "fake" and before in NEGATIONS | PARTLY:
            words[place - 1 : place + 1] = ["real" if before in NEGATIONS else "fake"]
    return words


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


class NamePart(NamedTuple):
    """The class that a part of a name means, and the other words.

    Attributes:
        label: "real" or "fake".
        rest: words without a meaning, such as those of a generator.
        is_clear: the class is at an end of the name: `fake_vits`, but not `vits_fake_16k`.
    """

    label: str
    rest: tuple[str, ...]
    is_clear: bool


@lru_cache(maxsize=1000)
def class_in(name: str) -> NamePart | None:
    """Return the only class that words of a name mean, and its other words; None without one.

    >>> class_in("fake_hifi_gan_train"), class_in("elevenlabs")
    (NamePart(label='fake', rest=('hifi', 'gan'), is_clear=True), None)
    """
    if label := label_of(name):
        return NamePart(label, (), True)
    name = unicodedata.normalize("NFC", name)
    words = list(filter(None, re.split(r"[\W_]+", name)))
    words = words if len(words) > 1 else CAMEL.split(name.replace(*GENERATOR))
    words = [word for word in words if not split_of(word)]
    found = next(
        (
            (label, place, size)
            for size in (2, 1)  # "deep fake" and "not fake" have two words
            for place in (0, *range(len(words) - size, 0, -1))
            if (label := label_of(" ".join(words[place : place + size])))
        ),
        None,
    )
    if not found:
        return None
    label, place, size = found
    rest = words[:place] + words[place + size :]
    if any(label_of(word) not in ("", label) or word.lower() in NEGATIONS for word in rest):
        return None
    is_last = place + size == len(words) and words[-1].lower() not in NOT_LAST
    return NamePart(label, tuple(rest), is_last or place == 0)


@lru_cache(maxsize=1000)
def split_word(name: str) -> str:
    """Return the only split that words of a name mean, beside any others, or "".

    >>> split_word("test_seen_clean"), split_word("train_test"), split_word("anna")
    ('test', '', '')
    """
    found = {SPLIT_ALIASES[word] for word in words_of(name) if word in SPLIT_ALIASES}
    return found.pop() if len(found) == 1 else ""


@lru_cache(maxsize=1000)
def split_of(name: str) -> str:
    """Return the split that a folder's name means, or "".

    >>> split_of("Valid"), split_of("TRAIN_set"), split_of("real_train"), split_of("mine")
    ('val', 'train', 'train', '')
    """
    words = [word for word in words_of(name) if word not in NEUTRAL and word not in CLASS_OF]
    return SPLIT_ALIASES.get(words[0], "") if len(words) == 1 else ""
