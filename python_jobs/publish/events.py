"""An event on its way from the outbox to the EventHub: the words that outbox, publisher and hubs share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from python_jobs.warehouse import LakeError


class State(StrEnum):
    """The state of an event; an event that was never sent has none."""

    WAITING = "waiting"
    """It could not be delivered yet and is tried again."""
    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiver will never take it; a person has to look at it."""
    DISMISSED = "dismissed"
    """A person did."""


@dataclass(frozen=True, kw_only=True)
class OutboxEvent:
    """A row of the outbox: ``body`` is the complete event as JSON; events of one ``exception_key`` go in order."""

    event_id: str
    exception_key: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The outcome of an event: ``count`` times sent, the last time at ``at`` (aware)."""

    event_id: str
    state: State
    count: int
    at: datetime
    error: str | None = None


class HubUnavailableError(Exception):
    """The event was not confirmed and may be sent again, after ``retry_after`` seconds if the hub named them."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class EventRefusedError(Exception):
    """The hub will never take this event; it may take others."""


class PublisherRejectedError(LakeError):
    """The hub takes no event of this publisher: an address, token, topic or certificate is wrong."""


class Hub(Protocol):
    """Takes events; the same event may come more than once and is recognized by its id."""

    def send(self, event: OutboxEvent) -> None:
        """Return once the hub has confirmed the event.

        Raises:
            HubUnavailableError: it did not, and may do so later.
            EventRefusedError: it will never take the event.
            PublisherRejectedError: it will take no event as things are.
        """

    def close(self) -> None:
        """Give connections back."""


class MemoryHub:
    """The twin of the real hubs: keeps the events in the order they arrived."""

    def __init__(self) -> None:
        self.taken: list[OutboxEvent] = []

    def send(self, event: OutboxEvent) -> None:
        """Take the event."""
        self.taken.append(event)

    def close(self) -> None:
        """Do nothing: there is no connection."""
