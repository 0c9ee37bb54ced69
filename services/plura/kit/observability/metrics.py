"""The metrics of the services, with the names and labels that dashboards and alert rules use.

Each group is an object that registers its metrics in a registry of the process; nothing is global. Durations are
seconds. Series that are updated for every request are cached, because looking up a series by its labels takes longer
than counting.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that no rule reads

CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
"""Bounds of buckets; the targets of the API (20 ms, 200 ms, 1 s) are bounds."""


class ApiMetrics:
    """Metrics of HTTP servers. ``route`` is the route template, ``unmatched`` if no route matches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latency = Histogram(
            "api_request_latency_seconds",
            "Time from the request's head to the end of its answer.",
            ["method", "route", "status_code"],
            buckets=_FAST,
            registry=registry,
        )
        self.requests = Counter(
            "api_requests_total", "Answers given.", ["method", "route", "status_code"], registry=registry
        )
        self.inflight = Gauge("api_requests_inflight", "Requests in progress.", ["method", "route"], registry=registry)
        self._of_answers = cache(lambda *labels: (self.latency.labels(*labels), self.requests.labels(*labels)))

    def answered(self, method: str, route: str, status_code: str, seconds: float) -> None:
        """Record a response and its time."""
        latency, requests = self._of_answers(method, route, status_code)
        latency.observe(seconds)
        requests.inc()


class DatabaseMetrics:
    """Metrics of database clients, including the pool."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["operation", "table", "success"]
        self.latency = Histogram(
            "db_query_latency_seconds",
            "Time of a statement, from sending to its result.",
            labels,
            buckets=_FAST,
            registry=registry,
        )
        self.queries = Counter("db_queries_total", "Statements run.", labels, registry=registry)
        self.pool_size = Gauge("db_pool_size", "Connections that the pool keeps open.", registry=registry)
        self.pool_checked_out = Gauge("db_pool_checked_out", "Connections in use.", registry=registry)
        self.pool_checked_in = Gauge("db_pool_checked_in", "Connections waiting for use.", registry=registry)
        self.pool_overflow = Gauge(
            "db_pool_overflow", "Open connections beyond the size that is kept.", registry=registry
        )
        self.pool_max_size = Gauge("db_pool_max_size", "Most connections that may be open.", registry=registry)
        self.pool_max_size.set(float("nan"))
        self.checkout_latency = Histogram(
            "db_pool_checkout_latency_seconds", "Wait for a connection.", buckets=_FAST, registry=registry
        )
        self.replication_lag = Gauge(
            "db_replication_lag_seconds", "Lag of the slowest replica; NaN without a replica.", registry=registry
        )
        self.replication_lag.set(float("nan"))
        self._of_statements = cache(lambda *labels: (self.latency.labels(*labels), self.queries.labels(*labels)))

    def ran(self, operation: str, table: str, *, success: bool, seconds: float) -> None:
        """Record a statement and its time."""
        latency, queries = self._of_statements(operation, table, "true" if success else "false")
        latency.observe(seconds)
        queries.inc()


def exposition(registry: CollectorRegistry) -> bytes:
    """Return all metrics of ``registry`` in the format that ``CONTENT_TYPE`` names."""
    return generate_latest(registry)
