"""``plura lake stream`` as users run it: killed and started again, asked to stop, and told what is wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dev.servers.kafka import Broker
from python_jobs.load.delta import DeltaBronze
from python_jobs.stream import Feed, StreamRequest, stream
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.loads import GOOD
from tests.spark import SHORT

KILLS = int(os.environ.get("PLURA_STREAM_KILLS", "1"))
"""How often the stream is killed; each time costs some 20 s."""

RUNNER = """
import os
from pathlib import Path
from plura.cli.main import main
from python_jobs.lakes.spark_lake import stderr_in
from python_jobs.spark import open_session
warehouse = Path(os.environ["PLURA_SPARK_WAREHOUSE"])
with stderr_in(Path(os.environ["PLURA_SPARK_CHECKPOINT_DIR"] + ".log")):
    session = open_session(Path.cwd(), warehouse=warehouse)
session.sql("create schema if not exists bronze")
for folder in (warehouse / "bronze.db").iterdir():
    session.sql(f"create table bronze.{folder.name} using delta location '{folder}'")
main()
"""
"""The command, after its catalog, which is in memory, has learnt of the tables of this process."""


@pytest.fixture
def plura(tmp_path: Path, broker: Broker, delta: DeltaBronze) -> Plura:
    """The command with the warehouse of this process and the broker."""
    warehouse = str(delta.session.conf.get("spark.sql.warehouse.dir")).removeprefix("file:")
    return Plura(
        work=tmp_path,
        settings=SHORT
        | {
            "PLURA_SPARK_MEMORY": "1g",
            "PLURA_SPARK_WAREHOUSE": warehouse,
            "PLURA_SPARK_CHECKPOINT_DIR": str(tmp_path / "checkpoints"),
            "PLURA_KAFKA_BOOTSTRAP": broker.bootstrap,
        },
    )


def start(plura: Plura, *arguments: str) -> subprocess.Popen[str]:
    """Start the stream in a process group of its own, Java and Python workers included."""
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, "lake", "stream", *arguments],
        env=plura.environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """End the process and what it started, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for_a_micro_batch(plura: Plura, topic: str, process: subprocess.Popen[str]) -> None:
    """Wait until the process has begun a micro-batch that was not there before."""
    offsets = plura.work / "checkpoints" / topic / "offsets"
    before = set(offsets.glob("[0-9]*"))
    deadline = time.monotonic() + 300
    while not set(offsets.glob("[0-9]*")) - before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def produce(broker: Broker, topic: str, enough: threading.Event, good: list[int], broken: list[str]) -> None:
    """Send orders, and every tenth time a broken line, until it is enough; tell what was sent."""
    producer = broker.producer()
    while not enough.wait(0.05):
        producer.send(topic, json.dumps(GOOD["orders"] | {"order_id": len(good)}).encode())
        good.append(len(good))
        if len(good) % 10 == 0:
            broken.append(f"broken {len(good)}")
            producer.send(topic, broken[-1].encode())
    producer.flush()
    producer.close()


def test_a_killed_stream_continues_and_stores_every_message_once(
    plura: Plura, broker: Broker, delta: DeltaBronze
) -> None:
    """Killed at random points, then asked to end, which it does after the micro-batch at work; then read to the end."""
    topic = broker.create_topic(partitions=3)
    good: list[int] = []
    broken: list[str] = []
    enough = threading.Event()

    arguments = ("--topics", f"{topic}=orders", "--every", "0")
    thread = threading.Thread(target=produce, args=(broker, topic, enough, good, broken))
    thread.start()
    try:
        for _ in range(KILLS):
            process = start(plura, *arguments)
            try:
                wait_for_a_micro_batch(plura, topic, process)
                time.sleep(random.uniform(0, 6))
            finally:
                kill(process)
        process = start(plura, *arguments)
        try:
            wait_for_a_micro_batch(plura, topic, process)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        finally:
            kill(process)
    finally:
        enough.set()
        thread.join()
    assert (process.returncode, err) == (0, "")
    ours = f"source_file = 'kafka:{topic}'"
    registry = delta.session.sql(f"select * from bronze.load_registry where {ours}").collect()
    assert {batch["status"] for batch in registry} == {"loaded"}
    first, *written, last = out.splitlines()
    assert (first, last) == (f"streaming {topic}", "next: plura lake run --target spark")
    assert {line.split()[-1] for line in written} <= {batch["batch_id"] for batch in registry}

    rest = StreamRequest(
        feeds=[Feed(topic=topic, table="orders_raw")],
        source_options={"kafka.bootstrap.servers": broker.bootstrap},
        checkpoints=plura.work / "checkpoints",
        once=True,
    )
    stream(delta, rest, stopping=threading.Event(), answers=broker.answers, notify=lambda _: None)
    batches = f"batch_id in (select batch_id from bronze.load_registry where {ours} and status = 'loaded')"
    rows = delta.session.sql(f"select order_id, ingest_seq from bronze.orders_raw where {batches}").collect()
    assert sorted(row["order_id"] for row in rows) == good
    assert len({row["ingest_seq"] for row in rows}) == len(rows)
    kept = delta.session.sql(f"select raw_line from bronze.malformed_lines where {batches}").collect()
    assert sorted(row["raw_line"] for row in kept) == sorted(broken)


def test_an_error_is_reported_in_one_line(plura: Plura, broker: Broker) -> None:
    def told(*arguments: str, **settings: str) -> str:
        command = Plura(work=plura.work, settings=plura.settings | settings)
        outcome = command("lake", "stream", "--once", *arguments)
        assert (outcome.code, outcome.out) == (1, "")
        return outcome.error

    nowhere = told(PLURA_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert nowhere.startswith("the brokers at 127.0.0.1:1 do not answer (")
    assert told("--topics", "not.there=orders") == f"there is no topic not.there on {broker.bootstrap}"
    assert told("--topics", "unheard").startswith("'unheard' is not a topic that the lake knows: say what it holds")
    assert told(PLURA_KAFKA_BOOTSTRAP="").startswith("no Kafka is known: name its brokers with PLURA_KAFKA_BOOTSTRAP")
    assert "SASL needs PLURA_KAFKA_SASL_USERNAME" in told(PLURA_KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    assert told("--target", "duckdb") == "target duckdb does not stream: only spark does"
