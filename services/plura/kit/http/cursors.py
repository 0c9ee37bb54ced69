"""Cursors: the end of a page as text, which the caller sends back for the next page.

A cursor has the last row of a page and a digest of the list, so that it is not valid for a different route, id or
range. It is not secret: a caller with access to the next page has access to all pages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from plura.kit.http.audit_context import UNSTORABLE
from plura.kit.http.errors import InvalidRequestError

LONGEST = 2048
"""Most characters of a cursor: enough for an id of 255 characters outside ASCII."""
_DIGEST_BYTES = 9


@dataclass(frozen=True, kw_only=True)
class Position:
    """The last row of a page: its time, and the id that orders rows of the same time."""

    time: datetime
    tie: str


def encode(position: Position, *scope: str | None) -> str:
    """Return the cursor after ``position`` in the list that ``scope`` describes: route, id, range."""
    content = json.dumps([position.time.astimezone(UTC).isoformat(), position.tie], ensure_ascii=False)
    return base64.urlsafe_b64encode(_digest(scope) + content.encode()).decode().rstrip("=")


def decode(cursor: str, *scope: str | None) -> Position:
    """Return the position of ``cursor``.

    Raises:
        InvalidRequestError: it is not a cursor of this service, or belongs to a different list.
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
