"""Turn audio into the spectrogram images that train.py takes.

    python prepare.py my_audio --name mine                    folders real/ and fake/
    python prepare.py LA --corpus asvspoof2019 --name asv19   a public corpus, in its own layout
    python prepare.py DF --corpus asvspoof2021-df --subset eval
    python prepare.py my_audio prepare.max_windows=4          any setting of config.yaml

my_audio holds real/ and fake/ (or train/real, train/fake, val/real and so on) with wav, flac, mp3,
ogg, opus, m4a, aac, amr, webm or mp4 files. A table my_audio/labels.csv with the columns file,label
and perhaps speaker, sentence, split, attack says more: no speaker stands in two splits, nor does
a sentence where its speaker isn't known.

Writes data/<name>/{train,val,test}/{fake,real}/*.png, manifest.csv, report.txt, and errors.csv with
the files that could not be used. Killed, or run again with more files, it redoes nothing.
"""

import argparse
import csv
import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from deepfake_audio.arguments import Parser
from deepfake_audio.audio import (
    open_recording,
    recording_blocks,
    recording_windows,
    spectrogram_image,
)
from deepfake_audio.codecs import CODECS, write_coded
from deepfake_audio.config import load_settings
from deepfake_audio.corpora import CORPORA, SUBSETS, Clip, Corpus, read_corpus
from deepfake_audio.dataset import (
    AUDIO_SETTINGS,
    JOURNAL,
    MANIFEST,
    MANIFEST_FIELDS,
    read_audio_settings,
    read_manifest,
    read_records,
    speaker_warnings,
    summarise,
    write_audio_settings,
)
from deepfake_audio.errors import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    OutputError,
    UserError,
    one_line,
    script,
)
from deepfake_audio.files import (
    is_file,
    is_folder,
    only_one,
    open_table,
    replacing,
    unwritable,
)
from deepfake_audio.images import encode_png
from deepfake_audio.nuisances import measure_nuisances
from deepfake_audio.settings import AudioSettings, Settings
from deepfake_audio.splits import assign_splits, find_repeated

BATCH = 16  # files that a process takes at a time; handing over each alone costs as much as drawing
LONGEST_ENTRY = 30_000_000  # characters of a journal's line: a million windows have 10 million
LARGEST_MEASURE = 1e9  # in a journal: seconds, Hz and dB are below it
NUISANCES = frozenset({
    "duration", "level", "bandwidth", "leading silence", "trailing silence", "clipping",
    "sample rate",
})  # fmt: skip
NAMED = 3  # so many examples stand in the report for a long list


@dataclass(frozen=True)
class Job:
    """One file to draw: where its images go, and what its journal entry must be like to count.

    Attributes:
        clip: the file.
        split: where its images go.
        stem: of their names.
        codec: the key of `CODECS` of what it goes through before it is drawn, or empty.
    """

    clip: Clip
    split: str
    stem: str
    codec: str = ""

    def key(self, max_windows: int) -> str:
        """Return what changes when the file, its label, its split or its images would."""
        try:
            status = self.clip.path.stat()
            changed = f"{status.st_size}|{status.st_mtime_ns}"
        except OSError:
            changed = "missing"
        return f"{self.stem}|{str(self.clip.path.resolve())!a}|{changed}|{max_windows}"


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    settings = load_settings(args.config, args.settings)
    corpus = read_corpus(Path(args.audio), args.corpus, args.subset)
    folder = Path("data", args.name or corpus.name)
    begin(folder, settings.audio)
    with only_one(folder / JOURNAL, "Preparing"):
        return fill(folder, corpus, settings, args.config)


def fill(folder: Path, corpus: Corpus, settings: Settings, config: str | None) -> int:
    """Draw the images of a corpus into its folder, and report; return the exit code."""
    repeated, contradictory = find_repeated(corpus.clips)
    left_out = {*repeated, *contradictory}
    clips = [clip for clip in corpus.clips if clip.name not in left_out]
    splits = assign_splits(
        clips, settings.prepare.val_share, settings.prepare.test_share, known_splits(folder)
    )
    jobs = [make_job(clip, split) for clip, split in zip(clips, splits, strict=True)]
    coded = coded_jobs(jobs, settings.prepare.codecs)
    entries = draw_all([*jobs, *coded], folder, settings)
    failed = write_results([*jobs, *coded], entries, folder)
    text = make_report(corpus, repeated, contradictory, jobs, coded, entries, folder)
    with replacing(folder / "report.txt") as partial:
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    print(text)
    print(f"Next: {next_command(folder, settings, config)}")
    return EXIT_SOME_FAILED if failed or contradictory else EXIT_OK


