"""The consumer's work in the database besides batches: heartbeats, and removal of old dead letters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, TupleRow, dict_row, scalar_row

from plura.kit.kafka_consumer.clock import DatabaseClock
from plura.kit.kafka_consumer.state import PartitionState, Place, StoredState
from plura.kit.kafka_consumer.topics import Topics
from plura.kit.observability.logs import fields
from plura.kit.queries import read_queries
from plura.kit.rows import row_of

_SQL = read_queries("plura.tx.db", "upkeep.sql")
_RETENTION_SECONDS = 3600.0

log = logging.getLogger(__name__)


class _StateRow(NamedTuple):
    """A row of ``bo.consumer_state``, its times as ages in seconds."""

    topic: str
    partition: int
    position: int | None
    end_offset: int | None
    waiting_seconds: float | None
    asked_seconds: float


@dataclass(kw_only=True)
class Heartbeat:
    """Works in its own thread with its own connection; a failed beat is retried at the next one."""

    connect: Callable[[], Connection[TupleRow]]
    group_id: str
    member: str
    retention_days: int
    clock: DatabaseClock
    unread: frozenset[Place] = frozenset()
    """Partitions that no member of the group has read within half a minute of their creation."""
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "heartbeat"))
    _beat: Future[None] | None = None
    _connection: Connection[TupleRow] | None = None
    _removed_at: float | None = None
    _counts: Mapping[str, int] = field(default_factory=dict)
    """Number of partitions of each topic that have a row."""

    def stored(self) -> dict[Place, StoredState]:
        """Return the stored state of the group's partitions, and set the clock.

        Raises:
            psycopg.Error: the database does not answer.
        """
        with self.connect() as connection:
            self._set_clock(connection)
            cursor = connection.cursor(row_factory=row_of(_StateRow))
            rows = cursor.execute(_SQL["stored_state"], {"group_id": self.group_id}).fetchall()
        now = time.monotonic()
        return {
            (row.topic, row.partition): StoredState(
                position=row.position,
                end=row.end_offset,
                waiting_since=None if row.waiting_seconds is None else now - max(0.0, row.waiting_seconds),
                asked_at=now - max(0.0, row.asked_seconds),
            )
            for row in rows
        }

    def beat(self, partitions: Mapping[Place, PartitionState], topics: Topics) -> None:
        """Store the state of our partitions, unless the previous beat is still running."""
        if self._beat is None or self._beat.done():
            rows = [self._row(place, state) for place, state in partitions.items()]
            self._beat = self._thread.submit(self._work, rows, topics)

    def close(self) -> None:
        """Finish the running beat."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    def _work(self, rows: Sequence[dict[str, Any]], topics: Topics) -> None:
        try:
            if self._connection is None:
                self._connection = self.connect()
            self._set_clock(self._connection)
            with self._connection.cursor(row_factory=dict_row) as cursor:
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

    def _keep_partitions(self, cursor: psycopg.Cursor[DictRow], topics: Topics) -> None:
        """Ensure that each partition has a row, and that no row waits for a partition that does not exist."""
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
        self.unread = frozenset(
            (row["topic"], row["partition"]) for row in unread if row["partition"] < counts.get(row["topic"], 0)
        )

    def _set_clock(self, connection: Connection[TupleRow]) -> None:
        asked_at = time.monotonic()
        epoch = connection.cursor(row_factory=scalar_row).execute(_SQL["clock"]).fetchone()
        if epoch is not None:
            self.clock.set(epoch, asked_at)

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
    """Remove bad events that are older than ``days`` and return their number; 0 or less keeps all."""
    removed = 0
    while days > 0:
        count = connection.execute(_SQL["remove_old_dead_letters"], {"days": days}).rowcount
        removed += count
        if not count:
            break
    if removed:
        log.info("old dead letters removed", extra=fields(removed=removed))
    return removed
