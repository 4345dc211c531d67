"""Cut the FAKE passages of a recording out of it, with some sound around them, for listeners."""

import errno
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import soundfile

from deepfake_audio.audio.decoding import native_blocks
from deepfake_audio.audio.findings import Findings
from deepfake_audio.audio.sounds import Sound
from deepfake_audio.errors import one_line
from deepfake_audio.inference.passages import Passage
from deepfake_audio.inference.timelines import format_time
from deepfake_audio.system.atomic_files import (
    numbered,
    rename_to_free,
    temporary_sibling,
    write_error,
)
from deepfake_audio.system.json_text import escape_non_utf8
from deepfake_audio.vocabulary import Verdict

CONTEXT_SECONDS = 2.0  # before and after a passage: its edges are known to about a second
MAX_OPEN_FILES = 64  # systems allow 256 or more
MAX_FLAC_CHANNELS, MAX_FLAC_RATE_HZ = 8, 655_350
SUBTYPE = "PCM_24"  # 16 bits come out of it unchanged


def write_segments(
    stem: Path,
    title: str,
    sound: Sound,
    passages: Sequence[Passage],
    track: int = 1,
    channel: int | None = None,
    decoder_megabytes: int = 0,
) -> list[Path]:
    """Write each FAKE passage to a file of its own, at the rate and with the channels of the sound.

    Args:
        stem: the folder and the begin of the names; existing files are kept.
        title: of the recording, for the comment in each file.
        track, channel: to take, from 1; None takes all channels.
        decoder_megabytes: memory that FFmpeg may take; see `read_blocks`. 0 sets no bound.

    Returns:
        The new files: FLAC, or WAV if FLAC can't have that number of channels.

    Raises:
        InputError: the sound can't be read any more.
        OutputError: a file can't be written.
    """
    fakes = [passage for passage in passages if passage.verdict == Verdict.FAKE]
    if not fakes:
        return []
    if len(fakes) > MAX_OPEN_FILES:
        parts = fakes[:MAX_OPEN_FILES], fakes[MAX_OPEN_FILES:]
        options = track, channel, decoder_megabytes
        return [
            path for part in parts for path in write_segments(stem, title, sound, part, *options)
        ]
    findings, rate_hz, channels, first = Findings(), 0, 0, 0
    for block_rate_hz, block in native_blocks(sound, findings, decoder_megabytes, track):
        findings.levels.add(block)
        rate_hz, channels = block_rate_hz, block.shape[1]
    taken = slice(None) if channel is None else slice(channel - 1, channel)
    written = len(range(channels)[taken])
    fits_flac = written <= MAX_FLAC_CHANNELS and rate_hz <= MAX_FLAC_RATE_HZ
    suffix, unfinished, open_files = ".flac" if fits_flac else ".wav", [], []
    names = [named(stem, passage, suffix) for passage in fakes]
    with ExitStack() as folders:
        try:
            with ExitStack() as opened:
                for passage, name in zip(fakes, names, strict=True):
                    unfinished.append(folders.enter_context(temporary_sibling(name)))
                    file = soundfile.SoundFile(unfinished[-1], "w", rate_hz, written, SUBTYPE)
                    opened.enter_context(file)
                    file.title = comment_of(passage, title)
                    open_files.append((file, *sample_span(passage, findings, rate_hz)))
                for _, block in native_blocks(sound, Findings(), decoder_megabytes, track):
                    for file, begin, end in open_files:
                        part = block[max(0, begin - first) : max(0, end - first), taken]
                        file.write(part / findings.levels.full_scale)
                    first += len(block)
        except soundfile.LibsndfileError:  # it gives no reason that helps; its file was just made
            raise write_error(names[-1], OSError(errno.ENOSPC, "the disk may be full")) from None
        return [*map(rename_to_free, unfinished, map(numbered, names))]


def comment_of(passage: Passage, title: str) -> str:
    """Return the verdict and the times of a passage, and the name of its recording."""
    begin, end = map(format_time, (passage.start_seconds, passage.end_seconds))
    return escape_non_utf8(one_line(f"{passage.label}: {begin} to {end} of {title}"))


def sample_span(passage: Passage, findings: Findings, rate_hz: int) -> tuple[int, int]:
    """Return the first sample of a passage with its context, and the one after the last."""
    begin = findings.decoded_position(passage.start_seconds) - CONTEXT_SECONDS
    end = findings.decoded_position(passage.end_seconds) + CONTEXT_SECONDS
    return max(0, round(begin * rate_hz)), round(end * rate_hz)


def named(stem: Path, passage: Passage, suffix: str) -> Path:
    """Return a path that names the passage's times."""
    times = "-".join(map(_sortable_time, (passage.start_seconds, passage.end_seconds)))
    return stem.with_name(f"{stem.name}-{times}{suffix}")


def _sortable_time(seconds: float) -> str:
    """Write a time so that names sort by it, without the colon that Windows forbids.

    >>> _sortable_time(3675.26)
    '1h01m15.3s'
    """
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    return f"{minutes // 60}h{minutes % 60:02}m{tenths / 10:04.1f}s"
