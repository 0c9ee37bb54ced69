"""How the members of the group share the partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kafka.coordinator.assignors.range import RangePartitionAssignor  # type: ignore[import-untyped]
from kafka.errors import UnknownTopicOrPartitionError  # type: ignore[import-untyped]

from plura.tx.consumer.topics import Topics


@dataclass(frozen=True)
class _Partitions:
    """Partitions of topics, in the way in which the client asks for them."""

    of: dict[str, set[int]]

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self.of.get(topic)


class KnownTopicsAssignor(RangePartitionAssignor):  # type: ignore[misc]
    """Assigns ranges of all topics that exist.

    A member that has just started may lead the group before its client has heard of the topics. The client would then
    assign nothing to anybody, and if that member is killed at once and comes back under its name, nobody would correct
    that. So what the client does not know yet is taken from our own observation of the topics. A topic that does not
    exist is left out, so that the others are read; its partitions are assigned once it exists.
    """

    def __init__(self, topics: Callable[[], Topics]) -> None:
        """Take a function that returns our own observation of the topics, which may be empty at first."""
        self._topics = topics
        self._heard_of: set[str] = set()

    def assign(self, cluster: Any, members: Iterable[Any]) -> Any:
        """Return the partitions of each member.

        Raises:
            UnknownTopicOrPartitionError: nobody has heard of a topic yet; the client has just begun and joins again.
        """
        # the client groups members by whether they are named, and expects them in that order
        members = sorted(members, key=lambda member: member.group_instance_id is None)
        names = sorted({topic for member in members for topic in member.metadata.topics})
        known = {name: self._partitions(cluster, name) for name in names}
        return super().assign(_Partitions({name: found for name, found in known.items() if found}), members)

    def _partitions(self, cluster: Any, topic: str) -> set[int]:
        found: set[int] = cluster.partitions_for_topic(topic) or set()
        if found:
            self._heard_of.add(topic)
            return found
        if topic in self._heard_of:
            return set()  # the client has just seen that it was deleted
        topics = self._topics()
        if topic not in topics:
            raise UnknownTopicOrPartitionError(f"topic {topic} is not known")
        seen = topics[topic]
        return set() if seen is None else set(range(seen.partitions))
