"""The statements of an API: prepared, measured, and repeated once if the connection was unusable."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import BaseRowFactory, TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from plura.kit.http.errors import SessionEndedError, UnavailableError
from plura.kit.observability.logs import fields
from plura.kit.observability.metrics import DatabaseMetrics

_LOG = logging.getLogger(__name__)
_LONGEST_LOGGED = 300
_LONGEST_WAIT_SECONDS = 3.0
"""For a connection: an administrator learns soon that none is available."""

_SESSION_ENDED = "PL401"
"""SQLSTATE of ``bo.require_open_session``."""
_READ_ONLY = "25006"
_UNUSABLE = (_READ_ONLY, "08", "57P")
"""Prefixes of the SQLSTATEs after which a connection is unusable, even if it still responds.

The server became read-only, as a demoted primary does; the connection is lost, perhaps between a pooler and the
server; or the server shuts down, has crashed, or does not accept connections yet.
"""

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
Row = TypeVar("Row")
Result = TypeVar("Result")


class Statements:
    """Runs named statements of a file.

    ``role`` is the role of the pool's connections. ``repeats``: a statement whose connection was unusable is executed
    once more, so that it may be executed twice; without it such a statement is unavailable. ``unavailable`` is raised
    for a statement that failed.
    """

    def __init__(
        self,
        pool: Pool,
        metrics: DatabaseMetrics,
        texts: Mapping[str, LiteralString],
        *,
        role: LiteralString,
        repeats: bool,
        slow_ms: int,
        unavailable: type[UnavailableError] = UnavailableError,
    ) -> None:
        self._pool = pool
        self._drained_at = float("-inf")
        self._metrics = metrics
        self._slow_seconds = slow_ms / 1000 if slow_ms else float("inf")
        self._longest_wait = min(pool.timeout, _LONGEST_WAIT_SECONDS)
        self._texts = texts
        self._role = role
        self._repeats = repeats
        self._unavailable = unavailable

    async def rows(
        self, name: str, table: str, row: BaseRowFactory[Row], parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row]:
        """Run a statement in its own transaction and return its rows, made by the row factory ``row``.

        ``table`` is the label of the metrics. If the connection is unusable, the statement is retried once after the
        pool has closed all older connections; then an audit row may be written twice, but it is never missing.

        Raises:
            SessionEndedError: the parameters name a session that was ended.
            UnavailableError: the statement failed, whatever the reason.
        """

        async def once() -> Sequence[Row]:
            async with self._connection() as connection:
                with self._measured(name, table):
                    cursor = connection.cursor(row_factory=row)
                    await cursor.execute(self._texts[name], parameters, prepare=True)
                    return await cursor.fetchall()

        return await self._with_retry(once)

    async def run(self, name: str, table: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement in its own transaction, ignoring its rows. Errors are those of ``rows``."""

        async def once() -> None:
            async with self._connection() as connection:
                with self._measured(name, table):
                    await connection.execute(self._texts[name], parameters, prepare=True)

        await self._with_retry(once)

    async def read_as(
        self,
        role: LiteralString,
        name: str,
        row: BaseRowFactory[Row],
        parameters: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Sequence[Row]:
        """Run a statement as ``role`` and write an audit row, in one transaction.

        ``record`` has the parameters of the audit row; ``result`` and ``result_count`` are added here.

        Raises:
            SessionEndedError: the parameters name a session that was ended.
            UnavailableError: a statement failed, whatever the reason.
        """

        async def once() -> Sequence[Row]:
            async with self._connection() as connection, connection.transaction():
                await connection.execute(_set_local_role(role))
                with self._measured(name, "admin_audit_logs"):
                    cursor = connection.cursor(row_factory=row)
                    # planned for these filters: a generic plan would use the index of none
                    await cursor.execute(self._texts[name], parameters, prepare=False)
                    rows = await cursor.fetchall()
                # no RESET ROLE: it would outlive the transaction and leave the connection with the login role's rights
                await connection.execute(_set_local_role(self._role))
                count = min(len(rows), int(parameters["limit"]))
                outcome = {"result": "FOUND" if rows else "EMPTY", "result_count": count}
                with self._measured("record", "admin_audit_logs"):
                    await connection.execute(self._texts["record"], {**record, **outcome})
            return rows

        return await self._with_retry(once)

    async def try_out(self, name: str, table: str, parameters: Mapping[str, Any]) -> None:
        """Run a statement and roll it back; numbers that it took from a sequence are not given back.

        Raises:
            UnavailableError: the statement failed, whatever the reason.
        """

        async def once() -> None:
            async with self._connection() as connection, connection.transaction(force_rollback=True):
                with self._measured(name, table):
                    await connection.execute(self._texts[name], parameters, prepare=True)

        await self._with_retry(once)

    async def _with_retry(self, work: Callable[[], Awaitable[Result]]) -> Result:
        started = time.monotonic()
        try:
            return await work()
        except _UnusableConnectionError:
            if self._drained_at < started:
                self._drained_at = time.monotonic()
                await self._pool.drain()
            if not self._repeats:
                raise self._unavailable from None
        try:
            return await work()
        except _UnusableConnectionError:
            raise self._unavailable from None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Borrow a connection; the only place that translates errors of the driver."""
        started = time.perf_counter()
        try:
            async with self._pool.connection(timeout=self._longest_wait) as connection:
                self._metrics.checkout_latency.observe(time.perf_counter() - started)
                try:
                    yield connection
                except psycopg.Error as error:
                    if connection.broken or (error.sqlstate or "").startswith(_UNUSABLE):
                        _LOG.warning("connection given up", extra=fields(reason=_first_line(error)))
                        await connection.close()
                        raise _UnusableConnectionError from None
                    raise
        except (psycopg.OperationalError, PoolTimeout, PoolClosed) as error:
            _LOG.warning("database not available", extra=fields(reason=_first_line(error)))
            raise self._unavailable from None
        except psycopg.Error as error:
            if error.sqlstate == _SESSION_ENDED:
                raise SessionEndedError from None
            _LOG.exception("statement failed")
            raise self._unavailable from None

    def _measured(self, name: str, table: str) -> _Measured:
        return _Measured(self._metrics, name, table, self._slow_seconds, self._texts[name])


def _set_local_role(role: LiteralString) -> psycopg.sql.Composed:
    return psycopg.sql.SQL("set local role {}").format(psycopg.sql.Identifier(role))


class _Measured:
    """Times a statement; a class, because a generator-based context manager would cost more in every request."""

    __slots__ = ("_metrics", "_name", "_slow", "_started", "_table", "_text")

    def __init__(self, metrics: DatabaseMetrics, name: str, table: str, slow: float, text: str) -> None:
        self._metrics, self._name, self._table, self._slow, self._text = metrics, name, table, slow, text
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        took = time.perf_counter() - self._started
        self._metrics.ran(self._name, self._table, success=kind is None, seconds=took)
        if took >= self._slow:
            _LOG.warning(
                "slow statement",
                extra=fields(name=self._name, milliseconds=round(took * 1000), sql=self._text[:_LONGEST_LOGGED]),
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


class _UnusableConnectionError(Exception):
    """The connection is lost or cannot write."""
