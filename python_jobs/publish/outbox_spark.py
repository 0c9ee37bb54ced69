"""The outbox on Delta Lake."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.instants import epoch_us
from python_jobs.publish.events import Attempt, OutboxEvent
from python_jobs.publish.outbox import OutboxCounts, not_refused
from python_jobs.publish.outbox_tables import (
    DISMISS,
    OUTBOX,
    RECORD,
    RETRY_REFUSED,
    read_counts,
    read_heads,
    require_outbox,
)
from python_jobs.report import SparkReader
from python_jobs.spark import plain_spark_errors, write

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_GIVEN = """
    select event_id, state, attempts, timestamp_micros(last_attempt_us) as last_attempt_at, last_error
    from (
        select inline(from_json($given, 'array<struct<
            event_id: string, state: string, attempts: bigint, last_attempt_us: bigint, last_error: string
        >>'))
    ) as given
"""


class SparkOutbox:
    """The outbox in the catalog of a Spark session; what a call writes is one commit of Delta."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def record_and_read(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record the outcomes of events, then read the next ones."""
        with self._reader() as reader:
            if done:
                given = [
                    {
                        "event_id": attempt.event_id,
                        "state": str(attempt.state),
                        "attempts": attempt.count,
                        "last_attempt_us": epoch_us(attempt.at),
                        "last_error": attempt.error,
                    }
                    for attempt in done
                ]
                write(self._session, RECORD.format(given=_GIVEN), given=json.dumps(given))
            return read_heads(reader, limit=limit, tried_before=tried_before) if limit else []

    def counts(self, *, examples: int = 0) -> OutboxCounts:
        """Count waiting and refused events."""
        with self._reader() as reader:
            return read_counts(reader, examples=examples)

    def retry_refused(self) -> int:
        """Let every refused event wait again."""
        with self._reader():
            return write(self._session, RETRY_REFUSED)

    def dismiss(self, event_id: str) -> None:
        """Record that a refused event will not be delivered."""
        with self._reader():
            if not write(self._session, DISMISS, event_id=event_id):
                raise not_refused(event_id)

    def version(self) -> int:
        """Return the newest commit of the outbox's table; a publisher writes to the other table."""
        with self._reader() as reader:
            return int(reader.rows(f"describe history gold.{OUTBOX} limit 1")[0]["version"])

    @contextmanager
    def _reader(self) -> Iterator[SparkReader]:
        with plain_spark_errors():
            reader = SparkReader(self._session)
            require_outbox(reader)
            yield reader


def version_on_disk(warehouse: Path) -> str | None:
    """Return the newest commit as ``SparkOutbox.version`` does, from its files; None without an outbox."""
    return max((file.name for file in (warehouse / "gold.db" / OUTBOX / "_delta_log").glob("*.json")), default=None)
