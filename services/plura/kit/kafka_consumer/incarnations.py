"""Detects recreated topics: their offsets start at 0 again, so committed offsets are not valid for them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.state import Place
from plura.kit.kafka_consumer.topics import Topics
from plura.kit.observability.logs import fields

_TIMEOUT_MS = 2000

log = logging.getLogger(__name__)


@dataclass
class Incarnations:
    """Compares the ids of topics.

    The id of the topic is committed with each offset. A different id shows that the offset belongs to a topic that was
    deleted, while we were running, frozen, or not started. The new topic is then read from its first record. Records
    that are read twice change nothing.
    """

    _ids: dict[str, str] = field(default_factory=dict)
    _unchecked: set[Place] = field(default_factory=set)

    def topic_id(self, topic: str) -> str:
        """Return the id of the topic whose offsets we hold; blank if it is not known."""
        return self._ids.get(topic, "")

    def see(self, topics: Topics) -> set[str]:
        """Record the ids that the brokers report, and return the topics that were recreated."""
        recreated = set()
        for name, topic in topics.items():
            if topic is None:
                continue
            held = self._ids.get(name)
            if held and topic.topic_id not in ("", held):
                log.warning("topic was recreated", extra=fields(topic=name, was=held, topic_id=topic.topic_id))
                recreated.add(name)
            self._ids[name] = topic.topic_id or held or ""
        return recreated

    def assigned(self, gone: Iterable[Place], new: Iterable[Place]) -> None:
        """Mark newly assigned partitions, whose committed offsets have to be checked."""
        self._unchecked -= set(gone)
        self._unchecked |= set(new)

    def is_checked(self, place: Place) -> bool:
        """Whether the partition's offset was checked to belong to the current topic."""
        return place not in self._unchecked

    def check(self, consumer: Any) -> set[Place]:
        """Return the partitions that are read at an offset of a deleted topic.

        Raises:
            KafkaError: a broker does not answer; partitions that were not checked are checked at the next call.
        """
        stale = set()
        for place in sorted(self._unchecked):
            held = self._ids.get(place[0])
            if held is None:
                continue
            committed = consumer.committed(TopicPartition(*place), metadata=True, timeout_ms=_TIMEOUT_MS)
            if held and committed is not None and committed.metadata and committed.metadata != held:
                log.warning(
                    "committed offset belongs to a topic that was deleted",
                    extra=fields(topic=place[0], partition=place[1], offset=committed.offset),
                )
                stale.add(place)
            self._unchecked.discard(place)
        return stale
