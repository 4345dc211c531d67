"""The result of one recording or image."""

from dataclasses import dataclass, field

import numpy as np

from deepfake_audio.inference.inputs import Window
from deepfake_audio.inference.reasons import PartVerdict, Reason
from deepfake_audio.inference.recording_quality import Quality
from deepfake_audio.inference.timelines import Timeline
from deepfake_audio.vocabulary import Verdict


@dataclass(frozen=True, eq=False)
class Result:
    """The verdict on one recording or image.

    Attributes:
        name: of the file, as it was given.
        verdict: REAL, FAKE or UNCERTAIN.
        confidence: probability of the more probable class, 0.5 to 1; None if there is a doubt.
        p_real: probability of real, 0 to 1; None if there is a doubt.
        llr: calibrated natural log-likelihood ratio of real against fake; None without windows.
        score: mean log-odds of real before calibration; None without windows.
        doubt: why no confidence can be given; None if one can.
        notes: remarks about the recording.
        quality: of the recording; None for an image.
        windows: of all tracks and channels.
        usable: which windows the score is the mean of, bool `(windows,)`.
        frame_rate_hz: of a vocoder whose periodic traces were found; None if none were.
        run: name of the run that judged.
        parts: the verdict on each track or channel, if several were judged by themselves.
        channel, track: the only ones that were judged, from 1; None for all.
    """

    name: str
    verdict: Verdict
    confidence: float | None
    p_real: float | None
    llr: float | None
    score: float | None
    doubt: Reason | None
    notes: tuple[Reason, ...]
    quality: Quality | None
    windows: tuple[Window, ...] = field(repr=False)
    usable: np.ndarray = field(repr=False)
    frame_rate_hz: float | None
    run: str
    parts: tuple[PartVerdict, ...]
    channel: int | None
    track: int | None
    _timeline: Timeline | None = field(repr=False)

    @property
    def p_fake(self) -> float | None:
        """Return the probability of fake, 0 to 1; None if there is a doubt."""
        return None if self.p_real is None else 1 - self.p_real

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return the doubt, if there is one, and the notes."""
        return (self.doubt, *self.notes) if self.doubt else self.notes

    def timeline(self) -> Timeline | None:
        """Return P(fake) over time and the passages; None for images and silent recordings."""
        return self._timeline
