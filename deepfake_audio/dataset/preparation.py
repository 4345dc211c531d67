"""Turn a corpus into a data folder: assign splits, render images, write the manifest."""

import glob
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake_audio.config.schema import PrepareSettings, Settings
from deepfake_audio.corpora.reading import Clip, Corpus
from deepfake_audio.corpora.splits import assign_splits, find_repeated, group_folders
from deepfake_audio.dataset.data_folder import ERRORS, known_splits
from deepfake_audio.dataset.image_copies import copy_image, group_images
from deepfake_audio.dataset.jobs import (
    Job,
    babble_voices,
    changed_jobs,
    image_name,
    make_job,
    make_jobs,
)
from deepfake_audio.dataset.manifest import MANIFEST, MANIFEST_FIELDS
from deepfake_audio.dataset.provenance import FileCounts, Origin, write_origin
from deepfake_audio.dataset.rendering import Rendering, render_all
from deepfake_audio.errors import one_line
from deepfake_audio.system.atomic_files import atomic_write, write_error
from deepfake_audio.system.csv_files import printable_name, write_rows
from deepfake_audio.system.regular_files import open_table
from deepfake_audio.vocabulary import SPLITS, UNKNOWN_SPLIT


@dataclass(frozen=True)
class Plan:
    """The files of a corpus and their splits, before anything is rendered.

    Attributes:
        clips: the files without repeated ones.
        known: splits that files had before, by the clip's name.
        gone: files in the data folder's manifest that are no longer in the corpus.
        jobs: one for each clip.
        changed: further jobs of training files, each in a recording condition.
        repeated: files with the same bytes as another file.
        contradictory: files whose bytes are both real and fake.
        grouping: how files were grouped for the splits by their folders or names, for the report;
            empty if they were not.
    """

    clips: list[Clip]
    known: dict[str, str]
    gone: list[str]
    jobs: list[Job]
    changed: list[Job]
    repeated: list[str]
    contradictory: list[str]
    grouping: str


@dataclass(frozen=True)
class Prepared:
    """The outcome of a preparation.

    Attributes:
        corpus: the corpus that was read.
        origin: the data folder's origin.
        plan: the files and their splits.
        entries: the journal's entry of each job, by its stem.
        renamed: files whose images have long names, since the short names are equal.
        unusable: number of files that could not be used.
    """

    corpus: Corpus
    origin: Origin
    plan: Plan
    entries: dict[str, dict]
    renamed: list[str]
    unusable: int

    def failed(self, jobs: Iterable[Job]) -> list[str]:
        """Return the names of the files that have no images."""
        return [job.clip.name for job in jobs if "error" in self.entries[job.stem]]

    def described(self, fact: str) -> list[str]:
        """Return the names of the files whose entry has a fact, such as `lost_seconds`."""
        return [job.clip.name for job in self.plan.jobs if fact in self.entries[job.stem]]

    @property
    def rendered(self) -> list[Job]:
        """Return the jobs of the files that have images."""
        return [job for job in self.plan.jobs if "error" not in self.entries[job.stem]]

    @property
    def is_complete(self) -> bool:
        """Return whether every file of the corpus was used."""
        corpus = self.corpus
        left_out = corpus.missing or corpus.unreadable or self.plan.contradictory
        return not (self.unusable or left_out)


def plan_dataset(folder: Path, corpus: Corpus, settings: PrepareSettings) -> Plan:
    """Assign the files of a corpus to splits; those that a data folder has keep theirs."""
    before = known_splits(folder)
    names = {clip.name: printable_name(clip.name) for clip in corpus.clips}
    known = {name: before[shown] for name, shown in names.items() if shown in before}
    gone = sorted(before.keys() - names.values())
    repeated, contradictory = find_repeated(corpus.clips, known)
    left_out = {*repeated, *contradictory}
    clips = [clip for clip in corpus.clips if clip.name not in left_out]
    if corpus.is_images:
        clips, grouping = group_images(clips, settings.image_groups)
    else:
        clips, grouping = group_folders(clips)
    splits = assign_splits(clips, settings.val_share, settings.test_share, known, settings.seed)
    jobs, changed = make_jobs(clips, splits), []
    if not corpus.is_images:
        changed = changed_jobs(jobs, settings.conditions, settings.condition_copies)
    return Plan(clips, known, gone, jobs, changed, repeated, contradictory, grouping)