def next_command(folder: Path, settings: Settings, config: str | None) -> str:
    """Return the command that trains on the folder as its images are drawn."""
    color = [] if settings.image.color == "grayscale" else [f"image.color={settings.image.color}"]
    chosen = ["--config", config] if config else color
    return shlex.join(["python", "train.py", *chosen, f"data.folder={folder}"])


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="prepare.py", description=__doc__)
    parser.add_argument("audio", metavar="FOLDER", help="the folder of audio, or of a corpus")
    parser.add_argument(
        "settings", nargs="*", metavar="section.key=value", help="settings; config.yaml lists all"
    )
    parser.add_argument("--name", help="of the folder below data/ (default: the corpus's name)")
    parser.add_argument(
        "--corpus", choices=sorted(CORPORA), help="its layout (default: recognised by itself)"
    )
    parser.add_argument("--subset", choices=SUBSETS, help="of ASVspoof 2021; figures use eval")
    parser.add_argument("--config", metavar="FILE", help="a YAML file with settings that differ")
    args = parser.parse_intermixed_args(argv)
    if args.name and (Path(args.name).name != args.name or args.name in (".", "..")):
        raise UserError(f"--name is a folder's name without a slash. Received: {args.name!r}.")
    return args


def make_job(clip: Clip, split: str) -> Job:
    """Return the job of a clip; its image names are plain, and differ for different files."""
    digest = hashlib.sha256(os.fsencode(clip.name)).hexdigest()[:10]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(clip.name).stem)[:60].lstrip(".-")
    return Job(clip, split, f"{split}/{clip.label}/{plain}_{digest}")


def coded_jobs(jobs: Iterable[Job], codecs: Sequence[str]) -> list[Job]:
    """Return a second job for each file of training: to go through one of the codecs first."""
    if not codecs:
        return []
    coded = []
    for job in jobs:
        if job.split == "train":
            codec = str(random_of(job.stem).choice(codecs))
            coded.append(replace(job, stem=f"{job.stem}_{codec}", codec=codec))
    return coded


def random_of(stem: str) -> np.random.Generator:
    """Return a generator that draws the same for the same file, in whatever order files come."""
    return np.random.default_rng(list(stem.encode()))


def begin(folder: Path, audio: AudioSettings) -> None:
    """Make the folder, or go on with one that was begun with the same audio settings."""
    begun = is_file(folder / JOURNAL)
    before = read_audio_settings(folder) if begun else None
    if before is not None and before != audio:
        raise UserError(
            "A data folder is made with one set of audio settings. "
            f"Received: others than {folder / AUDIO_SETTINGS} has. Choose another --name."
        )
    if not begun and is_folder(folder) and any(folder.iterdir()):
        raise UserError(
            f"A data folder is made by prepare.py alone. Received: {folder}, which holds other "
            "files. Choose another --name."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JOURNAL).touch()
    except OSError as error:
        raise unwritable(folder, error) from None
    write_audio_settings(folder, audio)


def known_splits(folder: Path) -> dict[str, str]:
    """Return the split of each audio file that was prepared before."""
    if not is_file(folder / MANIFEST):
        return {}
    return {record.audio: record.split for record in read_manifest(folder / MANIFEST)}


def draw_all(jobs: Sequence[Job], folder: Path, settings: Settings) -> dict[str, dict]:
    """Draw what is not drawn yet, on all cores, and keep a journal of what is done.

    Returns:
        The journal's entry for each job's stem.
    """
    max_windows = settings.prepare.max_windows
    done = read_journal(folder / JOURNAL)
    entries = {
        job.stem: done[key]
        for job in jobs
        if (key := job.key(max_windows)) in done and is_drawn(done[key], job, folder)
    }
    waiting = [job for job in jobs if job.stem not in entries]
    try:
        for split_and_class in {(folder / job.stem).parent for job in waiting}:
            split_and_class.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    parallel = Parallel(n_jobs=settings.prepare.workers or -1, return_as="generator_unordered")
    batches = parallel(
        delayed(draw_clips)(waiting[first : first + BATCH], folder, settings, Path.cwd())
        for first in range(0, len(waiting), BATCH)
    )
    with (
        (folder / JOURNAL).open("a", encoding="utf-8") as journal,
        tqdm(desc="Drawing", total=len(jobs), initial=len(entries), unit=" files") as progress,
    ):
        for batch in alive(batches):
            note(journal, batch)
            entries |= {entry["stem"]: entry for entry in batch}
            progress.update(len(batch))
    return entries


