"""The brokers' view of our topics: whether they exist, their ids, and the end offsets of their partitions."""

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
    """Differs from the id of a deleted topic of the same name; blank if brokers do not report ids."""
    partitions: int
    ends: Mapping[int, int]
    """For each partition with a leader: the offset of its next record, open transactions included."""


Topics = Mapping[str, Topic | None]
"""Topics by name; None if the topic does not exist."""


class TopicSource(Protocol):
    """Source of information about topics."""

    def look(self, names: Sequence[str]) -> Topics:
        """Return the current state of topics.

        Raises:
            KafkaError: a broker does not answer, or refuses to answer.
        """

    def close(self) -> None:
        """Close the connection."""


class KafkaTopics:
    """Asks brokers, over its own connections.

    The consumer's client does not serve: it reads committed records only and takes the last stable offset for the end
    of a partition, so that messages after an open transaction would not be counted.
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
        """Return the current state of topics.

        Raises:
            KafkaError: a broker does not answer, or refuses to answer.
        """
        found: dict[str, Topic | None] = {}
        descriptions = {topic["name"]: topic for topic in self._client.describe_topics(list(names))}
        for name in names:
            described = descriptions[name]
            error = for_code(described["error_code"])
            if error is UnknownTopicOrPartitionError:
                found[name] = None
                continue
            if described["error_code"]:
                raise error(name)
            partitions = described["partitions"]
            led = [partition["partition_index"] for partition in partitions if partition["leader_id"] >= 0]
            ends = self._ends(name, led)
            found[name] = Topic(topic_id=_topic_id(described), partitions=len(partitions), ends=ends)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        latest = {TopicPartition(topic, partition): OffsetSpec.LATEST for partition in partitions}
        found = self._client.list_partition_offsets(latest, timeout_ms=_TIMEOUT_MS) if latest else {}
        return {place.partition: end.offset for place, end in found.items()}


@dataclass
class MemoryTopics:
    """Twin of ``KafkaTopics`` in memory, for tests."""

    topics: dict[str, Topic | None] = field(default_factory=dict)
    error: Exception | None = None
    """Raised instead of an answer."""

    def look(self, names: Sequence[str]) -> Topics:
        """Return the topics that were set."""
        if self.error is not None:
            raise self.error
        return {name: self.topics.get(name) for name in names}

    def close(self) -> None:
        """Do nothing."""


@dataclass(kw_only=True)
class TopicMonitor:
    """Requests the topics in its own thread, so that a slow broker delays nothing else."""

    connect: Callable[[], TopicSource]
    names: Sequence[str]
    topics: Topics = field(default_factory=dict)
    """Result of the last look."""
    seen_at: float = 0.0
    """Monotonic time at which that look started."""
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "topics"))
    _source: TopicSource | None = None
    _looking: Future[tuple[float, Topics]] | None = None

    def look(self) -> bool:
        """Take the result of the last look and start the next; return whether the result is new."""
        is_new = False
        if self._looking is not None:
            if not self._looking.done():
                return False
            looking, self._looking = self._looking, None
            try:
                self.seen_at, self.topics = looking.result()
                is_new = True
            except Exception as error:  # after any failure the next look uses a new connection
                is_expected = isinstance(error, KafkaError | OSError)
                log.warning("topics unknown", extra=fields(said=str(error)[:300]), exc_info=not is_expected)
        self._looking = self._thread.submit(self._look)
        return is_new

    def close(self) -> None:
        """Finish the running look."""
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
