"""Consumers are killed at random, PostgreSQL and the broker crash under load: the tables are those of the oracle.

PLURA_CRASH_ROUNDS is how often a consumer is killed, by default 20.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from functools import partial

import pytest

from dev.servers.kafka import free_ports
from tests.transactions.generated import event
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC
from tests.transactions.stage import Stage, until
from tests.transactions.storing import Event

log = logging.getLogger(__name__)

ROUNDS = int(os.environ.get("PLURA_CRASH_ROUNDS", "20"))
PER_SECOND = 150


class Load(threading.Thread):
    """Produces until it is stopped, also while the broker is unavailable."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        super().__init__()
        self.stage, self.dice = stage, dice
        self.stopping = threading.Event()
        self.sent: list[Event] = []
        self.failed: list[Exception] = []

    def run(self) -> None:
        producer = self.stage.broker.producer(retries=1000, delivery_timeout_ms=120_000, enable_idempotence=True)
        topics = {LEDGER_TOPIC: self.stage.ledger, ORDER_TOPIC: self.stage.orders}
        waiting = []
        while not self.stopping.wait(0.1):
            for _ in range(PER_SECOND // 10):
                sent = event(self.dice, len(self.sent))
                self.sent.append(sent)
                waiting.append(producer.send(topics[sent[0]], value=sent[1], partition=self.dice.randint(0, 1)))
        for future in waiting:
            try:
                future.get(timeout=120)
            except Exception as error:  # noqa: BLE001  # reported by the test
                self.failed.append(error)
        producer.close()


def is_ready(stage: Stage, port: str) -> bool:
    """Whether the consumer at a port consumes."""
    return stage.status("/readyz", port)[0] == 200


@pytest.mark.timeout(1200)
def test_the_tables_are_those_of_the_oracle_whatever_crashes(stage: Stage) -> None:
    seed = random.randrange(1 << 32)
    log.warning("seed %s", seed)
    dice = random.Random(seed)
    load = Load(stage, random.Random(seed + 1))
    load.start()
    ports = [str(port) for port in free_ports(2)]
    names = ["static", ""]
    consumers = [
        stage.start(PLURA_METRICS_PORT=ports[number], PLURA_CONSUMER_MEMBER=names[number]) for number in (0, 1)
    ]
    try:
        for number in range(1, ROUNDS + 1):
            time.sleep(dice.uniform(0.1, 4))
            victim = dice.randrange(2)
            away = number % 5 == 3
            if away:  # whoever is at work now and is killed holds a batch that it cannot write
                until(partial(is_ready, stage, ports[victim]))
                stage.database.server.stop("immediate")
                time.sleep(dice.uniform(0.5, 2))
            consumers[victim].kill()
            consumers[victim].wait()
            if away:
                stage.database.server.start()
            consumers[victim] = stage.start(PLURA_METRICS_PORT=ports[victim], PLURA_CONSUMER_MEMBER=names[victim])
            if number % 10 == 6:
                stage.broker.restart()
    finally:
        load.stopping.set()
        load.join()
    assert load.failed == []
    for process in consumers:
        assert process.poll() is None, stage.ended(process)
    published = stage.published()
    assert set(load.sent) - set(published) == set(), "the brokers lost what they had confirmed"
    stage.wait_for(*published, seconds=180)
    for process in consumers:
        process.terminate()
    assert [stage.ended(process)[0] for process in consumers] == [0, 0]
    stage.wait_for(*load.sent)