def alive(batches: Iterator[list[dict]]) -> Iterator[list[dict]]:
    """Yield what the processes have done; say it in one line if the system ended one of them."""
    try:
        yield from batches
    except TerminatedWorkerError:
        raise UserError(
            "A process that draws must be left alone. Received: the system ended one, as it does "
            "where memory runs out. Run this again, with fewer prepare.workers."
        ) from None


def note(journal: TextIO, entries: Iterable[Mapping]) -> None:
    """Write down what is done, as a whole: what a full disk cut off does not count."""
    try:
        journal.write("".join(json.dumps(entry) + "\n" for entry in entries))
        journal.flush()
    except OSError as error:
        raise unwritable(Path(journal.name), error) from None


def is_drawn(entry: Mapping, job: Job, folder: Path) -> bool:
    """Return whether a file was drawn without an error, and its images are still there."""
    starts, nuisances = entry.get("starts"), entry.get("nuisances")
    return (
        entry.get("stem") == job.stem
        and isinstance(nuisances, dict)
        and nuisances.keys() == NUISANCES | {"format"}
        and isinstance(nuisances["format"], str)
        and all(is_measure(nuisances[name]) for name in NUISANCES)
        and isinstance(starts, list)
        and bool(starts)
        and all(map(is_measure, starts))
        and is_file(folder / image_name(job.stem, len(starts) - 1))
    )


def is_measure(value: object) -> bool:
    """Return whether an entry of the journal is a number as one measures it."""
    return isinstance(value, float | int) and abs(value) < LARGEST_MEASURE


def draw_clips(jobs: Sequence[Job], folder: Path, settings: Settings, cwd: Path) -> list[dict]:
    """Draw some files one after another; see `draw_clip`."""
    os.chdir(cwd)  # a process that drew before may stand elsewhere
    return [draw_clip(job, folder, settings) for job in jobs]


def read_journal(path: Path) -> dict[str, dict]:
    """Read the entries of files that are done; a line that a kill cut off does not count."""
    entries, line = {}, "\n"
    if not is_file(path) or not path.stat().st_size:  # below /proc, the empty may never end
        return entries
    with path.open(encoding="utf-8", errors="replace") as file:
        while piece := file.readline(LONGEST_ENTRY):
            line = piece
            try:
                entry = json.loads(line)
                entries[entry["key"]] = entry
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    if not line.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    return entries


def draw_clip(job: Job, folder: Path, settings: Settings) -> dict:
    """Draw every window of one file, or say why it can't be done.

    Returns:
        The journal's entry: `starts` of the windows in seconds and the nuisances, or `error`.
    """
    entry = {"key": job.key(settings.prepare.max_windows), "stem": job.stem}
    try:
        if job.codec:
            return entry | draw_coded(job, folder, settings)
        return entry | draw_file(job.clip.path, job, folder, settings)
    except OutputError:
        raise
    except UserError as error:
        return entry | {"error": str(error)}


def draw_coded(job: Job, folder: Path, settings: Settings) -> dict:
    """Send a job's sound through its codec, and draw what is left, as `draw_file` does."""
    codec, random = CODECS[job.codec], random_of(job.stem)
    original = open_recording(job.clip.path, settings.audio, settings.limits.audio_hours)
    blocks, rate_hz = recording_blocks(original, settings.audio), settings.audio.sample_rate_hz
    with temporary_folder() as place:
        path = place / f"coded{codec.suffix}"
        try:
            write_coded(path, blocks, rate_hz, codec, *codec.draw(random))
            return draw_file(path, job, folder, settings)
        except OutputError:
            raise
        except UserError as error:
            name = f"{job.clip.path} after {job.codec}"
            raise UserError(str(error).replace(str(path), name)) from None


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for coded sound, and take it away again."""
    try:
        place = TemporaryDirectory()
    except OSError as error:
        raise unwritable(Path("a temporary folder"), error) from None
    with place as name:
        yield Path(name)


def draw_file(path: Path, job: Job, folder: Path, settings: Settings) -> dict:
    """Draw every window of a file; return the `starts` of the windows and its nuisances."""
    audio = settings.audio
    recording = open_recording(path, audio, settings.limits.audio_hours)
    if recording.is_silent:
        raise UserError(f"An audio file must hold sound. Received: {path}, silence.")
    starts = []
    for start, window in recording_windows(recording, audio, settings.prepare.max_windows):
        write_png(folder / image_name(job.stem, len(starts)), spectrogram_image(window, audio))
        starts.append(round(start, 3))
    if not starts:
        raise UserError(f"A window must hold sound. Received: {path}, whose chosen ones are quiet.")
    nuisances = measure_nuisances(recording.beginning, audio.sample_rate_hz)
    nuisances |= {"duration": recording.samples / audio.sample_rate_hz}
    nuisances |= {"sample rate": recording.file_rate_hz, "format": path.suffix.lower()}
    return {"starts": starts, "nuisances": nuisances}


def image_name(stem: str, number: int) -> str:
    return f"{stem}_{number:04}.png"


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write an image; only what is there already is replaced in one step.

    A new image counts when the journal and the manifest name it, so half of one harms nobody.
    Renaming each would take longer than all the rest of writing, and let two processes wait for
    each other.
    """
    encoded = encode_png(pixels)
    try:
        with path.open("xb") as file:
            file.write(encoded)
    except FileExistsError:
        with replacing(path) as partial:
            partial.write_bytes(encoded)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise unwritable(path, error) from None


