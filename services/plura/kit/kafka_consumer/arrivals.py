"""When the messages of a partition arrived, as observed from its end offset.

Producers put a time into each record, and it may be anything: 0, -1, seconds, a wrong clock, or the time of an
old event that is sent again. So it only places the arrival between the two observations around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST_RUNS = 256
_FIRST_RECORD = 1_293_840_000.0
"""Kafka was published in 2011: an earlier time is not a time in milliseconds since 1970."""


@dataclass
class _Run:
    """A period in which the log did not grow."""

    first_at: float
    last_at: float
    end: int


@dataclass
class Arrivals:
    """End offsets of the log over time; all times are of one clock."""

    _runs: list[_Run] = field(default_factory=list)

    def observe(self, at: float, end: int) -> None:
        """Record the end of the log at a time. A shorter log was recreated: earlier observations are dropped."""
        runs = self._runs
        if runs and (end < runs[-1].end or at < runs[-1].last_at):
            runs.clear()
        if runs and end == runs[-1].end:
            runs[-1].last_at = at
            return
        runs.append(_Run(at, at, end))
        if len(runs) > _MOST_RUNS:  # a coarse history is enough for a long backlog
            del runs[1:-1:2]

    def forget(self, position: int) -> None:
        """Drop observations that only messages before ``position`` need."""
        before = sum(run.end <= position for run in self._runs)
        del self._runs[: max(0, before - 1)]

    def clear(self) -> None:
        """Drop all observations."""
        self._runs.clear()

    def arrived(self, offset: int, claimed_at: float | None = None) -> float | None:
        """Return when the message at an offset arrived, None if no observation has reached it.

        ``claimed_at`` is the timestamp of its record, if it is plausible.
        """
        seen = next((number for number, run in enumerate(self._runs) if run.end > offset), None)
        if seen is None:
            return None
        latest = self._runs[seen].first_at
        earliest = self._runs[seen - 1].last_at if seen else None
        if claimed_at is not None:
            return min(latest, claimed_at if earliest is None else max(earliest, claimed_at))
        return latest if earliest is None else earliest


def claimed(milliseconds: int | None) -> float | None:
    """Return the timestamp of a record as seconds since the epoch, None if it is not plausible."""
    if milliseconds is None or milliseconds / 1000 < _FIRST_RECORD:
        return None
    return milliseconds / 1000
