"""What the consumer does in the database beside its batches: heartbeats, and the end of old dead letters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.observability.logs import fields
from plura.kit.queries import read_queries

_SQL = read_queries("plura.tx.db", "upkeep.sql")
_RETENTION_SECONDS = 3600.0

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Keeper:
    """Works in a thread of its own, over a connection of its own; what fails is tried again at the next beat."""

    connect: Callable[[], Connection[TupleRow]]
    group_id: str
    member: str
    retention_days: int
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "keeper"))
    _beat: Future[None] | None = None
    _connection: Connection[TupleRow] | None = None
    _removed_at: float | None = None

    def beat(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keep the state of partitions, unless the last beat is still at work."""
        if self._beat is None or self._beat.done():
            self._beat = self._thread.submit(self._work, rows)

    def close(self) -> None:
        """Finish the beat at work."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    def _work(self, rows: Sequence[dict[str, Any]]) -> None:
        try:
            if self._connection is None:
                self._connection = self.connect()
            with self._connection.cursor() as cursor:
                cursor.executemany(_SQL["keep_state"], [self._row(row) for row in rows])
            if self._removed_at is None or time.monotonic() - self._removed_at > _RETENTION_SECONDS:
                remove_old_dead_letters(self._connection, self.retention_days)
                self._removed_at = time.monotonic()
        except psycopg.Error as error:
            log.warning("heartbeat not written", extra=fields(said=" ".join(str(error).split())[:300]))
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        times = {
            name: None if row[name] is None else datetime.fromtimestamp(row[name], UTC)
            for name in ("oldest_uncommitted_at", "polled_at")
        }
        return {"group_id": self.group_id, "member": self.member, **row, **times}


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
