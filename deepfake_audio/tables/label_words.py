"""Turn the words and numbers of a label column into real and fake."""

import re
from dataclasses import dataclass, field

from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import to_number
from deepfake_audio.tables.class_names import (
    NEGATIONS,
    class_in,
    label_of,
    plain_letters,
    words_of,
)
from deepfake_audio.tables.column_names import (
    LABEL_WORDS,
    OTHER_CLASS,
    asked_class,
    class_of,
    plain_column,
)
from deepfake_audio.vocabulary import AUDIO_SUFFIXES, LABELS

YES, NO = {"true", "yes", "t", "y"}, {"false", "no", "f", "n"}
# Spreadsheets write booleans in the language of the user, and in capitals.
YES_ABROAD, NO_ABROAD = (
    set(plain_letters(words).split())
    for words in (
        "wahr ja vrai oui vero sì si verdadero verdadeiro sim waar prawda tak doğru evet"
        " истина да 是 真",
        "falsch nein faux non falso não onwaar nee fałsz nie yanlış hayır ложь нет 否 假",
    )
)
WITH_A_GENERATOR = re.compile(r"\s*([^:(\[]+?)\s*(?::|\(|\[|\s-\s).*[^\W_].*", re.DOTALL)
WHICH_IS_REAL = "say which one is real with --real, such as --real 1"


def boolean_of(cell: str) -> bool | None:
    """Return what a cell answers to the question of a column such as `is_fake`; None for neither.

    >>> boolean_of("1.0"), boolean_of("-1"), boolean_of("FALSCH"), boolean_of("2")
    (True, False, False, None)
    """
    try:
        return {1.0: True, 0.0: False, -1.0: False}.get(to_number(cell))
    except ValueError:
        word = plain_letters(cell).strip().casefold()
        return True if word in YES | YES_ABROAD else False if word in NO | NO_ABROAD else None


def class_and_generator(cell: str) -> tuple[str, str]:
    """Return the class that a cell means, "" for none, and the generator beside it.

    >>> class_and_generator("AI (ElevenLabs)"), class_and_generator("spoof: vocoder")
    (('fake', 'ElevenLabs'), ('fake', 'vocoder'))
    >>> class_and_generator("Not real"), class_and_generator("is_fake"), class_and_generator("anna")
    (('fake', ''), ('fake', ''), ('', ''))
    """
    plain = plain_column(cell)
    if label := LABEL_WORDS.get(plain) or label_of(cell) or asked_class(plain):
        return label, ""
    first, *others = words_of(cell) or [""]
    if first in NEGATIONS and (label := label_of(" ".join(others))):
        return OTHER_CLASS[label], ""
    if (found := WITH_A_GENERATOR.fullmatch(cell)) and label_of(found[1]):
        part = class_in(cell)
        if part and part.label == label_of(found[1]):
            return part.label, "_".join(part.rest) if part.label == "fake" else ""
    return "", ""


def is_label_word(cell: str) -> bool:
    """Return whether a cell is a known word for real or fake; the name of a file is none."""
    if plain_column(cell) in LABEL_WORDS:
        return True
    is_other = is_class_number(cell) or cell.lower().endswith(AUDIO_SUFFIXES)
    return not is_other and bool(class_and_generator(cell)[0])


def is_class_number(cell: str) -> bool:
    """Return whether a cell is a number or boolean: a label if it is known which one is real.

    `falso` is a word for fake, and `FALSO` the boolean of a spreadsheet.

    >>> [is_class_number(cell) for cell in ("0", "-1", "True", "FALSO", "falso", "real")]
    [True, True, True, True, False, False]
    """
    if boolean_of(cell) is None:
        return False
    return not label_of(cell) or cell.casefold() in YES | NO or cell.isupper()


@dataclass
class LabelReader:
    """Reads labels: known words as they are, and numbers if it is known which one is real.

    Attributes:
        real: the label of real files, such as "1"; None if it was not given.
        column: plain name of the column; a column such as `isfake` tells what its 1 means.
        others: values that were taken as one class since they are not the other one.
    """

    real: str | None = None
    column: str = ""
    others: set[str] = field(default_factory=set)

    def read(self, cell: str, origin: str) -> str:
        """Return `real` or `fake`.

        Raises:
            InputError: an unknown label, or a number whose meaning is not known.
        """
        word = plain_column(cell)
        if word in LABEL_WORDS:
            return LABEL_WORDS[word]
        named, answer = asked_class(self.column) or class_of(self.column), boolean_of(cell)
        if named in LABELS and answer is not None:
            return self._answered(named, answer, cell, origin)
        if self.real is not None and _same(cell, self.real):
            return "real"
        if is_label_word(cell):
            return class_and_generator(cell)[0]
        if self.real is not None:
            self._check_two_values(cell, f"not --real {self.real}", origin)
            return "fake"
        if answer is not None:
            raise InputError(f"{cell!r} may mean real or fake ({origin}); {WHICH_IS_REAL}")
        raise InputError(
            f"{cell!r} is not a label ({origin}); use bonafide or spoof, real or fake, name the "
            "label of real files with --real, or remove the line"
        )

    def _answered(self, named: str, answer: bool, cell: str, origin: str) -> str:
        """Return the label for the answer to a question such as `is_fake`."""
        if answer:
            return named
        if plain_number(cell):
            self._check_two_values(plain_number(cell), f"not {self.column} 1", origin)
        return LABELS[1 - LABELS.index(named)]

    def _check_two_values(self, cell: str, what: str, origin: str) -> None:
        self.others.add(cell)
        if len(self.others) > 1:
            first, second = sorted(self.others)[:2]
            raise InputError(
                f"{first!r} and {second!r} are both {what} ({origin}); "
                "a column of labels has two values"
            )


def plain_number(cell: str) -> str:
    """Return a number in its shortest form, "" for other text."""
    try:
        return f"{to_number(cell):g}"
    except ValueError:
        return ""


def _same(cell: str, real: str) -> bool:
    try:
        return to_number(cell) == to_number(real)
    except ValueError:
        return cell.lower() == real.lower()
