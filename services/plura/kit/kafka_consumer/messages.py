"""Messages as they arrive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from plura.kit.observability.correlation import accepted

_HEADERS = ("x-correlation-id", "correlation-id", "correlation_id")
_KEYS = ("correlation_id", "correlationId", "x_correlation_id")

Header = tuple[str, bytes | None]


class Message(NamedTuple):
    """A message of a topic (``partition``, ``offset``) or a line of a file (``file_digest``, ``line``)."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[Header] = ()
    partition: int | None = None
    offset: int | None = None
    file_digest: bytes | None = None
    line: int | None = None

    @property
    def size(self) -> int:
        """Bytes of value, key and headers."""
        size = len(self.value or b"") + len(self.key or b"")
        for name, value in self.headers:
            size += len(name) + len(value or b"")
        return size


def correlation_id_of(message: Message) -> str | None:
    """Return the correlation id of a message from its headers, else from its payload, else None."""
    by_name: dict[str, bytes | None] = {}
    for name, value in message.headers:
        by_name.setdefault(name.lower(), value)
    for name in _HEADERS:
        if found := accepted((by_name.get(name) or b"").decode(errors="replace")):
            return found
    try:
        event = json.loads(message.value or b"")
    except (ValueError, RecursionError):
        return None
    given = (event.get(key) for key in _KEYS) if isinstance(event, dict) else ()
    return next((found for value in given if isinstance(value, str) and (found := accepted(value))), None)
