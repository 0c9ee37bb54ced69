"""The way over Kafka: what is written, and what its errors mean. No broker."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from python_jobs.publish import HubUnavailableError, KafkaHub, PublisherRejectedError
from python_jobs.publish.events import EventRefusedError
from tests.commands import Plura
from tests.eventhub import event, write_outbox

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in an old way
    from kafka import errors  # type: ignore[import-untyped]


class Broker:
    """Stands behind the producers of a test: what they wrote, how each was set up, and what the next record meets."""

    def __init__(self) -> None:
        self.timeout = 4
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
        assert timeout == self.timeout
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
    return KafkaHub({"bootstrap_servers": ["one:9092", "two:9092"]}, timeout=3, connect=broker.connect)


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


def test_the_producer_of_the_command_signs_in_as_the_settings_say(broker: Broker, tmp_path: Path) -> None:
    """The settings are those of streams; the password stands in no message."""
    settings = {
        "PLURA_KAFKA_BOOTSTRAP": "one:9093, two:9093",
        "PLURA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "PLURA_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "PLURA_KAFKA_SASL_USERNAME": "lake",
        "PLURA_KAFKA_SSL_CA_LOCATION": "/etc/ca.pem",
    }
    plura = Plura(work=tmp_path, settings=settings)
    write_outbox(plura.warehouse, ["a"])
    assert "PLURA_KAFKA_SASL_PASSWORD" in plura("lake", "publish").error
    plura.settings["PLURA_KAFKA_SASL_PASSWORD"] = "s3cret"
    broker.timeout = 11
    broker.at_send.append(errors.SaslAuthenticationFailedError("Authentication failed for lake"))
    with mock.patch("kafka.KafkaProducer", broker.connect):
        refused = plura("lake", "publish")
        assert refused.error.startswith("Kafka takes no event for ops.ingest.v1:")
        assert "s3cret" not in refused.err
        assert plura("lake", "publish").out == "1 event delivered to the Kafka topic ops.ingest.v1\n"
    assert {
        "bootstrap_servers": ["one:9093", "two:9093"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "lake",
        "sasl_plain_password": "s3cret",
        "ssl_cafile": "/etc/ca.pem",
        "enable_idempotence": True,
    }.items() <= broker.settings[-1].items()


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