def write_results(jobs: Sequence[Job], entries: Mapping[str, dict], folder: Path) -> int:
    """Write manifest.csv and errors.csv; return the number of files that could not be used."""
    write_table(folder / MANIFEST, MANIFEST_FIELDS, manifest_rows(jobs, entries))
    errors: dict[str, str] = {}
    for job in jobs:
        if "error" in entries[job.stem]:  # what can't be read can't be coded either
            errors.setdefault(job.clip.name, entries[job.stem]["error"])
    rows = ((one_line(name), error) for name, error in errors.items())
    write_table(folder / "errors.csv", ("audio", "error"), rows)
    return len(errors)


def manifest_rows(jobs: Iterable[Job], entries: Mapping[str, dict]) -> Iterator[tuple]:
    for job in jobs:
        clip = job.clip
        for number, start in enumerate(entries[job.stem].get("starts", ())):
            yield (
                image_name(job.stem, number), clip.label, job.split, one_line(clip.name),
                f"{start:.3f}", clip.speaker, clip.attack, job.codec or clip.codec, clip.corpus,
            )  # fmt: skip


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with replacing(path) as partial, open_table(partial) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def make_report(
    corpus: Corpus,
    repeated: Sequence[str],
    contradictory: Sequence[str],
    jobs: Sequence[Job],
    coded: Sequence[Job],
    entries: Mapping[str, dict],
    folder: Path,
) -> str:
    """Return what was made of the corpus, what was left out, and the shortcut audit."""
    drawn = [job for job in jobs if "error" not in entries[job.stem]]
    failed = [job.clip.name for job in jobs if "error" in entries[job.stem]]
    unreadable = set(failed)
    lost = [job.clip.name for job in coded if "error" in entries[job.stem]]
    if not drawn:
        raise UserError(
            f"At least one file must be usable. Received: none of {len(jobs):,}. "
            f"{folder / 'errors.csv'} gives the reasons."
        )
    subset = f", subset {corpus.subset}" if corpus.subset else ""
    lines = [f"\nCorpus: {corpus.name}{subset}: {len(drawn):,} files in {folder}", ""]
    records = read_records(folder)
    lines += [summarise(records), *(f"Warning: {line}" for line in speaker_warnings(records))]
    if not any(job.clip.speaker for job in jobs):
        lines.append("No speakers are known, so the same voice may stand in several splits.")
    for what, names in (
        (f"could not be used ({folder / 'errors.csv'})", failed),
        ("could not be used after a codec", [name for name in lost if name not in unreadable]),
        ("are listed but not there", corpus.missing),
        ("are there but not listed", corpus.unlisted),
        ("are listed more than once", corpus.repeated),
        ("have the same bytes as another one, and were left out", repeated),
        ("stand as real and as fake with the same bytes, and were left out", contradictory),
    ):
        if names:
            shown = ", ".join(map(one_line, names[:NAMED]))
            shown += ", ..." if len(names) > NAMED else ""
            lines.append(f"{len(names):,} files {what}: {shown}")
    return "\n".join([*lines, *audit(drawn, entries)])


def audit(drawn: Sequence[Job], entries: Mapping[str, dict]) -> list[str]:
    """Return the lines of the shortcut audit."""
    from deepfake_audio.shortcuts import audit_shortcuts, format_audit, format_warnings

    absent = {"fake", "real"} - {job.clip.label for job in drawn}
    if absent:
        return [f"Warning: there are no {absent.pop()} files. Add some, and run this again."]
    shortcuts = audit_shortcuts(
        [entries[job.stem]["nuisances"] for job in drawn],
        is_real=[job.clip.label == "real" for job in drawn],
        splits=[job.split for job in drawn],
        groups=[job.clip.group for job in drawn],
    )
    return ["", format_audit(shortcuts), *format_warnings(shortcuts)]


if __name__ == "__main__":
    sys.exit(main())
