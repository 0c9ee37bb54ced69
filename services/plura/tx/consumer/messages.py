"""Messages as they arrive, and what is kept of those that are bad."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from plura.kit.observability.correlation import accepted
from plura.tx.consumer.refusals import Code

BACKFILL_TOPICS: Mapping[str, str] = {"ledger": "backfill-ledger", "payment_order": "backfill-payment-order"}
"""What stands in the column topic for lines of files of each kind."""

_HEADERS = ("x-correlation-id", "correlation-id", "correlation_id")
_KEYS = ("correlation_id", "correlationId", "x_correlation_id")
_LONGEST_DETAIL = 1000

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
        """Bytes of its value, its key and its headers."""
        size = len(self.value or b"") + len(self.key or b"")
        for name, value in self.headers:
            size += len(name) + len(value or b"")
        return size


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A bad message and why it is bad."""

    message: Message
    error: Code
    detail: str
    profile_id: str

    def row(self) -> dict[str, Any]:
        """Return the values of its row in ``bo.consumer_dlq_events``."""
        message = self.message
        return {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "file_digest": message.file_digest,
            "line": message.line,
            "key": message.key,
            "header_names": [name.encode(errors="surrogateescape") for name, _ in message.headers],
            "header_values": [value for _, value in message.headers],
            "payload": message.value,
            "payload_digest": hashlib.sha256(message.value or b"").digest(),
            "error": self.error,
            "error_detail": _storable(self.detail)[:_LONGEST_DETAIL],
            "profile_id": self.profile_id,
            "correlation_id": correlation_id_of(message),
        }

    def traces(self) -> dict[str, Any]:
        """Return what a log line says of it: where it came from and why it is bad, nothing of what it holds."""
        message = self.message
        place = {"partition": message.partition, "offset": message.offset, "line": message.line}
        return {
            "topic": message.topic,
            **{name: value for name, value in place.items() if value is not None},
            "code": self.error,
            "correlation_id": correlation_id_of(message),
        }


def correlation_id_of(message: Message) -> str | None:
    """Return the correlation id that a message carries in its headers, else in its payload, else None."""
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
    return next((found for one in given if isinstance(one, str) and (found := accepted(one))), None)


def _storable(text: str) -> str:
    """Text without what a column of text cannot hold."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
