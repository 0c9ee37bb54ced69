"""What a consumer is made of besides the reading: where messages go, who keeps its state, who counts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol, TypeVar

from plura.kit.kafka_consumer.messages import Message
from plura.kit.kafka_consumer.state import PartitionState, Place
from plura.kit.kafka_consumer.topics import Topics

B = TypeVar("B")
"""What is written in one transaction."""


class StoppedError(Exception):
    """Storing was given up because the process stops; messages that were not written will be read again."""


class Sink(Protocol[B]):
    """Stores messages, in batches that are made while they arrive. ``stopping`` ends the consumer."""

    stopping: threading.Event

    def new_batch(self) -> B:
        """Return a batch without messages."""

    def add(self, batch: B, message: Message) -> None:
        """Read a message and add it to a batch; one that is bad is added with the reason."""

    def write(self, batch: B) -> None:
        """Store a batch; return when every message is stored or put aside.

        Raises:
            StoppedError: ``stopping`` was set before.
        """


class Keeper(Protocol):
    """Keeps the state of our partitions for others. ``unread``: partitions that no member of the group reads."""

    unread: frozenset[Place]

    def beat(self, partitions: Mapping[Place, PartitionState], topics: Topics) -> None:
        """Keep the state, without waiting for it."""


class Counts(Protocol):
    """Counts messages since the start of the process."""

    stored: int
    bad: int
    bad_in_a_row: int

    def recreated(self, topic: str) -> None:
        """Count that a topic was recreated."""

    def set_lags(self) -> None:
        """Show the lag of each of our partitions."""
