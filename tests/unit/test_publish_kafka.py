"""The way over Kafka: what is written, and what its errors mean. No broker."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pytest

from python_jobs.publish import HubUnavailableError, KafkaHub, PublisherRejectedError
from python_jobs.publish.events import EventRefusedError
from tests.eventhub import event

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in an old way
    from kafka import errors  # type: ignore[import-untyped]


class Broker:
    """Stands behind the producers of a test: what they wrote, how each was set up, and what the next record meets."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes, Sequence[tuple[str, bytes]]]] = []
        self.settings: list[dict[str, Any]] = []
        self.closed: list[float] = []
        self.at_connect: list[Exception] = []
        self.at_send: list[Exception] = []
        self.at_confirm: list[Exception] = []
        self.at_close: list[Exception] = []

    def connect(self, **settings: Any) -> Broker:
        if self.at_connect:
            raise self.at_connect.pop(0)
        self.settings.append(settings)
        return self

    def send(self, topic: str, value: bytes, key: bytes, headers: Sequence[tuple[str, bytes]]) -> Broker:
        if self.at_send:
            raise self.at_send.pop(0)
        self.records.append((topic, key, value, headers))
        return self

    def get(self, timeout: float) -> object:
        assert timeout == 4
        if self.at_confirm:
            raise self.at_confirm.pop(0)
        return object()

    def close(self, timeout: float) -> None:
        self.closed.append(timeout)
        if self.at_close:
            raise self.at_close.pop(0)


@pytest.fixture
def broker() -> Broker:
    return Broker()


def hub_of(broker: Broker) -> KafkaHub:
    return KafkaHub("one:9092,two:9092", "ops.ingest.v1", timeout=3, connect=broker.connect)


def test_an_event_is_one_record_keyed_by_its_exception(broker: Broker) -> None:
    hub = hub_of(broker)
    for number in (1, 2):
        hub.send(event(number, "a"))
    topic, key, value, headers = broker.records[0]
    assert (topic, key, value) == ("ops.ingest.v1", b"key of a", event(1, "a").body.encode())
    assert dict(headers) == {"content-type": b"application/json", "event_id": event(1, "a").event_id.encode()}
    assert broker.records[1][1] == key
    (settings,) = broker.settings
    assert settings["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert (settings["acks"], settings["enable_idempotence"]) == ("all", True)
    assert settings["delivery_timeout_ms"] == 3000
    hub.close()
    hub.close()
    assert broker.closed == [3]


@pytest.mark.parametrize("name", ["MessageSizeTooLargeError", "RecordListTooLargeError", "InvalidRecordError"])
def test_a_record_that_no_broker_takes_refuses_the_event_and_the_next_has_a_new_producer(
    broker: Broker, name: str
) -> None:
    hub = hub_of(broker)
    broker.at_send.append(getattr(errors, name)("too\nlarge"))
    with pytest.raises(EventRefusedError, match="too large"):
        hub.send(event(1, "a"))
    hub.send(event(2, "a"))
    assert len(broker.settings) == 2


@pytest.mark.parametrize(
    "name",
    [
        "TopicAuthorizationFailedError",
        "ClusterAuthorizationFailedError",
        "SaslAuthenticationFailedError",
        "InvalidTopicError",
        "KafkaConfigurationError",
    ],
)
def test_what_every_record_would_meet_ends_the_pass(broker: Broker, name: str) -> None:
    broker.at_confirm.append(getattr(errors, name)())
    with pytest.raises(PublisherRejectedError, match=r"Kafka takes no event for ops\.ingest\.v1"):
        hub_of(broker).send(event(1, "a"))


@pytest.mark.parametrize("name", ["KafkaTimeoutError", "NotEnoughReplicasError", "OutOfOrderSequenceNumberError"])
def test_anything_else_is_tried_again_with_a_producer_that_holds_nothing_back(broker: Broker, name: str) -> None:
    hub = hub_of(broker)
    broker.at_confirm.append(getattr(errors, name)())
    broker.at_close.append(errors.KafkaTimeoutError("Timeout waiting for future"))
    with pytest.raises(HubUnavailableError, match=name):
        hub.send(event(1, "a"))
    assert broker.closed == [3]
    hub.send(event(1, "a"))
    assert len(broker.settings) == 2


def test_brokers_that_cannot_be_reached_leave_the_event_waiting(broker: Broker) -> None:
    hub = hub_of(broker)
    broker.at_connect.append(errors.KafkaConnectionError("no broker"))
    with pytest.raises(HubUnavailableError, match="no broker"):
        hub.send(event(1, "a"))
    hub.send(event(1, "a"))
    assert len(broker.records) == 1
