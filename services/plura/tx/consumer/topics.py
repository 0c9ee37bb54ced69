"""What the brokers say about our topics: whether they exist, which they are, and where their partitions end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafka import KafkaAdminClient, TopicPartition  # type: ignore[import-untyped]
from kafka.admin import OffsetSpec  # type: ignore[import-untyped]
from kafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code  # type: ignore[import-untyped]

from plura.kit.observability.logs import fields

_TIMEOUT_MS = 5000
_NO_ID = "00000000-0000-0000-0000-000000000000"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic that exists."""

    topic_id: str
    """Differs from that of a topic of the same name that was deleted before; blank where brokers give none."""
    partitions: int
    ends: Mapping[int, int]
    """For each partition with a leader the offset that its next record gets, open transactions included."""


Topics = Mapping[str, Topic | None]
"""Names of topics to what they are; None is a topic that does not exist."""


class TopicSource(Protocol):
    """Where topics are asked for."""

    def look(self, names: Sequence[str]) -> Topics:
        """Return what topics are now.

        Raises:
            KafkaError: a broker does not answer, or refuses to answer.
        """

    def close(self) -> None:
        """Close the connection."""


class KafkaTopics:
    """Asks brokers, over connections of its own.

    The consumer's own client cannot be asked: reading committed records only, it takes the last stable offset for the
    end of a partition, so that whatever waits behind an open transaction would not be counted.
    """

    def __init__(self, client_options: Mapping[str, Any]) -> None:
        """Connect.

        Raises:
            KafkaError: no broker answers.
        """
        self._client = KafkaAdminClient(
            **client_options,
            request_timeout_ms=_TIMEOUT_MS,
            bootstrap_timeout_ms=_TIMEOUT_MS,
            reconnect_backoff_max_ms=1000,
        )

    def look(self, names: Sequence[str]) -> Topics:
        """Return what topics are now.

        Raises:
            KafkaError: a broker does not answer, or refuses to answer.
        """
        found: dict[str, Topic | None] = {}
        described = {one["name"]: one for one in self._client.describe_topics(list(names))}
        for name in names:
            one = described[name]
            error = for_code(one["error_code"])
            if error is UnknownTopicOrPartitionError:
                found[name] = None
                continue
            if one["error_code"]:
                raise error(name)
            led = [partition["partition_index"] for partition in one["partitions"] if partition["leader_id"] >= 0]
            ends = self._ends(name, led)
            found[name] = Topic(topic_id=_topic_id(one), partitions=len(one["partitions"]), ends=ends)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        wanted = {TopicPartition(topic, partition): OffsetSpec.LATEST for partition in partitions}
        found = self._client.list_partition_offsets(wanted, timeout_ms=_TIMEOUT_MS) if wanted else {}
        return {place.partition: one.offset for place, one in found.items()}


@dataclass
class MemoryTopics:
    """The same in memory, for tests."""

    topics: dict[str, Topic | None] = field(default_factory=dict)
    error: Exception | None = None
    """Raised in place of an answer."""

    def look(self, names: Sequence[str]) -> Topics:
        """Return what was put in."""
        if self.error is not None:
            raise self.error
        return {name: self.topics.get(name) for name in names}

    def close(self) -> None:
        """Do nothing."""


@dataclass(kw_only=True)
class TopicMonitor:
    """Asks for the topics in a thread of its own, so that a slow broker delays nothing else."""

    connect: Callable[[], TopicSource]
    names: Sequence[str]
    topics: Topics = field(default_factory=dict)
    """What was seen last."""
    seen_at: float = 0.0
    """Monotonic time of that look, taken before it began."""
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "topics"))
    _source: TopicSource | None = None
    _looking: Future[tuple[float, Topics]] | None = None

    def look(self) -> bool:
        """Take the result of the last look and begin another; return whether there is a new result."""
        is_new = False
        if self._looking is not None:
            if not self._looking.done():
                return False
            looking, self._looking = self._looking, None
            try:
                self.seen_at, self.topics = looking.result()
                is_new = True
            except Exception as error:  # whatever went wrong, the next look is over a new connection
                is_expected = isinstance(error, KafkaError | OSError)
                log.warning("topics unknown", extra=fields(said=str(error)[:300]), exc_info=not is_expected)
        self._looking = self._thread.submit(self._look)
        return is_new

    def close(self) -> None:
        """Finish the look that is under way."""
        self._thread.shutdown()
        if self._source is not None:
            self._source.close()

    def _look(self) -> tuple[float, Topics]:
        began = time.monotonic()
        if self._source is None:
            self._source = self.connect()
        try:
            return began, self._source.look(self.names)
        except Exception:
            source, self._source = self._source, None
            source.close()
            raise


def _topic_id(described: Mapping[str, Any]) -> str:
    found = str(described.get("topic_id") or "")
    return "" if found == _NO_ID else found
