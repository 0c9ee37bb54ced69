"""``plura tx consume`` over a backlog, and how soon an event can be seen in the API while events come in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from statistics import median
from typing import Any

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from bench.http_load import Connection, percentile
from bench.measuring import Measured, measure
from bench.tx_events import mixed_events, tx_id
from bench.tx_stage import PLURA, Stage, running_api, running_broker, started
from dev.servers.kafka import Broker
from plura.tx.consumer.settings import ConsumerSettings

BACKLOG = 200_000
PARTITIONS = 2
TOPICS = {"ledger": "ledger.entry.upserted", "payment_order": "payment.order.upserted"}

PER_SECOND = 2_000
SECONDS = 60
_PROBES_PER_SECOND = 5
_LOOK_SECONDS = 0.005
"""Pause between two looks for an event, and so the largest error of its measured time."""
_PATIENCE_SECONDS = 30


def measure_kafka(stage: Stage, *, scale: float, repeats: int) -> dict[str, Any]:
    """Measure the consumer over a backlog that lies in the broker already.

    Sustained is from the transaction of the first batch to that of the last; the wall time is that of the process, with
    its start and its way into the group.
    """
    events = int(BACKLOG * scale)
    walls: list[Measured] = []
    sustained: list[float] = []
    with running_broker(stage.folder) as broker:
        _create_topics(broker)
        _produce(broker, events)
        reads = [_read_alone(broker, events) for _ in range(repeats)]
        for number in range(repeats):
            database = stage.fresh_database()
            environment = _environment(stage, database, broker, group=f"bench-{number}")
            command = [PLURA, "tx", "consume", "--max-messages", str(events)]
            walls.append(measure(command, environment))
            sustained.append(events / _storing_seconds(stage, database))
            counts = stage.count(database, "ledger_entries") + stage.count(database, "payment_orders")
            if counts != events:
                raise AssertionError(f"{counts} rows of {events} events")
            stage.drop(database)
    return {
        "events": events,
        "repeats": repeats,
        "per_second": median(sustained),
        "wall_s": median(run.wall_s for run in walls),
        "cpu_s": median(run.cpu_s for run in walls),
        "peak_gib": max(run.peak_gib for run in walls),
        "read_alone_per_second": events / median(reads),
    }


def measure_visible(stage: Stage, *, scale: float) -> dict[str, Any]:
    """Produce events at a steady pace and look for some of them in the API, until each is there.

    An event carries the time at which it is handed to the producer, and the answer of the API gives it back. Looks
    begin at their times however long earlier ones take, so that a pause is seen by all that fall into it.
    """
    seconds = max(3, int(SECONDS * scale))
    database = stage.fresh_database()
    with running_broker(stage.folder) as broker, running_api(stage, database) as api:
        _create_topics(broker)
        with started([PLURA, "tx", "consume"], _environment(stage, database, broker, group="bench")):
            _produce_at_pace(broker, first=0, seconds=1).wait()
            connection = Connection(api.port, api.headers)
            _look_until_there(connection, PER_SECOND - 1)  # the consumer is in its group, and all is warm
            producing = _produce_at_pace(broker, first=PER_SECOND, seconds=seconds)
            begun = time.time() - _look_until_there(connection, PER_SECOND)
            delays = _look_at_pace(connection, begun, seconds - 1)
            if producing.wait():
                raise RuntimeError("the producer failed")
            _look_until_there(connection, PER_SECOND * (1 + seconds) - 1)
            stored = stage.count(database, "ledger_entries")
    stage.drop(database)
    if stored != PER_SECOND * (1 + seconds):
        raise AssertionError(f"{stored} rows")
    return {
        "per_second": PER_SECOND,
        "seconds": seconds,
        "probes": len(delays),
        **{f"p{share}_s": percentile(delays, share / 100) for share in (50, 95, 99)},
        "max_s": max(delays),
    }


def _look_at_pace(connection: Connection, begun: float, seconds: float) -> list[float]:
    """Look for the event that is about to be produced, so many times a second; return how old each was when seen.

    ``begun`` is the time at which the first one was produced.
    """
    delays: list[float] = []
    missing: list[int] = []
    due = time.time()
    while (now := time.time()) < begun + seconds or missing:
        while due <= now < begun + seconds:
            missing.append(int(PER_SECOND * (1 + due + _LOOK_SECONDS - begun)))
            due += 1 / _PROBES_PER_SECOND
        missing, found = _look(connection, missing)
        delays += found
        if now > begun + seconds + _PATIENCE_SECONDS:
            raise AssertionError(f"{len(missing)} events cannot be seen")
        time.sleep(_LOOK_SECONDS)
    return delays


def _look_until_there(connection: Connection, number: int) -> float:
    """Look for an event until it is there; return how old it is then in seconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        _, found = _look(connection, [number])
        if found:
            return found[0]
        time.sleep(_LOOK_SECONDS)
    raise AssertionError(f"event {number} cannot be seen")


