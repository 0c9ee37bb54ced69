"""Reads topics and stores batches: one thread polls and parses while another writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    CorruptRecordError,
    FencedInstanceIdError,
    KafkaError,
    UnsupportedCodecError,
)
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from plura.kit.errors import ServiceError
from plura.kit.kafka_client import ReadOnlyTopicsClient
from plura.kit.kafka_consumer.assignor import KnownTopicsAssignor
from plura.kit.kafka_consumer.gathering import Gathered, Limits
from plura.kit.kafka_consumer.incarnations import Incarnations
from plura.kit.kafka_consumer.offset_reset import RESETS, OffsetResetPolicy
from plura.kit.kafka_consumer.parts import B, Counts, Keeper, Sink, StoppedError
from plura.kit.kafka_consumer.positions import PartitionTracker
from plura.kit.kafka_consumer.rebalances import RebalanceListener
from plura.kit.kafka_consumer.state import ConsumerState, Place
from plura.kit.kafka_consumer.topics import TopicMonitor
from plura.kit.observability.logs import fields

_ASK_SECONDS = 1.0
"""How often topics and end offsets are requested from the broker, and the state is stored."""
_BUSY_POLL_MS = 10
"""Longest poll while a batch is gathered or written, so that neither delays the other."""
_RETRY_SECONDS = 1.0
_REJOIN_SECONDS = 60.0
_CLOSE_MS = 5000
_UNREADABLE = (CorruptRecordError, UnsupportedCodecError)
"""After one of these errors the client never gets past the record."""

log = logging.getLogger(__name__)


class TooManyBadError(ServiceError):
    """The limit of bad events is reached: something else is wrong."""


@dataclass
class Work:
    """A batch that is being written."""

    gathered: Gathered
    done: Future[None]


@dataclass(kw_only=True)
class ConsumeLoop(Generic[B]):
    """Consumes until ``sink.stopping`` is set.

    An offset is committed only when everything before it is stored or put aside. While the database is unavailable, the
    partitions are paused and polling continues, so that this member stays in the group. While the broker is
    unavailable, the loop waits.
    """

    topics: list[str]
    client_options: Mapping[str, Any]
    sink: Sink[B]
    state: ConsumerState
    counts: Counts
    keeper: Keeper
    offset_reset: OffsetResetPolicy
    monitor: TopicMonitor
    limits: Limits
    tracker: PartitionTracker
    incarnations: Incarnations
    member_setting: str
    """The setting that names this member of the group."""
    connect: Callable[..., Any] = KafkaConsumer

    def __post_init__(self) -> None:
        """Start with nothing gathered."""
        self._listener = RebalanceListener()
        self._gathered = Gathered()
        self._batch = self.sink.new_batch()
        self._largest = 0
        self._work: Work | None = None
        self._uncommitted: dict[Place, int] = {}
        self._asked = 0.0
        self._rejoined_at = 0.0
        self._stored_at = time.monotonic()
        self._unreadable: ServiceError | None = None

    def run(self) -> None:
        """Consume until ``sink.stopping`` is set or a limit is reached.

        Raises:
            TooManyBadError: the limit of bad events is reached; they are put aside and committed.
            ServiceError: another member has our name, or a record cannot be read.
        """
        consumer = self._connected()
        if consumer is None:
            return
        try:
            with ThreadPoolExecutor(1, "writer") as writer:
                try:
                    while not self._is_over():
                        self._round(consumer, writer)
                finally:
                    self.sink.stopping.set()
                    self._finish(consumer)
        finally:
            self._leave(consumer)

    def _connected(self) -> Any | None:
        """Return a client once a broker answers, None if the process stops before."""
        assignor = KnownTopicsAssignor(lambda: self.monitor.topics)
        while not self.sink.stopping.is_set():
            self.state.looped_at = time.monotonic()
            self.monitor.look()
            try:
                consumer = self.connect(
                    **self.client_options,
                    partition_assignment_strategy=[assignor],
                    kafka_client=ReadOnlyTopicsClient,
                )
                consumer.subscribe(self.topics, listener=self._listener)
            except (KafkaError, OSError) as error:
                log.warning("no broker answers", extra=fields(said=str(error)[:300]))
                self.sink.stopping.wait(_RETRY_SECONDS)
            else:
                return consumer
        return None

    def _round(self, consumer: Any, writer: ThreadPoolExecutor) -> None:
        self.state.looped_at = time.monotonic()
        full = self._gathered.is_full(self.limits)
        if full and self._work is not None:
            wait([self._work.done], _BUSY_POLL_MS / 1000)  # nothing else to do meanwhile
        try:
            records = self._poll(consumer, full=full)
            self._take_rebalances()
            for partition, batch in records.items():
                # read while the writer is busy, so that it does not wait for it
                for message in self._gathered.take((partition.topic, partition.partition), batch):
                    self.sink.add(self._batch, message)
            self._settle()
            self._submit(writer)
            self._raise_if_unreadable()
            self._commit(consumer)
        except FencedInstanceIdError:
            raise ServiceError(
                f"another process consumes under the same name: {self.member_setting} has to be unique"
            ) from None
        except KafkaError as error:
            log.warning("broker refused", extra=fields(said=str(error)[:300]))
            self.sink.stopping.wait(_RETRY_SECONDS)
            return
        if time.monotonic() - self._asked > _ASK_SECONDS:
            self._asked = time.monotonic()
            self._observe(consumer)

    def _poll(self, consumer: Any, *, full: bool) -> Mapping[TopicPartition, list[Any]]:
        """Poll the client; while a batch is full, for no records."""
        assigned = consumer.assignment()
        if full:
            consumer.pause(*assigned)
        elif paused := consumer.paused() & assigned:
            consumer.resume(*paused)
        room = self._gathered.room(self.limits, self._largest)
        return self._read(consumer, timeout_ms=0 if full else self._poll_ms(), max_records=room)

    def _read(self, consumer: Any, **limits: int) -> Mapping[TopicPartition, list[Any]]:
        """Poll, unless a record cannot be read: the client would never return."""
        if self._unreadable:
            self.sink.stopping.wait(_BUSY_POLL_MS / 1000)
            return {}
        try:
            records: Mapping[TopicPartition, list[Any]] = consumer.poll(**limits)
        except _UNREADABLE as error:
            places = sorted(consumer.assignment() - consumer.paused())
            named = ", ".join(f"{place.topic}-{place.partition} at {consumer.position(place)}" for place in places)
            self._unreadable = ServiceError(f"a record cannot be read: {named}: {error}")
            return {}
        except RESETS as error:
            self.offset_reset.apply(consumer, error)
            return {}
        return records

    def _raise_if_unreadable(self) -> None:
        """End once everything before the unreadable record is stored."""
        if self._unreadable and self._work is None and not self._gathered.messages:
            raise self._unreadable

    def _poll_ms(self) -> int:
        if self._gathered.messages or self._work is not None:
            return _BUSY_POLL_MS
        return int(min(self.limits.poll_seconds, _ASK_SECONDS) * 1000)

    def _submit(self, writer: ThreadPoolExecutor) -> None:
        """Give the gathered messages to the writer if it is free and the batch is full or old enough."""
        gathered = self._gathered
        if self._work is not None or not gathered.messages:
            return
        waited = time.monotonic() - gathered.since
        if gathered.is_full(self.limits) or waited >= self.limits.batch_seconds:
            self._work = Work(gathered, writer.submit(self.sink.write, self._batch))
            self._largest = gathered.largest
            self._gathered, self._batch = Gathered(), self.sink.new_batch()

    def _settle(self) -> None:
        """Take the result of a batch that was written."""
        if self._work is None or not self._work.done.done():
            return
        work, self._work = self._work, None
        try:
            work.done.result()
        except StoppedError:
            return
        self._stored_at = time.monotonic()
        self._uncommitted |= work.gathered.ends
        self.tracker.stored(work.gathered.ends)
        limits, bad = self.limits, self.counts
        if 0 < limits.most_bad <= bad.bad or 0 < limits.most_bad_in_a_row <= bad.bad_in_a_row:
            raise TooManyBadError(f"{bad.bad} bad events, {bad.bad_in_a_row} of them in a row: something else is wrong")

    def _take_rebalances(self) -> None:
        """Drop the offsets of partitions that other members read now, from what we committed."""
        gone, new = self._listener.changes()
        self.state.joined = self._listener.is_member
        self.incarnations.assigned(gone, new)
        self._forget(gone)
        self.tracker.gone(gone)

    def _forget(self, places: Iterable[Place]) -> None:
        """Do not commit offsets of some partitions."""
        for place in places:
            self._uncommitted.pop(place, None)
        self._gathered.disown(places)
        if self._work is not None:
            self._work.gathered.disown(places)

    def _commit(self, consumer: Any) -> None:
        ready = {place: end for place, end in self._uncommitted.items() if self.incarnations.is_checked(place)}
        if ready:
            consumer.commit_async(self._offsets(ready), callback=self._committed)
            for place in ready:
                del self._uncommitted[place]

    def _committed(self, offsets: Any, response: Any) -> None:
        """Retry a commit that failed, unless a later commit has overtaken it."""
        if isinstance(response, Exception):
            log.warning("offsets not committed", extra=fields(said=str(response)[:300]))
            for partition, offset in offsets.items():
                place = (partition.topic, partition.partition)
                held = self.incarnations.topic_id(partition.topic)
                if place in self.state.partitions and offset.metadata == held:
                    self._uncommitted.setdefault(place, offset.offset)

    def _offsets(self, ends: Mapping[Place, int]) -> dict[TopicPartition, OffsetAndMetadata]:
        topic_id = self.incarnations.topic_id
        return {TopicPartition(*place): OffsetAndMetadata(end, topic_id(place[0]), -1) for place, end in ends.items()}

    def _observe(self, consumer: Any) -> None:
        """Take the brokers' view of our topics, and store the state."""
        try:
            if self.monitor.look():
                for topic in self.incarnations.see(self.monitor.topics):
                    self._restart_topic(consumer, topic)
                self.tracker.see(self.monitor.topics, self.monitor.seen_at)
                self.offset_reset.await_topics(self.state.missing_since)
            self._rewind(consumer, self.incarnations.check(consumer))
            try:
                self.tracker.update(consumer, self._waiting())
            except RESETS as error:
                self.offset_reset.apply(consumer, error)
                return
        except (KafkaError, ValueError) as error:
            log.warning("positions unknown", extra=fields(said=str(error)[:300]))
            return
        self.counts.set_lags()
        self.keeper.beat(self.state.partitions, self.monitor.topics)
        self._rejoin_for(consumer, self.keeper.unread)

    def _rejoin_for(self, consumer: Any, unread: Iterable[Place]) -> None:
        """Request a rebalance if the group has overlooked partitions.

        Only the leader of a group notices that a topic grew. A leader that is killed and returns under its name gets
        its old assignment, without the information that it leads: then nobody notices. A new join gives it back.
        """
        if unread and time.monotonic() - self._rejoined_at > _REJOIN_SECONDS:
            self._rejoined_at = time.monotonic()
            log.warning("partitions are read by nobody: joining again", extra=fields(partitions=sorted(unread)))
            consumer._coordinator.request_rejoin()  # noqa: SLF001  # the client has no public method for it

    def _waiting(self) -> list[Gathered]:
        """Return the messages that are not stored yet, the oldest first."""
        return [*([self._work.gathered] if self._work else []), self._gathered]

    def _restart_topic(self, consumer: Any, topic: str) -> None:
        """Read a topic that was recreated from its first record."""
        self.counts.recreated(topic)
        self.tracker.recreated(topic)
        self._forget([place for place in self._uncommitted if place[0] == topic])
        assigned = {(part.topic, part.partition) for part in consumer.assignment() if part.topic == topic}
        self._rewind(consumer, assigned)

    def _rewind(self, consumer: Any, places: set[Place]) -> None:
        """Read partitions from their first record."""
        self._forget(places)
        for place in places:
            consumer.seek_to_beginning(TopicPartition(*place))

    def _is_over(self) -> bool:
        limits = self.limits
        if self.sink.stopping.is_set():
            return True
        if limits.most_messages is not None and self.counts.stored + self.counts.bad >= limits.most_messages:
            return True
        is_idle = self._work is None and not self._gathered.messages
        idle = time.monotonic() - self._stored_at
        return limits.most_idle_seconds is not None and is_idle and idle > limits.most_idle_seconds

    def _finish(self, consumer: Any) -> None:
        """Wait for the batch that is being written, and commit what is stored."""
        if self._work is not None:
            try:
                self._work.done.result()
                self._uncommitted |= self._work.gathered.ends
            except StoppedError as error:
                log.warning("stopped while the database is unavailable", extra=fields(said=str(error)))
            self._work = None
        self._take_rebalances()
        ready = {place: end for place, end in self._uncommitted.items() if self.incarnations.is_checked(place)}
        try:
            if ready:
                consumer.commit(self._offsets(ready), timeout_ms=_CLOSE_MS)
        except KafkaError as error:
            log.warning("offsets not committed", extra=fields(said=str(error)[:300]))

    def _leave(self, consumer: Any) -> None:
        """Leave the group, so that other members take over at once."""
        try:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        except KafkaError as error:
            log.warning("group not left", extra=fields(said=str(error)[:300]))
