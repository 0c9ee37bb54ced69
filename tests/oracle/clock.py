"""Instants and KST days. Instants are aware UTC datetimes, a business day is [00:00, 24:00) Asia/Seoul."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

KST = timezone(timedelta(hours=9))
ONE_DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def as_utc(instant: datetime) -> datetime:
    """The instant in UTC; a naive one is read as UTC."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def kst_day(instant: datetime) -> date:
    """KST day the instant belongs to."""
    return instant.astimezone(KST).date()


def day_start(day: date) -> datetime:
    """First instant of the KST day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=KST).astimezone(UTC)


def day_end(day: date) -> datetime:
    """First instant that no longer belongs to the KST day, in UTC."""
    return day_start(day) + ONE_DAY


def day_closed_by(instant: datetime) -> date:
    """KST day whose end is nearest to the instant: the one that a balance snapshot closes."""
    return kst_day(instant - ONE_DAY / 2)


def day_range(first: date, last: date) -> Iterator[date]:
    """Every day from first to last, both included; nothing when last precedes first."""
    day = first
    while day <= last:
        yield day
        day += ONE_DAY
