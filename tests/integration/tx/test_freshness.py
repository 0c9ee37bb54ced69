"""How far the tables are behind: open transactions, odd timestamps, and clocks that are wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.transactions.stage import Stage, entry, until

SKEWED = """
import time
_now, _now_ns = time.time, time.time_ns
time.time = lambda: _now() + {seconds}
time.time_ns = lambda: _now_ns() + {seconds} * 10**9
"""


def own_freshness(stage: Stage) -> float:
    """What the consumer says about the ledger's topic."""
    name = f'consumer_freshness_seconds{{topic="{stage.ledger}"}} '
    lines = [line for line in stage.status("/metrics")[1].splitlines() if line.startswith(name)]
    return float(lines[0].rpartition(" ")[2])


def caught_up(stage: Stage) -> bool:
    return stage.freshness() == {stage.ledger: 0.0, stage.orders: 0.0}


def with_clock(stage: Stage, seconds: int) -> dict[str, str]:
    """Settings of a consumer whose wall clock is wrong."""
    folder = stage.work / "skewed"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SKEWED.format(seconds=seconds))
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@contextmanager
def blocked(stage: Stage) -> Iterator[None]:
    """Let no batch of ledger entries be stored."""
    with stage.database.client().connect("blocker") as blocker, blocker.transaction():
        blocker.execute("lock table bo.ledger_entries in exclusive mode")
        yield


def test_rows_after_a_hanging_transaction_count_as_lag(stage: Stage) -> None:
    stage.start()
    until(stage.is_ready)
    stage.produce(entry(0), partition=0)
    stage.wait_for(entry(0))
    until(lambda: caught_up(stage))
    producer = stage.broker.producer(transactional_id=stage.ledger)
    producer.init_transactions()
    producer.begin_transaction()
    held = [entry(number) for number in range(1, 11)]
    for _, payload in held:
        producer.send(stage.ledger, payload, partition=0)
    producer.flush()
    behind = [entry(number) for number in range(11, 21)]
    stage.produce(*behind, partition=0)  # these are whole, and wait for the others
    until(lambda: stage.metric("consumer_kafka_lag") == 20)
    began = time.monotonic()
    time.sleep(7)
    waited = time.monotonic() - began
    assert waited - 1 < own_freshness(stage) < waited + 5
    assert waited - 1 < stage.freshness()[stage.ledger] < waited + 5
    assert stage.freshness()[stage.orders] == 0
    producer.commit_transaction()
    producer.close()
    stage.wait_for(entry(0), *held, *behind)
    until(lambda: stage.metric("consumer_kafka_lag") == 0)
    until(lambda: caught_up(stage))


def test_a_hanging_transaction_is_seen_by_a_consumer_that_starts_later(stage: Stage) -> None:
    producer = stage.broker.producer(transactional_id=stage.ledger)
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(20):
        producer.send(stage.ledger, entry(number)[1], partition=1)
    producer.flush()
    stage.start()
    until(lambda: stage.metric("consumer_kafka_lag") == 20)
    producer.abort_transaction()
    producer.close()
    until(lambda: stage.metric("consumer_kafka_lag") == 0)


def test_short_transactions_without_a_pause_are_no_growing_backlog(stage: Stage) -> None:
    stage.start()
    until(stage.is_ready)
    producer = stage.broker.producer(transactional_id=stage.ledger)
    producer.init_transactions()
    worst = 0.0
    until(lambda: caught_up(stage))
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < 15:
        producer.begin_transaction()
        producer.send(stage.ledger, entry(number)[1], partition=0)
        number += 1
        producer.flush()
        time.sleep(0.2)
        producer.commit_transaction()
        worst = max(worst, own_freshness(stage), stage.freshness()[stage.ledger])
    producer.close()
    assert worst < 5


TIMESTAMPS: dict[str, Callable[[float], float]] = {
    "0": lambda _: 0,
    "-1": lambda _: -1,
    "1": lambda _: 1,
    "seconds": lambda now: now,
    "right": lambda now: now * 1000,
    "microseconds": lambda now: now * 1e6,
    "nanoseconds": lambda now: now * 1e9,
    "tomorrow": lambda now: (now + 86_400) * 1000,
    "yesterday": lambda now: (now - 86_400) * 1000,
}


