"""Divide a recording into real and fake passages, and judge each as one of many.

The evidence of a window is its calibrated log-likelihood ratio (LLR): positive for real, negative
for fake, 0 for none. A two-state Viterbi algorithm finds the most probable stretches of real and
fake windows; a microphone that lowers all of them moves the boundary between the two. Real speech
has stretches that look fake by chance, the more the longer it is. So a passage is FAKE only if its
mean LLR is low enough for `predict.min_confidence`, and if real speech of this length rarely has
such a stretch.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from deepfake_audio.audio.recordings import stretches_of
from deepfake_audio.config.schema import PredictSettings
from deepfake_audio.inference.inputs import WHOLE, Part
from deepfake_audio.models.calibration import decision_threshold, probability, verdict
from deepfake_audio.vocabulary import Verdict, format_answer, leaning

# Of real windows of other voices: research.passage_windows. On validation voices, the shipped model
# gives a mean of 2.6 and a deviation of 1.2.
REAL_LLR = 1.8  # mean
REAL_DEVIATION = 1.3  # standard deviation
PRIOR_WINDOWS = 20  # the two above weigh as much as 20 real windows of the recording itself
NORMAL_DEVIATIONS = 1.4826  # standard deviations in a median absolute deviation (MAD)
MIN_DEVIATION = 0.1
# Chosen on validation voices, without a false passage in 2.8 hours of their real speech.
# docs/evaluating.md has figures.
VOICE_SHARE = 0.5  # the share of variance that windows of one microphone have in common
INDEPENDENT_SHARE = 0.6  # n windows that overlap by half are worth 0.6 n independent ones
SAFETY = 10  # real speech has more stretches that look fake than the normal distribution gives
MAX_CHANCE = 0.9  # below 1, so that a passage without enough evidence is still rather fake
MAX_WINDOW_EVIDENCE = 1.5  # of one window, so that a passage needs several
SWITCH_COST = 1.5  # of each change between real and fake, in the Viterbi algorithm
MIN_WINDOWS = 4  # shorter stretches belong to their neighbours
EDGE_WINDOWS = 2  # the places of changes between real and fake are known to about this many
WINDOWS_PER_HOUR = 4640
GROUP_PERCENTILES = (20, 80)  # where the search for two groups of windows begins
MAX_LOG_ODDS = 6.0  # of a window in that search
MIN_GAP = 3.0  # between the means of two groups, in standard deviations within them


@dataclass(frozen=True)
class Passage:
    """A part of a recording with one verdict, leaning to one class.

    Attributes:
        start_seconds, end_seconds: from the beginning of the recording.
        verdict: REAL, FAKE or UNCERTAIN.
        confidence: 0.5 to 1; None if the passage can't be judged.
        p_fake: probability of fake, 0 to 1; None if the passage can't be judged.
        part: of the recording.
    """

    start_seconds: float
    end_seconds: float
    verdict: str
    confidence: float | None
    p_fake: float | None
    part: Part = WHOLE

    @property
    def shade(self) -> str:
        """Return the verdict, or `not judged` for a passage without confidence."""
        return "not judged" if self.confidence is None else self.verdict

    @property
    def leaning(self) -> str:
        """Return `rather fake` or `rather real` for an uncertain passage; else an empty text."""
        return leaning(self.verdict, self.p_fake)

    @property
    def label(self) -> str:
        """Return verdict, confidence and part, such as `UNCERTAIN 64.9% (rather real), track 2`."""
        answer = format_answer(self.verdict, self.confidence, self.p_fake)
        return f"{answer}, {self.part.name}" if self.part.name else answer


class Stretch(NamedTuple):
    """Successive windows that lean to one class: indices of the first and after the last.

    `is_fake` is None if they can't be judged.
    """

    first: int
    after: int
    is_fake: bool | None


def passage_rows(passages: Sequence[Passage]) -> list[dict]:
    """Return passages as rows of a table, with `track` and `channel` if there are several parts."""
    has_parts = any(passage.part.name for passage in passages)
    rows = []
    for passage in passages:
        row = {item.name: getattr(passage, item.name) for item in fields(passage)}
        part = row.pop("part")
        rows.append(row | part._asdict() if has_parts else row)
    return rows


def most_fake(passages: Sequence[Passage]) -> list[Passage]:
    """Return passages that do not overlap: at each time that of the part that looks most fake.

    >>> whole = Passage(0.0, 9.0, "REAL", 0.9, 0.1, Part(channel=1))
    >>> fake = Passage(2.0, 4.0, "FAKE", 0.9, 0.9, Part(channel=2))
    >>> [(shown.start_seconds, shown.verdict) for shown in most_fake([whole, fake])]
    [(0.0, 'REAL'), (2.0, 'FAKE'), (4.0, 'REAL')]
    """
    if not any(passage.part.name for passage in passages):
        return list(passages)
    waiting = deque(sorted(passages, key=lambda passage: passage.start_seconds))
    times = sorted({time for p in passages for time in (p.start_seconds, p.end_seconds)})
    found, heard, last = [], [], None
    for start, end in pairwise(times):
        while waiting and waiting[0].start_seconds <= start:
            heard.append(waiting.popleft())
        heard = [passage for passage in heard if passage.end_seconds > start]
        top = max(heard, key=lambda p: -1 if p.p_fake is None else p.p_fake, default=None)
        if top and top is last:
            found[-1] = replace(found[-1], end_seconds=end)
        elif top:
            found.append(replace(top, start_seconds=start, end_seconds=end))
        last = top
    return found


def find_passages(
    llr: np.ndarray, spans: np.ndarray, settings: PredictSettings, part: Part = WHOLE
) -> list[Passage]:
    """Return the passages that cover a part of a recording.

    Args:
        llr: calibrated log-likelihood ratio of each window, real against fake, `(windows,)`; NaN
            for windows that can't be judged.
        spans: begin and end of the parts that the windows represent, seconds, `(windows, 2)`.
        settings: `prior_fake`, `min_confidence`, and `timeline_seconds`: if no window can be judged
            for so long, that is a passage of its own.
        part: which part it is.
    """
    log_odds = llr - decision_threshold(settings.prior_fake)
    stretches = divide(log_odds, settings.min_confidence)
    stretches = cut_out_unknown(stretches, np.isnan(llr), spans, settings.timeline_seconds)
    speech = real_speech(llr, stretches)
    stretches = move_to_pauses(join_chance(llr, stretches, speech), spans)
    passages = []
    for stretch in stretches:
        begin, end = spans[stretch.first, 0], spans[stretch.after - 1, 1]
        times = round(float(begin), 2), round(float(end), 2)
        if stretch.is_fake is None:
            passages.append(Passage(*times, "UNCERTAIN", None, None, part))
            continue
        known = _known(llr[stretch.first : stretch.after])
        p_fake = 1 - float(probability(known.mean(), settings.prior_fake))
        if p_fake > 0.5 and len(stretches) > 1:
            expected = SAFETY * expected_by_chance(known, speech, len(llr))
            p_fake = min(p_fake, 1 / (1 + min(expected, MAX_CHANCE)))
        its_verdict = verdict(1 - p_fake, settings.min_confidence)
        sure = round(max(p_fake, 1 - p_fake), 4)
        passages.append(Passage(*times, its_verdict, sure, round(p_fake, 4), part))
    return passages


def divide(log_odds: np.ndarray, min_confidence: float) -> list[Stretch]:
    """Return the stretches of a recording; its own boundary counts if nothing above it is FAKE."""
    own = boundary(_known(log_odds))
    stretches = find_stretches(log_odds - own)
    if not own:
        return stretches
    means = [_known(log_odds[s.first : s.after]).mean() for s in stretches if not s.is_fake]
    answers = [verdict(float(probability(mean, 0.5)), min_confidence) for mean in means]
    return find_stretches(log_odds) if Verdict.FAKE in answers else stretches


def boundary(log_odds: np.ndarray) -> float:
    """Return the log-odds below which a window leans fake within its recording: 0 or less.

    A microphone may lower all windows. If they form two groups (two means, Lloyd 1982), the
    boundary is between them.

    Args:
        log_odds: of real against fake, of the windows that can be judged, `(any,)`.

    >>> boundary(np.array([0.1, -0.1, 0.0, 0.2, -4.1, -4.0, -3.9, -4.0]))
    -1.975
    >>> boundary(np.array([5.1, 4.9, 5.0, 5.2, -4.1, -4.0, -3.9, -4.0]))
    0.0
    """
    if len(log_odds) < 2 * MIN_WINDOWS:
        return 0.0
    values = np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)
    middle, before = float(np.mean(np.percentile(values, GROUP_PERCENTILES))), None
    while middle != before:
        is_upper = values >= middle
        if min(is_upper.sum(), (~is_upper).sum()) < MIN_WINDOWS:
            return 0.0
        upper, lower = values[is_upper], values[~is_upper]
        middle, before = float(upper.mean() + lower.mean()) / 2, middle
    apart = upper.mean() - lower.mean()
    within = math.sqrt((upper.var() * len(upper) + lower.var() * len(lower)) / len(values))
    return min(middle, 0.0) if apart > MIN_GAP * within else 0.0


def find_stretches(log_odds: np.ndarray) -> list[Stretch]:
    """Return the stretches of real and fake windows that cover a recording.

    Args:
        log_odds: of real against fake, `(windows,)`; NaN for windows that can't be judged. These
            are no evidence and belong to the stretches around them.
    """
    evidence = INDEPENDENT_SHARE * np.nan_to_num(log_odds)
    evidence = np.clip(evidence, -MAX_WINDOW_EVIDENCE, MAX_WINDOW_EVIDENCE)
    is_fake = most_probable_states(evidence, SWITCH_COST)
    kept = []
    for first, after in _runs(is_fake):
        if kept and (after - first < MIN_WINDOWS or kept[-1].is_fake == is_fake[first]):
            kept[-1] = kept[-1]._replace(after=after)
        elif kept and kept[0].after < MIN_WINDOWS:
            kept = [Stretch(0, after, bool(is_fake[first]))]
        else:
            kept.append(Stretch(first, after, bool(is_fake[first])))
    return kept


def most_probable_states(evidence: np.ndarray, switch_cost: float) -> np.ndarray:
    """Return the states that maximise the evidence less the costs of switching (Viterbi).

    Args:
        evidence: for state 0 against state 1, natural log, `(windows,)`.
        switch_cost: of each change of the state, natural log.

    Returns:
        0 or 1, `(windows,)`.

    >>> most_probable_states(np.array([2.0, -1.0, 2.0, -3.0, -3.0, -3.0]), 2.0).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    switched = np.zeros((len(evidence), 2), bool)  # whether the window before has another state
    lead = 0.0  # of the best sequence that ends in state 0 over the best that ends in state 1
    for index, step in enumerate(evidence.tolist()):
        switched[index] = lead < -switch_cost, lead > switch_cost
        lead = min(max(lead, -switch_cost), switch_cost) + step
    states, state = np.empty(len(evidence), int), int(lead < 0)
    for index in range(len(evidence) - 1, -1, -1):
        states[index] = state
        state ^= int(switched[index, state])
    return states


