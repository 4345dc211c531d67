"""Render audio files as the images of a data folder, on all cores."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from deepfake_audio.audio.conditions import read_voices
from deepfake_audio.audio.findings import MIN_SKIPPED_SECONDS, SILENCE_POWER, Findings
from deepfake_audio.audio.quality import edge_silences, measure_quality
from deepfake_audio.audio.recordings import frame_length, open_recording, recording_blocks
from deepfake_audio.audio.sampled_conditions import NOISY_KINDS, change_pieces
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.dataset.jobs import Job, image_name, random_of
from deepfake_audio.dataset.journal import append_entries, is_complete, read_journal
from deepfake_audio.errors import InputError, OutputError, renamed_in_errors
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.system.atomic_files import atomic_write, temporary_sibling, write_error
from deepfake_audio.system.regular_files import open_table
from deepfake_audio.system.workers import in_processes
from deepfake_audio.vocabulary import JOURNAL

BATCH = 16  # files for a process at a time: handing over one costs as much as rendering it


@dataclass(frozen=True)
class Rendering:
    """How files are rendered, and into which folder.

    Attributes:
        folder: the data folder.
        audio: how a window becomes an image.
        max_windows: windows of a file, spread over it; 0 for all.
        audio_hours: maximum length of a file.
        decoder_megabytes: memory that FFmpeg may take; 0 sets no bound.
        voices: real files, for conditions with babble.
    """

    folder: Path
    audio: AudioSettings
    max_windows: int
    audio_hours: float
    decoder_megabytes: int = 0
    voices: tuple[Path, ...] = ()


def render_all(jobs: Sequence[Job], rendering: Rendering, workers: int) -> dict[str, dict]:
    """Render the files that are not rendered yet, and keep a journal.

    Args:
        jobs: the files, each stem once.
        rendering: how, and the folder, which exists.
        workers: processes; 0 for one per core.

    Returns:
        The journal's entry for each job's stem: `starts` of the windows in seconds and the
        measures, or `error`. Also `lost_seconds` of a damaged file, and `tracks` of one with
        several.

    Raises:
        OutputError: an image or the journal can't be written.
        InputError: the system killed a process.
    """
    folder = rendering.folder
    done, images = read_journal(folder / JOURNAL), _list_images(jobs, folder)
    entries = {
        job.stem: done[job.stem]
        for job in jobs
        if job.stem in done and _is_rendered(done[job.stem], job, rendering, images)
    }
    waiting = [job for job in jobs if job.stem not in entries]
    undone = [job.stem for job in waiting if job.stem in done and is_complete(done[job.stem])]
    try:
        for split_and_class in {(folder / job.stem).parent for job in waiting}:
            split_and_class.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from None
    batches = (
        (waiting[first : first + BATCH], rendering, Path.cwd())
        for first in range(0, len(waiting), BATCH)
    )
    with (
        open_table(folder / JOURNAL, "a") as journal,
        tqdm(desc="Rendering", total=len(jobs), initial=len(entries), unit=" files") as progress,
    ):
        # Invalidate these first: their images are replaced one by one, and a kill may come midway.
        append_entries(journal, ({"stem": stem} for stem in undone))
        for batch in in_processes(_render_batch, batches, workers, "renders", in_order=False):
            append_entries(journal, batch)
            entries |= {entry["stem"]: entry for entry in batch}
            progress.update(len(batch))
    return entries


def _list_images(jobs: Iterable[Job], folder: Path) -> set[str]:
    """Return the names of all files in the jobs' folders; one look-up an image would be slower."""
    names = set()
    for parent in {job.stem.rpartition("/")[0] for job in jobs}:
        try:
            with os.scandir(folder / parent) as files:
                names.update(f"{parent}/{file.name}" for file in files if file.is_file())
        except OSError:
            continue  # no images yet; another error shows when one is written
    return names


def _is_rendered(entry: Mapping, job: Job, rendering: Rendering, images: Collection[str]) -> bool:
    """Return whether a file was rendered without an error, and its images still exist."""
    return (
        entry.get("key") == job.key(rendering.max_windows)
        and is_complete(entry)
        and all(image_name(job.stem, number) in images for number in range(len(entry["starts"])))
    )


