"""Data folders of shards: each has the images of a part of a corpus, and all are joined to one.

Every shard reads the whole corpus and assigns the splits of all files, so that no speaker is in
two splits. The splits of an earlier joined folder are kept.
"""

import glob
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deepfake_audio import __version__
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import AudioSettings, PrepareSettings, Settings
from deepfake_audio.corpora.reading import Corpus, read_corpus
from deepfake_audio.dataset.data_folder import open_data_folder
from deepfake_audio.dataset.jobs import Job, image_name
from deepfake_audio.dataset.journal import append_entries, is_complete, read_journal
from deepfake_audio.dataset.manifest import MANIFEST, MANIFEST_FIELDS
from deepfake_audio.dataset.preparation import (
    build_dataset,
    manifest_rows,
    plan_dataset,
    rendering_of,
    write_errors,
    write_table,
)
from deepfake_audio.dataset.preparation_report import write_report
from deepfake_audio.dataset.rendering import render_all
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.atomic_files import atomic_write, folder_lock, write_error, write_json
from deepfake_audio.system.json_records import read_record
from deepfake_audio.system.regular_files import is_file, is_folder, open_table
from deepfake_audio.system.shards import Shard, check_same, find_shards, missing_shards
from deepfake_audio.vocabulary import JOURNAL

RECORD = "shard.json"
ENTRIES_AT_ONCE = 1000  # whose images are linked before the journal names them


class FolderRecord(BaseModel):
    """How a shard's data folder was made.

    Attributes:
        shard: K/N.
        version: of the program.
        folder: with the recordings.
        corpus: a key of `CORPORA`.
        subset: of ASVspoof 2021, else empty.
        audio: settings.
        prepare: settings, without those that do not change the images.
    """

    model_config = ConfigDict(frozen=True)

    shard: str
    version: str
    folder: str
    corpus: str
    subset: str
    audio: AudioSettings
    prepare: PrepareSettings


def prepare_shard(
    whole: Path, shard: Shard, corpus: Corpus, audio: Path, settings: Settings
) -> tuple[str, bool]:
    """Render the images of one shard into its own data folder.

    Args:
        whole: the place of the joined folder, whose splits are kept if it is there.
        shard: the part to render.
        corpus: all files.
        audio: the folder with the recordings.
        settings: of audio, preparation and limits.

    Returns:
        The report, and whether all files of the shard were used.

    Raises:
        InputError: the corpus has images.
    """
    if corpus.is_images:
        raise InputError(f"{audio} has images, which are copied at once; leave out --shard")
    folder = shard.path(whole, "")
    open_data_folder(folder, settings, corpus, audio)
    with folder_lock(folder / JOURNAL, "Preparing"):
        plan = plan_dataset(whole, corpus, settings.prepare)
        jobs = [job for job in (*plan.jobs, *plan.changed) if shard.has(job.clip.name)]
        entries = render_all(jobs, rendering_of(folder, plan, settings), settings.prepare.workers)
        unusable = write_errors(jobs, entries, folder)
        write_table(folder / MANIFEST, MANIFEST_FIELDS, manifest_rows(jobs, entries))
        record = FolderRecord(
            shard=str(shard),
            version=__version__,
            folder=str(audio),
            corpus=corpus.name,
            subset=corpus.subset,
            audio=settings.audio,
            prepare=settings.prepare.model_copy(update={"workers": 0}),
        )
        write_json(folder / RECORD, record.model_dump())
    files = len({job.clip.name for job in jobs})
    text = f"Shard {shard}: {files:,} of {pluralize(len(plan.clips), 'file')} in {folder}"
    text += f"; {unusable:,} could not be used: see errors.csv there" * bool(unusable)
    return (
        f"{one_line(text)}\nNext, with all shards: python join.py {one_line(whole)}",
        not unusable,
    )


def are_folders(whole: Path) -> bool:
    """Return whether a name is that of a data folder or of the shards of one."""
    return is_folder(whole) or any(
        map(is_folder, whole.parent.glob(f"{glob.escape(whole.name)}.*-of-*"))
    )


