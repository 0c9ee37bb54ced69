"""Writes batches into PostgreSQL, each in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.rows import TupleRow, scalar_row

from plura.kit.queries import read_queries
from plura.kit.rows import row_of
from plura.tx.consumer.batches import Batch
from plura.tx.consumer.contract import KINDS

_SQL = read_queries("plura.tx.db", "ingest.sql")
_LOCK_SPACE = 0x626F7072
"""First key of the advisory locks on orders whose pairs are computed."""


class RejectedBatchError(Exception):
    """The database rejects a value of the batch; the rest can be written without it."""


class UnavailableError(Exception):
    """The database cannot write now; the same batch can be written later."""


class _Pairs(NamedTuple):
    """Result of the statement ``pair_touched_orders``."""

    pairs: int
    incomplete_ages: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a transaction changed."""

    changed: Mapping[str, int]
    """For each kind: rows that were new or won over the stored row."""
    less_information: Mapping[str, int]
    """For each kind: rows that lost because they have less information about their order than the stored row."""
    pairs: int = 0
    incomplete_ages: Sequence[float] = ()
    """Seconds since the last entry of each pair with a single side."""


WriteAlso = Callable[[Connection[TupleRow], Batch], None]
"""Writes more in the same transaction as a batch."""

Queried = Callable[[str, str, bool, float], None]
"""Called after a statement with its operation, its table, whether it succeeded, and its seconds."""


class Store(Protocol):
    """Where batches go."""

    def write(self, batch: Batch, also: WriteAlso | None = None) -> Written:
        """Write a batch and return what changed; nothing of it is written if this fails."""

    def close(self) -> None:
        """Close the connection."""


class PostgresStore:
    """Writes over a single connection, which is replaced after a failure."""

    def __init__(self, connect: Callable[[], Connection[TupleRow]], queried: Queried = lambda *_: None) -> None:
        """Keep the function that opens a connection with the rights of the consumer.

        ``queried`` is called after every statement.
        """
        self._connect = connect
        self._queried = queried
        self._connection: Connection[TupleRow] | None = None

    def write(self, batch: Batch, also: WriteAlso | None = None) -> Written:
        """Write a batch in one transaction: rows, pairs, dead letters, and what ``also`` writes.

        Raises:
            RejectedBatchError: the database rejects a value of the batch.
            UnavailableError: the database does not answer, or cannot write now.
        """
        try:
            connection = self._ready()
            with connection.transaction():
                written = self._write(connection, batch)
                if also is not None:
                    also(connection, batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise RejectedBatchError(_said(error)) from error
        except psycopg.Error as error:
            self.close()
            raise UnavailableError(_said(error)) from error
        return written

    def close(self) -> None:
        """Close the connection; the next batch opens a new connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _ready(self) -> Connection[TupleRow]:
        if self._connection is None:
            connection = self._connect()
            # pairs are computed after a lock is taken, from what other transactions have committed by then
            connection.isolation_level = IsolationLevel.READ_COMMITTED
            connection.execute(_SQL["create_staging"])
            self._connection = connection
        return self._connection

    def _write(self, connection: Connection[TupleRow], batch: Batch) -> Written:
        changed: dict[str, int] = {}
        less: dict[str, int] = {}
        for kind in KINDS.values():
            rows = batch.rows.get(kind.name)
            if not rows:
                continue
            with connection.cursor(row_factory=scalar_row) as cursor:
                with self._timed("copy", kind.table), cursor.copy(_SQL[f"copy_{kind.name}"]) as copy:
                    copy.write("".join(f"{row.line}\t\\\\x{row.order[-1].hex()}\n" for row in rows.values()))
                with self._timed("upsert", kind.table):
                    changed[kind.name] = int(cursor.execute(_SQL[f"upsert_{kind.name}"]).fetchone() or 0)
                if changed[kind.name] < len(rows):
                    counting = _SQL[f"count_less_information_{kind.name}"]
                    less[kind.name] = int(cursor.execute(counting).fetchone() or 0)
        if batch.dead:
            with self._timed("insert", "consumer_dlq_events"), connection.cursor() as cursor:
                cursor.executemany(_SQL["put_aside"], [letter.row() for letter in batch.dead])
        if not sum(changed.values()):
            return Written(changed=changed, less_information=less)
        with self._timed("lock", "payment_ledger_pairs"):
            connection.execute(_SQL["lock_touched_orders"], {"space": _LOCK_SPACE})
        with self._timed("pair", "payment_ledger_pairs"):
            computed = connection.cursor(row_factory=row_of(_Pairs)).execute(_SQL["pair_touched_orders"]).fetchone()
        assert computed is not None
        return Written(
            changed=changed,
            less_information=less,
            pairs=computed.pairs,
            incomplete_ages=computed.incomplete_ages,
        )

    @contextmanager
    def _timed(self, operation: str, table: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except psycopg.Error:
            self._queried(operation, table, False, time.perf_counter() - started)
            raise
        self._queried(operation, table, True, time.perf_counter() - started)


def _said(error: psycopg.Error) -> str:
    code = f"{error.sqlstate} " if error.sqlstate else ""
    return code + " ".join(str(error).split())[:500]