@pytest.mark.parametrize("kind", TIMESTAMPS)
def test_timestamps_of_records_neither_hide_nor_invent_a_backlog(stage: Stage, kind: str) -> None:
    # a broker of today refuses times of the future by default
    stage.ledger = stage.broker.create_topic(partitions=2, message_timestamp_after_max_ms=str(2**63 - 1))
    stage.start(PLURA_LEDGER_TOPIC=stage.ledger)
    until(stage.is_ready)
    until(lambda: caught_up(stage))
    with blocked(stage):
        producer = stage.broker.producer()
        for number in range(20):
            producer.send(stage.ledger, entry(number)[1], partition=0, timestamp_ms=int(TIMESTAMPS[kind](time.time())))
        producer.flush()
        producer.close()
        began = time.monotonic()
        time.sleep(8)
        waited = time.monotonic() - began
        assert stage.metric("consumer_kafka_lag") == 20
        assert waited - 1.5 < own_freshness(stage) < waited + 5
        assert waited - 2.5 < stage.freshness()[stage.ledger] < waited + 5
    stage.wait_for(*(entry(number) for number in range(20)))
    until(lambda: caught_up(stage))
    assert own_freshness(stage) == 0


@pytest.mark.parametrize("timestamp", [0, None], ids=["without a timestamp", "with one"])
def test_a_backlog_is_as_old_after_a_restart_as_before(stage: Stage, timestamp: int | None) -> None:
    first = stage.start()
    until(stage.is_ready)
    stage.produce(entry(0), partition=0)
    stage.wait_for(entry(0))
    until(lambda: stage.committed().get((stage.ledger, 0)) == 1)
    first.kill()
    first.wait()
    died = time.monotonic()
    producer = stage.broker.producer()
    producer.send(stage.ledger, entry(1)[1], partition=0, timestamp_ms=timestamp)
    producer.flush()
    producer.close()
    time.sleep(8)
    with blocked(stage):
        stage.start()
        until(lambda: stage.metric("consumer_kafka_lag") == 1)
        waited = time.monotonic() - died
        time.sleep(2)
        assert waited - 2 < own_freshness(stage) < waited + 6
        assert waited - 2 < stage.freshness()[stage.ledger] < waited + 6
    stage.wait_for(entry(0), entry(1))


@pytest.mark.parametrize("seconds", [600, -20, 86_400, -86_400])
def test_a_wrong_clock_of_the_consumer_changes_nothing(stage: Stage, seconds: int) -> None:
    process = stage.start(**with_clock(stage, seconds))
    until(stage.is_ready)
    stage.produce(entry(0), partition=0)
    stage.wait_for(entry(0))
    until(lambda: caught_up(stage))
    time.sleep(3)
    assert caught_up(stage)  # an idle one raises no alarm
    assert own_freshness(stage) == 0
    with blocked(stage):
        stage.produce(entry(1), partition=0)
        began = time.monotonic()
        time.sleep(7)
        waited = time.monotonic() - began
        assert waited - 1.5 < own_freshness(stage) < waited + 5
        assert waited - 2.5 < stage.freshness()[stage.ledger] < waited + 5
    stage.wait_for(entry(0), entry(1))
    until(lambda: caught_up(stage))
    process.kill()
    process.wait()
    died = time.monotonic()
    time.sleep(8)
    waited = time.monotonic() - died
    assert waited - 1 < stage.freshness()[stage.ledger] < waited + 5  # a dead one does
    names = {name for (name,) in stage.database.sql("select topic from bo.consumer_state where polled_at > now()")}
    assert names == set()


def test_a_broker_that_is_away_makes_the_data_old(stage: Stage) -> None:
    stage.start()
    until(stage.is_ready)
    until(lambda: caught_up(stage))
    stage.broker.kill()
    try:
        time.sleep(8)
        assert own_freshness(stage) > 5
        assert stage.freshness()[stage.ledger] > 5
    finally:
        stage.broker.start()
    until(lambda: caught_up(stage))
