"""Metrics pushed to an OpenTelemetry collector (OTLP over HTTP, JSON), where one is configured.

The metrics are those of Prometheus' text, with their names. Counters and histograms are cumulative, so a failed push
needs no retry: the next one has its data.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry, Metric
from pydantic import Field, SecretStr, field_validator

from plura.kit.fetch import FetchError, post
from plura.kit.observability.logs import fields
from plura.kit.service_settings import ServiceSettings

_LOG = logging.getLogger(__name__)

_CUMULATIVE = 2
"""AGGREGATION_TEMPORALITY_CUMULATIVE of the protocol."""


class OtlpSettings(ServiceSettings):
    """Settings of the push; without an endpoint metrics are not pushed."""

    bare_names: ClassVar[dict[str, str]] = {
        "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
        "otlp_headers": "OTEL_EXPORTER_OTLP_HEADERS",
    }

    otlp_endpoint: str = Field(default="", description="Address of the collector, like http://localhost:4318.")
    otlp_headers: SecretStr = Field(default=SecretStr(""), description="Headers as name=value, comma separated.")
    otlp_seconds: float = Field(default=15, gt=0, description="Pause between two pushes.")

    @field_validator("otlp_endpoint")
    @classmethod
    def _http(cls, given: str) -> str:
        if given and not given.startswith(("http://", "https://")):
            raise ValueError("PLURA_OTLP_ENDPOINT has to begin with http:// or https://")
        return given.rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each push."""
        pairs = (pair.partition("=") for pair in self.otlp_headers.get_secret_value().split(",") if "=" in pair)
        return {name.strip(): value.strip() for name, _, value in pairs}


class MetricsPusher:
    """Pushes the metrics of a registry from its own thread, and once more when it is closed."""

    def __init__(self, settings: OtlpSettings, registry: CollectorRegistry, service: str) -> None:
        self._settings = settings
        self._registry = registry
        self._service = service
        self._started = time.time_ns()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push metrics", daemon=True)

    def start(self) -> None:
        """Start, if a collector is configured."""
        if self._settings.otlp_endpoint:
            self._thread.start()

    def close(self) -> None:
        """Push a last time and stop."""
        if self._thread.is_alive():
            self._ending.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._settings.otlp_seconds):
            self._push()
        self._push()

    def _push(self) -> None:
        body = json.dumps(payload(self._registry.collect(), self._service, self._started, time.time_ns())).encode()
        try:
            post(
                f"{self._settings.otlp_endpoint}/v1/metrics",
                body,
                {"Content-Type": "application/json", **self._settings.headers},
            )
        except FetchError as error:
            _LOG.warning("metrics not pushed", extra=fields(reason=str(error)))


def payload(metrics: Iterable[Metric], service: str, started_ns: int, now_ns: int) -> dict[str, Any]:
    """Return the protocol's request with the values of ``metrics`` at ``now_ns``."""
    times = {"startTimeUnixNano": str(started_ns), "timeUnixNano": str(now_ns)}
    converted = [found for metric in metrics if (found := _metric(metric, times)) is not None]
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes({"service.name": service})},
                "scopeMetrics": [{"scope": {"name": service}, "metrics": converted}],
            }
        ]
    }


def _metric(metric: Metric, times: Mapping[str, str]) -> dict[str, Any] | None:
    head = {"description": metric.documentation}
    if metric.type == "histogram":
        points = _histogram(metric, times)
        return {"name": metric.name, **head, "histogram": {"aggregationTemporality": _CUMULATIVE, "dataPoints": points}}
    values = [
        {"attributes": _attributes(sample.labels), **times, "asDouble": sample.value}
        for sample in metric.samples
        if not sample.name.endswith("_created") and not math.isnan(sample.value)
    ]
    if metric.type == "counter":
        kind = {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True, "dataPoints": values}
        return {"name": f"{metric.name}_total", **head, "sum": kind}
    return {"name": metric.name, **head, "gauge": {"dataPoints": values}} if metric.type == "gauge" else None


def _histogram(metric: Metric, times: Mapping[str, str]) -> list[dict[str, Any]]:
    series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in metric.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        histogram = series.setdefault(
            tuple(sorted(labels.items())), {"labels": labels, "bounds": [], "below": [], "sum": 0.0}
        )
        if sample.name.endswith("_bucket"):
            histogram["bounds"].append(float(sample.labels["le"]))
            histogram["below"].append(int(sample.value))
        elif sample.name.endswith("_sum"):
            histogram["sum"] = sample.value
    return [
        {
            "attributes": _attributes(histogram["labels"]),
            **times,
            "count": str(histogram["below"][-1]),
            "sum": histogram["sum"],
            "bucketCounts": [
                str(count - before) for before, count in zip([0, *histogram["below"]], histogram["below"], strict=False)
            ],
            "explicitBounds": [bound for bound in histogram["bounds"] if math.isfinite(bound)],
        }
        for histogram in series.values()
    ]


def _attributes(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels.items()]
