"""The outbox and the state of its deliveries: gold.event_outbox, which is only read, and gold.event_delivery."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from python_jobs.instants import utc_naive
from python_jobs.publish.events import Attempt, OutboxEvent, State
from python_jobs.warehouse import LakeError, open_duckdb, plain_errors, warehouse_lock

if TYPE_CHECKING:
    import duckdb

_RECORDING_WAIT_SECONDS = 600.0
"""How long to wait for the warehouse with deliveries in hand: what is not recorded is delivered again."""

# the oldest event of each exception that waits, those that failed before last
_HEADS = """
    select event_id, exception_key, event
    from gold.event_outbox
    inner join (
        select event_id, attempts
        from (
            select
                outbox.event_id,
                coalesce(delivery.attempts, 0) as attempts,
                delivery.last_attempt_at,
                row_number() over (partition by outbox.exception_id order by outbox.sequence) as place
            from gold.event_outbox as outbox
            left join gold.event_delivery as delivery on outbox.event_id = delivery.event_id
            where delivery.state is null or delivery.state = 'waiting'
        ) as waiting
        where place = 1 and (last_attempt_at is null or last_attempt_at < $1)
    ) as heads using (event_id)
    order by heads.attempts, sequence
    limit $2
"""

_RECORD = """
    merge into gold.event_delivery as t
    using (
        select
            unnest($1) as event_id,
            unnest($2) as state,
            unnest($3) as attempts,
            unnest($4) as last_attempt_at,
            unnest($5) as last_error
    ) as s
    on t.event_id = s.event_id
    when matched then update set
        state = s.state,
        attempts = t.attempts + s.attempts,
        last_attempt_at = s.last_attempt_at,
        last_error = s.last_error,
        delivered_at = case s.state when 'delivered' then s.last_attempt_at end
    when not matched then insert (event_id, state, attempts, last_attempt_at, last_error, delivered_at)
    values (
        s.event_id, s.state, s.attempts, s.last_attempt_at, s.last_error,
        case s.state when 'delivered' then s.last_attempt_at end
    )
"""

_REFUSED = """
    select delivery.event_id, outbox.exception_id, delivery.last_error
    from gold.event_delivery as delivery
    inner join gold.event_outbox as outbox on delivery.event_id = outbox.event_id
    where delivery.state = 'refused'
    order by outbox.sequence
    limit $1
"""


@dataclass(frozen=True, kw_only=True)
class RefusedEvent:
    """An event that the receiver will never take, with the exception it tells of in gold.exception_ledger."""

    event_id: str
    exception_id: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How many events wait and how many are refused; ``examples`` are the oldest of the refused."""

    waiting: int
    refused: int
    examples: tuple[RefusedEvent, ...] = ()


