"""The correlation id: a common id of everything that a request or a message causes."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""The id of the current task or thread; log lines have it."""


def accepted(given: str | None) -> str | None:
    """Return the id of a caller, trimmed, or None if it is missing, too long or has other characters.

    An id is written to headers, logs and tables, so it must not be able to break a line or fill a disk.
    """
    trimmed = (given or "").strip()
    return trimmed if _WELL_FORMED.fullmatch(trimmed) else None


def new() -> str:
    """Return a new id."""
    return str(uuid4())
