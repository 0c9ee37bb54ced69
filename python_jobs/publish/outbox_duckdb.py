"""The outbox of a DuckDB warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.instants import utc_naive
from python_jobs.publish.events import Attempt, OutboxEvent
from python_jobs.publish.outbox import OutboxCounts, not_refused
from python_jobs.publish.outbox_tables import (
    DISMISS,
    RECORD,
    RETRY_REFUSED,
    read_counts,
    read_heads,
    require_outbox,
)
from python_jobs.report import DuckDBReader
from python_jobs.warehouse import open_duckdb, warehouse_lock

if TYPE_CHECKING:
    import duckdb

_RECORDING_WAIT_SECONDS = 600.0
"""How long to wait for the warehouse with unrecorded deliveries: they would be delivered again."""

_GIVEN = """
    select
        unnest($event_id) as event_id,
        unnest($state) as state,
        unnest($attempts) as attempts,
        unnest($last_attempt_at) as last_attempt_at,
        unnest($last_error) as last_error
"""


class DuckDBOutbox:
    """The outbox of a DuckDB warehouse, which is locked during each call and never in between."""

    def __init__(self, warehouse: Path, *, wait_seconds: float = 0) -> None:
        self._warehouse = warehouse
        self._wait = wait_seconds

    def record_and_read(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record the outcomes of events, then read the next ones, under one lock."""
        wait = max(self._wait, _RECORDING_WAIT_SECONDS) if done else self._wait
        with self._open(wait, read_only=not done) as connection:
            if done:
                connection.execute(
                    RECORD.format(given=_GIVEN),
                    {
                        "event_id": [attempt.event_id for attempt in done],
                        "state": [str(attempt.state) for attempt in done],
                        "attempts": [attempt.count for attempt in done],
                        "last_attempt_at": [utc_naive(attempt.at) for attempt in done],
                        "last_error": [attempt.error for attempt in done],
                    },
                )
            return read_heads(DuckDBReader(connection), limit=limit, tried_before=tried_before) if limit else []

    def counts(self, *, examples: int = 0) -> OutboxCounts:
        """Count waiting and refused events."""
        with self._open(self._wait, read_only=True) as connection:
            return read_counts(DuckDBReader(connection), examples=examples)

    def retry_refused(self) -> int:
        """Let every refused event wait again."""
        with self._open(self._wait, read_only=False) as connection:
            return len(connection.execute(f"{RETRY_REFUSED} returning event_id").fetchall())

    def dismiss(self, event_id: str) -> None:
        """Record that a refused event will not be delivered."""
        with self._open(self._wait, read_only=False) as connection:
            changed = connection.execute(f"{DISMISS} returning event_id", {"event_id": event_id}).fetchall()
        if not changed:
            raise not_refused(event_id)

    def version(self) -> tuple[int, int]:
        """Return a value that changes with every write to the warehouse; nothing is opened."""
        files = (self._warehouse, self._warehouse.with_name(self._warehouse.name + ".wal"))
        stamps = [file.stat() for file in files if file.exists()]
        return max((stamp.st_mtime_ns for stamp in stamps), default=0), sum(stamp.st_size for stamp in stamps)

    @contextmanager
    def _open(self, wait: float, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with (
            warehouse_lock(self._warehouse, wait_seconds=wait),
            open_duckdb(self._warehouse, read_only=read_only) as connection,
        ):
            require_outbox(DuckDBReader(connection))
            yield connection
