"""Where reading goes on when the broker has nothing at our position, or when there is no position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from plura.kit.observability.logs import fields

MISPLACED = (LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError)
"""What a client without a policy of its own raises when it does not know where to read on."""

_ASK_TIMEOUT_MS = 2000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Moves a client to where it can read on.

    The client would do the same by itself, but silently: nobody would hear of records that the broker's retention
    deleted before they were read.
    """

    start: Literal["earliest", "latest"]
    """Where a partition is begun that has no committed offset, or whose offset is not in its log any more."""
    lost: Callable[[str, int], None]
    """Told the topic and the number of offsets that were skipped."""

    def place(self, consumer: Any, error: KafkaError) -> None:
        """Seek in the partitions that one of ``MISPLACED`` names.

        Raises:
            KafkaError: the broker does not answer; the client will raise the same error again.
        """
        told = error.divergent_offsets if isinstance(error, LogTruncationError) else error.args[0]
        mine = [one for one in told if one in consumer.assignment()]
        if isinstance(error, OffsetOutOfRangeError):
            self._skip(consumer, {one: told[one] for one in mine})
        elif isinstance(error, LogTruncationError):
            self._turn_back(consumer, {one: told[one] for one in mine})
        else:
            self._begin(consumer, mine)

    def _skip(self, consumer: Any, wanted: Mapping[TopicPartition, int]) -> None:
        """Go on behind a gap, and tell of it."""
        ask = consumer.beginning_offsets if self.start == "earliest" else consumer.end_offsets
        places = ask(list(wanted), timeout_ms=_ASK_TIMEOUT_MS) if wanted else {}
        for one, offset in wanted.items():
            there = {"topic": one.topic, "partition": one.partition, "wanted": offset, "next": places[one]}
            skipped = places[one] - offset
            if skipped > 0:
                log.error("records were deleted before they were read", extra=fields(**there, lost=skipped))
                self.lost(one.topic, skipped)
            else:
                log.warning("topic is shorter than what was read of it, reading on", extra=fields(**there))
            consumer.seek(one, places[one])

    def _turn_back(self, consumer: Any, truncations: Mapping[TopicPartition, Any]) -> None:
        """Read again from where the log of a new leader differs from what was read; that changes nothing twice."""
        for one, differs in truncations.items():
            log.warning("a new leader lacks records that were read", extra=fields(topic=one.topic, at=str(differs)))
            if differs is None:
                self._begin(consumer, [one])
            else:
                consumer.seek(one, differs.offset)

    def _begin(self, consumer: Any, places: Iterable[TopicPartition]) -> None:
        for one in places:
            if self.start == "earliest":
                consumer.seek_to_beginning(one)
            else:
                consumer.seek_to_end(one)
