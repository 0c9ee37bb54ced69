"""Where reading continues if the broker has nothing at our position, or if there is no position."""

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
"""What a client without a policy of its own raises when it does not know where to continue."""

_TIMEOUT_MS = 2000

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class OffsetResetPolicy:
    """Moves a client to where it can continue.

    The client would do the same by itself, but silently: nobody would learn of records that the broker's retention
    deleted before they were read. And it would apply ``latest`` to partitions that are added to a topic which the group
    reads already: their first events would be lost.
    """

    start: Literal["earliest", "latest"]
    """Where a group begins in a topic that is new to it. Topics in ``followed`` are read from their first record."""
    lost: Callable[[str, int], None]
    """Called with the topic and the number of offsets that were skipped."""
    topic_id: Callable[[str], str] = lambda _: ""
    """Returns the id of a topic, which is kept beside committed offsets."""
    followed: set[str] = field(default_factory=set)
    """Topics that the group has read before, or waits for."""

    def await_topics(self, topics: Iterable[str]) -> None:
        """Take note that topics do not exist: when they do, none of their events may be skipped."""
        self.followed |= set(topics)

    def apply(self, consumer: Any, error: KafkaError) -> None:
        """Seek in the partitions that one of ``RESETS`` names.

        Raises:
            KafkaError: the broker does not answer; the client will raise the same error again.
        """
        named = error.divergent_offsets if isinstance(error, LogTruncationError) else error.args[0]
        mine = [one for one in named if one in consumer.assignment()]
        if isinstance(error, OffsetOutOfRangeError):
            self._skip(consumer, {one: named[one] for one in mine})
        elif isinstance(error, LogTruncationError):
            self._turn_back(consumer, {one: named[one] for one in mine})
        else:
            self._begin(consumer, mine)
        self.followed |= {one.topic for one in mine}

    def _skip(self, consumer: Any, wanted: Mapping[TopicPartition, int]) -> None:
        """Continue after a gap, and report it."""
        first = _offsets(consumer.beginning_offsets, list(wanted)) if wanted else {}
        for one, offset in wanted.items():
            place = {"topic": one.topic, "partition": one.partition, "wanted": offset, "next": first[one]}
            skipped = first[one] - offset
            if skipped > 0:
                log.error("records were deleted before they were read", extra=fields(**place, lost=skipped))
                self.lost(one.topic, skipped)
            else:
                log.warning("topic is shorter than what was read of it, continuing", extra=fields(**place))
            consumer.seek(one, first[one])

    def _turn_back(self, consumer: Any, truncations: Mapping[TopicPartition, Any]) -> None:
        """Read again from where a new leader's log differs from what was read; storing twice changes nothing."""
        for one, differs in truncations.items():
            log.warning("a new leader lacks records that were read", extra=fields(topic=one.topic, at=str(differs)))
            if differs is None:
                consumer.seek_to_beginning(one)
            else:
                consumer.seek(one, differs.offset)

    def _begin(self, consumer: Any, places: Iterable[TopicPartition]) -> None:
        """Begin partitions of which no offset is committed."""
        by_topic: dict[str, list[TopicPartition]] = {}
        for one in places:
            by_topic.setdefault(one.topic, []).append(one)
        for topic, mine in by_topic.items():
            if self.start == "earliest" or topic in self.followed:
                self._begin_at_first(consumer, mine)
            else:
                self._begin_new_topic_at_end(consumer, topic, mine)

    def _begin_at_first(self, consumer: Any, mine: Iterable[TopicPartition]) -> None:
        for one in mine:
            log.info("partition begun at its first record", extra=fields(topic=one.topic, partition=one.partition))
            consumer.seek_to_beginning(one)

    def _begin_new_topic_at_end(self, consumer: Any, topic: str, mine: list[TopicPartition]) -> None:
        """Begin a topic at its end, once for all members of the group.

        The ends are committed for every partition there is, so that one without a committed offset is known to have
        been added later. They are asked for before the committed offsets, so that a member which has continued since is
        not moved forward.
        """
        every = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        ends = _offsets(consumer.end_offsets, every)
        committed = {one: consumer.committed(one, timeout_ms=_TIMEOUT_MS) for one in every}
        known = {one: offset for one, offset in committed.items() if offset is not None}
        if not known:
            at = {one.partition: ends[one] for one in every}
            log.warning("group begins topic at its end", extra=fields(topic=topic, at=at))
            topic_id = self.topic_id(topic)
            offsets = {one: OffsetAndMetadata(ends[one], topic_id, -1) for one in every}
            consumer.commit(offsets, timeout_ms=_TIMEOUT_MS)
            known = dict(ends)
        for one in mine:
            if one in known:
                consumer.seek(one, known[one])
            else:
                self._begin_at_first(consumer, [one])


def _offsets(ask: Callable[..., Any], places: list[TopicPartition]) -> Mapping[TopicPartition, int]:
    """Ask for offsets of partitions.

    Raises:
        KafkaError: the broker does not answer, or a partition does not exist.
    """
    try:
        found: Mapping[TopicPartition, int] = ask(places, timeout_ms=_TIMEOUT_MS)
    except KeyError as lacking:  # the client forgets partitions of which it knows no leader
        raise UnknownTopicOrPartitionError(str(lacking)) from None
    return found
