"""State of a consumer: how far each partition is stored, whether topics exist and brokers answer.

All times are those of the monotonic clock, in seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from plura.kit.kafka_consumer.arrivals import Arrivals

FRESH_SECONDS = 5.0
"""The end of a partition is known if the broker reported it within this time."""
_READY_SECONDS = 15.0
_ALIVE_SECONDS = 60.0

Place = tuple[str, int]
"""Topic and partition."""


@dataclass
class PartitionState:
    """How far a partition is stored."""

    position: int | None = None
    """The offset up to which everything is stored."""
    fetched: int | None = None
    """The offset up to which everything was fetched, stored or not."""
    end: int | None = None
    """The offset of the next message, open transactions included (the high watermark)."""
    waiting_since: float | None = None
    """When the first message that is not stored arrived, if any."""
    asked_at: float = field(default_factory=time.monotonic)
    """When the broker last reported the end; before that, when the partition was assigned to us."""
    arrivals: Arrivals = field(default_factory=Arrivals)

    def caught_up(self) -> bool:
        """Whether all messages are stored."""
        return self.position is not None and self.end is not None and self.position >= self.end

    def lag(self) -> float:
        """Return the number of messages that are not stored yet; NaN if unknown."""
        if self.position is None or self.end is None:
            return float("nan")
        return float(max(0, self.end - self.position))

    def unread(self) -> int:
        """Return the known number of messages that were not fetched."""
        return 0 if self.fetched is None or self.end is None else max(0, self.end - self.fetched)

    def age(self, now: float) -> float:
        """Return the age of the oldest message that is not stored; 0 if the broker recently reported none."""
        if self.caught_up():
            return 0.0 if now - self.asked_at < FRESH_SECONDS else now - self.asked_at
        return max(0.0, now - (self.asked_at if self.waiting_since is None else self.waiting_since))


@dataclass(frozen=True, kw_only=True)
class StoredState:
    """State of a partition as the database has it."""

    position: int | None
    end: int | None
    waiting_since: float | None
    asked_at: float


@dataclass
class ConsumerState:
    """Written by the thread that consumes, read by the threads that report."""

    started_at: float = field(default_factory=time.monotonic)
    looped_at: float = field(default_factory=time.monotonic)
    asked_at: float = 0.0
    joined: bool = False
    partitions: dict[Place, PartitionState] = field(default_factory=dict)
    missing_since: dict[str, float] = field(default_factory=dict)
    """Topics that do not exist, with the time since when this is known."""

    def freshness(self, topic: str) -> float:
        """Return how many seconds the tables lag behind a topic."""
        now = time.monotonic()
        if not self.joined:
            return now - self.started_at
        if (missing_since := self.missing_since.get(topic)) is not None:
            return now - missing_since
        own = [state for (name, _), state in list(self.partitions.items()) if name == topic]
        return max((state.age(now) for state in own), default=0.0)

    def lives(self) -> bool:
        """Whether the loop of the process still runs."""
        return time.monotonic() - self.looped_at < _ALIVE_SECONDS

    def readiness(self) -> dict[str, bool]:
        """Return whether the process is in its group and the broker answered recently, and every missing topic."""
        answers = self.joined and time.monotonic() - self.asked_at < _READY_SECONDS
        return {"broker": answers} | {f"topic {topic}": False for topic in sorted(self.missing_since)}

    def assign(self, places: Iterable[Place], stored: Mapping[Place, StoredState]) -> None:
        """Take the new assignment; ``stored`` is the stored state of partitions."""
        self.partitions = {place: self.partitions.get(place) or _known(stored.get(place)) for place in places}


def _known(stored: StoredState | None) -> PartitionState:
    state = PartitionState()
    if stored is not None and stored.end is not None:
        if stored.waiting_since is not None and stored.position is not None:
            state.arrivals.observe(stored.waiting_since, stored.position)
            state.arrivals.observe(stored.waiting_since, stored.position + 1)
        state.arrivals.observe(stored.asked_at, stored.end)
        state.waiting_since = stored.asked_at if stored.waiting_since is None else stored.waiting_since
    return state
