"""The files to render, and the names of their images."""

import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deepfake_audio.audio.conditions import BABBLE_CLIPS
from deepfake_audio.corpora.reading import Clip

SHORT_DIGITS = 10  # of 64 hexadecimal ones: equal only by chance in a trillion, or by intent


@dataclass(frozen=True)
class Job:
    """One file to render.

    Attributes:
        clip: the file.
        split: where its images go.
        stem: of their names; identifies the journal's entry.
        condition: key of `CONDITION_KINDS` that is applied before rendering, or empty.
    """

    clip: Clip
    split: str
    stem: str
    condition: str = ""

    def key(self, max_windows: int) -> str:
        """Return a key that changes with the file, its label, its split or its images."""
        try:
            status = self.clip.path.stat()
            changed = f"{status.st_size}|{status.st_mtime_ns}"
        except OSError:
            changed = "missing"
        return f"{self.stem}|{str(self.clip.path.resolve())!a}|{changed}|{max_windows}"


def make_jobs(clips: Sequence[Clip], splits: Sequence[str]) -> list[Job]:
    """Return the job of each clip; image names are plain, and differ for different files.

    A short digest distinguishes files. Files whose short digests are equal get the whole digest.
    """
    jobs = [make_job(clip, split) for clip, split in zip(clips, splits, strict=True)]
    times = Counter(job.stem.lower() for job in jobs)  # some file systems ignore case
    return [
        job if times[job.stem.lower()] == 1 else make_job(job.clip, job.split, None) for job in jobs
    ]


def make_job(clip: Clip, split: str, digits: int | None = SHORT_DIGITS) -> Job:
    """Return the job of a clip, with `digits` digits of its name's digest; None takes all."""
    digest = hashlib.sha256(os.fsencode(clip.name)).hexdigest()[:digits]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(clip.name).stem)[:60].lstrip(".-")
    return Job(clip, split, f"{split}/{clip.label}/{plain}_{digest}")


def changed_jobs(jobs: Iterable[Job], kinds: Sequence[str], copies: int) -> list[Job]:
    """Return further jobs for each training file, each with a random kind of condition.

    Args:
        jobs: of the unchanged files.
        kinds: of `CONDITION_KINDS`; a kind listed twice is chosen twice as often.
        copies: of each training file, if there are kinds.
    """
    changed = []
    for job in jobs:
        if job.split == "train" and kinds:
            for number in range(copies):
                stem = f"{job.stem}_{number}" if number else job.stem
                kind = str(random_of(stem).choice(kinds))
                changed.append(replace(job, stem=f"{stem}_{kind}", condition=kind))
    return changed


def babble_voices(clips: Iterable[Clip]) -> tuple[Path, ...]:
    """Return the files of real clips of which babble is made."""
    voices = (clip.path.resolve() for clip in clips if clip.label == "real")
    return tuple(itertools.islice(voices, BABBLE_CLIPS))


def image_name(stem: str, number: int) -> str:
    """Return the name of a job's image below the data folder."""
    return f"{stem}_{number:04}.png"


def random_of(stem: str) -> np.random.Generator:
    """Return a random generator for a file: the same in any order of files."""
    return np.random.default_rng(list(stem.encode()))
