"""Messages as they arrive, and dead letters: what is stored of bad messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from plura.kit.observability.correlation import accepted
from plura.tx.consumer.errors import Code

BACKFILL_TOPICS: Mapping[str, str] = {"ledger": "backfill-ledger", "payment_order": "backfill-payment-order"}
"""Value of the column topic for lines of files, by kind of event."""

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
        """Bytes of value, key and headers."""
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
        """Return the fields of its log line: origin and error code, but no content."""
        message = self.message
        place = {"partition": message.partition, "offset": message.offset, "line": message.line}
        return {
            "topic": message.topic,
            **{name: value for name, value in place.items() if value is not None},
            "code": self.error,
            "correlation_id": correlation_id_of(message),
        }


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


def _storable(text: str) -> str:
    """Return text without the characters that a text column cannot hold."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