def rendering_of(folder: Path, plan: Plan, settings: Settings) -> Rendering:
    """Return how files are rendered into a data folder."""
    return Rendering(
        folder,
        settings.audio,
        settings.prepare.max_windows,
        settings.limits.audio_hours,
        settings.limits.decoder_megabytes,
        babble_voices(j.clip for j in plan.jobs if j.split == "train") if plan.changed else (),
    )


def build_dataset(folder: Path, corpus: Corpus, origin: Origin, settings: Settings) -> Prepared:
    """Render or copy the images of a corpus; write the manifest, the origin and errors.csv.

    If no file can be used, an earlier manifest stays as it is. `open_data_folder` made the folder
    and returned the origin; the caller holds the lock.
    """
    plan = plan_dataset(folder, corpus, settings.prepare)
    jobs = [*plan.jobs, *plan.changed]
    if corpus.is_images:
        entries = {job.stem: copy_image(job, folder, settings.image) for job in jobs}
        renamed = []
    else:
        renamed = _remove_short_names(plan.jobs, folder)
        entries = render_all(jobs, rendering_of(folder, plan, settings), settings.prepare.workers)
    unusable = write_errors(jobs, entries, folder)
    prepared = Prepared(corpus, origin, plan, entries, renamed, unusable)
    has_manifest = plan.known or plan.gone
    if prepared.rendered or not has_manifest:
        write_table(folder / MANIFEST, MANIFEST_FIELDS, manifest_rows(jobs, entries))
        counts = _count_files(prepared)
        write_origin(folder, origin.model_copy(update={"counts": counts}))
    return prepared


def _remove_short_names(jobs: Iterable[Job], folder: Path) -> list[str]:
    """Return the files whose images have long names, and remove their images with short names.

    Those were made before the other file with the same short name was added.
    """
    renamed = [job for job in jobs if job.stem != make_job(job.clip, job.split).stem]
    for job in renamed:
        short = folder / make_job(job.clip, job.split).stem
        for image in short.parent.glob(f"{glob.escape(short.name)}_*.png"):
            try:
                image.unlink()
            except OSError as error:
                raise write_error(image, error) from None
    return [job.clip.name for job in renamed]


def write_errors(jobs: Iterable[Job], entries: Mapping[str, dict], folder: Path) -> int:
    """Write errors.csv; return the number of files that could not be used."""
    errors: dict[str, str] = {}
    for job in jobs:
        if "error" in entries[job.stem]:
            # Once for each file: an unreadable one fails in each condition too.
            errors.setdefault(job.clip.name, entries[job.stem]["error"])
    rows = ((printable_name(name), one_line(error)) for name, error in errors.items())
    write_table(folder / ERRORS, ("audio", "error"), rows)
    return len(errors)


def manifest_rows(jobs: Iterable[Job], entries: Mapping[str, dict]) -> Iterator[tuple]:
    """Yield the manifest's row of each image, in the order of `MANIFEST_FIELDS`."""
    for job in jobs:
        clip, entry = job.clip, entries[job.stem]
        names = clip.name, clip.speaker, clip.attack, job.condition or clip.codec, clip.corpus
        audio, *facts = map(printable_name, names)
        images = [(entry["image"], "")] if "image" in entry else []
        for number, start in enumerate(entry.get("starts", ())):
            images.append((image_name(job.stem, number), f"{start:.3f}"))
        for image, start in images:
            yield image, clip.label, job.split, audio, start, *facts


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file in one step."""
    with atomic_write(path) as partial, open_table(partial) as file:
        write_rows(file, itertools.chain([header], rows))


def _count_files(prepared: Prepared) -> dict[str, FileCounts]:
    """Count used, missing, unusable and repeated files of a corpus by split."""
    corpus, jobs = prepared.corpus, prepared.plan.jobs
    left_out = {*prepared.plan.repeated, *prepared.plan.contradictory}
    unusable = Counter(job.split for job in jobs if "error" in prepared.entries[job.stem])
    used = Counter(job.split for job in jobs) - unusable
    missing = Counter(corpus.missing_splits)
    repeated = Counter(clip.split for clip in corpus.clips if clip.name in left_out)
    listed = used + missing + unusable + repeated
    return {
        split or UNKNOWN_SPLIT: FileCounts(
            listed=listed[split],
            used=used[split],
            missing=missing[split],
            unusable=unusable[split],
            repeated=repeated[split],
        )
        for split in (*SPLITS, "")
        if listed[split]
    }
