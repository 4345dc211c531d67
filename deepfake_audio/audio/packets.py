"""Follow the packets of a track: its pauses, and how much is damaged or missing."""

import math
import re

import av

from deepfake_audio.audio.findings import Findings
from deepfake_audio.errors import InputError

JITTER_SECONDS = 0.1  # recorders round timestamps; a smaller step is no pause
SILENCE_SECONDS = 4.0  # a longer pause has this much silence; its rest is counted
MAX_PAUSE_SECONDS = 86_400.0  # all pauses together; a later timestamp is an error
MAX_SHIFTS = 3000
MAX_DAMAGED_PACKETS = 100_000  # each takes as long as a good one: an hour has 180,000 of them
MIN_MISSING_SECONDS = 0.2  # encoders add less at the end
PADDING_SECONDS = 0.5  # an encoder may add up to this at both ends
MIN_LOST_BYTES = 200  # between two packets: the headers of containers have fewer
MAX_LENGTH_SHARE = 3  # a longer packet contains a pause
LOST_SHARE = 0.25  # a pause has fewer bytes outside packets, per second of sound
MATROSKA = "matroska,webm"
# FFmpeg's names of the formats that declare a duration; it guesses the others' from their size.
DECLARED = {
    "ape", "au", "aiff", "caf", "flac", MATROSKA, "mov,mp4,m4a,3gp,3g2,mj2", "tta",
    "w64", "wav", "wv",
}  # fmt: skip
# Formats without timestamps: nothing but damage interrupts the packets, and becomes part of one.
RAW = {"aac", "ac3", "amr", "amrnb", "amrwb", "dts", "eac3", "flac", "mp3"}
# FFmpeg skips damaged bytes of these formats.
SKIPPING = {"aac", "ac3", "amr", "amrnb", "amrwb", "eac3"}
# A tag, and its size in 4 times 7 bits (https://id3.org/id3v2.4.0-structure).
ID3, ID3_HEADER_BYTES = re.compile(rb"ID3[\2-\4].{2}([\0-\x7f]{4})", re.DOTALL), 10


def tick_seconds(stream: av.stream.Stream) -> float:
    """Return the unit of a stream's timestamps in seconds; NaN if it is unknown."""
    base = stream.time_base  # PyAV 18 has None for an unknown one, PyAV 19 a falsy one
    return base.numerator / base.denominator if base else math.nan


def in_seconds(ticks: int | None, tick: float) -> float:
    """Return a timestamp in seconds; NaN if it is unknown."""
    return math.nan if ticks is None else ticks * tick


class Clock:
    """Finds the pauses between the frames of a track.

    A pause without packets becomes silence of at most `SILENCE_SECONDS`. The rest of a longer one
    is a shift in the middle of this silence: it costs no memory, and no window of sound crosses it.
    """

    def __init__(self, origin_seconds: float, shifts: list[tuple[float, float]]):
        """Start a clock.

        Args:
            origin_seconds: the timestamp that a player shows as 0:00.
            shifts: receives the shifts; see `Findings`.
        """
        self._shifts = shifts
        self._paused_seconds = 0.0  # sum over the pauses
        self._decoded_seconds = 0.0  # sound and silence so far
        self._due = origin_seconds  # the timestamp that the next frame has without a pause
        self._end: float | None = None  # end of the last frame by its timestamp

    def silence_before(self, start: float) -> float:
        """Return the seconds of silence that come before a frame.

        Args:
            start: the frame's timestamp in seconds; NaN if it has none.
        """
        if math.isnan(start):
            return 0.0
        late = start - self._due
        is_first, is_pause = self._end is None, start - (self._end or 0.0) > JITTER_SECONDS
        self._end = start
        if is_first or abs(late) > JITTER_SECONDS:
            self._due = start  # a wrong timestamp, such as an earlier one, changes nothing else
        paused = self._paused_seconds + late
        if late <= JITTER_SECONDS or paused > MAX_PAUSE_SECONDS or len(self._shifts) >= MAX_SHIFTS:
            return 0.0
        self._paused_seconds = paused
        # A file may begin late, or many steps below the jitter may add up: neither is silent.
        silence = min(late, SILENCE_SECONDS) if is_pause and not is_first else 0.0
        if late > silence:
            shifted = self._shifts[-1][1] if self._shifts else 0.0
            position = self._decoded_seconds + silence / 2
            self._shifts.append((position, shifted + (late - silence)))
        self._decoded_seconds += silence
        return silence

    def advance(self, seconds: float) -> None:
        """Add the duration of a frame."""
        self._decoded_seconds += seconds
        self._due += seconds
        if self._end is not None:
            self._end += seconds


