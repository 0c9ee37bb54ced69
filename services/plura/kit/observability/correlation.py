"""The correlation id: one name for everything that happens because of one request or one message."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Correlation-ID"

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""The id of what this task or thread works on; log lines carry it."""


def accepted(given: str | None) -> str | None:
    """Return the id a caller sent, trimmed, or None if it is missing, too long or of other characters.

    An id goes into headers, logs and tables, so nothing that could break a line or fill a disk is let in.
    """
    trimmed = (given or "").strip()
    return trimmed if _WELL_FORMED.fullmatch(trimmed) else None


def new() -> str:
    """Return a fresh id."""
    return str(uuid4())
