"""Topics that are deleted, recreated, or grow while a consumer reads them."""

from __future__ import annotations

import json
import os
import signal
import time
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]

from dev.servers.kafka import Broker, free_ports
from tests.transactions.stage import Stage, entry, order, until


def test_a_topic_that_is_deleted_under_a_consumer_is_waited_for(stage: Stage) -> None:
    process = stage.start()
    first = [entry(number) for number in range(20)]
    stage.produce(*first)
    stage.wait_for(*first)
    until(stage.is_ready)
    stage.broker.delete_topic(stage.ledger)
    until(lambda: stage.status("/readyz")[0] == 503)
    assert stage.status("/healthz")[0] == 200
    assert f'consumer_topic_missing{{topic="{stage.ledger}"}} 1.0' in stage.status("/metrics")[1]
    stage.produce(order(1))  # the other topic is read as before
    stage.wait_for(*first, order(1))
    time.sleep(3)
    assert process.poll() is None, stage.ended(process)
    assert stage.status("/readyz")[0] == 503

    stage.broker.create_topic(stage.ledger, partitions=2)
    anew = [entry(number) for number in range(100, 140)]
    stage.produce(*anew)
    stage.wait_for(*first, order(1), *anew)
    until(stage.is_ready)
    assert f'consumer_topic_missing{{topic="{stage.ledger}"}} 0.0' in stage.status("/metrics")[1]
    process.terminate()
    code, _, err = stage.ended(process)
    assert code == 0, err
    assert any(json.loads(line)["event"] == "topic is missing" for line in err.splitlines())


@pytest.mark.parametrize("reset", ["earliest", "latest"])
@pytest.mark.parametrize("events", [5, 300])
def test_a_topic_made_anew_at_once_is_read_from_its_first_event(stage: Stage, reset: str, events: int) -> None:
    process = stage.start(PLURA_CONSUMER_OFFSET_RESET=reset)
    until(stage.is_ready)
    first = [entry(number) for number in range(100)]
    stage.produce(*first)
    stage.wait_for(*first)
    # more events than we had read, so that our old offsets lie inside the new log
    stage.broker.delete_topic(stage.ledger)
    stage.broker.create_topic(stage.ledger, partitions=2)
    anew = [entry(number) for number in range(1000, 1000 + events)]
    stage.produce(*anew)
    stage.wait_for(*first, *anew)
    until(lambda: stage.metric("consumer_kafka_lag") == 0)
    until(lambda: stage.metric("consumer_topic_recreated_total") == 1)
    process.terminate()
    assert stage.ended(process)[0] == 0


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_a_topic_made_anew_under_a_frozen_consumer_is_read_from_its_first_event(stage: Stage, reset: str) -> None:
    process = stage.start(PLURA_CONSUMER_OFFSET_RESET=reset, PLURA_CONSUMER_SESSION_TIMEOUT_MS="30000")
    until(stage.is_ready)
    first = [entry(number) for number in range(100)]
    stage.produce(*first)
    stage.wait_for(*first)
    until(lambda: stage.metric("consumer_kafka_lag") == 0)
    os.kill(process.pid, signal.SIGSTOP)
    stage.broker.delete_topic(stage.ledger)
    stage.broker.create_topic(stage.ledger, partitions=2)
    anew = [entry(number) for number in range(1000, 1300)]
    stage.produce(*anew)
    os.kill(process.pid, signal.SIGCONT)
    stage.wait_for(*first, *anew)


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_a_recreated_topic_is_read_from_its_first_event(stage: Stage, reset: str) -> None:
    process = stage.start(PLURA_CONSUMER_OFFSET_RESET=reset)
    until(stage.is_ready)
    first = [entry(number) for number in range(100)]
    stage.produce(*first)
    stage.wait_for(*first)
    process.kill()
    process.wait()
    stage.broker.delete_topic(stage.ledger)
    stage.broker.create_topic(stage.ledger, partitions=2)
    anew = [entry(number) for number in range(1000, 1300)]
    stage.produce(*anew)
    stage.start()
    stage.wait_for(*first, *anew)


def test_a_topic_recreated_with_fewer_partitions_has_no_lag_for_ever(stage: Stage) -> None:
    stage.start()
    first = [entry(number) for number in range(100)]
    stage.produce(*first)
    stage.wait_for(*first)
    until(stage.is_ready)
    stage.broker.delete_topic(stage.ledger)
    stage.broker.create_topic(stage.ledger, partitions=1)
    anew = [entry(number) for number in range(1000, 1020)]
    stage.produce(*anew)
    stage.wait_for(*first, *anew)
    time.sleep(7)
    until(lambda: stage.freshness() == {stage.ledger: 0.0, stage.orders: 0.0}, seconds=10)


def test_unread_events_of_a_deleted_topic_are_counted_as_lost(stage: Stage) -> None:
    stage.start()
    first = [entry(number) for number in range(10)]
    stage.produce(*first)
    stage.wait_for(*first)
    until(stage.is_ready)
    producer = stage.broker.producer(transactional_id=stage.ledger)
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(20, 27):  # nobody can read them yet
        producer.send(stage.ledger, entry(number)[1], partition=0)
    producer.flush()
    until(lambda: stage.metric("consumer_kafka_lag") == 7)
    stage.broker.delete_topic(stage.ledger)
    until(lambda: stage.metric("consumer_offsets_lost_total") == 7)
    stage.broker.create_topic(stage.ledger, partitions=2)


