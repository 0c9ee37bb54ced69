"""Parameters of several routes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticKnownError
from starlette.convertors import PathConvertor, register_url_convertor

from plura.kit.http.cursors import LONGEST
from plura.kit.http.errors import InvalidRequestError

_EARLIEST_SECONDS, _LATEST_SECONDS = 1_000_000_000, 9_999_999_999
"""Seconds since 1970 with ten digits: from 2001 to 2286. With eight digits 20260201 would be a day of 1970."""
_SECONDS = re.compile(r"([1-9][0-9]{9})(?:\.([0-9]{1,6})0*)?")
_FINER = re.compile(r"[.,][0-9]{6}0*[1-9]")
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_LONGEST_INSTANT = 64
_INSTANT_SCHEMA = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": _EARLIEST_SECONDS, "maximum": _LATEST_SECONDS},
    ]
}


def _instant(value: object) -> object:
    """Read seconds since 1970; refuse every other number instead of guessing milliseconds or a date."""
    if not isinstance(value, str):
        return value
    if len(value) > _LONGEST_INSTANT:
        raise ValueError(f"an instant has at most {_LONGEST_INSTANT} characters")
    if seconds := _SECONDS.fullmatch(value):
        whole, fraction = seconds.groups(default="")
        return datetime.fromtimestamp(int(whole), UTC) + timedelta(microseconds=int(fraction.ljust(6, "0")))
    if _is_number(value):
        raise ValueError(
            "a number is seconds since 1970, with ten digits before the point and at most six after it; a date is"
            " written 2026-02-01T00:00:00Z"
        )
    if is_too_fine(value):
        raise ValueError("an instant has at most six fractional digits, and zeros after them")
    if lacks_plus(value):
        raise ValueError("the + before an offset is written %2B in a query, where + means a blank")
    return value


def is_too_fine(value: str) -> bool:
    """Whether ``value`` is finer than a microsecond: cutting it off could put a row into the range."""
    return _FINER.search(value) is not None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def lacks_plus(value: str) -> bool:
    """Whether ``value`` is a time with a blank instead of the sign of its offset."""
    time, blank, offset = value.rpartition(" ")
    return bool(blank) and ":" in time and offset.replace(":", "").isdigit()


def in_utc(value: datetime) -> datetime:
    """Return an instant in UTC.

    Raises:
        ValueError: its year in UTC is not from 1 to 9999.
    """
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the year in UTC lies between 1 and 9999") from None


_Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(in_utc), WithJsonSchema(_INSTANT_SCHEMA)]

FIRST = "-infinity"
LAST = "infinity"
"""Bounds of an open range, as PostgreSQL writes them."""


class _TextConvertor(PathConvertor):
    """Matches any text, also line breaks, so that an invalid id is denied and recorded, not cut or unmatched."""

    regex = "(?s:.*)"


register_url_convertor("text", _TextConvertor())


PLAIN = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""Pattern of ids: no control characters."""


From = Annotated[
    _Instant | None,
    Query(alias="from", description="Earliest instant, included.", examples=["2026-02-01T00:00:00Z"]),
]
To = Annotated[
    _Instant | None,
    Query(alias="to", description="Latest instant, included.", examples=["2026-02-02T00:00:00Z"]),
]
"""A range of instants with a zone, or of seconds since 1970 with ten digits before the point."""

Cursor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=LONGEST,
        pattern="^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the previous page; it is valid for the same route, id and range only.",
    ),
]


def _plain(value: object) -> object:
    """Refuse numbers that the framework accepts and the schema does not, like ``1_0``, ``+3`` and ``007``."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise PydanticKnownError("int_parsing")
    return value


PLAIN_DIGITS = BeforeValidator(_plain)
"""Has to follow ``limit_query`` in ``Annotated``; otherwise the published schema would lose its bounds."""


def limit_query(default: int) -> Any:
    """Return the query parameter of a page's size."""
    return Query(ge=1, le=100, description=f"Rows of a page; default {default}.")


def checked_range(start: datetime | None, end: datetime | None) -> tuple[str, str]:
    """Return the bounds of a range of instants in UTC as PostgreSQL reads them.

    Raises:
        InvalidRequestError: the range ends before it starts.
    """
    if start is not None and end is not None and start > end:
        error = {"type": "range", "loc": ["query", "from"], "msg": "from must not be later than to"}
        raise InvalidRequestError(errors=[error])
    return _bound(start, FIRST), _bound(end, LAST)


def _bound(value: datetime | None, open_end: str) -> str:
    return open_end if value is None else value.isoformat()