def _render_batch(jobs: Sequence[Job], rendering: Rendering, cwd: Path) -> list[dict]:
    os.chdir(cwd)  # a process of an earlier call may have another one
    return [render_clip(job, rendering) for job in jobs]


def render_clip(job: Job, rendering: Rendering) -> dict:
    """Render every window of one file; return the journal's entry, with the error if it failed."""
    entry = {"key": job.key(rendering.max_windows), "stem": job.stem}
    try:
        if job.condition:
            return entry | _render_changed(job, rendering)
        return entry | _render_file(job.clip.path, job.stem, rendering)
    except OutputError:
        raise
    except InputError as error:
        return entry | {"error": str(error)}


def _render_changed(job: Job, rendering: Rendering) -> dict:
    """Change a job's sound as its condition does, and render it as `_render_file` does."""
    random, audio = random_of(job.stem), rendering.audio
    original = open_recording(
        job.clip.path, audio, rendering.audio_hours, None, rendering.decoder_megabytes
    )
    rate_hz = audio.sample_rate_hz
    voices = []
    if job.condition in NOISY_KINDS:
        own = (job.clip.path.resolve(),)
        voices = read_voices(rendering.voices or own, rate_hz) or read_voices(own, rate_hz)
    blocks = recording_blocks(original, audio)
    with (
        temporary_sibling(rendering.folder / "changed.wav") as path,
        renamed_in_errors(f"{job.clip.path} after {job.condition}", path),
    ):
        with soundfile.SoundFile(path, "w", rate_hz, 1, "FLOAT", format="RF64") as file:
            for piece in change_pieces(job.condition, blocks, rate_hz, random, voices):
                file.write(piece)
        return _render_file(path, job.stem, rendering)


def _render_file(path: Path, stem: str, rendering: Rendering) -> dict:
    """Render every window of a file; return the `starts` of the windows and its quality measures.

    Level, bandwidth and clipping are of the first minute, the other measures of the whole file.
    """
    audio = rendering.audio
    recording = open_recording(
        path, audio, rendering.audio_hours, None, rendering.decoder_megabytes
    )
    if recording.loudest_power < SILENCE_POWER:
        raise InputError(f"{path} is silent; give a recording with sound")
    starts = []
    for start, window in recording_windows(recording, audio, rendering.max_windows):
        image = rendering.folder / image_name(stem, len(starts))
        write_png(image, spectrogram_image(window, audio))
        starts.append(round(start, 3))
    if not starts:
        raise InputError(
            f"the chosen windows of {path} are silent; set a higher prepare.max_windows, or 0"
        )
    measures = measure_quality(recording.beginning, audio.sample_rate_hz)
    whole_frames = max(1, recording.samples // frame_length(audio.sample_rate_hz))
    measures |= edge_silences(recording.powers[:whole_frames])
    measures |= {"duration": recording.samples / audio.sample_rate_hz}
    measures |= {"sample rate": recording.file_rate_hz, "format": path.suffix.lower()}
    return {"starts": starts, "nuisances": measures} | _describe_findings(recording.findings)


def _describe_findings(findings: Findings) -> dict:
    """Return what the report mentions of a file: its lost seconds, and that it has more tracks."""
    lost_seconds = findings.skipped_seconds + findings.missing_seconds
    described = {}
    if lost_seconds >= MIN_SKIPPED_SECONDS or findings.is_cut_off:
        described["lost_seconds"] = round(lost_seconds, 3)
    if findings.tracks > 1:
        described["tracks"] = findings.tracks
    return described


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write an image; only an existing one is replaced in one step.

    A new image counts once the journal and the manifest name it, so half of one does no harm.
    Renaming each would take longer than the rest of writing, and two processes would wait for
    each other.
    """
    encoded = encode_png(pixels)
    try:
        with path.open("xb") as file:
            file.write(encoded)
    except FileExistsError:
        with atomic_write(path) as partial:
            partial.write_bytes(encoded)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise write_error(path, error) from None
