"""Parameters that several routes take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema
from starlette.convertors import PathConvertor, register_url_convertor

from plura.tx.api.cursors import LONGEST
from plura.tx.api.errors import InvalidRequestError
from plura.tx.db import LONGEST_ID

_LATEST_SECONDS = 253_402_300_799
"""Last second of the year 9999."""
_INSTANT_SCHEMA = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": 0, "maximum": _LATEST_SECONDS},
    ]
}


def _seconds(value: object) -> object:
    """Read a number as seconds since 1970 and nothing else: no milliseconds are guessed from its size."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        return value
    if number is None:
        return value
    if not 0 <= number <= _LATEST_SECONDS:
        raise ValueError(f"a number of seconds lies between 0 and {_LATEST_SECONDS}")
    return datetime.fromtimestamp(number, UTC)


def in_utc(value: datetime) -> datetime:
    """Return an instant in UTC.

    Raises:
        ValueError: in UTC its year is not one of 1 to 9999.
    """
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the year in UTC lies between 1 and 9999") from None


_Instant = Annotated[AwareDatetime, BeforeValidator(_seconds), AfterValidator(in_utc), WithJsonSchema(_INSTANT_SCHEMA)]

FIRST = "-infinity"
LAST = "infinity"
"""Bounds of an open range, in PostgreSQL's words."""


class _TextConvertor(PathConvertor):
    """Matches any text, line breaks too, so that an id that cannot be is refused and recorded, not cut or missed."""

    regex = "(?s:.*)"


register_url_convertor("text", _TextConvertor())


PLAIN = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""Pattern of ids: no control characters."""


def _id_path(description: str, example: str) -> Any:
    return Path(min_length=1, max_length=LONGEST_ID, pattern=PLAIN, description=description, examples=[example])


TxId = Annotated[str, _id_path("Id of a ledger entry.", "tx-pay-1")]
OrderId = Annotated[str, _id_path("Id of a payment order.", "po-1")]
WalletId = Annotated[str, _id_path("Id of a wallet.", "w-payer-1")]
"""Ids in a path."""

AnyId = Annotated[
    str,
    Query(min_length=1, max_length=LONGEST_ID, pattern=PLAIN, description="Id of anything.", examples=["po-1"]),
]
Filter = Annotated[str | None, Query(min_length=1, max_length=LONGEST_ID, pattern=PLAIN)]

From = Annotated[
    _Instant | None,
    Query(alias="from", description="Earliest instant, included.", examples=["2026-02-01T00:00:00Z"]),
]
To = Annotated[
    _Instant | None,
    Query(alias="to", description="Latest instant, included.", examples=["2026-02-02T00:00:00Z"]),
]
"""A range of instants with a zone; seconds since 1970 are taken as well."""

Cursor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=LONGEST,
        pattern="^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the page before; it belongs to one route, id and range.",
    ),
]


def limit_query(default: int) -> Any:
    """Return the description of a page's size."""
    return Query(ge=1, le=100, description=f"Rows of a page; {default} unless given.")


def checked_range(start: datetime | None, end: datetime | None) -> tuple[str, str]:
    """Return the bounds of a range of instants in UTC as PostgreSQL reads them.

    Raises:
        InvalidRequestError: it ends before it begins.
    """
    if start is not None and end is not None and start > end:
        error = {"type": "range", "loc": ["query", "from"], "msg": "from must not be later than to"}
        raise InvalidRequestError(errors=[error])
    return _bound(start, FIRST), _bound(end, LAST)


def _bound(value: datetime | None, open_end: str) -> str:
    return open_end if value is None else value.isoformat()
