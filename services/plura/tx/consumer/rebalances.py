"""What a rebalance changed, noted in the client's own thread and read by the loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kafka import ConsumerRebalanceListener, TopicPartition  # type: ignore[import-untyped]

from plura.tx.consumer.state import Place


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes which partitions are no longer ours and which are new; it must not block the thread that calls it.

    The client keeps its position in a partition that is ours before and after a rebalance, although it announces every
    one as revoked. So only what is not assigned again is gone.
    """

    def __init__(self) -> None:
        """Begin without partitions."""
        self.is_member = False
        """Whether we are a member of the group."""
        self._changes: deque[tuple[set[Place], set[Place]]] = deque()
        self._owned: set[Place] = set()

    def changes(self) -> tuple[set[Place], set[Place]]:
        """Return the partitions that are gone and those that are new since the last call."""
        gone: set[Place] = set()
        new: set[Place] = set()
        while self._changes:
            some_gone, some_new = self._changes.popleft()
            gone |= some_gone
            new = (new - some_gone) | some_new
        return gone, new

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Do nothing: what becomes of them is known when the rebalance is over."""

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Take note that others may have continued: the client forgets its positions."""
        self._changes.append(({(one.topic, one.partition) for one in lost}, set()))
        self._owned = set()
        self.is_member = False

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note of what is ours from now on."""
        now = {(one.topic, one.partition) for one in assigned}
        self._changes.append((self._owned - now, now - self._owned))
        self._owned = now
        self.is_member = True
