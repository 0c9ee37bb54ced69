"""``plura lake stream`` as users run it: killed and started again, asked to stop, and told what is wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from python_jobs.load.delta import DeltaBronze
from tests.commands import COMMAND, Plura
from tests.dbt_runs import PROJECT
from tests.kafka import Broker
from tests.loads import GOOD
from tests.spark import SETTINGS

KILLS = int(os.environ.get("PLURA_STREAM_KILLS", "2"))
"""How often the stream is killed; each time costs some 20 s."""


@pytest.fixture
def plura(tmp_path: Path, broker: Broker) -> Plura:
    """The command with a warehouse of its own and the broker."""
    return Plura(
        work=tmp_path,
        settings=SETTINGS
        | {
            "PLURA_SPARK_CATALOG": "hive",  # it knows the tables after a restart
            "PLURA_SPARK_MEMORY": "1g",
            "PLURA_SPARK_WAREHOUSE": str(tmp_path / "spark"),
            "PLURA_SPARK_CHECKPOINT_DIR": str(tmp_path / "checkpoints"),
            "PLURA_KAFKA_BOOTSTRAP": broker.bootstrap,
        },
    )


def start(plura: Plura, *arguments: str) -> subprocess.Popen[str]:
    """Start the stream in a process group of its own, Java and Python workers included."""
    return subprocess.Popen(
        [*COMMAND, "lake", "stream", *arguments],
        env=plura.environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def table(plura: Plura, delta: DeltaBronze, name: str) -> Any:
    return delta.session.read.format("delta").load(str(plura.work / "spark" / "bronze.db" / name))


def loaded(plura: Plura, delta: DeltaBronze) -> int:
    """Number of batches that are loaded; 0 while the registry is not there yet."""
    if not (plura.work / "spark/bronze.db/load_registry/_delta_log/00000000000000000001.json").exists():
        return 0
    return int(table(plura, delta, "load_registry").where("status = 'loaded'").count())


def test_a_killed_stream_goes_on_and_every_message_is_there_once(
    plura: Plura, broker: Broker, delta: DeltaBronze
) -> None:
    topic = broker.create_topic(partitions=3)
    produced: dict[str, list[int | str]] = {"good": [], "broken": []}
    enough = threading.Event()

    def produce() -> None:
        producer = broker.producer()
        while not enough.wait(0.02):
            number = len(produced["good"])
            producer.send(topic, json.dumps(GOOD["orders"] | {"order_id": number}).encode())
            produced["good"].append(number)
            if number % 10 == 0:
                producer.send(topic, b"broken %d" % number)
                produced["broken"].append(f"broken {number}")
        producer.flush()
        producer.close()

    thread = threading.Thread(target=produce)
    thread.start()
    random.seed(int(time.time()))
    process = None
    arguments = ("--topics", f"{topic}=orders", "--every", "0", "--most", "60")
    try:
        for _ in range(KILLS):
            before = loaded(plura, delta)
            process = start(plura, *arguments)
            deadline = time.monotonic() + 90
            while loaded(plura, delta) == before:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            time.sleep(random.uniform(0, 3))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    finally:
        enough.set()
        thread.join()
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    last = start(plura, *arguments[:2], "--once")
    out, err = last.communicate(timeout=120)
    assert (last.returncode, err) == (0, ""), (out, err)
    registry = table(plura, delta, "load_registry").collect()
    assert {batch["status"] for batch in registry} == {"loaded"}
    assert sorted(row["order_id"] for row in table(plura, delta, "orders_raw").collect()) == produced["good"]
    kept = [row["raw_line"] for row in table(plura, delta, "malformed_lines").collect()]
    assert sorted(kept) == sorted(map(str, produced["broken"]))
    counts = (sum(batch["row_count"] for batch in registry), sum(batch["malformed_count"] for batch in registry))
    assert counts == (len(produced["good"]), len(kept))
    seqs = [row["ingest_seq"] for row in table(plura, delta, "orders_raw").collect()]
    assert len(set(seqs)) == len(seqs)


def test_sigterm_ends_the_stream_after_the_micro_batch_at_work(
    plura: Plura, broker: Broker, delta: DeltaBronze
) -> None:
    topic = broker.create_topic()
    broker.produce(topic, [(None, json.dumps(GOOD["orders"]).encode())])
    process = start(plura, "--topics", f"{topic}=orders", "--every", "0.1")
    try:
        deadline = time.monotonic() + 90
        while not (plura.work / "checkpoints" / topic / "offsets" / "0").exists():  # the micro-batch has begun
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == [f"streaming {topic}", "next: plura lake run --target spark"]
    assert "loading" not in {row["status"] for row in table(plura, delta, "load_registry").collect()}


def test_what_is_wrong_is_said_in_one_line(plura: Plura, broker: Broker) -> None:
    def told(*arguments: str, **settings: str) -> str:
        command = Plura(work=plura.work, settings=plura.settings | settings)
        outcome = command("lake", "stream", "--once", *arguments)
        assert (outcome.code, outcome.out) == (1, "")
        return outcome.error

    nowhere = told(PLURA_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert nowhere.startswith("the brokers at 127.0.0.1:1 do not answer (")
    assert told("--topics", "not.there=orders") == f"there is no topic not.there on {broker.bootstrap}"
    assert told("--topics", "unheard").startswith("'unheard' is no topic that the lake knows: say what it holds")
    assert told(PLURA_KAFKA_BOOTSTRAP="") == "name the brokers with PLURA_KAFKA_BOOTSTRAP=host:port"
    assert "SASL needs PLURA_KAFKA_SASL_USERNAME" in told(PLURA_KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    assert told("--target", "duckdb") == "target duckdb does not stream: only spark does"
