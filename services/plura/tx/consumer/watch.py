"""What a consumer knows about itself: how far each partition is stored, and whether broker and database answer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

FRESH_SECONDS = 5.0
"""A consumer that asked the broker so recently knows what there is."""
_READY_SECONDS = 15.0
_ALIVE_SECONDS = 60.0

Place = tuple[str, int]
"""Topic and partition."""


@dataclass
class PartitionState:
    """How far a partition is stored. Times are seconds since the epoch."""

    position: int | None = None
    """The offset up to which everything is stored."""
    end: int | None = None
    """The offset that the next message gets."""
    oldest_at: float | None = None
    """Time of the first message that is not stored, if there is one."""
    asked_at: float = 0.0
    """When the broker last told the end."""

    def caught_up(self) -> bool:
        """Whether everything there was is stored."""
        return self.position is not None and self.position == self.end

    def lag(self) -> float:
        """Messages not yet stored; NaN if that is not known."""
        if self.position is None or self.end is None:
            return float("nan")
        return float(max(0, self.end - self.position))

    def age(self, now: float) -> float:
        """Age of the oldest message not stored; 0 while there is none and the broker said so a moment ago."""
        if self.caught_up():
            return 0.0 if now - self.asked_at < FRESH_SECONDS else now - self.asked_at
        return max(0.0, now - (self.oldest_at or self.asked_at))


@dataclass
class Watch:
    """Read by the threads that report, written by the one that consumes."""

    started_at: float = field(default_factory=time.time)
    looped_at: float = field(default_factory=time.time)
    asked_at: float = 0.0
    joined: bool = False
    partitions: dict[Place, PartitionState] = field(default_factory=dict)

    def freshness(self, topic: str) -> float:
        """Seconds that the tables are behind a topic."""
        now = time.time()
        if not self.joined:
            return now - self.started_at
        own = [state for (name, _), state in list(self.partitions.items()) if name == topic]
        return max((state.age(now) for state in own), default=0.0)

    def lives(self) -> bool:
        """Whether the process still does its rounds."""
        return time.time() - self.looped_at < _ALIVE_SECONDS

    def broker_answers(self) -> bool:
        """Whether the process is in its group and the broker answered of late."""
        return self.joined and time.time() - self.asked_at < _READY_SECONDS

    def assigned(self, places: Iterable[Place]) -> None:
        """Take the partitions that are ours from now on."""
        self.partitions = {place: self.partitions.get(place) or PartitionState() for place in places}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per partition, to be kept in the database."""
        return [
            {
                "topic": topic,
                "partition": partition,
                "position": state.position,
                "end_offset": state.end,
                "oldest_uncommitted_at": state.oldest_at,
                "polled_at": state.asked_at,
            }
            for (topic, partition), state in self.partitions.items()
            if state.asked_at
        ]
