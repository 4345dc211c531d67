"""The units that a bootstrap samples: speakers, speakers and attacks, or files."""

from dataclasses import dataclass

import numpy as np

from deepfake_audio.errors import pluralize

MIN_UNITS, FEW_UNITS = 5, 10  # speakers, or files, of a class; with few, intervals are narrow


@dataclass(frozen=True)
class BootstrapUnits:
    """The units that a bootstrap samples: speakers or files.

    Attributes:
        speakers: `(files,)`, text; all empty if files are sampled.
        units: number of speakers, or files, in the class with fewer of them.
        warning: about the intervals; empty if there is nothing to say.
        enough: whether there are enough for intervals.
    """

    speakers: np.ndarray
    units: int
    warning: str = ""
    enough: bool = True

    @property
    def by_speaker(self) -> bool:
        return bool((self.speakers != "").any())


def count_units(is_real: np.ndarray, speakers: np.ndarray) -> list[int]:
    """Count the known speakers of the fake and the real files, or the files if none is known.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        speakers: `(files,)`, text; empty if unknown.
    """
    if (speakers == "").all():
        return [int(np.sum(is_real == label)) for label in (0, 1)]
    return [len(set(speakers[is_real == label].tolist()) - {""}) for label in (0, 1)]


def choose_units(is_real: np.ndarray, speakers: np.ndarray) -> BootstrapUnits:
    """Choose what the bootstrap samples: speakers, or files if too few speakers are known.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        speakers: `(files,)`, text; empty if unknown.
    """
    nobody = np.full(len(speakers), "")
    files = min(count_units(is_real, nobody))
    if files < MIN_UNITS:
        warning = f"No interval is given: one class has {pluralize(files, 'file')}."
        return BootstrapUnits(nobody, files, warning, enough=False)
    if (speakers == "").all():
        return BootstrapUnits(nobody, files)
    few = min(count_units(is_real, speakers))
    if few < MIN_UNITS:
        voices = pluralize(few, "speaker" if few else "known speaker")
        return BootstrapUnits(nobody, files, warning=(
            f"One class has {voices}: the intervals are over files and are not "
            "valid for other voices."
        ))  # fmt: skip
    warning = f"One class has {few} speakers: the intervals are too narrow."
    return BootstrapUnits(speakers, few, warning if few < FEW_UNITS else "")


def cross_attacks(
    is_real: np.ndarray, attack: np.ndarray, units: BootstrapUnits
) -> tuple[np.ndarray | None, str]:
    """Number the attacks, to sample them together with the speakers.

    Args:
        is_real: `(files,)`, 1 real, 0 fake.
        attack: `(files,)`, text; empty if unknown.
        units: the speakers.

    Returns:
        `(files,)`, the number of each fake's attack, and -1 for real files; None if the intervals
        can only be over the units. And a warning, empty if there is nothing to say.
    """
    names, numbers = np.unique(attack[is_real == 0], return_inverse=True)
    over = "speakers" if units.by_speaker else "files"
    reason = ""
    if not units.by_speaker:
        reason = "too few speakers are known"
    elif (attack[is_real == 0] == "").any():
        unknown = int((attack[is_real == 0] == "").sum())
        reason = f"the attack of {pluralize(unknown, 'fake file')} is unknown"
    elif len(names) < MIN_UNITS:
        reason = f"{pluralize(len(names), 'attack')} are too few to sample from"
    if reason:
        return None, f"The intervals are over {over}, not over speakers and attacks: {reason}."
    crossed = np.full(len(is_real), -1)
    crossed[is_real == 0] = numbers
    few = f"The fakes have {len(names)} attacks: the intervals are too narrow."
    return crossed, few if len(names) < FEW_UNITS else ""
