"""Instants as the warehouses keep them: UTC without a zone, and microseconds since 1970."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

EARLIEST = datetime(1990, 1, 1)  # noqa: DTZ001 - UTC without a zone
"""Instants before it are implausible, as by rule silver/earliest_instant."""

LATENESS = timedelta(days=1)
"""How far after its arrival an instant of a line may lie before it is implausible."""

KST = timedelta(hours=9)
"""Korea's offset from UTC; it has no daylight saving."""

KST_ZONE = timezone(KST, "KST")
"""Korea's time zone, for instants that people read."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC without a zone
_MICROSECOND = timedelta(microseconds=1)


def utc_naive(instant: datetime) -> datetime:
    """Return an aware instant as the warehouse stores it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def kst_day(instant: datetime) -> date:
    """Return the KST day of an aware instant."""
    return (instant.astimezone(UTC) + KST).date()


def epoch_us(instant: datetime) -> int:
    """Return microseconds since 1970 of an instant, aware or UTC without a zone; exact, unlike ``timestamp()``."""
    return ((utc_naive(instant) if instant.tzinfo else instant) - _EPOCH) // _MICROSECOND


def of_epoch_us(microseconds: int) -> datetime:
    """Return the instant of microseconds since 1970, UTC without a zone."""
    return _EPOCH + timedelta(microseconds=microseconds)