def cut_out_unknown(
    stretches: Sequence[Stretch], unknown: np.ndarray, spans: np.ndarray, min_seconds: float
) -> list[Stretch]:
    """Make stretches of their own of successive unknown windows that last at least a time.

    A whole stretch of unknown windows may be shorter. `unknown` is bool `(windows,)`; `spans` are
    those of `find_passages`.
    """
    states = np.concatenate([np.full(s.after - s.first, int(s.is_fake)) for s in stretches])
    for first, after in stretches_of(unknown):
        if spans[after - 1, 1] - spans[first, 0] >= min_seconds:
            states[first:after] = -1
    for stretch in stretches:
        if unknown[stretch.first : stretch.after].all():
            states[stretch.first : stretch.after] = -1
    return [
        Stretch(first, after, None if states[first] < 0 else bool(states[first]))
        for first, after in _runs(states)
    ]


def _runs(states: np.ndarray) -> list[tuple[int, int]]:
    """Return the first index of each run of equal states, and the one after its last."""
    turns = np.flatnonzero(np.diff(states)) + 1
    return list(pairwise([0, *turns.tolist(), len(states)]))


def join_chance(
    llr: np.ndarray, stretches: Sequence[Stretch], speech: tuple[float, float]
) -> list[Stretch]:
    """Count fake stretches as real if an hour of real speech has one as fake; join neighbours."""
    kept = []
    for stretch in stretches:
        known = _known(llr[stretch.first : stretch.after])
        if stretch.is_fake and expected_by_chance(known, speech, len(llr)) >= 1:
            stretch = stretch._replace(is_fake=False)
        if kept and kept[-1].is_fake is not None and kept[-1].is_fake == stretch.is_fake:
            kept[-1] = kept[-1]._replace(after=stretch.after)
        else:
            kept.append(stretch)
    return kept