def join_folders(whole: Path) -> tuple[str, bool]:
    """Join the data folders of all shards into one, as prepare.py makes it.

    Returns:
        The report, and whether all files of the corpus were used.

    Raises:
        InputError: a shard is missing or unfinished, they do not belong together, or files of the
            corpus are in none.
    """
    found = find_shards(whole, "")
    records = {path: _read_record(path, shard) for shard, path in found.items()}
    check_same({path: _facts(record) for path, record in records.items()})
    if missing := missing_shards(found):
        raise InputError(f"{whole} lacks {missing}; run prepare.py with --shard for each")
    record = next(iter(records.values()))
    made_with = {"audio": record.audio, "prepare": record.prepare}
    settings = load_settings().model_copy(update=made_with)
    audio = Path(record.folder)
    corpus = read_corpus(audio, record.corpus, record.subset or None)
    plan = plan_dataset(whole, corpus, settings.prepare)
    jobs = [*plan.jobs, *plan.changed]
    entries = {path: read_journal(path / JOURNAL) for path in found.values()}
    shares = {
        path: [job for job in jobs if shard.has(job.clip.name)] for shard, path in found.items()
    }
    for path, share in shares.items():
        _check_rendered(share, path, entries[path], record.prepare.max_windows)
    origin = open_data_folder(whole, settings, corpus, audio)
    with folder_lock(whole / JOURNAL, "Joining"):
        for path, share in shares.items():
            with folder_lock(path / JOURNAL, "Preparing"):
                _take_images(share, path, entries[path], whole)
        prepared = build_dataset(whole, corpus, origin, settings)
        report = write_report(whole, prepared, settings.prepare, settings.image)
    return report, prepared.is_complete


def _read_record(folder: Path, shard: Shard) -> FolderRecord:
    """Read the record of a shard's folder.

    Raises:
        InputError: it has none, since it is unfinished, or that of another shard.
    """
    path = folder / RECORD
    again = f"run prepare.py with --shard {shard} again"
    if not is_file(path):
        raise InputError(f"{folder} is unfinished: it has no {RECORD}; {again}")
    record = read_record(path, FolderRecord, f"remove it, and {again}")
    if record.shard != str(shard):
        raise InputError(f"{path} is of shard {record.shard}; {again}")
    return record


def _facts(record: FolderRecord) -> dict[str, object]:
    """Return the facts of a record that are the same for all shards."""
    facts = record.model_dump()
    del facts["shard"]
    sections = {name: facts.pop(name) for name in ("audio", "prepare")}
    return facts | {
        f"{section}.{name}": value
        for section, values in sections.items()
        for name, value in values.items()
    }


def _check_rendered(
    jobs: Iterable[Job], folder: Path, entries: Mapping[str, Mapping], max_windows: int
) -> None:
    """Raise an `InputError` if a shard lacks files, or if their recordings changed since."""
    lacking = {
        job.clip.name: None
        for job in jobs
        if entries.get(job.stem, {}).get("key") != job.key(max_windows)
    }
    if lacking:
        raise InputError(
            f"{folder} lacks {pluralize(len(lacking), 'new or changed file')}, such as "
            f"{one_line(next(iter(lacking)))}; run prepare.py for that shard again"
        )


def _take_images(
    jobs: Iterable[Job], shard: Path, entries: Mapping[str, Mapping], whole: Path
) -> None:
    """Link the images of a shard into the joined folder, and note them in its journal."""
    known = read_journal(whole / JOURNAL)
    done = [job for job in jobs if is_complete(entries[job.stem])]  # others are tried again
    new = [job for job in done if known.get(job.stem) != entries[job.stem]]
    with open_table(whole / JOURNAL, "a") as journal:
        for first in range(0, len(new), ENTRIES_AT_ONCE):
            some = [entries[job.stem] for job in new[first : first + ENTRIES_AT_ONCE]]
            for entry in some:
                for number in range(len(entry["starts"])):
                    name = image_name(entry["stem"], number)
                    _link(shard / name, whole / name)
            append_entries(journal, some)


def _link(image: Path, place: Path) -> None:
    """Put an image into another folder: a hard link if the disk allows it, else a copy."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if is_file(place):
            with atomic_write(place) as partial:
                _link_or_copy(image, partial)
        else:
            _link_or_copy(image, place)
    except FileNotFoundError:
        raise InputError(
            f"the image {image} is missing; run prepare.py for that shard again"
        ) from None
    except OSError as error:
        raise write_error(place, error) from None


def _link_or_copy(image: Path, place: Path) -> None:
    try:
        os.link(image, place)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(image, place)
