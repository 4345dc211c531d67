"""Passages of a recording."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A part of a recording with one verdict, leaning to one class.

    Attributes:
        start_seconds, end_seconds: from the beginning of the recording.
        verdict: REAL, FAKE or UNCERTAIN.
        confidence: 0.5 to 1; None if the passage can't be judged.
        p_fake: mean probability of fake, 0 to 1; None if the passage can't be judged.
    """

    start_seconds: float
    end_seconds: float
    verdict: str
    confidence: float | None
    p_fake: float | None

    @property
    def shade(self) -> str:
        """Return the verdict, or `not judged` for a passage without confidence."""
        return "not judged" if self.confidence is None else self.verdict
