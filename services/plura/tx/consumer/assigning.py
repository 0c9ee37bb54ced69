"""How the members of the group share the partitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka.coordinator.assignors.range import RangePartitionAssignor  # type: ignore[import-untyped]
from kafka.errors import UnknownTopicOrPartitionError  # type: ignore[import-untyped]


class KnowingAssignor(RangePartitionAssignor):  # type: ignore[misc]
    """Assigns ranges, and nothing before it knows the partitions of every topic.

    A member that has just started may lead the group before it has heard of the topics. The client would then give
    everyone nothing, and if that member is killed at once and comes back under its name, nobody would correct that.
    """

    @classmethod
    def assign(cls, cluster: Any, members: Iterable[Any]) -> Any:
        """Return the partitions of each member.

        Raises:
            UnknownTopicOrPartitionError: a topic is not known yet; the client joins again.
        """
        members = list(members)
        for topic in sorted({topic for member in members for topic in member.metadata.topics}):
            if not cluster.partitions_for_topic(topic):
                raise UnknownTopicOrPartitionError(f"topic {topic} is not known")
        return super().assign(cluster, members)
