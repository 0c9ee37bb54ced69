"""Metrics as a collector of OpenTelemetry receives them, over a real line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import SecretStr

from plura.kit.observability.otlp import MetricsPusher, OtlpSettings, payload


class Collector:
    """Takes pushes on a free port."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.taken.append((self.path, headers, json.loads(body)))
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


def told(registry: CollectorRegistry) -> dict[str, Any]:
    (resource,) = payload(registry.collect(), "svc", 1, 2)["resourceMetrics"]
    return {metric["name"]: metric for metric in resource["scopeMetrics"][0]["metrics"]}


def test_counters_gauges_and_histograms_keep_names_labels_and_numbers() -> None:
    registry = CollectorRegistry()
    Counter("api_requests_total", "Answers.", ["route"], registry=registry).labels("/x").inc(3)
    Gauge("db_pool_size", "Size.", registry=registry).set(5)
    latency = Histogram("latency_seconds", "Time.", ["route"], buckets=(0.1, 1.0), registry=registry)
    for seconds in (0.05, 0.5, 0.6, 7):
        latency.labels("/x").observe(seconds)
    metrics = told(registry)
    label = [{"key": "route", "value": {"stringValue": "/x"}}]
    times = {"startTimeUnixNano": "1", "timeUnixNano": "2"}
    assert metrics["api_requests_total"]["sum"] == {
        "aggregationTemporality": 2,
        "isMonotonic": True,
        "dataPoints": [{"attributes": label, **times, "asDouble": 3.0}],
    }
    assert metrics["db_pool_size"]["gauge"] == {"dataPoints": [{"attributes": [], **times, "asDouble": 5.0}]}
    assert metrics["latency_seconds"]["histogram"] == {
        "aggregationTemporality": 2,
        "dataPoints": [
            {
                "attributes": label,
                **times,
                "count": "4",
                "sum": pytest.approx(8.15),
                "bucketCounts": ["1", "2", "1"],
                "explicitBounds": [0.1, 1.0],
            }
        ],
    }


def test_what_is_no_number_is_left_out() -> None:
    registry = CollectorRegistry()
    Gauge("lag", "Lag.", registry=registry).set(float("nan"))
    assert told(registry)["lag"]["gauge"] == {"dataPoints": []}


def test_metrics_are_pushed_again_and_again_and_at_the_end(collector: Collector) -> None:
    registry = CollectorRegistry()
    counter = Counter("things_total", "Things.", registry=registry)
    settings = OtlpSettings(
        otlp_endpoint=f"{collector.url}/", otlp_headers=SecretStr("api-key=s3, x=y"), otlp_seconds=0.05
    )
    pusher = MetricsPusher(settings, registry, "svc")
    collector.status = 500  # a collector that fails is asked again
    pusher.start()
    while len(collector.taken) < 2:
        threading.Event().wait(0.01)
    collector.status = 200
    counter.inc(7)
    pusher.close()
    path, headers, body = collector.taken[-1]
    assert path == "/v1/metrics"
    assert headers["api-key"] == "s3"
    (metric,) = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert metric["sum"]["dataPoints"][0]["asDouble"] == 7.0


def test_without_a_collector_nothing_runs() -> None:
    pusher = MetricsPusher(OtlpSettings(), CollectorRegistry(), "svc")
    pusher.start()
    pusher.close()
    assert not pusher._thread.is_alive()
    assert pusher._thread.ident is None


def test_an_endpoint_is_an_address() -> None:
    with pytest.raises(ValueError, match="http"):
        OtlpSettings(otlp_endpoint="localhost:4318")
