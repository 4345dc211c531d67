"""Judge clips through recording conditions, on all cores."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deepfake_audio.audio.conditions import read_in_condition
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.jobs import babble_voices
from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.inference.result import Result
from deepfake_audio.system.workers import in_processes

CLIPS_AT_ONCE = 16


@dataclass(frozen=True)
class JudgedClip:
    """One clip in one condition, and its result; or why it could not be judged."""

    clip: Clip
    condition: str
    result: Result | None
    error: str = ""


def judge_in_conditions(
    clips: Sequence[Clip],
    conditions: Sequence[str],
    run: Path,
    overrides: Sequence[str],
) -> Iterator[JudgedClip]:
    """Judge each clip in each condition, a key of `CONDITIONS`, condition by condition."""
    voices = babble_voices(clips)
    calls = (
        (clips[first:][:CLIPS_AT_ONCE], condition, run.resolve(), tuple(overrides), voices)
        for condition, first in itertools.product(conditions, range(0, len(clips), CLIPS_AT_ONCE))
    )
    for judged in in_processes(_judge_batch, calls, 0, "judges"):
        yield from judged


def _judge_batch(
    clips: Sequence[Clip],
    condition: str,
    run: Path,
    overrides: tuple[str, ...],
    voices: tuple[Path, ...],
) -> list[JudgedClip]:
    detector = _detector(run, overrides)
    rate_hz = detector.settings.audio.sample_rate_hz
    judged = []
    for clip in clips:
        try:
            changed = read_in_condition(clip.path, condition, rate_hz, clip.name, voices)
            judged.append(JudgedClip(clip, condition, detector.predict((changed, rate_hz))))
        except InputError as error:
            judged.append(JudgedClip(clip, condition, None, f"{clip.name}, {condition}: {error}"))
    return judged


@lru_cache(maxsize=1)
def _detector(run: Path, overrides: tuple[str, ...]) -> Detector:
    return Detector.load(run, ["score.threads=1", *overrides])
