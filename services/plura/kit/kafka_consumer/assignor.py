"""How members of the consumer group share the partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kafka.coordinator.assignors.range import RangePartitionAssignor  # type: ignore[import-untyped]
from kafka.errors import UnknownTopicOrPartitionError  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.topics import Topics


@dataclass(frozen=True)
class _Partitions:
    """Partitions of topics, with the interface that the client expects."""

    of: dict[str, set[int]]

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self.of.get(topic)


class KnownTopicsAssignor(RangePartitionAssignor):  # type: ignore[misc]
    """Assigns ranges of all topics that exist.

    A member that has just started may lead the group before its client has metadata of the topics. The client would
    then assign no partitions at all, and if that member is killed at once and restarted under its name, no rebalance
    would correct that. So topics that the client does not know yet are looked up in our own observation. A topic that
    does not exist is left out, so that the remaining topics are read; its partitions are assigned once it exists.
    """

    def __init__(self, topics: Callable[[], Topics]) -> None:
        """Keep a function that returns our own observation of the topics, which may be empty at first."""
        self._topics = topics
        self._seen: set[str] = set()

    def assign(self, cluster: Any, members: Iterable[Any]) -> Any:
        """Return the partitions of each member.

        Raises:
            UnknownTopicOrPartitionError: a topic is not known yet; the client has just started and joins again.
        """
        # the client groups members by whether they are named, and expects them in that order
        members = sorted(members, key=lambda member: member.group_instance_id is None)
        names = sorted({topic for member in members for topic in member.metadata.topics})
        known = {name: self._partitions(cluster, name) for name in names}
        return super().assign(_Partitions({name: found for name, found in known.items() if found}), members)

    def _partitions(self, cluster: Any, topic: str) -> set[int]:
        found: set[int] = cluster.partitions_for_topic(topic) or set()
        if found:
            self._seen.add(topic)
            return found
        if topic in self._seen:
            return set()  # it was deleted, and the client knows
        topics = self._topics()
        if topic not in topics:
            raise UnknownTopicOrPartitionError(f"topic {topic} is not known")
        observed = topics[topic]
        return set() if observed is None else set(range(observed.partitions))
