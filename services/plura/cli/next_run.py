"""Suggests the command that comes next."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from plura.cli.console import say
from python_jobs.instants import kst_day

LONGEST_RANGE_DAYS = 3_660
"""Days that one run may name."""

_GAP_DAYS = 31
"""A gap of more days without a line splits a range in two: a run computes every day that it names."""

_MOST_RANGES = 3
"""With more ranges than that, a run without days is suggested, which finds the due days itself."""


def say_next(command: str, target: str | None) -> None:
    """Suggest the next command, with the same target: a copied line must not work on another warehouse."""
    say(f"next: plura lake {command}{_option(target)}")


def say_next_run(days: Collection[date], target: str | None, now: datetime | None = None) -> None:
    """Suggest the runs that compute the KST days of some lines; a day that is still open cannot be computed.

    Args:
        days: the days; without any, a run without days is suggested.
        target: the option of the command, if it was given.
        now: aware; for tests.
    """
    today = kst_day(now or datetime.now(UTC))
    closed = sorted(day for day in days if day < today)
    ranges = _ranges(closed)
    if ranges and len(ranges) <= _MOST_RANGES:
        for first, last in ranges:
            say(f"next: plura lake run --from {first} --to {last}{_option(target)}")
    elif closed or not days:
        say_next("run", target)
    if still_open := sorted(set(days) - set(closed)):
        first, last = still_open[0], still_open[-1]
        which = f"the KST day {first} is" if first == last else f"the KST days from {first} to {last} are"
        say(f"{which} still open: {last} can be computed from {last + timedelta(days=1)} 00:00 KST on")


def _ranges(days: list[date]) -> list[tuple[date, date]]:
    """The first and the last day of each group of days that one run may name."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if (
            ranges
            and day - ranges[-1][1] <= timedelta(days=_GAP_DAYS)
            and (day - ranges[-1][0]).days <= LONGEST_RANGE_DAYS
        ):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def _option(target: str | None) -> str:
    return f" --target {target}" if target else ""
