"""The outbox of events, its twin in memory, and the lock that keeps two publishers apart."""

from __future__ import annotations

import fcntl
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from python_jobs.publish.events import Attempt, OutboxEvent, State
from python_jobs.warehouse import LakeError, plain_errors


@dataclass(frozen=True, kw_only=True)
class RefusedEvent:
    """An event that the receiver will never take, with its exception in gold.exception_ledger."""

    event_id: str
    exception_id: str
    error: str


@dataclass(frozen=True, kw_only=True)
class OutboxCounts:
    """How many events wait and how many are refused; ``examples`` are the oldest of the refused."""

    waiting: int
    refused: int
    examples: tuple[RefusedEvent, ...] = ()


class Outbox(Protocol):
    """Events in the order they were written, with their outcomes."""

    def record_and_read(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record the outcomes of events, then read the next ones.

        These are the oldest waiting event of each exception, unless it was tried at ``tried_before`` or later. Those
        that failed before come last, so that they keep nobody waiting.
        """

    def counts(self, *, examples: int = 0) -> OutboxCounts:
        """Count waiting and refused events."""

    def retry_refused(self) -> int:
        """Let every refused event wait again; returns how many there were."""

    def dismiss(self, event_id: str) -> None:
        """Record that a refused event will not be delivered.

        Raises:
            LakeError: no refused event has this id.
        """

    def version(self) -> Hashable:
        """Return a value that changes whenever a run of the pipelines writes events, and perhaps at other times."""


@contextmanager
def sole_publisher(warehouse: Path) -> Iterator[None]:
    """Keep other publishers of the warehouse out: two would send everything twice. Loads and runs go on.

    Raises:
        LakeError: another one is at work.
    """
    with plain_errors(warehouse):
        lock = warehouse.with_name(warehouse.name + ".publish.lock").open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeError(f"another plura lake publish is at work on {warehouse}: one is enough") from None
        yield


def not_refused(event_id: str) -> LakeError:
    """The error for an event that cannot be dismissed."""
    return LakeError(f"no refused event has the id {event_id}: plura lake publish lists them")


@dataclass(kw_only=True)
class _Row:
    """A row of the twin: an event of an exception, and its delivery."""

    event: OutboxEvent
    exception_id: str
    state: State | None = None
    attempts: int = 0
    last_attempt_at: datetime | None = None
    last_error: str | None = None

    @property
    def waits(self) -> bool:
        return self.state in {None, State.WAITING}


@dataclass(kw_only=True)
class MemoryOutbox:
    """The twin of the real outbox in memory."""

    rows: list[_Row] = field(default_factory=list)

    def add(self, event: OutboxEvent, *, exception_id: str) -> None:
        """Write an event, as a run of the pipelines does."""
        self.rows.append(_Row(event=event, exception_id=exception_id))

    def record_and_read(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record the outcomes of events, then read the next ones."""
        by_id = {row.event.event_id: row for row in self.rows}
        for attempt in done:
            row = by_id[attempt.event_id]
            row.state, row.attempts = attempt.state, row.attempts + attempt.count
            row.last_attempt_at, row.last_error = attempt.at, attempt.error
        heads: dict[str, _Row] = {}
        for row in self.rows:
            if row.waits:
                heads.setdefault(row.exception_id, row)
        untried = [row for row in heads.values() if row.last_attempt_at is None or row.last_attempt_at < tried_before]
        return [replace(row.event) for row in sorted(untried, key=lambda row: row.attempts)][:limit]

    def counts(self, *, examples: int = 0) -> OutboxCounts:
        """Count waiting and refused events."""
        refused = [row for row in self.rows if row.state is State.REFUSED]
        return OutboxCounts(
            waiting=sum(row.waits for row in self.rows),
            refused=len(refused),
            examples=tuple(
                RefusedEvent(event_id=row.event.event_id, exception_id=row.exception_id, error=row.last_error or "")
                for row in refused[:examples]
            ),
        )

    def retry_refused(self) -> int:
        """Let every refused event wait again."""
        refused = [row for row in self.rows if row.state is State.REFUSED]
        for row in refused:
            row.state = State.WAITING
        return len(refused)

    def dismiss(self, event_id: str) -> None:
        """Record that a refused event will not be delivered."""
        for row in self.rows:
            if row.event.event_id == event_id and row.state is State.REFUSED:
                row.state = State.DISMISSED
                return
        raise not_refused(event_id)

    def version(self) -> int:
        """Return the number of events."""
        return len(self.rows)
