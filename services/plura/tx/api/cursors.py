"""Where a page ends, as text that the caller hands back for the next one.

A cursor names the last row of a page and carries a digest of what it was a page of, so that it cannot be used for
another route, id or range. It is no secret: whoever may ask for the next page may ask for any.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from plura.tx.api.errors import InvalidRequestError
from plura.tx.api.visit import UNSTORABLE

LONGEST = 2048
"""Characters of a cursor: an id of 255 characters, none of them ASCII, still fits."""
_DIGEST_BYTES = 9


@dataclass(frozen=True, kw_only=True)
class Position:
    """The last row of a page: its time, and what orders rows of one time."""

    time: datetime
    tie: str


def encode(position: Position, *scope: str | None) -> str:
    """Return the cursor after ``position`` in the list that ``scope`` describes: route, id, range."""
    content = json.dumps([position.time.astimezone(UTC).isoformat(), position.tie], ensure_ascii=False)
    return base64.urlsafe_b64encode(_digest(scope) + content.encode()).decode().rstrip("=")


def decode(cursor: str, *scope: str | None) -> Position:
    """Return the position that ``cursor`` names.

    Raises:
        InvalidRequestError: it is no cursor of ours, or one of another list.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        digest, content = raw[:_DIGEST_BYTES], json.loads(raw[_DIGEST_BYTES:])
        time, tie = content
        instant = datetime.fromisoformat(time)
        is_ours = instant.tzinfo is not None and isinstance(tie, str) and not UNSTORABLE.search(tie)
        position = Position(time=instant.astimezone(UTC), tie=tie)
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        is_ours = False
    if not is_ours:
        raise _invalid("not a cursor of this service", cursor)
    if digest != _digest(scope):
        raise _invalid("cursor of another route, id or range", cursor)
    return position


def _digest(scope: tuple[str | None, ...]) -> bytes:
    return hashlib.sha256(json.dumps(scope).encode()).digest()[:_DIGEST_BYTES]


def _invalid(message: str, cursor: str) -> InvalidRequestError:
    error = {"type": "cursor", "loc": ["query", "cursor"], "msg": message, "input": cursor[:200]}
    return InvalidRequestError(errors=[error])
