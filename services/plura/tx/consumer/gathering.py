"""Messages that are gathered for a batch: how many, how large, how far they reach."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from plura.tx.consumer.arrivals import claimed
from plura.tx.consumer.batches import Batch, add
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.messages import Message
from plura.tx.consumer.state import Place

_MOST_POLLED = 100
"""Records of a poll: as fast as a thousand, with a tenth of the memory if they turn out to be large."""


@dataclass(kw_only=True)
class Limits:
    """When a batch is full, and when the consumer ends; 0 and None are no limit."""

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
    """Messages that belong into one batch."""

    messages: list[Message] = field(default_factory=list)
    size: int = 0
    """Bytes of the messages, keys and headers included."""
    largest: int = 0
    """Bytes of the largest message."""
    ends: dict[Place, int] = field(default_factory=dict)
    """Offset after the last message of each partition that is ours."""
    first_of: dict[Place, tuple[int, float | None]] = field(default_factory=dict)
    """Offset of the first message of each partition that is ours, and the time that it carries."""
    since: float = 0.0
    batch: Batch = field(default_factory=Batch)
    """What was read of the messages so far."""

    def is_full(self, limits: Limits) -> bool:
        """Whether nothing more belongs into the batch."""
        return len(self.messages) >= limits.batch_events or self.size >= limits.batch_bytes

    def room(self, limits: Limits, largest: int) -> int:
        """Return how many more records may be polled, at least one, each as large as ``largest`` or our largest."""
        by_count = limits.batch_events - len(self.messages)
        by_size = (limits.batch_bytes - self.size) // max(1, largest, self.largest)
        return max(1, min(by_count, by_size, _MOST_POLLED))

    def take(self, place: Place, records: Sequence[Any]) -> None:
        """Add records of a partition, at least one."""
        if not self.messages:
            self.since = time.monotonic()
        if place not in self.first_of:
            self.first_of[place] = records[0].offset, claimed(records[0].timestamp)
        self.ends[place] = records[-1].offset + 1
        for one in records:
            message = Message(one.topic, one.value, one.key, one.headers, one.partition, one.offset)
            size = message.size
            self.size += size
            self.largest = max(self.largest, size)
            self.messages.append(message)

    def read(self, reader: EventReader) -> None:
        """Read the messages that have come since the last time."""
        for message in islice(self.messages, len(self.batch.messages), None):
            add(self.batch, reader, message)

    def disown(self, places: Iterable[Place]) -> None:
        """Forget how far partitions reach that are not ours any more; their messages are stored all the same."""
        for place in places:
            self.ends.pop(place, None)
            self.first_of.pop(place, None)
