"""Time of the generated platform, in whole milliseconds since the start of the first KST day."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta

from python_jobs.instants import KST

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SHARDS = 4
"""Wallets are extracted in four parts, a minute apart, five minutes after midnight."""

CUT = 20 * MINUTE
"""Ledger and orders are extracted twenty minutes after midnight: a delivery holds what happened since the last one."""

# activity by hour of the KST day, relative
_CURVE = (6, 5, 4, 4, 4, 5, 6, 8, 10, 11, 12, 14, 16, 14, 12, 12, 12, 13, 15, 17, 17, 15, 12, 9)
_STEPS = [0.0]
for _weight in _CURVE:
    _STEPS.append(_STEPS[-1] + _weight / sum(_CURVE))


def time_of_day(share: float) -> int:
    """Return the millisecond of a day before which a share (0 to 1) of its activity lies."""
    hour = min(bisect_right(_STEPS, share) - 1, len(_CURVE) - 1)
    return int((hour + (share - _STEPS[hour]) / (_STEPS[hour + 1] - _STEPS[hour])) * HOUR)


def extract_instant(day: int, wallet: int) -> int:
    """Return when the extract that closes a day (0 is the first; -1 closes the day before it) reads a wallet."""
    return (day + 1) * DAY + (5 + wallet % SHARDS) * MINUTE


def delivery_of(at: int) -> int:
    """Return the number of the delivery with the events of an instant; -1 is the delivery before the first day ends."""
    return (at - CUT) // DAY


class Formatter:
    """Formats instants as ISO text in UTC; fast for instants in ascending order."""

    def __init__(self, first_day: date) -> None:
        self._origin = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC) - KST
        self._first_day = first_day
        self._second = -1
        self._prefix = ""

    def iso(self, ms: int) -> str:
        """Return an instant, for example ``2026-02-01T03:04:05.678Z``."""
        second = ms // 1000
        if second != self._second:
            self._second = second
            self._prefix = (self._origin + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{ms - second * 1000:03d}Z"

    def day(self, number: int) -> date:
        """Return the KST day with a number; 0 is the first."""
        return self._first_day + timedelta(days=number)
