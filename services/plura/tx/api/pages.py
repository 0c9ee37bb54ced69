"""Pages of entries, the newest first, each starting at the end of the previous page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from plura.kit.http import cursors
from plura.kit.http.cursors import Position
from plura.kit.http.parameters import LAST
from plura.tx.api.entries import TracedEntry


@dataclass(frozen=True, kw_only=True)
class Page:
    """Entries of a page, and the cursor of the next page, None on the last page."""

    entries: Sequence[TracedEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, entries: Sequence[TracedEntry], limit: int, *scope: str | None) -> Self:
        """Return the page of up to ``limit`` entries; ``entries`` has one more if there is a next page."""
        if len(entries) <= limit:
            return cls(entries=entries, next_cursor=None)
        last = entries[limit - 1]
        position = Position(time=last.event_time, tie=last.tx_id)
        return cls(entries=entries[:limit], next_cursor=cursors.encode(position, *scope))


def after(cursor: str | None, *scope: str | None) -> dict[str, Any]:
    """Return the statement parameters of the page after ``cursor``.

    Raises:
        InvalidRequestError: the cursor belongs to a different list.
    """
    if cursor is None:
        return {"before": LAST, "after_id": ""}
    position = cursors.decode(cursor, *scope)
    return {"before": position.time.isoformat(), "after_id": position.tie}
