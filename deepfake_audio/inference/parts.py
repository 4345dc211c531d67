"""The parts of a recording that are judged: its tracks, and their channels if these differ."""

import hashlib
from collections.abc import Iterator

from deepfake_audio.audio.findings import MIN_SKIPPED_SECONDS
from deepfake_audio.audio.recordings import Recording, loud_seconds, open_recording, quiet_seconds
from deepfake_audio.audio.sounds import NoSoundError, Sound, name_of
from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.errors import InputError
from deepfake_audio.inference.inputs import Input, LeftOut, Part, Reading

MAX_TRACKS = 32  # each takes as long as a file


def find_parts(source: Sound, found: Input, reading: Reading) -> Iterator[Recording]:
    """Yield the parts of a recording that have sound, and describe the file in `found`.

    A part is a track, or each of its channels if they differ. The mean of two voices hides one of
    them, and the mean of a voice and its echo has the notches of a comb filter, which look like
    those of some vocoders.
    """
    known: dict[bytes, int] = {}
    found.is_silent, found.only_track, found.only_channel = True, reading.track, reading.channel
    for track, recording in _tracks(source, found, reading):
        same = known.setdefault(_digest(recording), track)
        if same != track:
            found.left_out.append(LeftOut(track, 0, f"same sound as track {same}"))
            continue
        _describe(found, recording, reading.settings.audio)
        parts = [recording]
        if recording.channels_differ:
            channels = range(1, recording.channels + 1)
            parts = (open_part(source, reading, channel, track) for channel in channels)
        for part in parts:
            if part.is_silent:
                found.left_out.append(LeftOut(track, part.channel or 0, "silent"))
            else:
                found.is_silent = False
                end = part.end / reading.settings.audio.sample_rate_hz  # the mean may end before it
                found.end_seconds = max(found.end_seconds, part.findings.player_seconds(end))
                yield part


def _tracks(source: Sound, found: Input, reading: Reading) -> Iterator[tuple[int, Recording]]:
    """Yield the tracks to judge that can be decoded.

    Raises:
        InputError: there are too many, or none can be decoded.
    """
    failures: list[NoSoundError] = []
    decoded, track = 0, reading.track or 1
    while track <= (reading.track or found.tracks):
        try:
            recording = open_part(source, reading, reading.channel, track)
        except NoSoundError as error:
            found.tracks = error.tracks
            failures.append(error)
            found.left_out.append(LeftOut(track, 0, "cannot be decoded"))
        else:
            found.tracks = recording.findings.tracks
            decoded += 1
            yield track, recording
        if found.tracks > MAX_TRACKS and not reading.track:
            raise InputError(
                f"cannot judge {name_of(source)}: it has {found.tracks:,} tracks, more than "
                f"{MAX_TRACKS}; judge one with --track",
                "limit",
            )
        track += 1
    if not decoded:
        raise failures[0]


def open_part(sound: Sound, reading: Reading, channel: int | None, track: int) -> Recording:
    """Open a track of a recording, or one of its channels; see `open_recording`."""
    settings = reading.settings
    return open_recording(
        sound,
        settings.audio,
        settings.limits.audio_hours,
        channel,
        reading.decoder_megabytes,
        track,
    )


def _digest(recording: Recording) -> bytes:
    """Return a digest that is equal for tracks of the same sound."""
    digest = hashlib.sha256(recording.beginning)
    digest.update(recording.powers)
    return digest.digest()


def _describe(found: Input, recording: Recording, settings: AudioSettings) -> None:
    """Add a track to the description of a file."""
    findings, sample_rate_hz = recording.findings, settings.sample_rate_hz
    if not found.sample_rate_hz:
        found.sample_rate_hz, found.channels = recording.file_rate_hz, recording.channels
        found.codec = findings.codec
        found.sound_seconds = found.loud_seconds = found.end_seconds = 0.0
    if not recording.is_silent or found.is_silent:
        seconds = (recording.end - recording.first) / sample_rate_hz
        end_seconds = findings.player_seconds(recording.end / sample_rate_hz)
        has_sound = not found.is_silent  # the length of a silent track before does not count
        found.sound_seconds = max(seconds, found.sound_seconds * has_sound)
        found.loud_seconds = max(loud_seconds(recording, settings), found.loud_seconds * has_sound)
        found.end_seconds = max(end_seconds, found.end_seconds * has_sound)
    found.quiet_seconds = max(quiet_seconds(recording, settings), found.quiet_seconds)
    length_seconds = findings.player_seconds(recording.samples / sample_rate_hz)
    found.duration_seconds = max(found.duration_seconds, length_seconds)
    found.channels_differ |= recording.channels_differ
    found.skipped_seconds += findings.skipped_seconds
    found.missing_seconds = max(found.missing_seconds, findings.missing_seconds)
    found.unread_seconds = max(found.unread_seconds, findings.unread_seconds)
    found.is_cut_off |= findings.is_cut_off
    found.peak = max(found.peak, findings.levels.peak)
    found.full_scale = max(found.full_scale, findings.levels.full_scale)


def describe_losses(found: Input) -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each note on parts that are not judged or were changed."""
    if found.only_channel is not None and found.channels > 1:
        yield "only_channel", f"only channel {found.only_channel} of {found.channels}"
    if found.only_track is not None and found.tracks > 1:
        yield "tracks", f"only track {found.only_track} of {found.tracks}"
    elif found.tracks > 1:
        yield "tracks", f"{found.tracks} tracks: --track 1 judges one"
    if found.left_out and found.windows:
        texts = []
        for track, channel, why in found.left_out:
            part = Part(track if found.tracks > 1 or not channel else None, channel)
            texts.append(f"{part.name} ({why})")
        yield "left_out", f"left out: {', '.join(texts)}"
    if lost := describe_damage(found):
        yield "damaged", lost
    if found.unread_seconds:
        text = f"about {found.unread_seconds:,.1f} s after its declared end were not judged"
        yield "after_end", text
    if found.quiet_seconds:
        text = f"{found.quiet_seconds:,.1f} s of it are too quiet to judge beside the rest"
        yield "too_quiet", text
    if found.full_scale > 1:
        text = f"samples up to {found.peak:,.0f}, where 1 is full scale, were scaled down"
        yield "scaled", text


def describe_damage(found: Input) -> str:
    """Describe the damaged and missing parts of a file; return an empty text without any."""
    texts = []
    if found.skipped_seconds >= MIN_SKIPPED_SECONDS:
        texts.append(f"{found.skipped_seconds:,.1f} s of it are damaged and were left out")
    if found.missing_seconds:
        texts.append(f"its last {found.missing_seconds:,.1f} s are missing")
    elif found.is_cut_off:
        texts.append("its end is missing")
    return ", ".join(texts)