def test_events_in_hand_of_a_deleted_topic_are_stored(stage: Stage) -> None:
    stage.start()
    until(stage.is_ready)
    events = [entry(number) for number in range(40)]
    with stage.database.client().connect("blocker") as blocker, blocker.transaction():
        blocker.execute("lock table bo.ledger_entries in exclusive mode")
        for start in range(0, 40, 10):  # some are on their way into the database, the others wait behind them
            stage.produce(*events[start : start + 10])
            time.sleep(0.3)
        until(lambda: stage.metric("consumer_kafka_lag") == 40)
        stage.broker.delete_topic(stage.ledger)
        until(lambda: stage.metric("consumer_topic_missing") == 1)
        time.sleep(3)
    stage.wait_for(*events)
    assert stage.metric("consumer_offsets_lost_total") == 0
    stage.broker.create_topic(stage.ledger, partitions=2)
    stage.produce(entry(100))
    stage.wait_for(*events, entry(100))


@pytest.mark.parametrize("members", [1, 2])
def test_new_partitions_are_read_from_their_first_event(stage: Stage, members: int) -> None:
    for _ in range(members):
        stage.start(PLURA_CONSUMER_OFFSET_RESET="latest", PLURA_METRICS_PORT=str(free_ports(1)[0]))
        until(stage.is_ready)
    first = [entry(number) for number in range(30)]
    stage.produce(*first)
    stage.wait_for(*first)
    stage.broker.add_partitions(stage.ledger, 4)
    later = [entry(number) for number in range(100, 190)]
    for number, event in enumerate(later):
        stage.broker.produce(stage.ledger, [(None, event[1])], partition=number % 4)
    stage.wait_for(*first, *later)


def test_latest_begins_at_the_end_and_loses_nothing_from_then_on(stage: Stage) -> None:
    old = [entry(number) for number in range(20)]
    stage.produce(*old, partition=0)
    stage.produce(*(entry(number) for number in range(20, 30)), partition=1)
    process = stage.start(PLURA_CONSUMER_OFFSET_RESET="latest")
    until(stage.is_ready)
    until(lambda: len(stage.committed()) == 4)
    process.kill()  # before the first event
    process.wait()
    while_away = [entry(number) for number in range(100, 110)]
    stage.produce(*while_away, partition=1)
    stage.start()
    stage.wait_for(*while_away)
    new = [entry(number) for number in range(200, 210)]
    stage.produce(*new)
    stage.wait_for(*while_away, *new)


def test_a_topic_that_the_group_waited_for_is_read_from_its_first_event_with_latest(stage: Stage) -> None:
    stage.ledger = f"late-{uuid4().hex[:8]}"
    stage.start(PLURA_LEDGER_TOPIC=stage.ledger, PLURA_CONSUMER_OFFSET_RESET="latest")
    until(lambda: "consumer_topic_missing" in stage.status("/metrics")[1] and stage.metric("consumer_topic_missing"))
    stage.broker.create_topic(stage.ledger, partitions=2)
    events = [entry(number) for number in range(20)]
    stage.produce(*events)
    stage.wait_for(*events)


def test_latest_reads_on_at_the_first_event_that_is_left(stage: Stage) -> None:
    process = stage.start(PLURA_CONSUMER_OFFSET_RESET="latest")
    until(stage.is_ready)
    first = [entry(number) for number in range(10)]
    stage.produce(*first, partition=0)
    stage.wait_for(*first)
    process.terminate()
    stage.ended(process)
    lost, kept = ([entry(number) for number in range(begin, begin + 10)] for begin in (10, 20))
    stage.produce(*lost, *kept, partition=0)
    stage.broker.delete_records(stage.ledger, {0: 20})
    stage.start()
    stage.wait_for(*first, *kept)
    assert stage.metric("consumer_offsets_lost_total") == 10


@pytest.mark.parametrize("when", ["afterwards", "meanwhile"])
def test_partitions_added_when_a_named_member_came_back_are_read(stage: Stage, when: str) -> None:
    process = stage.start(PLURA_CONSUMER_MEMBER="one", PLURA_CONSUMER_SESSION_TIMEOUT_MS="30000")
    until(stage.is_ready)
    process.kill()
    process.wait()
    if when == "meanwhile":
        stage.broker.add_partitions(stage.ledger, 3)
    stage.start()  # it gets its old assignment, without the information that it leads the group
    until(stage.is_ready)
    if when == "afterwards":
        stage.broker.add_partitions(stage.ledger, 3)
    later = [entry(number) for number in range(30)]
    for number, event in enumerate(later):
        stage.broker.produce(stage.ledger, [(None, event[1])], partition=number % 3)
    stage.wait_for(*later, seconds=90)


def test_no_topic_is_created_by_asking_for_it(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    broker = Broker(work=tmp_path_factory.mktemp("creating"), jars=stage.broker.jars, creates_topics=True)
    broker.format()
    broker.start()
    try:
        producer = broker.producer()
        producer.send("made-by-asking", b"x").get(timeout=30)  # such a broker does
        producer.close()
        stage.start(PLURA_KAFKA_BOOTSTRAP=broker.bootstrap)
        until(
            lambda: "consumer_topic_missing" in stage.status("/metrics")[1] and stage.metric("consumer_topic_missing")
        )
        time.sleep(3)
        client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        topics = client.list_topics()
        client.close()
        assert "made-by-asking" in topics
        assert {stage.ledger, stage.orders} & set(topics) == set()
    finally:
        broker.stop()
