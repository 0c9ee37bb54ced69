"""Changes by rebalances, recorded in the client's thread and read by the loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kafka import ConsumerRebalanceListener, TopicPartition  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.state import Place


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Records which partitions were revoked and which are new. It must not block the thread that calls it.

    The client keeps its position in a partition that stays assigned through a rebalance, although it announces all
    partitions as revoked. So only partitions that are not assigned again are gone.
    """

    def __init__(self) -> None:
        """Start without partitions."""
        self.is_member = False
        """Whether this process is a member of the group."""
        self._changes: deque[tuple[set[Place], set[Place]]] = deque()
        self._owned: set[Place] = set()

    def changes(self) -> tuple[set[Place], set[Place]]:
        """Return the partitions that are gone and those that are new since the last call."""
        gone: set[Place] = set()
        new: set[Place] = set()
        while self._changes:
            next_gone, next_new = self._changes.popleft()
            gone |= next_gone
            new = (new - next_gone) | next_new
        return gone, new

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Do nothing: the result is known when the rebalance is over."""

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Record that other members may have continued: the client forgets its positions."""
        self._changes.append(({(part.topic, part.partition) for part in lost}, set()))
        self._owned = set()
        self.is_member = False

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Record the new assignment."""
        now = {(part.topic, part.partition) for part in assigned}
        self._changes.append((self._owned - now, now - self._owned))
        self._owned = now
        self.is_member = True
