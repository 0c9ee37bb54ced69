"""Dead letters: what is stored of bad messages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plura.kit.kafka_consumer.messages import Message, correlation_id_of
from plura.tx.consumer.errors import Code

BACKFILL_TOPICS: Mapping[str, str] = {"ledger": "backfill-ledger", "payment_order": "backfill-payment-order"}
"""Value of the column topic for lines of files, by kind of event."""

_LONGEST_DETAIL = 1000


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


def _storable(text: str) -> str:
    """Return text without the characters that a text column cannot hold."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
