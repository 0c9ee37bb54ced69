"""Readiness of the service, and its metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry
from psycopg.rows import scalar_row

from plura.kit.auth.authenticators import Authenticator
from plura.kit.http.errors import UnavailableError
from plura.kit.kafka_consumer.freshness import freshness_gauge
from plura.kit.observability.metrics import DatabaseMetrics, exposition
from plura.kit.rows import row_of
from plura.kit.statements import Pool, Statements
from plura.tx.api.health.schemas import Freshness, Readiness
from plura.tx.db import bo_migrations

_LOG = logging.getLogger(__name__)

_FRESH_SECONDS = 1.0
"""How long a readiness is reused: anybody may ask for it, and must not keep the database busy."""
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
"""An audit row that is written and rolled back, to see whether rows can be written."""


class AppliedMigration(NamedTuple):
    """A migration that the database has."""

    number: int
    digest: str


class TopicFreshness(NamedTuple):
    """How far the stored data of a topic lag."""

    topic: str
    freshness_seconds: float
    polled_at: datetime


class HealthService:
    """Checks whether the service is ready, and renders its metrics."""

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
        self._migrations = [
            AppliedMigration(number=migration.number, digest=migration.digest) for migration in bo_migrations()
        ]
        self._freshness = freshness_gauge(registry)
        self._measure_pool(metrics)
        self._checking = asyncio.Lock()
        self._checked: tuple[float, Readiness] | None = None
        self._accepts_rows = True
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to watch replicas and consumers in the background."""
        self._background = asyncio.create_task(self._watch(), name="watch replicas and consumers")

    async def close(self) -> None:
        """Stop the background task."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)

    async def readiness(self) -> Readiness:
        """Return what answers depend on, at most a second old."""
        async with self._checking:
            if self._checked is None or time.monotonic() - self._checked[0] > _FRESH_SECONDS:
                self._checked = time.monotonic(), await self._check()
            return self._checked[1]

    def exposition(self) -> bytes:
        """Return all metrics."""
        return exposition(self._registry)

    def _count(self, name: str) -> int:
        return self._pool.get_stats().get(name, 0)

    def _measure_pool(self, metrics: DatabaseMetrics) -> None:
        """Read the gauges of the pool from the pool at each scrape."""
        metrics.pool_size.set_function(lambda: self._pool.min_size)
        metrics.pool_max_size.set_function(lambda: self._pool.max_size)
        metrics.pool_checked_in.set_function(lambda: self._count("pool_available"))
        metrics.pool_checked_out.set_function(lambda: self._count("pool_size") - self._count("pool_available"))
        metrics.pool_overflow.set_function(lambda: max(0, self._count("pool_size") - self._pool.min_size))

    async def _check(self) -> Readiness:
        identity = self._authenticator.is_ready
        database, recording, migrations, freshness = False, False, False, list[Freshness]()
        try:
            applied = await self._statements.rows("migrations", "schema_migrations", row_of(AppliedMigration))
            database = True
            # a migration keeps the previous version working, or an upgrade would make all processes unready at once
            migrations = list(applied)[: len(self._migrations)] == self._migrations
            freshness = [
                Freshness(topic=row.topic, freshness_seconds=round(row.freshness_seconds, 3), polled_at=row.polled_at)
                for row in await self._freshness_rows()
            ]
            await self._statements.run("record_nothing", "admin_audit_logs")
            recording = self._accepts_rows
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
                (seconds,) = await self._statements.rows("replication_lag", "pg_stat_replication", scalar_row)
                self._metrics.replication_lag.set(float("nan") if seconds is None else seconds)
                for row in await self._freshness_rows():
                    self._freshness.labels(row.topic).set(row.freshness_seconds)
            except UnavailableError:
                self._metrics.replication_lag.set(float("nan"))
            self._accepts_rows = await self._can_write_rows()
            await asyncio.sleep(_WATCH_SECONDS)

    async def _freshness_rows(self) -> Sequence[TopicFreshness]:
        return await self._statements.rows("consumers", "consumer_state", row_of(TopicFreshness))

    async def _can_write_rows(self) -> bool:
        """Whether the audit accepts a row: a full disk, a trigger or a missing partition shows only at a real insert.

        Also true if nothing can be written at all, which every readiness check notices itself.
        """
        try:
            await self._statements.run("record_nothing", "admin_audit_logs")
        except UnavailableError:
            return True
        try:
            await self._statements.try_out("record", "admin_audit_logs", _TRIED_ROW)
        except UnavailableError:
            return False
        return True
