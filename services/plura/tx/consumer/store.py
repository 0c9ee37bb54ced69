"""Writes batches into PostgreSQL, each in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.rows import TupleRow

from plura.kit.queries import read_queries
from plura.tx.consumer.batches import Batch
from plura.tx.consumer.contract import KINDS

_SQL = read_queries("plura.tx.db", "ingest.sql")
_LOCK_SPACE = 0x626F7072
"""First key of the advisory locks on orders whose pairs are computed."""


class RejectedBatchError(Exception):
    """The database refuses something in a batch; without it the rest can be written."""


class UnavailableError(Exception):
    """The database cannot write now; the same batch can be written later."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a transaction changed."""

    changed: Mapping[str, int]
    """For each kind: rows that were new or won over the stored one."""
    less_information: Mapping[str, int]
    """For each kind: rows that lost because they say less about their order than the stored one."""
    pairs: int = 0
    incomplete_ages: Sequence[float] = ()
    """Seconds since the last entry of each pair that has one side."""


Also = Callable[[Connection[TupleRow], Batch], None]
"""What is to be written in the same transaction as a batch."""

Queried = Callable[[str, str, bool, float], None]
"""Told of a statement: what it does, the table, whether it went well, and its seconds."""


class Store(Protocol):
    """Where batches go."""

    def write(self, batch: Batch, also: Also | None = None) -> Written:
        """Write a batch and return what changed; nothing of it is written if this fails."""

    def close(self) -> None:
        """Give the connection up."""


class PostgresStore:
    """Writes over one connection, which is recreated after a failure."""

    def __init__(self, connect: Callable[[], Connection[TupleRow]], queried: Queried = lambda *_: None) -> None:
        """Take the function that makes a connection with the rights of the consumer.

        ``queried`` is told of every statement.
        """
        self._connect = connect
        self._queried = queried
        self._connection: Connection[TupleRow] | None = None

    def write(self, batch: Batch, also: Also | None = None) -> Written:
        """Write a batch in one transaction: rows, pairs, dead letters, and what ``also`` writes.

        Raises:
            RejectedBatchError: the database refuses a value of the batch.
            UnavailableError: it does not answer, or cannot do it now.
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
        """Give the connection up; the next batch makes a new one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _ready(self) -> Connection[TupleRow]:
        if self._connection is None:
            connection = self._connect()
            # pairs are computed after a lock is held, from what others have committed until then
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
            with connection.cursor() as cursor:
                with self._timed("copy", kind.table), cursor.copy(_SQL[f"copy_{kind.name}"]) as copy:
                    copy.write("".join(f"{row.line}\t\\\\x{row.order[-1].hex()}\n" for row in rows.values()))
                with self._timed("upsert", kind.table):
                    changed[kind.name] = _number(cursor.execute(_SQL[f"upsert_{kind.name}"]).fetchone())
                if changed[kind.name] < len(rows):
                    counting = _SQL[f"count_less_information_{kind.name}"]
                    less[kind.name] = _number(cursor.execute(counting).fetchone())
        if batch.dead:
            with self._timed("insert", "consumer_dlq_events"), connection.cursor() as cursor:
                cursor.executemany(_SQL["put_aside"], [letter.row() for letter in batch.dead])
        if not sum(changed.values()):
            return Written(changed=changed, less_information=less)
        with self._timed("lock", "payment_ledger_pairs"):
            connection.execute(_SQL["lock_touched_orders"], {"space": _LOCK_SPACE})
        with self._timed("pair", "payment_ledger_pairs"):
            pairs, ages = connection.execute(_SQL["pair_touched_orders"]).fetchone() or (0, [])
        return Written(changed=changed, less_information=less, pairs=pairs, incomplete_ages=ages)

    @contextmanager
    def _timed(self, operation: str, table: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except psycopg.Error:
            self._queried(operation, table, False, time.perf_counter() - started)
            raise
        self._queried(operation, table, True, time.perf_counter() - started)


def _number(row: Sequence[Any] | None) -> int:
    return int(row[0]) if row else 0


def _said(error: psycopg.Error) -> str:
    code = f"{error.sqlstate} " if error.sqlstate else ""
    return code + " ".join(str(error).split())[:500]