class Losses:
    """Counts the damaged and missing seconds of one track."""

    def __init__(self, name: str, stream: av.audio.AudioStream, form: str, findings: Findings):
        """Begin a track of a container, whose `form` is FFmpeg's name of its format."""
        self._name, self._index, self._form, self._findings = name, stream.index, form, findings
        self._place, self._after = None, 0  # place of the last packet, and the byte after it
        self._lost_bytes = 0  # bytes outside packets since the last gap
        self._packets, self._bytes, self._seconds = 0, 0, 0.0  # totals of the track so far
        self._end = math.nan  # end of the track's last packet
        self._reached = -math.inf  # the end of the last packet of any track
        self._damaged, self._tag_end = 0, 0
        self._ticks: dict[int, float] = {}  # units of timestamps by the index of the stream

    def see(self, packet: av.Packet) -> None:
        """Take the next packet of the container, of any track."""
        lost_bytes = self._bytes_before(packet)
        self._lost_bytes += lost_bytes if lost_bytes > MIN_LOST_BYTES else 0
        stream = packet.stream
        tick = self._ticks.get(stream.index)
        if tick is None:
            tick = self._ticks[stream.index] = tick_seconds(stream)
        start, duration = in_seconds(packet.pts, tick), (packet.duration or 0) * tick
        self._reached = max(self._reached, start + duration)  # NaN changes nothing
        if stream.index != self._index or not packet.size:
            return
        gap = start - self._end
        if gap > JITTER_SECONDS:
            lost_seconds = self._lost_bytes * self._seconds / max(1, self._bytes)
            if self._form in RAW or lost_seconds > LOST_SHARE * gap:
                self._findings.skipped_seconds += gap
            self._lost_bytes = 0
        self._end = start + duration
        if packet.is_discard:  # an edit list hides it, as after cutting on a phone
            return
        self._seconds += self._sound_seconds(packet)
        self._packets += 1
        self._bytes += packet.size

    def _sound_seconds(self, packet: av.Packet) -> float:
        """Return the duration of the sound in a packet; its own may include a pause after it."""
        seconds = (packet.duration or 0) * self._ticks[self._index]
        if not self._packets:
            return 0.0 if math.isnan(seconds) else seconds
        usual = self._seconds / self._packets
        return seconds if seconds <= max(JITTER_SECONDS, MAX_LENGTH_SHARE * usual) else usual

    def _bytes_before(self, packet: av.Packet) -> int:
        """Return how many bytes of the file are between a packet and the last one."""
        place = packet.pos
        if place is None or place < 0:
            return 0
        if place == self._place:  # several packets share the place of their page
            self._after += packet.size
            return 0
        lost = 0 if self._place is None else max(0, place - self._after)
        self._place, self._after = place, place + packet.size
        return lost

    def damage(self, packet: av.Packet) -> None:
        """Count a packet that can't be decoded; raise an `InputError` if there are too many."""
        self._damaged += 1
        if self._damaged > MAX_DAMAGED_PACKETS:
            raise InputError(
                f"cannot read {self._name}: more than {MAX_DAMAGED_PACKETS:,} of its packets are "
                "damaged; ask for the original file",
                "limit",
            )
        size = packet.size - self._tag_bytes(packet)
        if size <= 0:
            return
        seconds = self._sound_seconds(packet)
        if self._form in RAW:
            good_bytes, good_seconds = self._bytes - packet.size, self._seconds - seconds
            seconds = max(seconds, size * good_seconds / max(1, good_bytes))
        self._findings.skipped_seconds += seconds

    def _tag_bytes(self, packet: av.Packet) -> int:
        """Return the bytes of a packet in a tag, as with a picture between concatenated files."""
        place, head = packet.pos or 0, ID3.match(bytes(packet)[:ID3_HEADER_BYTES])
        if head:
            size = sum(byte << 7 * shift for shift, byte in enumerate(head[1][::-1]))
            self._tag_end = place + ID3_HEADER_BYTES + size
        return min(packet.size, max(0, self._tag_end - place))

    def finish(
        self, container: av.container.InputContainer, decoded_seconds: float, silent_seconds: float
    ) -> None:
        """Compare the packets with the declared duration, and with the decoded sound.

        Args:
            container: at its end.
            decoded_seconds: duration of the frames of the track.
            silent_seconds: of the pauses between them.
        """
        # The duration of Matroska and WebM counts from 0, that of others from the first sample.
        begin = 0 if self._form == MATROSKA else (container.start_time or 0) / av.time_base
        missing = (container.duration or 0) / av.time_base - (self._reached - begin)
        if self._form in DECLARED and MIN_MISSING_SECONDS < missing < math.inf:
            self._findings.missing_seconds = missing
        # A decoder may return less than a damaged packet has, without an error.
        undecoded = self._seconds - decoded_seconds - self._findings.skipped_seconds
        if undecoded > PADDING_SECONDS:
            self._findings.skipped_seconds += undecoded
        if self._form == "flac":  # it has no pauses
            self._findings.skipped_seconds = max(self._findings.skipped_seconds, silent_seconds)
        if self._form in SKIPPING and container.size and self._bytes:
            unread = (container.size / self._bytes - 1) * self._seconds
            if unread > max(MIN_MISSING_SECONDS, self._findings.skipped_seconds):
                self._findings.skipped_seconds = unread
