"""Choose the scores of a table by the names and the contents of its columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.tables.cell_values import is_score
from deepfake_audio.tables.class_names import CLASS_OF
from deepfake_audio.tables.column_names import (
    BESIDE,
    FACTS,
    FILES,
    LABEL_WORDS,
    LABELS,
    SCORES,
    asked_class,
    class_and_kind,
)
from deepfake_audio.tables.label_words import is_class_number, is_label_word, plain_number
from deepfake_audio.tables.text_tables import TextTable, named_columns_of
from deepfake_audio.vocabulary import LABELS as CLASSES

TWO_SCORES = (
    "two scores for a file, of class 0 and class 1; say which class is real with --real 1 or "
    "--real 0"
)
KNOWN = {*FILES, *LABELS, *SCORES, *(name for names in FACTS.values() for name in names)}
# Without another word of a score, a column of such a name with 0 and 1 has decisions.
DECISIONS = ("prediction", "pred", "preds", "ypred", "yhat", "output", "outputs")
FEW_ROWS = 5
SCORE_PART = (
    "scores?|logits?|probs?|proba|probability|probabilities|llr|likelihood|predictions?|outputs?"
)
IS_A_SCORE = re.compile(rf"\w*(?:{SCORE_PART})(?:v?[0-9]+)?|(?:{SCORE_PART})\w*")
IS_A_VALUE = re.compile(r"p|pr|\w*(?:score|prob|logit|llr|likelihood)\w*")
IS_A_CONFIDENCE = re.compile(
    r"\w*(?:conf(?:iden[cz]|ian)|konfiden|certain|sicherheit)\w*|conf(?:score|prob\w*)?"
)
IS_A_MEASURE = re.compile(
    r"\w*(?:duration|length|seconds?|secs?|ms|latency|time|rate|size|bytes|snr|mos|index|idx|number"
    r"|count|epoch|seed|hz|offset|channels?|frames?|samples?|dauer|lange|laenge|sekunden"
    r"|duree|duracion|durata|duracao)|age|year|db|start|begin|end|stop|row|line|nr|no|n"
)
# Of other scripts, short words and their beginnings tell enough.
HINTS = {
    w if w.isascii() else w[:6] for w in {*CLASS_OF, *LABEL_WORDS} if len(w) > 4 or not w.isascii()
}
HINT = "|".join(map(re.escape, sorted(HINTS)))
HINTS_AT_A_CLASS = re.compile(
    f"fake|faux|spoof|attack|replay|tts|vocod|anomal|distan|loss|neg|inver|{HINT}|^real|real$"
)
NEUTRAL = re.compile(f"(?:cm|asr|best|total|test|{BESIDE})*(?:v?[0-9]+)?")


@dataclass(frozen=True)
class ScoreColumns:
    """The positions of the columns of a score file.

    Attributes:
        score: positions of one score, or of the scores of fake and real.
        sign: -1 if a higher score means more fake.
        names_class: whether the name of the score names a class; if not, the score may be the
            confidence in a predicted label.
        file: None if each row is a file without a name.
        width: number of columns, if blanks separate them; None for the table's own.
        note, label_note: a sentence on what was guessed of the score, or of the labels, else "".
    """

    score: tuple[int, ...]
    sign: int = 1
    names_class: bool = False
    file: int | None = None
    label: int | None = None
    llr: int | None = None
    facts: dict[str, int] = field(default_factory=dict)
    width: int | None = None
    note: str = ""
    label_note: str = ""


def choose_score(table: TextTable, real: str | None) -> ScoreColumns:
    """Choose the score of a table with a header: by its name, else by its content.

    A column of predicted labels, in words or as 0 and 1, is no score if there is another one.

    Raises:
        InputError: no score, several equally good ones, or one of which the class is not known.
    """
    columns = table.columns
    named = [columns.index(name) for name in SCORES if name in columns]
    words = [place for place in named if has_words(table, place)]
    named = [place for place in named if place not in words]
    if scores := [place for place in named if not has_decisions(table, place)]:
        return _plain(columns, scores[0])
    if (choice := _of_classes(table, real)) or (choice := _like_a_score(table)):
        return choice
    if scores := [place for place in named if columns[place] not in DECISIONS]:
        return _plain(columns, scores[0])
    if choice := _only_number(table):
        return choice
    predicted = [*words, *named, *(p for p in _numbers(table) if _class_and_kind(columns[p])[0])]
    if predicted:
        raise InputError(
            f"the column {columns[predicted[0]]} of {table.path} has predicted labels, not scores; "
            "add a column p_real with the probability of real"
        )
    raise InputError(
        f"{table.path} has no column of scores: {named_columns_of(table)}; name one score"
    )


def has_words(table: TextTable, place: int) -> bool:
    """Return whether a column has words for real and fake, perhaps with others such as UNCERTAIN.

    A column with many different texts has names.
    """
    texts = [row[place] for row in table.sample if row[place]]
    known = sum(map(is_label_word, texts))
    return 0 < len(texts) <= 2 * known and len(set(texts)) <= max(5, len(texts) // 10)


def has_decisions(table: TextTable, place: int) -> bool:
    """Return whether a column has only the numbers or booleans of two classes.

    In more than a few rows, any two whole numbers are such.
    """
    texts = [row[place] for row in table.sample if row[place]]
    values = {plain_number(text) or text for text in texts}
    are_numbers = all(map(is_class_number, values)) or (
        len(values) == 2 and len(texts) > FEW_ROWS and all(map(_is_whole, values))
    )
    return 0 < len(values) <= 2 and are_numbers


def _plain(columns: Sequence[str], place: int) -> ScoreColumns:
    return ScoreColumns((place,), names_class=bool(class_and_kind(columns[place])[0]))


def _numbers(table: TextTable) -> list[int]:
    """Return the columns with at least half numbers; of a table without rows, all."""
    if not table.sample:
        return list(range(table.width))
    cells = {
        place: [row[place] for row in table.sample if row[place]] for place in range(table.width)
    }
    return [
        place for place, texts in cells.items() if 0 < len(texts) <= 2 * sum(map(is_score, texts))
    ]


def _class_and_kind(column: str) -> tuple[str, str]:
    asked = asked_class(column)
    return (asked, "is") if asked else class_and_kind(column)


def _of_classes(table: TextTable, real: str | None) -> ScoreColumns | None:
    """Return the scores of classes: of two of one kind such as a logit, else of one class."""
    kinds: dict[str, dict[str, int]] = {}
    single: dict[str, list[int]] = {"real": [], "fake": [], "0": [], "1": []}
    for place in _numbers(table):
        label, kind = _class_and_kind(table.columns[place])
        if label:
            kinds.setdefault(kind, {}).setdefault(label, place)
            if not has_decisions(table, place) or (IS_A_VALUE.fullmatch(kind) and label in CLASSES):
                single[label].append(place)
    scored = {place for places in single.values() for place in places}
    pairs = [pair for pair in kinds.values() if scored & {*pair.values()}]
    for pair in pairs:
        if pair.keys() >= set(CLASSES):
            return ScoreColumns((pair["fake"], pair["real"]), names_class=True)
    for label, sign in (("real", 1), ("fake", -1)):
        if places := single[label]:
            names = named_columns_of(table, places)
            note = f"Of the scores {names} in {table.path}, the first one counts."
            return ScoreColumns((places[0],), sign, True, note=note if len(places) > 1 else "")
    for pair in pairs:
        if pair.keys() >= {"0", "1"}:
            if real not in ("0", "1"):
                raise InputError(f"{table.path} has {TWO_SCORES}")
            return ScoreColumns((pair[str(1 - int(real))], pair[real]), names_class=True)
    if one := [(label, place) for label in ("0", "1") for place in single[label]]:
        label, place = one[0]
        if real not in ("0", "1") or len(one) > 1:
            raise InputError(
                f"the column {table.columns[place]} of {table.path} may be the score of class "
                f"{label}, real or fake; name it p_real or p_fake"
            )
        return ScoreColumns((place,), 1 if label == real else -1, names_class=True)
    return None


def _like_a_score(table: TextTable) -> ScoreColumns | None:
    """Return the only column whose name has a word such as score; None without one."""
    found = [p for p in _unknown_numbers(table) if IS_A_SCORE.fullmatch(table.columns[p])]
    scores = [place for place in found if not has_decisions(table, place)]
    return _guessed(table, scores)


def _only_number(table: TextTable) -> ScoreColumns | None:
    """Return the only column of numbers without another meaning; None without one."""
    found = [p for p in _unknown_numbers(table) if not has_decisions(table, p)]
    found = [p for p in found if not IS_A_MEASURE.fullmatch(table.columns[p])]
    fractions = [p for p in found if not all(_is_whole(row[p]) for row in table.sample)]
    return _guessed(table, fractions or found)


def _guessed(table: TextTable, places: Sequence[int]) -> ScoreColumns | None:
    """Return the only possible score, and a note if its name has unknown words; None without one.

    Raises:
        InputError: several columns, or a part of the name hints at a class, or at a confidence.
    """
    if len(places) > 1:
        raise InputError(
            f"{table.path} has several columns that may be scores: "
            f"{named_columns_of(table, places)}; name one score"
        )
    if not places:
        return None
    place = places[0]
    name = one_line(table.columns[place])
    if IS_A_CONFIDENCE.fullmatch(name):
        raise InputError(
            f"the column {name} of {table.path} may be the confidence in a predicted label; name a "
            "column p_real with the probability of real"
        )
    if HINTS_AT_A_CLASS.search(name):
        raise InputError(
            f"the column {name} of {table.path} may be the score of real or of fake; name it "
            "p_real or p_fake"
        )
    note = (
        f"The column {name} of {table.path} has no known name. It counts as the score, and higher "
        "as more real; name it score, or p_fake if higher means more fake."
    )
    is_certain = NEUTRAL.fullmatch(name) and IS_A_SCORE.fullmatch(name)
    return ScoreColumns((place,), note="" if is_certain else note)


def _unknown_numbers(table: TextTable) -> list[int]:
    """Return the columns of numbers whose names are not known."""
    names = table.columns
    return [
        place
        for place in _numbers(table)
        if names[place] and names[place] not in KNOWN and not _class_and_kind(names[place])[0]
    ]


def _is_whole(cell: str) -> bool:
    return plain_number(cell).lstrip("-").isdecimal()
