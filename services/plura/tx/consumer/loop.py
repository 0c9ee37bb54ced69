"""Reads topics and stores batches: one thread polls and parses while another writes."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import CorruptRecordError, FencedInstanceIdError, KafkaError  # type: ignore[import-untyped]
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from plura.kit.errors import ServiceError
from plura.kit.observability.logs import fields
from plura.tx.consumer.assigning import KnowingAssignor
from plura.tx.consumer.batches import Batch, add
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.ingest import Ingest, StoppedError
from plura.tx.consumer.keeper import Keeper
from plura.tx.consumer.measuring import Measuring
from plura.tx.consumer.messages import Message
from plura.tx.consumer.placing import MISPLACED, Placing
from plura.tx.consumer.watch import Place, Watch

_ASK_SECONDS = 1.0
"""How often the broker is asked for the ends of the partitions, and the state is kept."""
_ASK_TIMEOUT_MS = 2000
_BUSY_POLL_MS = 10
"""Longest poll while a batch is gathered or written, so that neither waits for the other."""
_RETRY_SECONDS = 1.0
_CLOSE_MS = 5000

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Limits:
    """When a batch is full, and when the consumer ends; 0 and None are no limit."""

    batch_events: int
    batch_seconds: float
    poll_seconds: float
    most_bad: int = 0
    most_bad_in_a_row: int = 0
    most_messages: int | None = None
    most_idle_seconds: float | None = None


class TooManyBadError(ServiceError):
    """So many bad events that something else is wrong."""


@dataclass
class Gathered:
    """Messages that belong into one batch."""

    messages: list[Message] = field(default_factory=list)
    ends: dict[Place, int] = field(default_factory=dict)
    """Offset behind the last message of each partition."""
    first_at: dict[Place, float] = field(default_factory=dict)
    """Time of the first message of each partition."""
    since: float = 0.0
    batch: Batch = field(default_factory=Batch)
    """What was read of the messages so far."""

    def take(self, place: Place, records: Sequence[Any]) -> None:
        """Add records of a partition, at least one."""
        if not self.messages:
            self.since = time.monotonic()
        if place not in self.first_at:
            # a producer whose clock is ahead must not hide that we are behind
            self.first_at[place] = min(records[0].timestamp / 1000, time.time())
        self.ends[place] = records[-1].offset + 1
        self.messages += [
            Message(one.topic, one.value, one.key, one.headers, one.partition, one.offset) for one in records
        ]

    def read(self, reader: EventReader) -> None:
        """Read the messages that have come since the last time."""
        for message in islice(self.messages, len(self.batch.messages), None):
            add(self.batch, reader, message)

    def without(self, gone: set[Place]) -> Gathered:
        """Return the same without the messages of some partitions."""
        kept = [one for one in self.messages if (one.topic, one.partition) not in gone]
        return Gathered(
            messages=kept,
            ends={place: end for place, end in self.ends.items() if place not in gone},
            first_at={place: at for place, at in self.first_at.items() if place not in gone},
            since=self.since,
        )


@dataclass
class Work:
    """A batch on its way into the database."""

    gathered: Gathered
    done: Future[None]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes which partitions are ours no more; it is called in the client's own thread, which nothing may hold up.

    The client keeps its position in a partition that is ours before and after a rebalance, although it announces every
    one as revoked. So only what is not assigned again is gone, and what was gathered of the others has to be kept.
    """

    def __init__(self) -> None:
        self.gone: deque[set[Place]] = deque()
        self.assigned = False
        self._owned: set[Place] = set()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        pass  # what becomes of them is known when the rebalance is over

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Take note that others may have read on: the client forgets its positions."""
        self.gone.append({(one.topic, one.partition) for one in lost})
        self._owned = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        now = {(one.topic, one.partition) for one in assigned}
        self.gone.append(self._owned - now)
        self._owned = now
        self.assigned = True


@dataclass(kw_only=True)
class ConsumeLoop:
    """Consumes until it is told to stop.

    An offset is committed only when everything before it is stored or put aside. While the database is away the
    partitions are paused and polling goes on, so that the group keeps this member. While the broker is away it waits.
    """

    topics: list[str]
    client_options: Mapping[str, Any]
    ingest: Ingest
    watch: Watch
    measuring: Measuring
    keeper: Keeper
    placing: Placing
    limits: Limits
    connect: Callable[..., Any] = KafkaConsumer

    def __post_init__(self) -> None:
        """Begin with nothing gathered."""
        self._listener = _Listener()
        self._gathered = Gathered()
        self._work: Work | None = None
        self._uncommitted: dict[Place, int] = {}
        self._behind_since: dict[Place, float] = {}
        self._asked = 0.0
        self._stored_at = time.monotonic()
        self._unreadable: ServiceError | None = None

    def run(self) -> None:
        """Consume until ``ingest.stopping`` is set or a limit is reached.

        Raises:
            TooManyBadError: the limit of bad events is reached; they are put aside and committed.
            ServiceError: another member took our name, or a record cannot be read.
        """
        consumer = self._connected()
        if consumer is None:
            return
        try:
            with ThreadPoolExecutor(1, "writer") as writer:
                try:
                    while not self._ends():
                        self._round(consumer, writer)
                finally:
                    self.ingest.stopping.set()
                    self._finish(consumer)
        finally:
            self._leave(consumer)

    def _connected(self) -> Any | None:
        """Return a client once a broker answers, None if the process is to stop before that."""
        while not self.ingest.stopping.is_set():
            self.watch.looped_at = time.time()
            try:
                consumer = self.connect(**self.client_options, partition_assignment_strategy=[KnowingAssignor])
                consumer.subscribe(self.topics, listener=self._listener)
            except (KafkaError, OSError) as error:
                log.warning("no broker answers", extra=fields(said=str(error)[:300]))
                self.ingest.stopping.wait(_RETRY_SECONDS)
            else:
                return consumer
        return None

    def _round(self, consumer: Any, writer: ThreadPoolExecutor) -> None:
        self.watch.looped_at = time.time()
        full = len(self._gathered.messages) >= self.limits.batch_events
        if full and self._work is not None:
            wait([self._work.done], _BUSY_POLL_MS / 1000)  # until then there is nothing else to do
        try:
            assigned = consumer.assignment()
            if full:
                consumer.pause(*assigned)
            elif paused := consumer.paused() & assigned:
                consumer.resume(*paused)
            most = max(1, self.limits.batch_events - len(self._gathered.messages))
            records = self._read(consumer, timeout_ms=0 if full else self._poll_ms(), max_records=most)
        except FencedInstanceIdError:
            raise ServiceError(
                "another process consumes under our name: PLURA_CONSUMER_MEMBER is to be unique"
            ) from None
        except KafkaError as error:
            log.warning("broker refused", extra=fields(said=str(error)[:300]))
            self.ingest.stopping.wait(_RETRY_SECONDS)
            return
        self._give_up_gone()
        for partition, some in records.items():
            self._gathered.take((partition.topic, partition.partition), some)
        self._settle()
        self._submit(writer)
        self._end_if_unreadable()
        self._commit(consumer)
        if time.monotonic() - self._asked > _ASK_SECONDS:
            self._asked = time.monotonic()
            self._ask(consumer)

    def _read(self, consumer: Any, **limits: int) -> Mapping[TopicPartition, list[Any]]:
        """Poll; not after a record that cannot be read, because the client would never return."""
        if self._unreadable:
            self.ingest.stopping.wait(_BUSY_POLL_MS / 1000)
            return {}
        try:
            records: Mapping[TopicPartition, list[Any]] = consumer.poll(**limits)
        except CorruptRecordError as error:
            places = sorted(consumer.assignment() - consumer.paused())
            told = ", ".join(f"{one.topic}-{one.partition} at {consumer.position(one)}" for one in places)
            self._unreadable = ServiceError(f"a record cannot be read: {told}: {error}")
            return {}
        except MISPLACED as error:
            self.placing.place(consumer, error)
            return {}
        return records

    def _end_if_unreadable(self) -> None:
        """End once everything that lies before a record that cannot be read is stored."""
        if self._unreadable and self._work is None and not self._gathered.messages:
            raise self._unreadable

    def _poll_ms(self) -> int:
        if self._gathered.messages or self._work is not None:
            return _BUSY_POLL_MS
        return int(min(self.limits.poll_seconds, _ASK_SECONDS) * 1000)

    def _submit(self, writer: ThreadPoolExecutor) -> None:
        """Give the gathered messages to the writer if they are enough and it is free.

        They are read while it writes others, so that it need not wait for that.
        """
        gathered = self._gathered
        gathered.read(self.ingest.reader)
        if self._work is not None or not gathered.messages:
            return
        waited = time.monotonic() - gathered.since
        if len(gathered.messages) >= self.limits.batch_events or waited >= self.limits.batch_seconds:
            self._work = Work(gathered, writer.submit(self.ingest.write, gathered.batch))
            self._gathered = Gathered()

    def _settle(self) -> None:
        """Take note of a batch that is stored."""
        if self._work is None or not self._work.done.done():
            return
        work, self._work = self._work, None
        try:
            work.done.result()
        except StoppedError:
            return
        self._stored_at = time.monotonic()
        for place, end in work.gathered.ends.items():
            self._uncommitted[place] = end
            if state := self.watch.partitions.get(place):
                state.position = end
        limits, bad = self.limits, self.measuring
        if 0 < limits.most_bad <= bad.bad or 0 < limits.most_bad_in_a_row <= bad.bad_in_a_row:
            raise TooManyBadError(f"{bad.bad} bad events, {bad.bad_in_a_row} of them in a row: something else is wrong")

    def _give_up_gone(self) -> None:
        """Forget what is not stored of partitions that others read now; they begin where we committed."""
        while self._listener.gone:
            gone = self._listener.gone.popleft()
            self._gathered = self._gathered.without(gone)
            if self._work is not None:
                self._work.gathered = self._work.gathered.without(gone)
            for place in gone:
                self._uncommitted.pop(place, None)
                self.watch.partitions.pop(place, None)
                self._behind_since.pop(place, None)

    def _commit(self, consumer: Any) -> None:
        if self._uncommitted:
            offsets, self._uncommitted = self._uncommitted, {}
            consumer.commit_async(_offsets(offsets), callback=self._committed)

    def _committed(self, offsets: Any, response: Any) -> None:
        """See that a commit that failed is made again, unless a later one has overtaken it."""
        if isinstance(response, Exception):
            log.warning("offsets not committed", extra=fields(said=str(response)[:300]))
            for partition, offset in offsets.items():
                place = (partition.topic, partition.partition)
                if place in self.watch.partitions:
                    self._uncommitted.setdefault(place, offset.offset)

    def _ask(self, consumer: Any) -> None:
        """Ask the broker for the ends of our partitions, and keep the state."""
        try:
            partitions = sorted(consumer.assignment())
            # a member without a partition asks as well: that the broker answers is what makes it ready
            asked = partitions or [TopicPartition(self.topics[0], 0)]
            ends = consumer.end_offsets(asked, timeout_ms=_ASK_TIMEOUT_MS)
            positions = {one: consumer.position(one, timeout_ms=_ASK_TIMEOUT_MS) for one in partitions}
        except MISPLACED as error:
            self.placing.place(consumer, error)
            return
        except (KafkaError, ValueError) as error:
            log.warning("ends of partitions unknown", extra=fields(said=str(error)[:300]))
            return
        now = time.time()
        self.watch.assigned((one.topic, one.partition) for one in partitions)
        for one in partitions:
            self._look(one, ends[one], positions[one], now)
        if self._listener.assigned:
            self.watch.asked_at, self.watch.joined = now, True
        self.measuring.lags()
        self.keeper.beat(self.watch.rows())

    def _look(self, partition: TopicPartition, end: int, position: int | None, now: float) -> None:
        """Take the state of a partition as it is now."""
        place = (partition.topic, partition.partition)
        state = self.watch.partitions[place]
        parts = [*([self._work.gathered] if self._work else []), self._gathered]
        waiting = [part.first_at[place] for part in parts if place in part.first_at]
        if not waiting and position is not None:
            state.position = position  # all that was read is stored
        state.end, state.asked_at = end, now
        if state.caught_up():
            self._behind_since.pop(place, None)
            state.oldest_at = None
        else:
            since = self._behind_since.setdefault(place, now)
            state.oldest_at = waiting[0] if waiting else since

    def _ends(self) -> bool:
        limits = self.limits
        if self.ingest.stopping.is_set():
            return True
        if limits.most_messages is not None and self.measuring.stored + self.measuring.bad >= limits.most_messages:
            return True
        is_idle = self._work is None and not self._gathered.messages
        idle = time.monotonic() - self._stored_at
        return limits.most_idle_seconds is not None and is_idle and idle > limits.most_idle_seconds

    def _finish(self, consumer: Any) -> None:
        """Wait for the batch at work, and commit what is stored."""
        if self._work is not None:
            try:
                self._work.done.result()
                for place, end in self._work.gathered.ends.items():
                    self._uncommitted[place] = end
            except StoppedError as error:
                log.warning("stopped while the database is away", extra=fields(said=str(error)))
            self._work = None
        self._give_up_gone()
        try:
            if self._uncommitted:
                consumer.commit(_offsets(self._uncommitted), timeout_ms=_CLOSE_MS)
        except KafkaError as error:
            log.warning("offsets not committed", extra=fields(said=str(error)[:300]))

    def _leave(self, consumer: Any) -> None:
        """Leave the group, so that others go on at once."""
        try:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        except KafkaError as error:
            log.warning("group not left", extra=fields(said=str(error)[:300]))


def _offsets(ends: Mapping[Place, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*place): OffsetAndMetadata(end, "", -1) for place, end in ends.items()}