def move_to_pauses(stretches: Sequence[Stretch], spans: np.ndarray) -> list[Stretch]:
    """Move the changes between stretches to pauses that are as near as a change is known.

    >>> spans = np.array([[0, 1], [1, 2], [2, 3], [60, 61], [61, 62], [62, 63]])
    >>> moved = move_to_pauses([Stretch(0, 2, False), Stretch(2, 6, True)], spans)
    >>> [(stretch.first, stretch.after) for stretch in moved]
    [(0, 3), (3, 6)]
    """
    pauses, moved = np.flatnonzero(spans[1:, 0] > spans[:-1, 1]) + 1, list(stretches)
    for index in range(1, len(moved) if len(pauses) else 0):
        before, after = moved[index - 1 : index + 1]
        pause = int(pauses[np.argmin(np.abs(pauses - after.first))])
        is_near = abs(pause - after.first) <= EDGE_WINDOWS
        if is_near and before.first < pause < after.after:
            moved[index - 1 : index + 1] = before._replace(after=pause), after._replace(first=pause)
    return moved


def real_speech(llr: np.ndarray, stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Return the LLR and its deviation of windows in the real stretches of a recording.

    The fewer windows these have, the nearer both are to those of usual recordings. All windows of a
    noisy recording may have an LLR near 0: then a passage near 0 is not fake. If no LLR is as high
    as usual, as with a run that learned little, the usual values are lower in proportion.
    """
    real = [_known(llr[s.first : s.after]) for s in stretches if s.is_fake is False]
    known = np.concatenate([np.empty(0), *real])
    if not len(known):
        return REAL_LLR, REAL_DEVIATION
    scale = min(max(float(known.max()) / REAL_LLR, 0.0), 1.0)
    weight = len(known) / (len(known) + PRIOR_WINDOWS)
    median = float(np.median(known))
    deviation = NORMAL_DEVIATIONS * float(np.median(np.abs(known - median)))
    level = weight * min(max(median, 0.0), REAL_LLR) + (1 - weight) * scale * REAL_LLR
    variance = weight * deviation**2 + (1 - weight) * (scale * REAL_DEVIATION) ** 2
    return level, max(math.sqrt(variance), MIN_DEVIATION)


def expected_by_chance(known: np.ndarray, speech: tuple[float, float], windows: int) -> float:
    """Return how many stretches this fake are expected in real speech of the recording's length.

    Args:
        known: LLRs of the stretch, `(any,)`.
        speech: LLR and deviation of real speech in this recording; see `real_speech`.
        windows: number of windows of the recording; at least an hour is assumed.
    """
    real_llr, real_deviation = speech
    independent = max(1.0, INDEPENDENT_SHARE * len(known))
    variance = real_deviation**2 * (VOICE_SHARE + (1 - VOICE_SHARE) / independent)
    below = (real_llr - float(known.mean())) / math.sqrt(variance)
    chance = math.erfc(below / math.sqrt(2)) / 2  # of the normal distribution
    return chance * max(windows, WINDOWS_PER_HOUR) / MIN_WINDOWS


def _known(llr: np.ndarray) -> np.ndarray:
    return llr[~np.isnan(llr)]
