"""Values as people read them: instants, how long ago, durations, amounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from babel.dates import format_timedelta

from plura.tx.api.console.catalogue import Texts
from plura.tx.api.entries import TracedEntry
from python_jobs.instants import KST_ZONE

UNITS = {
    "year": 365 * 86_400,
    "month": 30 * 86_400,
    "week": 7 * 86_400,
    "day": 86_400,
    "hour": 3_600,
    "minute": 60,
    "second": 1,
}
"""Seconds of the units of durations, the largest first; a month is 30 days, a year 365."""


def kst(value: datetime) -> str:
    """Return an instant to the second in Korean time; in UTC if its year in Korea is beyond 9999."""
    return _in_zone(value, "%Y-%m-%d %H:%M:%S %Z")


def kst_plain(value: datetime) -> str:
    """Return ``kst(value)`` without the zone if it is KST: for columns whose heading has the zone."""
    return kst(value).removesuffix(" KST")


def utc(value: datetime) -> str:
    """Return an instant to the second in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def exact(value: datetime) -> str:
    """Return an instant with microseconds, in Korean time and in UTC."""
    in_utc = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    in_kst = _in_zone(value, "%Y-%m-%d %H:%M:%S.%f %Z")
    return in_utc if in_kst == in_utc else f"{in_kst} = {in_utc}"


def _in_zone(value: datetime, pattern: str) -> str:
    try:
        return value.astimezone(KST_ZONE).strftime(pattern)
    except OverflowError:  # the last hours of the year 9999
        return value.astimezone(UTC).strftime(pattern)


def ago(value: datetime, now: datetime, texts: Texts) -> str:
    """Return the distance of an instant from ``now``, in whole units of the largest size that fits."""
    seconds = (value - now).total_seconds()
    parts = _parts(int(abs(seconds)))
    if not parts:
        return str(texts("time.now"))
    unit, count = parts[0]
    return _worded(unit, count if seconds > 0 else -count, texts, add_direction=True)


def duration(seconds: int, texts: Texts) -> str:
    """Return a duration of whole seconds in its two largest units, without the smaller units."""
    parts = _parts(seconds)
    if not parts:
        return str(texts("time.under_a_second"))
    first, *rest = parts
    sizes = list(UNITS)
    shown = [first, *(part for part in rest if sizes.index(part[0]) == sizes.index(first[0]) + 1)]
    return " ".join(_worded(unit, count, texts) for unit, count in shown)


def _parts(seconds: int) -> list[tuple[str, int]]:
    """Return the units of ``seconds`` with their counts, without zeros."""
    found: list[tuple[str, int]] = []
    for unit, size in UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            found.append((unit, count))
    return found


def _worded(unit: str, count: int, texts: Texts, *, add_direction: bool = False) -> str:
    return format_timedelta(
        timedelta(seconds=count * UNITS[unit]), threshold=1, add_direction=add_direction, locale=texts.language.value
    )


def amount(value: Decimal) -> str:
    """Return KRW with two decimals and thousands separators."""
    return f"{value:,.2f}"


def signed(entry: TracedEntry) -> str:
    """Return the amount of an entry with the sign of its direction, without a sign if it has no direction.

    The minus is ASCII, so that the number can be pasted into a spreadsheet.
    """
    size = abs(entry.amount if entry.amount_signed is None else entry.amount_signed)
    return {-1: "-", 0: "", 1: "+"}[entry.sign] + amount(size)
