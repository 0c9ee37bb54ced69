"""Delivers the events of the outbox: at least once, and in order for each exception."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from python_jobs.publish.events import (
    Attempt,
    EventRefusedError,
    Hub,
    HubUnavailableError,
    OutboxEvent,
    PublisherRejectedError,
    State,
)
from python_jobs.publish.outbox import Outbox

BATCH = 500
"""Events read at once, and the most that are delivered a second time after the publisher is killed."""

_GIVE_UP_AFTER = 3
"""Events in a row that could not be delivered; then it is the hub that is unwell, not an event."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often an event is sent in one pass, and how long to wait in between.

    The wait doubles from ``first`` to ``longest`` seconds, less up to half of it by chance, so that publishers that
    failed together do not return together. A hub that asks for more than ``longest`` ends the pass.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 30.0


@dataclass(kw_only=True)
class PassReport:
    """What one pass over the outbox did; ``is_stopped``: it ended before the outbox did."""

    delivered: int = 0
    refused: int = 0
    failed: int = 0
    is_stopped: bool = False
    last_error: str | None = None
    last_refusal: str | None = None
    retry_after: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether everything that was waiting was delivered."""
        return not (self.refused or self.failed or self.is_stopped)


@dataclass(kw_only=True)
class Publisher:
    """Delivers what waits in ``outbox`` to ``hub``.

    A batch holds at most one event of an exception, the oldest that waits; the next one is read only after the first is
    recorded as delivered or refused. So events of an exception keep their order through retries, failures and kills.
    Events that were sent but not recorded when the publisher is killed are sent again.
    """

    outbox: Outbox
    hub: Hub
    batch: int = BATCH
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = field(default_factory=lambda: time.sleep)
    chance: Callable[[], float] = random.random

    def publish(self, *, progress: Callable[[int], None] | None = None) -> PassReport:
        """Send every event that waits, each at most as often as ``retry_policy`` says; ``progress`` gets how many were.

        Raises:
            LakeError: the warehouse cannot be read or written.
            PublisherRejectedError: the hub takes no event as things are.
        """
        report = PassReport()
        started = self.clock()
        unrecorded: list[Attempt] = []
        failed_in_a_row = 0
        try:
            while not report.is_stopped:
                done, unrecorded = unrecorded, []
                waiting = self.outbox.record_and_read(done, limit=self.batch, tried_before=started)
                if not waiting:
                    break
                for event in waiting:
                    try:
                        attempt, retry_after = self._deliver(event, started)
                    except PublisherRejectedError as error:
                        unrecorded.append(self._attempt(event, State.WAITING, 1, started, str(error)))
                        raise
                    unrecorded.append(attempt)
                    _count(report, attempt)
                    failed_in_a_row = failed_in_a_row + 1 if attempt.state is State.WAITING else 0
                    report.retry_after = retry_after
                    if progress is not None:
                        progress(report.delivered + report.refused + report.failed)
                    if retry_after > self.retry_policy.longest or failed_in_a_row == _GIVE_UP_AFTER:
                        report.is_stopped = True
                        break
        finally:
            if unrecorded:
                self.outbox.record_and_read(unrecorded, limit=0, tried_before=started)
        return report

    def _deliver(self, event: OutboxEvent, started: datetime) -> tuple[Attempt, float]:
        """Send an event until it is confirmed or refused, or no try is left; also return the wait the hub asked for."""
        wait = self.retry_policy.first
        count = 1
        while True:
            try:
                self.hub.send(event)
            except EventRefusedError as error:
                return self._attempt(event, State.REFUSED, count, started, str(error)), 0.0
            except HubUnavailableError as error:
                asked = error.retry_after or 0.0
                if count >= self.retry_policy.tries or asked > self.retry_policy.longest:
                    return self._attempt(event, State.WAITING, count, started, str(error)), asked
            else:
                return self._attempt(event, State.DELIVERED, count, started), 0.0
            self.sleep(max(asked, wait * (0.5 + self.chance() / 2)))
            wait = min(2 * wait, self.retry_policy.longest)
            count += 1

    def _attempt(
        self, event: OutboxEvent, state: State, count: int, started: datetime, error: str | None = None
    ) -> Attempt:
        # a clock that is set back must not make this pass meet the event again
        return Attempt(event_id=event.event_id, state=state, count=count, at=max(self.clock(), started), error=error)


def _count(report: PassReport, attempt: Attempt) -> None:
    if attempt.state is State.DELIVERED:
        report.delivered += 1
    elif attempt.state is State.REFUSED:
        report.refused += 1
        report.last_refusal = attempt.error
    else:
        report.failed += 1
        report.last_error = attempt.error