def _look(connection: Connection, numbers: list[int]) -> tuple[list[int], list[float]]:
    """Ask for some events; return those that are not there, and how old the others are now in seconds."""
    missing, found = [], []
    for number in numbers:
        status, body = connection.get(f"/admin/tx/{tx_id(number)}")
        if status == 404:  # noqa: PLR2004  # not yet
            missing.append(number)
        elif status == 200:  # noqa: PLR2004  # OK
            event_time = datetime.fromisoformat(json.loads(body)["event_time"])
            found.append((datetime.now(UTC) - event_time).total_seconds())
        else:
            raise AssertionError(f"{status} {body!r}")
    return missing, found


def _produce_at_pace(broker: Broker, *, first: int, seconds: int) -> subprocess.Popen[bytes]:
    numbers = (str(number) for number in (first, PER_SECOND, PER_SECOND * seconds))
    return subprocess.Popen([sys.executable, "-m", "bench.tx_produce", broker.bootstrap, TOPICS["ledger"], *numbers])


def _create_topics(broker: Broker) -> None:
    for topic in TOPICS.values():
        broker.create_topic(topic, partitions=PARTITIONS)


def _produce(broker: Broker, events: int) -> None:
    producer = broker.producer(linger_ms=20, batch_size=1 << 17)
    for kind, event in mixed_events(events):
        producer.send(TOPICS[kind], value=event)
    producer.flush(60)
    producer.close()


def _environment(stage: Stage, database: str, broker: Broker, *, group: str) -> dict[str, str]:
    return stage.environment(database) | {
        "PLURA_KAFKA_BOOTSTRAP": broker.bootstrap,
        "PLURA_KAFKA_GROUP_ID": group,
        "PLURA_METRICS_HOST": "127.0.0.1",
    }


def _storing_seconds(stage: Stage, database: str) -> float:
    """Seconds from the transaction of the first batch to that of the last."""
    statement = """select extract(epoch from max(ingested_at) - min(ingested_at))::float8
        from (select ingested_at from bo.ledger_entries union all select ingested_at from bo.payment_orders) as rows"""
    with stage.connect(database) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return float(row[0])


def _read_alone(broker: Broker, events: int) -> float:
    """Read the backlog with kafka-python and our settings, do nothing with it, and return the seconds."""
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        **ConsumerSettings().client_options("bench") | {"group_id": None, "auto_offset_reset": "earliest"},
    )
    consumer.assign([TopicPartition(topic, number) for topic in TOPICS.values() for number in range(PARTITIONS)])
    consumer.poll(timeout_ms=5_000, max_records=1)
    got, started_at = 1, time.perf_counter()
    while got < events:
        got += sum(len(some) for some in consumer.poll(timeout_ms=1_000).values())
    seconds = time.perf_counter() - started_at
    consumer.close()
    return seconds
