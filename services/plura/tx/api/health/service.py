"""What the service depends on, and how it is doing."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from prometheus_client import CollectorRegistry

from plura.kit.auth.authenticators import Authenticator
from plura.kit.observability.metrics import DatabaseMetrics, exposition, freshness_gauge
from plura.tx.api.errors import UnavailableError
from plura.tx.api.health.schemas import Freshness, Readiness
from plura.tx.api.statements import Pool, Statements
from plura.tx.db import bo_migrations

_LOG = logging.getLogger(__name__)

_FRESH_SECONDS = 1.0
"""How long a readiness is told again: anybody may ask, and must not keep the database busy."""
_WATCH_SECONDS = 5.0
_TRIED_ROW: dict[str, Any] = {
    **dict.fromkeys(
        ("actor_id", "actor_roles", "session", "id", "request_query", "ip", "user_agent", "correlation_id")
    ),
    "action": "READINESS",
    "resource_type": "AUDIT",
    "result": "FOUND",
    "status_code": 200,
    "occurrences": 1,
    "request_method": "GET",
    "request_path": "/readyz",
    "result_count": 0,
    "elapsed_ms": 0,
}
"""An audit row that is written to see whether rows can be, and never kept."""


class HealthService:
    """Answers whether the service is ready, and renders its metrics."""

    def __init__(
        self,
        statements: Statements,
        authenticator: Authenticator,
        *,
        pool: Pool,
        registry: CollectorRegistry,
        metrics: DatabaseMetrics,
    ) -> None:
        self._statements = statements
        self._authenticator = authenticator
        self._pool = pool
        self._registry = registry
        self._metrics = metrics
        self._migrations = [(one.number, one.digest) for one in bo_migrations()]
        self._freshness = freshness_gauge(registry)
        self._measure_pool(metrics)
        self._looking = asyncio.Lock()
        self._looked: tuple[float, Readiness] | None = None
        self._rows_are_taken = True
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look at replicas and consumers in the background."""
        self._background = asyncio.create_task(self._watch(), name="watch replicas and consumers")

    async def close(self) -> None:
        """End that."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)

    async def readiness(self) -> Readiness:
        """Return what answers depend on, at most a second old."""
        async with self._looking:
            if self._looked is None or time.monotonic() - self._looked[0] > _FRESH_SECONDS:
                self._looked = time.monotonic(), await self._look()
            return self._looked[1]

    def exposition(self) -> bytes:
        """Return all metrics."""
        return exposition(self._registry)

    def _count(self, name: str) -> int:
        return self._pool.get_stats().get(name, 0)

    def _measure_pool(self, metrics: DatabaseMetrics) -> None:
        """Let the gauges of the pool be read from it whenever somebody looks."""
        metrics.pool_size.set_function(lambda: self._pool.min_size)
        metrics.pool_max_size.set_function(lambda: self._pool.max_size)
        metrics.pool_checked_in.set_function(lambda: self._count("pool_available"))
        metrics.pool_checked_out.set_function(lambda: self._count("pool_size") - self._count("pool_available"))
        metrics.pool_overflow.set_function(lambda: max(0, self._count("pool_size") - self._pool.min_size))

    async def _look(self) -> Readiness:
        identity = self._authenticator.is_ready
        database, recording, migrations, freshness = False, False, False, list[Freshness]()
        try:
            applied = await self._statements.rows("migrations", "schema_migrations")
            database = True
            # a migration leaves the version before it working, or an upgrade would take every process away at once
            migrations = list(applied)[: len(self._migrations)] == self._migrations
            freshness = [
                Freshness(topic=topic, freshness_seconds=round(seconds, 3), polled_at=polled_at)
                for topic, seconds, polled_at in await self._statements.rows("consumers", "consumer_state")
            ]
            await self._statements.rows("record_nothing", "admin_audit_logs")
            recording = self._rows_are_taken
        except UnavailableError:
            _LOG.debug("not ready", exc_info=True)
        ready = database and recording and migrations and identity
        return Readiness(
            status="ready" if ready else "not_ready",
            database=database,
            recording=recording,
            migrations=migrations,
            identity=identity,
            freshness=freshness,
        )

    async def _watch(self) -> None:
        while True:
            try:
                ((seconds,),) = await self._statements.rows("replication_lag", "pg_stat_replication")
                self._metrics.replication_lag.set(float("nan") if seconds is None else seconds)
                for topic, behind, _ in await self._statements.rows("consumers", "consumer_state"):
                    self._freshness.labels(topic).set(behind)
            except UnavailableError:
                self._metrics.replication_lag.set(float("nan"))
            self._rows_are_taken = await self._takes_rows()
            await asyncio.sleep(_WATCH_SECONDS)

    async def _takes_rows(self) -> bool:
        """Whether the audit takes a row: a full disk, a trigger or a missing partition shows only at one.

        True as well where nothing can be written at all, which every look finds out for itself.
        """
        try:
            await self._statements.rows("record_nothing", "admin_audit_logs")
        except UnavailableError:
            return True
        try:
            await self._statements.undone("record", "admin_audit_logs", _TRIED_ROW)
        except UnavailableError:
            return False
        return True
