"""Whatever fails and whenever the publisher is killed: every event is delivered, in order for each exception."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from python_jobs.publish import HubUnavailableError, MemoryHub, MemoryOutbox, OutboxEvent, Publisher, RetryPolicy
from python_jobs.publish.events import Attempt, EventRefusedError
from tests.eventhub import event

TAKEN, DOWN, LOST, BUSY, LONG_BUSY = "taken", "down", "taken, answer lost", "busy", "busy for long"
KILL_FIRST, KILL_AFTER = "killed before", "killed after"
SENDING = (TAKEN, DOWN, LOST, BUSY, LONG_BUSY, KILL_FIRST, KILL_AFTER)
RECORDING = (TAKEN, TAKEN, KILL_FIRST, KILL_AFTER)
MOST_READS = 1_000
START = datetime(2026, 3, 10, tzinfo=UTC)


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more."""


class World:
    """A hub and an outbox that survive the publisher, and what happens to it, one after the other."""

    def __init__(
        self, exceptions: Sequence[int], refused: set[int], sending: Sequence[str], recording: Sequence[str]
    ) -> None:
        self.outbox = MemoryOutbox()
        self.hub = MemoryHub()
        self.exception_of = {}
        for number, exception in enumerate(exceptions):
            made = event(number, str(exception))
            self.outbox.add(made, exception_id=str(exception))
            self.exception_of[made.event_id] = exception
        self.refused = {f"{number:064x}" for number in refused if number < len(exceptions)}
        self.sending: Iterator[str] = iter(sending)
        self.recording: Iterator[str] = iter(recording)
        self.happened: Counter[str] = Counter()
        self.moments = 0
        self.reads = 0

    def now(self) -> datetime:
        self.moments += 1
        return START + timedelta(seconds=self.moments)


class Mortal:
    """The world as one publisher meets it, as outbox and as hub; once killed, it does nothing more."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_dead = False

    def die(self) -> None:
        self.is_dead = True
        self.world.happened["killed"] += 1
        raise KilledError

    def record_and_read(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        if self.is_dead:
            raise KilledError
        self.world.reads += 1
        assert self.world.reads < MOST_READS, "the publisher goes round in circles"
        fate = next(self.world.recording, TAKEN)
        if fate == KILL_FIRST:
            self.die()
        found = self.world.outbox.record_and_read(done, limit=limit, tried_before=tried_before)
        if fate == KILL_AFTER:
            self.die()
        return found

    def send(self, event: OutboxEvent) -> None:
        fate = next(self.world.sending, TAKEN)
        if fate == KILL_FIRST:
            self.die()
        if fate in {DOWN, BUSY, LONG_BUSY}:
            raise HubUnavailableError(fate, retry_after={BUSY: 1.0, LONG_BUSY: 999.0}.get(fate))
        if event.event_id in self.world.refused:
            raise EventRefusedError("HTTP 422")
        self.world.hub.send(event)
        if fate == LOST:
            self.world.happened["lost"] += 1
            raise HubUnavailableError(fate)
        if fate == KILL_AFTER:
            self.die()

    def close(self) -> None:
        return


def publish_until_nothing_waits(world: World, batch: int, tries: int) -> None:
    """Start a publisher again and again, as a service manager does."""
    for _ in range(200):
        mortal = Mortal(world)
        publisher = Publisher(
            outbox=mortal,  # type: ignore[arg-type]  # the publisher needs no more of it
            hub=mortal,
            batch=batch,
            retry_policy=RetryPolicy(tries=tries),
            clock=world.now,
            sleep=lambda _seconds: None,
        )
        try:
            publisher.publish()
        except KilledError:
            continue
        if not world.outbox.counts().waiting:
            return
    raise AssertionError("events wait for ever")


@settings(max_examples=300, deadline=None)
@given(
    exceptions=st.lists(st.integers(0, 3), max_size=12),
    refused=st.sets(st.integers(0, 11), max_size=3),
    sending=st.lists(st.sampled_from(SENDING), max_size=40),
    recording=st.lists(st.sampled_from(RECORDING), max_size=12),
    batch=st.integers(1, 5),
    tries=st.integers(1, 3),
)
def test_any_schedule_of_failures_and_kills_delivers_every_event_in_order(
    exceptions: list[int], refused: set[int], sending: list[str], recording: list[str], batch: int, tries: int
) -> None:
    world = World(exceptions, refused, sending, recording)
    publish_until_nothing_waits(world, batch, tries)
    came = [event.event_id for event in world.hub.taken]
    assert set(came) == set(world.exception_of) - world.refused
    for exception in set(exceptions):
        of_one = [event_id for event_id in came if world.exception_of[event_id] == exception]
        assert of_one == sorted(of_one)  # repeated at most before the next one, never after it
    most = 1 + world.happened["killed"] + world.happened["lost"]
    assert max(Counter(came).values(), default=0) <= most
    assert {row.event_id for row in world.outbox.counts(examples=99).examples} == world.refused
