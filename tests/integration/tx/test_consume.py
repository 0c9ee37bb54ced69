"""The consumer on real Kafka and PostgreSQL, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.commands import Plura
from tests.kafka import Broker, free_ports
from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC, State, state_of
from tests.transactions.storing import Event, state_in

PATIENCE = 60


@dataclass
class Stage:
    """Two topics of a broker, a database, and consumers of one group."""

    plura: Plura
    broker: Broker
    database: TestDatabase
    ledger: str
    orders: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, **settings: str) -> subprocess.Popen[str]:
        """Start a consumer."""
        self.plura.settings.update(settings)
        process = self.plura.start("tx", "consume")
        self.processes.append(process)
        return process

    def produce(self, *events: Event, partition: int | None = None) -> None:
        """Send events to our topics."""
        for topic, of in ((self.ledger, LEDGER_TOPIC), (self.orders, ORDER_TOPIC)):
            mine = [(None, payload) for name, payload in events if name == of]
            if mine:
                self.broker.produce(topic, mine, partition=partition)

    def state(self) -> State:
        with self.database.client().connect("check") as connection:
            return state_in(connection)

    def wait_for(self, *events: Event) -> None:
        """Wait until the tables are what the oracle says of these events."""
        expected = state_of(events)
        deadline = time.monotonic() + PATIENCE
        while (found := self.state()) != expected:
            if time.monotonic() > deadline:
                assert found == expected
            time.sleep(0.1)

    def status(self, path: str) -> tuple[int, str]:
        """Ask the consumer."""
        address = f"http://127.0.0.1:{self.plura.settings['PLURA_METRICS_PORT']}{path}"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # our own process
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.fixture
def stage(bo: TestDatabase, broker: Broker, tmp_path: Path) -> Iterator[Stage]:
    ledger, orders = broker.create_topic(partitions=2), broker.create_topic(partitions=2)
    settings = {
        "PLURA_DATABASE_URL": bo.url,
        "PLURA_KAFKA_BOOTSTRAP": broker.bootstrap,
        "PLURA_LEDGER_TOPIC": ledger,
        "PAYMENT_ORDER_TOPIC": orders,
        "KAFKA_GROUP_ID": f"group-{uuid4().hex[:8]}",
        "PLURA_METRICS_HOST": "127.0.0.1",
        "PLURA_METRICS_PORT": str(free_ports(1)[0]),
    }
    one = Stage(Plura(work=tmp_path, settings=settings), broker, bo, ledger, orders)
    yield one
    for process in one.processes:
        process.kill()
        process.communicate()


def entry(number: int, **values: Any) -> Event:
    event = {
        "tx_id": f"t{number}",
        "wallet_id": f"w{number % 5}",
        "entry_type": ("PAYMENT", "RECEIVE")[number % 2],
        "amount": "10.00",
        "related_id": f"o{number // 2}",
        "event_time": "2026-02-13T00:00:00Z",
    }
    return LEDGER_TOPIC, json.dumps(event | values).encode()


def order(number: int, **values: Any) -> Event:
    event = {"order_id": f"o{number}", "amount": 10, "status": "SETTLED", "created_at": "2026-02-13T00:00:00Z"}
    return ORDER_TOPIC, json.dumps(event | values).encode()


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
    assert f'consumer_dlq_total{{topic="{stage.ledger}"}} 1.0' in metrics
    until(lambda: f'consumer_kafka_lag{{partition="0",topic="{stage.ledger}"}} 0.0' in stage.status("/metrics")[1])
    assert f'consumer_freshness_seconds{{topic="{stage.ledger}"}} 0.0' in stage.status("/metrics")[1]
    caught_up = (
        "select count(*) from bo.consumer_state where position = end_offset and polled_at > now() - interval '5 s'"
    )
    until(lambda: stage.database.sql(caught_up) == [(4,)])
    process.terminate()
    code, out, err = ended(process)
    assert code == 0, err
    assert "90 events stored, 1 put aside" in out

    # whoever comes next begins at once, behind what was committed
    started = time.monotonic()
    stage.produce(entry(100), order(50))
    follower = stage.start()
    stage.wait_for(*events, entry(100), order(50))
    assert time.monotonic() - started < 20
    follower.terminate()
    assert "2 events stored, 0 put aside" in ended(follower)[1]


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
    assert ended(second)[0] == 0


def test_a_limit_of_bad_events_stops_it(stage: Stage) -> None:
    stage.produce(*((LEDGER_TOPIC, b"bad%d" % number) for number in range(5)), partition=0)
    process = stage.start(PLURA_CONSUMER_MOST_BAD_IN_A_ROW="5")
    code, _, err = ended(process)
    assert code == 1
    assert "5 of them in a row" in err
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
    assert ended(process)[0] == 0
