"""The database's clock, so that every time that is compared comes from one clock."""

from __future__ import annotations

import time


class DatabaseClock:
    """Tells the database's time; the wall clock of this machine may be wrong.

    Durations are measured by this process' monotonic clock, which is set against the database's now and then.
    """

    def __init__(self) -> None:
        """Begin with this machine's wall clock, until the database was asked."""
        self._offset = time.time() - time.monotonic()

    def set(self, epoch: float, asked_at: float) -> None:
        """Take what the database said to a question of the monotonic time ``asked_at``: seconds since the epoch."""
        self._offset = epoch - (asked_at + time.monotonic()) / 2

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.monotonic() + self._offset

    def monotonic(self, epoch: float) -> float:
        """Return the monotonic time of an instant of the database's clock."""
        return epoch - self._offset
