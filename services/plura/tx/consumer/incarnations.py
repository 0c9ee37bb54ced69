"""Whether a topic is still the one whose offsets we have: a recreated topic begins at offset 0 again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]

from plura.kit.observability.logs import fields
from plura.tx.consumer.state import Place
from plura.tx.consumer.topics import Topics

_TIMEOUT_MS = 2000

log = logging.getLogger(__name__)


@dataclass
class Incarnations:
    """Compares the ids of topics.

    The id of a topic is committed with each offset. It shows that an offset belongs to a topic that was deleted,
    while we were running, frozen, or not started; the new topic is then read from its first record. What was read of it
    before is read again, which changes nothing.
    """

    _ids: dict[str, str] = field(default_factory=dict)
    _unchecked: set[Place] = field(default_factory=set)

    def topic_id(self, topic: str) -> str:
        """Return the id of the topic whose offsets we hold; blank if it is not known."""
        return self._ids.get(topic, "")

    def see(self, topics: Topics) -> set[str]:
        """Take what the brokers say and return the topics that were recreated."""
        anew = set()
        for name, topic in topics.items():
            if topic is None:
                continue
            held = self._ids.get(name)
            if held and topic.topic_id not in ("", held):
                log.warning("topic was recreated", extra=fields(topic=name, was=held, topic_id=topic.topic_id))
                anew.add(name)
            self._ids[name] = topic.topic_id or held or ""
        return anew

    def assigned(self, gone: Iterable[Place], new: Iterable[Place]) -> None:
        """Take note of partitions whose committed offsets are to be checked."""
        self._unchecked -= set(gone)
        self._unchecked |= set(new)

    def is_checked(self, place: Place) -> bool:
        """Whether the offset at which a partition is read belongs to the topic as it is."""
        return place not in self._unchecked

    def check(self, consumer: Any) -> set[Place]:
        """Return the partitions that are read at an offset of a topic that was deleted since.

        Raises:
            KafkaError: a broker does not answer; those that were not checked are checked at the next call.
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
