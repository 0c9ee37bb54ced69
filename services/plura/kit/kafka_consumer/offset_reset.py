"""Where reading continues if the broker has no record at our position, or if there is no position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from plura.kit.observability.logs import fields

RESETS = (LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError)
"""Errors of a client without a reset policy when it does not know where to continue."""

_TIMEOUT_MS = 2000

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class OffsetResetPolicy:
    """Moves a client to an offset where it can continue.

    The client's own policy works silently: nobody would learn of records that the broker's retention deleted before
    they were read. It also applies ``latest`` to partitions that are added to a topic that the group already reads:
    their first events would be lost.
    """

    start: Literal["earliest", "latest"]
    """Where a group starts in a topic that is new to it. Topics in ``followed`` are read from their first record."""
    lost: Callable[[str, int], None]
    """Called with the topic and the number of skipped offsets."""
    topic_id: Callable[[str], str] = lambda _: ""
    """Returns the id of a topic, which is stored with committed offsets."""
    followed: set[str] = field(default_factory=set)
    """Topics that the group has read before, or waits for."""

    def await_topics(self, topics: Iterable[str]) -> None:
        """Follow topics that do not exist yet: once they exist, none of their events may be skipped."""
        self.followed |= set(topics)

    def apply(self, consumer: Any, error: KafkaError) -> None:
        """Seek in the partitions that one of ``RESETS`` names.

        Raises:
            KafkaError: the broker does not answer; the client will raise the same error again.
        """
        named = error.divergent_offsets if isinstance(error, LogTruncationError) else error.args[0]
        assigned = [place for place in named if place in consumer.assignment()]
        if isinstance(error, OffsetOutOfRangeError):
            self._skip_gaps(consumer, {place: named[place] for place in assigned})
        elif isinstance(error, LogTruncationError):
            self._rewind_to_divergence(consumer, {place: named[place] for place in assigned})
        else:
            self._start(consumer, assigned)
        self.followed |= {place.topic for place in assigned}

    def _skip_gaps(self, consumer: Any, positions: Mapping[TopicPartition, int]) -> None:
        """Continue at the first record that exists, and report the gap."""
        first = _offsets(consumer.beginning_offsets, list(positions)) if positions else {}
        for place, offset in positions.items():
            details = {"topic": place.topic, "partition": place.partition, "wanted": offset, "next": first[place]}
            skipped = first[place] - offset
            if skipped > 0:
                log.error("records were deleted before they were read", extra=fields(**details, lost=skipped))
                self.lost(place.topic, skipped)
            else:
                log.warning("topic is shorter than what was read of it, continuing", extra=fields(**details))
            consumer.seek(place, first[place])

    def _rewind_to_divergence(self, consumer: Any, truncations: Mapping[TopicPartition, Any]) -> None:
        """Read again from where a new leader's log differs from what was read; storing twice changes nothing."""
        for place, differs in truncations.items():
            log.warning("a new leader lacks records that were read", extra=fields(topic=place.topic, at=str(differs)))
            if differs is None:
                consumer.seek_to_beginning(place)
            else:
                consumer.seek(place, differs.offset)

    def _start(self, consumer: Any, places: Iterable[TopicPartition]) -> None:
        """Start partitions that have no committed offset."""
        by_topic: dict[str, list[TopicPartition]] = {}
        for place in places:
            by_topic.setdefault(place.topic, []).append(place)
        for topic, partitions in by_topic.items():
            if self.start == "earliest" or topic in self.followed:
                self._start_at_beginning(consumer, partitions)
            else:
                self._start_new_topic_at_end(consumer, topic, partitions)

    def _start_at_beginning(self, consumer: Any, places: Iterable[TopicPartition]) -> None:
        for place in places:
            log.info("partition begun at its first record", extra=fields(topic=place.topic, partition=place.partition))
            consumer.seek_to_beginning(place)

    def _start_new_topic_at_end(self, consumer: Any, topic: str, places: list[TopicPartition]) -> None:
        """Start a topic at its end, once for all members of the group.

        The ends are committed for every partition, so that a partition without a committed offset is known to have been
        added later. They are read before the committed offsets, so that a member that has continued meanwhile is not
        moved forward.
        """
        every = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        ends = _offsets(consumer.end_offsets, every)
        committed = {place: consumer.committed(place, timeout_ms=_TIMEOUT_MS) for place in every}
        known = {place: offset for place, offset in committed.items() if offset is not None}
        if not known:
            at = {place.partition: ends[place] for place in every}
            log.warning("group begins topic at its end", extra=fields(topic=topic, at=at))
            topic_id = self.topic_id(topic)
            offsets = {place: OffsetAndMetadata(ends[place], topic_id, -1) for place in every}
            consumer.commit(offsets, timeout_ms=_TIMEOUT_MS)
            known = dict(ends)
        for place in places:
            if place in known:
                consumer.seek(place, known[place])
            else:
                self._start_at_beginning(consumer, [place])


def _offsets(request: Callable[..., Any], places: list[TopicPartition]) -> Mapping[TopicPartition, int]:
    """Request offsets of partitions.

    Raises:
        KafkaError: the broker does not answer, or a partition does not exist.
    """
    try:
        found: Mapping[TopicPartition, int] = request(places, timeout_ms=_TIMEOUT_MS)
    except KeyError as missing:  # the client drops partitions without a known leader
        raise UnknownTopicOrPartitionError(str(missing)) from None
    return found
