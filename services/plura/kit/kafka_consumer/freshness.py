"""The gauge of how far stored data lag behind their topics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


def freshness_gauge(registry: CollectorRegistry) -> Gauge:
    """Return the gauge of the data's lag; the API exports it as well, for when the consumer is dead."""
    return Gauge(
        "consumer_freshness_seconds",
        "Age of the oldest event not yet stored, 0 when none.",
        ["topic"],
        registry=registry,
    )
