"""Turn the words and numbers of a label column into real and fake."""

from dataclasses import dataclass, field

from deepfake_audio.corpora.class_folders import label_of
from deepfake_audio.corpora.column_names import IS_A_CLASS, LABEL_WORDS, class_of, plain_column
from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import to_number
from deepfake_audio.vocabulary import LABELS

YES = {"1", "10", "true", "yes", "t"}  # plain: 1.0 is 10
NO = {"0", "00", "false", "no", "f"}
WHICH_IS_REAL = "say which one is real with --real, such as --real 1"


def is_label_word(cell: str) -> bool:
    """Return whether a cell is a known word for real or fake."""
    word = plain_column(cell)
    return word in LABEL_WORDS or (word not in YES | NO and bool(label_of(cell)))


def is_class_number(cell: str) -> bool:
    """Return whether a cell is 0, 1, true or false: a label if it is known which one is real."""
    return plain_column(cell) in YES | NO


@dataclass
class LabelReader:
    """Reads labels: known words as they are, and numbers if it is known which one is real.

    Attributes:
        real: the label of real files, such as "1"; None if it was not given.
        column: plain name of the column; a column such as `isfake` tells what its 1 means.
        others: labels that were taken as fake since they are not `real`.
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
        if self.real is not None:
            return self._compare(cell, origin)
        found = IS_A_CLASS.fullmatch(self.column)
        named = LABEL_WORDS[found[1]] if found else class_of(self.column)
        if named in LABELS and word in YES | NO:
            return named if word in YES else LABELS[1 - LABELS.index(named)]
        if is_class_number(cell):
            raise InputError(f"{cell!r} may mean real or fake ({origin}); {WHICH_IS_REAL}")
        if label := label_of(cell):
            return label
        raise InputError(
            f"{cell!r} is not a label ({origin}); use bonafide or spoof, real or fake, or name "
            "the label of real files with --real"
        )

    def _compare(self, cell: str, origin: str) -> str:
        if _same(cell, self.real):
            return "real"
        self.others.add(cell)
        if len(self.others) > 1:
            first, second = sorted(self.others)[:2]
            raise InputError(
                f"{first!r} and {second!r} are both not --real {self.real} ({origin}); "
                "a column of labels has two values"
            )
        return "fake"


def _same(cell: str, real: str) -> bool:
    try:
        return to_number(cell) == to_number(real)
    except ValueError:
        return cell.lower() == real.lower()
