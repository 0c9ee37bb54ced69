"""What the consumer does in the database beside its batches: heartbeats, and the end of old dead letters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.observability.logs import fields
from plura.kit.queries import read_queries
from plura.tx.consumer.clock import DatabaseClock
from plura.tx.consumer.state import PartitionState, Place, StoredState
from plura.tx.consumer.topics import Topics

_SQL = read_queries("plura.tx.db", "upkeep.sql")
_RETENTION_SECONDS = 3600.0

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Heartbeat:
    """Works in its own thread, over its own connection; what fails is tried again at the next beat."""

    connect: Callable[[], Connection[TupleRow]]
    group_id: str
    member: str
    retention_days: int
    clock: DatabaseClock
    unread: frozenset[Place] = frozenset()
    """Partitions that nobody in the group has read for half a minute since they were added."""
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "heartbeat"))
    _beat: Future[None] | None = None
    _connection: Connection[TupleRow] | None = None
    _removed_at: float | None = None
    _counts: Mapping[str, int] = field(default_factory=dict)
    """How many partitions of each topic have a row."""

    def stored(self) -> dict[Place, StoredState]:
        """Return what is kept of the group, and set the clock.

        Raises:
            psycopg.Error: the database does not answer.
        """
        with self.connect() as connection:
            self._set_clock(connection)
            rows = connection.execute(_SQL["stored_state"], {"group_id": self.group_id}).fetchall()
        now = time.monotonic()
        return {
            (topic, partition): StoredState(
                position=position,
                end=end,
                waiting_since=None if waiting is None else now - max(0.0, waiting),
                asked_at=now - max(0.0, asked),
            )
            for topic, partition, position, end, waiting, asked in rows
        }

    def beat(self, partitions: Mapping[Place, PartitionState], topics: Topics) -> None:
        """Keep the state of our partitions, unless the last beat is still at work."""
        if self._beat is None or self._beat.done():
            rows = [self._row(place, state) for place, state in partitions.items()]
            self._beat = self._thread.submit(self._work, rows, topics)

    def close(self) -> None:
        """Finish the beat at work."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    def _work(self, rows: Sequence[dict[str, Any]], topics: Topics) -> None:
        try:
            if self._connection is None:
                self._connection = self.connect()
            self._set_clock(self._connection)
            with self._connection.cursor() as cursor:
                now = time.monotonic()
                cursor.executemany(_SQL["keep_state"], [_with_ages(row, now) for row in rows])
                self._keep_partitions(cursor, topics)
            if self._removed_at is None or time.monotonic() - self._removed_at > _RETENTION_SECONDS:
                remove_old_dead_letters(self._connection, self.retention_days)
                self._removed_at = time.monotonic()
        except psycopg.Error as error:
            log.warning("heartbeat not written", extra=fields(said=" ".join(str(error).split())[:300]))
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _keep_partitions(self, cursor: psycopg.Cursor[TupleRow], topics: Topics) -> None:
        """Make sure that each partition has a row, and that no row waits for a partition that does not exist."""
        group = {"group_id": self.group_id, "member": self.member}
        counts = {name: topic.partitions for name, topic in topics.items() if topic is not None}
        if counts != self._counts:
            every = [
                {**group, "topic": name, "partition": partition, "end_offset": topic.ends.get(partition)}
                for name, topic in topics.items()
                if topic is not None
                for partition in range(topic.partitions)
            ]
            cursor.executemany(_SQL["add_partition"], every)
            self._counts = counts
        ended = [{**group, "topic": name, "partitions": count} for name, count in counts.items()]
        cursor.executemany(_SQL["end_partitions"], ended)
        unread = cursor.execute(_SQL["unread_partitions"], group).fetchall()
        self.unread = frozenset((topic, number) for topic, number in unread if number < counts.get(topic, 0))

    def _set_clock(self, connection: Connection[TupleRow]) -> None:
        asked_at = time.monotonic()
        row = connection.execute(_SQL["clock"]).fetchone()
        if row is not None:
            self.clock.set(row[0], asked_at)

    def _row(self, place: Place, state: PartitionState) -> dict[str, Any]:
        topic, partition = place
        end = state.end if state.end is None or state.position is None else max(state.end, state.position)
        return {
            "group_id": self.group_id,
            "member": self.member,
            "topic": topic,
            "partition": partition,
            "position": state.position,
            "end_offset": end,
            "waiting_since": None if state.caught_up() else state.waiting_since,
            "asked_at": state.asked_at,
        }


def _with_ages(row: Mapping[str, Any], now: float) -> dict[str, Any]:
    waiting_since = row["waiting_since"]
    return {
        **row,
        "waiting_seconds": None if waiting_since is None else max(0.0, now - waiting_since),
        "asked_seconds": max(0.0, now - row["asked_at"]),
    }


def remove_old_dead_letters(connection: Connection[TupleRow], days: int) -> int:
    """Remove bad events older than some days and return how many; 0 days or less keep all."""
    removed = 0
    while days > 0:
        some = connection.execute(_SQL["remove_old_dead_letters"], {"days": days}).rowcount
        removed += some
        if not some:
            break
    if removed:
        log.info("old dead letters removed", extra=fields(removed=removed))
    return removed
