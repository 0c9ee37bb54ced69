"""Tracks how far each assigned partition is stored, and since when its next message has been waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.clock import DatabaseClock
from plura.kit.kafka_consumer.gathering import Gathered
from plura.kit.kafka_consumer.state import ConsumerState, PartitionState, Place, StoredState
from plura.kit.kafka_consumer.topics import Topics
from plura.kit.observability.logs import fields

_TIMEOUT_MS = 2000

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class PartitionTracker:
    """Keeps ``state`` up to date."""

    state: ConsumerState
    clock: DatabaseClock
    lost: Callable[[str, int], None]
    """Called with a topic and the number of its offsets that are lost."""
    known: dict[Place, StoredState] = field(default_factory=dict)
    """Stored state of the group's partitions from before this process started."""
    _topics: Topics = field(default_factory=dict)
    _seen_at: float = 0.0
    _gone: dict[Place, tuple[float, int]] = field(default_factory=dict)
    """Partitions that were revoked a moment ago: the time, and the number of their messages that were not read."""

    def stored(self, ends: Mapping[Place, int]) -> None:
        """Record that partitions are stored up to some offsets."""
        for place, end in ends.items():
            if state := self.state.partitions.get(place):
                state.position = end

    def gone(self, places: Iterable[Place]) -> None:
        """Record that partitions were revoked."""
        for place in places:
            if state := self.state.partitions.pop(place, None):
                self._gone[place] = time.monotonic(), state.unread()

    def see(self, topics: Topics, seen_at: float) -> None:
        """Take the brokers' view of topics at a time."""
        self._topics, self._seen_at = topics, seen_at
        missing = self.state.missing_since
        for name, topic in topics.items():
            if topic is None and name not in missing:
                log.error("topic is missing", extra=fields(topic=name))
                missing[name] = time.monotonic()
                self._count_lost(name)
            elif topic is not None and missing.pop(name, None) is not None:
                log.warning("topic exists again", extra=fields(topic=name, partitions=topic.partitions))
        self._gone = {place: gone for place, gone in self._gone.items() if gone[0] >= seen_at}

    def recreated(self, topic: str) -> None:
        """Record that a topic was recreated: unread messages of the old topic are lost."""
        self._count_lost(topic)
        for (name, _), state in self.state.partitions.items():
            if name == topic:
                state.arrivals.clear()

    def update(self, consumer: Any, parts: Sequence[Gathered]) -> None:
        """Take the positions of a client; ``parts`` are its messages that are not stored yet.

        Raises:
            KafkaError: a broker does not answer, or the client does not know where to continue.
        """
        assigned = sorted(part for part in consumer.assignment() if part.topic not in self.state.missing_since)
        deadline = time.monotonic() + _TIMEOUT_MS / 1000  # a single deadline: each call may wait for a coordinator
        positions = {}
        for part in assigned:
            remaining = max(0.0, deadline - time.monotonic())
            positions[part] = consumer.position(part, timeout_ms=int(remaining * 1000))
        places = [(part.topic, part.partition) for part in assigned]
        self.state.assign(places, self.known)
        for place in places:
            self.known.pop(place, None)
            first = next((part.first_of[place] for part in parts if place in part.first_of), None)
            self._update(place, self.state.partitions[place], positions[TopicPartition(*place)], first)
        self.state.asked_at = self._seen_at

    def _update(
        self, place: Place, state: PartitionState, position: int | None, first: tuple[int, float | None] | None
    ) -> None:
        name, partition = place
        topic = self._topics.get(name)
        if topic is not None and partition in topic.ends:
            state.end, state.asked_at = topic.ends[partition], self._seen_at
            state.arrivals.observe(self._seen_at, state.end)
        state.fetched = position
        state.position = position if first is None else first[0]
        if state.position is not None:
            state.arrivals.forget(state.position)
        if state.caught_up():
            state.waiting_since = None
        elif state.position is not None:
            claimed_at = None if first is None or first[1] is None else self.clock.monotonic(first[1])
            arrived = state.arrivals.arrived(state.position, claimed_at)
            state.waiting_since = state.waiting_since if arrived is None else arrived

    def _count_lost(self, topic: str) -> None:
        """Count the unread messages of a topic that no longer exists."""
        lost = sum(unread for (name, _), (_, unread) in self._gone.items() if name == topic)
        self._gone = {place: gone for place, gone in self._gone.items() if place[0] != topic}
        for (name, _), state in self.state.partitions.items():
            if name == topic:
                lost += state.unread()
                state.end = state.fetched
        if lost:
            log.error("topic was deleted before it was read to its end", extra=fields(topic=topic, lost=lost))
            self.lost(topic, lost)
