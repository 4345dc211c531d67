"""Follow the timestamps of a track, so that times are those that a player shows."""

import math

JITTER_SECONDS = 0.1  # recorders round timestamps; a smaller step is no pause
SILENCE_SECONDS = 4.0  # a longer pause has this much silence; its rest is counted
MAX_PAUSE_SECONDS = 86_400.0  # all pauses together; a later timestamp is an error
MAX_SHIFTS = 3000


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
