"""Names of metrics, lines of logs, and which correlation ids are let in. No sockets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from plura.kit.observability import correlation
from plura.kit.observability.logs import LINES_PER_SECOND, BoundedHandler, JsonFormatter, configure_logs, fields
from plura.kit.observability.metrics import ApiMetrics, DatabaseMetrics, exposition
from plura.tx.consumer.series import ConsumerMetrics, PairingMetrics

REFERENCE = {
    "api_request_latency_seconds": ("method", "route", "status_code"),
    "api_requests_total": ("method", "route", "status_code"),
    "api_requests_inflight": ("method", "route"),
    "db_query_latency_seconds": ("operation", "table", "success"),
    "db_queries_total": ("operation", "table", "success"),
    "db_pool_size": (),
    "db_pool_checked_out": (),
    "db_pool_overflow": (),
    "db_pool_checked_in": (),
    "db_pool_checkout_latency_seconds": (),
    "db_replication_lag_seconds": (),
    "consumer_messages_total": ("topic", "status"),
    "consumer_event_lag_seconds": ("topic",),
    "consumer_dlq_total": ("topic",),
    "consumer_version_missing_total": ("topic",),
    "consumer_contract_alias_hit_total": ("topic", "profile_id", "canonical_key", "alias_key"),
    "consumer_contract_core_violation_total": ("topic", "profile_id"),
    "consumer_contract_profile_messages_total": ("topic", "profile_id"),
    "pairing_total": (),
    "pairing_incomplete_total": (),
    "pairing_incomplete_age_seconds": (),
    "pairing_skipped_non_payment_order_total": ("related_type",),
    "consumer_kafka_lag": ("topic", "partition"),
    "consumer_freshness_seconds": ("topic",),
}


@pytest.fixture
def lines() -> Iterator[StringIO]:
    root = logging.getLogger()
    kafka = logging.getLogger("kafka")
    before, kafka_level = (root.handlers[:], root.level), kafka.level
    stream = StringIO()
    configure_logs("INFO", stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    kafka.setLevel(kafka_level)


def test_every_metric_of_the_reference_exists_with_its_labels() -> None:
    registry = CollectorRegistry()
    groups = [group(registry) for group in (ApiMetrics, DatabaseMetrics, ConsumerMetrics, PairingMetrics)]
    metrics = [metric for group in groups for metric in vars(group).values() if isinstance(metric, MetricWrapperBase)]
    suffix = {"counter": "_total"}
    found = {metric._name + suffix.get(str(metric._type), ""): tuple(metric._labelnames) for metric in metrics}
    assert {name: found.get(name) for name in REFERENCE} == REFERENCE


def test_the_exposition_holds_what_was_counted_and_no_second_series() -> None:
    registry = CollectorRegistry()
    ApiMetrics(registry).requests.labels("GET", "/admin/tx/{tx_id}", "200").inc()
    text = exposition(registry).decode()
    assert 'api_requests_total{method="GET",route="/admin/tx/{tx_id}",status_code="200"} 1.0' in text
    assert "_created" not in text


def test_a_log_line_is_an_object_with_fields_and_correlation_id(lines: StringIO) -> None:
    token = correlation.correlation_id.set("abc-1")
    try:
        logging.getLogger("plura.test").info("batch stored", extra=fields(rows=3, topic="t\n2"))
    finally:
        correlation.correlation_id.reset(token)
    (line,) = lines.getvalue().splitlines()
    read = json.loads(line)
    assert {name: read[name] for name in ("level", "logger", "event", "correlation_id", "rows", "topic")} == {
        "level": "INFO",
        "logger": "plura.test",
        "event": "batch stored",
        "correlation_id": "abc-1",
        "rows": 3,
        "topic": "t\n2",
    }
    assert read["time"].endswith("+00:00")


def test_an_error_is_logged_on_one_line_with_its_traceback(lines: StringIO) -> None:
    try:
        int("no")
    except ValueError:
        logging.getLogger("plura.test").exception("batch failed")
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["error"] == "ValueError"
    assert "test_observability" in json.loads(line)["traceback"]


@pytest.mark.parametrize(
    ("level", "heard"),
    [("DEBUG", ["tried", "lost"]), ("INFO", ["lost"]), ("WARNING", ["lost"]), ("ERROR", [])],
)
def test_the_kafka_client_is_heard_when_something_is_wrong(lines: StringIO, level: str, heard: list[str]) -> None:
    configure_logs(level, lines)
    logging.getLogger("kafka.net.manager").info("tried")
    logging.getLogger("kafka.net.manager").warning("lost")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == heard


def test_a_line_that_the_kafka_client_repeats_is_written_once_a_minute(
    lines: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("plura.kit.observability.logs.time.monotonic", lambda: now)
    for _ in range(3):
        logging.getLogger("kafka.cluster").error("Topic %s not found in cluster metadata", "a")
    logging.getLogger("kafka.cluster").error("Topic %s not found in cluster metadata", "b")
    for _ in range(2):
        logging.getLogger("plura.test").warning("ours")
    now += 61
    logging.getLogger("kafka.cluster").error("Topic %s not found in cluster metadata", "a")
    for number in range(2000):
        logging.getLogger("kafka.cluster").error(f"line {number}")  # noqa: G004  # other lines
    events = [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
    a, b = (f"Topic {name} not found in cluster metadata" for name in "ab")
    assert events[:5] == [a, b, "ours", "ours", a]
    assert len(events) == 2005


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_event_is_written_a_bounded_number_of_times_a_second_and_counted() -> None:
    stream, clock = StringIO(), Clock()
    handler = BoundedHandler(stream, clock)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("plura.test", logging.DEBUG)  # noqa: LOG001  # one that no other test shares
    logger.addHandler(handler)

    def written() -> list[tuple[str, Any]]:
        found = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.truncate(0)
        stream.seek(0)
        return [(line["event"], line.get("left_out", line.get("number"))) for line in found]

    for number in range(1000):
        logger.warning("garbage", extra=fields(number=number))
        logger.error("failed %s", number)
    logger.info("other")
    first = written()
    assert [number for event, number in first if event == "garbage"] == list(range(LINES_PER_SECOND))
    assert len(first) == 2 * LINES_PER_SECOND + 1

    clock.now += 0.9
    logger.warning("garbage")
    assert written() == []
    clock.now += 0.1
    logger.warning("garbage", extra=fields(number=7))
    assert written() == [
        ("lines left out", {"event": "garbage", "lines": 1001 - LINES_PER_SECOND}),
        ("lines left out", {"event": "failed %s", "lines": 1000 - LINES_PER_SECOND}),
        ("garbage", 7),
    ]

    for number in range(LINES_PER_SECOND * 3):
        logger.debug("asked for", extra=fields(number=number))
        logger.warning("garbage", extra=fields(number=number))
    assert len([event for event, _ in written() if event == "asked for"]) == LINES_PER_SECOND * 3
    handler.close()
    assert written() == [("lines left out", {"event": "garbage", "lines": 2 * LINES_PER_SECOND + 1})]


def test_every_log_of_a_process_is_bounded(lines: StringIO) -> None:
    for _ in range(100):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert len(lines.getvalue().splitlines()) < 5 * LINES_PER_SECOND  # seconds may end in between


@pytest.mark.parametrize("level", ["", "loud"])
def test_an_unknown_level_counts_as_info(lines: StringIO, level: str) -> None:
    configure_logs(level, lines)
    logging.getLogger("plura.test").debug("unseen")
    logging.getLogger("plura.test").info("seen")
    assert json.loads(lines.getvalue())["event"] == "seen"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (" 3f2-a ", "3f2-a"),
        ("a" * 128, "a" * 128),
        ("a" * 129, None),
        ("", None),
        (None, None),
        ("a\r\nSet-Cookie: b", None),
        ("a b", None),
        ("é", None),
    ],
)
def test_only_short_plain_correlation_ids_are_accepted(given: str | None, taken: str | None) -> None:
    assert correlation.accepted(given) == taken


def test_new_ids_differ_and_are_accepted() -> None:
    first, second = correlation.new(), correlation.new()
    assert first != second
    assert correlation.accepted(first) == first
