"""Read the numbers in the cells of score files."""

import re

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.csv_files import NUMBER, to_number

NOT_FINITE = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity"}
DECIMAL_COMMA = re.compile(r"([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)")
# As Python prints them: tensor([0.5], device='cuda:0'), np.float64(0.5), [0.2 0.8].
CALL = re.compile(r"[a-z_][\w.]*(?=\()", re.IGNORECASE)
ARGUMENT = re.compile(r",\s*[a-z_]+=[^,()\[\]]*")
BRACKETS = str.maketrans("()[],", "     ")


def number_in(text: str, origin: str) -> float:
    """Return the number in a cell, with a point or a comma before its decimals, or in percent.

    >>> number_in("-0.5", ""), number_in("-0,5", ""), number_in("50 %", "")
    (-0.5, -0.5, 0.5)

    Raises:
        InputError: no number, or not a finite one.
    """
    if text.endswith("%"):
        return number_in(text[:-1].rstrip(), origin) / 100
    text = text.replace("\N{MINUS SIGN}", "-")
    plain = DECIMAL_COMMA.sub(r"\1.\2", text) if DECIMAL_COMMA.fullmatch(text) else text
    try:
        number = to_number(plain)
    except ValueError:
        number = float("nan")
    if abs(number) < float("inf"):
        return number
    raise InputError(f"{one_line(text)[:60]!r} is not a finite number ({origin})")


def is_number(text: str) -> bool:
    """Return whether a cell has a number."""
    try:
        number_in(text, "")
    except InputError:
        return False
    return True


def listed_numbers(text: str) -> list[str]:
    """Return the numbers of a list, an array or a number as Python prints them; else none.

    >>> listed_numbers("[0.2, 1e-05]"), listed_numbers("np.float64(-0.5)"), listed_numbers("0.5")
    (['0.2', '1e-05'], ['-0.5'], [])
    """
    bare = ARGUMENT.sub("", CALL.sub("", text))
    if not bare.startswith(("(", "[")) or not bare.endswith((")", "]")):
        return []
    numbers = bare.translate(BRACKETS).split()
    return numbers if all(NUMBER.fullmatch(n) or n.lower() in NOT_FINITE for n in numbers) else []


def is_score(text: str) -> bool:
    """Return whether a cell has a number, a list of numbers, or one that is not finite."""
    return is_number(text) or text.lower() in NOT_FINITE or bool(listed_numbers(text))
