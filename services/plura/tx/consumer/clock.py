"""The database's clock, so that every time that is compared comes from one clock."""

from __future__ import annotations

import time


class DatabaseClock:
    """Returns the database's time; the wall clock of this machine may be wrong.

    Durations are measured by the monotonic clock of this process, which is compared with the database's clock now and
    then.
    """

    def __init__(self) -> None:
        """Begin with this machine's wall clock, until ``set`` is called."""
        self._offset = time.time() - time.monotonic()

    def set(self, epoch: float, asked_at: float) -> None:
        """Take the database's time in seconds since the epoch; it was asked at monotonic ``asked_at``."""
        self._offset = epoch - (asked_at + time.monotonic()) / 2

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.monotonic() + self._offset

    def monotonic(self, epoch: float) -> float:
        """Return the monotonic time of an instant of the database's clock."""
        return epoch - self._offset