class Outbox(Protocol):
    """Events in the order they were written, and what became of each."""

    def exchange(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record what became of events, then read the next ones.

        These are the oldest waiting event of each exception, unless it was tried at ``tried_before`` or later. Those
        that failed before come last, so that they keep nobody waiting.
        """

    def standing(self, *, examples: int = 0) -> Standing:
        """Count what waits and what is refused."""

    def retry_refused(self) -> int:
        """Let every refused event wait again; returns how many there were."""

    def dismiss(self, event_id: str) -> None:
        """Take note that a refused event will not be delivered.

        Raises:
            LakeError: no refused event has this id.
        """


class DuckDBOutbox:
    """The outbox of a DuckDB warehouse, which is locked during each call and never in between."""

    def __init__(self, warehouse: Path, *, wait_seconds: float = 0) -> None:
        self._warehouse = warehouse
        self._wait = wait_seconds

    def exchange(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record what became of events, then read the next ones, under one lock."""
        wait = max(self._wait, _RECORDING_WAIT_SECONDS) if done else self._wait
        with self._open(wait, read_only=not done) as connection:
            if done:
                connection.execute(
                    _RECORD,
                    [
                        [attempt.event_id for attempt in done],
                        [str(attempt.state) for attempt in done],
                        [attempt.count for attempt in done],
                        [utc_naive(attempt.at) for attempt in done],
                        [attempt.error for attempt in done],
                    ],
                )
            if not limit:
                return []
            rows = connection.execute(_HEADS, [utc_naive(tried_before), limit]).fetchall()
        return [OutboxEvent(event_id=row[0], exception_key=row[1], body=row[2]) for row in rows]

    def standing(self, *, examples: int = 0) -> Standing:
        """Count what waits and what is refused."""
        with self._open(self._wait, read_only=True) as connection:
            row = connection.execute(
                "select count(*) filter (where delivery.state is null or delivery.state = 'waiting'),"
                " count(*) filter (where delivery.state = 'refused')"
                " from gold.event_outbox as outbox"
                " left join gold.event_delivery as delivery on outbox.event_id = delivery.event_id"
            ).fetchone()
            assert row is not None
            rows = connection.execute(_REFUSED, [examples]).fetchall()
        return Standing(
            waiting=row[0],
            refused=row[1],
            examples=tuple(RefusedEvent(event_id=one[0], exception_id=one[1], error=one[2] or "") for one in rows),
        )

    def retry_refused(self) -> int:
        """Let every refused event wait again."""
        with self._open(self._wait, read_only=False) as connection:
            changed = connection.execute(
                "update gold.event_delivery set state = 'waiting' where state = 'refused' returning event_id"
            ).fetchall()
        return len(changed)

    def dismiss(self, event_id: str) -> None:
        """Take note that a refused event will not be delivered."""
        with self._open(self._wait, read_only=False) as connection:
            changed = connection.execute(
                "update gold.event_delivery set state = 'dismissed' where state = 'refused' and event_id = $1"
                " returning event_id",
                [event_id],
            ).fetchall()
        if not changed:
            raise LakeError(_NOT_REFUSED.format(event_id=event_id))

    def version(self) -> tuple[int, int]:
        """Say what changes whenever somebody writes to the warehouse; nothing is opened for it."""
        files = (self._warehouse, self._warehouse.with_name(self._warehouse.name + ".wal"))
        stamps = [file.stat() for file in files if file.exists()]
        return max((stamp.st_mtime_ns for stamp in stamps), default=0), sum(stamp.st_size for stamp in stamps)

    @contextmanager
    def _open(self, wait: float, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with (
            warehouse_lock(self._warehouse, wait_seconds=wait),
            open_duckdb(self._warehouse, read_only=read_only) as connection,
        ):
            found = connection.execute(
                "select count(*) from duckdb_tables()"
                " where schema_name = 'gold' and table_name in ('event_outbox', 'event_delivery')"
            ).fetchone()
            if found != (2,):
                raise LakeError("there is no outbox in this warehouse yet: run the pipelines first (plura lake run)")
            yield connection


@contextmanager
def sole_publisher(warehouse: Path) -> Iterator[None]:
    """Keep other publishers of the warehouse away: two would send everything twice. Loads and runs go on.

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


_NOT_REFUSED = "no refused event has the id {event_id}: plura lake publish lists them"


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
    """The twin of the real outbox: the same answers from lists."""

    rows: list[_Row] = field(default_factory=list)

    def add(self, event: OutboxEvent, *, exception_id: str) -> None:
        """Write an event, as a run of the pipelines does."""
        self.rows.append(_Row(event=event, exception_id=exception_id))

    def exchange(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
        """Record what became of events, then read the next ones."""
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

    def standing(self, *, examples: int = 0) -> Standing:
        """Count what waits and what is refused."""
        refused = [row for row in self.rows if row.state is State.REFUSED]
        return Standing(
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
        """Take note that a refused event will not be delivered."""
        for row in self.rows:
            if row.event.event_id == event_id and row.state is State.REFUSED:
                row.state = State.DISMISSED
                return
        raise LakeError(_NOT_REFUSED.format(event_id=event_id))
