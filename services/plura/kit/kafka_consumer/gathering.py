"""Messages gathered for a batch: their number, size and offsets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from plura.kit.kafka_consumer.arrivals import claimed
from plura.kit.kafka_consumer.messages import Message
from plura.kit.kafka_consumer.state import Place

_MOST_POLLED = 100
"""Records of a poll: as fast as with a thousand, and a tenth of the memory if they are large."""


@dataclass(kw_only=True)
class Limits:
    """When a batch is full, and when the consumer ends; 0 and None mean no limit."""

    batch_events: int
    batch_bytes: int
    batch_seconds: float
    poll_seconds: float
    most_bad: int = 0
    most_bad_in_a_row: int = 0
    most_messages: int | None = None
    most_idle_seconds: float | None = None


@dataclass
class Gathered:
    """Messages of one batch."""

    messages: list[Message] = field(default_factory=list)
    size: int = 0
    """Bytes of the messages, including keys and headers."""
    largest: int = 0
    """Bytes of the largest message."""
    ends: dict[Place, int] = field(default_factory=dict)
    """Offset after the last message, for each partition that is assigned to us."""
    first_of: dict[Place, tuple[int, float | None]] = field(default_factory=dict)
    """Offset and timestamp of the first message, for each partition that is assigned to us."""
    since: float = 0.0

    def is_full(self, limits: Limits) -> bool:
        """Whether the batch takes no more messages."""
        return len(self.messages) >= limits.batch_events or self.size >= limits.batch_bytes

    def room(self, limits: Limits, largest: int) -> int:
        """Return how many records may be polled, at least 1, if each is as large as ``largest`` or our largest."""
        by_count = limits.batch_events - len(self.messages)
        by_size = (limits.batch_bytes - self.size) // max(1, largest, self.largest)
        return max(1, min(by_count, by_size, _MOST_POLLED))

    def take(self, place: Place, records: Sequence[Any]) -> list[Message]:
        """Add one or more records of a partition; return them as messages."""
        if not self.messages:
            self.since = time.monotonic()
        if place not in self.first_of:
            self.first_of[place] = records[0].offset, claimed(records[0].timestamp)
        self.ends[place] = records[-1].offset + 1
        taken = [
            Message(record.topic, record.value, record.key, record.headers, record.partition, record.offset)
            for record in records
        ]
        for message in taken:
            size = message.size
            self.size += size
            self.largest = max(self.largest, size)
        self.messages += taken
        return taken

    def disown(self, places: Iterable[Place]) -> None:
        """Drop the offsets of partitions that were revoked; their messages are stored nevertheless."""
        for place in places:
            self.ends.pop(place, None)
            self.first_of.pop(place, None)
