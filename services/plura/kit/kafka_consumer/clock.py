"""The database's clock: all times that are compared come from it."""

from __future__ import annotations

import time


class DatabaseClock:
    """Returns the database's time; the wall clock of this machine may be wrong.

    Measures durations with the monotonic clock of this process; ``set`` aligns it with the database's clock.
    """

    def __init__(self) -> None:
        """Start with this machine's wall clock, until ``set`` is called."""
        self._offset = time.time() - time.monotonic()

    def set(self, epoch: float, asked_at: float) -> None:
        """Set the database's time in seconds since the epoch; it was requested at monotonic ``asked_at``."""
        self._offset = epoch - (asked_at + time.monotonic()) / 2

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.monotonic() + self._offset

    def monotonic(self, epoch: float) -> float:
        """Return the monotonic time of an instant of the database's clock."""
        return epoch - self._offset
