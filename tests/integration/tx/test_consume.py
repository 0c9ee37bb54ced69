"""The consumer on real Kafka and PostgreSQL, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import time
from uuid import uuid4

from dev.servers.kafka import free_ports
from tests.transactions.oracle import LEDGER_TOPIC
from tests.transactions.stage import Stage, entry, order, until


def test_events_are_stored_and_committed_and_the_group_is_left(stage: Stage) -> None:
    events = [*(entry(number) for number in range(60)), *(order(number) for number in range(30)), (LEDGER_TOPIC, b"{")]
    stage.produce(*events)
    process = stage.start()
    stage.wait_for(*events)
    assert until(lambda: stage.status("/readyz")[0] == 200)
    assert json.loads(stage.status("/readyz")[1]) == {"status": "ok", "database": True, "broker": True}
    assert stage.status("/healthz")[0] == 200
    assert stage.status("/other")[0] == 404
    metrics = stage.status("/metrics")[1]
    assert f'consumer_messages_total{{status="success",topic="{stage.ledger}"}} 60.0' in metrics
    assert f'consumer_messages_total{{status="error",topic="{stage.ledger}"}} 1.0' in metrics
    assert 'db_queries_total{operation="upsert",success="true",table="ledger_entries"}' in metrics
    assert f'consumer_dlq_total{{topic="{stage.ledger}"}} 1.0' in metrics
    until(lambda: f'consumer_kafka_lag{{partition="0",topic="{stage.ledger}"}} 0.0' in stage.status("/metrics")[1])
    assert f'consumer_freshness_seconds{{topic="{stage.ledger}"}} 0.0' in stage.status("/metrics")[1]
    caught_up = (
        "select count(*) from bo.consumer_state where position = end_offset and polled_at > now() - interval '5 s'"
    )
    until(lambda: stage.database.sql(caught_up) == [(4,)])
    process.terminate()
    code, out, err = stage.ended(process)
    assert code == 0, err
    assert "90 events stored, 1 put aside" in out

    # whoever comes next begins at once, behind what was committed
    started = time.monotonic()
    stage.produce(entry(100), order(50))
    follower = stage.start()
    stage.wait_for(*events, entry(100), order(50))
    assert time.monotonic() - started < 20
    follower.terminate()
    assert "2 events stored, 0 put aside" in stage.ended(follower)[1]


def test_every_compression_of_kafka_is_read(stage: Stage) -> None:
    events = [entry(number) for number in range(4)]
    for codec, (_, payload) in zip(("gzip", "snappy", "lz4", "zstd"), events, strict=True):
        producer = stage.broker.producer(compression_type=codec)
        producer.send(stage.ledger, payload, headers=[("codec", codec.encode() * 100)])
        producer.flush()
        producer.close()
    stage.start()
    stage.wait_for(*events)


def test_a_record_that_cannot_be_read_ends_the_consumer_after_the_records_before_it(stage: Stage) -> None:
    class NotUtf8(str):
        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            return b"\xff"

    producer = stage.broker.producer(linger_ms=500)
    for number in range(3):
        producer.send(stage.ledger, entry(number)[1], partition=0)
    producer.send(stage.ledger, entry(3)[1], partition=0, headers=[(NotUtf8("x"), b"")])
    producer.flush()
    producer.close()
    for _ in range(2):
        code, _, err = stage.ended(stage.start())
        assert code == 1
        assert f"{stage.ledger}-0 at 3" in err
        stage.wait_for(entry(0), entry(1), entry(2), seconds=1)


def test_what_a_producer_took_back_is_not_stored(stage: Stage) -> None:
    producer = stage.broker.producer(transactional_id=stage.ledger)
    producer.init_transactions()
    for number in range(6):
        producer.begin_transaction()
        producer.send(stage.ledger, entry(number)[1], partition=0)
        producer.flush()
        if number % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    producer.close()
    stage.start()
    stage.wait_for(entry(0), entry(2), entry(4))
    # the marks that end transactions are no events, and leave no partition behind
    caught_up = "select count(*) from bo.consumer_state where position = end_offset and position = 12"
    assert until(lambda: stage.database.sql(caught_up) == [(1,)])


def test_records_that_retention_deleted_unread_are_reported_and_counted(stage: Stage) -> None:
    old, lost, kept = ([entry(number) for number in range(first, first + 10)] for first in (0, 10, 20))
    stage.produce(*old, *(order(number) for number in range(5)), partition=0)
    stage.broker.delete_records(stage.orders, {0: 3})  # nobody was to read these: the group begins here
    begun = [*old, order(3), order(4)]
    first = stage.start()
    stage.wait_for(*begun)
    until(lambda: stage.status("/readyz")[0] == 200)
    first.terminate()
    assert "deleted before they were read" not in stage.ended(first)[2]

    stage.produce(*lost, *kept, partition=0)
    stage.broker.delete_records(stage.ledger, {0: 20})
    second = stage.start()
    stage.wait_for(*begun, *kept)
    metrics = stage.status("/metrics")[1]
    assert f'consumer_offsets_lost_total{{topic="{stage.ledger}"}} 10.0' in metrics
    assert f'consumer_offsets_lost_total{{topic="{stage.orders}"}} 0.0' in metrics
    second.terminate()
    code, _, err = stage.ended(second)
    assert code == 0
    (logged,) = (json.loads(line) for line in err.splitlines() if "deleted before they were read" in line)
    assert (logged["level"], logged["topic"], logged["partition"]) == ("ERROR", stage.ledger, 0)
    assert (logged["wanted"], logged["next"], logged["lost"]) == (10, 20, 10)


def test_a_database_that_is_away_puts_nothing_aside(stage: Stage) -> None:
    process = stage.start()
    first = [entry(number) for number in range(10)]
    stage.produce(*first)
    stage.wait_for(*first)
    until(lambda: stage.status("/readyz")[0] == 200)
    away = [entry(number) for number in range(10, 400)]
    stage.database.server.stop("immediate")
    try:
        stage.produce(*away, partition=0)
        until(lambda: json.loads(stage.status("/readyz")[1] or "{}").get("database") is False)
        assert stage.status("/healthz")[0] == 200
        time.sleep(8)  # longer than the session timeout: polling went on all the time
        assert process.poll() is None
    finally:
        stage.database.server.start()
    stage.wait_for(*first, *away)
    assert stage.database.sql("select count(*) from bo.consumer_dlq_events") == [(0,)]
    until(lambda: stage.status("/readyz")[0] == 200)


def test_a_broker_that_is_away_is_waited_for(stage: Stage) -> None:
    process = stage.start()
    first = [entry(number) for number in range(10)]
    stage.produce(*first)
    stage.wait_for(*first)
    until(lambda: stage.status("/readyz")[0] == 200)
    stage.broker.kill()
    until(lambda: json.loads(stage.status("/readyz")[1] or "{}").get("broker") is False)
    stage.broker.start()
    later = [entry(number) for number in range(10, 50)]
    stage.produce(*later)
    stage.wait_for(*first, *later)
    assert process.poll() is None


def test_partitions_of_a_killed_consumer_move_within_ten_seconds(stage: Stage) -> None:
    first = stage.start()
    events = [entry(number) for number in range(10)]
    stage.produce(*events)
    stage.wait_for(*events)
    second = stage.start(PLURA_METRICS_PORT=str(free_ports(1)[0]))
    until(lambda: stage.status("/readyz")[0] == 200)
    first.kill()
    killed = time.monotonic()
    events += [entry(number) for number in range(10, 40)]
    stage.produce(*events[10:])
    stage.wait_for(*events)
    assert time.monotonic() - killed < 12
    second.terminate()
    assert stage.ended(second)[0] == 0


def test_a_rebalance_loses_nothing_of_what_is_gathered(stage: Stage) -> None:
    first = stage.start()
    events = [entry(number) for number in range(10)]
    stage.produce(*events)
    stage.wait_for(*events)
    with stage.database.client().connect("blocker") as blocker, blocker.transaction():
        blocker.execute("lock table bo.ledger_entries in exclusive mode")
        for start in range(10, 200, 10):  # some are on their way into the database, the others wait behind them
            events += (more := [entry(number) for number in range(start, start + 10)])
            stage.produce(*more)
        second = stage.start(PLURA_METRICS_PORT=str(free_ports(1)[0]))
        until(lambda: json.loads(stage.status("/readyz")[1] or "{}").get("broker"))
    stage.wait_for(*events)
    for process in (first, second):
        process.terminate()
    assert [stage.ended(process)[0] for process in (first, second)] == [0, 0]


def test_a_limit_of_bad_events_stops_it(stage: Stage) -> None:
    bad = [json.dumps({"correlation_id": f"c{number}"}).encode() for number in range(5)]
    stage.produce(*((LEDGER_TOPIC, payload) for payload in bad), partition=0)
    process = stage.start(PLURA_CONSUMER_MOST_BAD_IN_A_ROW="5")
    code, _, err = stage.ended(process)
    assert code == 1
    *lines, last = err.splitlines()
    assert "5 of them in a row" in last
    logged = [json.loads(line) for line in lines if "put aside" in line]
    assert [(record["offset"], record["code"], record["correlation_id"]) for record in logged] == [
        (number, "parse_error", f"c{number}") for number in range(5)
    ]
    assert stage.database.sql("select count(*) from bo.consumer_dlq_events") == [(5,)]


def test_it_starts_before_its_broker(stage: Stage) -> None:
    stage.broker.kill()
    process = stage.start()
    until(lambda: stage.status("/healthz")[0] == 200)
    assert stage.status("/readyz")[0] == 503
    stage.broker.start()
    stage.produce(entry(1))
    stage.wait_for(entry(1))
    os.kill(process.pid, signal.SIGINT)
    assert stage.ended(process)[0] == 0


def test_it_starts_before_its_database(stage: Stage) -> None:
    stage.database.server.stop("immediate")
    try:
        process = stage.start()
        until(lambda: stage.status("/healthz")[0] == 200)
        assert json.loads(stage.status("/readyz")[1])["database"] is False
    finally:
        stage.database.server.start()
    stage.produce(entry(1))
    stage.wait_for(entry(1))
    process.terminate()
    assert stage.ended(process)[0] == 0


def test_a_topic_that_does_not_exist_yet_is_waited_for(stage: Stage) -> None:
    stage.ledger = f"late-{uuid4().hex[:8]}"
    process = stage.start(PLURA_LEDGER_TOPIC=stage.ledger)
    until(lambda: stage.status("/healthz")[0] == 200)
    stage.produce(order(1))
    time.sleep(3)
    assert stage.status("/readyz")[0] == 503
    assert process.poll() is None
    stage.broker.create_topic(stage.ledger, partitions=2)
    stage.produce(entry(1))
    stage.wait_for(order(1), entry(1))
