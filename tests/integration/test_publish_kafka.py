"""Publication over Kafka: a real broker gets every event, in order for each exception, also when it dies meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.servers.kafka import Broker
from plura.kit.kafka import KafkaSettings
from python_jobs.publish import DuckDBOutbox, KafkaHub, Publisher, RetryPolicy
from python_jobs.publish.events import EventRefusedError, OutboxEvent
from tests.commands import Plura
from tests.eventhub import deliveries, event, write_outbox
from tests.kafka import broker  # noqa: F401 - a fixture

PARTITIONS = 3
EXCEPTIONS = ["a", "b", "a", "c", "b", "a", "d"]


def options(running: Broker) -> dict[str, Any]:
    return KafkaSettings(bootstrap=running.bootstrap).client_options()


def records(running: Broker, topic: str) -> list[tuple[int, bytes, bytes, dict[str, bytes]]]:
    """Partition, key, value and headers of every record of a topic, in order within each partition."""
    from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # after dev.servers.kafka, which warns not

    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = KafkaConsumer(
        bootstrap_servers=running.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        last = consumer.end_offsets(places)
        found = []
        while any(consumer.position(place) < last[place] for place in places):
            for place, batch in consumer.poll(timeout_ms=1000).items():
                found += [(place.partition, message.key, message.value, dict(message.headers)) for message in batch]
        return found
    finally:
        consumer.close()


def assert_all_in_order(running: Broker, topic: str, ids: list[str]) -> None:
    """Every event is there, and those of one exception stand in one partition in the order they were written."""
    found = records(running, topic)
    came = [headers["event_id"].decode() for _, _, _, headers in found]
    assert set(came) == set(ids)
    for number, exception in enumerate(EXCEPTIONS):
        _, key, value, headers = found[came.index(ids[number])]
        written = event(number + 1, exception)
        assert (key.decode(), value.decode()) == (written.exception_key, written.body)
        assert headers["content-type"] == b"application/json"
    for key in {key for _, key, _, _ in found}:
        of_one = [(partition, headers["event_id"]) for partition, event_key, _, headers in found if event_key == key]
        assert len({partition for partition, _ in of_one}) == 1
        assert of_one == sorted(of_one)


def test_the_command_writes_every_event_to_the_topic(broker: Broker, tmp_path: Path) -> None:  # noqa: F811
    topic = broker.create_topic(partitions=PARTITIONS)
    plura = Plura(work=tmp_path, settings={"PLURA_KAFKA_BOOTSTRAP": broker.bootstrap, "PLURA_EVENTHUB_TOPIC": topic})
    ids = write_outbox(plura.warehouse, EXCEPTIONS)
    outcome = plura("lake", "publish")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"7 events delivered to the Kafka topic {topic}\n"
    assert plura("lake", "publish", "--to", "kafka").out == f"nothing to deliver to the Kafka topic {topic}\n"
    assert_all_in_order(broker, topic, ids)
    assert len(records(broker, topic)) == 7


def test_a_broker_that_dies_meanwhile_has_every_event_in_the_end(broker: Broker, tmp_path: Path) -> None:  # noqa: F811
    topic = broker.create_topic(partitions=PARTITIONS)
    warehouse = tmp_path / "plura.duckdb"
    ids = write_outbox(warehouse, EXCEPTIONS)

    class Dying(KafkaHub):
        def send(self, event: OutboxEvent) -> None:
            if event.event_id == ids[1]:
                broker.kill()
            super().send(event)

    outbox, once = DuckDBOutbox(warehouse), RetryPolicy(tries=1)
    dying = Dying(options(broker), topic, timeout=1)
    report = Publisher(outbox=outbox, hub=dying, retry_policy=once).publish()
    dying.close()
    assert (report.delivered, report.failed, report.is_stopped) == (1, 3, True)
    assert outbox.counts().waiting == 6
    broker.start()
    hub = KafkaHub(options(broker), topic)
    assert Publisher(outbox=outbox, hub=hub).publish().is_complete
    hub.close()
    assert {state for state, _, _ in deliveries(warehouse).values()} == {"delivered"}
    assert_all_in_order(broker, topic, ids)


def test_an_event_larger_than_the_topic_allows_is_refused_and_others_are_delivered(broker: Broker) -> None:  # noqa: F811
    topic = broker.create_topic(partitions=PARTITIONS, max_message_bytes="1000")
    hub = KafkaHub(options(broker), topic)
    large = OutboxEvent(event_id="large", exception_key="a", body="x" * 2_000)
    with pytest.raises(EventRefusedError, match="MessageSizeTooLargeError"):
        hub.send(large)
    hub.send(event(1, "a"))
    hub.close()
    assert len(records(broker, topic)) == 1
