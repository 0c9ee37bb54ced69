"""Consumers as processes of their own, between a real broker and a real database."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from dev.servers.kafka import Broker
from plura.kit.queries import read_queries
from plura.tx.db import API_ROLE
from tests.commands import COMMAND, Plura
from tests.dbt_runs import PROJECT
from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC, State, state_of
from tests.transactions.storing import Event, state_in

PATIENCE = 60
_FRESHNESS = read_queries("plura.tx.db", "lookups.sql")["consumers"]


@dataclass
class Stage:
    """Two topics of a broker, a database, and consumers of one group."""

    plura: Plura
    broker: Broker
    database: TestDatabase
    ledger: str
    orders: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """Folder for files."""
        return self.plura.work

    def start(self, **settings: str) -> subprocess.Popen[str]:
        """Start a consumer; what it says goes to files, so that it never waits for us to read it."""
        self.plura.settings.update(settings)
        number = len(self.processes)
        with (self.work / f"out-{number}").open("w") as out, (self.work / f"err-{number}").open("w") as err:
            process = subprocess.Popen(
                [*COMMAND, "tx", "consume"], env=self.plura.environment, cwd=PROJECT, stdout=out, stderr=err, text=True
            )
        self.processes.append(process)
        return process

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Wait for the end of a consumer; return its exit code and what it said."""
        code = process.wait(timeout=PATIENCE)
        number = self.processes.index(process)
        return code, (self.work / f"out-{number}").read_text(), (self.work / f"err-{number}").read_text()

    def produce(self, *events: Event, partition: int | None = None) -> None:
        """Send events to our topics."""
        for topic, of in ((self.ledger, LEDGER_TOPIC), (self.orders, ORDER_TOPIC)):
            mine = [(None, payload) for name, payload in events if name == of]
            if mine:
                self.broker.produce(topic, mine, partition=partition)

    def published(self) -> list[Event]:
        """Return every event that lies in our topics."""
        consumer = KafkaConsumer(bootstrap_servers=self.broker.bootstrap, enable_auto_commit=False)
        names = {self.ledger: LEDGER_TOPIC, self.orders: ORDER_TOPIC}
        try:
            places = [TopicPartition(topic, number) for topic in names for number in (0, 1)]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            found: list[Event] = []
            while any(consumer.position(place) < end for place, end in ends.items()):
                for place, records in consumer.poll(timeout_ms=500).items():
                    found += [(names[place.topic], record.value) for record in records]
            return found
        finally:
            consumer.close()

    def committed(self) -> dict[tuple[str, int], int]:
        """Return the offsets that the group has committed in our topics."""
        client = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        try:
            group = self.plura.settings["KAFKA_GROUP_ID"]
            offsets = client.list_group_offsets([group])[group]
        finally:
            client.close()
        return {
            (place.topic, place.partition): offset.offset for place, offset in offsets.items() if offset.offset >= 0
        }

    def freshness(self) -> dict[str, float]:
        """Return how far each topic is behind, as the API tells it."""
        return {topic: seconds for topic, seconds, _ in self.database.sql(_FRESHNESS, role=API_ROLE)}

    def state(self) -> State:
        """Return what the tables hold."""
        with self.database.client().connect("check") as connection:
            return state_in(connection)

    def wait_for(self, *events: Event, seconds: float = PATIENCE) -> None:
        """Wait until the tables are what the oracle says of these events."""
        expected = state_of(events)
        deadline = time.monotonic() + seconds
        while (found := self.state()) != expected:
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(differences(found, expected)))
            time.sleep(0.1)

    def status(self, path: str, port: str | None = None) -> tuple[int, str]:
        """Ask a consumer, the last one unless a port is named."""
        address = f"http://127.0.0.1:{port or self.plura.settings['PLURA_METRICS_PORT']}{path}"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # our own process
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self) -> bool:
        """Whether the last consumer says that it is ready."""
        return self.status("/readyz")[0] == 200

    def metric(self, name: str) -> float:
        """Sum of a metric of the last consumer over its series of the ledger's topic."""
        lines = self.status("/metrics")[1].splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith(name + "{") and f'topic="{self.ledger}"' in line
        )


def differences(found: State, expected: State) -> list[str]:
    """Return missing, unexpected and different rows: a few of each table."""
    lines = []
    for table in ("ledger", "orders", "pairs", "dead"):
        mine, theirs = getattr(found, table), getattr(expected, table)
        keys = [key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)]
        lines += [f"{len(keys)} in {table}"] if keys else []
        lines += [f"{table} {key}: {mine.get(key)} instead of {theirs.get(key)}" for key in keys[:3]]
    return lines


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def entry(number: int, **values: Any) -> Event:
    """A ledger entry, every two of which belong to one order."""
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
    """An order."""
    event = {"order_id": f"o{number}", "amount": 10, "status": "SETTLED", "created_at": "2026-02-13T00:00:00Z"}
    return ORDER_TOPIC, json.dumps(event | values).encode()
